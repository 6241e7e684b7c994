"""One table's way: from its source through lake and log to the gate's decision.

A batch that an earlier run left is finished first, so batches stay in order. All of
it may be called again after a failure, and goes on where it was.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence

from gx import ahead, gate, process
from ingest import control, load, runlog, settings, stop, window
from ingest import extract as extraction
from ingest.control import Batch, Connection
from ingest.errors import SeedbedError
from ingest.failpoints import reach
from ingest.lake import Lake
from ingest.seed.metadata import Table
from ingest.window import Request
from orchestration.outcome import Outcome
from orchestration.watch import outbox

# The gate is one process, which is asked about one table at a time.
_gate = threading.Lock()


def move(
    connection: Connection,
    outcome: Outcome,
    run_id: str,
    steps: Sequence[str],
    request: Request | None,
    is_read: Callable[[], None],
) -> None:
    """Take a table through the steps: what an earlier run left, then a new batch.

    The caller holds the table's lock. `is_read` is called once the source is done
    with.
    """
    table = outcome.table
    left = control.pending(connection, table)
    is_own = left and _is_own(connection, left, run_id, request)
    batch = left and _resume(connection, table, left, run_id, "extract" in steps)
    if batch:
        # An older one's rows are not yet those that a parent has to wait for.
        read = is_read if is_own else lambda: None
        outcome.moved(_advance(connection, table, batch, run_id, steps, read))
        if not is_own and {"extract", "load"} <= {*steps}:
            decide(connection, outcome, run_id)
        if is_own or outcome.state != "released":
            return
    if "extract" in steps:
        stop.check()
        batch = window.plan(connection, table, run_id, request)
        reach("after_plan")
        outcome.moved(_advance(connection, table, batch, run_id, steps, is_read))
    elif not outcome.batches:
        outcome.state = "released"


def _is_own(
    connection: Connection, batch: Batch, run_id: str, request: Request | None
) -> bool:
    """Whether the run has planned the batch itself, in a try before this one.

    An older one that it has adopted was read before what is asked for now.
    """
    row = connection.execute(
        "select from audit.run where run_id = %s and started_at <= %s",
        (run_id, batch.planned_at),
    ).fetchone()
    is_asked_for = (request or Request("window")).is_of(batch)
    return batch.run_id == run_id and row is not None and is_asked_for


def _resume(
    connection: Connection, table: Table, batch: Batch, run_id: str, is_reading: bool
) -> Batch | None:
    """The batch that was left, now of this run, unless it must be read again.

    A run that reads nothing leaves such a batch as it is, and fails.
    """
    seed_changed = batch.fingerprint != table.fingerprint("bytes")
    lost = batch.state == "extracted" and (
        Lake(settings.ROOT).manifest(batch.manifest_key) is None
    )
    if batch.state != "loaded" and (seed_changed or lost):
        if batch.state == "extracted" and not is_reading:
            why = (
                f"its manifest {batch.manifest_key} is not in the lake"
                if lost
                else "it was read as the metadata seed was before"
            )
            raise SeedbedError(
                f"{table.id}: batch {batch.batch_seq} can't be loaded: {why}. What was "
                "loaded before stays as it is.",
                "The next run that reads from the source reads the batch's window "
                "again: `./seedbed run`, or the DAG source_to_lake.",
            )
        control.discard(connection, batch)
        return None
    control.adopt(connection, batch, run_id)
    return control.batch(connection, table.id, batch.batch_seq)


def _advance(
    connection: Connection,
    table: Table,
    batch: Batch,
    run_id: str,
    steps: Sequence[str],
    is_read: Callable[[], None],
) -> Batch:
    """Take a batch as far as the steps go, the gate apart."""
    step = functools.partial(runlog.step, connection, run_id)
    here = table.id, batch.batch_seq
    with load.Loading(table) as loading:
        if batch.state == "planned" and "extract" in steps:
            stop.check()
            beside = loading if "load" in steps else None
            with step("extract", *here):
                batch = extraction.extract(connection, table, batch, beside)
            reach("after_extract")
        is_read()
        stop.check()
        if batch.state == "extracted" and "load" in steps:
            if "validate" in steps and gate.needs_process(batch):
                process.start()
                ahead.begin(table, batch)
            with step("load", *here):
                batch = load.load(connection, table, batch, loading)
            reach("after_load")
    return batch


def decide(connection: Connection, outcome: Outcome, run_id: str) -> None:
    """Let a table's last batch pass the gate, or be rejected.

    The caller holds the table's lock.
    """
    table, batch_seq = outcome.table, outcome.batches[-1].batch_seq
    batch = control.batch(connection, table.id, batch_seq)
    if batch.state == "loaded":  # else a run in between has decided
        with _gate, runlog.step(connection, run_id, "validate", table.id, batch_seq):
            batch = gate.decide(connection, table, batch, run_id)
        reach("after_gate")
    if batch.state == "rejected":
        outbox.send_later()
    outcome.moved(batch)
