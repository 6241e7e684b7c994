"""Reading: a query for a source table's rows, with the values that the source has.

DuckDB's scan of an attached table reads the transaction's snapshot and is exact, but
for three things: a decimal of more than 38 digits becomes a double, bytes of a type
that it doesn't know become a text, and zero or incomplete dates become NULL. What the
scan can't give is asked of the server as text, in the same snapshot; the answer is
held in memory, so only tables that need it are read that way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import duckdb

from ingest.duck import asked, backticked, quoted, scalar
from ingest.metadata import Column, Table
from ingest.source import attached, named

# Makes the condition of the rows to read, with names quoted for one of the servers.
Condition = Callable[[Callable[[str], str]], str]

_NUMBERS = ("boolean", "integer", "bigint", "decimal")
_BYTES = ("binary", "geometry")


def rows(
    engine: duckdb.DuckDBPyConnection,
    table: Table,
    condition: Condition,
    *,
    dates_as_text: bool = False,
) -> str:
    """A select of the table's columns in the rows that meet `condition`.

    To be run in the transaction in which it was made; another condition, of DuckDB's,
    may follow after `and`. With `dates_as_text` a zero or incomplete date is what the
    source writes, and not NULL.
    """
    kinds = _kinds(engine, table)
    as_text = [
        c.source_name
        for c in table.columns
        if (kinds[c.source_name] == "DOUBLE" and c.type.name.startswith("decimal"))
        or (dates_as_text and _is_date(kinds[c.source_name]))
    ]
    if not as_text:
        names = ", ".join(_read(c, kinds[c.source_name]) for c in table.columns)
        return f"select {names} from {attached(table)} where {condition(quoted)}"
    columns = ", ".join(
        f"convert({name} using utf8mb4) as {name}"
        # Metadata of an answer understate the digits of an unsigned decimal.
        if c.source_name in as_text or kinds[c.source_name].startswith("DECIMAL")
        else name
        for c in table.columns
        for name in [backticked(c.source_name)]
    )
    answer = asked(
        f"select {columns} from {named(table)} where {condition(backticked)}"
    )
    given = _types(engine, f"from {answer}")
    names = ", ".join(
        _answered(c, given[c.source_name], kinds[c.source_name], as_text)
        for c in table.columns
    )
    return f"select {names} from {answer} where true"


def zero_dates(
    engine: duckdb.DuckDBPyConnection,
    table: Table,
    condition: Condition,
    files: Sequence[str],
) -> int:
    """How many zero or incomplete dates were read as NULL.

    `files` hold the rows that met `condition` in this transaction; the source is only
    asked of columns that have a NULL in them.
    """
    kinds = _kinds(engine, table)
    dates = [c.source_name for c in table.columns if _is_date(kinds[c.source_name])]
    if not dates or not files:
        return 0
    nulls = ", ".join(f"count(*) - count({quoted(name)})" for name in dates)
    found = engine.execute(f"select {nulls} from read_parquet({files})").fetchone()
    dates = [name for name, count in zip(dates, found or (), strict=True) if count]
    if not dates:
        return 0
    counts = " + ".join(
        f"count(if(month({name}) = 0 or day({name}) = 0, 1, null))"
        for name in map(backticked, dates)
    )
    query = f"select {counts} from {named(table)} where {condition(backticked)}"
    return int(scalar(engine, f"from {asked(query)}"))


def _kinds(engine: duckdb.DuckDBPyConnection, table: Table) -> dict[str, str]:
    """The type in which DuckDB's scan gives each column of the table."""
    return _types(engine, f"from {attached(table)}")


def _types(engine: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    return {row[0]: row[1] for row in engine.execute(f"describe {query}").fetchall()}


def _is_date(kind: str) -> bool:
    return kind in ("DATE", "TIMESTAMP")


def _read(column: Column, kind: str) -> str:
    """The column in a type that a raw file can hold, under its own name."""
    name = quoted(column.source_name)
    if kind == "BLOB" and column.type.name.startswith(_NUMBERS):
        return f"{name}::bit::ubigint as {name}"  # BIT(n)
    if kind == "VARCHAR" and column.type.name in _BYTES:
        return f"encode({name}) as {name}"
    return name


def _answered(column: Column, given: str, kind: str, as_text: Sequence[str]) -> str:
    """The same for a column of an answer, in the type that a scan gives it."""
    name = quoted(column.source_name)
    if column.source_name in as_text:
        return name
    if kind.startswith("DECIMAL"):
        return f"{name}::{kind} as {name}"
    if kind == "VARCHAR" and given == "BLOB" and column.type.name not in _BYTES:
        return f"decode({name}) as {name}"  # a binary collation
    return _read(column, given)
