"""Load: a batch's bronze files into its log in Postgres, in one transaction.

Rows, rejects, the batch's state and the removal of a rejected predecessor
commit together or not at all.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import duckdb
import psycopg
from psycopg import sql

from ingest import bronze_log, control, duck, limits, locks, retry, settings
from ingest.control import Batch
from ingest.duck import literal
from ingest.errors import SeedbedError, first_line
from ingest.failpoints import reach
from ingest.lake import Lake, Manifest, Part
from ingest.seed import types
from ingest.seed.metadata import Table

LOG_COLUMNS = {
    # One char(1) would make DuckDB send all rows as text rather than binary.
    "_op": "text",
    "_source_ts": "timestamp",
    "_observed_at": "timestamp",
    "_batch_seq": "bigint",
    "_row_hash": "bytea",
}


RETIRED = "no longer read: gone from seeds/metadata/columns.csv"


def prepare(
    connection: control.Connection, table: Table, *, anew: bool = False
) -> None:
    """Create the table's log, or fit it to a seed that changed since.

    `anew`: the rows that are in it are about to be replaced.

    A new column is added, a wider type widened; a column that is gone from the
    seed stays, marked as retired. Nothing is done where that isn't possible:
    raises SeedbedError, as for each change of a table that is frozen.
    """
    if not anew:
        assert_whole(connection, table)
    with connection.transaction():
        locks.serialize(connection, f"log/{table.bronze}")
        stored = _stored(connection, table)
        if stored:
            _fit(connection, table, stored, anew)
        else:
            _create(connection, table)
        if table.has_long_key:
            _index_hashes(connection, table)


def _index_hashes(connection: control.Connection, table: Table) -> None:
    """Let the index of a key that may be long hold hashes in place of its values."""
    log = sql.Identifier("bronze", table.bronze)
    found = connection.execute(
        "select indexrelid::regclass::text, indexprs is not null from pg_index "
        "inner join pg_class on pg_class.oid = indexrelid "
        "inner join pg_am on pg_am.oid = relam and amname = 'btree' "
        "where indrelid = %s::regclass",
        (log.as_string(connection),),
    ).fetchall()
    for name, has_hashes in found:
        if not has_hashes:
            connection.execute(f"drop index {name}")
    if not any(has_hashes for _, has_hashes in found):
        parts = [
            sql.SQL("md5({})" if limits.is_long(c.type) else "{}").format(
                sql.Identifier(c.name)
            )
            for c in table.key
        ]
        connection.execute(
            sql.SQL("create index on {} ({})").format(log, sql.SQL(", ").join(parts))
        )


def assert_whole(connection: control.Connection, table: Table) -> None:
    """Raise SeedbedError where only a part of the log was made anew from raw."""
    if connection.execute(
        "select true from audit.replay where table_id = %s", (table.id,)
    ).fetchone():
        raise SeedbedError(
            f"{table.id}: `./seedbed rebuild {table.id} --from-raw` was cut off, so "
            "that its log is made from raw in part. Nothing is read or built from it "
            "until that is done: type the command again. What was built before stays."
        )


@dataclass(frozen=True)
class _Stored:
    """A column of a log: its type in the seed's words, and what is noted on it."""

    type: str
    nullable: bool
    retired: bool


def _stored(connection: control.Connection, table: Table) -> dict[str, _Stored]:
    """The log's columns by name; empty when there is no log."""
    rows = connection.execute(
        "select c.column_name, format_type(a.atttypid, a.atttypmod), "
        "c.is_nullable = 'YES', "
        "coalesce(col_description(a.attrelid, a.attnum), '') = %s "
        "from information_schema.columns c "
        "join pg_attribute a on a.attname = c.column_name "
        "and a.attrelid = format('%%I.%%I', table_schema, table_name)::regclass "
        "where table_schema = 'bronze' and table_name = %s",
        (RETIRED, table.bronze),
    ).fetchall()
    return {
        name: _Stored(_plain(kind), nullable, retired)
        for name, kind, nullable, retired in rows
    }


