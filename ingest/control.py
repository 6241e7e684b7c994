"""The control tables: runs, batches and what is released.

Every change of a batch's state is a compare-and-swap, so a process that was
thought dead can change nothing any more.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import conninfo, sql
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from ingest import locks, runlog, settings
from ingest.errors import ConfigurationError, SeedbedError, ServiceError, first_line
from ingest.lake import Lake, Manifest
from ingest.seed.metadata import Table

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Batch:
    """One batch of a table; counts are None until it is extracted."""

    table_id: str
    batch_seq: int
    batch_id: str
    run_id: str
    state: str
    fingerprint: str
    window_low: dt.datetime | None
    window_high: dt.datetime | None
    observed_at: dt.datetime | None
    manifest_key: str
    content: str | None
    source_rows: int | None
    rows_read: int | None
    rows_written: int | None
    rows_unchanged: int | None
    rows_rejected: int | None
    rows_deleted: int | None
    rows_loaded: int | None
    reason: str | None
    seconds: float
    kind: str
    range_start: dt.datetime | None
    range_end: dt.datetime | None
    planned_at: dt.datetime
    decided_at: dt.datetime | None
    decision: str | None
    raw_bytes: int | None
    bronze_bytes: int | None
    keys_gone: int | None
    unaccounted: str | None

    def folder(self, layer: str) -> str:
        """The batch's folder in a layer of the lake: raw, bronze or rejects."""
        folder = self.manifest_key.rpartition("/")[0]
        return layer + folder.removeprefix("raw")


@dataclass(frozen=True)
class Window:
    """What a batch reads, as `window.plan` and its like fix it.

    `window_low` and `window_high` are the watermark before and after it;
    `range_start` and `range_end` the watermarks that a backfill or reload reads,
    `range_end` not among them; `cuts` where the leading key is cut into ranges.
    """

    kind: str
    window_low: dt.datetime | None
    window_high: dt.datetime | None
    range_start: dt.datetime | None = None
    range_end: dt.datetime | None = None
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Range:
    """A range of a batch: `low` is in it, `high` not; read once it has `parts`."""

    number: int
    low: str | None
    high: str | None
    source_rows: int | None
    zero_dates: int | None
    parts: list[dict[str, Any]] | None


@dataclass(frozen=True)
class Released:
    """What is released of a table, and so true for everything downstream."""

    through: int = 0
    snapshot_seq: int = 0
    high: dt.datetime | None = None
    observed_at: dt.datetime | None = None
    keys_scanned_at: dt.datetime | None = None
    content: str | None = None


class Busy(SeedbedError):
    """Another run holds the table."""


def connect() -> Connection:
    """Open an autocommit connection to the warehouse; ServiceError if it fails."""
    warehouse = settings.warehouse()
    try:
        connection = psycopg.connect(
            conninfo.make_conninfo(**warehouse), autocommit=True
        )
    except psycopg.OperationalError as error:
        said = first_line(error).removeprefix("connection failed: ").rstrip(".")
        raise ServiceError(
            f"the warehouse at {warehouse['host']}:{warehouse['port']} (database "
            f"{warehouse['dbname']}, user {warehouse['user']}) can't be reached: "
            f"{said}. Check PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE, or run "
            "`./seedbed doctor`."
        ) from None
    return connection


def cancel() -> None:
    """End what the warehouse does for this process; its statements raise an error."""
    with suppress(SeedbedError, psycopg.Error), connect() as connection:
        connection.execute(
            "select pg_cancel_backend(pid) from pg_stat_activity "
            "where application_name = %s and pid <> pg_backend_pid() "
            "and state <> 'idle'",
            (settings.APPLICATION,),
        )


def locked_by(error: BaseException) -> str:
    """After a time-out: who holds locks on logs and control tables, else ''."""
    if locks.is_time_out(error):
        with suppress(SeedbedError, psycopg.Error), connect() as connection:
            return locks.held_by(connection, ("audit", "bronze"))
    return ""


