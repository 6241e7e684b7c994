"""Queries of a table's log in the warehouse, as SQL.

Written apart from the dbt macros on purpose: their result is checked against it.
"""

from __future__ import annotations

from ingest.duck import quoted
from ingest.seed.metadata import Table
from ingest.statements import render


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
    return render(
        "latest_rows",
        columns=columns,
        key=key(table),
        relation=relation or name_of(table),
        through=through,
        where=where,
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
    return render("put_aside", table=table, through=through, columns=columns)
