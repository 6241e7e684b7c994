"""What the gate has to know of a batch's files; of a large one while it is loaded.

The files are closed by then, and the warehouse is busy with their rows.
"""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import duckdb

from gx import measuring, profile
from gx.measuring import Measured
from gx.process import GateError
from gx.profile import Profile
from ingest import duck, settings
from ingest.control import Batch
from ingest.lake import Lake
from ingest.seed import suites
from ingest.seed.metadata import Table

# Of fewer rows measuring is faster than to begin it beside something else.
_LARGE = profile.EXACT_ROWS
_AGAIN = "Run `./seedbed run`, which checks it again."
# By table: its batch that is being measured.
_begun: dict[str, tuple[int, Future[OfFiles]]] = {}
_beside = ThreadPoolExecutor(2, "measuring")


@dataclass(frozen=True)
class OfFiles:
    """A suite, what its measures found in a batch's files, and the files' profile."""

    suite: dict[str, Any]
    measured: Measured
    profile: Profile | None


def begin(table: Table, batch: Batch) -> None:
    """Begin to measure the batch beside what follows, if it is a large one."""
    if (batch.rows_written or 0) > _LARGE:
        job = _beside.submit(_take, table, batch)
        _begun[table.id] = batch.batch_seq, job


def take(table: Table, batch: Batch) -> OfFiles:
    """What the batch's files hold, which is measured now unless it has begun.

    Raises GateError where they can't be measured.
    """
    number, job = _begun.pop(table.id, (None, None))
    if job and number == batch.batch_seq:
        return job.result()
    return _take(table, batch)


def _take(table: Table, batch: Batch) -> OfFiles:
    lake = Lake(settings.ROOT)
    manifest = lake.manifest(batch.manifest_key)
    assert manifest is not None, batch.manifest_key
    files = [lake.fetch(part) for part in manifest.bronze]
    suite = json.loads((settings.ROOT / suites.path(table)).read_text())
    try:
        wanted = measuring.wanted(table, suite)
        measured = measuring.of_files(table, files, wanted)
    except duckdb.Error as error:
        raise failed(table, batch, *duck.explained(error, _AGAIN)) from error
    rows = manifest.rows_written
    profiled = profile.measure(table, batch, files, rows)
    return OfFiles(suite, measured, profiled)


def failed(
    table: Table, batch: Batch, why: str, hint: str = _AGAIN, what: str = ""
) -> GateError:
    """The error of a batch, or of `what` is named, which could not be checked."""
    what = what or f"batch {batch.batch_id}"
    return GateError(
        f"{table.id}: the gate could not check {what}: {why}. The batch stays "
        "loaded and nothing downstream reads it.",
        hint,
    )
