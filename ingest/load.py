"""Load: a batch's bronze files into its log in Postgres, in one transaction.

Rows, rejects, the batch's state and the removal of a rejected predecessor
commit together or not at all.
"""

from __future__ import annotations

import contextlib
import time

import duckdb
from psycopg import sql

from ingest import duck, ledger, settings
from ingest.duck import literal
from ingest.errors import SeedbedError
from ingest.killpoints import reach
from ingest.lake import Lake, Manifest
from ingest.ledger import Batch
from ingest.metadata import Table

LOG_COLUMNS = {
    "_op": "char(1)",
    "_source_ts": "timestamp",
    "_observed_at": "timestamp",
    "_batch_seq": "bigint",
    "_row_hash": "bytea",
}


def prepare(connection: ledger.Connection, table: Table) -> None:
    """Create the table's log, or the columns that were added since.

    Raises SeedbedError where the seed now gives a column another type than the
    log has.
    """
    with connection.transaction():
        connection.execute(
            "select pg_advisory_xact_lock(hashtext('seedbed.log'), hashtext(%s))",
            (table.bronze,),
        )
        _prepare(connection, table)


def _prepare(connection: ledger.Connection, table: Table) -> None:
    log = sql.Identifier("bronze", table.bronze)
    found = dict(
        connection.execute(
            "select column_name, "
            "format_type(a.atttypid, a.atttypmod) from information_schema.columns c "
            "join pg_attribute a on a.attname = c.column_name "
            "and a.attrelid = format('%%I.%%I', table_schema, table_name)::regclass "
            "where table_schema = 'bronze' and table_name = %s",
            (table.bronze,),
        ).fetchall()
    )
    wanted = {c.name: c.type.postgres for c in table.columns}
    if not found:
        keys = {c.name for c in table.key}
        columns = [
            sql.SQL("{} {}{}").format(
                sql.Identifier(name),
                sql.SQL(kind),
                sql.SQL(" not null" if name in {*keys, *LOG_COLUMNS} else ""),
            )
            for name, kind in {**wanted, **LOG_COLUMNS}.items()
        ]
        connection.execute(
            sql.SQL("create table {} ({})").format(log, sql.SQL(", ").join(columns))
        )
        key = [sql.Identifier(c.name) for c in table.key]
        connection.execute(
            sql.SQL("create index on {} ({})").format(log, sql.SQL(", ").join(key))
        )
        # Batches lie one after the other, so a few pages say where each one is.
        connection.execute(
            sql.SQL(
                "create index on {} using brin (_batch_seq) "
                "with (pages_per_range = 16, autosummarize = on)"
            ).format(log)
        )
        return
    for name, kind in wanted.items():
        if name not in found:
            connection.execute(
                sql.SQL("alter table {} add column {} {}").format(
                    log,
                    sql.Identifier(name),
                    sql.SQL(kind),
                )
            )
        elif _plain(found[name]) != _plain(kind):
            raise SeedbedError(
                f"{table.id}: column {name} of bronze.{table.bronze} is "
                f"{_plain(found[name])}, but seeds/metadata/columns.csv says "
                f"{_plain(kind)}. Write the old type back, or give the column another "
                "name in columns.csv so that the new type starts in a new column."
            )


def _plain(kind: str) -> str:
    """A Postgres type in the words of the seed's mapping."""
    return (
        kind.replace("character varying", "varchar")
        .replace(" without time zone", "")
        .replace(" ", "")
    )


def load(connection: ledger.Connection, table: Table, batch: Batch) -> Batch:
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
        with duck.engine(settings.ROOT / ".seedbed" / "spill") as engine:
            duck.attach_warehouse(engine, settings.warehouse())
            _append(engine, lake, table, batch, manifest, started)
    except duckdb.Error as error:
        lines = str(error).strip().splitlines()
        raise SeedbedError(
            f"{table.id}: loading batch {batch.batch_id} failed and was rolled back: "
            f"{lines[0]} Run again; the batch's files are kept."
        ) from error
    loaded = ledger.batch(connection, batch.table_id, batch.batch_seq)
    # A COMMIT through DuckDB can fail without a word, so the outcome is read
    # back on another connection.
    if loaded.state != "loaded":
        raise SeedbedError(
            f"{table.id}: loading batch {batch.batch_id} was rolled back by the "
            "warehouse. Its log names the cause; run again, the files are kept."
        )
    return loaded


def _append(
    engine: duckdb.DuckDBPyConnection,
    lake: Lake,
    table: Table,
    batch: Batch,
    manifest: Manifest,
    started: float,
) -> None:
    columns = ", ".join(duck.quoted(c.name) for c in table.columns)
    columns += ", " + ", ".join(LOG_COLUMNS)
    log = f"bronze.{duck.quoted(table.bronze)}"
    here = f"table_id = {literal(table.id)}"

    def in_warehouse(statement: str) -> None:
        engine.execute(f"call postgres_execute('warehouse', {literal(statement)})")

    engine.execute("begin")
    try:
        # The state moves first: its row lock keeps every other loader out.
        in_warehouse(
            "do $$ begin update audit.batch set state = 'loaded', rows_loaded = "
            f"{sum(p.rows for p in manifest.bronze)} where {here} "
            f"and batch_seq = {batch.batch_seq} and state = 'extracted'; "
            "if not found then raise exception 'the batch is no longer extracted'; "
            "end if; end $$"
        )
        in_warehouse(
            f"delete from {log} where _batch_seq in (select batch_seq "
            f"from audit.batch where {here} and state = 'rejected')"
        )
        in_warehouse(
            f"update audit.batch set state = 'superseded' where {here} "
            "and state = 'rejected'"
        )
        _forget_old_snapshots(in_warehouse, table, log, here)
        for parts, target, names in (
            (manifest.bronze, f"warehouse.{log}", columns),
            (
                manifest.rejects,
                "warehouse.audit.reject",
                "table_id, batch_seq, reason, source_row",
            ),
        ):
            files = [str(lake.local(p.key)) for p in parts if p.rows]
            if files:
                engine.execute(
                    f"insert into {target} ({names}) "
                    f"select {names} from read_parquet({files})"
                )
        reach("in_load")
        seconds = time.monotonic() - started
        in_warehouse(
            f"update audit.batch set seconds = seconds + {seconds} where {here} "
            f"and batch_seq = {batch.batch_seq}"
        )
        engine.execute("commit")
    except BaseException:
        # The transaction may be gone already; the first error is the one to tell.
        with contextlib.suppress(duckdb.Error):
            engine.execute("rollback")
        raise


def _forget_old_snapshots(
    in_warehouse: object, table: Table, log: str, here: str
) -> None:
    if table.load_type != "full":
        return
    keep = max(table.options.keep_snapshots, 2)
    assert callable(in_warehouse)
    in_warehouse(
        f"delete from {log} where _batch_seq < (select min(batch_seq) from ("
        f"select batch_seq from audit.batch where {here} and state = 'released' "
        f"and rows_written > 0 order by batch_seq desc limit {keep - 1}) as kept)"
    )
