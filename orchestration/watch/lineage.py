"""Lineage: each run's OpenLineage events, kept in a file and sent from there."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ingest import locks, runlog, settings
from ingest.control import Connection
from ingest.errors import ConfigurationError
from ingest.statements import Statements
from orchestration.watch import delivery
from orchestration.watch.events import Events

_SQL = Statements(__file__)
# Some 1 MB each.
KEPT_RUNS = 100


def folder() -> Path:
    """Where each run's events are kept, a file a run."""
    return settings.ROOT / ".seedbed" / "lineage"


def text(connection: Connection, run_id: str | None) -> str:
    """The events of a run, else of the last one that ended, as JSON lines."""
    row = _SQL.run(connection, "last", run_id=run_id).fetchone()
    if row is None:
        which = f"no run {run_id!r}" if run_id else "no run"
        raise ConfigurationError(
            f"there is {which} that has ended",
            "`select run_id, command, state from audit.run` lists all runs",
        )
    file = _file(row[0])
    if not file.exists():
        _write(connection, row[0])
    return file.read_text()


def _file(run_id: str) -> Path:
    return folder() / f"{run_id}.jsonl"


def keep(connection: Connection, run_id: str) -> None:
    """Write the events of a run that has ended, and of those that others have ended.

    Those are the runs of a week whose process died. No fault of this is one of the run.
    Only the newest KEPT_RUNS of a week keep theirs; `text` derives others again.
    """
    try:
        # A run that an orchestrator opened again has other ends now.
        _SQL.run(connection, "forget", run_id=run_id)
        ended = [other for (other,) in _SQL.run(connection, "ended", most=KEPT_RUNS)]
        for file in folder().glob("2*"):  # as run IDs begin
            if file.stem not in {run_id, *ended}:
                file.unlink(missing_ok=True)
        _write(connection, run_id)
        for other in ended:
            if not _file(other).exists():
                _write(connection, other)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        runlog.write("lineage.failed", level="error", run_id=run_id, error=said)


def _write(connection: Connection, run_id: str) -> None:
    found = Events(connection, run_id).all()
    folder().mkdir(parents=True, exist_ok=True)
    draft = _file(run_id).with_suffix(".draft")
    draft.write_text("".join(json.dumps(event) + "\n" for event in found))
    draft.rename(_file(run_id))


def send(
    connection: Connection, pauses: Sequence[float] = delivery.PAUSES
) -> str | None:
    """Send the kept events of a week's runs that were not sent; what went wrong.

    To OPENLINEAGE_URL, with OPENLINEAGE_API_KEY if there is one. Each event is sent
    once, in order: after a fault the next call goes on with the event that it met.
    """
    if not os.environ.get("OPENLINEAGE_URL") or not locks.take(connection, "lineage"):
        return None
    for run_id, parts in _SQL.run(connection, "unsent").fetchall():
        if not _file(run_id).exists():
            keep(connection, run_id)
        if not _file(run_id).exists():
            continue  # the run log says why
        fault = _send(connection, run_id, parts, pauses)
        if fault:
            runlog.write("lineage.unsent", level="error", run_id=run_id, error=fault)
            return fault
    return None


def _send(
    connection: Connection, run_id: str, sent: int, pauses: Sequence[float]
) -> str | None:
    """Send a run's events but for the first `sent` ones, which were."""
    note = partial(delivery.note, connection, "lineage", f"run/{run_id}")
    events = _file(run_id).read_text().splitlines()
    for number, event in enumerate(events[sent:], sent):
        fault = delivery.attempt(partial(_post, event), pauses)
        if fault:
            note(fault, is_sent=False, parts=number)
            return fault
        note(None, is_sent=False, tries=0, parts=number + 1)
    note(None, is_sent=True, parts=len(events))
    return None


def _post(event: str) -> None:
    url = os.environ["OPENLINEAGE_URL"].rstrip("/")
    path = settings.variable("OPENLINEAGE_ENDPOINT", "api/v1/lineage")
    token = os.environ.get("OPENLINEAGE_API_KEY", "")
    delivery.post("the lineage endpoint", f"{url}/{path}", event, token)
