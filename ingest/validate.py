"""The gate: decides whether a loaded batch may be released.

Each check looks at one thing and says what it saw. A failed `block` check
rejects the batch: its rows stay out of everything downstream, and the next run
reads the window again.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from ingest import ledger, settings
from ingest.lake import Lake, Manifest
from ingest.ledger import Batch, Released
from ingest.metadata import Table


@dataclass(frozen=True)
class Result:
    """What one check saw."""

    check: str
    severity: str
    passed: bool
    observed: str
    expected: str


def validate(
    connection: ledger.Connection, table: Table, batch: Batch, run_id: str
) -> Batch:
    """Check the batch and move it on; loaded → released or rejected."""
    lake = Lake(settings.ROOT)
    manifest = lake.manifest(batch.manifest_key)
    assert manifest is not None, batch.manifest_key
    released = ledger.released(connection, table)
    results = _check(connection, table, batch, manifest, released)
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.dq_result (run_id, layer, table_id, batch_seq, "
            "rule_id, severity, passed, observed, expected) "
            "values (%s, 'gate', %s, %s, %s, %s, %s, %s, %s) "
            "on conflict do nothing",
            [
                (
                    run_id,
                    table.id,
                    batch.batch_seq,
                    r.check,
                    r.severity,
                    r.passed,
                    r.observed,
                    r.expected,
                )
                for r in results
            ],
        )
    failed = [r for r in results if not r.passed and r.severity == "block"]
    if failed:
        reason = "; ".join(
            f"{r.check}: {r.observed}, expected {r.expected}" for r in failed
        )
        ledger.reject(connection, batch, reason)
    else:
        ledger.release(connection, batch, manifest)
    lake.forget(manifest)
    return ledger.batch(connection, table.id, batch.batch_seq)


def _check(
    connection: ledger.Connection,
    table: Table,
    batch: Batch,
    manifest: Manifest,
    released: Released,
) -> list[Result]:
    loaded = _rows_of(connection, table, batch)
    promised = sum(p.rows for p in manifest.bronze)
    keyless = connection.execute(
        "select count(*) from audit.reject where table_id = %s and batch_seq = %s "
        "and reason like 'NULL in key%%'",
        (table.id, batch.batch_seq),
    ).fetchone()
    assert keyless is not None
    others = manifest.rows_rejected - keyless[0]
    results = [
        Result(
            "rows_as_in_manifest",
            "block",
            loaded == promised,
            f"{loaded:,} rows",
            f"{promised:,} rows",
        ),
        Result(
            "key_not_null",
            "block",
            keyless[0] == 0,
            f"{keyless[0]:,} rows with NULL in the key",
            "none",
        ),
        Result(
            "rows_accepted",
            "warn",
            others == 0,
            f"{others:,} other rows rejected",
            "none",
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
            )
        )
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
            )
        )
    return results


def _rows_of(connection: ledger.Connection, table: Table, batch: Batch) -> int:
    return ledger.count(
        connection,
        sql.SQL("select count(*) from {} where _batch_seq = {}").format(
            sql.Identifier("bronze", table.bronze), batch.batch_seq
        ),
    )


def _had_rows(connection: ledger.Connection, table: Table, released: Released) -> bool:
    query = sql.SQL(
        "select count(*) from (select from {} where _batch_seq <= {} limit 1) as found"
    )
    log = sql.Identifier("bronze", table.bronze)
    return bool(ledger.count(connection, query.format(log, released.through)))
