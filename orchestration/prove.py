"""The proof of a run: dbt's tests, who sees what, and the ledger.

Each of these looks at what is built, and may be done again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ingest import control
from ingest.control import Connection
from ingest.runlog import Report
from ingest.seed.metadata import Table
from orchestration import artifacts, build, probe, results, shown
from orchestration.build import HERE
from orchestration.outcome import Outcome
from orchestration.watch import columns


def look(
    connection: Connection,
    run_id: str,
    everyone: Sequence[Table],
    folder: Path,
    since: datetime,
    report: Report,
) -> None:
    """Keep what dbt's tests saw, as the files that it wrote to `folder` say.

    What the models' columns come from is kept as well.
    """
    found = results.record(connection, run_id, everyone, folder, since, HERE)
    columns.keep(artifacts.manifest(folder))
    results.store_failures(connection, found, HERE, report)


def examine(
    connection: Connection,
    run_id: str,
    everyone: Sequence[Table],
    report: Report,
    *,
    is_built: bool,
) -> list[probe.Assertion]:
    """How fresh and how good what is built is, and who sees it: what each role sees.

    `is_built`: the run has built something, so that consumers may see something new.
    """
    if results.is_something_stale(connection):
        began = datetime.now(UTC)
        build.run_dbt(["source", "freshness", "--target", HERE], report)
        folder = artifacts.folder(HERE)
        results.record(connection, run_id, everyone, folder, began, HERE)
    results.score(connection, run_id, everyone)
    return probe.probe(connection, run_id, is_built=is_built)


def balance(
    connection: Connection,
    run_id: str,
    outcomes: Sequence[Outcome],
    unbuilt: Collection[str] | None,
) -> bool:
    """Write the ledger's identities of the run; return whether all hold.

    `unbuilt` names the models that failed or were skipped: their tables' silver is
    that of an earlier run. None where nothing was built.
    """
    # A try before this one may have been cut off.
    connection.execute("delete from audit.ledger where run_id = %s", (run_id,))
    control.balance(connection, run_id)
    for outcome in outcomes:
        table = outcome.table
        released = control.released(connection, table)
        own = {table.model, *table.generated_names}
        is_built = unbuilt is not None and own.isdisjoint(unbuilt)
        if is_built and outcome.is_good and released.through:
            found = shown.compare_changed(connection, table, released)
            counts = found.in_log, found.in_silver, found.sample
            connection.execute(
                "insert into audit.ledger (run_id, table_id, identity, left_rows, "
                "right_rows, sample) values (%s, %s, %s, %s, %s, nullif(%s, ''))",
                (run_id, table.id, shown.IDENTITY, *counts),
            )
    return all(row["holds"] for row in control.identities(connection, run_id))