NO_RUN = "there has been no run yet; type `./seedbed run`."


class Unready(SeedbedError):
    """There are no control tables yet, or those of an older version."""


_SCRIPT = Path(__file__).with_name("audit.sql")


def _wanted() -> tuple[int, str, str]:
    """The version of the control tables, the script that makes them, its checksum."""
    script = _SCRIPT.read_text()
    found = re.search(r"^-- version (\d+)$", script, re.MULTILINE)
    assert found is not None, "audit.sql says its version"
    return int(found[1]), script, hashlib.sha256(script.encode()).hexdigest()


def _stored(connection: Connection) -> tuple[int, str] | None:
    """Version and checksum of the control tables; None before they have any.

    Raises ConfigurationError where they are newer than this Seedbed.
    """
    try:
        row = connection.execute(
            "select version, checksum from audit.schema_version "
            "order by applied_at desc limit 1"
        ).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    except psycopg.errors.InsufficientPrivilege as error:
        raise _refused(connection, error) from error
    if row and row[0] > _wanted()[0]:
        raise ConfigurationError(
            f"the control tables are of version {row[0]}, made by a newer Seedbed than "
            f"this one, which knows version {_wanted()[0]}. Nothing was changed; "
            "update this project and run again."
        )
    return row


def _refused(connection: Connection, error: psycopg.Error) -> ServiceError:
    user, database = connection.info.user, connection.info.dbname
    return ServiceError(
        f"the warehouse refused user {user}: {first_line(error)}. Seedbed runs as the "
        "user that owns the schemas audit and bronze, or in the loader's role "
        "(docs/roles.md); a developer builds with `dbt build --target postgres`. The "
        "owner needs no more than this, from the database's owner: grant connect, "
        f"create, temporary on database {database} to {user}."
    )


def look(connection: Connection) -> None:
    """Make sure that the control tables can be read; nothing is made or altered.

    Raises Unready where the next run has to make them first.
    """
    stored = _stored(connection)
    if stored is None:
        raise Unready(NO_RUN)
    if stored[0] < _wanted()[0]:
        raise Unready(
            f"the control tables are of version {stored[0]}, and this Seedbed reads "
            f"version {_wanted()[0]}: the next `./seedbed run` brings them up to date."
        )
    # Who may only read sees such a run as running.
    with suppress(
        psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction
    ):
        _close_dead_runs(connection)


def prepare(connection: Connection) -> None:
    """Bring the control tables up to date; close runs that died.

    Of tables that are as they should be nothing is altered, so that nobody who reads
    them is waited for.
    """
    version, script, checksum = _wanted()
    try:
        if _stored(connection) != (version, checksum):
            _migrate(connection, version, script, checksum)
        _close_dead_runs(connection)
    except psycopg.errors.InsufficientPrivilege as error:
        raise _refused(connection, error) from error


def _migrate(connection: Connection, version: int, script: str, checksum: str) -> None:
    """Run the script in one transaction, in turn with others.

    It waits for a lock a second at a time: who reads would wait behind it.
    """
    (patience,) = connection.execute(
        "select setting::int / 1000.0 from pg_settings where name = 'lock_timeout'"
    ).fetchone() or (60,)
    deadline = time.monotonic() + float(patience)
    while True:
        try:
            with connection.transaction():
                connection.execute("set local lock_timeout = '1s'")
                # Two first runs at once: one waits at this name for the other.
                connection.execute("create schema if not exists audit")
                connection.execute(
                    "create table if not exists audit.schema_version ("
                    "version integer not null, checksum text not null, "
                    "applied_at timestamptz primary key default clock_timestamp())"
                )
                connection.execute("lock table audit.schema_version in exclusive mode")
                if _stored(connection) == (version, checksum):
                    return
                connection.execute(script)
                connection.execute(
                    "insert into audit.schema_version (version, checksum) "
                    "values (%s, %s)",
                    (version, checksum),
                )
                return
        except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable):
            continue  # the other one has committed
        except psycopg.errors.LockNotAvailable as error:
            if time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            who = locks.held_by(connection, ("audit", "bronze"))
            raise ServiceError(
                "the control tables have to be brought to version "
                f"{version} and are locked. {who or first_line(error)}. Nothing was "
                "changed; run again."
            ) from error


