"""Profiles of a batch's columns, and whether they are unusual for its table.

DuckDB reads the batch's bronze files and returns a row of aggregates; no row of the
table becomes a Python object. Of personal data only counts and lengths are kept, no
value. The batch is then compared with the table's past batches, in SQL.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from psycopg.rows import class_row

from gx import failing
from gx.counts import Result
from ingest import duck, settings
from ingest.control import Batch, Connection
from ingest.errors import SeedbedError
from ingest.seed.metadata import Column, Table
from ingest.statements import Statements, query, render

_SQL = Statements(__file__)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Up to this many rows all is measured on all of them; beyond that distinct values are
# estimated, and quantiles, means and deviations are those of about so many rows.
EXACT_ROWS = 100_000
# This many columns are profiled in one scan: each has a hash table of distinct values,
# of some MB even where it holds one. Parquet makes a scan of other columns cost
# nothing.
_TOGETHER = 32
# Profiles of this many batches of a table are kept.
_KEPT = 400


class Profile(NamedTuple):
    """How many rows were profiled, and what `profile.sql` notes of each column."""

    rows: int
    columns: list[dict[str, Any]]


def measure(
    table: Table, batch: Batch, files: Sequence[Path], rows: int
) -> Profile | None:
    """The profile of a batch's files, which have so many rows; None without any."""
    if not table.options.profile or not files:
        return None
    share = (rows - 1) // EXACT_ROWS
    profiled, columns = 0, []
    try:
        with duck.engine(settings.ROOT / ".seedbed" / "tmp") as engine:
            for start in range(0, len(table.columns), _TOGETHER):
                group = table.columns[start : start + _TOGETHER]
                query = _query(table, group, files, share)
                profiled, found = duck.one(engine, query)
                columns += found
    except duckdb.Error as error:
        said, hint = duck.explained(
            error,
            "Run again, or leave the profile out with the option profile=false in "
            "seeds/metadata/options.csv; the batch stays loaded and nothing "
            "downstream reads it.",
        )
        raise SeedbedError(
            f"{table.id}: batch {batch.batch_id} could not be profiled: {said}", hint
        ) from error
    return Profile(profiled, columns) if profiled else None


def _note(connection: Connection, table: Table, batch: Batch, found: Profile) -> None:
    """Write a row for each column of the batch to audit.column_profile.

    For one that was profiled before nothing is written.
    """
    of = {"table_id": table.id, "batch_seq": batch.batch_seq, "rows": found.rows}
    with connection.cursor() as cursor:
        cursor.executemany(_SQL.texts["note"], [of | row for row in found.columns])
    _SQL.run(connection, "forget", **of, kept=_KEPT)


def judge(
    connection: Connection, table: Table, batch: Batch, found: Profile | None
) -> list[Result]:
    """Note the batch's profile, and compare it with the table's past batches.

    Returns a result for each kind of anomaly for which there are enough past batches.
    """
    if not table.options.profile:
        return []
    started = time.monotonic()
    if found:
        _note(connection, table, batch, found)
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


def _query(
    table: Table, group: Sequence[Column], files: Sequence[Path], share: int
) -> str:
    """One scan of the files: their rows, and a list with a struct for each column.

    What need not be exact is measured on one row of `share`, if that is not 0.
    """
    return render(
        "profile",
        columns=group,
        quantiles=list(QUANTILES),
        files=files,
        share=share,
        where=failing.checked(table),
    )
