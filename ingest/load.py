"""Load: a batch's bronze files into its log in Postgres, in one transaction.

Rows, rejects, the batch's state and the removal of a rejected predecessor
commit together or not at all.
"""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import duckdb
import psycopg

from ingest import bronze_log, control, duck, limits, locks, retry, settings
from ingest.control import Batch
from ingest.duck import Engine, literal, quoted
from ingest.errors import SeedbedError, first_line
from ingest.failpoints import reach
from ingest.lake import Lake, Manifest, Part
from ingest.seed import types
from ingest.seed.added import STAGING
from ingest.seed.metadata import Table
from ingest.statements import render

# One char(1) would make DuckDB send all rows as text rather than binary.
LOG_COLUMNS = {name: kind for name, kind, _ in STAGING} | {"_op": "text"}

RETIRED = "no longer read: gone from seeds/metadata/columns.csv"


def prepare(
    connection: control.Connection, table: Table, *, replacing: bool = False
) -> None:
    """Create the table's log, or fit it to a seed that changed since.

    `replacing`: the rows that are in it are about to be replaced.

    A new column is added, a wider type widened; a column that is gone from the
    seed stays, marked as retired. Nothing is done where that isn't possible:
    raises SeedbedError, as for each change of a table that is frozen.
    """
    if not replacing:
        assert_whole(connection, table)
    with connection.transaction():
        locks.serialize(connection, f"log/{table.bronze}")
        stored = _stored(connection, table)
        if stored:
            _fit(connection, table, stored, replacing)
            if table.has_long_key:
                _index_hashes(connection, table)
        else:
            _create(connection, table)


def _index_hashes(connection: control.Connection, table: Table) -> None:
    """Let the index of a key that may be long hold hashes in place of its values."""
    log = bronze_log.name_of(table)
    query = render("key_indexes", log=log)
    found = connection.execute(query.encode()).fetchall()
    for name, has_hashes in found:
        if not has_hashes:
            connection.execute(f"drop index {name}".encode())
    if not any(has_hashes for _, has_hashes in found):
        statement = f"create index on {log} ({_index_key(table)})"
        connection.execute(statement.encode())


def _index_key(table: Table) -> str:
    """What the log's index is on, hashes in place of values that may be too long."""
    return ", ".join(
        f"md5({quoted(c.name)})"
        if table.has_long_key and limits.is_long(c.type)
        else quoted(c.name)
        for c in table.key
    )


def assert_whole(connection: control.Connection, table: Table) -> None:
    """Raise SeedbedError where only a part of the log was rebuilt from raw."""
    if connection.execute(
        "select true from audit.replay where table_id = %s", (table.id,)
    ).fetchone():
        raise SeedbedError(
            f"{table.id}: a rebuild from raw was interrupted, so its log is only in "
            "part made from raw: nothing is read or built from it until that is done, "
            "and what was built before stays.",
            f"Type `./seedbed rebuild {table.id} --from-raw` again.",
        )


@dataclass(frozen=True)
class _Stored:
    """A column of a log: its type in the seed's words, and what is noted on it."""

    type: str
    nullable: bool
    retired: bool


def _stored(connection: control.Connection, table: Table) -> dict[str, _Stored]:
    """The log's columns by name; empty when there is no log."""
    query = render("log_columns", name=table.bronze, retired=RETIRED)
    rows = connection.execute(query.encode()).fetchall()
    return {
        name: _Stored(_plain(kind), nullable, retired)
        for name, kind, nullable, retired in rows
    }


class _Change:
    """What makes the seed's columns of the stored ones: names by what happened."""

    def __init__(self, table: Table, stored: dict[str, _Stored]) -> None:
        self.was = {name: column.type for name, column in stored.items()}
        self.now = {c.name: _plain(c.type.log) for c in table.columns}
        gone = {*stored} - {*self.now} - {*LOG_COLUMNS}
        kept = [name for name in self.now if name in stored]
        self.added = [name for name in self.now if name not in stored]
        self.retyped = [n for n in kept if self.was[n] != self.now[n]]
        self.returned = [n for n in kept if stored[n].retired]
        self.retired = sorted(n for n in gone if not stored[n].retired)

    def __bool__(self) -> bool:
        return bool(self.added or self.retyped or self.returned or self.retired)


def _create(connection: control.Connection, table: Table) -> None:
    own = {c.name: c.type.log for c in table.columns}
    statements = render(
        "create_log",
        log=bronze_log.name_of(table),
        columns=own | LOG_COLUMNS,
        strict={c.name for c in table.key} | {*LOG_COLUMNS},
    )
    connection.execute(statements.encode())


