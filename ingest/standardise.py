"""Standardise: a batch's raw files become its bronze files.

Raw values are made canonical, rows that don't fit are rejected, rows that are released
already are left out, and deletes become tombstones. The result are the final rows,
which both warehouses load.
"""

from __future__ import annotations

import datetime as dt
import itertools
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest import bronze_log, files, keys, pieces
from ingest.clock import effective
from ingest.control import Batch, Released
from ingest.duck import Engine, ask_warehouse, hold, literal, one, quoted, scalar
from ingest.lake import Lake, Part
from ingest.seed.added import STAGING
from ingest.seed.metadata import Column, Table
from ingest.seed.types import EXACT_DIGITS
from ingest.statements import render

# Begins the error of a query whose rows must all be accepted.
REJECTED = "a row is rejected: "
# The log's own columns.
_OWN = ", ".join(name for name, *_ in STAGING)


@dataclass(frozen=True)
class Bronze:
    """The outcome of the raw rows: files, and counts of rows."""

    parts: tuple[Part, ...]
    rejects: tuple[Part, ...] = ()
    unchanged: int = 0
    deleted: int = 0
    content: str = ""
    unaccounted: str = ""

    def account(self) -> dict[str, Any]:
        """The files and counts, by the manifest's names."""
        return {
            "content": self.content,
            "rows_written": sum(p.rows for p in self.parts) - self.deleted,
            "rows_unchanged": self.unchanged,
            "rows_rejected": sum(p.rows for p in self.rejects),
            "rows_deleted": self.deleted,
            "bronze": self.parts,
            "rejects": self.rejects,
        }

    def __add__(self, other: Bronze) -> Bronze:
        """Both of two ranges."""
        return Bronze(
            self.parts + other.parts,
            self.rejects + other.rejects,
            self.unchanged + other.unchanged,
            self.deleted + other.deleted,
            self.content,
            self.unaccounted or other.unaccounted,
        )


def holds_rows(part: Part) -> bool:
    """Whether a raw file holds rows of the table, rather than keys that are gone."""
    return "/gone-" not in part.key


def canonical(
    engine: Engine, table: Table, rows: str, observed_at: dt.datetime, batch_seq: int
) -> None:
    """Make view `typed` of the source rows that query `rows` gives.

    It has the canonical columns, those of the log, `_reason` why a row is
    rejected, `_timeless` where it has no watermark, and `_raw`, the source's values.
    """
    typed = _typed(table, rows, observed_at, batch_seq)
    hold(engine, "typed", typed, kind="view")


def accepted(table: Table, rows: str, observed_at: dt.datetime, batch_seq: int) -> str:
    """A query for the log's rows of the source rows `rows`, none of which is rejected.

    For one that would be it fails, with REJECTED in its message.
    """
    names = ", ".join(quoted(c.name) for c in table.columns)
    typed = _typed(table, rows, observed_at, batch_seq)
    return (
        f"select {names}, {_OWN} from ({typed}) where case when "
        f"_reason is null then true else error({literal(REJECTED)} || _reason) end"
    )


def _typed(table: Table, rows: str, observed_at: dt.datetime, batch_seq: int) -> str:
    watermark = ""
    if column := table.window_column:
        watermark = f"try_cast({quoted(column.source_name)} as timestamp)"
    return render(
        "typed",
        table=table,
        rows=rows,
        watermark=watermark,
        observed=f"timestamp {literal(observed_at)}",
        batch_seq=batch_seq,
        effective=effective,
        row_hash=row_hash(table.columns),
    )


def row_hash(columns: Sequence[Column]) -> str:
    """DuckDB's SQL for the hash of a row of canonical values, a whole number.

    Each value counts by its column's name, whatever the type's size: a new column
    without values, or a wider type, changes no row's hash. Logs keep these hashes, so
    `duck` makes sure that DuckDB still makes the same.
    """
    parts = [_hashed(column) for column in columns]
    while len(parts) > 1:  # as a tree: DuckDB takes 1,000 calls within each other
        pairs = itertools.zip_longest(parts[::2], parts[1::2])
        parts = [f"xor({one}, {two})" if two else one for one, two in pairs]
    return f"({parts[0]} >> 1)::bigint"


