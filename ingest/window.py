"""Windows: what a table's next batch reads, fixed before anything is read."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import dataclass

from ingest import clock, control, sources
from ingest.control import Batch, Released, Window
from ingest.duck import literal
from ingest.errors import ConfigurationError, SeedbedError
from ingest.seed.metadata import Table

# A window is divided into at most this many ranges.
MOST_RANGES = 1000
# A range has about this many bytes at most at the source.
RANGE_BYTES = 40 << 20


@dataclass(frozen=True)
class Request:
    """A person's request to read again: a kind of batch and its watermarks.

    Kinds: `backfill` and `reload` read the watermarks from `start` to before `end`,
    `repair` the rows in which log and source differ.
    """

    kind: str
    start: dt.datetime | None = None
    end: dt.datetime | None = None

    @classmethod
    def read(cls, kind: str, start: str, end: str = "") -> Request:
        """A request from texts like `2026-03-01` or `2026-03-01T12:00:00`.

        Without an end it is the one day from the start. ConfigurationError for any
        other text, so that no date is guessed.
        """
        first = _moment(start)
        last = _moment(end) if end else first + dt.timedelta(days=1)
        if first >= last:
            raise ConfigurationError(f"{kind}: from {first} is not before to {last}.")
        return cls(kind, first, last)

    def is_of(self, batch: Batch) -> bool:
        """Whether the batch is the requested one."""
        asked = (self.kind, self.start, self.end)
        return asked == (batch.kind, batch.range_start, batch.range_end)


def _moment(text: str) -> dt.datetime:
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"):
        with suppress(ValueError):
            return dt.datetime.strptime(text, form)
    raise ConfigurationError(
        f"{text!r} is not a date.",
        "Write 2026-03-01, or 2026-03-01T12:00:00, in the source's time zone.",
    )


def plan(
    connection: control.Connection,
    table: Table,
    run_id: str,
    request: Request | None = None,
) -> Batch:
    """Persist the table's next batch: the new rows, or the requested ones."""
    released = control.released(connection, table)
    if request is None:
        window = due(table, released)
    else:
        assert_possible(table, request.kind)
        if not released.through:
            raise SeedbedError(
                f"{table.id}: nothing of it is released yet, so there is nothing to "
                f"{request.kind}.",
                "Run `./seedbed run` first.",
            )
        window = Window(
            request.kind,
            released.high,
            released.high,
            request.start,
            request.end,
            _cuts(table) if request.kind == "backfill" else (),
        )
    return control.plan(connection, table, run_id, window)


def due(table: Table, released: Released) -> Window:
    """The window after the released one."""
    high = sources.of(table.source).newest_watermark(table)
    if released.high and (high is None or high < released.high):
        high = released.high  # a watermark never goes back
    cuts = () if released.through else _cuts(table)
    return Window("window", released.high, high, cuts=cuts)


def assert_possible(table: Table, kind: str) -> None:
    """Raise ConfigurationError where the table can't be read again that way."""
    if table.watermark_column:
        return
    raise ConfigurationError(
        f"{table.id} has no watermark_column: each run reads it as a whole, so there "
        f"is nothing to {kind}.",
        "Leave the table out, or run `./seedbed run`.",
    )


def predicate(table: Table, batch: Batch | Window, column: str) -> str:
    """The condition, on the watermark's `column`, of the rows that the batch reads."""
    if not table.watermark_column:
        return "true"
    start, end = bounds(table, batch)
    if end is None:
        return "false"
    before = "<=" if batch.kind == "window" else "<"
    parts = [f"{column} {before} timestamp {literal(end)}"]
    if start is not None:  # rows of one moment may be committed one after another
        parts.append(f"{column} >= timestamp {literal(start)}")
    return " and ".join(parts)


def bounds(
    table: Table, batch: Batch | Window
) -> tuple[dt.datetime | None, dt.datetime | None]:
    """The bounds of the batch, in the source's notation.

    Both are in a window; the end of a range that was asked for is not.
    """
    if batch.kind != "window":
        return batch.range_start, batch.range_end
    low = batch.window_low
    if low is None:
        return None, batch.window_high
    try:
        start = low - dt.timedelta(minutes=table.options.overlap_minutes)
        start -= clock.went_back(low, table.clock)
        if days := table.options.late_days:
            midnight = dt.datetime.combine(low.date(), dt.time())
            start = min(start, midnight - dt.timedelta(days=days))
    except OverflowError:  # there is no time before the year 1
        return None, batch.window_high
    return start, batch.window_high


def _cuts(table: Table) -> tuple[int, ...]:
    """The cuts of the leading key, so that no range has many more than range_rows.

    Nor many more than RANGE_BYTES. A table without an integer key that the source can
    look up is not cut.
    """
    most = table.options.range_rows
    if not most or not table.watermark_column or not table.key:
        return ()
    extent = sources.of(table.source).key_extent(table)
    if extent is None:
        return ()
    wanted = max(-(-extent.rows // most), -(-extent.length // RANGE_BYTES))
    return extent.cuts(min(wanted, MOST_RANGES))
