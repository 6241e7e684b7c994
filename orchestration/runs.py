"""A run in the control tables: opened, timed, closed, and reported to others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from ingest import control, tidy
from ingest.control import Connection
from ingest.errors import SeedbedError
from orchestration.watch import lineage, outbox


@contextmanager
def opened(connection: Connection, command: str) -> Iterator[str]:
    """A run of this process, by its id; an error within closes it as failed.

    It holds its lock for as long as the connection lives.
    """
    run_id = control.begin_run(connection, command)
    try:
        yield run_id
    except BaseException as error:
        with suppress(SeedbedError, psycopg.Error), control.connect() as own:
            close(own, run_id, "failed", str(error) or type(error).__name__)
        raise


@contextmanager
def timed(run_id: str, part: str) -> Iterator[None]:
    """Add the seconds of what is within to those of the run's part.

    The parts are move, gate, build, ledger and publish. Several processes may work on
    one, each of which adds its own.
    """
    began = time.monotonic()
    try:
        yield
    finally:
        took = time.monotonic() - began
        with suppress(SeedbedError, psycopg.Error), control.connect() as connection:
            connection.execute(
                "update audit.run set steps = coalesce(steps, '{}') || "
                "jsonb_build_object(%(part)s::text, %(took)s + "
                "coalesce((steps ->> %(part)s)::float8, 0)) where run_id = %(run_id)s",
                {"part": part, "took": took, "run_id": run_id},
            )


def close(
    connection: Connection, run_id: str, state: str, error: str = "", retries: int = 0
) -> dict[str, float]:
    """Close a run, keep its lineage and send its alerts; the seconds of its parts.

    Nothing is waited for.
    """
    row = connection.execute(
        "select coalesce(steps, '{}') from audit.run where run_id = %s", (run_id,)
    ).fetchone()
    seconds: dict[str, float] = row[0] if row else {}
    control.end_run(connection, run_id, state, seconds, error, retries)
    lineage.keep(connection, run_id)
    tidy.after_run(connection)
    outbox.send_later()
    return seconds
