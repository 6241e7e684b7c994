"""Batches, and what is released of a table.

Every change of a batch's state is a compare-and-swap, so a process that was
thought dead can change nothing any more.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from ingest.control.connect import Connection
from ingest.errors import SeedbedError
from ingest.lake import Lake, Manifest
from ingest.seed.metadata import Table
from ingest.statements import Statements

_SQL = Statements(__file__)


@dataclass(frozen=True)
class Batch:
    """One batch of a table; counts are None until it is extracted."""

    table_id: str
    batch_seq: int
    batch_id: str
    run_id: str
    state: str
    fingerprint: str
    window_low: dt.datetime | None
    window_high: dt.datetime | None
    observed_at: dt.datetime | None
    manifest_key: str
    content: str | None
    source_rows: int | None
    rows_read: int | None
    rows_written: int | None
    rows_unchanged: int | None
    rows_rejected: int | None
    rows_deleted: int | None
    rows_loaded: int | None
    reason: str | None
    seconds: float
    kind: str
    range_start: dt.datetime | None
    range_end: dt.datetime | None
    planned_at: dt.datetime
    decided_at: dt.datetime | None
    decision: str | None
    raw_bytes: int | None
    bronze_bytes: int | None
    keys_gone: int | None
    unaccounted: str | None

    def folder(self, layer: str) -> str:
        """The batch's folder in a layer of the lake: raw, bronze or rejects."""
        folder = self.manifest_key.rpartition("/")[0]
        return layer + folder.removeprefix("raw")


@dataclass(frozen=True)
class Window:
    """What a batch reads, as `window.plan` and its like fix it.

    `window_low` and `window_high` are the watermark before and after it;
    `range_start` and `range_end` the watermarks that a backfill or reload reads,
    `range_end` not among them; `cuts` where the leading key is cut into ranges.
    """

    kind: str
    window_low: dt.datetime | None
    window_high: dt.datetime | None
    range_start: dt.datetime | None = None
    range_end: dt.datetime | None = None
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Range:
    """A range of a batch: `low` is in it, `high` not; read once it has `parts`."""

    number: int
    low: str | None
    high: str | None
    source_rows: int | None
    zero_dates: int | None
    parts: list[dict[str, Any]] | None


@dataclass(frozen=True)
class Released:
    """What is released of a table, and so true for everything downstream."""

    through: int = 0
    snapshot_seq: int = 0
    high: dt.datetime | None = None
    observed_at: dt.datetime | None = None
    keys_scanned_at: dt.datetime | None = None
    content: str | None = None


def released(connection: Connection, table: Table) -> Released:
    """What is released of the table."""
    found = _SQL.rows(connection, Released, "released", table_id=table.id)
    return found[0] if found else Released()


def pending(connection: Connection, table: Table) -> Batch | None:
    """The table's batch that is neither released, rejected nor superseded."""
    found = _SQL.rows(connection, Batch, "pending", table_id=table.id)
    return found[0] if found else None


def released_batches(connection: Connection, table: Table) -> list[Batch]:
    """The table's released batches whose rows its log holds, in order."""
    return _SQL.rows(
        connection,
        Batch,
        "released_batches",
        table_id=table.id,
        reads_whole=table.load_type.reads_whole,
        keep=max(table.options.keep_snapshots, 2),
    )


def batch(connection: Connection, table_id: str, batch_seq: int) -> Batch:
    """One batch."""
    (found,) = _SQL.rows(
        connection, Batch, "batch", table_id=table_id, batch_seq=batch_seq
    )
    return found


def mark_released(connection: Connection, lake: Lake) -> None:
    """Mark the released batches in the lake that are not marked yet."""
    for row in _SQL.dicts(connection, "unmarked"):
        mark = {name: row[name] for name in ("table_id", "batch_seq", "batch_id")}
        mark["released_at"] = str(row["decided_at"])
        lake.mark_released(row["manifest_key"], mark)
        _SQL.run(connection, "marked", **row)


