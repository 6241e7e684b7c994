"""The account of rows: the ledger's identities, of a batch and of a run."""

from __future__ import annotations

from typing import Any

from ingest.control.batches import Batch
from ingest.control.connect import Connection
from ingest.statements import Statements

_SQL = Statements(__file__)


def balance(connection: Connection, run_id: str) -> bool:
    """Write the identities of the run's batches; return whether all hold."""
    _SQL.run(connection, "balance", run_id=run_id)
    return all(row["holds"] for row in identities(connection, run_id))


def batch_identities(connection: Connection, found: Batch) -> list[dict[str, Any]]:
    """The identities of one batch, as rows of `audit.batch_identity`."""
    return _SQL.dicts(connection, "batch_identities", **vars(found))


def identities(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    """The ledger's identities of a run, as rows."""
    return _SQL.dicts(connection, "identities", run_id=run_id)
