"""Checks of a batch's counts and times in the manifest and the ledger, without rows.

These are checked whether or not the batch has rows, so a run in which nothing changed
needs no Great Expectations.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from ingest import clock, control
from ingest.control import Batch, Released
from ingest.lake import Manifest
from ingest.seed import suites
from ingest.seed.checks.bounds import RowCount
from ingest.seed.checks.fresh import Fresh
from ingest.seed.metadata import Table
from ingest.seed.suites import Expectation
from ingest.statements import Statements

_SQL = Statements(__file__)
_MOST = 2**62
# Older than any value, which so is fresh.
_OLDEST = "0001-01-01"


@dataclass(frozen=True)
class Loaded:
    """A loaded batch, and what is asked about it: `released` is what came before."""

    connection: control.Connection
    table: Table
    batch: Batch
    manifest: Manifest
    released: Released


@dataclass(frozen=True)
class Result:
    """The result of a rule; `failing_rows` is None where it counts no rows."""

    rule_id: str
    severity: str
    passed: bool
    observed: str
    expected: str
    failing_rows: int | None = None
    seconds: float | None = None


def parameters(loaded: Loaded) -> dict[str, Any]:
    """The suite's parameters for this batch, by their names.

    Bounds of rows are those of the rows that the batch has in the log: what the source
    counted, except unchanged and rejected ones.
    """
    manifest, options = loaded.manifest, loaded.table.options
    left_out = manifest.rows_unchanged + manifest.rows_rejected
    written = manifest.source_rows - left_out
    if options.soft_delete_column:
        written += manifest.rows_deleted
    low, high = 0.0, float(_MOST)
    before = _rows_before(loaded)
    # No number is a multiple of 0, so after an empty window any number passes.
    if options.row_count_band and before:
        least, most = options.row_count_band
        if not (options.allow_empty and manifest.source_empty):
            low = least * before
        high = most * before if most else high
    found: dict[str, Any] = {
        suites.ROWS: written,
        suites.BAND[0]: max(0, math.ceil(low) - left_out),
        suites.BAND[1]: math.floor(high) - left_out,
        RowCount.least: 0,
        RowCount.most: _MOST,
    }
    is_window = loaded.batch.kind == "window"
    for rule in loaded.table.rules:
        check = rule.check
        if isinstance(check, Fresh):
            found[check.oldest] = _oldest(loaded, check) if is_window else _OLDEST
        elif isinstance(check, RowCount) and rule.layer == "gate" and is_window:
            bounds = check.parsed
            found[RowCount.least] = max(0, int(bounds.low or 0) - left_out)
            found[RowCount.most] = int(bounds.high or _MOST) - left_out
    return found


def _rows_before(loaded: Loaded) -> int | None:
    """The rows of the last released window; None where none is comparable."""
    if loaded.batch.kind != "window":
        return None
    table = loaded.table
    of = {"table_id": table.id, "reads_whole": table.load_type.reads_whole}
    row = _SQL.run(loaded.connection, "rows_before", **of).fetchone()
    return int(row[0]) if row else None


def _oldest(loaded: Loaded, check: Fresh) -> str:
    """The bound for the batch's newest value: none if the newest that exists passes."""
    table, batch = loaded.table, loaded.batch
    (column,) = (c for c in table.columns if c.name == check.column)
    is_instant = column.type.name == "timestamptz"
    observed = dt.datetime.fromisoformat(loaded.manifest.observed_at)
    zone = dt.UTC if is_instant else ZoneInfo(table.source.timezone)
    moment = observed.replace(tzinfo=dt.UTC).astimezone(zone) - check.parsed
    oldest: dt.date = moment if is_instant else moment.replace(tzinfo=None)
    if column.type.name == "date":
        oldest = moment.date()
    newest: dt.date | None
    if column != table.window_column:
        newest = _newest(loaded, column.name)
    elif is_instant and batch.window_high:
        newest = batch.window_high.replace(tzinfo=dt.UTC)
    else:
        newest = batch.window_high
    return str(oldest) if newest is None or newest < oldest else _OLDEST


def _newest(loaded: Loaded, column: str) -> dt.date | None:
    """The newest value in the snapshot, or the one before where nothing changed.

    Raises AssertionError for a table that is not read whole.
    """
    table = loaded.table
    assert table.load_type.reads_whole, table.id
    snapshot = loaded.released.snapshot_seq
    if loaded.manifest.rows_written:
        snapshot = loaded.batch.batch_seq
    query = sql.SQL("select max({}) from {} where _batch_seq = {}").format(
        sql.Identifier(column), sql.Identifier("bronze", table.bronze), snapshot
    )
    try:
        row = loaded.connection.execute(query).fetchone()
    except psycopg.errors.UndefinedColumn:
        return None  # the suite says so, too
    found = row[0] if row else None
    return found if isinstance(found, dt.date) else None


