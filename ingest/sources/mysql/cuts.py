"""Cuts: where a read of long rows is divided, which the server is asked for."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from ingest.duck import Engine, one_thread
from ingest.pieces import (
    PIECE_BYTES,
    ROW_BYTES,
    Condition,
    KeyRange,
    Piece,
    also,
    may_be_long,
    size,
)
from ingest.seed.metadata import Table
from ingest.sources.mysql.server import asked, backticked, text
from ingest.statements import render

# Types whose values are whole numbers to the server, of up to 64 bits.
INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint")
_NUMBERS = (*INTEGERS, "decimal", "year")
_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")
_BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")


class Declared(NamedTuple):
    """A column in the source's catalogue; a decimal has digits."""

    name: str
    kind: str
    nullable: bool
    digits: int
    scale: int


def declared(engine: Engine, table: Table) -> dict[str, Declared]:
    """The table's columns by name, as the source's catalogue has them."""
    query = render("mysql/declared", table=table, text=text)
    rows = engine.execute(
        "select name::varchar, kind::varchar, nullable::boolean, digits, scale "
        f"from {asked(query)}"
    ).fetchall()
    return {row[0]: Declared(*row) for row in rows}


def named(table: Table) -> str:
    """The table's name as MySQL quotes it."""
    return f"{backticked(table.source.schema)}.{backticked(table.name)}"


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
    if len(keys) > 1 or keys[0].kind not in INTEGERS:
        return _beside(condition, keys, edges)
    # DuckDB's scan hands on the bounds of a whole number.
    ranges = KeyRange.between([int(edge) for (edge,) in edges])
    conditions = [r.within(table) for r in ranges]
    if keys[0].nullable:
        conditions.append(lambda quote: f"{quote(keys[0].name)} is null")
    return [Piece(also(condition, one), by_query) for one in conditions]


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
    bytes_ = size(table, lambda c: f"ifnull(length({backticked(c.source_name)}), 0)")
    measured = render(
        "mysql/measured",
        keys=keys,
        size=bytes_,
        rows=named(table),
        condition=condition(backticked),
        least=0 if everything else ROW_BYTES,
    )
    # On one thread the rows keep the order in which the source sends them.
    with one_thread(engine):
        edges = render("mysql/edges", keys=keys, measured=measured, bytes=PIECE_BYTES)
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