def _hashed(column: Column) -> str:
    """The column's part of a row's hash; 0 if it is NULL."""
    name, kind = quoted(column.name), column.type
    value = name
    if kind.duckdb == "integer":
        value = f"{name}::bigint"
    elif kind.duckdb == "double":
        value = f"{name}, signbit({name})"  # 0 and -0 are equal
    elif kind.name.startswith("decimal"):
        scale = kind.name.rpartition(",")[2].strip(" )")
        number = f"try_cast({name} as decimal({EXACT_DIGITS},{scale}))"
        value = f"hash({number})"
        if kind.duckdb == "varchar":
            value = f"if({number} is null, hash({name}), {value})"
    # Hashed again: DuckDB puts two hashes together by an exclusive or, under which
    # values that two columns have alike would cancel out.
    return (
        f"if({name} is null, 0::ubigint, hash(hash({literal(column.name)}, {value})))"
    )


def _written(column: Column) -> str:
    """DuckDB's SQL for a key's value as a literal of the warehouse's."""
    name = quoted(column.name)
    text = f"replace({name}::varchar, chr(39), chr(39) || chr(39))"
    if column.type.duckdb == "blob":
        text = f"'\\x' || hex({name})"
    return f"chr(39) || {text} || chr(39) || '::{column.type.log}'"


def _together(files: list[str]) -> str:
    """Raw files as a relation, in types that hold the values of each one.

    The first ones may serve as bronze as well, and the next ones not.
    """
    return f"read_parquet({files}, union_by_name = true)"


