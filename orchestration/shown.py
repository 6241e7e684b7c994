"""Whether silver shows the rows that are live in the log.

Both sides are summed up as the key of each row and the batch that it came with: a
model that missed a batch has as many keys as before, and differs all the same.
`reconcile`, which has more time, compares all values of a row: silver with what staging
makes of the log.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from ingest import bronze_log, control
from ingest.control import Connection, Released
from ingest.duck import quoted
from ingest.errors import first_line
from ingest.seed.metadata import Column, Table
from ingest.statements import Statements
from orchestration import build

_SQL = Statements(__file__)
IDENTITY = "live keys of the log = live keys of silver"


@dataclass(frozen=True)
class Shown:
    """The log's live rows, and those of silver; `sample` names some that differ.

    Where there are as many of both but they differ, `in_silver` counts those that are
    alike.
    """

    in_log: int
    in_silver: int
    sample: str = ""
    is_built: bool = True

    @property
    def unbuilt(self) -> int:
        """How many rows silver should show differently, at least."""
        return abs(self.in_log - self.in_silver)


def compare(connection: Connection, table: Table, released: Released) -> Shown:
    """Compare the table's model with its log, as far as it is released.

    By key and batch. A model that is not there shows no row.
    """
    key = _key([_as_in_silver(column) for column in table.key])
    there = _in_log(table, released, bronze_log.name_of(table), key, _batch(table))
    return _compare(connection, table, there, _in_silver(table, _batch(table)))


def compare_changed(connection: Connection, table: Table, released: Released) -> Shown:
    """As `compare`, which is not repeated where nothing has changed since.

    That is, neither log nor model, however they would have been changed.
    """
    silver, staging = build.schema_of("silver"), build.schema_of("staging")
    here = {"environment": silver, "table_id": table.id}
    state = _SQL.value(
        connection,
        "state",
        table_id=table.id,
        log=table.bronze,
        schemas=[silver, staging],
        models=[table.model, table.staging, *table.generated_names],
        through=released.through,
        snapshot=released.snapshot_seq,
    )
    before = _SQL.run(connection, "before", state=state, **here).fetchone()
    if before:
        return Shown(before[0], before[0])
    found = compare(connection, table, released)
    if found.unbuilt:
        _SQL.run(connection, "forget", **here)
    else:
        _SQL.run(connection, "note", state=state, live_rows=found.in_log, **here)
    return found


def compare_content(connection: Connection, table: Table, released: Released) -> Shown:
    """Compare all values of the model's rows with what staging makes of the log."""
    staging = f"{quoted(build.schema_of('staging'))}.{quoted(table.staging)}"
    key, content = _key([quoted(c.name) for c in table.key]), _content(table)
    there = _in_log(table, released, staging, key, content)
    try:
        return _compare(connection, table, there, _in_silver(table, content))
    except psycopg.errors.UndefinedTable as error:
        return Shown(0, 0, first_line(error), is_built=False)
    except psycopg.errors.UndefinedColumn:  # the seed has one that is not built yet
        return compare(connection, table, released)


def _compare(connection: Connection, table: Table, there: str, here: str) -> Shown:
    in_log, sum_of_log = _sum(connection, there)
    try:
        in_silver, sum_of_silver = _sum(connection, here)
    except psycopg.errors.UndefinedTable as error:
        return Shown(in_log, 0, first_line(error), is_built=False)
    if (in_log, sum_of_log) == (in_silver, sum_of_silver):
        return Shown(in_log, in_silver)
    if in_log == in_silver:
        both = f"select count(*) from ({there} intersect {here}) as alike"
        in_silver = control.count(connection, _query(both))
    rows = connection.execute(
        _query(
            f"select distinct _key from (({there} except {here}) "
            f"union all ({here} except {there})) as differing order by 1 limit 5"
        )
    ).fetchall()
    keys = ", ".join(key for (key,) in rows)
    if not table.key or any(c.pii for c in table.key):
        return Shown(in_log, in_silver)
    return Shown(in_log, in_silver, f"{', '.join(c.name for c in table.key)} {keys}")


def _in_log(
    table: Table, released: Released, relation: str, key: str, version: str
) -> str:
    """SQL for key and version of each live row of the log, which `relation` shows."""
    columns = f"{key} as _key, {version}"
    if table.load_type.reads_whole:
        return (
            f"select {columns} from {relation} "
            f"where _batch_seq = {released.snapshot_seq}"
        )
    return bronze_log.live_rows(table, released.through, columns, relation=relation)


def _in_silver(table: Table, version: str) -> str:
    """The same of silver."""
    model = f"{quoted(build.schema_of('silver'))}.{quoted(table.model)}"
    key = _key([quoted(column.name) for column in table.key])
    return f"select {key} as _key, {version} from {model} where not is_deleted"


def _content(table: Table) -> str:
    """All values of a row; dbt's snapshots follow the tracked columns alone."""
    columns = [
        quoted(c.name)
        for c in table.columns
        if c.tracked or c.key_position or not table.load_type.is_snapshot
    ]
    return f"md5(row({', '.join(columns)})::text)"


def _batch(table: Table) -> str:
    """The row's batch; dbt's snapshots keep that of the last tracked change."""
    return "0" if table.load_type.is_snapshot else "_batch_seq"


def _as_in_silver(column: Column) -> str:
    kind = column.type
    name = quoted(column.name)
    return name if kind.log == kind.postgres else f"{name}::{kind.postgres}"


def _key(columns: list[str]) -> str:
    return f"concat_ws('/', {', '.join(columns)})" if columns else "''"


def _sum(connection: Connection, rows: str) -> tuple[int, int]:
    """Number of rows, and the sum of their hashes."""
    row = connection.execute(
        _query(
            "select count(*), "
            "coalesce(sum(hashtextextended(_key || ' ' || _batch, 0)::numeric), 0) "
            f"from ({rows}) as rows (_key, _batch)"
        )
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def _query(text: str) -> sql.SQL:
    return sql.SQL(text)
