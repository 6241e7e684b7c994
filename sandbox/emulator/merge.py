"""MERGE, by DuckDB's own: fakesnow's can't resolve the unqualified columns of dbt's.

Two source rows for one target row are refused, as Snowflake does.
"""

from __future__ import annotations

from typing import Any

import fakesnow.transforms
import snowflake.connector.errors as errors
from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot import exp, parse_one

_DONE = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}


def install() -> None:
    """Run MERGE statements natively."""
    fakesnow.transforms.merge = lambda expression: [expression]
    run = FakeSnowflakeCursor._execute

    def execute(cursor: Any, statement: Any, params: Any = None) -> Any:
        if not isinstance(statement, exp.Merge):
            return run(cursor, statement, params)
        return run(cursor, _merge(cursor._duck_conn, statement, params), None)

    FakeSnowflakeCursor._execute = execute


def _merge(engine: Any, statement: Any, params: Any) -> Any:
    """Merge, and return the SELECT of what Snowflake answers: counts by action."""
    actions = _unqualified(statement)
    if {*actions} - {"inserted"}:
        _refuse_duplicates(engine, statement, params)
    done = dict.fromkeys(_DONE.values(), 0)
    native = statement.sql(dialect="duckdb") + " returning merge_action"
    for (action,) in engine.execute(native, params).fetchall():
        done[_DONE[action]] += 1
    counts = [
        f'{done[action]} as "number of rows {action}"'
        for action in done
        if action in actions
    ]
    return parse_one(f"select {', '.join(counts)}")


def _unqualified(statement: Any) -> list[str]:
    """Take the qualifiers off the columns that are written; the actions it has."""
    whens = statement.args["whens"]
    actions = []
    for when in getattr(whens, "expressions", whens):
        then = when.args["then"]
        if isinstance(then, exp.Update):
            actions.append("updated")
            for assignment in then.expressions:
                assignment.set("this", exp.column(assignment.this.this.copy()))
        elif isinstance(then, exp.Insert):
            actions.append("inserted")
            if then.this is not None and hasattr(then.this, "expressions"):
                columns = [
                    exp.column(c.this.copy()) if isinstance(c, exp.Column) else c
                    for c in then.this.expressions
                ]
                then.this.set("expressions", columns)
        else:
            actions.append("deleted")
    return actions


def _refuse_duplicates(engine: Any, statement: Any, params: Any) -> None:
    target, source, on = (statement.args[name] for name in ("this", "using", "on"))
    duplicates = (
        f"select 1 from {target.sql('duckdb')} join {source.sql('duckdb')} "
        f"on {on.sql('duckdb')} group by {target.alias_or_name}.rowid "
        "having count(*) > 1 limit 1"
    )
    if engine.execute(duplicates, params).fetchone():
        raise errors.ProgrammingError(
            msg="Duplicate row detected during DML action",
            errno=100090,
            sqlstate="42P18",
        )
