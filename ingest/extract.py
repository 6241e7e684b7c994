"""Extract: a planned batch, from the source to files in the lake.

A batch is read in one snapshot of the source into `raw` (exact values), from which
`bronze` is made, or which serves as bronze as well. The manifest comes last.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

import duckdb

from ingest import (
    bronze_log,
    control,
    duck,
    files,
    keys,
    retry,
    settings,
    sources,
    window,
)
from ingest.control import Batch
from ingest.differences import differences
from ingest.duck import Engine, literal, one, quoted, scalar
from ingest.errors import SeedbedError, ServiceError
from ingest.failpoints import reach
from ingest.lake import Lake, Manifest, Part
from ingest.load import Loading
from ingest.pieces import Condition, KeyRange, also
from ingest.seed.metadata import Table
from ingest.standardise import (
    REJECTED,
    Bronze,
    Standardisation,
    accepted,
    holds_rows,
)


def extract(
    connection: control.Connection,
    table: Table,
    batch: Batch,
    loading: Loading | None = None,
) -> Batch:
    """Read the batch into the lake; planned → extracted.

    A batch whose manifest exists was read before and is not read again. Ranges that are
    read are added to `loading` while the next are.
    """
    started = time.monotonic()
    lake = Lake(settings.ROOT)
    manifest = lake.manifest(batch.manifest_key)
    if manifest is None:
        work = _Extraction(connection, table, batch, lake, loading)
        try:
            manifest = work.run()
        except duckdb.Error as error:
            told = work.kind.fault(table, error)
            raise told or _failed(table, error) from error
        reach("before_manifest")
        manifest = lake.finish(batch.manifest_key, manifest)
    reach("after_manifest")
    return control.extracted(connection, batch, manifest, time.monotonic() - started)


def _failed(table: Table, error: duckdb.Error) -> SeedbedError:
    next_step = "Fix the cause first; the window is kept, and nothing was lost."
    if retry.is_transient(error):
        next_step = "Run again: the window is kept and will be read; nothing was lost."
    said, hint = duck.explained(error, next_step)
    is_ours = isinstance(error, duckdb.OutOfMemoryException)
    kind = SeedbedError if is_ours else ServiceError
    return kind(f"{table.id}: reading it failed: {said}", hint)


@dataclass
class _Read:
    """What was read, by the manifest's names: files, and counts in one snapshot."""

    raw: tuple[Part, ...] = ()
    source_rows: int = 0
    source_empty: bool = False
    keys_scanned: bool = False
    keys_gone: int = 0
    live_keys: int = 0
    zero_dates: int = 0
    unaccounted: str = ""
    rows_beyond: int = 0
    present: str = ""
    server_offset: int = 0

    def add(
        self, parts: tuple[Part, ...], source_rows: int = 0, zero_dates: int = 0
    ) -> None:
        """Add files to it, with what the source counts of their rows."""
        self.raw += parts
        self.source_rows += source_rows
        self.zero_dates += zero_dates


