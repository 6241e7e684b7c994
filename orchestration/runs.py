"""The end of a run: in the control tables, in its lineage, and told to others."""

from __future__ import annotations

from ingest import control, tidy
from ingest.control import Connection
from orchestration.watch import lineage, outbox


def close(
    connection: Connection,
    run_id: str,
    state: str,
    seconds: dict[str, float],
    error: str = "",
    retries: int = 0,
) -> None:
    """Close a run, keep its lineage, and let others be told.

    `seconds` are those of each step. Nothing is waited for.
    """
    control.end_run(connection, run_id, state, seconds, error, retries)
    lineage.keep(connection, run_id)
    tidy.after_run(connection)
    outbox.send_later()