def _fit(
    connection: control.Connection,
    table: Table,
    stored: dict[str, _Stored],
    replacing: bool,
) -> None:
    change = _Change(table, stored)
    if not change:
        return
    _refuse(connection, table, change, replacing)
    log = bronze_log.name_of(table)
    kinds = {c.name: c.type.log for c in table.columns}
    actions = [f"add column {quoted(n)} {kinds[n]}" for n in change.added]
    actions += [f"alter column {quoted(n)} type {kinds[n]}" for n in change.retyped]
    actions += [
        f"alter column {quoted(name)} drop not null"
        for name in change.retired
        if not stored[name].nullable
    ]
    statement = f"alter table {log} {', '.join(actions)}"
    if change.retyped:
        # Only another type needs the views out of the way.
        what = f"{literal(log)}, {literal(', '.join(actions))}"
        statement = f"select audit.alter_table({what})"
    try:
        if actions:
            connection.execute(statement.encode())
    except psycopg.Error as error:
        raise SeedbedError(
            f"{table.id}: bronze.{table.bronze} could not be fitted to "
            f"seeds/metadata/columns.csv and is unchanged: {first_line(error)}.",
            "Remove what prevents it, or write the old columns back; then run again.",
        ) from error
    for name in (*change.retired, *change.returned):
        note = literal(RETIRED) if name in change.retired else "null"
        comment = f"comment on column {log}.{quoted(name)} is {note}"
        connection.execute(comment.encode())
    is_fitted = not _Change(table, _stored(connection, table))
    assert is_fitted, f"{table.id}: its log is not what the seed says"


def _refuse(
    connection: control.Connection, table: Table, change: _Change, replacing: bool
) -> None:
    """Raise SeedbedError where the log must not, or can't, follow the seed."""
    was, now = change.was, change.now
    if table.on_schema_change == "freeze":
        changes = [f"{name} was added" for name in (*change.added, *change.returned)]
        changes += [f"{name} was removed" for name in change.retired]
        changes += [f"{n} is {now[n]}, not {was[n]}" for n in change.retyped]
        raise SeedbedError(
            f"{table.id} is frozen, but seeds/metadata/columns.csv changed: "
            f"{'; '.join(changes)}. Nothing was read.",
            "Write the old columns back; or, if the change is meant, write evolve as "
            "its on_schema_change in tables.csv, type `./seedbed generate`, and run "
            "again.",
        )
    for name in change.retyped:
        if not types.widens(was[name], now[name]):
            raise SeedbedError(
                f"{table.id}: column {name} of bronze.{table.bronze} is "
                f"{was[name]}, but seeds/metadata/columns.csv says "
                f"{now[name]}, which does not hold each value unchanged; a log "
                "only ever widens (a longer varchar or text, integer to bigint, a "
                "decimal of more digits and the same scale).",
                "Write the old type back, or give the column another name in "
                "columns.csv so that the new type starts in a new column.",
            )
    new = (*change.added, *change.returned)
    # Rows that are rebuilt without a key are rejected then.
    strict = [
        c
        for c in table.columns
        if c.name in new and not c.nullable and not (replacing and c.key_position)
    ]
    rows = f"select exists (select from {bronze_log.name_of(table)})"
    if strict and connection.execute(rows.encode()).fetchone() == (True,):
        what = (
            f"{table.id}: column {strict[0].name} is new in seeds/metadata/columns.csv "
            "and not nullable, but the rows that were read before have no value for it."
        )
        if strict[0].key_position:
            raise SeedbedError(
                what,
                f"Type `./seedbed rebuild {table.id} --from-raw` and "
                f"`./seedbed reconcile --tables {table.id} --repair`, which reads "
                "those rows again.",
            )
        raise SeedbedError(what, "Write nullable true.")


def _plain(kind: str) -> str:
    """A Postgres type in the words of the seed's mapping."""
    return (
        kind.replace("character varying", "varchar")
        .replace(" without time zone", "")
        .replace(" ", "")
    )


