"""Lengths of texts, which DuckDB does not have: stored beside the tables.

fakesnow notes those that a statement spells out, but mistakes a cast of a cast. A table
or view made by a query inherits the others from columns of the same name in what the
query reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        if found := list(_spelled_out(expression)):
            expression.args["text_lengths"] = found
        return expression

    def execute(cursor: Any, statement: Any, params: Any = None) -> Any:
        read = []
        if isinstance(statement, exp.Create) and statement.expression is not None:
            read = [_place(cursor, t) for t in statement.expression.find_all(exp.Table)]
        out = run(cursor, statement, params)
        if read:
            made = _place(cursor, statement.find(exp.Table))
            _inherit(cursor._duck_conn.cursor(), made, read)
        return out

    fakesnow.transforms.extract_text_length = extract_text_length
    FakeSnowflakeCursor._execute = execute


def _spelled_out(statement: Any) -> Iterator[tuple[str, int]]:
    """The texts that a CREATE or ALTER defines or casts to, with their lengths."""
    items: list[Any] = []
    if isinstance(statement, exp.Alter):
        items = statement.args.get("actions") or []
    elif isinstance(statement, exp.Create):
        if isinstance(statement.this, exp.Schema):
            items = statement.this.expressions
        elif statement.expression is not None:
            items = statement.expression.unnest().expressions
    for item in items:
        kinds = [item.unalias().args.get(arg) for arg in ("kind", "dtype", "to")]
        for kind in kinds:
            if isinstance(kind, exp.DataType) and kind.this in _TEXT:
                size = kind.find(exp.DataTypeParam)
                yield item.alias_or_name, int(size.this.name) if size else _UNLIMITED


def _place(cursor: Any, table: Any) -> tuple[str, str, str]:
    session = cursor._conn
    database, schema = session.database or "", session.schema or ""
    return table.catalog or database, table.db or schema, table.name


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
