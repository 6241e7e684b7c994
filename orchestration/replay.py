"""Replay: a table's log and bronze files made again from its raw files.

The source is not asked. Batch after batch, in their order, raw is standardised
again with the seed as it is now, so a replay that is cut off is simply repeated; until
then the table is neither read nor built.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable

from ingest import control, duck, load, settings
from ingest.control import Batch, Released
from ingest.errors import SeedbedError
from ingest.lake import Lake, Manifest
from ingest.seed.metadata import Table
from ingest.standardise import Standardisation
from orchestration import decisions


def replay(
    connection: control.Connection, table: Table, report: Callable[[str], None]
) -> int:
    """Replay the table's released batches from raw; return how many rows they have.

    Raises SeedbedError, before anything is changed, where a batch is under way or
    a raw file is gone.
    """
    with control.table_lock(table), control.build_lock(report):
        load.prepare(connection, table, replacing=True)
        if control.pending(connection, table):
            raise SeedbedError(
                f"{table.id}: a batch of it is under way.",
                f"Type `./seedbed run --tables {table.id}` to finish it, then repeat.",
            )
        lake = Lake(settings.ROOT)
        kept = "The log can't be made from raw; nothing was changed."
        way = "Restore that object, or keep the log."
        todo = [
            (batch, lake.manifest_of(batch, kept, way))
            for batch in control.released_batches(connection, table)
        ]
        for _, manifest in todo:
            for part in manifest.raw:
                lake.fetch(part)
        # Batches are replaced one by one; until all are, nothing reads the log.
        connection.execute(
            "insert into audit.replay (table_id) values (%s) on conflict do nothing",
            (table.id,),
        )
        before = Released()
        rows = 0
        for done, (batch, manifest) in enumerate(todo, 1):
            made = _one(lake, table, batch, manifest, before)
            control.replayed(connection, table, batch, made)
            rows += sum(part.rows for part in made.bronze)
            content = before.content if made.rows_unchanged else made.content
            before = Released(through=batch.batch_seq, content=content)
            report(f"{table.id}: {done} of {len(todo)} batches replayed")
        connection.execute("delete from audit.replay where table_id = %s", (table.id,))
    return rows


def _one(
    lake: Lake, table: Table, batch: Batch, manifest: Manifest, before: Released
) -> Manifest:
    """Standardise a batch's raw files again and put its rows in place of the old."""
    observed_at = dt.datetime.fromisoformat(manifest.observed_at)
    with duck.attached() as engine:
        bronze = Standardisation(engine, lake, table, batch, before).run(
            manifest.raw, observed_at, names=manifest.names
        )
        made = dataclasses.replace(
            manifest,
            fingerprint=table.fingerprint("bytes"),
            **bronze.account(),
        )
        made = decisions.without_quarantined(engine, lake, table, batch, made)
        lake.upload((*made.bronze, *made.rejects))
        lake.replace(batch.manifest_key, made)
        load.replace(engine, lake, table, batch, made)
    lake.forget(made)
    return made
