"""What a person may decide about a rejected batch: release it, whole or in part.

`release` lets it through as it is. With `quarantine` the rows that failed a rule are
left out: they become rejects, and log and lake hold the same rows. Nothing else
changes a batch after the gate has spoken; who did, and why, stays with the batch.
"""

from __future__ import annotations

import dataclasses
import getpass
from dataclasses import dataclass

import duckdb

from gx import gate
from ingest import bronze_log, control, duck, files, load, settings
from ingest.control import Batch
from ingest.duck import ask_warehouse, literal, quoted
from ingest.errors import ConfigurationError, SeedbedError
from ingest.lake import Lake, Manifest
from ingest.seed import metadata
from ingest.seed.metadata import Table
from ingest.statements import render
from orchestration import runs

# Beside the batch's own manifest, which stays as it was written.
MANIFEST = "_manifest-without-quarantined.json"


@dataclass(frozen=True)
class Released:
    """A batch that a person has released, and how many rows were left out."""

    batch: Batch
    left_out: int
    balanced: bool


def release(
    connection: control.Connection, name: str, reason: str, quarantine: bool
) -> Released:
    """Release the rejected batch `name`: its id, or its table's for the newest.

    Raises SeedbedError, and changes nothing, where it is not rejected any more or
    another run holds the table.
    """
    table, batch = _find(connection, name)
    lake = Lake(settings.ROOT)
    with control.table_lock(table):
        batch = control.batch(connection, table.id, batch.batch_seq)
        if batch.state != "rejected":
            raise SeedbedError(
                f"batch {batch.batch_id} is {batch.state}, and only a rejected one can "
                "be released; nothing was changed.",
                "`./seedbed status` shows the last run.",
            )
        way = "`./seedbed run` reads its window again."
        if quarantine and gate.NOT_AS_FILES in (batch.reason or ""):
            raise SeedbedError(
                f"batch {batch.batch_id} can't be released without the rows that fail: "
                "its log is not as its files, so they are not all in quarantine.",
                way,
            )
        manifest = lake.manifest_of(batch, "Nothing was changed.", way)
        whole = manifest.rows_written
        with runs.opened(connection, "release") as run_id:
            key, manifest = _load_again(lake, table, batch, manifest, quarantine)
            left_out = whole - manifest.rows_written
            without = f" without {left_out:,} rows" if quarantine else ""
            decision = f"released by {getpass.getuser()}{without}: {reason}"
            with connection.transaction():
                control.adopt(connection, batch, run_id)
                control.replayed(connection, table, batch, manifest)
                control.decide(connection, batch, key, decision)
                control.release(connection, batch, manifest, "rejected")
                balanced = control.balance(connection, run_id)
            runs.close(connection, run_id, "done" if balanced else "failed")
    return Released(
        control.batch(connection, table.id, batch.batch_seq), left_out, balanced
    )


def _load_again(
    lake: Lake, table: Table, batch: Batch, manifest: Manifest, quarantine: bool
) -> tuple[str, Manifest]:
    """Load a batch's files again, without the rows in quarantine if so decided.

    Returns the manifest that the batch has now, and its key.
    """
    key = batch.manifest_key
    with duck.attached() as engine:
        for part in (*manifest.bronze, *manifest.rejects):
            lake.fetch(part)
        if quarantine:
            rest = without_quarantined(engine, lake, table, batch, manifest)
            if rest != manifest:
                manifest = rest
                key = f"{key.rpartition('/')[0]}/{MANIFEST}"
                lake.replace(key, manifest)
        load.replace(engine, lake, table, batch, manifest)
    return key, manifest


def _find(connection: control.Connection, name: str) -> tuple[Table, Batch]:
    tables = {t.id: t for t in metadata.enabled(metadata.load(settings.ROOT))}
    table = tables.get(name.partition("/")[0])
    rows = connection.execute(
        "select table_id, batch_seq from audit.batch where batch_id = %(name)s "
        "or (table_id = %(name)s and state = 'rejected') order by batch_seq desc",
        {"name": name},
    ).fetchall()
    if table is None or not rows:
        waiting = connection.execute(
            "select batch_id from audit.batch where state = 'rejected' order by 1"
        )
        there = ", ".join(batch_id for (batch_id,) in waiting)
        raise ConfigurationError(
            f"no rejected batch, and no table with one, is named {name!r}; "
            + (f"rejected are: {there}." if there else "there are none.")
        )
    return table, control.batch(connection, table.id, int(rows[0][1]))


def without_quarantined(
    engine: duckdb.DuckDBPyConnection,
    lake: Lake,
    table: Table,
    batch: Batch,
    manifest: Manifest,
) -> Manifest:
    """The manifest without the rows in quarantine, its files written and uploaded.

    They are known by their key, or by their content where the table has none.
    """
    if not manifest.bronze:
        return manifest
    same = bronze_log.key(table) or "_row_hash"
    found = render("quarantined", table=table, batch_seq=batch.batch_seq, same=same)
    ask_warehouse(engine, "quarantined", found)
    rows = f"read_parquet({lake.paths(manifest.bronze)})"
    kept = files.write(
        engine,
        lake,
        f"select * from {rows} as _rows anti join quarantined using ({same})",
        batch.folder("bronze"),
        "kept",
    )
    shown = ", ".join(
        f"{literal(c.source_name)}: _rows.{quoted(c.name)}" for c in table.columns
    )
    gone = files.write(
        engine,
        lake,
        f"select {literal(table.id)} as table_id, _batch_seq as batch_seq, "
        f"'fails ' || _rules as reason, to_json({{{shown}}}) as source_row "
        f"from {rows} as _rows join quarantined using ({same})",
        batch.folder("rejects"),
        "quarantined",
    )
    count = sum(part.rows for part in gone)
    if not count:
        return manifest
    lake.upload((*kept, *gone))
    return dataclasses.replace(
        manifest,
        bronze=kept,
        rejects=(*manifest.rejects, *gone),
        rows_written=manifest.rows_written - count,
        rows_rejected=manifest.rows_rejected + count,
    )
