"""The drill: is what comes back from a backup what was there?

The backup is restored into a server of its own, the batches that came later are
replayed from the lake, all is built, and each table is compared with the warehouse.
Neither the source nor the warehouse's own tables are asked for a row of it.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from gx import gate
from ingest import control, load, settings
from ingest.control import Connection
from ingest.errors import SeedbedError
from ingest.lake import Lake, Manifest
from ingest.runlog import Report
from ingest.seed import metadata
from ingest.seed.metadata import Table
from ingest.statements import Statements
from orchestration import build, decisions, local
from orchestration.watch import backup, outbox

_SQL = Statements(__file__)
# By table: its rows, and a sum over them that does not depend on their order.
Checksums = dict[str, tuple[int, str]]


@dataclass(frozen=True)
class Drill:
    """What a drill came to; `different` are the tables that were not the same."""

    backup: Path
    batches: int
    compared: int
    different: list[str]
    left_out: list[str]
    seconds: dict[str, float]


def drill(file: Path | None, report: Report) -> Drill:
    """Restore a backup beside the warehouse, replay, build, compare and record.

    Without a `file` the newest backup is taken, or one is made. Raises SeedbedError
    where it can't be restored or replayed; the warehouse is only read.
    """
    local.servers()  # or there is none to restore into
    file = file or backup.newest()
    if file is None:
        report("drill: there is no backup yet; making one")
        file = backup.write()
    if not file.exists():
        raise SeedbedError(f"there is no backup {file}", "`./seedbed backup` makes one")
    backup_at = dt.datetime.fromtimestamp(file.stat().st_mtime, dt.UTC)
    tables = metadata.enabled(metadata.load(settings.ROOT))
    with control.connect() as live:
        control.prepare(live)
        report("drill: reading the warehouse's checksums")
        expected = checksums(live, tables)
        through: dict[str, int] = dict(_SQL.run(live, "newest").fetchall())
        began = dt.datetime.now(dt.UTC)
        with _beside(report):
            report(f"drill: restoring {file.name}")
            backup.restore(file)
            restored_at = dt.datetime.now(dt.UTC)
            with control.connect() as there:
                control.prepare(there)
                run_id = control.begin_run(there, "drill")
                batches = sum(
                    _replay(there, table, through.get(table.id, 0), run_id, report)
                    for table in tables
                )
                gate.finish()
                replayed_at = dt.datetime.now(dt.UTC)
                words = ["build", "--target", "postgres", "--exclude", build.NEVER]
                for line in build.run_dbt(words, report).failures:
                    report(f"drill: {line}")
                found = checksums(there, tables)
        ended_at = dt.datetime.now(dt.UTC)
        different = sorted({name for name, _ in expected.items() ^ found.items()})
        _SQL.run(
            live,
            "record",
            drill_id=f"{began:%Y%m%dT%H%M%S}",
            backup=file.name,
            backup_at=backup_at,
            began=began,
            restored_at=restored_at,
            replayed_at=replayed_at,
            ended_at=ended_at,
            batches=batches,
            compared=len(expected),
            differing=len(different),
            different=", ".join(different),
        )
    spent = {
        "restore": restored_at - began,
        "replay": replayed_at - restored_at,
        "build": ended_at - replayed_at,
    }
    return Drill(
        file,
        batches,
        len(expected),
        different,
        sorted(_uncomparable(tables)),
        {name: time.total_seconds() for name, time in spent.items()},
    )


@contextmanager
def _beside(report: Report) -> Iterator[None]:
    """Within it, the warehouse is a new server of this machine; then it is gone."""
    embedded = local.servers()
    root = settings.ROOT / ".seedbed" / "drill"
    embedded.down(root, report)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    root.chmod(0o755)  # the server's account passes through
    before = dict(os.environ)
    try:
        there = embedded.up(root, report, ["postgres"])
        own = [name for name in os.environ if name.startswith("PG")]
        # A drill's blocked tables are no alerts.
        for name in (*own, *outbox.CHANNELS.values(), "OPENLINEAGE_URL"):
            os.environ.pop(name, None)
        os.environ |= there
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        embedded.down(root, report)
        shutil.rmtree(root, ignore_errors=True)


def _replay(
    connection: Connection, table: Table, through: int, run_id: str, report: Report
) -> int:
    """Load and decide on what the lake has of the table beyond the restored state."""
    _SQL.run(connection, "forget", table_id=table.id)
    after = dict(_SQL.run(connection, "newest").fetchall()).get(table.id, 0)
    lake = Lake(settings.ROOT)
    load.prepare(connection, table)
    later = [
        (key, manifest)
        for key, manifest in _manifests(lake, table)
        if after < manifest.batch_seq <= through
    ]
    pending = control.pending(connection, table)
    if pending is not None:  # it was loaded when the backup was made
        gate.decide(connection, table, pending, run_id)
    followers = [*(manifest for _, manifest in later[1:]), None]
    for (key, manifest), following in zip(later, followers, strict=False):
        _SQL.run(connection, "adopt", run_id=run_id, key=key, **vars(manifest))
        batch = control.batch(connection, table.id, manifest.batch_seq)
        batch = control.extracted(connection, batch, manifest, 0)
        with load.Loading(table) as loading:
            batch = load.load(connection, table, batch, loading)
        batch = gate.decide(connection, table, batch, run_id)
        if batch.state == "rejected" and _was_released(key, manifest, following):
            # A person has let it pass; the gate can't know.
            control.release(connection, batch, manifest, "rejected")
            report(f"drill: {table.id}: {batch.batch_id} was released by a person")
    if later:
        report(f"drill: {table.id}: {len(later)} batches replayed")
    return len(later)


def _manifests(lake: Lake, table: Table) -> list[tuple[str, Manifest]]:
    """The table's finished batches in the lake, in order; each with its last word."""
    found: dict[int, tuple[str, Manifest]] = {}
    for key in sorted(lake.keys(table.folder("raw"))):
        if key.rpartition("/")[2] in ("_manifest.json", decisions.MANIFEST):
            manifest = lake.manifest(key)
            assert manifest is not None, key
            if key.endswith(decisions.MANIFEST) or manifest.batch_seq not in found:
                found[manifest.batch_seq] = key, manifest
    return [found[number] for number in sorted(found)]