def _wanted(table: Table) -> dict[str, str]:
    return {c.name: _plain(c.type.log) for c in table.columns}


@dataclass(frozen=True)
class _Change:
    """Names of columns by what happened to them in the seed."""

    added: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()

    @classmethod
    def between(cls, stored: dict[str, _Stored], wanted: dict[str, str]) -> _Change:
        """What makes the wanted columns of the stored ones."""
        gone = {*stored} - {*wanted} - {*LOG_COLUMNS}
        kept = [name for name in wanted if name in stored]
        return cls(
            added=tuple(name for name in wanted if name not in stored),
            retyped=tuple(n for n in kept if stored[n].type != wanted[n]),
            returned=tuple(n for n in kept if stored[n].retired),
            retired=tuple(n for n in sorted(gone) if not stored[n].retired),
        )


def _create(connection: control.Connection, table: Table) -> None:
    log = sql.Identifier("bronze", table.bronze)
    keys = {c.name for c in table.key}
    kinds = {c.name: c.type.log for c in table.columns} | LOG_COLUMNS
    columns = [
        sql.SQL("{} {}{}").format(
            sql.Identifier(name),
            sql.SQL(kind),
            sql.SQL(" not null" if name in {*keys, *LOG_COLUMNS} else ""),
        )
        for name, kind in kinds.items()
    ]
    connection.execute(
        sql.SQL("create table {} ({})").format(log, sql.SQL(", ").join(columns))
    )
    if table.key and not table.has_long_key:
        key = [sql.Identifier(c.name) for c in table.key]
        connection.execute(
            sql.SQL("create index on {} ({})").format(log, sql.SQL(", ").join(key))
        )
    # Batches lie one after the other, so a few pages say where each one is, and
    # where the newest times are, which extraction looks for.
    connection.execute(
        sql.SQL(
            "create index on {} using brin (_batch_seq, _source_ts) "
            "with (pages_per_range = 16, autosummarize = on)"
        ).format(log)
    )


def _fit(
    connection: control.Connection,
    table: Table,
    stored: dict[str, _Stored],
    anew: bool,
) -> None:
    change = _Change.between(stored, _wanted(table))
    if change == _Change():
        return
    _refuse(connection, table, stored, change, anew)
    log = sql.Identifier("bronze", table.bronze)
    actions: list[sql.Composable] = [
        sql.SQL("add column {} {}").format(
            sql.Identifier(column.name), sql.SQL(column.type.log)
        )
        for column in table.columns
        if column.name in change.added
    ]
    actions += [
        sql.SQL("alter column {} type {}").format(
            sql.Identifier(column.name), sql.SQL(column.type.log)
        )
        for column in table.columns
        if column.name in change.retyped
    ]
    actions += [
        sql.SQL("alter column {} drop not null").format(sql.Identifier(name))
        for name in change.retired
        if not stored[name].nullable
    ]
    if actions:
        text = sql.SQL(", ").join(actions).as_string(connection)
        try:
            # Only another type needs the views out of the way.
            if change.retyped:
                connection.execute(
                    "select audit.alter_table(format('bronze.%%I', %s::text), %s)",
                    (table.bronze, text),
                )
            else:
                connection.execute(
                    sql.SQL("alter table {} ").format(log) + sql.SQL(", ").join(actions)
                )
        except psycopg.Error as error:
            raise SeedbedError(
                f"{table.id}: bronze.{table.bronze} could not be fitted to "
                "seeds/metadata/columns.csv and is as it was: "
                f"{first_line(error)}. Remove what "
                "stands in the way, or write the old columns back, and run again."
            ) from error
    for name in (*change.retired, *change.returned):
        note = RETIRED if name in change.retired else None
        connection.execute(
            sql.SQL("comment on column {}.{} is {}").format(
                log, sql.Identifier(name), sql.Literal(note)
            )
        )
    now = _stored(connection, table)
    kinds = {name: now[name].type for name in now}
    wrong = {*_wanted(table).items()} - {*kinds.items()}
    assert not wrong, f"{table.id}: {wrong} of the log are not what the seed says"


