"""Extract: one window of a table, from the source to files in the lake.

The window is read in one snapshot of the source into `raw` (exact values), then
made canonical, compared with what is released, and written to `bronze`: the
final rows that both warehouses load. The manifest comes last.
"""

from __future__ import annotations

import datetime as dt
import shutil
import time
from typing import Any

import duckdb

from ingest import duck, ledger, settings, source
from ingest.duck import literal, quoted
from ingest.errors import SeedbedError, ServiceError, first_line
from ingest.killpoints import reach
from ingest.lake import Lake, Manifest, Part
from ingest.ledger import Batch, Released
from ingest.metadata import Column, Table

FILE_BYTES = 128 << 20
PARQUET = "format parquet, compression zstd, row_group_size 122880"


def plan(connection: ledger.Connection, table: Table, run_id: str) -> Batch:
    """Fix and persist the window of the next batch."""
    released = ledger.released(connection, table)
    high = source.newest_watermark(table)
    if released.high and (high is None or high < released.high):
        high = released.high  # a watermark never goes back
    return ledger.plan(connection, table, run_id, released.high, high)


def extract(connection: ledger.Connection, table: Table, batch: Batch) -> Batch:
    """Read the batch's window into the lake; planned → extracted.

    A batch whose manifest is there was read before and is taken as it is.
    """
    started = time.monotonic()
    lake = Lake(settings.ROOT)
    manifest = lake.manifest(batch.manifest_key)
    if manifest is None:
        work = _Extraction(table, batch, ledger.released(connection, table), lake)
        try:
            manifest = work.run()
        except duckdb.Error as error:
            raise _told(table, error) from error
        reach("before_manifest")
        manifest = lake.finish(batch.manifest_key, manifest)
    reach("after_manifest")
    return ledger.extracted(connection, batch, manifest, time.monotonic() - started)


def _told(table: Table, error: duckdb.Error) -> SeedbedError:
    return ServiceError(
        f"{table.id}: reading it failed: {first_line(error)} The window is "
        "kept and will be read again at the next run; nothing was lost."
    )