@dataclass
class Standardisation:
    """One batch on its way from raw to bronze files."""

    engine: Engine
    lake: Lake
    table: Table
    batch: Batch
    released: Released

    def __post_init__(self) -> None:
        self.drafts = self.lake.local(self.batch.folder("bronze")) / ".last"
        self.names = ", ".join(quoted(c.name) for c in self.table.columns)
        self.names_then: Mapping[str, str] = {}
        self.keys = bronze_log.key(self.table)

    def run(
        self,
        raw: tuple[Part, ...],
        observed_at: dt.datetime,
        name: str = "part",
        names: Mapping[str, str] | None = None,
    ) -> Bronze:
        """Write the bronze files `name` of `raw`, read at `observed_at`.

        `names` are the source's columns that were read by the names that the seed gave
        them then, if the seed may have changed since.
        """
        rows = self.lake.paths(p for p in raw if holds_rows(p))
        gone = self.lake.paths(p for p in raw if not holds_rows(p))
        self.names_then = names or self.names_then
        source = self._read(rows)
        canonical(self.engine, self.table, source, observed_at, self.batch.batch_seq)
        accepted = (
            f"select {self.names}, {_OWN}, _timeless from typed where _reason is null"
        )
        hold(self.engine, "accepted", accepted, kind="view")
        unchanged, content = self._compare()
        deleted = self._tombstones(gone, observed_at)
        parts = files.write(
            self.engine,
            self.lake,
            "select * exclude (_timeless) from fresh "
            "union all by name select * from tombstones",
            self.batch.folder("bronze"),
            name,
        )
        shutil.rmtree(self.drafts, ignore_errors=True)
        # Rows that are neither written nor unchanged were rejected; mostly none.
        read = sum(p.rows for p in raw if holds_rows(p))
        written = sum(p.rows for p in parts) - deleted
        rejects = self._rejects(name) if read > written + unchanged else ()
        unaccounted = ""
        if read > written + unchanged + sum(p.rows for p in rejects):
            there = f"from read_parquet({self.lake.paths(parts)})"
            there = there if parts else "from fresh limit 0"
            unaccounted = keys.sample(self.engine, self.table, "from fresh", there)
        return Bronze(parts, rejects, unchanged, deleted, content, unaccounted)

    def _read(self, files: list[str]) -> str:
        """A query for the rows of raw files, with the seed's columns as they are now.

        A column that was not read then is NULL, as it is in the log. One that the
        source has renamed since has the values read under its old name.
        """
        there, then = self._columns(files), self.names_then
        taken = {then[c.name]: c.name for c in self.table.columns if c.name in then}
        columns = []
        for column in self.table.columns:
            was = then.get(column.name, column.source_name)
            is_read = was in there and taken.get(was, column.name) == column.name
            value = quoted(was) if is_read else "null"
            if there.get(was) == "BOOLEAN":  # of a file that serves as bronze as well
                value += "::tinyint"
            columns.append(f"{value} as {quoted(column.source_name)}")
        rows = f"from {_together(files)}" if files else "where false"
        return f"select {', '.join(columns)} {rows}"

    def _names_of_gone(self, files: list[str]) -> dict[str, str]:
        """The seed's quoted columns that files of gone keys have, and as what."""
        there = self._columns(files)
        names = {source: name for name, source in self.names_then.items()}
        then = {
            quoted(c.name): c.name if c.name in there else names.get(c.source_name, "")
            for c in self.table.columns
        }
        return {now: was for now, was in then.items() if was in there}

    def _columns(self, files: list[str]) -> dict[str, str]:
        """The names of the files' columns, and their types."""
        if not files:
            return {}
        rows = self.engine.execute(f"describe from {_together(files)}").fetchall()
        return {row[0]: row[1] for row in rows}

    def _rejects(self, name: str) -> tuple[Part, ...]:
        rejected = "from typed where _reason is not null"
        return files.write(
            self.engine,
            self.lake,
            f"select {literal(self.table.id)} as table_id, _batch_seq as batch_seq, "
            f"_reason as reason, to_json(_raw) as source_row {rejected}",
            self.batch.folder("rejects"),
            name,
        )

    def _compare(self) -> tuple[int, str]:
        """Make `fresh`, the accepted rows that are not released yet.

        Returns the number of rows left out as unchanged and, for a full
        snapshot, a fingerprint of its content.
        """
        if self.table.load_type.reads_whole:
            # A sum: under an exclusive or, rows that are equal cancel out.
            content, count = one(
                self.engine,
                "select count(*)::varchar || '-' || "
                "coalesce(sum(_row_hash), 0)::varchar, count(*) from accepted",
            )
            is_same = content == self.released.content
            self._fresh(f"from accepted where {not is_same}")
            return (count if is_same else 0), content
        start, total, timeless = None, 0, False
        if self.released.through:
            facts = "min(_source_ts), count(*), bool_or(_timeless)"
            start, total, timeless = one(self.engine, f"select {facts} from accepted")
        if start is None:  # nothing is released, or nothing was read
            self._fresh("from accepted")
            return 0, ""
        # A key whose rows are all older has none that a row read here could equal
        # or come too early for; a row without a time may equal one of any time.
        since = "true" if timeless else f"_source_ts >= timestamp {literal(start)}"
        ask_warehouse(self.engine, "newest", self._newest(since))
        aside = bronze_log.put_aside(
            self.table,
            self.released.through,
            "source_ts as _source_ts, row_hash as _row_hash",
        )
        aside += f" and {since.removeprefix('_')}"
        ask_warehouse(self.engine, "put_aside", aside)
        # The source's present rows are current, whatever their watermark: a row takes
        # effect no earlier than the one that it replaces.
        self._fresh(
            "from (select accepted.* replace (greatest(accepted._source_ts, "
            "newest._effective_ts) as _source_ts) "
            f"from accepted left join newest using ({self.keys}) "
            "where (accepted._op, accepted._row_hash) "
            "is distinct from (newest._op, newest._row_hash)) "
            f"anti join put_aside using ({self.keys}, _source_ts, _row_hash)"
        )
        return total - scalar(self.engine, "select count(*) from fresh"), ""

    def _fresh(self, rows: str) -> None:
        hold(self.engine, "fresh", rows, kind="view")

    def _newest(self, since: str) -> str:
        """SQL for the newest released row of each key that was read.

        Of those keys only that have a row for which `since` holds; what a tombstone
        moves in time is found by all rows of its key. What a batch that may still be
        rejected holds doesn't count.
        """
        (reach,) = keys.extent(self.engine, self.table, "accepted")
        where = reach.condition(quoted(self.table.key[0].name))
        through = self.released.through
        if since != "true":
            where += (
                f" and ({self.keys}) in (select {self.keys} "
                f"from {bronze_log.name_of(self.table)} where {where} "
                f"and _batch_seq <= {through} and {since})"
            )
        columns = f"{self.keys}, _op, _row_hash, _effective_ts"
        return bronze_log.latest_rows(self.table, through, columns, where)

    def _tombstones(self, gone: list[str], observed_at: dt.datetime) -> int:
        """Make `tombstones`, one for each key that is gone; return their number.

        A tombstone repeats the key's last known values, so that a deleted row can
        still be read.
        """
        observed = f"timestamp {literal(observed_at)}"
        rows = "select * exclude (_timeless) from fresh where false"
        # It is gone, also if by another key than the seed's of today.
        then = self._names_of_gone(gone)
        if then:
            columns = ", ".join(f"{quoted(was)} as {now}" for now, was in then.items())
            hold(self.engine, "lost", f"select {columns} from read_parquet({gone})")
            rows = (
                f"select {self.names}, 'D' as _op, "
                f"greatest({observed}, _effective_ts) as _source_ts, "
                f"{observed} as _observed_at, "
                f"{self.batch.batch_seq}::bigint as _batch_seq, _row_hash "
                f"from {self._last(then)} semi join lost using ({', '.join(then)})"
            )
        hold(self.engine, "tombstones", rows, kind="view")
        return int(scalar(self.engine, "select count(*) from tombstones"))

    def _last(self, then: Mapping[str, str]) -> str:
        """The last known rows of the keys in `lost`, and perhaps of others.

        `then` has the columns by which they were gone. Long rows are in files, so that
        neither all of them nor those of the other keys are held at once.
        """
        columns = f"{self.names}, _row_hash, _effective_ts"
        lead = quoted(self.table.key[0].name)
        reach = pieces.KeyRange()
        if lead in then:
            (reach,) = keys.extent(self.engine, self.table, "lost")
        near = reach.condition(lead)
        is_by_key = {*then} == {quoted(c.name) for c in self.table.key}
        if not is_by_key or not pieces.may_be_long(self.table):
            ask_warehouse(self.engine, "last", self._live(columns, near))
            return "last"
        sized = f"{self.keys}, {pieces.size_in_log(self.table)} as _size"
        ask_warehouse(self.engine, "sized", self._live(sized, near))
        key = ", ".join(_written(column) for column in self.table.key)
        found = self.engine.execute(
            f"select concat_ws(', ', {key}), _size "
            f"from sized semi join lost using ({self.keys})"
        ).fetchall()
        if not found:  # a key that was deleted before
            ask_warehouse(self.engine, "last", self._live(columns, "false"))
            return "last"
        self.drafts.mkdir(parents=True, exist_ok=True)
        for number, some in enumerate(pieces.grouped(found)):
            rows = self._live(columns, f"({self.keys}) in ({', '.join(some)})")
            self.engine.execute(
                f"copy (from postgres_query('warehouse', {literal(rows)})) "
                f"to {literal(self.drafts / f'{number}.parquet')} ({files.PARQUET})"
            )
        return f"read_parquet({literal(self.drafts / '*.parquet')})"

    def _live(self, columns: str, where: str) -> str:
        return bronze_log.live_rows(self.table, self.released.through, columns, where)