def _was_released(key: str, manifest: Manifest, following: Manifest | None) -> bool:
    """Whether a batch that the gate rejects was released all the same.

    The one after it begins where the last released one has ended.
    """
    if key.endswith(decisions.MANIFEST):
        return True
    return (
        following is not None
        and manifest.window_high != manifest.window_low
        and following.window_low == manifest.window_high
    )


def _uncomparable(tables: Sequence[Table]) -> set[str]:
    """What dbt's snapshots hold: it depends on when they were taken."""
    kept = [t for t in tables if t.load_type.is_snapshot]
    names = {f"silver.{name}" for t in kept for name in (t.model, *t.generated_names)}
    return {n for n in names if "stg_" not in n}


def checksums(connection: Connection, tables: Sequence[Table]) -> Checksums:
    """Of each table of bronze, silver and gold; of the logs, what is released."""
    logs = {f"bronze.{t.bronze}": t for t in tables}
    left_out = _uncomparable(tables)
    out: Checksums = {}
    schemas = ["bronze", build.schema_of("silver"), build.schema_of("gold")]
    for schema, name in _SQL.run(connection, "tables", schemas=schemas).fetchall():
        place = f"{schema}.{name}"
        if place in left_out:
            continue
        released: sql.Composable = sql.SQL("true")
        if place in logs:
            through = control.released(connection, logs[place]).through
            released = sql.SQL("_batch_seq <= {}").format(through)
        query = sql.SQL(_SQL.texts["checksum"]).format(
            name=sql.Identifier(schema, name), released=released
        )
        ((rows, checksum),) = connection.execute(query).fetchall()
        out[place] = rows, checksum
    return out
