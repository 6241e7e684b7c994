"""Standardise: a batch's raw files become its bronze files.

Raw values are made canonical, rows that can't be are rejected, what is released
already is left out, and deletes become tombstones. What comes out are the final
rows, which both warehouses load.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb

from ingest import files
from ingest.casts import cast, fits, shown
from ingest.clock import effective
from ingest.duck import literal, quoted, scalar
from ingest.lake import Lake, Part
from ingest.ledger import Batch, Released
from ingest.metadata import Table


@dataclass(frozen=True)
class Bronze:
    """What became of the raw rows: files, and counts of rows."""

    parts: tuple[Part, ...]
    rejects: tuple[Part, ...]
    unchanged: int
    deleted: int
    live_keys: int
    content: str


class Standardisation:
    """One batch on its way from raw to bronze files."""

    def __init__(
        self,
        engine: duckdb.DuckDBPyConnection,
        lake: Lake,
        table: Table,
        batch: Batch,
        released: Released,
    ) -> None:
        self.engine = engine
        self.lake = lake
        self.table = table
        self.batch = batch
        self.released = released
        self.key_names = [quoted(c.name) for c in table.key]

    def run(self, raw: tuple[Part, ...], observed_at: dt.datetime) -> Bronze:
        """Write the bronze files of `raw`, read in the snapshot of `observed_at`."""
        rejects = self._classify(raw, observed_at)
        unchanged, content = self._compare()
        live, deleted = self._tombstones(raw, observed_at)
        parts = self._write()
        return Bronze(parts, rejects, unchanged, deleted, live, content)

    def _classify(
        self,
        raw: tuple[Part, ...],
        observed_at: dt.datetime,
    ) -> tuple[Part, ...]:
        """Make `typed` and `accepted` of the raw rows; write the rejected ones."""
        table = self.table
        parts = [str(self.lake.local(p.key)) for p in raw if "/part-" in p.key]
        observed = f"timestamp {literal(observed_at)}"
        faults = [
            f"when {quoted(c.source_name)} is null then 'NULL in key {c.name}'"
            for c in table.key
        ]
        if table.window_column:
            watermark = quoted(table.window_column.source_name)
            faults.append(f"when {watermark} is null then 'NULL watermark'")
            since = effective(watermark, table.clock, observed)
        else:
            since = observed
        faults += [
            f"when not coalesce({condition}, true) then "
            + literal(f"{c.name} is not a {c.type.name}")
            for c in table.columns
            if (condition := fits(c))
        ]
        deleted = "'U'"
        if table.options.soft_delete_column:
            deleted = f"case when {self._soft_deleted()} then 'D' else 'U' end"
        values = ", ".join(f"{cast(c)} as {quoted(c.name)}" for c in table.columns)
        texts = ", ".join(f"{quoted(c.name)}::varchar" for c in table.columns)
        source = ", ".join(
            f"{literal(c.source_name)}: {shown(c)}" for c in table.columns
        )
        reason = f"case {' '.join(faults)} end" if faults else "null"
        self.engine.execute(
            f"create temp view typed as select {reason} as _reason, {deleted} as _op, "
            f"{since} as _source_ts, {observed} as _observed_at, "
            f"{self.batch.batch_seq}::bigint as _batch_seq, {{{source}}} as _raw, "
            f"{values} "
            f"from read_parquet({parts})"
        )
        names = ", ".join(quoted(c.name) for c in table.columns)
        self.engine.execute(
            f"create temp view accepted as select {names}, "
            "_op, _source_ts, _observed_at, _batch_seq, "
            # A JSON list of texts: no delimiter that a value could forge, and
            # NULL differs from the empty string.
            f"unhex(md5(to_json([{texts}])::varchar)) as _row_hash "
            "from typed where _reason is null"
        )
        count = scalar(
            self.engine, "select count(*) from typed where _reason is not null"
        )
        if not count:
            return ()
        rows = (
            f"select {literal(table.id)} as table_id, _batch_seq as batch_seq, "
            "_reason as reason, to_json(_raw) as source_row "
            "from typed where _reason is not null"
        )
        return files.write(
            self.engine,
            self.lake,
            rows,
            self.batch.folder("rejects"),
            "part",
        )

    def _soft_deleted(self) -> str:
        flag = quoted(self.table.options.soft_delete_column)
        return f"coalesce(try_cast({flag} as varchar), '0') not in ('0', 'false')"

    def _compare(self) -> tuple[int, str]:
        """Make `fresh`, the accepted rows that are not released yet.

        Returns the number of rows left out as unchanged and, for a full
        snapshot, a fingerprint of its content.
        """
        if self.table.load_type == "full":
            row = self.engine.execute(
                "select count(*)::varchar || '-' || "
                "coalesce(bit_xor(md5_number(hex(_row_hash))), 0)::varchar, count(*) "
                "from accepted"
            ).fetchone()
            assert row is not None
            same = row[0] == self.released.content
            self.engine.execute(
                f"create temp view fresh as select * from accepted where {not same}"
            )
            return (row[1] if same else 0), row[0]
        start = None
        if self.released.through:
            start = scalar(self.engine, "select min(_source_ts) from accepted")
        if start is None:  # nothing is released, or nothing was read
            self.engine.execute("create temp view fresh as select * from accepted")
            return 0, ""
        keys = ", ".join(self.key_names)
        known = self._known(literal(start))
        self.engine.execute(
            "create temp table known as "
            f"from postgres_query('warehouse', {literal(known)})"
        )
        self.engine.execute(
            "create temp view fresh as "
            f"from accepted anti join known using ({keys}, _source_ts, _row_hash)"
        )
        total = scalar(self.engine, "select count(*) from accepted")
        return total - scalar(self.engine, "select count(*) from fresh"), ""

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
        self, raw: tuple[Part, ...], observed_at: dt.datetime
    ) -> tuple[int, int]:
        """Make `tombstones`, one for each live key that the source has lost.

        Returns the number of live keys and of tombstones. A tombstone repeats
        the key's last known values, so that a deleted row can still be read.
        """
        self.engine.execute(
            "create temp view tombstones as select * from fresh where false"
        )
        if self.table.delete_mode != "key_scan" or not self.released.through:
            return 0, 0
        names = ", ".join(quoted(c.name) for c in self.table.columns)
        keys = ", ".join(self.key_names)
        self.engine.execute(
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
        scanned = [str(self.lake.local(p.key)) for p in raw if "/keys-" in p.key]
        there = ", ".join(f"{cast(c)} as {quoted(c.name)}" for c in self.table.key)
        self.engine.execute(
            f"create temp table present as select {there} from read_parquet({scanned})"
        )
        self.engine.execute(
            f"create or replace temp view tombstones as select {names}, 'D' as _op, "
            f"greatest(timestamp {literal(observed_at)}, effective_ts) as _source_ts, "
            f"timestamp {literal(observed_at)} as _observed_at, "
            f"{self.batch.batch_seq}::bigint as _batch_seq, _row_hash "
            f"from live anti join present using ({keys})"
        )
        return (
            scalar(self.engine, "select count(*) from live"),
            scalar(self.engine, "select count(*) from tombstones"),
        )

    def _write(self) -> tuple[Part, ...]:
        """Write the batch's final rows."""
        return files.write(
            self.engine,
            self.lake,
            "select * from fresh union all by name select * from tombstones",
            self.batch.folder("bronze"),
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