def _close_dead_runs(connection: Connection) -> None:
    """Close as failed the runs whose process lives no more: its lock is free."""
    dead = connection.execute(
        "update audit.run set state = 'failed', ended_at = clock_timestamp(), "
        "error = 'its process ended before the run did; run again' "
        "where state = 'running' and orchestrated_by is null and not exists ("
        "select from audit.lock where lock.name = 'run/' || run.run_id "
        "and audit.is_alive(lock.pid, lock.session_start)) returning run_id"
    ).fetchall()
    for (run_id,) in dead:
        runlog.write("run.died", level="error", run_id=run_id)
        _close_steps(connection, run_id)
        locks.forget(connection, f"run/{run_id}")


def know(connection: Connection, tables: Sequence[Table]) -> None:
    """Note the seed's tables, for those who read the control tables alone."""
    rows = [
        (
            table.id,
            table.load_type.name,
            table.owner,
            table.clock,
            table.options.freshness_warn_minutes,
            table.options.freshness_error_minutes,
        )
        for table in tables
    ]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.source_table values (%s, %s, %s, %s, %s, %s) "
            "on conflict (table_id) do update set load_type = excluded.load_type, "
            "owner = excluded.owner, timezone = excluded.timezone, "
            "warn_minutes = excluded.warn_minutes, "
            "error_minutes = excluded.error_minutes",
            rows,
        )
        cursor.execute(
            "delete from audit.source_table where table_id <> all(%s)",
            ([table.id for table in tables],),
        )


def begin_run(connection: Connection, command: str) -> str:
    """Open a run and return its id, which sorts by time."""
    run_id = _new_run_id()
    locks.take(connection, f"run/{run_id}")
    connection.execute(
        "insert into audit.run (run_id, command) values (%s, %s)", (run_id, command)
    )
    runlog.write("run.started", run_id=run_id, command=command)
    return run_id


def begin_orchestrated_run(
    connection: Connection, command: str, dag: str, name: str
) -> str:
    """Open the run that an orchestrator knows as `name` of its `dag`; its id.

    Opened again, it is the same run, and running. A dag has one run at a time: what
    an earlier one has left open is closed as failed.
    """
    with connection.transaction():
        connection.execute(
            "update audit.run set state = 'failed', ended_at = clock_timestamp(), "
            "error = 'the orchestrator ended before the run did; run again' "
            "where state = 'running' and starts_with(orchestrated_by, %s) "
            "and orchestrated_by <> %s",
            (f"{dag}/", f"{dag}/{name}"),
        )
        row = connection.execute(
            "insert into audit.run as run (run_id, command, orchestrated_by) "
            "values (%s, %s, %s) on conflict (orchestrated_by) do update "
            "set state = 'running', ended_at = null, error = null returning run_id",
            (_new_run_id(), command, f"{dag}/{name}"),
        ).fetchone()
    assert row is not None
    return str(row[0])


def _new_run_id() -> str:
    now = dt.datetime.now(dt.UTC)
    return f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"


def note_table(
    connection: Connection,
    run_id: str,
    table: Table,
    state: str,
    error: str = "",
    retries: int = 0,
) -> None:
    """Note how far a table came in a run; `retries` are added to those before."""
    connection.execute(
        "insert into audit.run_table as noted values (%s, %s, %s, nullif(%s, ''), %s) "
        "on conflict (run_id, table_id) do update set state = excluded.state, "
        "error = excluded.error, retries = noted.retries + excluded.retries",
        (run_id, table.id, state, error, retries),
    )


