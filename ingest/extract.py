"""Extract: one window of a table, from the source to files in the lake.

The window is read in one snapshot of the source into `raw` (exact values), from
which `bronze` is made. The manifest comes last.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

import duckdb

from ingest import clock, duck, files, ledger, reading, settings, source
from ingest.duck import literal, quoted, scalar
from ingest.errors import SeedbedError, ServiceError, first_line
from ingest.killpoints import reach
from ingest.lake import Lake, Manifest, Part
from ingest.ledger import Batch, Released
from ingest.metadata import Table
from ingest.standardise import Standardisation


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

    def run(self) -> Manifest:
        spill = settings.ROOT / ".seedbed" / "spill"
        with duck.engine(spill) as engine:
            duck.attach_warehouse(engine, settings.warehouse())
            url = settings.source_url(self.table.source)
            duck.attach_source(engine, url, self.table.source.schema)
            observed_at = self._observed_at()
            source_rows, source_empty, raw = self._read(engine)
            bronze = Standardisation(
                engine, self.lake, self.table, self.batch, self.released
            ).run(raw, observed_at)
        reach("before_upload")
        self.lake.upload((*raw, *bronze.parts, *bronze.rejects))
        batch = self.batch
        return Manifest(
            table_id=self.table.id,
            batch_id=batch.batch_id,
            batch_seq=batch.batch_seq,
            window_low=_text(batch.window_low),
            window_high=_text(batch.window_high),
            observed_at=observed_at.isoformat(sep=" "),
            fingerprint=batch.fingerprint,
            content=bronze.content,
            source_rows=source_rows,
            rows_read=sum(p.rows for p in raw if "/part-" in p.key),
            rows_written=sum(p.rows for p in bronze.parts) - bronze.deleted,
            rows_unchanged=bronze.unchanged,
            rows_rejected=sum(p.rows for p in bronze.rejects),
            rows_deleted=bronze.deleted,
            source_empty=source_empty,
            live_keys=bronze.live_keys,
            raw=raw,
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

    def _window(self, quoted: Callable[[str], str]) -> str:
        """The predicate of the window on the source's rows, for one of the servers."""
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
        low -= clock.went_back(self.batch.window_low, self.table.clock)
        return f"{column} > timestamp {literal(low)} and {high}"

    def _empty(self, quoted: Callable[[str], str]) -> str:
        return f"{quoted(self.table.watermark_column)} is null"

    def _read(
        self, engine: duckdb.DuckDBPyConnection
    ) -> tuple[int, bool, tuple[Part, ...]]:
        """Source rows of the window, whether the table is empty, the raw parts.

        All in one transaction, so in one snapshot of the source.
        """
        relation = f"source.{quoted(self.table.source.schema)}"
        relation += f".{quoted(self.table.name)}"
        window = self._window(quoted)
        engine.execute("begin")
        nulls = 0
        if self.table.watermark_column:
            nulls = scalar(
                engine, f"select count(*) from {relation} where {self._empty(quoted)}"
            )
        count = scalar(engine, f"select count(*) from {relation} where {window}")
        rows = reading.rows(engine, self.table, self._window)
        if nulls:
            rows += f" union all {reading.rows(engine, self.table, self._empty)}"
        raw = files.write(engine, self.lake, rows, self.batch.folder("raw"), "part")
        probe = engine.execute(f"select 1 from {relation} limit 1").fetchone()
        if self.table.delete_mode == "key_scan":
            keys = ", ".join(quoted(c.source_name) for c in self.table.key)
            raw += files.write(
                engine,
                self.lake,
                f"select {keys} from {relation}",
                self.batch.folder("raw"),
                "keys",
            )
        engine.execute("commit")
        return count + nulls, probe is None, raw


def _text(value: dt.datetime | None) -> str | None:
    return None if value is None else value.isoformat(sep=" ")
