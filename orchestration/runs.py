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
            control.add_seconds(connection, run_id, part, took)


def close(
    connection: Connection, run_id: str, state: str, error: str = "", retries: int = 0
) -> dict[str, float]:
    """Close a run, keep its lineage and send its alerts; the seconds of its parts.

    Nothing is waited for.
    """
    seconds = control.end_run(connection, run_id, state, error, retries)
    lineage.keep(connection, run_id)
    tidy.after_run(connection)
    outbox.send_later()
    return seconds
