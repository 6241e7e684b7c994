"""The catalogue of a MySQL or MariaDB source: what its tables are made of.

Five queries of information_schema, however many tables there are. Names and comments
are data: they are returned as they are, and quoted where they are used.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pymysql

from ingest.seed import types
from ingest.seed.metadata import Source
from ingest.seed.types import CanonicalType
from ingest.sources.mysql import casts
from ingest.sources.mysql.casts import SourceColumn
from ingest.sources.mysql.source import connect
from ingest.statements import Statements

_SQL = Statements(__file__)
# A label as the server shows it: quotes doubled, what would not print escaped.
_LABEL = re.compile(r"'((?:[^']|'')*)'")
_ESCAPED = re.compile(r"''|\\.", re.DOTALL)
_MEANT = {"0": "\0", "n": "\n", "r": "\r"}


@dataclass(frozen=True)
class Column(SourceColumn):
    """A column with its declaration, defaults and comment."""

    extra: str = ""
    comment: str = ""

    @property
    def declared(self) -> str:
        """Its type and whether it may be NULL, in the source's notation."""
        return self.column_type + ("" if self.nullable else " not null")

    @property
    def values(self) -> tuple[str, ...]:
        """The values that an ENUM or SET declares, in their order."""
        if self.data_type not in ("enum", "set"):
            return ()
        return tuple(
            _ESCAPED.sub(lambda m: _MEANT.get(m[0][1], m[0][1]), label)
            for label in _LABEL.findall(self.column_type)
        )


@dataclass(frozen=True)
class Key:
    """A primary or unique key."""

    name: str
    columns: tuple[str, ...]

    @property
    def is_primary(self) -> bool:
        """Whether it is the primary key."""
        return self.name == "PRIMARY"


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key: its columns, and those of the table it refers to."""

    columns: tuple[str, ...]
    table: str
    references: tuple[str, ...]


@dataclass
class SourceTable:
    """A table or view; `rows` is the server's own estimate, None for a view."""

    name: str
    is_view: bool
    rows: int | None
    comment: str
    columns: dict[str, Column] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)


def read(source: Source) -> dict[str, SourceTable]:
    """All tables and views of the source's schema by name.

    Raises ServiceError when the source can't be read.
    """
    with connect(source) as connection, connection.cursor() as cursor:

        def ask(name: str) -> list[tuple[Any, ...]]:
            cursor.execute(_SQL.texts[name], {"schema": source.schema})
            return list(cursor.fetchall())

        return _read(ask)


def _read(ask: Callable[[str], list[tuple[Any, ...]]]) -> dict[str, SourceTable]:
    # Of names that differ by case only, the one in lower case comes first.
    names = sorted(ask("tables"), key=lambda r: (r[0].lower(), r[0].swapcase()))
    tables = {
        # A view's comment is the word VIEW, or what is wrong with it.
        name: SourceTable(name, True, None, "")
        if is_view
        else SourceTable(name, False, int(rows or 0), comment or "")
        for name, is_view, rows, comment in names
    }
    json: set[tuple[Any, ...]] = set()
    with suppress(pymysql.err.MySQLError):  # MySQL says so by their type
        json = {*ask("json")}
    for table, *facts in ask("columns"):
        if table in tables:
            column = Column(*facts)
            is_json = (table, column.name) in json
            tables[table].columns[column.name] = replace(column, is_json=is_json)
    keys: dict[tuple[str, str], list[str | None]] = defaultdict(list)
    for name, index, part in ask("keys"):
        keys[name, index].append(part)
    for (name, index), parts in keys.items():
        if name in tables and None not in parts:
            tables[name].keys.append(Key(index, tuple(p for p in parts if p)))
    foreign: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    for name, constraint, other, *pair in ask("foreign_keys"):
        foreign[name, constraint, other].append((pair[0], pair[1]))
    for (name, _, other), pairs in foreign.items():
        if name in tables:
            own, theirs = zip(*pairs, strict=True)
            tables[name].foreign_keys.append(ForeignKey(own, other, theirs))
    return tables


def fits(column: Column, kind: CanonicalType) -> bool:
    """Whether `kind` is made for each value that the column can have."""
    proposal = casts.of_source(column)
    if column.values and kind.length:
        lengths = [len(value) for value in column.values]
        # A set's value has any of the labels, with commas between them.
        longest = sum(lengths) + len(lengths) - 1
        longest = max(lengths) if column.data_type == "enum" else longest
        return longest <= kind.length
    return kind.name in (proposal.type, proposal.otherwise) or bool(
        proposal.type
        and types.widens(types.parse(proposal.type).postgres, kind.postgres)
    )


def ambiguous(names: Iterable[str]) -> list[str]:
    """The tables whose names differ by case only.

    DuckDB's catalogue of a schema with such tables is wrong or can't be read, so
    that each table of the schema needs the option by_query.
    """
    count = Counter(name.lower() for name in names)
    return [name for name in names if count[name.lower()] > 1]
