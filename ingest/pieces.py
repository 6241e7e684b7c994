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

from ingest.duck import Engine, backticked, one_thread, quoted
from ingest.seed.metadata import Column, Table
from ingest.sources.mysql.source import Declared, declared, named
from ingest.statements import render

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


@dataclass(frozen=True)
class KeyRange:
    """The keys whose leading column is from `low` to `high`, both among them."""

    low: int | None = None
    high: int | None = None

    @classmethod
    def between(cls, cuts: Sequence[int]) -> list[KeyRange]:
        """The ranges of all keys, each of which begins at a cut."""
        edges = itertools.pairwise((None, *cuts, None))
        return [cls(low, None if high is None else high - 1) for low, high in edges]

    def condition(self, column: str) -> str:
        """The range as a condition on the quoted column."""
        low = [] if self.low is None else [f"{column} >= {self.low}"]
        high = [] if self.high is None else [f"{column} <= {self.high}"]
        return " and ".join([*low, *high]) or "true"

    def within(self, table: Table) -> Condition:
        """The range as a condition on the source's rows."""
        lead = table.key[0].source_name if table.key else ""
        return lambda quote: self.condition(quote(lead))


def also(condition: Condition, other: Condition) -> Condition:
    """Both conditions."""
    return lambda quote: f"{condition(quote)} and {other(quote)}"


def cut(
    engine: Engine, table: Table, condition: Condition, *, by_query: bool
) -> list[Piece]:
    """The pieces in which to read the rows that meet `condition`; each row is in one.

    `by_query`: the answers are held as a whole, so that short rows count as well. A
    table without a key is one piece. The cuts are taken outside the transaction: rows
    that change meanwhile make a piece longer, and are never lost.
    """
    whole = [Piece(condition, by_query)]
    if not table.key or not (by_query or may_be_long(table)):
        return whole
    there = declared(engine, table)
    # Up to the first column that has no order: a shape.
    ordered = itertools.takewhile(lambda c: c.type.name != "geometry", table.key)
    keys = [_Key(*there[c.source_name]) for c in ordered]
    edges = _edges(engine, table, condition, keys, everything=by_query)
    if not edges:
        return whole
    if len(keys) > 1 or keys[0].kind not in _INTEGERS:
        return _beside(condition, keys, edges)
    # DuckDB's scan hands on the bounds of a whole number.
    ranges = KeyRange.between([int(edge) for (edge,) in edges])
    conditions = [r.within(table) for r in ranges]
    if keys[0].nullable:
        conditions.append(lambda quote: f"{quote(keys[0].name)} is null")
    return [Piece(also(condition, one), by_query) for one in conditions]


def may_be_long(table: Table) -> bool:
    """Whether a row of the table may have more than SHORT characters."""
    return sum(_longest(column) for column in table.columns) > SHORT


def _longest(column: Column) -> int:
    kind = column.type
    return SHORT + 1 if kind.name in _NO_LIMIT else _VALUE_BYTES + kind.length


def size_in_log(table: Table) -> str:
    """The warehouse's SQL for about how many bytes a row of the log has."""

    def length(column: Column) -> str:
        text = "" if column.type.log == "bytea" else "::text"
        return f"coalesce(octet_length({quoted(column.name)}{text}), 0)::bigint"

    return _size(table, length)


def _size(table: Table, length: Callable[[Column], str]) -> str:
    texts = [c for c in table.columns if c.type.duckdb in ("varchar", "json", "blob")]
    return " + ".join([str(_VALUE_BYTES * len(table.columns)), *map(length, texts)])


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


class _Key(Declared):
    """A key column at the source: how it is compared, and how its value is written."""

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


def _edges(
    engine: Engine,
    table: Table,
    condition: Condition,
    keys: Sequence[_Key],
    *,
    everything: bool,
) -> list[tuple[str, ...]]:
    """The keys, as literals, at which the next piece begins."""
    if not keys:
        return []
    size = _size(table, lambda c: f"ifnull(length({backticked(c.source_name)}), 0)")
    measured = render(
        "measured",
        keys=keys,
        size=size,
        rows=named(table),
        condition=condition(backticked),
        least=0 if everything else ROW_BYTES,
    )
    # On one thread the rows keep the order in which the source sends them.
    with one_thread(engine):
        edges = render("edges", keys=keys, measured=measured, bytes=PIECE_BYTES)
        return engine.execute(edges).fetchall()


def _beside(
    condition: Condition, keys: Sequence[_Key], edges: Sequence[tuple[str, ...]]
) -> list[Piece]:
    """Pieces of any key, in the source's order, so by queries that it runs."""
    lead = keys[0].compared
    or_null = f"{lead} is null or " if keys[0].nullable else ""

    def piece(low: Sequence[str], high: Sequence[str]) -> Piece:
        # The bounds of the leading column are for the index.
        after = [f"{lead} >= {low[0]}", _reaches(keys, low)] if low else []
        before = (
            [f"({or_null}{lead} <= {high[0]})", f"{_reaches(keys, high)} is not true"]
            if high
            else []
        )
        bounds = " and ".join([*after, *before])
        return Piece(also(condition, lambda quote: bounds), by_query=True)

    return [piece(low, high) for low, high in itertools.pairwise(((), *edges, ()))]


def _reaches(keys: Sequence[_Key], edge: Sequence[str]) -> str:
    """The condition that a key is not before the edge, column by column."""
    (key, *others), (value, *rest) = keys, edge
    if not others:
        return f"({key.compared} >= {value})"
    return (
        f"({key.compared} > {value} "
        f"or ({key.compared} = {value} and {_reaches(others, rest)}))"
    )
