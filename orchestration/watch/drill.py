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
from ingest.control import Batch, Connection
from ingest.errors import SeedbedError
from ingest.lake import Lake, Manifest
from ingest.runlog import Report
from ingest.seed import metadata
from ingest.seed.metadata import Table
from orchestration import build, decisions, local
from orchestration.watch import backup, outbox

LAYERS = ("bronze", "silver", "gold")
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
        through = dict(
            live.execute("select table_id, max(batch_seq) from audit.batch group by 1")
        )
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
                built = build.run_dbt(words, report)
                for line in built.failures:
                    report(f"drill: {line}")
                found = checksums(there, tables)
        ended_at = dt.datetime.now(dt.UTC)
        different = sorted(
            name
            for name in expected.keys() | found.keys()
            if expected.get(name) != found.get(name)
        )
        live.execute(
            "insert into audit.drill_result values "
            "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, nullif(%s, ''))",
            (
                *(f"{began:%Y%m%dT%H%M%S}", file.name, backup_at),
                *(began, restored_at, replayed_at, ended_at),
                *(batches, len(expected), len(different), ", ".join(different)),
            ),
        )
    moments = (began, restored_at, replayed_at, ended_at)
    parts = zip(("restore", "replay", "build"), moments, moments[1:], strict=False)
    return Drill(
        file,
        batches,
        len(expected),
        different,
        sorted(_uncomparable(tables)),
        {name: (end - start).total_seconds() for name, start, end in parts},
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
        for name in [n for n in os.environ if n.startswith("PG")]:
            del os.environ[name]
        # A drill's blocked tables are no alerts.
        for name in (*outbox.CHANNELS.values(), "OPENLINEAGE_URL"):
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
    with connection.transaction():
        connection.execute(
            "delete from audit.batch where table_id = %s "
            "and state in ('planned', 'extracted')",
            (table.id,),
        )
    row = connection.execute(
        "select coalesce(max(batch_seq), 0) from audit.batch where table_id = %s",
        (table.id,),
    ).fetchone()
    after = int(row[0]) if row else 0
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
    for place, (key, manifest) in enumerate(later):
        batch = _adopted(connection, table, key, manifest, run_id)
        with load.Loading(table) as loading:
            batch = load.load(connection, table, batch, loading)
        batch = gate.decide(connection, table, batch, run_id)
        following = later[place + 1][1] if place + 1 < len(later) else None
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
        name = key.rpartition("/")[2]
        if name in ("_manifest.json", decisions.MANIFEST):
            manifest = lake.manifest(key)
            assert manifest is not None, key
            known = found.get(manifest.batch_seq)
            if known is None or key.endswith(decisions.MANIFEST):
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


def _adopted(
    connection: Connection, table: Table, key: str, manifest: Manifest, run_id: str
) -> Batch:
    """A batch of the lake as one that was just extracted."""
    connection.execute(
        "insert into audit.batch (table_id, batch_seq, batch_id, run_id, state, "
        "fingerprint, window_low, window_high, manifest_key) "
        "values (%s, %s, %s, %s, 'planned', %s, %s, %s, %s)",
        (
            table.id,
            manifest.batch_seq,
            manifest.batch_id,
            run_id,
            manifest.fingerprint,
            manifest.window_low,
            manifest.window_high,
            key,
        ),
    )
    planned = control.batch(connection, table.id, manifest.batch_seq)
    return control.extracted(connection, planned, manifest, 0)


def _uncomparable(tables: Sequence[Table]) -> set[str]:
    """What dbt's snapshots hold: it depends on when they were taken."""
    kept = [t for t in tables if t.load_type.is_snapshot]
    names = {f"silver.{name}" for t in kept for name in (t.model, *t.generated_names)}
    return {n for n in names if "stg_" not in n}


def checksums(connection: Connection, tables: Sequence[Table]) -> Checksums:
    """Of each table of bronze, silver and gold; of the logs, what is released."""
    logs = {f"bronze.{t.bronze}": t for t in tables}
    out: Checksums = {}
    schemas = [LAYERS[0], *(build.schema_of(layer) for layer in LAYERS[1:])]
    for schema, name in connection.execute(
        "select table_schema, table_name from information_schema.tables "
        "where table_schema = any(%s) and table_type = 'BASE TABLE' order by 1, 2",
        (schemas,),
    ).fetchall():
        place = f"{schema}.{name}"
        if place in _uncomparable(tables):
            continue
        through = None
        if place in logs:
            through = control.released(connection, logs[place]).through
        where = "" if through is None else f" where _batch_seq <= {through}"
        row = connection.execute(
            sql.SQL(
                "select count(*), coalesce(sum(hashtextextended(row::text, 0)), 0)"
                "::text from {} as row" + where
            ).format(sql.Identifier(schema, name))
        ).fetchone()
        assert row is not None
        out[place] = int(row[0]), str(row[1])
    return out
