"""Whether silver shows the rows that are live in the log.

Both sides are summed up as the key of each row and the batch that it came with: a
model that missed a batch has as many keys as before, and differs all the same.
`reconcile`, which has more time, compares all values of a row: silver with what staging
makes of the log.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from ingest import bronze_log
from ingest.control import Connection, Released
from ingest.duck import quoted
from ingest.errors import first_line
from ingest.seed.metadata import Table
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
    key = [
        quoted(c.name)
        if c.type.log == c.type.postgres
        else f"{quoted(c.name)}::{c.type.postgres}"
        for c in table.key
    ]
    # dbt's snapshots keep the batch of the last tracked change.
    version = "0" if table.load_type.is_snapshot else "_batch_seq"
    log = bronze_log.name_of(table)
    return _compare(connection, table, released, log, _key(key), version)


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
    # dbt's snapshots follow the tracked columns alone.
    columns = [
        quoted(c.name)
        for c in table.columns
        if c.tracked or c.key_position or not table.load_type.is_snapshot
    ]
    content = f"md5(row({', '.join(columns)})::text)"
    key = _key_in_silver(table)
    try:
        return _compare(connection, table, released, staging, key, content)
    except psycopg.errors.UndefinedTable as error:
        return Shown(0, 0, first_line(error), is_built=False)
    except psycopg.errors.UndefinedColumn:  # the seed has one that is not built yet
        return compare(connection, table, released)


def _compare(
    connection: Connection,
    table: Table,
    released: Released,
    relation: str,
    key: str,
    version: str,
) -> Shown:
    """Compare key and version of the log's live rows, which `relation` shows."""
    columns = f"{key} as _key, {version}"
    if table.load_type.reads_whole:
        of_batch = f"where _batch_seq = {released.snapshot_seq}"
        there = f"select {columns} from {relation} {of_batch}"
    else:
        through = released.through
        there = bronze_log.live_rows(table, through, columns, relation=relation)
    model = f"{quoted(build.schema_of('silver'))}.{quoted(table.model)}"
    columns = f"{_key_in_silver(table)} as _key, {version}"
    here = f"select {columns} from {model} where not is_deleted"
    in_log, sum_of_log = _sum(connection, there)
    try:
        in_silver, sum_of_silver = _sum(connection, here)
    except psycopg.errors.UndefinedTable as error:
        return Shown(in_log, 0, first_line(error), is_built=False)
    if (in_log, sum_of_log) == (in_silver, sum_of_silver):
        return Shown(in_log, in_silver)
    if in_log == in_silver:
        both = f"select count(*) from ({there} intersect {here}) as alike"
        ((in_silver,),) = connection.execute(both.encode()).fetchall()
    if not table.key or any(c.pii for c in table.key):
        return Shown(in_log, in_silver)
    differing = (
        f"select distinct _key from (({there} except {here}) "
        f"union all ({here} except {there})) as differing order by 1 limit 5"
    )
    keys = ", ".join(key for (key,) in connection.execute(differing.encode()))
    return Shown(in_log, in_silver, f"{', '.join(c.name for c in table.key)} {keys}")


def _key_in_silver(table: Table) -> str:
    return _key([quoted(c.name) for c in table.key])


def _key(columns: list[str]) -> str:
    return f"concat_ws('/', {', '.join(columns)})" if columns else "''"


def _sum(connection: Connection, rows: str) -> tuple[int, int]:
    """Number of rows, and the sum of their hashes."""
    query = (
        "select count(*), "
        "coalesce(sum(hashtextextended(_key || ' ' || _batch, 0)::numeric), 0) "
        f"from ({rows}) as rows (_key, _batch)"
    )
    (row,) = connection.execute(query.encode()).fetchall()
    return row[0], row[1]
