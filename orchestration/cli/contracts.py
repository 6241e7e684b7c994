"""Commands of the contracts between those who load a table and those who read it."""

from __future__ import annotations

import click

from ingest.seed import contract
from ingest.settings import ROOT
from orchestration.cli.common import chosen_tables, escaped, out


@click.group("contract")
def contracts() -> None:
    """Show a table's contract, or the changes that break it."""


@contracts.command()
@click.argument("tables", nargs=-1, required=True, metavar="TABLE...")
def show(tables: tuple[str, ...]) -> int:
    """Print contracts as YAML of the Open Data Contract Standard."""
    documents = [contract.contract(table) for table in chosen_tables(tables)]
    click.echo(
        "---\n".join(contract.text(document) for document in documents), nl=False
    )
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
        versions = f"{one.was or 'none'} → {one.now or 'none'}"
        out.print(f"[bold]{one.table}[/]  {versions}", soft_wrap=True)
        for change in sorted(one.changes, key=lambda c: not c.breaking):
            word = "[red]breaking[/]" if change.breaking else "        "
            out.print(f"  {word}  {escaped(change.text)}", soft_wrap=True)
        if one.fault:
            out.print(f"  [red]{escaped(one.fault)}[/]", soft_wrap=True)
    if not changed:
        out.print(f"{len(found)} contracts are unchanged since {escaped(base)}.")
    gone = any(one.breaks and not one.now for one in changed)
    return 1 if gone or any(one.fault for one in changed) else 0
