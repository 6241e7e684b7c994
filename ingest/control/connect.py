"""Connections to the warehouse, and what a lock that is not free is said to be."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
from psycopg import conninfo, sql

from ingest import locks, settings
from ingest.errors import SeedbedError, ServiceError, first_line

Connection = psycopg.Connection[Any]


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
            f"{said}.",
            "Check PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE, or run "
            "`./seedbed doctor`.",
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


def count(connection: Connection, query: sql.SQL | sql.Composed) -> int:
    """The one number that the query returns."""
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])
