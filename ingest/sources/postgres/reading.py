"""Reading: queries for a source table's rows, with the values that the source has.

Each value comes in a type that DuckDB reads exactly (`casts.read`). Rows that may be
long are read in pieces, at keys that the server is asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ingest import pieces
from ingest.duck import Engine, quoted
from ingest.pieces import Condition
from ingest.seed.metadata import Column, Table
from ingest.sources.kind import assert_there, is_same
from ingest.sources.postgres import casts, catalogue
from ingest.sources.postgres.server import asked
from ingest.statements import render

_INTEGERS = ("int2", "int4", "int8")


class _Type(NamedTuple):
    """A column's type in the source, its size, and how a literal names it."""

    kind: str
    typmod: int
    declared: str


def no_time(column: str) -> str:
    """As `Kind.no_time`."""
    return f"({column} is null or {casts.is_no_value('timestamp', column)})"


def rows(
    engine: Engine,
    table: Table,
    condition: Condition,
    columns: Sequence[Column] | None = None,
) -> list[str]:
    """As `Kind.rows`."""
    kinds = _kinds(engine, table)
    found = [condition(quoted)]
    if columns is None and table.key and pieces.may_be_long(table):
        found = _cut(engine, table, found[0], kinds)
    wanted = table.columns if columns is None else columns
    return [_select(table, one, wanted, kinds) for one in found]


def answer(
    engine: Engine, table: Table, condition: str, columns: Sequence[Column]
) -> str:
    """As `Kind.answer`."""
    return _select(table, condition, columns, _kinds(engine, table))


def is_canonical(engine: Engine, table: Table) -> bool:
    """As `Kind.is_canonical`."""
    select = _select(table, "false", table.columns, _kinds(engine, table))
    given = {row[0]: row[1] for row in engine.execute(f"describe {select}").fetchall()}
    return all(
        c.name == c.source_name and is_same(given[c.source_name], c.type)
        for c in table.columns
    )


def numbers(engine: Engine, table: Table) -> list[str]:
    """The key's columns as exact numbers: integers, or else numerics."""
    kinds = _kinds(engine, table)

    def number(name: str) -> str:
        kind, column = kinds[name].kind, quoted(name)
        if kind == "numeric":
            column = f"nullif({column}, 'NaN')"
        exact = {"oid": "::bigint"} | dict.fromkeys(_INTEGERS, "")
        return column + exact.get(kind, "::numeric")

    return [number(column.source_name) for column in table.key]


def blanks(engine: Engine, table: Table) -> dict[str, str]:
    """As `Kind.blanks`: dates and numbers that are none elsewhere."""
    kinds = _kinds(engine, table)
    return {
        c.source_name: test
        for c in table.columns
        for kind in [kinds[c.source_name].kind]
        for test in [casts.is_no_value(kind, quoted(c.source_name))]
        if test and c.type.family != "text"
    }


def _named(table: Table) -> str:
    return f"{quoted(table.source.schema)}.{quoted(table.name)}"


def _select(
    table: Table, condition: str, columns: Sequence[Column], kinds: Mapping[str, _Type]
) -> str:
    names = ", ".join(
        f"{_read(table, c, kinds)} as {quoted(c.source_name)}" for c in columns
    )
    query = f"select {names} from {_named(table)} where {condition}"
    return f"select * from {asked(query)} where true"


def _read(table: Table, column: Column, kinds: Mapping[str, _Type]) -> str:
    kind, typmod, _ = kinds[column.source_name]
    rejects = table.options.zero_date == "reject"
    name = quoted(column.source_name)
    return casts.read(kind, typmod, name, column.type, rejects=rejects)


def _kinds(engine: Engine, table: Table) -> dict[str, _Type]:
    """The source's types of the table's columns, in the transaction's snapshot.

    Raises SeedbedError where the source has not all columns of the seed.
    """
    schema = table.source.schema
    query = catalogue.query("columns", schema, table.name)
    there = {
        # Of an enum's declaration without its labels.
        name: _Type(kind, typmod, declared.partition("('")[0])
        for _, name, kind, declared, _, typmod, *_ in engine.execute(
            f"from {asked(query)}"
        ).fetchall()
    }
    assert_there(table, there)
    return there


def _cut(
    engine: Engine, table: Table, condition: str, kinds: Mapping[str, _Type]
) -> list[str]:
    """Conditions of pieces by bytes, each row in one of them.

    The cuts are made where the rows are longer than short ones.
    """

    def length(column: Column) -> str:
        value = _read(table, column, kinds)
        text = "" if kinds[column.source_name].kind == "bytea" else "::text"
        return f"coalesce(octet_length(({value}){text}), 0)"

    keys = [c.source_name for c in table.key]
    measured = render(
        "postgres/edges",
        keys=[(quoted(name), kinds[name].declared) for name in keys],
        size=pieces.size(table, length),
        rows=_named(table),
        condition=condition,
        least=pieces.ROW_BYTES,
        bytes=pieces.PIECE_BYTES,
    )
    edges = [edge for (edge,) in engine.execute(f"from {asked(measured)}").fetchall()]
    if not edges:
        return [condition]
    key = f"({', '.join(map(quoted, keys))})"
    found = []
    for low, high in itertools.pairwise((None, *edges, None)):
        after = [] if low is None else [f"{key} >= {low}"]
        before = [] if high is None else [f"{key} < {high}"]
        found.append(" and ".join([condition, *after, *before]))
    nulls = " or ".join(f"{quoted(name)} is null" for name in keys)
    return [*found, f"{condition} and ({nulls})"]