def without_rows(
    expectations: list[Expectation], given: dict[str, Any]
) -> list[Result]:
    """The suite's results for a batch without rows: only its counts can be wrong."""
    results = []
    for one in expectations:
        asked = {
            name: given[value["$PARAMETER"]]
            for name, value in one.arguments.items()
            if isinstance(value, dict)
        }
        if one.counts_rows:
            low = asked.get("value", asked.get("min_value", 0))
            high = asked.get("value", asked.get("max_value", _MOST))
            passed = bool(low <= 0 <= high)
        elif asked:
            passed = asked["min_value"] == _OLDEST
        else:
            continue
        results.append(
            Result(one.rule_id, one.severity, passed, "no new rows", one.expected)
        )
    return results


def accounts(loaded: Loaded) -> list[Result]:
    """The checks that every table has, whatever its seed says.

    The first are the identities of the batch; `control.count_loaded` comes before.
    """
    connection, batch, manifest = loaded.connection, loaded.batch, loaded.manifest
    options = loaded.table.options
    results = [_identity(row) for row in control.batch_identities(connection, batch)]
    of = {"table_id": batch.table_id, "batch_seq": batch.batch_seq}
    keyless = _SQL.value(connection, "keyless", **of)
    others = manifest.rows_rejected - keyless
    results += [
        _none("key_not_null", "block", keyless, "rows with NULL in the key"),
        _none("rows_accepted", "warn", others, "other rows rejected"),
    ]
    if count := manifest.zero_dates:
        what = "values that are no date or number elsewhere"
        results.append(_none("dates_complete", "warn", count, what))
    if count := manifest.rows_beyond:
        said = f"{count:,} {'row' if count == 1 else 'rows'} {_beyond(loaded)}"
        results.append(Result("watermark_in_reach", "warn", False, said, "none", count))
    if not options.allow_empty and _had_rows(loaded):
        seen = "the source is empty" if manifest.source_empty else "rows"
        passed = not manifest.source_empty
        results.append(
            Result("source_not_empty", "block", passed, seen, "rows, as before")
        )
    if manifest.live_keys:
        share = int(manifest.live_keys * options.max_delete_ratio)
        allowed = max(share, options.min_delete_count)
        gone = manifest.rows_deleted
        results.append(
            Result(
                "deletes_within_limit",
                "block",
                gone <= allowed,
                f"{gone:,} of {manifest.live_keys:,} keys deleted",
                f"at most {allowed:,}",
                gone if gone > allowed else 0,
            )
        )
    return results


def _identity(row: dict[str, Any]) -> Result:
    left, right = row["left_rows"], row["right_rows"]
    observed, failing = f"{left:,} rows", None
    if not row["holds"]:
        observed, failing = (
            f"{row['identity']}: {left:,} ≠ {right:,}",
            abs(left - right),
        )
    expected = "equal numbers"
    return Result(row["rule_id"], "block", row["holds"], observed, expected, failing)


def _none(rule_id: str, severity: str, count: int, what: str) -> Result:
    """The result of a rule that there are no such rows."""
    return Result(rule_id, severity, not count, f"{count:,} {what}", "none", count)


def _beyond(loaded: Loaded) -> str:
    """What is said of rows whose watermark is in the source's future."""
    table, manifest = loaded.table, loaded.manifest
    after = f"with {table.watermark_column} after {manifest.present}"
    utc = dt.datetime.fromisoformat(manifest.observed_at)
    server = dt.timedelta(minutes=manifest.server_offset)
    column = table.window_column
    is_wall_clock = column is not None and column.type.name == "timestamp"
    if is_wall_clock and server != clock.offset_of(table.clock, utc):
        return (
            f"{after}, now on the clock of {table.clock}, which is the timezone of "
            f"{table.source.name} in sources.csv; the server's clock is "
            f"{clock.shown(server)}. If the source writes in that zone, set it "
            f"there ({clock.fixed_zone(server)}, or one with summer time), then run "
            f"./seedbed generate and ./seedbed rebuild {table.id} --from-raw"
        )
    return (
        f"{after}, the source's present: read once that time has come, or now by "
        f"`./seedbed reconcile --tables {table.id} --repair`"
    )


def _had_rows(loaded: Loaded) -> bool:
    """Whether any row of the table was released."""
    through = loaded.released.through
    query = sql.SQL("select 1 from {} where _batch_seq <= {} limit 1").format(
        sql.Identifier("bronze", loaded.table.bronze), through
    )
    return through > 0 and bool(loaded.connection.execute(query).fetchone())
