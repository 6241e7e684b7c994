"""Reading: a query for a source table's rows, with the values that the source has.

DuckDB's scan of an attached table reads the transaction's snapshot and is exact, but
for three things: a decimal of more than 38 digits becomes a double, bytes of a type
that it doesn't know become a text, and zero or incomplete dates become NULL. What the
scan can't give is asked of the server as text, in the same snapshot; the answer is held
in memory, so only tables that need it are read that way, in pieces. Code that compares
values with those that were read, keys above all, must read them here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import duckdb

from ingest.duck import Engine, quoted
from ingest.pieces import Condition, Piece
from ingest.seed.metadata import Column, Table
from ingest.seed.types import EXACT_DIGITS
from ingest.sources.kind import assert_there, is_same
from ingest.sources.mysql import cuts
from ingest.sources.mysql.cuts import declared, named
from ingest.sources.mysql.server import asked, backticked

_NUMBERS = ("boolean", "integer", "bigint", "decimal")
_BYTES = ("binary", "geometry")
# Types of the source whose values are texts, whatever collation an answer has.
_TEXTS = (
    "char varchar tinytext text mediumtext longtext enum set json uuid inet4 inet6"
).split()


def is_canonical(engine: Engine, table: Table) -> bool:
    """As `Kind.is_canonical`."""
    kinds = _kinds(engine, table)
    return not _is_by_query(table, table.columns, kinds) and all(
        c.name == c.source_name and is_same(kinds[c.source_name], c.type)
        for c in table.columns
    )


def rows(
    engine: Engine,
    table: Table,
    condition: Condition,
    columns: Sequence[Column] | None = None,
) -> list[str]:
    """As `Kind.rows`; a zero or incomplete date is no date."""
    wanted = table.columns if columns is None else columns
    kinds = _kinds(engine, table)
    by_query = _is_by_query(table, wanted, kinds)
    found = [Piece(condition, by_query)]
    if columns is None:  # a few columns of it are short
        found = cuts.cut(engine, table, condition, by_query=by_query)
    if any(piece.by_query for piece in found):
        conditions = [piece.condition(backticked) for piece in found]
        return _answers(engine, table, conditions, wanted, kinds)
    relation = _scanned(table)
    # The condition, too, is of values as a raw file has them.
    changed = [
        f"{value} as {name}"
        for c in table.columns
        for name, value in [(quoted(c.source_name), _read(c, kinds[c.source_name]))]
        if value != name
    ]
    if changed:
        relation = f"(select * replace ({', '.join(changed)}) from {relation})"
    names = ", ".join(quoted(c.source_name) for c in wanted)
    return [
        f"select {names} from {relation} where {piece.condition(quoted)}"
        for piece in found
    ]


def answer(
    engine: Engine, table: Table, condition: str, columns: Sequence[Column]
) -> str:
    """As `Kind.answer`."""
    kinds = _kinds(engine, table)
    return _answers(engine, table, [condition], columns, kinds)[0]


def _answers(
    engine: Engine,
    table: Table,
    conditions: Sequence[str],
    columns: Sequence[Column],
    kinds: Mapping[str, str],
) -> list[str]:
    as_text = _as_text(table, columns, kinds)

    def selected(column: Column) -> str:
        name = backticked(column.source_name)
        is_decimal = kinds[column.source_name].startswith("DECIMAL")
        if column.source_name not in as_text and not is_decimal:
            return name
        # Metadata of an answer understate the digits of a decimal.
        return f"convert({name} using utf8mb4) as {name}"

    start = f"select {', '.join(map(selected, columns))} from {named(table)} where"
    given = _types(engine, f"from {asked(f'{start} false')}")
    names = ", ".join(
        f"{_answered(c, given[c.source_name], kinds[c.source_name], as_text)} "
        f"as {quoted(c.source_name)}"
        for c in columns
    )
    # Another condition, too, is of values as a raw file has them.
    return [
        f"select * from (select {names} from {asked(f'{start} {condition}')}) "
        "where true"
        for condition in conditions
    ]


def _is_by_query(
    table: Table, columns: Sequence[Column], kinds: Mapping[str, str]
) -> bool:
    """Whether the source runs a query for the rows, which a scan can't give."""
    return table.options.by_query or bool(_as_text(table, columns, kinds))


