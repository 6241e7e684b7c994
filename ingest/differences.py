"""Differences: the source against the latest state of the log, row by row.

Both sides are read in ranges of the key and compared by key and content, inside
one snapshot of the source. Rows newer than the released watermark are left out: they
come with the next window. A table that is read whole has none, so that all that changed
since its last run differs.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from ingest import bronze_log, duck, keys, sources
from ingest.control import Released
from ingest.duck import Engine, literal, quoted, scalar
from ingest.pieces import KeyRange
from ingest.seed.metadata import Table
from ingest.standardise import canonical
from ingest.statements import render

# About how many keys a range has: DuckDB holds those of both sides at once.
RANGE_KEYS = 1_000_000


@dataclass(frozen=True)
class Differences:
    """Keys compared, and how many of them differ in which way.

    `missing` in the log, `stale` there, `extra`: live there and gone from the source.
    Rows that Seedbed rejects are not a difference.
    """

    compared: int
    missing: int
    stale: int
    extra: int

    def count(self, table: Table) -> int:
        """Those that should not be: without key scan nobody follows deletes."""
        follows = table.delete_mode == "key_scan" or table.load_type.reads_whole
        extra = self.extra if follows else 0
        return self.missing + self.stale + extra


def differences(engine: Engine, table: Table, released: Released) -> Differences:
    """Make the temporary table `difference`: the keys that differ, and `what` does.

    Within the caller's transaction on the attached source and warehouse.
    """
    names = "".join(f"{quoted(c.name)}, " for c in table.key)
    kind = sources.of(table.source)
    is_whole = table.load_type.reads_whole
    due = "true"
    if table.window_column:
        watermark = quoted(table.window_column.name)
        present = kind.present(engine, table)
        due = f"(_timeless or {watermark} > timestamp {literal(present)}"
        if released.high is not None:
            due += f" or {watermark} <= timestamp {literal(released.high)}"
        due += ")"
    aside = bronze_log.put_aside(table, released.through)
    duck.ask_warehouse(engine, "aside", aside)
    compared = 0
    target = "create or replace temp table difference as"
    template = "differing_rows" if is_whole else "differing_keys"
    differing = render(template, key=bronze_log.key(table))
    for piece in _pieces(table):
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        into = "create or replace temp table seen as"
        for rows in kind.rows(engine, table, piece.within(table)):
            canonical(engine, table, rows, now, 0)
            engine.execute(
                f"{into} select {names} _row_hash, _reason is null and {due} "
                f"and ({names} _row_hash) not in (from aside) as _due, _op from typed"
            )
            into = "insert into seen"
        if not is_whole:
            keys.assert_distinct(engine, table, "seen")
        duck.ask_warehouse(engine, "held", _held(table, released, piece, names))
        engine.execute(f"{target} {differing}")
        target = "insert into difference"
        compared += scalar(engine, "select count(*) from held")
    found = engine.execute("select _what, count(*) from difference group by 1")
    counts = Counter(dict(found.fetchall()))
    return Differences(compared, counts["missing"], counts["stale"], counts["extra"])


def _held(table: Table, released: Released, piece: KeyRange, names: str) -> str:
    """SQL for key and hash of the log's live rows in a range of the key."""
    columns = f"{names} _row_hash"
    where = piece.condition(quoted(table.key[0].name)) if table.key else "true"
    if not table.load_type.reads_whole:
        return bronze_log.live_rows(table, released.through, columns, where)
    return (
        f"select {columns} from {bronze_log.name_of(table)} "
        f"where _batch_seq = {released.snapshot_seq} and {where}"
    )


def _pieces(table: Table) -> list[KeyRange]:
    extent = sources.of(table.source).key_extent(table) if table.key else None
    if extent is None:
        return [KeyRange()]
    # The log may have keys outside what the source has now.
    return KeyRange.between(extent.cuts(-(-extent.rows // RANGE_KEYS)))
