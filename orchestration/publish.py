"""Publish: what is released, on Snowflake as well.

Snowflake copies the released batches' files from the lake by itself (macro
`load_bronze`) and builds the same dbt project. All that it gets from here is the
list. What Snowflake has is asked of Snowflake, so a publish that died is resumed.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from ingest import control, runlog, settings
from ingest.control import Batch, Connection
from ingest.errors import SeedbedError
from ingest.failpoints import reach
from ingest.lake import Lake
from ingest.seed import metadata
from ingest.seed.metadata import Table
from orchestration import artifacts, build, results, runs, snowflake

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

TARGET = "snowflake"
LOG_COLUMNS = {
    "_op": "varchar(1)",
    "_source_ts": "timestamp_ntz",
    "_observed_at": "timestamp_ntz",
    "_batch_seq": "bigint",
    "_row_hash": "bigint",
}
Report = Callable[[str], None]


@dataclass
class Published:
    """What a publish came to; `target` says where."""

    target: str
    batches: int = 0
    rows: int = 0
    built: build.Built = field(default_factory=build.Built)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return self.built.ok

    def __str__(self) -> str:
        return (
            f"{self.target}: {self.batches:,} batches, {self.rows:,} rows copied; "
            f"dbt {self.built}; {self.seconds:.1f} s"
        )


@dataclass(frozen=True)
class Load:
    """What Snowflake is to copy of a table; `is_read` if models have read it."""

    table: Table
    batches: tuple[tuple[Batch, tuple[str, ...], int], ...]
    is_read: bool
    arguments: dict[str, Any]


def publish(
    connection: Connection,
    run_id: str,
    left_out: Sequence[Table] = (),
    *,
    everything: bool = False,
    report: Report = lambda line: None,
) -> Published:
    """Copy what is released and not yet there, then build.

    Descendants of `left_out` keep their last good state. Raises ServiceError where
    Snowflake refuses, SeedbedError where the copy fails; what was there is as before.
    """
    started = time.monotonic()
    published = Published(snowflake.target())
    tables = metadata.enabled(metadata.load(settings.ROOT))
    with snowflake.connect() as there:
        copied = _state_there(there)
    loads = _due(connection, tables, *copied)
    everything = everything or not any(copied)  # a new account has nothing
    if loads:
        report(f"{published.target}: copying {_named(loads)}")
        with _known_as(run_id):
            _copy(run_id, loads, report)
        reach("in_publish")
    published.batches = sum(len(load.batches) for load in loads)
    published.rows = sum(rows for load in loads for _, _, rows in load.batches)
    with _known_as(run_id):
        if again := [m for load in loads if load.is_read for m in _models(load.table)]:
            report(f"{published.target}: rebuilding {', '.join(again)} from the log")
            began = dt.datetime.now(dt.UTC)
            published.built = build.rebuild(again, TARGET, report)
            _look(connection, run_id, began)
        if published.ok:
            _note(connection, run_id, loads)
            began = dt.datetime.now(dt.UTC)
            published.built = build.build(
                connection,
                left_out,
                everything=everything,
                target=TARGET,
                report=report,
            )
            _look(connection, run_id, began)
    published.seconds = time.monotonic() - started
    return published


def run(*, everything: bool = False, report: Report = lambda line: None) -> Published:
    """`publish` as a run of its own, in the ledger as well.

    The tables whose newest batch is rejected are left out, as in the run before.
    """
    tables = metadata.enabled(metadata.load(settings.ROOT))
    with control.connect() as connection, control.build_lock(report):
        control.prepare(connection)
        control.mark_released(connection, Lake(settings.ROOT))
        blocked = {
            table_id
            for (table_id,) in connection.execute(
                "select table_id from audit.batch where state = 'rejected'"
            )
        }
        left_out = [table for table in tables if table.id in blocked]
        with runs.opened(connection, "publish") as run_id:
            with (
                runs.timed(run_id, "publish"),
                runlog.step(connection, run_id, "publish"),
            ):
                published = publish(
                    connection, run_id, left_out, everything=everything, report=report
                )
            state = "done" if published.ok else "failed"
            runs.close(connection, run_id, state, "\n".join(published.built.failures))
    return published


def _named(loads: Sequence[Load]) -> str:
    batches = sum(len(load.batches) for load in loads)
    return f"{batches:,} batches of {len(loads)} tables"


def _models(table: Table) -> list[str]:
    """What is derived from the table's log and can be rebuilt."""
    return [] if table.load_type.is_snapshot else [table.derived]