def _as_text(
    table: Table, columns: Sequence[Column], kinds: Mapping[str, str]
) -> list[str]:
    """The columns whose values are exact only as texts."""
    dates_as_text = table.options.zero_date == "reject"
    return [
        c.source_name
        for c in columns
        for kind in [kinds[c.source_name]]
        if (kind == "DOUBLE" and c.type.name != "double")
        or (dates_as_text and _is_date(kind))
    ]


def blanks(engine: Engine, table: Table) -> dict[str, str]:
    """As `Kind.blanks`: zero and incomplete dates."""
    kinds = _kinds(engine, table)
    dates = (c.source_name for c in table.columns if _is_date(kinds[c.source_name]))
    return {
        date: f"month({name}) = 0 or day({name}) = 0"
        for date in dates
        for name in [backticked(date)]
    }


def _kinds(engine: Engine, table: Table) -> dict[str, str]:
    """The type in which DuckDB's scan gives, or would give, each column.

    Raises SeedbedError where the source has not all columns of the seed.
    """
    there: dict[str, str] = {}
    if table.options.by_query:
        there = _declared(engine, table)
    else:
        # Gone since the catalogue was read, or the catalogue was not read.
        with suppress(duckdb.CatalogException):
            there = _types(engine, f"from {_scanned(table)}")
    assert_there(table, there)
    if not table.options.by_query:
        return there
    names = ", ".join(backticked(c.source_name) for c in table.columns)
    answered = asked(f"select {names} from {named(table)} where false")
    return _types(engine, f"from {answered}") | {k: v for k, v in there.items() if v}


def _declared(engine: Engine, table: Table) -> dict[str, str]:
    """The same by the source's catalogue, where an answer's type is another; or ''."""
    kinds = {}
    for name, column in declared(engine, table).items():
        kinds[name] = "VARCHAR" if column.kind in _TEXTS else ""
        if column.kind == "decimal":
            is_exact = column.digits <= EXACT_DIGITS
            exact = f"DECIMAL({column.digits},{column.scale})"
            kinds[name] = exact if is_exact else "DOUBLE"
    return kinds


def _scanned(table: Table) -> str:
    """The table where DuckDB has its source attached.

    To DuckDB, names that differ by case only are one: it would read one of the tables
    for both. And it can't write a backtick. There the source runs our query.
    """
    return f"source.{quoted(table.source.schema)}.{quoted(table.name)}"


def _types(engine: Engine, query: str) -> dict[str, str]:
    return {row[0]: row[1] for row in engine.execute(f"describe {query}").fetchall()}


def _is_date(kind: str) -> bool:
    return kind in ("DATE", "TIMESTAMP")


def _read(column: Column, kind: str) -> str:
    """The column's value in a type that a raw file can hold."""
    name = quoted(column.source_name)
    if kind == "BLOB" and column.type.name.startswith(_NUMBERS):
        return f"{name}::bit::ubigint"  # BIT(n)
    if kind == "VARCHAR" and column.type.name in _BYTES:
        return f"encode({name})"
    return name


def _answered(column: Column, given: str, kind: str, as_text: Sequence[str]) -> str:
    """The same for a column of an answer, in the type that a scan gives it."""
    name = quoted(column.source_name)
    if column.source_name in as_text:
        return name
    if kind.startswith("DECIMAL"):
        return f"{name}::{kind}"
    if kind == "VARCHAR" and given == "BLOB" and column.type.name not in _BYTES:
        return f"decode({name})"  # a binary collation
    return _read(column, given)
