"""Lengths of texts, which DuckDB does not have: stored beside the tables.

fakesnow notes those that a statement spells out. Here a table or view made by a query
inherits the others from columns of the same name in what the query reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fakesnow.transforms
from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot import exp

_TEXT = (exp.DataType.Type.VARCHAR, exp.DataType.Type.TEXT)
_NOTES = "_fs_global._fs_information_schema._fs_columns_ext"
_UNLIMITED = 16777216


def install() -> None:
    """Note lengths when a relation is made."""
    run = FakeSnowflakeCursor._execute

    def extract_text_length(expression: Any) -> Any:
        found = []
        if isinstance(expression, exp.Create):
            found = _spelled_out(expression)
        elif isinstance(expression, exp.Alter):
            found = _defined(expression.args.get("actions") or [])
        if found:
            expression.args["text_lengths"] = found
        return expression

    def execute(cursor: Any, statement: Any, params: Any = None) -> Any:
        is_made = isinstance(statement, exp.Create) and statement.kind in (
            "TABLE",
            "VIEW",
        )
        read = []
        if is_made and statement.expression is not None:
            read = [_place(cursor, t) for t in statement.expression.find_all(exp.Table)]
        out = run(cursor, statement, params)
        if read:
            made = _place(cursor, statement.find(exp.Table))
            _inherit(cursor._conn.cursor()._duck_conn.cursor(), made, read)
        return out

    fakesnow.transforms.extract_text_length = extract_text_length
    FakeSnowflakeCursor._execute = execute


def _spelled_out(expression: Any) -> list[tuple[str, int]]:
    """The texts that a CREATE defines, or casts in its query, with their lengths."""
    if isinstance(expression.this, exp.Schema):
        return _defined(expression.this.expressions)
    query = expression.expression
    while isinstance(query, exp.Subquery):
        query = query.this
    if not isinstance(query, exp.Select):
        return []
    return [
        (item.alias_or_name, length)
        for item in query.expressions
        if isinstance(cast := item.unalias(), exp.Cast)
        and (length := _length(cast.to)) is not None
    ]


def _defined(columns: Any) -> list[tuple[str, int]]:
    """The texts among column definitions, with their lengths."""
    return [
        (column.name, length)
        for column in columns
        if (kind := column.args.get("kind") or column.args.get("dtype")) is not None
        and (length := _length(kind)) is not None
    ]


def _length(kind: Any) -> int | None:
    """The length of a text type; None for any other type."""
    if not isinstance(kind, exp.DataType) or kind.this not in _TEXT:
        return None
    size = kind.find(exp.DataTypeParam)
    return int(size.this.name) if size else _UNLIMITED


def _place(cursor: Any, table: Any) -> tuple[str, str, str]:
    return (
        table.catalog or cursor._conn.database or "",
        table.db or cursor._conn.schema or "",
        table.name,
    )


def _inherit(
    engine: Any, made: tuple[str, ...], read: Sequence[tuple[str, ...]]
) -> None:
    """Give the columns of `made` without a note the greatest length of those read."""
    marks = ", ".join(["(?, ?, ?)"] * len(read))
    engine.execute(
        f"insert into {_NOTES} "
        "select ?, ?, ?, ext_column_name, max(ext_character_maximum_length), "
        f"max(ext_character_octet_length) from {_NOTES} where (ext_table_catalog, "
        f"ext_table_schema, ext_table_name) in ({marks}) "
        "group by ext_column_name on conflict do nothing",
        [*made, *(part for place in read for part in place)],
    )
