"""CREATE TABLE: NOT NULL is enforced, other constraints are only noted.

So it is on Snowflake; fakesnow drops NOT NULL of a table made by a query, and DuckDB
enforces keys.
"""

from __future__ import annotations

from typing import Any

import fakesnow.info_schema
import fakesnow.transforms
from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot import exp

_OF_COLUMN = (
    exp.PrimaryKeyColumnConstraint,
    exp.UniqueColumnConstraint,
    exp.Reference,
)
_OF_TABLE = (
    exp.PrimaryKey,
    exp.ForeignKey,
    exp.Constraint,
    exp.UniqueColumnConstraint,
)
_STRICT = "emulated_not_null"


def install() -> None:
    """Correct how fakesnow creates tables and stores their comments."""
    transform = fakesnow.transforms.create_table_as
    run = FakeSnowflakeCursor._execute
    comment_sql = fakesnow.info_schema.insert_table_comment_sql

    def create_table_as(expression: Any, engine: Any) -> Any:
        strict = _loosen(expression)
        out = transform(expression, engine)
        if strict:
            out.set(_STRICT, strict)
        return out

    def execute(cursor: Any, statement: Any, params: Any = None) -> Any:
        strict = isinstance(statement, exp.Create) and statement.args.get(_STRICT)
        out = run(cursor, statement, params)
        if strict:
            _tighten(cursor._duck_conn, statement.find(exp.Table).sql("duckdb"), strict)
        return out

    def insert_table_comment_sql(
        catalog: str, schema: str, table: str, comment: str
    ) -> Any:
        quoted = comment and comment.replace("'", "''")
        return comment_sql(catalog, schema, table, quoted)

    fakesnow.transforms.create_table_as = create_table_as
    fakesnow.info_schema.insert_table_comment_sql = insert_table_comment_sql
    FakeSnowflakeCursor._execute = execute


def _loosen(expression: Any) -> list[str]:
    """Remove keys from a CREATE TABLE; the NOT NULL columns, if a query fills it."""
    is_table = isinstance(expression, exp.Create) and expression.kind == "TABLE"
    if not is_table or not isinstance(expression.this, exp.Schema):
        return []
    schema = expression.this
    for constraint in list(schema.find_all(exp.ColumnConstraint)):
        if isinstance(constraint.kind, _OF_COLUMN):
            constraint.pop()
    kept = [e for e in schema.expressions if not isinstance(e, _OF_TABLE)]
    schema.set("expressions", kept)
    if expression.expression is None:
        return []
    return [
        column.name
        for column in kept
        if isinstance(column, exp.ColumnDef)
        and any(
            isinstance(c.kind, exp.NotNullColumnConstraint)
            and not c.kind.args.get("allow_null")
            for c in column.args.get("constraints") or []
        )
    ]


def _tighten(engine: Any, table: str, columns: list[str]) -> None:
    try:
        for column in columns:
            engine.execute(f'alter table {table} alter column "{column}" set not null')
    except Exception:
        engine.execute(f"drop table {table}")
        raise
