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
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from ingest import control, runlog, settings
from ingest.control import Connection
from ingest.errors import SeedbedError
from ingest.failpoints import reach
from ingest.lake import Lake
from ingest.seed import metadata
from ingest.seed.added import STAGING
from ingest.seed.metadata import Table
from ingest.statements import Statements
from orchestration import artifacts, build, results, runs, snowflake
from orchestration.build import Built, Report

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

TARGET = "snowflake"
# Those that the log adds to the source's, with their types there.
_ADDED = {n: kind.replace("timestamp", "timestamp_ntz") for n, kind, _ in STAGING}
# Where nothing is released, models read the log all the same.
_NOTHING = {
    "released_through": 0,
    "snapshot_seq": 0,
    "observed_at": "1970-01-01",
    "noted": [],
}
_SQL = Statements(__file__)
_There = defaultdict[tuple[str, str], set[int]]


@dataclass
class Published:
    """What a publish came to; `target` says where."""

    target: str
    batches: int = 0
    rows: int = 0
    built: Built = field(default_factory=Built)
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

    def built(work: Callable[[], Built]) -> Built:
        began, folder = dt.datetime.now(dt.UTC), artifacts.folder(TARGET)
        done = work()
        results.record_models(connection, run_id, folder, began, TARGET)
        return done

    started = time.monotonic()
    published = Published(snowflake.target())
    tables = metadata.enabled(metadata.load(settings.ROOT))
    with snowflake.connect() as session:
        there = _there(session)
    everything = everything or not there  # a new account has nothing
    loads, again = _due(connection, tables, there)
    batches = [batch for load in loads for batch in load["batches"]]
    published.batches = len(batches)
    published.rows = sum(batch["rows"] for batch in batches)
    with _known_as(run_id):
        if loads:
            report(
                f"{published.target}: copying {len(batches):,} batches of "
                f"{len(loads)} tables"
            )
            _copy(run_id, loads, report)
            reach("in_publish")
        if again:
            report(f"{published.target}: rebuilding {', '.join(again)} from the log")
            published.built = built(lambda: build.rebuild(again, TARGET, report))
        if published.ok:
            _SQL.run(
                connection,
                "note",
                run_id=run_id,
                target=published.target,
                loads=Jsonb(loads),
            )
            published.built = built(
                lambda: build.build(
                    connection,
                    left_out,
                    everything=everything,
                    target=TARGET,
                    report=report,
                )
            )
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
        blocked = {table_id for (table_id,) in _SQL.run(connection, "blocked")}
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


def _there(session: SnowflakeConnection) -> _There:
    """What Snowflake has, by a word and a table's id: the numbers of batches.

    `copied` are all, `released` the last that models may read, `built` the last that
    they have read.
    """
    there: _There = defaultdict(set)
    audit = f"{snowflake.database()}.audit"
    cursor = session.cursor()
    cursor.execute(
        f"select count(*) from {snowflake.database()}.information_schema.tables "
        "where upper(table_schema) = 'AUDIT' and upper(table_name) = 'BRONZE_BATCH'"
    )
    found = cursor.fetchone()
    if not found or not found[0]:
        return there
    cursor.execute(
        f"select 'copied', table_id, batch_seq from {audit}.bronze_batch union all "
        f"select 'released', table_id, released_through from {audit}.table_state "
        f"union all select 'built', table_id, max(done_seq) from {audit}.model_claim "
        "group by table_id"
    )
    for what, table_id, batch_seq in cursor:
        there[str(what), str(table_id)].add(int(batch_seq))
    return there


def _due(
    connection: Connection, tables: Sequence[Table], there: _There
) -> tuple[list[dict[str, Any]], list[str]]:
    """What is released here and not there, as the macro `load_bronze` takes it.

    With the models that have read a batch which is copied again.
    """
    lake = Lake(settings.ROOT)
    way = "Restore that object and type `./seedbed publish`."
    loads, again = [], []
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        states = {
            state["table_id"]: state for state in _SQL.dicts(connection, "states")
        }
        for table in tables:
            state = states.get(table.id, _NOTHING)
            released = control.released_batches(connection, table)
            done = there["copied", table.id] & {*state["noted"]}
            due = [batch for batch in released if batch.batch_seq not in done]
            through = state["released_through"]
            if not due and through in there["released", table.id]:
                continue
            batches = []
            for batch in due:
                manifest = lake.manifest_of(batch, "Snowflake is to copy it.", way)
                parts = [part for part in manifest.bronze if part.rows]
                batches.append(
                    {
                        "batch_seq": batch.batch_seq,
                        "files": [part.key for part in parts],
                        "rows": sum(part.rows for part in parts),
                    }
                )
            is_full = table.load_type.reads_whole
            loads.append(
                {
                    "table_id": table.id,
                    "log": table.bronze,
                    "columns": _columns(table),
                    "batches": batches,
                    "first_kept": released[0].batch_seq if is_full and released else 0,
                    "released_through": through,
                    "snapshot_seq": state["snapshot_seq"],
                    "observed_at": str(state["observed_at"]),
                }
            )
            built = max(there["built", table.id], default=0)
            is_read = any(batch.batch_seq <= built for batch in due)
            if is_read and not table.load_type.is_snapshot:
                again.append(table.derived)
    return loads, again


def _columns(table: Table) -> list[dict[str, Any]]:
    """The columns of the table's log on Snowflake."""
    strict = {c.name for c in table.key} | {*_ADDED}
    kinds = {c.name: c.type.snowflake_log for c in table.columns} | _ADDED
    return [
        {"name": name, "type": kind, "nullable": name not in strict}
        for name, kind in kinds.items()
    ]


def _copy(run_id: str, loads: Sequence[dict[str, Any]], report: Report) -> None:
    lake = settings.lake()
    place = f"s3://{lake.bucket}/{lake.prefix}"
    arguments = json.dumps({"lake": place, "run_id": run_id, "tables": loads})
    words = ["run-operation", "load_bronze", "--target", TARGET, "--args", arguments]
    done = build.run_dbt(words, report)
    if not done.ok:
        why = " ".join("; ".join(done.failures).split()).rstrip(".")
        raise SeedbedError(
            f"{snowflake.target()}: the released batches could not be copied: {why}. "
            "What was published before is unchanged.",
            f"{snowflake.remedy(why)}. Then run `./seedbed publish`, which continues.",
        )


@contextmanager
def _known_as(run_id: str) -> Iterator[None]:
    """Let query tags name the run."""
    os.environ["SEEDBED_RUN_ID"] = run_id
    try:
        yield
    finally:
        os.environ.pop("SEEDBED_RUN_ID", None)