class _Extraction:
    """One batch on its way from the source to bronze files."""

    def __init__(
        self,
        connection: control.Connection,
        table: Table,
        batch: Batch,
        lake: Lake,
        loading: Loading | None,
    ) -> None:
        self.loading = loading
        self.connection = connection
        self.table = table
        self.kind = sources.of(table.source)
        self.batch = batch
        self.released = control.released(connection, table)
        self.lake = lake
        self.read = _Read()
        self.ranges: list[Future[Bronze]] = []
        self._by_primary_key: bool | None = None
        # Whether rows may be read as the log has them, once for raw and bronze.
        self.is_once = not (self.released.through or table.load_type.reads_whole)

    def run(self) -> Manifest:
        with duck.attached(self.table.source) as self.engine:
            self.observed_at = self._observed_at()
            with ThreadPoolExecutor(1) as self.beside:
                with duck.one_thread(self.engine):
                    self._read()
                if self.ranges:  # whose files are uploaded
                    first, *others = (done.result() for done in self.ranges)
                    bronze = sum(others, first)
                else:
                    upload = self.beside.submit(self.lake.upload, self.read.raw)
                    bronze = self._standardise(self.engine, self.read.raw, "part")
                    upload.result()
        reach("before_upload")
        if not self.ranges:
            self.lake.upload((*bronze.parts, *bronze.rejects))
        batch = self.batch
        facts = vars(self.read) | bronze.account()
        facts["unaccounted"] = self.read.unaccounted or bronze.unaccounted
        return Manifest(
            table_id=self.table.id,
            batch_id=batch.batch_id,
            batch_seq=batch.batch_seq,
            window_low=_text(batch.window_low),
            window_high=_text(batch.window_high),
            observed_at=self.observed_at.isoformat(sep=" "),
            fingerprint=batch.fingerprint,
            rows_read=_rows(self.read.raw),
            names={c.name: c.source_name for c in self.table.columns},
            **facts,
        )

    def _observed_at(self) -> dt.datetime:
        """The time of the snapshot in UTC; later than that of all earlier ones."""
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        before = self.released.observed_at
        if before is not None and now <= before:
            return before + dt.timedelta(microseconds=1)
        return now

    def _read(self) -> None:
        """Read the batch, in one transaction and so in one snapshot of the source.

        A batch in ranges takes a snapshot for each: what changes meanwhile has a
        watermark after `window_high`, and comes with the next window.
        """
        ranges = control.ranges(self.connection, self.batch)
        for piece in ranges:
            self._read_range(piece)
        with self.kind.snapshot(self.engine):
            if self.batch.kind == "repair":
                self._read_differences()
            elif not ranges:
                self.read.add(*self._read_rows("part", KeyRange().within(self.table)))
            if self._scan_is_due():
                self._scan_keys()
            elif self._replaces():
                self._replace_window()
            if self.batch.kind == "window" and self.table.watermark_column:
                self._count_beyond()
            probe = f"select 1 as one from {self.kind.named(self.table)} limit 1"
            found = self.engine.execute(f"from {self.kind.asked(probe)}").fetchone()
            self.read.source_empty = found is None

    def _write(
        self, name: str, rows: Sequence[str], count: int = 0, *, is_once: bool = False
    ) -> tuple[Part, ...]:
        """Write the rows of queries, of which the source counted `count`, as raw files.

        `is_once`: they serve as bronze as well.
        """
        queries = rows
        if is_once:
            facts = self.observed_at, self.batch.batch_seq
            queries = [accepted(self.table, one, *facts) for one in rows]
        folder = self.batch.folder("raw")
        parts = files.write_all(self.engine, self.lake, queries, folder, name)
        if _rows(parts) < count and not self.read.unaccounted:
            names = self.table.key_values
            wanted = " union all ".join(f"select {names} from ({one})" for one in rows)
            there = f"from ({wanted}) where false"
            if parts:
                there = f"select {names} from read_parquet({self.lake.paths(parts)})"
            lacking = keys.sample(self.engine, self.table, wanted, there)
            self.read.unaccounted = lacking
        return parts

    def _write_gone(self, rows: str) -> None:
        """Write the keys that are gone as a raw file, if there are any."""
        if count := scalar(self.engine, f"select count(*) from ({rows})"):
            self.read.keys_gone += count
            self.read.add(self._write("gone", [rows]))

    def _rows(self, condition: Condition, narrower: str = "") -> list[str]:
        """Queries for the source's rows, narrowed by another condition, of DuckDB's."""
        found = self.kind.rows(self.engine, self.table, condition)
        return [f"{query} and {narrower}" for query in found] if narrower else found

    def _size(self, rows: list[str]) -> int:
        """How many rows the queries have."""
        counts = (f"select count(*) from ({one})" for one in rows)
        return sum(scalar(self.engine, count) for count in counts)

    def _count(self, condition: str) -> int:
        """How many rows the source itself counts, in the transaction's snapshot."""
        there = self.kind.named(self.table)
        query = f"select count(*) as found from {there} where {condition}"
        return int(scalar(self.engine, f"from {self.kind.asked(query)}"))

    def _count_range(self, piece: Condition, due: str, no_time: str) -> tuple[int, int]:
        """How many rows of a range the source counts: due, and without a time.

        In one scan, by the primary key: it would rather look through a whole index of
        the watermark, for each range again.
        """
        there = self.kind.named(self.table)
        if self._is_by_primary_key():
            there = self.kind.by_primary_key(self.table)
        query = (
            f"select count(case when {due} and not {no_time} then 1 end) as due, "
            f"count(case when {no_time} then 1 end) as timeless "
            f"from {there} where {piece(self.kind.quoted)}"
        )
        found, timeless = one(self.engine, f"from {self.kind.asked(query)}")
        return found, timeless

    def _is_by_primary_key(self) -> bool:
        """Whether the source's primary key begins with the leading key."""
        if self._by_primary_key is None:
            with self.kind.connect(self.table.source) as session:
                self._by_primary_key = self.kind.is_led_by_key(
                    session, self.table, primary=True
                )
        return self._by_primary_key

    def _read_rows(
        self, name: str, piece: Condition, *, is_once: bool = False
    ) -> tuple[tuple[Part, ...], int, int]:
        """Read the window's rows of which `piece` is true, and those without a time.

        Returns the files, how many rows the source counts and how many of its dates
        are zero. `is_once`: the files are bronze as well.
        """

        def in_window(quote: Callable[[str], str]) -> str:
            watermark = quote(self.table.watermark_column)
            return window.predicate(self.table, self.batch, watermark)

        inside = also(in_window, piece)
        there = inside(self.kind.quoted)
        counted = timeless = None
        if self.table.watermark_column:
            # A zero or incomplete date is not a time, though the source compares it as
            # one.
            watermark = f"try_cast({quoted(self.table.watermark_column)} as timestamp)"
            no_time = self.kind.no_time(self.kind.quoted(self.table.watermark_column))
            rows = self._rows(inside, f"{watermark} is not null")
            if name != "part":
                counted = self._count_range(piece, in_window(self.kind.quoted), no_time)
            there = f"{there} and not {no_time}"
            if self.batch.kind == "window" and (counted is None or counted[1]):
                timeless = self._timeless(piece, no_time)
            if timeless:
                rows += self._rows(timeless, f"{watermark} is null")
                there = f"({there} or {timeless(self.kind.quoted)} and {no_time})"
        else:
            rows = self._rows(inside)
        count = counted[0] if counted and not timeless else self._count(there)
        parts = self._write(name, rows, count, is_once=is_once)
        if self.table.options.zero_date == "reject":
            return parts, count, 0  # they are among the rejected rows
        paths = self.lake.paths(parts)
        zero = self.kind.no_dates(self.engine, self.table, there, paths)
        return parts, count, zero

    def _timeless(self, piece: Condition, no_time: str) -> Condition | None:
        """A condition for rows without watermark; None if there are none."""
        condition = f"{piece(self.kind.quoted)} and {no_time}"
        rows = self.kind.answer(self.engine, self.table, condition, self.table.key)
        timeless = f"select {self.table.key_values} from ({rows})"
        duck.hold(self.engine, "timeless", timeless)
        extent = keys.extent(self.engine, self.table, "timeless")
        return also(extent[0].within(self.table), piece) if extent else None

    def _count_beyond(self) -> None:
        """Count the rows in the source's future, which are in no window yet.

        Those between the window and the present come with the next one.
        """
        present = self.kind.present(self.engine, self.table)
        watermark = self.kind.quoted(self.table.watermark_column)
        is_time = f"not {self.kind.no_time(watermark)}"
        beyond = self._count(
            f"{watermark} > timestamp {literal(present)} and {is_time}"
        )
        self.read.rows_beyond = beyond
        if not beyond:
            return
        self.read.present = f"{present:%Y-%m-%d %H:%M:%S}"
        with self.kind.connect(self.table.source) as session:
            minutes = self.kind.offset(session) // dt.timedelta(minutes=1)
            self.read.server_offset = minutes

    def _standardise(self, engine: Engine, raw: tuple[Part, ...], name: str) -> Bronze:
        work = Standardisation(engine, self.lake, self.table, self.batch, self.released)
        return work.run(raw, self.observed_at, name)

    def _read_range(self, piece: control.Range) -> None:
        """Add a range to what was read; it is read now unless it was read before.

        It is uploaded and standardised while the next one is read.
        """
        is_new, is_once = piece.parts is None, False
        if is_new:
            piece, is_once = self._read_new_range(piece)
        parts = tuple(Part(**part) for part in piece.parts or ())
        self.read.add(parts, piece.source_rows or 0, piece.zero_dates or 0)
        self.ranges.append(
            self.beside.submit(self._finish_range, piece, parts, is_new, is_once)
        )

    def _finish_range(
        self, piece: control.Range, parts: tuple[Part, ...], is_new: bool, is_once: bool
    ) -> Bronze:
        if is_new:
            self.lake.upload(parts)
            control.range_read(self.connection, self.batch, piece)
            reach("after_range")
        else:
            for part in parts:
                self.lake.fetch(part)
        if is_once:
            folder = self.batch.folder("bronze")
            bronze = Bronze(tuple(self.lake.copy(part, folder) for part in parts))
        else:
            with duck.attached() as engine:
                bronze = self._standardise(engine, parts, f"range-{piece.number:04d}")
            self.lake.upload((*bronze.parts, *bronze.rejects))
        if self.loading:
            self.loading.add(bronze.parts)
        return bronze

    def _read_new_range(self, piece: control.Range) -> tuple[control.Range, bool]:
        """Read a range; whether its files are bronze as well.

        They are where the log will have each row as it is read. Where one is rejected
        after all, the range is read again, and the next ones not so.
        """
        low, high = (
            None if end is None else int(end) for end in (piece.low, piece.high)
        )
        inside = KeyRange(low, None if high is None else high - 1).within(self.table)

        def first(quote: Callable[[str], str]) -> str:
            # A row without a key is in no range; it is read in order to be rejected.
            return (
                f"({inside(quote)} or {quote(self.table.key[0].source_name)} is null)"
            )

        name = f"range-{piece.number:04d}"
        try:
            with self.kind.snapshot(self.engine):
                may_lack_key = low is None and not self._is_by_primary_key()
                condition = first if may_lack_key else inside
                is_once = self.is_once and self.kind.is_canonical(
                    self.engine, self.table
                )
                found = self._read_rows(name, condition, is_once=is_once)
        except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
            is_cast = isinstance(error, duckdb.ConversionException)
            if not (self.is_once and (is_cast or REJECTED in str(error))):
                raise
            self.engine.execute("rollback")
            self.is_once = False
            return self._read_new_range(piece)
        parts, source_rows, zero_dates = found
        done = replace(
            piece,
            source_rows=source_rows,
            zero_dates=zero_dates,
            parts=[asdict(part) for part in parts],
        )
        return done, is_once

    def _scan_is_due(self) -> bool:
        if self.table.delete_mode != "key_scan" or not self.released.through:
            return False
        last = self.released.keys_scanned_at
        pause = dt.timedelta(minutes=self.table.options.key_scan_minutes)
        return self.batch.kind == "window" and (
            last is None or self.observed_at >= last + pause
        )

    def _scan_keys(self) -> None:
        """Add the keys that are gone, and the rows that the log lacks.

        A row is lacking if it was written too late for any window, or was deleted and
        inserted again with its old time.
        """
        table = self.table
        self.read.keys_scanned = True
        self.read.live_keys, suspects = keys.differing(
            self.connection, self.engine, table, self.released.through
        )
        if not suspects:
            return
        lead = quoted(table.key[0].name)
        where = " or ".join(reach.condition(lead) for reach in suspects)
        live = bronze_log.live_rows(
            table, self.released.through, bronze_log.key(table), f"({where})"
        )
        duck.ask_warehouse(self.engine, "live", live)
        keys.compare(self.engine, table, suspects)
        self._write_gone("from gone")
        if parts := [p for p in self.read.raw if holds_rows(p)]:
            names = bronze_log.key(table)
            self.engine.execute(
                f"delete from lacking where ({names}) in "
                f"(select ({names}) from (select {table.key_values} "
                f"from read_parquet({self.lake.paths(parts)})))"
            )
        if self.batch.window_high is not None or not table.watermark_column:
            self._read_keys("lacking")

    def _read_keys(self, name: str, *, due: bool = True) -> None:
        """Add the rows whose keys are in the temporary table `name`.

        Without those that come with the next window.
        """
        extent = keys.extent(self.engine, self.table, name)
        if not extent:
            return
        within = extent[0].within(self.table)
        canonical = ", ".join(c.value for c in self.table.key)
        wanted = f"({canonical}) in (select ({bronze_log.key(self.table)}) from {name})"
        rows = self._rows(within, wanted)
        # Counted separately: a scan of the keys only, which is not written.
        count = self._size(rows)
        keys.assert_all_found(self.engine, self.table, name, count)
        if due and (column := self.table.watermark_column):
            high = f"timestamp {literal(self.batch.window_high)}"
            inside = also(within, lambda quote: f"{quote(column)} <= {high}")
            rows = self._rows(inside, wanted)
            count = self._size(rows)
        self.read.add(self._write("found", rows, count), count)

    def _replaces(self) -> bool:
        """Whether the days that the batch reads are replaced as a whole."""
        if not self.released.through:
            return False
        return self.batch.kind == "reload" or (
            self.batch.kind == "window" and self.table.options.replace_window
        )

    def _replace_window(self) -> None:
        """Add the keys that the log has in the window, and the source no longer has."""
        table = self.table
        start, end = window.bounds(table, self.batch)
        if table.window_column is None or start is None or end is None:
            return
        column = quoted(table.window_column.name)
        if table.window_column.type.name == "timestamptz":
            # Else the warehouse takes a window's ends for times on its own clock.
            column = f"({column} at time zone 'utc')"
        inside = window.predicate(table, self.batch, column)
        names = bronze_log.key(table)
        there = f"select {names} from {bronze_log.name_of(table)} where {inside}"
        live = bronze_log.live_rows(
            table, self.released.through, names, f"({names}) in ({there})"
        )
        duck.ask_warehouse(self.engine, "live", f"{live} and {inside}")
        self.read.live_keys = scalar(self.engine, "select count(*) from live")
        if reach_of := keys.extent(self.engine, table, "live"):
            keys.compare(self.engine, table, reach_of)
            self._write_gone("from gone")

    def _read_differences(self) -> None:
        """Read the rows in which the log differs from the source."""
        found = differences(self.engine, self.table, self.released)
        self.read.live_keys = found.compared
        if found.missing or found.stale:
            wrong = "from difference where _what in ('missing', 'stale')"
            duck.hold(self.engine, "wrong", wrong)
            self._read_keys("wrong", due=False)
        if found.extra and self.table.delete_mode == "key_scan":
            gone = "select * exclude (_what) from difference where _what = 'extra'"
            self._write_gone(gone)


def _rows(parts: tuple[Part, ...]) -> int:
    return sum(p.rows for p in parts if holds_rows(p))


def _text(value: dt.datetime | None) -> str | None:
    return None if value is None else value.isoformat(sep=" ")
