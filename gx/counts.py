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
from ingest.seed.checks.fresh import Fresh
from ingest.seed.checks.row_count import RowCount
from ingest.seed.metadata import Column, Table
from ingest.seed.suites import Expectation

_MOST = 2**62


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


def parameters(
    connection: control.Connection,
    table: Table,
    batch: Batch,
    manifest: Manifest,
    released: Released,
) -> dict[str, Any]:
    """The suite's parameters for this batch, by their names.

    Bounds of rows are those of the rows that the batch has in the log: what the source
    counted, except unchanged and rejected ones.
    """
    left_out = manifest.rows_unchanged + manifest.rows_rejected
    written = manifest.source_rows - left_out
    if table.options.soft_delete_column:
        written += manifest.rows_deleted
    low, high = 0.0, float(_MOST)
    before = _rows_before(connection, table, batch)
    if table.options.row_count_band and before:
        band_low, band_high = table.options.row_count_band
        may_be_empty = table.options.allow_empty and manifest.source_empty
        low = 0 if may_be_empty else band_low * before
        high = band_high * before if band_high else high
    found: dict[str, Any] = {
        suites.ROWS: written,
        suites.BAND[0]: max(0, math.ceil(low) - left_out),
        suites.BAND[1]: math.floor(high) - left_out,
        RowCount.least: 0,
        RowCount.most: _MOST,
    }
    for rule in table.rules:
        if rule.layer != "gate" or batch.kind != "window":
            continue
        if isinstance(rule.check, RowCount):
            bounds = rule.check.parsed
            found[RowCount.least] = max(0, int(bounds.low or 0) - left_out)
            found[RowCount.most] = int(bounds.high or _MOST) - left_out
    for check in _fresh(table):
        found[check.oldest] = "0001-01-01"
    if batch.kind == "window":
        for check, oldest, newest in _ages(
            connection, table, batch, manifest, released
        ):
            if newest is None or newest < oldest:
                found[check.oldest] = str(oldest)
    return found


def _rows_before(
    connection: control.Connection, table: Table, batch: Batch
) -> int | None:
    """The rows of the last released window; None where none is comparable.

    No number is a multiple of 0, so after an empty window any number passes.

    The first window of a table with a watermark holds all rows.
    """
    if batch.kind != "window":
        return None
    row = connection.execute(
        "select rows_read from audit.batch where table_id = %s and state = 'released' "
        "and kind = 'window' and (%s or window_low is not null) "
        "order by batch_seq desc limit 1",
        (table.id, table.load_type.reads_whole),
    ).fetchone()
    return int(row[0]) if row else None


def _fresh(table: Table) -> list[Fresh]:
    """The checks that columns are fresh."""
    return [r.check for r in table.rules if isinstance(r.check, Fresh)]


def _ages(
    connection: control.Connection,
    table: Table,
    batch: Batch,
    manifest: Manifest,
    released: Released,
) -> list[tuple[Fresh, dt.date, dt.date | None]]:
    """(check, oldest that is fresh, newest that exists) of each rule `fresh`."""
    found = []
    observed = dt.datetime.fromisoformat(manifest.observed_at).replace(tzinfo=dt.UTC)
    for check in _fresh(table):
        (column,) = (c for c in table.columns if c.name == check.column)
        instant = column.type.name == "timestamptz"
        zone = dt.UTC if instant else ZoneInfo(table.source.timezone)
        moment = observed.astimezone(zone) - check.parsed
        oldest: dt.date = moment if instant else moment.replace(tzinfo=None)
        if column.type.name == "date":
            oldest = moment.date()
        newest: dt.date | None
        if column == table.window_column:
            newest = batch.window_high
            if instant and batch.window_high:
                newest = batch.window_high.replace(tzinfo=dt.UTC)
        else:
            newest = _newest(connection, table, batch, manifest, released, column)
        found.append((check, oldest, newest))
    return found


def _newest(
    connection: control.Connection,
    table: Table,
    batch: Batch,
    manifest: Manifest,
    released: Released,
    column: Column,
) -> dt.date | None:
    """The newest value in the snapshot, or the one before where nothing changed.

    Raises AssertionError for a table that is not read whole.
    """
    assert table.load_type.reads_whole, table.id
    snapshot = batch.batch_seq if manifest.rows_written else released.snapshot_seq
    query = sql.SQL("select max({}) from {} where _batch_seq = {}").format(
        sql.Identifier(column.name), sql.Identifier("bronze", table.bronze), snapshot
    )
    try:
        row = connection.execute(query).fetchone()
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
            passed = asked["min_value"] == "0001-01-01"
        else:
            continue
        results.append(
            Result(one.rule_id, one.severity, passed, "no new rows", one.expected)
        )
    return results