def plan(connection: Connection, table: Table, run_id: str, window: Window) -> Batch:
    """Persist what the table's next batch reads, before anything is read."""
    fingerprint = table.fingerprint("bytes")
    batch_seq = int(_SQL.value(connection, "next_batch", table_id=table.id))
    facts = asdict(window)
    cuts = facts.pop("cuts")
    text = "|".join(map(str, (table.id, batch_seq, *facts.values(), fingerprint)))
    # The number makes an idle table's equal windows different batches.
    name = f"{batch_seq:08d}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    today = dt.datetime.now(dt.UTC).date()
    folder = f"{table.folder('raw')}ingestion_date={today}/{name}"
    with connection.transaction():
        _SQL.run(
            connection,
            "plan",
            table_id=table.id,
            batch_seq=batch_seq,
            batch_id=f"{table.id}/{name}",
            run_id=run_id,
            fingerprint=fingerprint,
            manifest_key=f"{folder}/_manifest.json",
            **facts,
        )
        here = {"table_id": table.id, "batch_seq": batch_seq}
        _SQL.run(connection, "plan_ranges", **here, cuts=[*cuts])
    return batch(connection, table.id, batch_seq)


def ranges(connection: Connection, found: Batch) -> list[Range]:
    """The ranges of a batch that is cut into some, in order."""
    return _SQL.rows(connection, Range, "ranges", **vars(found))


def range_read(connection: Connection, found: Batch, done: Range) -> None:
    """Note that a range of a batch was read, with its counts and files."""
    facts = vars(found) | vars(done) | {"parts": Jsonb(done.parts)}
    _SQL.run(connection, "range_read", **facts)


def adopt(connection: Connection, found: Batch, run_id: str) -> None:
    """Make a batch that an earlier run left behind part of this run."""
    _SQL.run(connection, "adopt", **vars(found) | {"run_id": run_id})


def discard(connection: Connection, found: Batch) -> None:
    """Forget a batch that must be read again; its files stay behind, unread."""
    _SQL.run(connection, "discard", **vars(found))


def extracted(
    connection: Connection, found: Batch, manifest: Manifest, seconds: float
) -> Batch:
    """planned → extracted, with the manifest's counts."""
    facts = vars(manifest) | {
        "raw_bytes": sum(part.size for part in manifest.raw),
        "bronze_bytes": sum(part.size for part in manifest.bronze),
        "seconds": seconds,
    }
    _move(connection, found, "extracted", "planned", **facts)
    return batch(connection, found.table_id, found.batch_seq)


def decide(
    connection: Connection, found: Batch, manifest_key: str, decision: str
) -> None:
    """Note what a person decided about a batch: who, what and why."""
    facts = {"manifest_key": manifest_key, "decision": decision}
    _SQL.run(connection, "decide", **vars(found) | facts)


def release(
    connection: Connection, found: Batch, manifest: Manifest, state: str = "loaded"
) -> None:
    """loaded → released, and the table's state with it, in one transaction.

    A person may release a batch whose `state` is rejected.
    """
    is_window = found.kind == "window"
    snapshot = is_window and bool(manifest.content) and not manifest.rows_unchanged
    facts = {
        "is_window": is_window,
        "snapshot_seq": found.batch_seq if snapshot else 0,
        "keys_scanned_at": found.observed_at if manifest.keys_scanned else None,
    }
    with connection.transaction():
        _move(connection, found, "release", state)
        _SQL.run(connection, "release_table", **vars(found) | facts)


def reject(connection: Connection, found: Batch, reason: str) -> None:
    """loaded → rejected, with the reason that a person reads."""
    _move(connection, found, "reject", "loaded", reason=reason)


def replayed(
    connection: Connection, table: Table, found: Batch, manifest: Manifest
) -> None:
    """Note what a released batch came to when its rows were made again.

    It is published again, as its files are others now.
    """
    _SQL.run(connection, "unpublish", **vars(found))
    _SQL.run(connection, "replayed", **vars(manifest))
    count_loaded(connection, table, found)


def count_loaded(connection: Connection, table: Table, found: Batch) -> None:
    """Note how many rows of the batch its log has, as the log itself counts them."""
    log = sql.Identifier("bronze", table.bronze)
    query = sql.SQL(_SQL.texts["count_loaded"]).format(log=log)
    connection.execute(query, vars(found))


def _move(
    connection: Connection, found: Batch, name: str, state: str, /, **facts: object
) -> None:
    """Run a statement that moves the batch on, if it is still in the state."""
    values = facts | {"table_id": found.table_id, "batch_seq": found.batch_seq}
    if _SQL.run(connection, name, **values | {"was": state}).rowcount != 1:
        raise SeedbedError(
            f"{found.table_id}: batch {found.batch_id} is no longer {state}; another "
            "run has moved it on. Nothing was changed here.",
            "Run again.",
        )
