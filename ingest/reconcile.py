"""Reconcile: the source against the latest state of the log, row by row.

Both sides are read in ranges of the key and compared by key and content, inside
one snapshot of the source; then what silver shows is compared with the log. Rows newer
than the released watermark are left out: they come with the next window. A table that
is read whole has none, so that all that changed since its last run differs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

import duckdb
import psycopg
from rich.console import Console
from rich.table import Table as Grid

from ingest import (
    duck,
    journal,
    keys,
    ledger,
    log,
    reading,
    runs,
    settings,
    shown,
    source,
)
from ingest.duck import literal, quoted, scalar
from ingest.errors import SeedbedError, ServiceError, first_line
from ingest.ledger import Released
from ingest.metadata import Table
from ingest.pieces import Condition
from ingest.shown import Shown
from ingest.standardise import canonical

# Keys a range has at most, about: what DuckDB holds of both sides at once.
RANGE_KEYS = 1_000_000


@dataclass(frozen=True)
class Differences:
    """Keys compared, and how many of them differ in which way.

    `missing` in the log, `stale` there, `extra`: live there and gone from the
    source. Rows that the source has and Seedbed rejects are no difference.
    """

    compared: int
    missing: int
    stale: int
    extra: int

    def count(self, table: Table) -> int:
        """Those that should not be: without key scan nobody follows deletes."""
        follows = table.delete_mode == "key_scan" or table.load_type == "full"
        extra = self.extra if follows else 0
        return self.missing + self.stale + extra


@dataclass(frozen=True)
class Finding:
    """A table compared with its source: what differs, or why it could not be.

    `samples` are some keys that differ; none where the key is personal. `shown` says
    whether silver shows what the log has; None before it was built.
    """

    table: Table
    differences: Differences | None = None
    samples: tuple[str, ...] = ()
    error: SeedbedError | None = None
    shown: Shown | None = None

    @property
    def count(self) -> int:
        """Keys that differ and should not."""
        return self.differences.count(self.table) if self.differences else 0

    @property
    def unbuilt(self) -> int:
        """Rows that silver shows otherwise than the log has them."""
        return self.shown.unbuilt if self.shown else 0

    @property
    def is_equal(self) -> bool:
        """Whether source, log and silver have the same rows."""
        return not (self.error or self.count or self.unbuilt)

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        told = asdict(self.differences) if self.differences else {}
        told |= {"unbuilt": self.unbuilt} if self.shown else {}
        error = {"error": str(self.error)} if self.error else {}
        samples = list(self.samples)
        return {"table": self.table.id, **told, "samples": samples, **error}


def run(tables: Sequence[Table], report: Callable[[str], None]) -> list[Finding]:
    """Compare the tables with their sources, and record what came of it."""
    findings = []
    with ledger.connect() as connection:
        ledger.prepare(connection)
        run_id = ledger.begin_run(connection, "reconcile")
        for table in tables:
            report(f"{table.id}: comparing")
            try:
                with ledger.table_lock(table):
                    finding = _compare(connection, table)
            except SeedbedError as error:
                finding = Finding(table, error=error)
            except psycopg.Error as error:
                refused = ServiceError(
                    f"{table.id}: the warehouse refused: {first_line(error)}. Nothing "
                    "was changed; try again."
                )
                finding = Finding(table, error=refused)
            except Exception as error:
                unforeseen = journal.unforeseen(table.id, error)
                finding = Finding(table, error=unforeseen)
            findings.append(finding)
            if found := finding.differences:
                connection.execute(
                    "insert into audit.reconciliation (run_id, table_id, compared, "
                    "missing, stale, extra, unbuilt, is_equal) "
                    "values (%s, %s, %s, %s, %s, %s, %s, %s)",
                    (
                        run_id,
                        table.id,
                        *astuple(found),
                        finding.unbuilt,
                        finding.is_equal,
                    ),
                )
        wrong = [f for f in findings if not f.is_equal]
        errors = "\n".join(str(f.error) for f in wrong if f.error)
        runs.close(connection, run_id, "failed" if wrong else "done", {}, errors)
    return findings


def show(findings: Sequence[Finding], console: Console) -> None:
    """Print what differs, table by table, and what to type next."""
    grid = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    # A long name is folded, so that no figure is cut.
    grid.add_column("table", overflow="fold")
    for name in ("keys", "missing", "stale", "extra"):
        grid.add_column(name, justify="right")
    grid.add_column("")
    for finding in findings:
        counts = astuple(finding.differences) if finding.differences else "----"
        told = "[green]equal[/]" if finding.is_equal else "[red]differs[/]"
        grid.add_row(
            finding.table.id,
            *(f"{n:,}" if isinstance(n, int) else n for n in counts),
            "[red]failed[/]" if finding.error else told,
        )
    if findings:
        console.print(grid)
    for finding in findings:
        if finding.error:
            console.print(f"\n[red]error[/]: {finding.error}", soft_wrap=True)
        elif finding.count and finding.samples:
            console.print(f"{finding.table.id}: {', '.join(finding.samples)}, …")
        if finding.shown and finding.unbuilt:
            _show_unbuilt(finding.table, finding.shown, console)
    wrong = [f.table for f in findings if f.count]
    whole = [t.id for t in wrong if t.load_type == "full"]
    if len(whole) < len(wrong):
        console.print(
            "next     ./seedbed reconcile --repair   reads the rows that differ again"
        )
    if whole:
        console.print(
            f"next     ./seedbed run   reads {', '.join(whole)} whole; what changed in "
            "the source since the last run differs until then",
            soft_wrap=True,
        )


def _show_unbuilt(table: Table, found: Shown, console: Console) -> None:
    """Tell that silver differs from the log, and what to type."""
    model = f"{table.model}_history" if table.has_history else table.model
    sample = f" ({found.sample})" if found.sample else ""
    console.print(
        f"{table.id}: silver.{table.model} differs from the log: {shown.IDENTITY}: "
        f"{found.in_log:,} ≠ {found.in_silver:,}{sample}\n"
        f"next     ./seedbed run   builds it; if it differs still, ./seedbed rebuild "
        f"{model}",
        soft_wrap=True,
    )


def _shown(
    connection: ledger.Connection, table: Table, released: Released
) -> Shown | None:
    found = shown.compare_content(connection, table, released)
    return found if found.is_built else None


def _compare(connection: ledger.Connection, table: Table) -> Finding:
    released = ledger.released(connection, table)
    if not released.through:
        raise SeedbedError(
            f"{table.id}: nothing of it is released yet, so there is nothing to "
            "compare. Type `./seedbed run` first."
        )
    try:
        with duck.engine(settings.ROOT / ".seedbed" / "spill") as engine:
            duck.attach_warehouse(engine, settings.warehouse())
            url = settings.source_url(table.source)
            duck.attach_source(engine, url, table.source.schema)
            with reading.snapshot(engine):
                found = differences(engine, table, released)
            names = ", ' ', ".join(["''", *(quoted(c.name) for c in table.key)])
            samples = engine.execute(
                f"select _what || concat({names}) from difference order by all limit 5"
            ).fetchall()
    except duckdb.Error as error:
        said = duck.told(error, "Nothing was changed; try again.")
        raise ServiceError(
            f"{table.id}: comparing it with its source failed: {said}"
        ) from error
    if not table.key or any(c.pii for c in table.key):
        samples = []
    texts = tuple(text for (text,) in samples)
    return Finding(table, found, texts, shown=_shown(connection, table, released))


def differences(
    engine: duckdb.DuckDBPyConnection, table: Table, released: Released
) -> Differences:
    """Make the temporary table `difference`: the keys that differ, and `what` does.

    Within the caller's transaction on the attached source and warehouse.
    """
    names = "".join(f"{quoted(c.name)}, " for c in table.key)
    is_whole = table.load_type == "full"
    due = "true"
    if table.window_column:
        watermark = quoted(table.window_column.name)
        present = source.present(engine, table)
        due = f"(_timeless or {watermark} > timestamp {literal(present)}"
        if released.high is not None:
            due += f" or {watermark} <= timestamp {literal(released.high)}"
        due += ")"
    aside = log.put_aside(table, released.through)
    duck.ask_warehouse(engine, "aside", aside)
    compared = 0
    target = "create or replace temp table difference as"
    for piece in _pieces(table):
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        into = "create or replace temp table seen as"
        for rows in reading.rows(engine, table, _within(table, piece)):
            canonical(engine, table, rows, now, 0)
            engine.execute(
                f"{into} select {names} _row_hash, _reason is null and {due} "
                f"and ({names} _row_hash) not in (from aside) as _due, _op from typed"
            )
            into = "insert into seen"
        if not is_whole:
            keys.assert_distinct(engine, table, "seen")
        duck.ask_warehouse(engine, "held", _held(table, released, piece, names))
        differing = _of_rows(table) if is_whole else _of_keys(table)
        engine.execute(f"{target} {differing}")
        target = "insert into difference"
        compared += scalar(engine, "select count(*) from held")
    counts = dict(
        engine.execute("select _what, count(*) from difference group by 1").fetchall()
    )
    return Differences(
        compared, *(counts.get(what, 0) for what in ("missing", "stale", "extra"))
    )


def _within(table: Table, piece: keys.KeyRange) -> Condition:
    return keys.within(table, piece) if table.key else lambda quote: "true"


def _held(table: Table, released: Released, piece: keys.KeyRange, names: str) -> str:
    """SQL for key and hash of the log's live rows in a range of the key."""
    columns = f"{names} _row_hash"
    where = piece.condition(quoted(table.key[0].name)) if table.key else "true"
    if table.load_type != "full":
        return log.live_rows(table, released.through, columns, where)
    return (
        f"select {columns} from {log.name_of(table)} "
        f"where _batch_seq = {released.snapshot_seq} and {where}"
    )