def _refuse(
    connection: control.Connection,
    table: Table,
    stored: dict[str, _Stored],
    change: _Change,
    anew: bool,
) -> None:
    """Raise SeedbedError where the log must not, or can't, follow the seed."""
    wanted = _wanted(table)
    if table.on_schema_change == "freeze":
        changes = [f"{name} was added" for name in (*change.added, *change.returned)]
        changes += [f"{name} was removed" for name in change.retired]
        changes += [f"{n} is {wanted[n]}, not {stored[n].type}" for n in change.retyped]
        raise SeedbedError(
            f"{table.id} is frozen, but seeds/metadata/columns.csv changed: "
            f"{'; '.join(changes)}. Nothing was read. Write the old columns back; or, "
            "if the change is meant, write evolve as its on_schema_change in "
            "tables.csv, `./seedbed generate`, and run again."
        )
    for name in change.retyped:
        if not types.widens(stored[name].type, wanted[name]):
            raise SeedbedError(
                f"{table.id}: column {name} of bronze.{table.bronze} is "
                f"{stored[name].type}, but seeds/metadata/columns.csv says "
                f"{wanted[name]}, which does not hold each value unchanged; a log "
                "only ever widens (a longer varchar or text, integer to bigint, a "
                "decimal of more digits and the same scale). Write the old type back, "
                "or give the column another name in columns.csv so that the new type "
                "starts in a new column."
            )
    new = (*change.added, *change.returned)
    # Rows that are made anew without a key are rejected then.
    strict = [
        c
        for c in table.columns
        if c.name in new and not c.nullable and not (anew and c.key_position)
    ]
    log = sql.Identifier("bronze", table.bronze)
    rows = sql.SQL("select exists (select from {})").format(log)
    if strict and connection.execute(rows).fetchone() == (True,):
        what = (
            f"{table.id}: column {strict[0].name} is new in seeds/metadata/columns.csv "
            "and not nullable, but the rows that were read before have no value for it."
        )
        if strict[0].key_position:
            raise SeedbedError(
                f"{what} Type `./seedbed rebuild {table.id} --from-raw` and "
                f"`./seedbed reconcile --tables {table.id} --repair`, which reads "
                "those rows again."
            )
        raise SeedbedError(f"{what} Write nullable true.")


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
        self._engine: duckdb.DuckDBPyConnection | None = None

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
            self._engine = self._open.enter_context(
                duck.engine(settings.ROOT / ".seedbed" / "spill")
            )
            duck.attach_warehouse(self._engine, settings.warehouse())
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
    manifest = lake.manifest(batch.manifest_key)
    if manifest is None:
        raise SeedbedError(
            f"{table.id}: the manifest {batch.manifest_key} of batch {batch.batch_id} "
            "is no longer in the lake. Nothing was loaded; `./seedbed run` reads its "
            "window anew."
        )
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
            "warehouse. Its log names the cause; run again, the files are kept."
        )
    return loaded


