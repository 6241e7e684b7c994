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

from ingest import runlog, settings

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


def after_run(connection: Connection) -> None:
    """Delete what is past its retention; a failure here does not fail the run."""
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
            # Its date is in no new batch's path, so no one is about to use it.
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
        connection.execute(
            f"delete from audit.{table} where run_id in (select run_id from "
            "(select run_id, ended_at from audit.run order by started_at desc "
            "offset %s) as older "
            "where ended_at < clock_timestamp() - make_interval(days => %s))",
            (DETAIL_RUNS, DETAIL_DAYS),
        )
    for table, over in (("alert", "closed_at"), ("delivery", "sent_at")):
        connection.execute(
            f"delete from audit.{table} "
            f"where {over} < clock_timestamp() - make_interval(days => %s)",
            (DETAIL_DAYS,),
        )