class _Extraction:
    """One batch on its way from the source to bronze files."""

    def __init__(
        self, table: Table, batch: Batch, released: Released, lake: Lake
    ) -> None:
        self.table = table
        self.batch = batch
        self.released = released
        self.lake = lake
        self.raw_key = batch.manifest_key.rpartition("/")[0]
        self.bronze_key = self.raw_key.replace("raw/", "bronze/", 1)
        self.key_names = [quoted(c.name) for c in table.key]

    def run(self) -> Manifest:
        spill = settings.ROOT / ".seedbed" / "spill"
        with duck.engine(spill) as engine:
            duck.attach_warehouse(engine, settings.warehouse())
            url = settings.source_url(self.table.source)
            duck.attach_source(engine, url, self.table.source.schema)
            observed_at = self._observed_at()
            source_rows, source_empty, raw = self._read(engine)
            rejects = self._classify(engine, raw, observed_at)
            unchanged, content = self._compare(engine)
            live, deleted = self._tombstones(engine, observed_at)
            bronze = self._write(engine)
        reach("before_upload")
        written = sum(p.rows for p in bronze)
        rejected = sum(p.rows for p in rejects)
        self.lake.upload((*raw, *bronze, *rejects))
        batch = self.batch
        return Manifest(
            table_id=self.table.id,
            batch_id=batch.batch_id,
            batch_seq=batch.batch_seq,
            window_low=_text(batch.window_low),
            window_high=_text(batch.window_high),
            observed_at=observed_at.isoformat(sep=" "),
            fingerprint=batch.fingerprint,
            content=content,
            source_rows=source_rows,
            rows_read=sum(p.rows for p in raw if "/part-" in p.key),
            rows_written=written - deleted,
            rows_unchanged=unchanged,
            rows_rejected=rejected,
            rows_deleted=deleted,
            source_empty=source_empty,
            live_keys=live,
            raw=raw,
            bronze=bronze,
            rejects=rejects,
        )

    def _observed_at(self) -> dt.datetime:
        """The time of the snapshot in UTC; later than that of all earlier ones."""
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        before = self.released.observed_at
        if before is not None and now <= before:
            return before + dt.timedelta(microseconds=1)
        return now

    def _window(self) -> str:
        """The predicate of the window on the source's rows."""
        if not self.table.watermark_column:
            return "true"
        column = quoted(self.table.watermark_column)
        if self.batch.window_high is None:
            return "false"
        high = f"{column} <= timestamp {literal(self.batch.window_high)}"
        if self.batch.window_low is None:
            return high
        options = self.table.options
        reach_back = max(
            dt.timedelta(minutes=options.overlap_minutes),
            dt.timedelta(days=options.late_days),
        )
        low = self.batch.window_low - reach_back
        return f"{column} > timestamp {literal(low)} and {high}"

    def _read(
        self, engine: duckdb.DuckDBPyConnection
    ) -> tuple[int, bool, tuple[Part, ...]]:
        """Source rows of the window, whether the table is empty, the raw parts.

        All in one transaction, so in one snapshot of the source.
        """
        relation = f"source.{quoted(self.table.source.schema)}"
        relation += f".{quoted(self.table.name)}"
        columns = ", ".join(quoted(c.source_name) for c in self.table.columns)
        window = self._window()
        engine.execute("begin")
        nulls = 0
        if self.table.watermark_column:
            empty = f"{quoted(self.table.watermark_column)} is null"
            nulls = _scalar(engine, f"select count(*) from {relation} where {empty}")
        count = _scalar(engine, f"select count(*) from {relation} where {window}")
        rows = f"select {columns} from {relation} where {window}"
        if nulls:
            rows += f" union all select {columns} from {relation} where {empty}"
        raw = self._copy(engine, rows, self.raw_key, "part")
        probe = engine.execute(f"select 1 from {relation} limit 1").fetchone()
        if self.table.delete_mode == "key_scan":
            keys = ", ".join(quoted(c.source_name) for c in self.table.key)
            raw += self._copy(
                engine, f"select {keys} from {relation}", self.raw_key, "keys"
            )
        engine.execute("commit")
        return count + nulls, probe is None, raw

    def _copy(
        self, engine: duckdb.DuckDBPyConnection, rows: str, key: str, name: str
    ) -> tuple[Part, ...]:
        """Write `rows` as `key/name-0000.parquet`, … of about 128 MB each."""
        folder = self.lake.local(key)
        draft = folder / f".{name}"
        shutil.rmtree(draft, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{name}-*.parquet"):
            old.unlink()
        engine.execute(
            f"copy ({rows}) to {literal(draft)} ({PARQUET}, per_thread_output false, "
            f"file_size_bytes {FILE_BYTES}, filename_pattern '{name}-{{i}}')"
        )
        parts = []
        files = sorted(draft.glob("*.parquet"), key=lambda p: int(p.stem[5:]))
        for number, file in enumerate(files):
            target = f"{key}/{name}-{number:04d}.parquet"
            file.rename(self.lake.local(target))
            count = _scalar(
                engine,
                "select sum(num_rows)::bigint from parquet_file_metadata("
                f"{literal(self.lake.local(target))})",
            )
            parts.append(self.lake.describe(target, count))
        shutil.rmtree(draft, ignore_errors=True)
        return tuple(parts)

    def _classify(
        self,
        engine: duckdb.DuckDBPyConnection,
        raw: tuple[Part, ...],
        observed_at: dt.datetime,
    ) -> tuple[Part, ...]:
        """Make `typed` and `accepted` of the raw rows; write the rejected ones."""
        table = self.table
        files = [str(self.lake.local(p.key)) for p in raw if "/part-" in p.key]
        observed = f"timestamp {literal(observed_at)}"
        faults = [
            f"when {quoted(c.source_name)} is null then 'NULL in key {c.name}'"
            for c in table.key
        ]
        if table.window_column:
            watermark = quoted(table.window_column.source_name)
            faults.append(f"when {watermark} is null then 'NULL watermark'")
            effective = f"{watermark}::timestamp"
            if table.source.timezone != "UTC":
                zone = literal(table.source.timezone)
                effective = f"timezone('UTC', timezone({zone}, {effective}))"
        else:
            effective = observed
        faults += [
            f"when not coalesce({fits}, true) then "
            + literal(f"{c.name} is not a {c.type.name}")
            for c in table.columns
            if (fits := _fits(c))
        ]
        deleted = "'U'"
        if table.options.soft_delete_column:
            deleted = f"case when {self._soft_deleted()} then 'D' else 'U' end"
        values = ", ".join(f"{_cast(c)} as {quoted(c.name)}" for c in table.columns)
        texts = ", ".join(f"{quoted(c.name)}::varchar" for c in table.columns)
        shown = ", ".join(
            f"{literal(c.source_name)}: {_shown(c)}" for c in table.columns
        )
        reason = f"case {' '.join(faults)} end" if faults else "null"
        engine.execute(
            f"create temp view typed as select {reason} as _reason, {deleted} as _op, "
            f"{effective} as _source_ts, {observed} as _observed_at, "
            f"{self.batch.batch_seq}::bigint as _batch_seq, {{{shown}}} as _raw, "
            f"{values} "
            f"from read_parquet({files})"
        )
        names = ", ".join(quoted(c.name) for c in table.columns)
        engine.execute(
            f"create temp view accepted as select {names}, "
            "_op, _source_ts, _observed_at, _batch_seq, "
            # A JSON list of texts: no delimiter that a value could forge, and
            # NULL differs from the empty string.
            f"unhex(md5(to_json([{texts}])::varchar)) as _row_hash "
            "from typed where _reason is null"
        )
        count = _scalar(engine, "select count(*) from typed where _reason is not null")
        if not count:
            return ()
        rows = (
            f"select {literal(table.id)} as table_id, _batch_seq as batch_seq, "
            "_reason as reason, to_json(_raw) as source_row "
            "from typed where _reason is not null"
        )
        return self._copy(
            engine, rows, self.raw_key.replace("raw/", "rejects/", 1), "part"
        )

    def _soft_deleted(self) -> str:
        flag = quoted(self.table.options.soft_delete_column)
        return f"coalesce(try_cast({flag} as varchar), '0') not in ('0', 'false')"

    def _compare(self, engine: duckdb.DuckDBPyConnection) -> tuple[int, str]:
        """Make `fresh`, the accepted rows that are not released yet.

        Returns the number of rows left out as unchanged and, for a full
        snapshot, a fingerprint of its content.
        """
        if self.table.load_type == "full":
            row = engine.execute(
                "select count(*)::varchar || '-' || "
                "coalesce(bit_xor(md5_number(hex(_row_hash))), 0)::varchar, count(*) "
                "from accepted"
            ).fetchone()
            assert row is not None
            same = row[0] == self.released.content
            engine.execute(
                f"create temp view fresh as select * from accepted where {not same}"
            )
            return (row[1] if same else 0), row[0]
        start = None
        if self.released.through:
            start = _scalar(engine, "select min(_source_ts) from accepted")
        if start is None:  # nothing is released, or nothing was read
            engine.execute("create temp view fresh as select * from accepted")
            return 0, ""
        keys = ", ".join(self.key_names)
        known = self._known(literal(start))
        engine.execute(
            "create temp table known as "
            f"from postgres_query('warehouse', {literal(known)})"
        )
        engine.execute(
            "create temp view fresh as "
            f"from accepted anti join known using ({keys}, _source_ts, _row_hash)"
        )
        total = _scalar(engine, "select count(*) from accepted")
        return total - _scalar(engine, "select count(*) from fresh"), ""

    def _known(self, start: str) -> str:
        """SQL for the released rows from `start` on that still hold.

        A row that is in the log and was not deleted since adds nothing when it is
        read again. What a batch that may still be rejected holds doesn't count.
        """
        keys = ", ".join(self.key_names)
        same_key = " and ".join(f"later.{k} = log.{k}" for k in self.key_names)
        released = f"_batch_seq <= {self.released.through}"
        return (
            f"select {keys}, _source_ts, _row_hash from {self._log()} as log "
            f"where {released} and _source_ts >= timestamp {start} "
            "and (_op = 'D' or not exists ("
            f"select from {self._log()} as later where {same_key} "
            f"and later._op = 'D' and later.{released} "
            "and later._batch_seq > log._batch_seq))"
        )

    def _log(self) -> str:
        return f"bronze.{quoted(self.table.bronze)}"

    def _tombstones(
        self, engine: duckdb.DuckDBPyConnection, observed_at: dt.datetime
    ) -> tuple[int, int]:
        """Make `tombstones`, one for each live key that the source has lost.

        Returns the number of live keys and of tombstones. A tombstone repeats
        the key's last known values, so that a deleted row can still be read.
        """
        engine.execute("create temp view tombstones as select * from fresh where false")
        if self.table.delete_mode != "key_scan" or not self.released.through:
            return 0, 0
        names = ", ".join(quoted(c.name) for c in self.table.columns)
        keys = ", ".join(self.key_names)
        engine.execute(
            "create temp table live as from postgres_query('warehouse', "
            + literal(
                live_rows(
                    self.table,
                    self.released.through,
                    f"{names}, _row_hash, effective_ts",
                )
            )
            + ")"
        )
        scanned = [
            str(self.lake.local(f"{self.raw_key}/{p.name}"))
            for p in sorted(self.lake.local(self.raw_key).glob("keys-*.parquet"))
        ]
        there = ", ".join(f"{_cast(c)} as {quoted(c.name)}" for c in self.table.key)
        engine.execute(
            f"create temp table present as select {there} from read_parquet({scanned})"
        )
        engine.execute(
            f"create or replace temp view tombstones as select {names}, 'D' as _op, "
            f"greatest(timestamp {literal(observed_at)}, effective_ts) as _source_ts, "
            f"timestamp {literal(observed_at)} as _observed_at, "
            f"{self.batch.batch_seq}::bigint as _batch_seq, _row_hash "
            f"from live anti join present using ({keys})"
        )
        return (
            _scalar(engine, "select count(*) from live"),
            _scalar(engine, "select count(*) from tombstones"),
        )

    def _write(self, engine: duckdb.DuckDBPyConnection) -> tuple[Part, ...]:
        """Write the batch's final rows."""
        return self._copy(
            engine,
            "select * from fresh union all by name select * from tombstones",
            self.bronze_key,
            "part",
        )


def live_rows(table: Table, through: int, columns: str) -> str:
    """SQL for `columns` of the newest row of each key that is not deleted.

    Written apart from the dbt macros on purpose: it is what the ledger checks
    their result against.
    """
    keys = ", ".join(quoted(c.name) for c in table.key)
    return (
        f"select {columns} from (select distinct on ({keys}) * from (select *, "
        "greatest(_source_ts, max(_source_ts) filter (where _op = 'D') over ("
        f"partition by {keys} order by _batch_seq, _source_ts, _row_hash, _op "
        "rows between unbounded preceding and 1 preceding)) as effective_ts "
        f"from bronze.{quoted(table.bronze)} where _batch_seq <= {through}) as log "
        f"order by {keys}, effective_ts desc, _batch_seq desc, _row_hash desc, "
        "_op desc) as latest where _op <> 'D'"
    )


def _cast(column: Column) -> str:
    """The column's canonical value; a reader of rejected rows never sees it."""
    name = quoted(column.source_name)
    if column.type.name == "json":
        return f"{name}::varchar::json"
    if column.type.name in ("boolean", "binary") or column.type.duckdb == "varchar":
        return f"{name}::{column.type.duckdb}"
    return f"try_cast({name} as {column.type.duckdb})"


def _shown(column: Column) -> str:
    """The source's value as a rejected row shows it."""
    name = quoted(column.source_name)
    if column.type.duckdb in ("varchar", "json"):
        return f"replace({name}::varchar, chr(0), '␀')"
    return name


def _fits(column: Column) -> str:
    """The condition under which a value survives `_cast` whole, or ''."""
    name, kind = quoted(column.source_name), column.type
    if kind.name == "json":
        return f"json_valid({name}::varchar)"
    if kind.duckdb == "varchar":
        length = ""
        if kind.name.startswith("varchar"):
            length = f" and length({name}::varchar) <= {kind.name[8:-1]}"
        # Postgres holds no NUL character in a text.
        return f"not contains({name}::varchar, chr(0)){length}"
    if kind.name in ("integer", "bigint") or kind.name.startswith("decimal"):
        # A cast to a smaller scale rounds without a word.
        return (
            f"(try_cast({name} as {kind.duckdb}) is not null "
            f"and try_cast({name} as {kind.duckdb}) = {name} or {name} is null)"
        )
    if kind.name in ("date", "time", "timestamp"):
        return f"(try_cast({name} as {kind.duckdb}) is not null or {name} is null)"
    return ""


def _scalar(engine: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = engine.execute(query).fetchone()
    assert row is not None
    return row[0]


def _text(value: dt.datetime | None) -> str | None:
    return None if value is None else value.isoformat(sep=" ")
