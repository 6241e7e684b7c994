"""Locks that only those can take who may write the control tables.

An advisory lock is open to every user who may log in: a reader could stop all work. A
lock here is a row of `audit.lock` with the session that took it, and is held for as
long as that session lives. So a killed run leaves none behind, and no transaction
stays open for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg

from ingest import settings
from ingest.statements import Statements

Connection = psycopg.Connection[Any]

# Of the warehouse's message, which DuckDB passes on as a text.
_TIME_OUT = "lock timeout"
_SQL = Statements(__file__)


def take(connection: Connection, name: str) -> bool:
    """Take the lock for as long as the session lives, if it is free.

    Outside of any transaction: it would see the sessions as they were at its start.
    """
    pid, start = _SQL.run(connection, "session").fetchone() or (None, None)
    taken = _SQL.run(connection, "take", name=name, pid=pid, start=start)
    return taken.fetchone() is not None


def give_back(connection: Connection, name: str) -> None:
    """Give back a lock that the session holds; with the session it is free as well."""
    with suppress(psycopg.Error):
        _SQL.run(connection, "give_back", name=name)


def forget(connection: Connection, name: str) -> None:
    """Forget a lock that no session will want again, whoever held it."""
    _SQL.run(connection, "forget", name=name)


def holder(connection: Connection, name: str) -> str:
    """Who holds the lock, in words; empty where it is free."""
    rows = _SQL.run(connection, "holder", name=name)
    return "".join(f"pid {pid} since {since:%H:%M:%S} UTC" for pid, since in rows)


def serialize(connection: Connection, name: str) -> None:
    """Let one transaction at a time pass, until it ends."""
    _SQL.run(connection, "offer", name=name)
    _SQL.run(connection, "serialize", name=name)


def is_time_out(error: BaseException) -> bool:
    """Whether the warehouse gave up waiting for a lock."""
    return isinstance(error, psycopg.errors.LockNotAvailable) or _TIME_OUT in str(error)


def held_by(connection: Connection, schemas: Sequence[str]) -> str:
    """Who holds locks on relations of the schemas, and how to end it; '' if none.

    Asked after a time-out: those that hold one then.
    """
    own = settings.APPLICATION
    rows = _SQL.run(connection, "holders", schemas=[*schemas], own=own).fetchall()
    if any(is_strong for *_, is_strong in rows):
        rows = [row for row in rows if row[-1]]
    if not rows:
        return ""
    found = []
    for pid, user, program, since, relations, _ in rows[:3]:
        what = ", ".join(relations[:3]) + (" and others" if relations[3:] else "")
        begun = f" since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
        said = f" ({program})" if program else ""
        found.append(f"{what} by {user}{said}, pid {pid}{begun}")
    return (
        f"Locked are {'; '.join(found)}: wait, or end it with "
        f"`select pg_terminate_backend({rows[0][0]})`"
    )