class Loading:
    """A batch's rows on their way into its log, in one transaction.

    Files may be added while the batch is still being read; they are loaded beside
    it. Nothing is seen of them before `load` commits, and what goes wrong until then
    is rolled back, to be loaded again as a whole.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self._parts: tuple[Part, ...] = ()
        self._rows: list[Future[int]] = []
        self._beside = ThreadPoolExecutor(1)
        self._open = contextlib.ExitStack()
        self._engine: Engine | None = None

    def __enter__(self) -> Loading:
        return self

    def __exit__(self, *error: object) -> None:
        self._drop()
        self._beside.shutdown()

    def add(self, parts: tuple[Part, ...]) -> None:
        """Load the bronze files as soon as those before them are."""
        self._parts += parts
        self._rows.append(self._beside.submit(self._insert, parts))

    def _insert(self, parts: tuple[Part, ...]) -> int:
        if self._engine is None:
            self._engine = self._open.enter_context(duck.attached())
            self._engine.execute("begin")
        with duck.one_thread(self._engine):
            return _insert(self._engine, Lake(settings.ROOT), self.table, parts)

    def commit(self, batch: Batch, manifest: Manifest, started: float) -> None:
        """Let the manifest's rows become visible with the batch's state.

        `started` is the monotonic time in seconds at which the load began.
        """
        if not self._holds(manifest.bronze):
            self._drop()
            self.add(manifest.bronze)
            self._rows[-1].result()
        assert self._engine is not None
        loaded = sum(rows.result() for rows in self._rows)
        _close(self._engine, self.table, batch, manifest, loaded, started)
        self._engine.execute("commit")

    def _holds(self, parts: tuple[Part, ...]) -> bool:
        """Whether just these files are loaded; False where one could not be."""
        if self._engine is None or self._parts != parts:
            return False
        return not any(rows.exception() for rows in self._rows)

    def _drop(self) -> None:
        """Roll back what was loaded."""
        for rows in self._rows:
            rows.cancel()
        if self._engine is not None and not all(r.done() for r in self._rows):
            self._engine.interrupt()
        wait(self._rows)
        self._open.close()
        self._engine, self._parts, self._rows = None, (), []


def load(
    connection: control.Connection, table: Table, batch: Batch, loading: Loading
) -> Batch:
    """Append the batch's rows to its log; extracted → loaded."""
    started = time.monotonic()
    lake = Lake(settings.ROOT)
    way = "Type `./seedbed run`, which reads its window again."
    manifest = lake.manifest_of(batch, "Nothing was loaded.", way)
    for part in (*manifest.bronze, *manifest.rejects):
        lake.fetch(part)
    try:
        loading.commit(batch, manifest, started)
    except duckdb.Error as error:
        next_step = retry.what_next(error, "The batch's files are kept.")
        said, hint = duck.explained(error, next_step)
        raise SeedbedError(
            f"{table.id}: loading batch {batch.batch_id} failed and was rolled back: "
            f"{said}",
            hint,
        ) from error
    loaded = control.batch(connection, batch.table_id, batch.batch_seq)
    # A COMMIT through DuckDB can fail without a word, so the outcome is read
    # back on another connection.
    if loaded.state != "loaded":
        raise SeedbedError(
            f"{table.id}: loading batch {batch.batch_id} was rolled back by the "
            "warehouse, whose log names the cause. The batch's files are kept.",
            "Run again.",
        )
    return loaded


def _close(
    engine: Engine,
    table: Table,
    batch: Batch,
    manifest: Manifest,
    loaded: int,
    started: float,
) -> None:
    """What goes with a batch's rows: rejects, its state, a rejected predecessor."""
    _in_warehouse(engine, indexes(table))
    statements = render(
        "close_batch",
        table=table,
        log=bronze_log.name_of(table),
        batch_seq=batch.batch_seq,
        loaded=loaded,
    )
    _in_warehouse(engine, statements)
    _insert_rejects(engine, Lake(settings.ROOT), manifest)
    reach("in_load")
    seconds = time.monotonic() - started
    _in_warehouse(
        engine,
        f"update audit.batch set seconds = seconds + {seconds} "
        f"where table_id = {literal(table.id)} and batch_seq = {batch.batch_seq}",
    )


def indexes(table: Table) -> str:
    """The warehouse's statement that makes the log's indexes, unless it has them."""
    log = bronze_log.name_of(table)
    return render("index_log", log=log, key=_index_key(table))


def replace(
    engine: Engine, lake: Lake, table: Table, batch: Batch, manifest: Manifest
) -> None:
    """Put the rows of the manifest's files in place of those the batch has."""
    here = f"batch_seq = {batch.batch_seq}"
    engine.execute("begin")
    try:
        _in_warehouse(engine, f"delete from {bronze_log.name_of(table)} where _{here}")
        rejects = f"delete from audit.reject where table_id = {literal(table.id)}"
        _in_warehouse(engine, f"{rejects} and {here}")
        _insert(engine, lake, table, manifest.bronze)
        _in_warehouse(engine, indexes(table))
        _insert_rejects(engine, lake, manifest)
        engine.execute("commit")
    except BaseException:
        # The transaction may be gone already; the first error is the one to tell.
        with contextlib.suppress(duckdb.Error):
            engine.execute("rollback")
        raise


def _in_warehouse(engine: Engine, statement: str) -> None:
    """Run a statement of the warehouse's in the transaction."""
    engine.execute(f"call postgres_execute('warehouse', {literal(statement)})")


def _insert(engine: Engine, lake: Lake, table: Table, parts: tuple[Part, ...]) -> int:
    """Append the rows of bronze files to the log; returns how many."""
    columns = ", ".join(duck.quoted(c.name) for c in table.columns)
    names = f"{columns}, {', '.join(LOG_COLUMNS)}"
    return _copy(engine, lake, parts, bronze_log.name_of(table), names)


def _insert_rejects(engine: Engine, lake: Lake, manifest: Manifest) -> None:
    names = "table_id, batch_seq, reason, source_row"
    _copy(engine, lake, manifest.rejects, "audit.reject", names)


def _copy(
    engine: Engine, lake: Lake, parts: tuple[Part, ...], target: str, names: str
) -> int:
    files = lake.paths(p for p in parts if p.rows)
    if not files:
        return 0
    return int(
        duck.scalar(
            engine,
            f"insert into warehouse.{target} ({names}) "
            f"select {names} from read_parquet({files})",
        )
    )
