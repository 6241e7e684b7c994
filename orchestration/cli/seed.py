"""Commands of the metadata seed, of what is generated from it, and of contracts."""

from __future__ import annotations

import click
from rich.text import Text

from ingest.seed import contract, generate, metadata
from ingest.seed import discover as discovery
from ingest.seed.discover import Discovery
from ingest.settings import ROOT
from orchestration.cli.common import chosen_tables, escaped, out, start_source, tell
from orchestration.display import plain_grid


@click.command()
@click.argument("source")
@click.option(
    "--tables",
    "patterns",
    multiple=True,
    metavar="GLOB",
    help="Tables of the source; * is allowed. May be repeated.",
)
@click.option(
    "--url-env",
    metavar="NAME",
    default="",
    help="The variable with a new source's URL (default: SOURCE_URL).",
)
@click.option(
    "--new-columns", is_flag=True, help="Also add columns that tables of the seed lack."
)
def discover(
    source: str, patterns: tuple[str, ...], url_env: str, new_columns: bool
) -> int:
    """Add the tables of SOURCE to the metadata seed.

    The rows are proposals: edit them, then run `./seedbed generate`.
    """
    start_source(source)
    found = discovery.discover(
        ROOT, source, patterns, url_env=url_env, new_columns=new_columns
    )
    _show_proposals(found)
    _show_privacy(found)
    added = sum(bool(p.rows) for p in found.proposals)
    name, columns = found.source.name, found.columns_added
    if added or columns:
        tell(
            f"\nadded    {added:,} tables, {columns:,} columns of known tables to "
            f"{metadata.FOLDER}: review the proposed rows\n"
            f"next     ./seedbed generate   ./seedbed run --tables '{name}.*'"
        )
    else:
        out.print(f"{name}: nothing was added to the seed.")
    return 0


def _show_proposals(found: Discovery) -> None:
    grid = plain_grid("table", "model", ">rows", "load type", "because")
    for proposal in found.proposals:
        rows = proposal.table.rows
        grid.add_row(
            Text(proposal.table.name),
            proposal.model,
            "" if rows is None else f"~{rows:,}",
            proposal.choice.name,
            Text(proposal.choice.reason),
        )
    if found.proposals:
        out.print(grid)
    for proposal in found.proposals:
        for line in proposal.warnings:
            tell(Text(f"{proposal.table.name}: {line}", "yellow"))
    for line in found.differences:
        tell(Text(line, "yellow"))


def _show_privacy(found: Discovery) -> None:
    """Print what was found of secrets and personal data, and what is to be answered."""
    labels = [r["pii"] for p in found.proposals for r in p.rows.get("columns", [])]
    classes = sum(label not in ("", metadata.UNDECIDED) for label in labels)
    if classes:
        tell(
            f"\npersonal {classes:,} columns have a class, {labels.count('secret'):,} "
            "of them hold secrets: consumers see them masked or not at all"
        )
    if found.questions:
        count = sum(map(len, found.questions.values()))
        tell(
            f"[yellow]question[/] {count:,} columns may hold personal data. Consumers "
            f"see nothing of them until you answer: in pii of {metadata.FOLDER}/"
            f"columns.csv write a class ({', '.join(metadata.PII_CLASSES)}), or "
            f"{metadata.HARMLESS}, in the place of {metadata.UNDECIDED}"
        )
    for table, columns in found.questions.items():
        tell(Text(f"         {table}: {', '.join(columns)}", "yellow"))


@click.command("generate")
@click.option("--check", is_flag=True, help="Only compare; exit 1 if a file differs.")
def generate_(check: bool) -> int:
    """Generate models, tests and docs from the metadata seed."""
    tables = metadata.load(ROOT)
    changes = generate.plan(ROOT, tables)
    if changes.is_empty:
        out.print(f"The generated files of {len(tables)} tables are as the seed says.")
        return 0
    for line in generate.describe(changes):
        out.print(line)
    if check:
        out.print(
            "The files differ from the seed. Write them with `./seedbed generate`."
        )
        return 1
    generate.apply(ROOT, changes)
    return 0


@click.group("contract")
def contracts() -> None:
    """Show a table's contract, or the changes that break it."""


@contracts.command()
@click.argument("tables", nargs=-1, required=True, metavar="TABLE...")
def show(tables: tuple[str, ...]) -> int:
    """Print contracts as YAML of the Open Data Contract Standard."""
    texts = [contract.text(contract.contract(table)) for table in chosen_tables(tables)]
    click.echo("---\n".join(texts), nl=False)
    return 0


@contracts.command()
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option(
    "--base",
    default="HEAD",
    show_default=True,
    metavar="REVISION|FILE",
    help="Compare with a git revision, or with a file that `show` wrote.",
)
def diff(tables: tuple[str, ...], base: str) -> int:
    """Show what changed; exit 1 if it breaks a contract without a new version."""
    before = contract.of_base(ROOT, base)
    chosen = chosen_tables(tables)
    whole = not tables and len(before) > 1
    if not tables and len(before) == 1:
        chosen = [table for table in chosen if table.id in before]
    found = contract.compare_all(before, chosen, whole=whole)
    changed = [one for one in found if one.changes or one.was != one.now]
    for one in changed:
        tell(f"[bold]{one.table}[/]  {one.was or 'none'} → {one.now or 'none'}")
        for change in sorted(one.changes, key=lambda c: not c.breaking):
            word = "[red]breaking[/]" if change.breaking else "        "
            tell(f"  {word}  {escaped(change.text)}")
        if one.fault:
            tell(f"  [red]{escaped(one.fault)}[/]")
    if not changed:
        out.print(f"{len(found)} contracts are unchanged since {escaped(base)}.")
    is_broken = any(one.fault or (one.breaks and not one.now) for one in changed)
    return 1 if is_broken else 0