def _due(
    connection: Connection,
    tables: Sequence[Table],
    copied: set[tuple[str, int]],
    through: dict[str, int],
    built: dict[str, int],
) -> list[Load]:
    """What is released here and not there, which `_state_there` has said."""
    lake = Lake(settings.ROOT)
    loads = []
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        connection.execute("set transaction isolation level repeatable read")
        states = {
            row["table_id"]: row
            for row in cursor.execute("select * from audit.table_state")
        }
        noted = {
            (row["table_id"], row["batch_seq"])
            for row in cursor.execute("select * from audit.publication")
        }
        for table in tables:
            state = states.get(table.id)
            if state is None:
                # Nothing is released, yet models read the log.
                state = {
                    "released_through": 0,
                    "snapshot_seq": 0,
                    "observed_at": "1970-01-01",
                }
            released = control.released_batches(connection, table)
            due = [b for b in released if (table.id, b.batch_seq) not in copied & noted]
            if not due and through.get(table.id) == state["released_through"]:
                continue
            loads.append(
                _load(lake, table, state, released, due, built.get(table.id, 0))
            )
    return loads


def _load(
    lake: Lake,
    table: Table,
    state: dict[str, Any],
    released: Sequence[Batch],
    due: Sequence[Batch],
    built: int,
) -> Load:
    batches = []
    for batch in due:
        way = "Restore that object and type `./seedbed publish`."
        manifest = lake.manifest_of(batch, "Snowflake is to copy it.", way)
        parts = [part for part in manifest.bronze if part.rows]
        files = tuple(part.key for part in parts)
        batches.append((batch, files, sum(part.rows for part in parts)))
    strict = {c.name for c in table.key} | {*LOG_COLUMNS}
    kinds = {c.name: c.type.snowflake_log for c in table.columns} | LOG_COLUMNS
    is_full = table.load_type.reads_whole
    return Load(
        table,
        tuple(batches),
        any(batch.batch_seq <= built for batch in due),
        {
            "table_id": table.id,
            "log": table.bronze,
            "columns": [
                {"name": name, "type": kind, "nullable": name not in strict}
                for name, kind in kinds.items()
            ],
            "batches": [
                {"batch_seq": batch.batch_seq, "files": list(files), "rows": rows}
                for batch, files, rows in batches
            ],
            "first_kept": released[0].batch_seq if is_full and released else 0,
            "released_through": state["released_through"],
            "snapshot_seq": state["snapshot_seq"],
            "observed_at": str(state["observed_at"]),
        },
    )


def _state_there(
    there: SnowflakeConnection,
) -> tuple[set[tuple[str, int]], dict[str, int], dict[str, int]]:
    """The batches that Snowflake has, how far its tables are released, and built."""
    audit = f"{snowflake.database()}.audit"
    cursor = there.cursor()
    cursor.execute(
        f"select count(*) from {snowflake.database()}.information_schema.tables "
        "where upper(table_schema) = 'AUDIT' and upper(table_name) = 'BRONZE_BATCH'"
    )
    found = cursor.fetchone()
    if not found or not found[0]:
        return set(), {}, {}
    cursor.execute(f"select table_id, batch_seq from {audit}.bronze_batch")
    copied = {(str(table), int(batch)) for table, batch in cursor}
    cursor.execute(f"select table_id, released_through from {audit}.table_state")
    through = {str(table): int(batch) for table, batch in cursor}
    cursor.execute(
        f"select table_id, max(done_seq) from {audit}.model_claim group by table_id"
    )
    built = {str(table): int(batch) for table, batch in cursor}
    return copied, through, built


def _copy(run_id: str, loads: Sequence[Load], report: Report) -> None:
    lake = settings.lake()
    arguments = {
        "lake": f"s3://{lake.bucket}/{lake.prefix}",
        "run_id": run_id,
        "tables": [load.arguments for load in loads],
    }
    done = build.run_dbt(
        [
            "run-operation",
            "load_bronze",
            "--target",
            TARGET,
            "--args",
            json.dumps(arguments),
        ],
        report,
    )
    if not done.ok:
        why = " ".join("; ".join(done.failures).split()).rstrip(".")
        raise SeedbedError(
            f"{snowflake.target()}: the released batches could not be copied: {why}. "
            "What was published before is unchanged.",
            f"{snowflake.remedy(why)}. Then run `./seedbed publish`, which continues.",
        )


def _look(connection: Connection, run_id: str, since: dt.datetime) -> None:
    """Keep what became of each model there."""
    results.record_models(connection, run_id, artifacts.folder(TARGET), since, TARGET)


def _note(connection: Connection, run_id: str, loads: Sequence[Load]) -> None:
    """Write down what Snowflake copied, in the ledger."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.publication (table_id, batch_seq, run_id, target, "
            "files, rows_loaded) values (%s, %s, %s, %s, %s, %s) "
            "on conflict (table_id, batch_seq) do update set run_id = excluded.run_id, "
            "target = excluded.target, files = excluded.files, "
            "rows_loaded = excluded.rows_loaded, published_at = clock_timestamp()",
            [
                (
                    load.table.id,
                    batch.batch_seq,
                    run_id,
                    snowflake.target(),
                    len(files),
                    rows,
                )
                for load in loads
                for batch, files, rows in load.batches
            ],
        )


@contextmanager
def _known_as(run_id: str) -> Iterator[None]:
    """Let query tags name the run."""
    os.environ["SEEDBED_RUN_ID"] = run_id
    try:
        yield
    finally:
        os.environ.pop("SEEDBED_RUN_ID", None)
