"""Preview: what the next run would read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from ingest import control, sources, window
from ingest.errors import SeedbedError
from ingest.seed.metadata import Table
from ingest.statements import query
from orchestration.display import fault, plain_grid

# Assumed until a run has measured it.
ROWS_A_SECOND = 200_000


@dataclass(frozen=True)
class Preview:
    """What the next run would read of a table; bytes and seconds are estimates.

    `what` is `window`, `first load` or `whole table`; `pending` the state of a batch
    that an earlier run left, which is finished first.
    """

    table: str
    what: str
    low: dt.datetime | None = None
    high: dt.datetime | None = None
    ranges: int = 1
    rows: int = 0
    bytes: int = 0
    seconds: float = 0
    pending: str | None = None
    error: str | None = None


def preview(connection: control.Connection, tables: Sequence[Table]) -> list[Preview]:
    """Ask the sources for what is due; nothing is written.

    Before the first run all of it is new.
    """
    try:
        control.look(connection)
    except control.Unready:
        return [_preview(table, control.Released()) for table in tables]
    rates = dict(connection.execute(query(__file__)))
    found = []
    for table in tables:
        left = control.pending(connection, table)
        pending = left.state if left else None
        released = control.released(connection, table)
        found.append(_preview(table, released, rates.get(table.id), pending))
    return found


def _preview(
    table: Table,
    released: control.Released,
    rate: float | None = None,
    pending: str | None = None,
) -> Preview:
    what = "window" if released.through else "first load"
    if not table.watermark_column:
        what = "whole table"
    kind = sources.of(table.source)
    try:
        due = window.due(table, released)
        # A preview does not count all rows of a big table.
        where = "true"
        if what == "window":
            where = window.predicate(table, due, kind.quoted(table.watermark_column))
        rows, size = kind.size(table, where)
    except SeedbedError as error:
        return Preview(table.id, what, error=str(error))
    low, high = window.bounds(table, due)
    ranges, seconds = len(due.cuts) + 1, round(rows / (rate or ROWS_A_SECOND), 1)
    return Preview(table.id, what, low, high, ranges, rows, size, seconds, pending)


def show(previews: Sequence[Preview], console: Console) -> None:
    """Print the previews as one table with its totals."""
    columns = ("table", "reads", "from", "up to", ">rows", ">MB", ">seconds")
    grid = plain_grid(*columns)
    for line in previews:
        what = f"{line.what}, {line.ranges} ranges" if line.ranges > 1 else line.what
        grid.add_row(
            line.table,
            "[red]error[/]" if line.error else what,
            _moment(line.low),
            _moment(line.high),
            *_amounts([line]),
        )
    grid.add_section()
    grid.add_row("total", "", "", "", *_amounts(previews), style="bold")
    console.print(grid)
    for line in previews:
        if line.pending:
            console.print(f"{line.table}: its {line.pending} batch is finished first.")
        if line.error:
            console.print("\n", fault(line.error), sep="", soft_wrap=True)
    console.print(
        "MB as the source stores them; seconds by the table's own past, or at "
        f"{ROWS_A_SECOND:,} rows a second.",
        style="dim",
    )


def _amounts(previews: Sequence[Preview]) -> tuple[str, str, str]:
    return (
        f"{sum(p.rows for p in previews):,}",
        f"{sum(p.bytes for p in previews) / 1e6:,.1f}",
        f"{sum(p.seconds for p in previews):,.1f}",
    )


def _moment(time: dt.datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"
