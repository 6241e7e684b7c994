"""Runs, how far each table came in one, and whose turn it is."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from psycopg.types.json import Jsonb

from ingest import locks, runlog
from ingest.control.connect import Connection, connect
from ingest.errors import SeedbedError
from ingest.seed.metadata import Table
from ingest.statements import Statements

_SQL = Statements(__file__)


class Busy(SeedbedError):
    """Another run holds the table."""


def close_dead(connection: Connection) -> None:
    """Close as failed the runs whose process is gone: its lock is free."""
    for (run_id,) in _SQL.run(connection, "close_dead").fetchall():
        runlog.write("run.died", level="error", run_id=run_id)
        _SQL.run(connection, "close_steps", run_id=run_id)
        locks.forget(connection, f"run/{run_id}")


def know(connection: Connection, tables: Sequence[Table]) -> None:
    """Note the seed's tables, for those who read the control tables alone."""
    known = [
        {
            "table_id": table.id,
            "load_type": table.load_type.name,
            "owner": table.owner,
            "timezone": table.clock,
            "warn_minutes": table.options.freshness_warn_minutes,
            "error_minutes": table.options.freshness_error_minutes,
        }
        for table in tables
    ]
    _SQL.run(connection, "know_source_tables", known=Jsonb(known))


def begin_run(connection: Connection, command: str) -> str:
    """Open a run and return its id, which sorts by time."""
    run_id = _new_run_id()
    locks.take(connection, f"run/{run_id}")
    _SQL.run(connection, "begin_run", run_id=run_id, command=command)
    runlog.write("run.started", run_id=run_id, command=command)
    return run_id


def begin_orchestrated_run(
    connection: Connection, command: str, dag: str, name: str
) -> str:
    """Open the run that an orchestrator knows as `name` of its `dag`; its id.

    Opened again, it is the same run, and running. A dag has one run at a time: what
    an earlier one has left open is closed as failed.
    """
    known_as = f"{dag}/{name}"
    with connection.transaction():
        _SQL.run(connection, "close_earlier", dag=f"{dag}/", known_as=known_as)
        return str(
            _SQL.value(
                connection,
                "begin_orchestrated_run",
                run_id=_new_run_id(),
                command=command,
                known_as=known_as,
            )
        )


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
    _SQL.run(
        connection,
        "note_table",
        run_id=run_id,
        table_id=table.id,
        state=state,
        error=error,
        retries=retries,
    )


def noted_tables(
    connection: Connection, run_id: str
) -> dict[str, tuple[str, str | None, int]]:
    """State, error and retries of each table of a run, by the table's id."""
    rows = _SQL.run(connection, "noted_tables", run_id=run_id)
    return {table_id: (state, error, n) for table_id, state, error, n in rows}


def add_seconds(connection: Connection, run_id: str, part: str, took: float) -> None:
    """Add to the seconds of a run's part: move, gate, build, ledger, publish, …."""
    _SQL.run(connection, "add_seconds", run_id=run_id, part=part, took=took)


def end_run(
    connection: Connection,
    run_id: str,
    state: str,
    error: str = "",
    retries: int = 0,
) -> dict[str, float]:
    """Close a run with its state and how often it retried; the seconds of its parts."""
    row = _SQL.run(
        connection,
        "end_run",
        run_id=run_id,
        state=state,
        error=error,
        retries=retries,
    ).fetchone()
    steps: dict[str, float] = row[0] if row else {}
    _SQL.run(connection, "close_steps", run_id=run_id)
    locks.forget(connection, f"run/{run_id}")
    level = "error" if state == "failed" else "info"
    seconds = {name: round(took, 3) for name, took in steps.items()}
    facts = {"state": state, "seconds": seconds, "retries": retries, "error": error}
    runlog.write("run.ended", level=level, run_id=run_id, **facts)
    connection.execute("select audit.refresh_alerts()")
    return steps


@contextmanager
def table_lock(table: Table) -> Iterator[None]:
    """Hold the table's lock on a connection of its own, or raise Busy."""
    name = f"table/{table.id}"
    with connect() as connection:
        if not locks.take(connection, name):
            who = locks.holder(connection, name) or "it has just ended"
            raise Busy(
                f"{table.id}: skipped, as another run is loading this table ({who}).",
                "Wait for that run (`./seedbed status` shows it) and run again.",
            )
        try:
            yield
        finally:
            locks.give_back(connection, name)


def is_settled(connection: Connection, table: Table) -> bool:
    """Whether no run has a batch of the table under way."""
    is_free = bool(_SQL.value(connection, "is_settled", table_id=table.id))
    return is_free and not locks.holder(connection, f"table/{table.id}")


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
