"""Profiles of a batch's columns, and whether they are unusual for its table.

DuckDB reads the batch's bronze files and returns a row of aggregates; no row of the
table becomes a Python object. Of personal data only counts and lengths are kept, no
value. The batch is then compared with the table's past batches, in SQL.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
from psycopg import sql
from psycopg.rows import class_row

from gx.counts import Result
from ingest import duck, settings
from ingest.control import Batch, Connection
from ingest.errors import SeedbedError
from ingest.lake import Lake, Manifest
from ingest.seed.metadata import Column, Table
from ingest.statements import query

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# How much is kept of the least and the greatest text.
_SHOWN = 100
# Up to this many rows all is measured on all of them; beyond that distinct values are
# estimated, and quantiles, means and deviations are those of about so many rows.
EXACT_ROWS = 100_000
# A double can't hold the sum of squares of larger numbers, so these are in neither mean
# nor deviation.
_LARGEST = 1e140
# This many columns are profiled in one scan: each has a hash table of distinct values,
# of some MB even where it holds one. Parquet makes a scan of other columns cost
# nothing.
_TOGETHER = 32
# Profiles of this many batches of a table are kept.
KEPT = 400


def profile(connection: Connection, table: Table, batch: Batch, found: Manifest) -> int:
    """Write a row for each column of the batch to audit.column_profile.

    Returns the number of rows profiled; for none, and for a batch that was profiled
    before, nothing is written.
    """
    lake = Lake(settings.ROOT)
    parts = [part for part in found.bronze if part.rows]
    if not parts:
        return 0
    files = [
        local if (local := lake.local(part.key)).exists() else lake.fetch(part)
        for part in parts
    ]
    with duck.engine(settings.ROOT / ".seedbed" / "tmp") as engine:
        share = (found.rows_written - 1) // EXACT_ROWS
        groups = [
            table.columns[start : start + _TOGETHER]
            for start in range(0, len(table.columns), _TOGETHER)
        ]
        try:
            found_rows = [
                engine.execute(_query(table, group, files, share)).fetchone()
                for group in groups
            ]
        except duckdb.Error as error:
            said, hint = duck.explained(
                error,
                "Run again, or leave the profile out with the option profile=false in "
                "seeds/metadata/options.csv; the batch stays loaded and nothing "
                "downstream reads it.",
            )
            raise SeedbedError(
                f"{table.id}: batch {batch.batch_id} could not be profiled: {said}",
                hint,
            ) from error
    rows = max(row[0] for row in found_rows if row)
    columns = [column for row in found_rows if row for column in row[1]]
    if not rows:
        return 0
    names = list(columns[0])
    with connection.cursor() as cursor:
        cursor.executemany(
            sql.SQL(
                "insert into audit.column_profile (table_id, batch_seq, rows, {}) "
                "values ({}) on conflict do nothing"
            ).format(
                sql.SQL(", ").join(map(sql.Identifier, names)),
                sql.SQL(", ").join([sql.Placeholder()] * (len(names) + 3)),
            ),
            [(table.id, batch.batch_seq, rows, *c.values()) for c in columns],
        )
        cursor.execute(
            "delete from audit.column_profile where table_id = %s and batch_seq <= %s",
            (table.id, batch.batch_seq - KEPT),
        )
    return int(rows)


def judge(
    connection: Connection, table: Table, batch: Batch, found: Manifest
) -> list[Result]:
    """Profile the batch, and compare it with the table's past batches.

    Returns a result for each kind of anomaly for which there are enough past batches.
    """
    if not table.options.profile:
        return []
    started = time.monotonic()
    profile(connection, table, batch, found)
    if not table.options.anomaly_score or batch.kind != "window":
        return []
    with connection.cursor(row_factory=class_row(Result)) as cursor:
        return cursor.execute(
            query(__file__, "anomalies"),
            {
                "table_id": table.id,
                "batch_seq": batch.batch_seq,
                "most": table.options.anomaly_score,
                "least": table.options.anomaly_batches,
                "severity": table.options.anomaly_severity,
                "seconds": time.monotonic() - started,
            },
        ).fetchall()


def _query(table: Table, group: Sequence[Column], files: list[Path], share: int) -> str:
    """One scan of the files: their rows, and a list with a struct for each column.

    What need not be exact is measured on one row of `share`, if that is not 0.
    """
    columns = ",\n".join(_aggregates(column, share) for column in group)
    paths = ", ".join(duck.literal(file) for file in files)
    # A tombstone repeats what was released; where the source marks what it deleted,
    # such a row counts as the source's, too.
    rows = "true" if table.options.soft_delete_column else "_op = 'U'"
    return f"select count(*), [{columns}]\nfrom read_parquet([{paths}]) where {rows}"


def _aggregates(column: Column, share: int) -> str:
    name = duck.quoted(column.name)
    family = column.type.family
    number = {"number": f"{name}::double", "boolean": f"{name}::integer::double"}
    value = number.get(family) if not column.pii else None
    least, greatest = f"min({name})", f"max({name})"
    if family == "text":
        least, greatest = (f"left({edge}, {_SHOWN})" for edge in (least, greatest))
    shown = family in ("number", "text", "time") and not column.pii
    sampled = f"_row_hash % {share} = 0" if share else "true"
    measured = f"filter (where {sampled} and abs({value}) < {_LARGEST})"
    at = f"epoch({name})" if family == "time" and not column.pii else None
    spread = (value if family == "number" else None) or at
    length = f"length({name})" if family == "text" else None
    distinct = "approx_count_distinct({})" if share else "count(distinct {})"
    if not share and family == "text":
        # A fingerprint stands for a text, which may be of any length.
        distinct = "count(distinct hash({0})) filter (where {0} is not null)"
    parts: dict[str, Any] = {
        "column_name": duck.literal(column.name),
        "nulls": f"count(*) - count({name})",
        "distinct_count": distinct.format(name) if family else "null",
        "least": f"{least}::varchar" if shown else "null",
        "greatest": f"{greatest}::varchar" if shown else "null",
        "quantiles": (
            f"approx_quantile({spread}, {list(QUANTILES)}) filter (where {sampled})"
            if spread
            else "null"
        ),
        "mean": f"avg({value}) {measured}" if value else "null",
        "deviation": f"stddev_pop({value}) {measured}" if value else "null",
        "shortest": f"min({length})" if length else "null",
        "longest": f"max({length})" if length else "null",
        "mean_length": f"avg({length}) filter (where {sampled})" if length else "null",
    }
    kinds = {
        "column_name": "varchar",
        "least": "varchar",
        "greatest": "varchar",
        "quantiles": "double[]",
        "mean": "double",
        "deviation": "double",
        "mean_length": "double",
    }
    inside = ", ".join(
        f"'{part}': ({value})::{kinds.get(part, 'bigint')}"
        for part, value in parts.items()
    )
    return f"{{{inside}}}"
