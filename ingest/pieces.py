"""Pieces: a read divided by bytes, where few rows fill the memory.

DuckDB takes 2,048 rows at a time, however long they are, and holds the whole answer to
a query that the source runs. Where rows are long, the source is asked for the keys that
divide its rows into pieces of so many bytes, and is read piece by piece. Many short
rows need no pieces.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import duckdb

from ingest.duck import asked, backticked, literal, one_thread, quoted, source_literal
from ingest.seed.metadata import Column, Table
from ingest.sources.mysql.source import named

# Makes the condition of the rows to read, with names quoted for one of the servers.
Condition = Callable[[Callable[[str], str]], str]

# A piece has about this many bytes, or one row. Processing it takes about six times as
# much, in each of up to three engines of a table.
PIECE_BYTES = 16 << 20
# Rows of up to this many bytes count as short: 2,048 of them are PIECE_BYTES.
ROW_BYTES = 8 << 10
# Rows of tables whose columns hold no more characters than this are not measured.
SHORT = 16 << 10
# What a value costs beside a text's bytes.
_VALUE_BYTES = 16
# This many keys are listed in a query of the warehouse.
_MOST_KEYS = 1000
# What a query of everything gives as its limit.
_ALL_ROWS = 2**64 - 1
_NO_LIMIT = ("text", "json", "binary", "geometry")
_INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint")
_NUMBERS = (*_INTEGERS, "decimal", "year")
_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")
_BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")


@dataclass(frozen=True)
class Piece:
    """A part of a read: its condition, and whether only the source can evaluate it."""

    condition: Condition
    by_query: bool = False


def cut(
    engine: duckdb.DuckDBPyConnection,
    table: Table,
    condition: Condition,
    *,
    by_query: bool,
) -> list[Piece]:
    """The pieces in which to read the rows that meet `condition`; each row is in one.

    `by_query`: the answers are held as a whole, so that short rows count as well. A
    table without a key is one piece. The cuts are taken outside the transaction: rows
    that change meanwhile make a piece longer, and are never lost.
    """
    whole = [Piece(condition, by_query)]
    if not table.key or not (by_query or may_be_long(table)):
        return whole
    keys = _keys(engine, table)
    if not keys:
        return whole
    edges = _edges(engine, table, condition, keys, everything=by_query)
    if not edges:
        return whole
    if len(keys) == 1 and keys[0].kind in _INTEGERS:
        return _between(condition, keys[0], [edge[0] for edge in edges], by_query)
    return _beside(condition, keys, edges)


def may_be_long(table: Table) -> bool:
    """Whether a row of the table may have more than SHORT characters."""
    return sum(_longest(column) for column in table.columns) > SHORT


def _longest(column: Column) -> int:
    kind = column.type
    return SHORT + 1 if kind.name in _NO_LIMIT else _VALUE_BYTES + kind.length


def size_in_log(table: Table) -> str:
    """The warehouse's SQL for about how many bytes a row of the log has."""
    lengths = [
        f"coalesce(octet_length({quoted(column.name)}"
        f"{'' if column.type.log == 'bytea' else '::text'}), 0)::bigint"
        for column in table.columns
        if column.type.duckdb in ("varchar", "json", "blob")
    ]
    return " + ".join([str(_VALUE_BYTES * len(table.columns)), *lengths])


