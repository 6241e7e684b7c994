"""Queries of a table's log in the warehouse, as SQL.

Written apart from the dbt macros on purpose: their result is checked against it.
"""

from __future__ import annotations

from ingest.duck import literal, quoted
from ingest.seed.metadata import Table


def name_of(table: Table) -> str:
    """The log's quoted name."""
    return f"bronze.{quoted(table.bronze)}"


def key(table: Table) -> str:
    """The key's quoted columns, as a list."""
    return ", ".join(quoted(c.name) for c in table.key)


def latest_rows(
    table: Table, through: int, columns: str, where: str = "true", relation: str = ""
) -> str:
    """SQL for `columns` of each key's newest row up to batch `through`.

    `where` may narrow the keys; `relation` shows the log's rows in another form. A row
    that was first read after a tombstone takes effect no earlier than it:
    `_effective_ts`.
    """
    keys = key(table)
    return (
        f"select {columns} from (select distinct on ({keys}) * from (select *, "
        "greatest(_source_ts, max(_source_ts) filter (where _op = 'D') over ("
        f"partition by {keys} order by _batch_seq, _source_ts, _row_hash, _op "
        "rows between unbounded preceding and 1 preceding)) as _effective_ts "
        f"from {relation or name_of(table)} "
        f"where _batch_seq <= {through} and {where}) as _log "
        f"order by {keys}, _effective_ts desc, _batch_seq desc, _row_hash desc, "
        "_op desc) as _latest"
    )


def live_rows(
    table: Table, through: int, columns: str, where: str = "true", relation: str = ""
) -> str:
    """As `latest_rows`, without the keys that are deleted."""
    latest = latest_rows(table, through, columns, where, relation)
    return f"{latest} where _op <> 'D'"


def put_aside(table: Table, through: int, columns: str = "row_hash") -> str:
    """SQL for the key and `columns` of rows that a person left out of the log.

    That is, by `release --quarantine`, up to batch `through`.
    """
    keys = "".join(
        f"(row ->> {literal(c.name)})::{c.type.log} as {quoted(c.name)}, "
        for c in table.key
    )
    return (
        f"select {keys}{columns} from audit.quarantine "
        "join audit.batch using (table_id, batch_seq) "
        f"where table_id = {literal(table.id)} and state = 'released' "
        f"and batch_seq <= {through}"
    )