def noted_tables(
    connection: Connection, run_id: str
) -> dict[str, tuple[str, str | None, int]]:
    """State, error and retries of each table of a run, by the table's id."""
    rows = connection.execute(
        "select table_id, state, error, retries from audit.run_table "
        "where run_id = %s order by table_id",
        (run_id,),
    )
    return {table_id: (state, error, n) for table_id, state, error, n in rows}


def end_run(
    connection: Connection,
    run_id: str,
    state: str,
    steps: dict[str, float],
    error: str = "",
    retries: int = 0,
) -> None:
    """Close a run with its state, the seconds of each step and how often it retried."""
    connection.execute(
        "update audit.run set state = %s, steps = %s, error = nullif(%s, ''), "
        "retries = %s, ended_at = clock_timestamp() where run_id = %s",
        (state, Jsonb(steps), error, retries, run_id),
    )
    _close_steps(connection, run_id)
    locks.forget(connection, f"run/{run_id}")
    level = "error" if state == "failed" else "info"
    seconds = {name: round(took, 3) for name, took in steps.items()}
    facts = {"state": state, "seconds": seconds, "retries": retries, "error": error}
    runlog.write("run.ended", level=level, run_id=run_id, **facts)
    connection.execute("select audit.refresh_alerts()")


def _close_steps(connection: Connection, run_id: str) -> None:
    """End the steps that lost their connection, or whose process died."""
    connection.execute(
        "update audit.step set state = 'failed', ended_at = run.ended_at, "
        "error = 'it was cut off' from audit.run where run.run_id = %s "
        "and step.run_id = run.run_id and step.state = 'running'",
        (run_id,),
    )


@contextmanager
def table_lock(table: Table) -> Iterator[None]:
    """Hold the table's lock on a connection of its own, or raise Busy."""
    name = f"table/{table.id}"
    with connect() as connection:
        if not locks.take(connection, name):
            who = locks.holder(connection, name) or "it has just ended"
            raise Busy(
                f"{table.id}: skipped, as another run is loading this table ({who}). "
                "Wait for that run (`./seedbed status` shows it) and run "
                "again."
            )
        try:
            yield
        finally:
            locks.give_back(connection, name)


def is_settled(connection: Connection, table: Table) -> bool:
    """Whether no run has a batch of the table under way."""
    row = connection.execute(
        "select not exists (select from audit.batch where table_id = %s "
        "and state in ('planned', 'extracted', 'loaded'))",
        (table.id,),
    ).fetchone()
    return bool(row and row[0]) and not locks.holder(connection, f"table/{table.id}")


