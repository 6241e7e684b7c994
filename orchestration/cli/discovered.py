"""What `./seedbed discover` prints of what it found."""

from __future__ import annotations

from rich.console import Console, JustifyMethod
from rich.text import Text

from ingest.seed import metadata
from ingest.seed.discover import Discovery
from orchestration.display import plain_grid


def show(result: Discovery, console: Console) -> None:
    """Print what was found and proposed."""
    grid = plain_grid()
    for name in ("table", "model", "rows", "load type", "because"):
        align: JustifyMethod = "right" if name == "rows" else "left"
        grid.add_column(name, justify=align, overflow="fold")
    for proposal in result.proposals:
        rows = proposal.table.rows
        grid.add_row(
            Text(proposal.table.name),
            proposal.model,
            "" if rows is None else f"~{rows:,}",
            proposal.choice.name,
            Text(proposal.choice.reason),
        )
    if result.proposals:
        console.print(grid)
    for proposal in result.proposals:
        for line in proposal.warnings:
            console.print(
                Text(f"{proposal.table.name}: {line}", "yellow"), soft_wrap=True
            )
    for line in result.differences:
        console.print(Text(line, "yellow"), soft_wrap=True)
    _show_privacy(result, console)
    added = sum(bool(p.rows) for p in result.proposals)
    if not added and not result.columns_added:
        console.print(f"{result.source.name}: nothing was added to the seed.")
        return
    name, columns = result.source.name, result.columns_added
    console.print(
        f"\nadded    {added:,} tables, {columns:,} columns of known tables to "
        f"{metadata.FOLDER}: review the proposed rows\n"
        f"next     ./seedbed generate   ./seedbed run --tables '{name}.*'",
        soft_wrap=True,
    )


def _show_privacy(result: Discovery, console: Console) -> None:
    """Print what was found of secrets and personal data, and what is to be answered."""
    labels = [r["pii"] for p in result.proposals for r in p.rows.get("columns", [])]
    found = sum(label not in ("", metadata.UNDECIDED) for label in labels)
    if found:
        secrets = labels.count("secret")
        console.print(
            f"\npersonal {found:,} columns have a class, {secrets:,} of them hold "
            "secrets: consumers see them masked or not at all",
            soft_wrap=True,
        )
    if not result.questions:
        return
    count = sum(map(len, result.questions.values()))
    console.print(
        f"[yellow]question[/] {count:,} columns may hold personal data. Consumers see "
        f"nothing of them until you answer: in pii of {metadata.FOLDER}/columns.csv "
        f"write a class ({', '.join(metadata.PII_CLASSES)}), or {metadata.HARMLESS}, "
        f"in the place of {metadata.UNDECIDED}",
        soft_wrap=True,
    )
    for table, columns in result.questions.items():
        console.print(
            Text(f"         {table}: {', '.join(columns)}", "yellow"), soft_wrap=True
        )
