"""CREATE TABLE: NOT NULL is enforced, keys are not.

So it is on Snowflake; fakesnow drops NOT NULL of a table made by a query, and DuckDB
enforces keys.
"""

from __future__ import annotations

from typing import Any

import fakesnow.transforms
from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot import exp

_KEYS = (
    exp.PrimaryKeyColumnConstraint,
    exp.UniqueColumnConstraint,
    exp.Reference,
    exp.PrimaryKey,
    exp.ForeignKey,
    exp.Constraint,
)
_STRICT = "emulated_not_null"


def install() -> None:
    """Correct how fakesnow creates tables."""
    transform = fakesnow.transforms.create_table_as
    run = FakeSnowflakeCursor._execute

    def create_table_as(expression: Any, engine: Any) -> Any:
        strict = _loosen(expression)
        out = transform(expression, engine)
        if strict:
            out.set(_STRICT, strict)
        return out

    def execute(cursor: Any, statement: Any, params: Any = None) -> Any:
        out = run(cursor, statement, params)
        if strict := statement.args.get(_STRICT):
            _tighten(cursor._duck_conn, statement.find(exp.Table).sql("duckdb"), strict)
        return out

    fakesnow.transforms.create_table_as = create_table_as
    FakeSnowflakeCursor._execute = execute


def _loosen(expression: Any) -> list[str]:
    """Remove keys from a CREATE TABLE; the NOT NULL columns, if a query fills it."""
    is_table = isinstance(expression, exp.Create) and expression.kind == "TABLE"
    if not is_table or not isinstance(expression.this, exp.Schema):
        return []
    schema, strict = expression.this, []
    kept = [e for e in schema.expressions if not isinstance(e, _KEYS)]
    schema.set("expressions", kept)
    for column in schema.find_all(exp.ColumnDef):
        constraints = [c for c in column.constraints if not isinstance(c.kind, _KEYS)]
        column.set("constraints", constraints)
        strict += [
            column.name
            for c in constraints
            if isinstance(c.kind, exp.NotNullColumnConstraint)
            and not c.kind.args.get("allow_null")
        ]
    return strict if expression.expression else []


def _tighten(engine: Any, table: str, columns: list[str]) -> None:
    try:
        for column in columns:
            engine.execute(f'alter table {table} alter column "{column}" set not null')
    except Exception:
        engine.execute(f"drop table {table}")
        raise
