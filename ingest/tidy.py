"""Retention of what runs leave on this machine and in the control tables.

docs/operations.md lists all that grows, and how long it is kept; the lake's bucket has
its own rules (ingest/retention.py).
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from ingest import runlog, settings
from ingest.statements import Statements

if TYPE_CHECKING:
    from ingest.control import Connection

# Copies of the bucket's files, and files of processes that have ended.
CACHE_DAYS = 7
CACHES = ("lake", "spill", "tmp")
# Details of a run; what it moved stays in audit.batch. This many runs keep theirs
# whatever their age.
DETAIL_DAYS = 400
DETAIL_RUNS = 100
DETAILS = "dq_result ledger model_run probe quality_score run_table step".split()
_SQL = Statements(__file__)


def after_run(connection: Connection) -> None:
    """Delete what is older than it is kept; a failure of this is none of the run."""
    try:
        caches(settings.ROOT / ".seedbed")
        details(connection)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        runlog.write("tidy.failed", level="error", error=said)


def caches(home: Path) -> None:
    """Delete local files that nothing has touched for CACHE_DAYS."""
    before = time.time() - CACHE_DAYS * 86_400
    for name in CACHES:
        for top, _, files in os.walk(home / name, topdown=False):
            for file in (Path(top, name) for name in files):
                with contextlib.suppress(OSError):  # or it has just gone
                    if file.lstat().st_mtime < before:
                        drop(file)
            # Its date is in no new batch's path, so nothing is about to use it.
            with contextlib.suppress(OSError):
                if "ingestion_date=" in top and os.stat(top).st_mtime < before:
                    os.rmdir(top)


def drop(file: Path) -> None:
    """Delete a local file of the lake, and the folders of its batch and date."""
    file.unlink(missing_ok=True)
    for folder in list(file.parents)[:2]:
        if "ingestion_date=" in str(folder):
            with contextlib.suppress(OSError):  # they are in use
                folder.rmdir()


def details(connection: Connection) -> None:
    """Delete details of old runs, and alerts that were closed as long ago."""
    for table in DETAILS:
        _delete(connection, "of_old_runs", table, runs=DETAIL_RUNS, days=DETAIL_DAYS)
    for table, over in (("alert", "closed_at"), ("delivery", "sent_at")):
        _delete(connection, "of_old_days", table, over, days=DETAIL_DAYS)


def _delete(
    connection: Connection, name: str, table: str, over: str = "", **values: int
) -> None:
    query = sql.SQL(_SQL.texts[name]).format(
        table=sql.Identifier("audit", table), over=sql.Identifier(over)
    )
    connection.execute(query, values)
