"""Reconcile: source against log (`ingest/differences.py`), and log against silver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

import duckdb
from rich.console import Console

from ingest import control, duck, sources
from ingest.differences import Differences, differences
from ingest.duck import quoted
from ingest.errors import SeedbedError, ServiceError
from ingest.runlog import Report
from ingest.seed.metadata import Table
from ingest.statements import Statements
from orchestration import runs, shown
from orchestration.display import fault, plain_grid
from orchestration.outcome import Outcome, isolate
from orchestration.shown import Shown

_SQL = Statements(__file__)


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
        """Rows in which silver differs from the log."""
        return self.shown.unbuilt if self.shown else 0

    @property
    def is_equal(self) -> bool:
        """Whether source, log and silver have the same rows."""
        return not (self.error or self.count or self.unbuilt)

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        counts = asdict(self.differences) if self.differences else {}
        counts |= {"unbuilt": self.unbuilt} if self.shown else {}
        error = {"error": str(self.error)} if self.error else {}
        return {"table": self.table.id, **counts, "samples": self.samples, **error}


def run(tables: Sequence[Table], report: Report) -> list[Finding]:
    """Compare the tables with their sources, and record the results."""
    findings = []
    with control.connect() as connection:
        control.prepare(connection)
        with runs.opened(connection, "reconcile") as run_id:
            for table in tables:
                report(f"{table.id}: comparing")
                found = _finding(table, report)
                findings.append(found)
                if found.differences:
                    facts = asdict(found.differences) | {"run_id": run_id}
                    facts |= {"table_id": table.id, "unbuilt": found.unbuilt}
                    _SQL.run(connection, "note", **facts, is_equal=found.is_equal)
            is_equal = all(f.is_equal for f in findings)
            errors = "\n".join(str(f.error) for f in findings if f.error)
            runs.close(connection, run_id, "done" if is_equal else "failed", errors)
    return findings


def _finding(table: Table, report: Report) -> Finding:
    """What a table's comparison finds; a failure of it is in the finding."""
    outcome = Outcome(table)
    found: list[Finding] = []

    def compare() -> None:
        with control.connect() as connection, control.table_lock(table):
            found.append(_compare(connection, table))

    isolate(outcome, compare, report)
    return found[0] if found else Finding(table, error=outcome.error)


def show(findings: Sequence[Finding], console: Console) -> None:
    """Print what differs, table by table, and what to type next."""
    grid = plain_grid("table", ">keys", ">missing", ">stale", ">extra", "")
    for finding in findings:
        counts = astuple(finding.differences) if finding.differences else "----"
        verdict = "[green]equal[/]" if finding.is_equal else "[red]differs[/]"
        grid.add_row(
            finding.table.id,
            *(f"{n:,}" if isinstance(n, int) else n for n in counts),
            "[red]failed[/]" if finding.error else verdict,
        )
    if findings:
        console.print(grid)
    for finding in findings:
        table, found = finding.table, finding.shown
        if finding.error:
            console.print("\n", fault(str(finding.error)), sep="", soft_wrap=True)
        elif finding.count and finding.samples:
            console.print(f"{table.id}: {', '.join(finding.samples)}, …")
        if found and found.unbuilt:
            sample = f" ({found.sample})" if found.sample else ""
            console.print(
                f"{table.id}: silver.{table.model} differs from the log: "
                f"{shown.IDENTITY}: {found.in_log:,} ≠ {found.in_silver:,}{sample}\n"
                "next     ./seedbed run   builds it; if it differs still, "
                f"./seedbed rebuild {table.derived}",
                soft_wrap=True,
            )
    wrong = [f.table for f in findings if f.count]
    whole = [t.id for t in wrong if t.load_type.reads_whole]
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


def _compare(connection: control.Connection, table: Table) -> Finding:
    released = control.released(connection, table)
    if not released.through:
        raise SeedbedError(
            f"{table.id}: nothing of it is released yet, so there is nothing to "
            "compare.",
            "Run `./seedbed run` first.",
        )
    try:
        with duck.attached(table.source) as engine:
            with sources.of(table.source).snapshot(engine):
                found = differences(engine, table, released)
            names = ", ' ', ".join(["''", *(quoted(c.name) for c in table.key)])
            samples = engine.execute(
                f"select _what || concat({names}) from difference order by all limit 5"
            ).fetchall()
    except duckdb.Error as error:
        said, hint = duck.explained(error, "Run again; nothing was changed.")
        raise ServiceError(
            f"{table.id}: comparing it with its source failed: {said}", hint
        ) from error
    texts = tuple(text for (text,) in samples)
    if not table.key or any(c.pii for c in table.key):
        texts = ()
    built = shown.compare_content(connection, table, released)
    return Finding(table, found, texts, shown=built if built.is_built else None)