def grouped(keys: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    """The keys of rows with their sizes, in groups of about PIECE_BYTES."""
    group: list[str] = []
    total = 0
    for key, size in keys:
        if group and (total + size > PIECE_BYTES or len(group) == _MOST_KEYS):
            yield group
            group, total = [], 0
        group.append(f"({key})")
        total += size
    if group:
        yield group


@dataclass(frozen=True)
class _Key:
    """A key column at the source: how it is compared, and how its value is written."""

    name: str
    kind: str
    nullable: bool

    @property
    def compared(self) -> str:
        """The column, or of a list of words the number by which it is sorted."""
        name = backticked(self.name)
        return f"({name} + 0)" if self.kind in ("enum", "set", "bit") else name

    @property
    def written(self) -> str:
        """The value as a literal that any connection understands; NULL for NULL."""
        name = self.compared
        if self.kind in _TEXTS:
            return f"concat('_utf8mb4 x''', hex(convert({name} using utf8mb4)), '''')"
        if self.kind in _BYTES:
            return f"concat('x''', hex({name}), '''')"
        if self.kind in _NUMBERS or name != backticked(self.name):
            return f"cast({name} as char)"
        return f"if({name} is null, null, quote(cast({name} as char)))"


def _keys(engine: duckdb.DuckDBPyConnection, table: Table) -> list[_Key]:
    """The key's columns, up to the first one that has no order: a shape."""
    name = source_literal(table.name)
    query = (
        "select column_name as name, lower(data_type) as kind, is_nullable as nullable "
        "from information_schema.columns "
        f"where table_schema = {source_literal(table.source.schema)} "
        f"and table_name = {name} "
        f"and cast(table_name as binary) = cast({name} as binary)"
    )
    rows = engine.execute(
        f"select name::varchar, kind::varchar, nullable::varchar from {asked(query)}"
    ).fetchall()
    found = {name: _Key(name, kind, nullable == "YES") for name, kind, nullable in rows}
    ordered = itertools.takewhile(lambda c: c.type.name != "geometry", table.key)
    return [found[column.source_name] for column in ordered]


def _edges(
    engine: duckdb.DuckDBPyConnection,
    table: Table,
    condition: Condition,
    keys: Sequence[_Key],
    *,
    everything: bool,
) -> list[tuple[str, ...]]:
    """The keys, as literals, at which the next piece begins."""
    lengths = [
        f"ifnull(length({backticked(column.source_name)}), 0)"
        for column in table.columns
        if column.type.duckdb in ("varchar", "json", "blob")
    ]
    size = " + ".join([str(_VALUE_BYTES * len(table.columns)), *lengths])
    names = [f"k{n}" for n in range(len(keys))]
    written = ", ".join(
        f"{key.written} as {name}, {key.compared} as by_{name}"
        for key, name in zip(keys, names, strict=True)
    )
    order = ", ".join(f"by_{name}" for name in names)
    least = "" if everything else f"and {size} > {ROW_BYTES} "
    # A server sorts rows with all that a query reads of them, and MySQL's memory for
    # it may be less than one document: the limit makes it measure first, then sort.
    measured = (
        f"select {written}, {size} as size from {named(table)} "
        f"where {condition(backticked)} {least}limit {_ALL_ROWS}"
    )
    query = (
        f"select {', '.join(names)}, size from ({measured}) as measured "
        f"order by {order}"
    )
    answer = f"mysql_query('source', {literal(query)}, stream_results = true)"
    shown = ", ".join(f"{name}::varchar" for name in names)
    known = " and ".join(f"{name} is not null" for name in names)
    # On one thread the rows keep the order in which the source sends them.
    with one_thread(engine):
        return engine.execute(
            f"select {shown} from (select *, sum(size::bigint) over ("
            "rows between unbounded preceding and current row) as total "
            f"from {answer}) where {known} "
            f"and total // {PIECE_BYTES} <> (total - size::bigint) // {PIECE_BYTES}"
        ).fetchall()


def _between(
    condition: Condition, key: _Key, edges: Sequence[str], by_query: bool
) -> list[Piece]:
    """Pieces of a key of one whole number, whose bounds DuckDB's scan hands on."""

    def piece(bounds: Callable[[str], list[str]]) -> Piece:
        return Piece(
            lambda quote: " and ".join([condition(quote), *bounds(quote(key.name))]),
            by_query,
        )

    def inside(low: str | None, high: str | None) -> Callable[[str], list[str]]:
        return lambda name: [
            *([] if low is None else [f"{name} >= {low}"]),
            *([] if high is None else [f"{name} < {high}"]),
        ]

    pieces = [
        piece(inside(low, high))
        for low, high in zip([None, *edges], [*edges, None], strict=True)
    ]
    if key.nullable:
        pieces.append(piece(lambda name: [f"{name} is null"]))
    return pieces


def _beside(
    condition: Condition, keys: Sequence[_Key], edges: Sequence[tuple[str, ...]]
) -> list[Piece]:
    """Pieces of any key, in the source's order, so by queries that it runs."""
    lead = keys[0].compared
    pieces = []
    for low, high in zip([None, *edges], [*edges, None], strict=True):
        parts = []
        # The bounds of the leading column are for the index.
        if low is not None:
            parts += [f"{lead} >= {low[0]}", _reaches(keys, low)]
        if high is not None:
            or_null = f"{lead} is null or " if keys[0].nullable else ""
            parts.append(f"({or_null}{lead} <= {high[0]})")
            parts.append(f"{_reaches(keys, high)} is not true")
        pieces.append(Piece(_also(condition, parts), by_query=True))
    return pieces


def _also(condition: Condition, parts: Sequence[str]) -> Condition:
    return lambda quote: " and ".join([condition(quote), *parts])


def _reaches(keys: Sequence[_Key], edge: Sequence[str]) -> str:
    """The condition that a key is not before the edge, column by column."""
    (key, *others), (value, *rest) = keys, edge
    if not others:
        return f"({key.compared} >= {value})"
    return (
        f"({key.compared} > {value} "
        f"or ({key.compared} = {value} and {_reaches(others, rest)}))"
    )
