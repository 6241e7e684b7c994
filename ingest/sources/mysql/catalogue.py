"""The catalogue of a MySQL or MariaDB source: what its tables are made of.

Four queries of information_schema, however many tables there are. Names and comments
are data: they are returned as they are, and quoted where they are used.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pymysql

from ingest.seed import types
from ingest.seed.metadata import Source
from ingest.seed.types import CanonicalType, SourceColumn
from ingest.sources.mysql.source import connect

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


_TABLES = """
select table_name, table_type, table_rows, table_comment
from information_schema.tables
where table_schema = %s and table_type in ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW')
"""
_COLUMNS = """
select
    table_name, column_name, data_type, column_type, is_nullable = 'YES',
    character_maximum_length, numeric_precision, numeric_scale, extra, column_comment
from information_schema.columns
where table_schema = %s
order by table_name, ordinal_position
"""
# A part of an index that is an expression has no column name.
_KEYS = """
select table_name, index_name, column_name
from information_schema.statistics
where table_schema = %s and non_unique = 0
order by table_name, index_name, seq_in_index
"""
_FOREIGN_KEYS = """
select
    table_name, constraint_name, column_name, referenced_table_name,
    referenced_column_name
from information_schema.key_column_usage
where table_schema = %s and referenced_table_schema = %s
order by table_name, constraint_name, ordinal_position
"""
# MariaDB's JSON is a LONGTEXT with this check on the column.
_JSON = """
select table_name, constraint_name
from information_schema.check_constraints
where
    constraint_schema = %s
    and level = 'Column'
    and check_clause = concat(
        'json_valid(`', replace(constraint_name, '`', '``'), '`)'
    )
"""

Cursor = pymysql.cursors.Cursor


def read(source: Source) -> dict[str, SourceTable]:
    """All tables and views of the source's schema by name.

    Raises ServiceError when the source can't be read.
    """
    with connect(source) as connection, connection.cursor() as cursor:
        return _read(cursor, source.schema)


def _read(cursor: Cursor, schema: str) -> dict[str, SourceTable]:
    # Of names that differ by case only, the one in lower case comes first.
    names = sorted(
        _ask(cursor, _TABLES, schema), key=lambda r: (r[0].lower(), r[0].swapcase())
    )
    tables = {
        name: SourceTable(
            name,
            kind == "VIEW",
            None if kind == "VIEW" else int(rows or 0),
            # A view's comment is the word VIEW, or what is wrong with it.
            "" if kind == "VIEW" else comment or "",
        )
        for name, kind, rows, comment in names
    }
    json = _json_columns(cursor, schema)
    for table, name, kind, declared, nullable, *facts in _ask(cursor, _COLUMNS, schema):
        length, precision, scale, extra, comment = facts
        if table in tables:
            tables[table].columns[name] = Column(
                name,
                kind.lower(),
                _text(declared),
                bool(nullable),
                length,
                precision,
                scale,
                (table, name) in json,
                extra or "",
                comment or "",
            )
    keys: dict[tuple[str, str], list[str | None]] = defaultdict(list)
    for name, index, column in _ask(cursor, _KEYS, schema):
        keys[name, index].append(column)
    for (name, index), parts in keys.items():
        if name in tables and None not in parts:
            tables[name].keys.append(Key(index, tuple(p for p in parts if p)))
    foreign: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    for name, constraint, column, other, referenced in _ask(
        cursor, _FOREIGN_KEYS, schema, schema
    ):
        foreign[name, constraint, other].append((column, referenced))
    for (name, _, other), pairs in foreign.items():
        if name in tables:
            own, theirs = zip(*pairs, strict=True)
            tables[name].foreign_keys.append(ForeignKey(own, other, theirs))
    return tables


def _ask(cursor: Cursor, query: str, *values: str) -> list[tuple[Any, ...]]:
    cursor.execute(query, values)
    return list(cursor.fetchall())


def _json_columns(cursor: Cursor, schema: str) -> set[tuple[str, str]]:
    """The columns that MariaDB checks for JSON; MySQL says so by their type."""
    try:
        return {(table, column) for table, column in _ask(cursor, _JSON, schema)}
    except pymysql.err.MySQLError:
        return set()


def _text(value: str | bytes) -> str:
    # MySQL 8 returns column_type as a blob.
    return value.decode() if isinstance(value, bytes) else value


def fits(column: Column, kind: CanonicalType) -> bool:
    """Whether `kind` is made for each value that the column can have."""
    proposal = types.of_source(column)
    if column.values and kind.name.startswith("varchar"):
        lengths = [len(value) for value in column.values]
        # A set's value has any of the labels, with commas between them.
        longest = sum(lengths) + len(lengths) - 1
        longest = max(lengths) if column.data_type == "enum" else longest
        return longest <= int(kind.name[8:-1])
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
