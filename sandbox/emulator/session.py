"""Sessions: a statement's context, transactions, and errors.

DuckDB aborts a transaction at its first error and can't change a table's shape within
one as Snowflake does, whose DDL commits what is open.
"""

from __future__ import annotations

import re
from typing import Any

import duckdb
import snowflake.connector.errors as errors
from fakesnow.cursor import FakeSnowflakeCursor

from sandbox.emulator import accepted

_NOTHING = ", ".join(
    f'null::varchar as "{name}"'
    for name in (
        "created_on",
        "privilege",
        "granted_on",
        "name",
        "granted_to",
        "grantee_name",
        "grant_option",
        "granted_by",
    )
)
_QUERY_TAG = (
    "select 'QUERY_TAG' as \"key\", '' as \"value\", '' as \"default\", "
    "'SESSION' as \"level\", '' as \"description\", 'STRING' as \"type\""
)
_ANSWERS = [
    (re.compile(pattern), answer)
    for pattern, answer in (
        (r"(?is)^\s*show\s+grants\b.*$", f"select {_NOTHING} where false"),
        (r"(?is)^\s*show\s+parameters\s+like\s+'query_tag'.*$", _QUERY_TAG),
        (r"(?i)\bcurrent_account\(\)", "'EMULATED'"),
        (r"(?i)\bcurrent_region\(\)", "'LOCAL'"),
        (r"(?i)\bcurrent_session\(\)", "'1'"),
        (r"(?i)\blast_query_id\(\)", "'1'"),
    )
]
_USE = re.compile(r'(?is)\s*use\s+(warehouse|role)\s+"?(\w+)')
# DuckDB has no temporary object in a named database; dbt drops its own ones itself.
_TEMPORARY = re.compile(
    r"(?is)^(\s*create\s+(?:or\s+replace\s+)?)(?:local\s+)?temp(?:orary)?\s+"
    r"(table|view)(\s+(?:if\s+not\s+exists\s+)?\"?\w+\"?\.)"
)
_BEGIN = re.compile(r"(?is)\s*(begin|start\s+transaction)\b")
_END = re.compile(r"(?is)\s*(commit|rollback)\b")
_DDL = re.compile(r"(?is)\s*(create|alter|drop|truncate|comment)\b")


def install(log: accepted.Log) -> None:
    """Apply all of this before fakesnow executes a statement."""
    run = FakeSnowflakeCursor.execute

    def execute(
        cursor: Any, statement: str, params: Any = None, *args: Any, **options: Any
    ) -> Any:
        if accepted.is_accepted(statement):
            log.add(statement)
            statement = "select 'Statement executed successfully.' as \"status\""
        session = cursor._conn
        statement = _of_session(session, statement)
        statement = _TEMPORARY.sub(r"\1\2\3", statement)
        _follow_transaction(session, cursor._duck_conn, statement)
        for pattern, answer in _ANSWERS:
            statement = pattern.sub(answer, statement)
        try:
            return run(cursor, statement, params, *args, **options)
        except Exception as error:
            _leave_aborted(session, cursor._duck_conn)
            raise as_snowflake(error) from error

    FakeSnowflakeCursor.execute = execute


def _of_session(session: Any, statement: str) -> str:
    """The statement with the session's warehouse and role filled in."""
    if match := _USE.match(statement):
        setattr(session, f"_emulated_{match[1].lower()}", match[2].upper())
    for what in ("warehouse", "role"):
        value = getattr(session, f"_emulated_{what}", f"EMULATED_{what.upper()}")
        statement = re.sub(rf"(?i)\bcurrent_{what}\(\)", f"'{value}'", statement)
    return statement


def _follow_transaction(session: Any, engine: Any, statement: str) -> None:
    """Commit an open transaction before DDL."""
    if _BEGIN.match(statement):
        session._emulated_transaction = True
    elif _END.match(statement):
        session._emulated_transaction = False
    elif getattr(session, "_emulated_transaction", False) and _DDL.match(statement):
        session._emulated_transaction = False
        try:
            engine.commit()
        except duckdb.TransactionException:
            pass  # nothing was open


def _leave_aborted(session: Any, engine: Any) -> None:
    """Roll back a transaction that DuckDB has aborted, as it refuses all statements."""
    try:
        engine.execute("select 1")
    except duckdb.TransactionException:
        engine.execute("rollback")
        session._in_transaction = False
    except duckdb.Error:
        pass


def as_snowflake(error: Exception) -> errors.Error:
    """The error as the connector would raise it."""
    if isinstance(error, errors.Error):
        return error
    if "NOT NULL constraint" in str(error):
        return errors.ProgrammingError(
            msg=f"NULL result in a non-nullable column: {error}",
            errno=100072,
            sqlstate="22000",
        )
    return errors.ProgrammingError(
        msg=f"emulator: {type(error).__name__}: {error}", errno=603, sqlstate="XX000"
    )