def accounts(
    connection: control.Connection,
    table: Table,
    batch: Batch,
    manifest: Manifest,
    released: Released,
) -> list[Result]:
    """The checks that every table has, whatever its seed says.

    The first are the identities of the batch; `control.count_loaded` comes before.
    """
    results = [
        Result(
            row["rule_id"],
            "block",
            row["holds"],
            f"{row['identity']}: {row['left_rows']:,} ≠ {row['right_rows']:,}"
            if not row["holds"]
            else f"{row['left_rows']:,} rows",
            "equal numbers",
            None if row["holds"] else abs(row["left_rows"] - row["right_rows"]),
        )
        for row in control.batch_identities(connection, batch)
    ]
    keyless = connection.execute(
        # Rows that a person released once are not reported again.
        "select count(*) from audit.reject as new where table_id = %s "
        "and batch_seq = %s and reason like 'NULL in key%%' and not exists ("
        "select from audit.reject as old join audit.batch using (table_id, batch_seq) "
        "where table_id = new.table_id and state = 'released' "
        "and old.reason = new.reason and old.source_row = new.source_row)",
        (table.id, batch.batch_seq),
    ).fetchone()
    assert keyless is not None
    others = manifest.rows_rejected - keyless[0]
    results += [
        Result(
            "key_not_null",
            "block",
            keyless[0] == 0,
            f"{keyless[0]:,} rows with NULL in the key",
            "none",
            keyless[0],
        ),
        Result(
            "rows_accepted",
            "warn",
            others == 0,
            f"{others:,} other rows rejected",
            "none",
            others,
        ),
    ]
    if manifest.zero_dates:
        results.append(
            Result(
                "dates_complete",
                "warn",
                False,
                f"{manifest.zero_dates:,} rows with a zero or incomplete date",
                "none",
                manifest.zero_dates,
            )
        )
    if manifest.rows_beyond:
        results.append(_in_reach(table, manifest))
    had_rows = released.through > 0 and _had_rows(connection, table, released)
    if had_rows and not table.options.allow_empty:
        results.append(
            Result(
                "source_not_empty",
                "block",
                not manifest.source_empty,
                "the source is empty" if manifest.source_empty else "rows",
                "rows, as before",
            )
        )
    if manifest.live_keys:
        allowed = max(
            int(manifest.live_keys * table.options.max_delete_ratio),
            table.options.min_delete_count,
        )
        results.append(
            Result(
                "deletes_within_limit",
                "block",
                manifest.rows_deleted <= allowed,
                f"{manifest.rows_deleted:,} of {manifest.live_keys:,} keys deleted",
                f"at most {allowed:,}",
                manifest.rows_deleted if manifest.rows_deleted > allowed else 0,
            )
        )
    return results


def _in_reach(table: Table, manifest: Manifest) -> Result:
    """The check of rows whose watermark is in the source's future."""
    count = manifest.rows_beyond
    rows = f"{count:,} {'row' if count == 1 else 'rows'}"
    text = (
        f"{rows} with {table.watermark_column} after {manifest.present}, the source's "
        "present: read once that time has come, or now by `./seedbed reconcile "
        f"--tables {table.id} --repair`"
    )
    column = table.window_column
    utc = dt.datetime.fromisoformat(manifest.observed_at)
    server = dt.timedelta(minutes=manifest.server_offset)
    is_wall_clock = column is not None and column.type.name == "timestamp"
    if is_wall_clock and server != clock.offset_of(table.clock, utc):
        text = (
            f"{rows} with {table.watermark_column} after {manifest.present}, now on "
            f"the clock of {table.clock}, which is the timezone of "
            f"{table.source.name} in sources.csv; the server's clock is "
            f"{clock.shown(server)}. If the source writes in that zone, set it "
            f"there ({clock.fixed_zone(server)}, or one with summer time), then run "
            f"./seedbed generate and ./seedbed rebuild {table.id} --from-raw"
        )
    return Result("watermark_in_reach", "warn", False, text, "none", count)


def _had_rows(connection: control.Connection, table: Table, released: Released) -> bool:
    query = sql.SQL(
        "select count(*) from (select from {} where _batch_seq <= {} limit 1) as found"
    )
    name = sql.Identifier("bronze", table.bronze)
    return bool(control.count(connection, query.format(name, released.through)))