@contextmanager
def build_lock(report: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of the one build at a time, waiting for it if need be."""
    with connect() as connection:
        if not locks.take(connection, "build"):
            who = locks.holder(connection, "build")
            report(f"build: waiting for the build of another run ({who})")
            while not locks.take(connection, "build"):
                time.sleep(0.2)
        try:
            yield
        finally:
            locks.give_back(connection, "build")


def released(connection: Connection, table: Table) -> Released:
    """What is released of the table."""
    with connection.cursor(row_factory=class_row(Released)) as cursor:
        row = cursor.execute(
            "select s.released_through as through, s.snapshot_seq, "
            "s.released_high as high, s.keys_scanned_at, b.content, "
            "(select max(every.observed_at) from audit.batch every where "
            "every.table_id = s.table_id and every.state = 'released') as observed_at "
            "from audit.table_state s left join audit.batch b "
            "on b.table_id = s.table_id and b.batch_seq = s.snapshot_seq "
            "where s.table_id = %s",
            (table.id,),
        ).fetchone()
    return row or Released()


def pending(connection: Connection, table: Table) -> Batch | None:
    """The table's batch that is neither released, rejected nor superseded."""
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        return cursor.execute(
            "select * from audit.batch where table_id = %s "
            "and state in ('planned', 'extracted', 'loaded')",
            (table.id,),
        ).fetchone()


def released_batches(connection: Connection, table: Table) -> list[Batch]:
    """The table's released batches whose rows its log holds, in order."""
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        return cursor.execute(
            "select * from audit.batch where table_id = %(table)s "
            "and state = 'released' and (not %(is_whole)s or batch_seq >= ("
            "select coalesce(min(batch_seq), 0) from (select batch_seq "
            "from audit.batch where table_id = %(table)s and state = 'released' "
            "and rows_written > 0 order by batch_seq desc limit %(keep)s) as kept)) "
            "order by batch_seq",
            {
                "table": table.id,
                "is_whole": table.load_type.reads_whole,
                "keep": max(table.options.keep_snapshots, 2),
            },
        ).fetchall()


def mark_released(connection: Connection, lake: Lake) -> None:
    """Mark the released batches in the lake that are not marked yet."""
    rows = connection.execute(
        "select table_id, batch_seq, batch_id, manifest_key, decided_at "
        "from audit.batch where state = 'released' and not exists ("
        "select from audit.lake_mark as mark where mark.table_id = batch.table_id "
        "and mark.batch_seq = batch.batch_seq) order by table_id, batch_seq"
    ).fetchall()
    for table_id, batch_seq, batch_id, manifest_key, decided_at in rows:
        mark = {"table_id": table_id, "batch_seq": batch_seq, "batch_id": batch_id}
        lake.mark_released(manifest_key, mark | {"released_at": str(decided_at)})
        connection.execute(
            "insert into audit.lake_mark (table_id, batch_seq) values (%s, %s) "
            "on conflict do nothing",
            (table_id, batch_seq),
        )


def replayed(
    connection: Connection, table: Table, found: Batch, manifest: Manifest
) -> None:
    """Note what a released batch came to when its rows were made again.

    It is published again, as its files are others now.
    """
    connection.execute(
        "delete from audit.publication where table_id = %s and batch_seq = %s",
        (found.table_id, found.batch_seq),
    )
    connection.execute(
        "update audit.batch set rows_written = %s, rows_unchanged = %s, "
        "rows_rejected = %s, rows_deleted = %s, content = %s, fingerprint = %s "
        "where table_id = %s and batch_seq = %s",
        (
            manifest.rows_written,
            manifest.rows_unchanged,
            manifest.rows_rejected,
            manifest.rows_deleted,
            manifest.content,
            manifest.fingerprint,
            found.table_id,
            found.batch_seq,
        ),
    )
    count_loaded(connection, table, found)


def batch(connection: Connection, table_id: str, batch_seq: int) -> Batch:
    """One batch."""
    with connection.cursor(row_factory=class_row(Batch)) as cursor:
        row = cursor.execute(
            "select * from audit.batch where table_id = %s and batch_seq = %s",
            (table_id, batch_seq),
        ).fetchone()
    assert row is not None
    return row


def plan(connection: Connection, table: Table, run_id: str, window: Window) -> Batch:
    """Persist what the table's next batch reads, before anything is read."""
    fingerprint = table.fingerprint("bytes")
    row = connection.execute(
        "select coalesce(max(batch_seq), 0) + 1 from audit.batch where table_id = %s",
        (table.id,),
    ).fetchone()
    batch_seq = int(row[0]) if row else 1
    *facts, _ = astuple(window)
    text = "|".join(map(str, (table.id, batch_seq, *facts, fingerprint)))
    # The number makes an idle table's equal windows different batches.
    batch_id = f"{batch_seq:08d}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    today = dt.datetime.now(dt.UTC).date()
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "insert into audit.batch (table_id, batch_seq, batch_id, run_id, state, "
            "fingerprint, kind, window_low, window_high, range_start, range_end, "
            "manifest_key) values "
            "(%s, %s, %s, %s, 'planned', %s, %s, %s, %s, %s, %s, %s)",
            (
                table.id,
                batch_seq,
                f"{table.id}/{batch_id}",
                run_id,
                fingerprint,
                *facts,
                f"{table.folder('raw')}ingestion_date={today}/{batch_id}/"
                "_manifest.json",
            ),
        )
        edges = (None, *window.cuts, None)
        ranges = itertools.pairwise(edges) if window.cuts else ()
        cursor.executemany(
            "insert into audit.batch_range (table_id, batch_seq, range_number, low, "
            "high) values (%s, %s, %s, %s, %s)",
            [(table.id, batch_seq, n, *ends) for n, ends in enumerate(ranges)],
        )
    return batch(connection, table.id, batch_seq)


