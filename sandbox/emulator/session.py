"""Sessions: what an account answers, temporary objects, and errors.

DuckDB aborts a transaction at its first error, which Snowflake does not.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import duckdb
import snowflake.connector.errors as errors
from fakesnow.cursor import SQL_SUCCESS, FakeSnowflakeCursor

from sandbox.emulator import accepted

# What dbt asks about a model's grants, and about the warehouse to come back to.
_GRANTS = re.compile(r"(?is)^\s*show\s+grants\b.*$")
_WAREHOUSE = re.compile(r"(?i)\bcurrent_warehouse\(\)")
# DuckDB has no temporary object in a named database: it is dropped with its session.
_TEMPORARY = re.compile(
    r"(?is)^(\s*create\s+(?:or\s+replace\s+)?)(?:local\s+)?temp(?:orary)?\s+"
    r"(table|view)(\s+(?:if\s+not\s+exists\s+)?)((?:\"?\w+\"?\.)+\"?\w+\"?)"
)
# By session: the temporary objects that it has made, and what each one is.
_made: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()


def install(log: Path) -> None:
    """Apply all of this before fakesnow executes a statement.

    `log` is the file of the accepted statements.
    """
    run = FakeSnowflakeCursor.execute

    def execute(
        cursor: Any, statement: str, params: Any = None, *args: Any, **options: Any
    ) -> Any:
        if accepted.accepts(statement, log):
            statement = SQL_SUCCESS
        statement = _GRANTS.sub("select null as privilege where false", statement)
        statement = _WAREHOUSE.sub("'EMULATED'", statement)
        if found := _TEMPORARY.match(statement):
            _made.setdefault(cursor._conn, {})[found[4]] = found[2]
            statement = _TEMPORARY.sub(r"\1\2\3\4", statement)
        try:
            return run(cursor, statement, params, *args, **options)
        except Exception as error:
            _leave_aborted(cursor._conn, cursor._duck_conn)
            if isinstance(error, errors.Error):
                raise
            text = f"emulator: {type(error).__name__}: {error}"
            raise errors.ProgrammingError(
                msg=text, errno=603, sqlstate="XX000"
            ) from error

    FakeSnowflakeCursor.execute = execute


def end(session: Any) -> None:
    """Drop the session's temporary objects."""
    for name, kind in _made.pop(session, {}).items():
        with suppress(errors.Error):
            session.cursor().execute(f"drop {kind} if exists {name}")


def _leave_aborted(session: Any, engine: Any) -> None:
    """Roll back a transaction that DuckDB has aborted, as it refuses all statements."""
    with suppress(duckdb.Error):
        try:
            engine.execute("select 1")
        except duckdb.TransactionException:
            engine.execute("rollback")
            session._in_transaction = False
