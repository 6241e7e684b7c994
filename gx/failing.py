"""The rows of a batch that fail a rule: all of them, found by separate SQL.

Great Expectations says how many rows of the files fail, this module which ones of the
log. Written apart from the expectations on purpose: the counts of both must agree.
"""

from __future__ import annotations

from psycopg import sql

from ingest import bronze_log, control
from ingest.control import Batch
from ingest.seed import suites
from ingest.seed.metadata import Table
from ingest.seed.suites import Expectation

# Keys that a message shows.
SHOWN = 5


def checked(table: Table) -> str:
    """SQL that is true of the log's rows that the gate checks: the source's.

    A tombstone repeats what was released. Where the source marks what it deleted, such
    a row counts as the source's, too.
    """
    return "true" if table.options.soft_delete_column else "_op = 'U'"


def failing(table: Table, batch: Batch, rule: Expectation, columns: str) -> str:
    """SQL for `columns` of the batch's rows that fail the rule."""
    rows = (
        f"select *, {rule.failing} as _fails from {bronze_log.name_of(table)} "
        f"where _batch_seq = {batch.batch_seq} and {checked(table)}"
    )
    return f"select {columns} from ({rows}) as checked where _fails"


def types(connection: control.Connection, table: Table) -> dict[str, str]:
    """The log's columns and their types."""
    rows = connection.execute(
        f"select attname, {suites.PLAIN} from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 and not attisdropped",
        (bronze_log.name_of(table),),
    )
    return {str(name): str(kind) for name, kind in rows}


def keep(
    connection: control.Connection, table: Table, batch: Batch, rule: Expectation
) -> int:
    """Copy the rows that fail the rule to the quarantine; return their number."""
    names = sql.SQL(", ").join(sql.Identifier(c.name) for c in table.columns)
    pairs = failing(table, batch, rule, "*")
    cursor = connection.execute(
        sql.SQL(
            "insert into audit.quarantine (table_id, batch_seq, rule_id, row_hash, "
            "source_ts, row) "
            "select {}, {}, {}, _row_hash, _source_ts, (select row_to_json(_row) from "
            f"(select {{}}) as _row) from ({pairs}) as failing"
        ).format(
            sql.Literal(table.id), batch.batch_seq, sql.Literal(rule.rule_id), names
        )
    )
    return cursor.rowcount


def sample(
    connection: control.Connection, table: Table, batch: Batch, rule: Expectation
) -> str:
    """The keys of some of these rows, '' where they may not be shown."""
    if not table.key or any(c.pii for c in table.key):
        return ""
    key = ", ".join(f'"{c.name}"::text' for c in table.key)
    text = f"concat_ws('/', {key})"
    order = bronze_log.key(table)
    query = failing(table, batch, rule, text)
    found = connection.execute(f"{query} order by {order} limit {SHOWN + 1}").fetchall()
    keys = [str(row[0]) for row in found]
    more = ", …" if len(keys) > SHOWN else ""
    name = "/".join(c.name for c in table.key)
    return f"{name} {', '.join(keys[:SHOWN])}{more}"