def _close(
    engine: duckdb.DuckDBPyConnection,
    table: Table,
    batch: Batch,
    manifest: Manifest,
    loaded: int,
    started: float,
) -> None:
    """What goes with a batch's rows: rejects, its state, a rejected predecessor."""
    log = bronze_log.name_of(table)
    here = f"table_id = {literal(table.id)}"
    in_warehouse = functools.partial(_in_warehouse, engine)
    # Of two loaders that got here the second one waits, and finds it is too late.
    in_warehouse(
        "do $$ begin update audit.batch set state = 'loaded', rows_loaded = "
        f"{loaded} where {here} "
        f"and batch_seq = {batch.batch_seq} and state = 'extracted'; "
        "if not found then raise exception 'the batch is no longer extracted'; "
        "end if; end $$"
    )
    _insert_rejects(engine, Lake(settings.ROOT), manifest)
    rejected = (
        f"(select batch_seq from audit.batch where {here} and state = 'rejected')"
    )
    in_warehouse(f"delete from {log} where _batch_seq in {rejected}")
    # What still fails is kept again, for the batch that reads it again.
    in_warehouse(
        f"delete from audit.quarantine where {here} and batch_seq in {rejected}"
    )
    in_warehouse(
        f"update audit.batch set state = 'superseded' where {here} "
        "and state = 'rejected'"
    )
    _forget_old_snapshots(in_warehouse, table, log, here)
    reach("in_load")
    seconds = time.monotonic() - started
    in_warehouse(
        f"update audit.batch set seconds = seconds + {seconds} where {here} "
        f"and batch_seq = {batch.batch_seq}"
    )


def replace(
    engine: duckdb.DuckDBPyConnection,
    lake: Lake,
    table: Table,
    batch: Batch,
    manifest: Manifest,
) -> None:
    """Put the rows of the manifest's files in place of those the batch has."""
    here = f"batch_seq = {batch.batch_seq}"
    with _transaction(engine) as in_warehouse:
        in_warehouse(f"delete from {bronze_log.name_of(table)} where _{here}")
        in_warehouse(
            f"delete from audit.reject where table_id = {literal(table.id)} and {here}"
        )
        _insert(engine, lake, table, manifest.bronze)
        _insert_rejects(engine, lake, manifest)


@contextlib.contextmanager
def _transaction(
    engine: duckdb.DuckDBPyConnection,
) -> Iterator[Callable[[str], None]]:
    """A transaction in the warehouse; yields what runs a statement of its own in it."""
    engine.execute("begin")
    try:
        yield functools.partial(_in_warehouse, engine)
        engine.execute("commit")
    except BaseException:
        # The transaction may be gone already; the first error is the one to tell.
        with contextlib.suppress(duckdb.Error):
            engine.execute("rollback")
        raise


def _in_warehouse(engine: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Run a statement of the warehouse's in the transaction."""
    engine.execute(f"call postgres_execute('warehouse', {literal(statement)})")


def _insert(
    engine: duckdb.DuckDBPyConnection,
    lake: Lake,
    table: Table,
    parts: tuple[Part, ...],
) -> int:
    """Append the rows of bronze files to the log; returns how many."""
    columns = ", ".join(duck.quoted(c.name) for c in table.columns)
    names = f"{columns}, {', '.join(LOG_COLUMNS)}"
    return _copy(engine, lake, parts, bronze_log.name_of(table), names)


def _insert_rejects(
    engine: duckdb.DuckDBPyConnection, lake: Lake, manifest: Manifest
) -> None:
    names = "table_id, batch_seq, reason, source_row"
    _copy(engine, lake, manifest.rejects, "audit.reject", names)


def _copy(
    engine: duckdb.DuckDBPyConnection,
    lake: Lake,
    parts: tuple[Part, ...],
    target: str,
    names: str,
) -> int:
    files = [str(lake.local(p.key)) for p in parts if p.rows]
    if not files:
        return 0
    return int(
        duck.scalar(
            engine,
            f"insert into warehouse.{target} ({names}) "
            f"select {names} from read_parquet({files})",
        )
    )


def _forget_old_snapshots(
    in_warehouse: Callable[[str], None], table: Table, log: str, here: str
) -> None:
    if table.load_type != "full":
        return
    keep = max(table.options.keep_snapshots, 2)
    in_warehouse(
        f"delete from {log} where _batch_seq < (select min(batch_seq) from ("
        f"select batch_seq from audit.batch where {here} and state = 'released' "
        f"and rows_written > 0 order by batch_seq desc limit {keep - 1}) as kept)"
    )