def ranges(connection: Connection, found: Batch) -> list[Range]:
    """The ranges of a batch that is cut into some, in order."""
    with connection.cursor(row_factory=class_row(Range)) as cursor:
        return cursor.execute(
            "select range_number as number, low::text, high::text, source_rows, "
            "zero_dates, parts "
            "from audit.batch_range where table_id = %s and batch_seq = %s "
            "order by range_number",
            (found.table_id, found.batch_seq),
        ).fetchall()


def range_read(connection: Connection, found: Batch, done: Range) -> None:
    """Note that a range of a batch was read, with its counts and files."""
    connection.execute(
        "update audit.batch_range set source_rows = %s, zero_dates = %s, parts = %s "
        "where table_id = %s and batch_seq = %s and range_number = %s",
        (
            done.source_rows,
            done.zero_dates,
            Jsonb(done.parts),
            found.table_id,
            found.batch_seq,
            done.number,
        ),
    )


def adopt(connection: Connection, found: Batch, run_id: str) -> None:
    """Make a batch that an earlier run left behind part of this run."""
    connection.execute(
        "update audit.batch set run_id = %s where table_id = %s and batch_seq = %s",
        (run_id, found.table_id, found.batch_seq),
    )


def discard(connection: Connection, found: Batch) -> None:
    """Forget a batch that must be read anew; its files stay behind, unread."""
    connection.execute(
        "delete from audit.batch where table_id = %s and batch_seq = %s "
        "and state in ('planned', 'extracted')",
        (found.table_id, found.batch_seq),
    )


def extracted(
    connection: Connection, found: Batch, manifest: Manifest, seconds: float
) -> Batch:
    """planned → extracted, with the manifest's counts."""
    _move(
        connection,
        found,
        "planned",
        "state = 'extracted', observed_at = %s, content = %s, source_rows = %s, "
        "rows_read = %s, rows_written = %s, rows_unchanged = %s, rows_rejected = %s, "
        "rows_deleted = %s, keys_gone = %s, unaccounted = nullif(%s, ''), "
        "raw_bytes = %s, bronze_bytes = %s, seconds = seconds + %s",
        manifest.observed_at,
        manifest.content,
        manifest.source_rows,
        manifest.rows_read,
        manifest.rows_written,
        manifest.rows_unchanged,
        manifest.rows_rejected,
        manifest.rows_deleted,
        manifest.keys_gone,
        manifest.unaccounted,
        sum(part.size for part in manifest.raw),
        sum(part.size for part in manifest.bronze),
        seconds,
    )
    return batch(connection, found.table_id, found.batch_seq)


def decide(
    connection: Connection, found: Batch, manifest_key: str, decision: str
) -> None:
    """Note what a person decided about a batch: who, what and why."""
    connection.execute(
        "update audit.batch set manifest_key = %s, decision = %s "
        "where table_id = %s and batch_seq = %s",
        (manifest_key, decision, found.table_id, found.batch_seq),
    )


