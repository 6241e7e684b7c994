"""Extract: a planned batch, from the source to files in the lake.

What the batch reads comes in one snapshot of the source into `raw` (exact
values), from which `bronze` is made. The manifest comes last.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import asdict, dataclass

import duckdb

from ingest import (
    casts,
    duck,
    files,
    keys,
    ledger,
    log,
    reconcile,
    settings,
    source,
    window,
)
from ingest.duck import backticked, literal, quoted, scalar
from ingest.errors import SeedbedError, ServiceError, first_line
from ingest.killpoints import reach
from ingest.lake import Lake, Manifest, Part
from ingest.ledger import Batch
from ingest.metadata import Table
from ingest.standardise import Standardisation, holds_rows


def extract(connection: ledger.Connection, table: Table, batch: Batch) -> Batch:
    """Read the batch into the lake; planned → extracted.

    A batch whose manifest is there was read before and is taken as it is.
    """
    started = time.monotonic()
    lake = Lake(settings.ROOT)
    manifest = lake.manifest(batch.manifest_key)
    if manifest is None:
        work = _Extraction(connection, table, batch, lake)
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


@dataclass
class _Reading:
    """What was read: files, and what the source said of it in the same snapshot."""

    parts: tuple[Part, ...] = ()
    source_rows: int = 0
    source_empty: bool = False
    keys_scanned: bool = False
    live_keys: int = 0


class _Extraction:
    """One batch on its way from the source to bronze files."""

    def __init__(
        self, connection: ledger.Connection, table: Table, batch: Batch, lake: Lake
    ) -> None:
        self.connection = connection
        self.table = table
        self.batch = batch
        self.released = ledger.released(connection, table)
        self.lake = lake
        self.relation = source.attached(table)
        self.columns = ", ".join(quoted(c.source_name) for c in table.columns)

    def run(self) -> Manifest:
        with duck.engine(settings.ROOT / ".seedbed" / "spill") as self.engine:
            duck.attach_warehouse(self.engine, settings.warehouse())
            url = settings.source_url(self.table.source)
            duck.attach_source(self.engine, url, self.table.source.schema)
            self.observed_at = self._observed_at()
            read = self._read()
            zero_dates = self._zero_dates(read.parts)
            read.parts += zero_dates
            bronze = Standardisation(
                self.engine, self.lake, self.table, self.batch, self.released
            ).run(read.parts, self.observed_at)
        reach("before_upload")
        self.lake.upload((*read.parts, *bronze.parts, *bronze.rejects))
        batch = self.batch
        return Manifest(
            table_id=self.table.id,
            batch_id=batch.batch_id,
            batch_seq=batch.batch_seq,
            window_low=_text(batch.window_low),
            window_high=_text(batch.window_high),
            observed_at=self.observed_at.isoformat(sep=" "),
            fingerprint=batch.fingerprint,
            content=bronze.content,
            source_rows=read.source_rows,
            rows_read=_rows(read.parts),
            rows_written=_rows(bronze.parts) - bronze.deleted,
            rows_unchanged=bronze.unchanged,
            rows_rejected=_rows(bronze.rejects),
            rows_deleted=bronze.deleted,
            zero_dates=sum(p.rows for p in zero_dates),
            source_empty=read.source_empty,
            keys_scanned=read.keys_scanned,
            live_keys=read.live_keys,
            raw=read.parts,
            bronze=bronze.parts,
            rejects=bronze.rejects,
        )

    def _observed_at(self) -> dt.datetime:
        """The time of the snapshot in UTC; later than that of all earlier ones."""
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        before = self.released.observed_at
        if before is not None and now <= before:
            return before + dt.timedelta(microseconds=1)
        return now

    def _write(self, rows: str, name: str) -> tuple[Part, ...]:
        """Write rows of a query as raw files."""
        folder = self.batch.folder("raw")
        return files.write(self.engine, self.lake, rows, folder, name)

    def _write_keys(self, name: str, rows: str) -> tuple[Part, ...]:
        """Write keys as a raw file; none when there are none."""
        if not scalar(self.engine, f"select count(*) from ({rows})"):
            return ()
        return self._write(rows, name)

    def _read(self) -> _Reading:
        """Read the batch, in one transaction and so in one snapshot of the source.

        A batch in ranges takes a snapshot for each: what changes meanwhile has a
        watermark after `window_high`, and comes with the next window.
        """
        ranges = ledger.ranges(self.connection, self.batch)
        read = _Reading()
        for piece in ranges:
            parts, rows = self._read_range(piece)
            read.parts += parts
            read.source_rows += rows
        suspects = None
        if self._scan_is_due():
            read.live_keys, suspects = keys.differing(
                self.engine, self.table, self.released.through
            )
        self.engine.execute("begin")
        if self.batch.kind == "repair":
            self._read_differences(read)
        elif not ranges:
            parts, rows = self._read_window()
            read.parts += parts
            read.source_rows += rows
        if suspects is not None:
            self._scan_keys(read, suspects)
        elif self._replaces():
            self._replace_window(read)
        probe = self.engine.execute(f"select 1 from {self.relation} limit 1")
        read.source_empty = probe.fetchone() is None
        self.engine.execute("commit")
        return read

    def _select(self, condition: str) -> str:
        return f"select {self.columns} from {self.relation} where {condition}"

    def _count(self, condition: str) -> int:
        return int(
            scalar(
                self.engine, f"select count(*) from {self.relation} where {condition}"
            )
        )

    def _read_window(self) -> tuple[tuple[Part, ...], int]:
        """The window's rows as raw files, and their number as the source counts."""
        condition = window.predicate(self.table, self.batch)
        timeless = self._timeless()
        if timeless is None:
            return self._write(self._select(condition), "part"), self._count(condition)
        condition += f" and {quoted(self.table.watermark_column)} is not null"
        rows = f"{self._select(condition)} union all {self._select(timeless)}"
        count = self._count(condition) + self._count(timeless)
        return self._write(rows, "part"), count

    def _timeless(self) -> str | None:
        """The condition of the rows without watermark; None when there are none.

        A zero or incomplete date is none either: DuckDB reads it as NULL.
        """
        if not self.table.watermark_column or self.batch.kind != "window":
            return None
        watermark = backticked(self.table.watermark_column)
        self._ask_source(
            "timeless", f"where {watermark} is null or {watermark} < '1000-01-01'"
        )
        reach_of = keys.extent(self.engine, self.table, "timeless")
        if not reach_of:
            return None
        within = reach_of[0].condition(quoted(self.table.key[0].source_name))
        return f"{within} and {quoted(self.table.watermark_column)} is null"

    def _ask_source(self, name: str, where: str, what: str = "''") -> None:
        """Make the temporary table `name` of the keys for which the source says so."""
        names = ", ".join(backticked(c.source_name) for c in self.table.key)
        query = (
            f"select {names}, {what} as what from {keys.relation(self.table)} {where}"
        )
        self.engine.execute(
            f"create or replace temp table {name} as select {casts.key(self.table)}, "
            "what "
            f"from mysql_query('source', {literal(query)})"
        )

    def _read_range(self, piece: ledger.Range) -> tuple[tuple[Part, ...], int]:
        """A range's raw files and rows, read now unless it was read before."""
        if piece.parts is not None:
            assert piece.source_rows is not None
            parts = tuple(Part(**part) for part in piece.parts)
            for part in parts:
                self.lake.fetch(part)
            return parts, piece.source_rows
        lead = quoted(self.table.key[0].source_name)
        condition = window.predicate(self.table, self.batch)
        if piece.low is not None:
            condition += f" and {lead} >= {piece.low}"
        if piece.high is not None:
            condition += f" and {lead} < {piece.high}"
        self.engine.execute("begin")
        rows = self._count(condition)
        parts = self._write(self._select(condition), f"range-{piece.number:04d}")
        self.engine.execute("commit")
        self.lake.upload(parts)
        ledger.range_read(
            self.connection, self.batch, piece.number, rows, [asdict(p) for p in parts]
        )
        reach("after_range")
        return parts, rows

    def _scan_is_due(self) -> bool:
        if self.table.delete_mode != "key_scan" or not self.released.through:
            return False
        last = self.released.keys_scanned_at
        pause = dt.timedelta(minutes=self.table.options.key_scan_minutes)
        return self.batch.kind == "window" and (
            last is None or self.observed_at >= last + pause
        )

    def _scan_keys(self, read: _Reading, suspects: list[keys.KeyRange]) -> None:
        """Add the keys that are gone, and the rows that the log lacks, to `read`.

        A row is lacking that was written later than any window reached back, or
        that was deleted and came again with the time it had.
        """
        table = self.table
        read.keys_scanned = True
        if not suspects:
            return
        lead = quoted(table.key[0].name)
        names = log.key(table)
        live = log.live_rows(
            table,
            self.released.through,
            names,
            "(" + " or ".join(r.condition(lead) for r in suspects) + ")",
        )
        duck.ask_warehouse(self.engine, "live", live)
        keys.compare(self.engine, table, suspects)
        read.parts += self._write_keys("gone", "from gone")
        self._drop_read("lacking", read.parts)
        reach_of = keys.extent(self.engine, table, "lacking")
        if reach_of and self.batch.window_high is not None:
            self._read_keys(
                read,
                "lacking",
                f"{quoted(table.watermark_column)} <= "
                f"timestamp {literal(self.batch.window_high)}"
                if table.watermark_column
                else "true",
            )

    def _drop_read(self, name: str, parts: tuple[Part, ...]) -> None:
        """Leave out of the temporary table `name` the keys of rows that were read."""
        rows = [str(self.lake.local(p.key)) for p in parts if "/part-" in p.key]
        if rows:
            names = log.key(self.table)
            self.engine.execute(
                f"delete from {name} where ({names}) in "
                f"(select ({names}) from (select {casts.key(self.table)} "
                f"from read_parquet({rows})))"
            )

    def _read_keys(self, read: _Reading, name: str, condition: str) -> None:
        """Add the rows whose keys are in the temporary table `name` to `read`."""
        (reach_of,) = keys.extent(self.engine, self.table, name)
        names = log.key(self.table)
        within = reach_of.condition(quoted(self.table.key[0].source_name))
        canonical = ", ".join(casts.cast(c) for c in self.table.key)
        parts = self._write(
            self._select(f"{condition} and {within}")
            + f" and ({canonical}) in (select ({names}) from {name})",
            "found",
        )
        read.parts += parts
        read.source_rows += _rows(parts)

    def _replaces(self) -> bool:
        """Whether the days that the batch reads are replaced as a whole."""
        if not self.released.through:
            return False
        return self.batch.kind == "reload" or (
            self.batch.kind == "window" and self.table.options.replace_window
        )

    def _replace_window(self, read: _Reading) -> None:
        """Add the keys that the log has in the window, but no longer the source."""
        table = self.table
        start, end = window.bounds(table, self.batch)
        if table.window_column is None or start is None or end is None:
            return
        column = quoted(table.window_column.name)
        inside = f"{column} >= timestamp {literal(start)}"
        if self.batch.kind == "window":
            inside = f"{column} > timestamp {literal(start)}"
        inside += f" and {column} {'<=' if self.batch.kind == 'window' else '<'} "
        inside += f"timestamp {literal(end)}"
        names = log.key(table)
        there = f"select {names} from {log.name_of(table)} where {inside}"
        live = log.live_rows(
            table, self.released.through, names, f"({names}) in ({there})"
        )
        duck.ask_warehouse(self.engine, "live", f"{live} and {inside}")
        read.live_keys = scalar(self.engine, "select count(*) from live")
        if reach_of := keys.extent(self.engine, table, "live"):
            keys.compare(self.engine, table, reach_of)
            read.parts += self._write_keys("gone", "from gone")

    def _read_differences(self, read: _Reading) -> None:
        """Read the rows in which the log differs from the source."""
        found = reconcile.differences(self.engine, self.table, self.released)
        read.live_keys = found.compared
        if found.missing or found.stale:
            self.engine.execute(
                "create or replace temp table wrong as "
                "from difference where what in ('missing', 'stale')"
            )
            self._read_keys(read, "wrong", "true")
        if found.extra and self.table.delete_mode == "key_scan":
            read.parts += self._write_keys(
                "gone", "select * exclude (what) from difference where what = 'extra'"
            )

    def _zero_dates(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """The keys of rows read that have a zero or incomplete date, and which.

        DuckDB reads such a date as NULL, so the source is asked only where a
        column has NULLs.
        """
        rows = [str(self.lake.local(p.key)) for p in parts if holds_rows(p)]
        dated = [c for c in self.table.columns if c.type.name in ("date", "timestamp")]
        if not rows or not dated or self.batch.kind == "repair":
            return ()
        nulls = self.engine.execute(
            "select distinct path_in_schema from parquet_metadata("
            f"{rows}) where stats_null_count > 0"
        ).fetchall()
        names = {name for (name,) in nulls}
        told = []
        for column in dated:
            name = backticked(column.source_name)
            if column.source_name in names:
                told.append(
                    f"case when month({name}) = 0 or dayofmonth({name}) = 0 "
                    f"then concat({literal(column.name)}, ' ', {name}) end"
                )
        if not told:
            return ()
        what = f"nullif(concat_ws(', ', {', '.join(told)}), '')"
        within = window.predicate(self.table, self.batch, backticked)
        self._ask_source("zero", f"where {within} and {what} is not null", what)
        return self._write_keys("zero", "from zero")


def _rows(parts: tuple[Part, ...]) -> int:
    return sum(p.rows for p in parts if holds_rows(p))


def _text(value: dt.datetime | None) -> str | None:
    return None if value is None else value.isoformat(sep=" ")
