"""Locks that nobody can take but who may write the control tables.

An advisory lock is anybody's who may log in, and would let a reader stop all work. A
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

Connection = psycopg.Connection[Any]

# What a session of ours waits for at most, unless it is asked to be impatient.
_TIME_OUT = "lock timeout"


def take(connection: Connection, name: str) -> bool:
    """Take the lock for as long as the session lives, if it is free.

    Outside of any transaction: it would see the sessions as they were at its start.
    """
    pid, start = connection.execute(
        "select pid, backend_start from pg_stat_activity where pid = pg_backend_pid()"
    ).fetchone() or (None, None)
    # Of two that want it, the second looks when the first has committed.
    row = connection.execute(
        "insert into audit.lock as held (name, pid, session_start) "
        "values (%s, %s, %s) on conflict (name) do update "
        "set pid = excluded.pid, session_start = excluded.session_start, "
        "taken_at = clock_timestamp() "
        "where (held.pid, held.session_start) = (excluded.pid, excluded.session_start) "
        "or not audit.is_alive(held.pid, held.session_start) returning true",
        (name, pid, start),
    ).fetchone()
    return row is not None


def give_back(connection: Connection, name: str) -> None:
    """Give back a lock that the session holds; with the session it is free as well."""
    with suppress(psycopg.Error):
        connection.execute(
            "delete from audit.lock where name = %s and pid = pg_backend_pid()",
            (name,),
        )


def forget(connection: Connection, name: str) -> None:
    """Forget a lock that nobody will want again, whoever held it."""
    connection.execute("delete from audit.lock where name = %s", (name,))


def holder(connection: Connection, name: str) -> str:
    """Who holds the lock, in words; empty where nobody does."""
    rows = connection.execute(
        "select pid, taken_at at time zone 'utc' from audit.lock "
        "where name = %s and audit.is_alive(pid, session_start)",
        (name,),
    ).fetchall()
    return "".join(f"pid {pid} since {since:%H:%M:%S} UTC" for pid, since in rows)


def serialize(connection: Connection, name: str) -> None:
    """Let one transaction at a time pass, until it ends."""
    connection.execute(
        "insert into audit.lock (name) values (%s) on conflict do nothing", (name,)
    )
    connection.execute("select from audit.lock where name = %s for update", (name,))


# Those that stand in the way of a writer first; a reader stands in that of a change.
_HOLDERS = """
select
    session.pid,
    session.usename,
    coalesce(session.application_name, ''),
    session.xact_start at time zone 'utc',
    array_agg(
        distinct lock.relation::regclass::text
        order by lock.relation::regclass::text
    ),
    bool_or(lock.mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))
from pg_locks as lock
inner join pg_class on pg_class.oid = lock.relation
inner join pg_stat_activity as session on session.pid = lock.pid
where
    lock.granted
    and lock.database = (
        select oid from pg_database where datname = current_database()
    )
    and pg_class.relkind in ('r', 'p', 'v', 'm')
    and pg_class.relnamespace::regnamespace::text = any(%(schemas)s)
    and session.application_name <> %(own)s
    and session.pid <> pg_backend_pid()
    and session.state is distinct from 'idle'
group by 1, 2, 3, 4
order by 6 desc, 4 asc
"""


def is_time_out(error: BaseException) -> bool:
    """Whether the warehouse gave up waiting for a lock; DuckDB hands on its text."""
    return isinstance(error, psycopg.errors.LockNotAvailable) or _TIME_OUT in str(error)


def held_by(connection: Connection, schemas: Sequence[str]) -> str:
    """Who holds locks on relations of the schemas, and how to end it; '' if nobody.

    Asked after a time-out, who holds one then.
    """
    rows = connection.execute(
        _HOLDERS, {"schemas": [*schemas], "own": settings.APPLICATION}
    ).fetchall()
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