def release(
    connection: Connection, found: Batch, manifest: Manifest, state: str = "loaded"
) -> None:
    """loaded → released, and the table's state with it, in one transaction.

    A person may release a batch whose `state` is rejected.
    """
    is_window = found.kind == "window"
    snapshot = is_window and bool(manifest.content) and not manifest.rows_unchanged
    with connection.transaction():
        _move(
            connection,
            found,
            state,
            "state = 'released', decided_at = clock_timestamp()",
        )
        connection.execute(
            "insert into audit.table_state as s (table_id, released_through, "
            "snapshot_seq, released_high, observed_at, keys_scanned_at) "
            "values (%s, %s, %s, %s, %s, %s) "
            "on conflict (table_id) do update set "
            "released_through = greatest(s.released_through, "
            "excluded.released_through), "
            "snapshot_seq = greatest(s.snapshot_seq, excluded.snapshot_seq), "
            "released_high = greatest(s.released_high, excluded.released_high), "
            # What a backfill reads makes nothing fresher.
            f"observed_at = {'excluded' if is_window else 's'}.observed_at, "
            "keys_scanned_at = greatest(s.keys_scanned_at, excluded.keys_scanned_at), "
            "released_at = clock_timestamp()",
            (
                found.table_id,
                found.batch_seq,
                found.batch_seq if snapshot else 0,
                found.window_high,
                found.observed_at,
                found.observed_at if manifest.keys_scanned else None,
            ),
        )


def reject(connection: Connection, found: Batch, reason: str) -> None:
    """loaded → rejected, with the reason that a person reads."""
    _move(
        connection,
        found,
        "loaded",
        "state = 'rejected', reason = %s, decided_at = clock_timestamp()",
        reason,
    )


def _move(
    connection: Connection,
    found: Batch,
    state: str,
    change: LiteralString,
    *values: object,
) -> None:
    query: LiteralString = (
        "update audit.batch set " + change + " where table_id = %s "
        "and batch_seq = %s and state = %s"
    )
    cursor = connection.execute(
        query, (*values, found.table_id, found.batch_seq, state)
    )
    if cursor.rowcount != 1:
        raise SeedbedError(
            f"{found.table_id}: batch {found.batch_id} is no longer {state}; another "
            "run has moved it on. Run again; nothing was changed here."
        )


_BALANCE = """
insert into audit.ledger (
    run_id, table_id, identity, left_rows, right_rows, sample
)
select
    run_id,
    table_id,
    identity,
    sum(left_rows),
    sum(right_rows),
    max(unaccounted) filter (where not holds)
from audit.batch_identity
where run_id = %s
group by run_id, table_id, identity
"""


def balance(connection: Connection, run_id: str) -> bool:
    """Write the identities of the run's batches; return whether all hold."""
    connection.execute(_BALANCE, (run_id,))
    return all(row["holds"] for row in identities(connection, run_id))


def count_loaded(connection: Connection, table: Table, found: Batch) -> None:
    """Note how many rows of the batch its log has, as the log itself counts them."""
    connection.execute(
        sql.SQL(
            "update audit.batch set rows_loaded = "
            "(select count(*) from {} where _batch_seq = {}) "
            "where table_id = {} and batch_seq = {}"
        ).format(
            sql.Identifier("bronze", table.bronze),
            found.batch_seq,
            sql.Literal(found.table_id),
            found.batch_seq,
        )
    )


def batch_identities(connection: Connection, found: Batch) -> list[dict[str, Any]]:
    """The identities of one batch, as rows of `audit.batch_identity`."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select * from audit.batch_identity where table_id = %s and batch_seq = %s",
            (found.table_id, found.batch_seq),
        ).fetchall()


def identities(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    """The ledger's identities of a run, as rows."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select table_id, identity, left_rows, right_rows, holds, sample "
            "from audit.ledger where run_id = %s order by table_id, identity",
            (run_id,),
        ).fetchall()


def count(connection: Connection, query: sql.SQL | sql.Composed) -> int:
    """The one number that the query returns."""
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])
