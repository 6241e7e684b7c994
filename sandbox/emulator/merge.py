"""MERGE, by DuckDB's own: fakesnow's can't resolve the unqualified columns of dbt's.

Two source rows for one target row are refused, as Snowflake does.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import fakesnow.transforms
import snowflake.connector.errors as errors
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.transforms.merge import operations
from sqlglot import exp, parse_one


def install() -> None:
    """Run MERGE statements natively."""
    fakesnow.transforms.merge = lambda expression: [expression]
    run = FakeSnowflakeCursor._execute

    def execute(cursor: Any, statement: Any, params: Any = None) -> Any:
        if isinstance(statement, exp.Merge):
            statement, params = _merge(cursor._duck_conn, statement, params), None
        return run(cursor, statement, params)

    FakeSnowflakeCursor._execute = execute


def _merge(engine: Any, statement: Any, params: Any) -> Any:
    """Merge, and return the SELECT of what Snowflake answers: counts by action."""
    actions = [action for action, places in operations(statement).items() if places]
    if actions != ["inserted"]:
        _refuse_duplicates(engine, statement, params)
    native = statement.sql(dialect="duckdb") + " returning merge_action"
    done = Counter(a for (a,) in engine.execute(native, params).fetchall())
    counts = (
        f'{done[action[:6].upper()]} as "number of rows {action}"' for action in actions
    )
    return parse_one(f"select {', '.join(counts)}")


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