def _of_keys(table: Table) -> str:
    """SQL for the keys that differ, each of which is one row at most."""
    names = log.key(table)
    return (
        f"select {names}, 'missing' as _what "
        f"from seen anti join held using ({names}) "
        "where _due and _op <> 'D' union all "
        f"select {names}, 'stale' from seen join held using ({names}) "
        "where _due and seen._row_hash <> held._row_hash union all "
        f"select {names}, 'extra' from held anti join seen using ({names})"
    )


def _of_rows(table: Table) -> str:
    """The same of rows that are alike in all they say, as often as they are there."""
    names = "".join(f"{quoted(c.name)}, " for c in table.key)
    number = "row_number() over (partition by _row_hash) as _number"
    sides = (
        f"with here as (select *, {number} from seen where _due), "
        f"there as (select *, {number} from held), "
        "gone as (from here anti join there using (_row_hash, _number)), "
        "more as (from there anti join here using (_row_hash, _number)) "
    )
    if not table.key:
        return (
            f"{sides} select 'missing' as _what from gone union all "
            "select 'extra' from more"
        )
    key = log.key(table)
    return (
        f"{sides} select {names} 'stale' as _what from gone semi join more "
        f"using ({key}) union all "
        f"select {names} 'missing' from gone anti join more using ({key}) union all "
        f"select {names} 'extra' from more anti join gone using ({key})"
    )


def _pieces(table: Table) -> list[keys.KeyRange]:
    extent = source.key_extent(table) if table.key else None
    if extent is None:
        return [keys.KeyRange()]
    low, high, rows, _ = extent
    count = min(-(-rows // RANGE_KEYS), high - low + 1) or 1
    edges = [low + (high - low + 1) * n // count for n in range(1, count)]
    # The log may have keys outside what the source has now.
    return [
        keys.KeyRange(start, None if end is None else end - 1)
        for start, end in zip([None, *edges], [*edges, None], strict=True)
    ]
