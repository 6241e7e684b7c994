"""Bench history: one change of a large dimension, built by three methods.

The product's own models (generated, run by dbt), a hand-written update and insert for
the same change, and dbt's snapshot, one after the other, each from the same saved
tables. It times the warehouse's statements.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from ingest import control, load, settings
from ingest.control import Connection
from ingest.errors import SeedbedError
from ingest.seed import metadata
from sandbox.bench import Dbt, Goal, Report, own_project, release, servers, turns

HERE = Path(__file__).parent
TABLE = "bench.customers"
HISTORY = "silver.customers_history"
SNAPSHOT = "silver.peer_snapshot"
_PEER = ("snapshot", "--select", "peer_snapshot")


@dataclass(frozen=True)
class Scenario:
    """A dimension before the change, and how many of its keys the change touches."""

    name: str
    keys: int
    versions: int = 1
    touched: int = 0
    late: int = 0
    with_snapshot: bool = False


@dataclass
class Outcome:
    """Seconds of each run, by method: `seedbed`, `hand_written`, `snapshot`."""

    scenario: Scenario
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def median(self, way: str) -> float:
        """The median of the method's runs."""
        return statistics.median(self.seconds[way])

    def ratio(self, way: str) -> float:
        """How many times as long the product takes."""
        return self.median("seedbed") / self.median(way)


def scenarios(rows: int) -> list[Scenario]:
    """What is compared, for a dimension of that many rows."""
    touched, few = rows * 16 // 100, max(rows // 1000, 16)
    return [
        Scenario("one version a key", rows, 1, touched, with_snapshot=True),
        Scenario("five versions a key", rows, 5, touched),
        Scenario("four times the keys", rows * 4, 1, touched),
        Scenario("few keys touched", rows, 1, few),
        Scenario("few keys touched of four times as many", rows * 4, 1, few),
        Scenario("1 % of the rows late", rows, 1, touched, late=1),
        Scenario("all rows late, five versions", rows, 5, touched, late=100),
    ]


def goals(outcomes: list[Outcome]) -> list[Goal]:
    """Their goals."""
    one, five, four_times, few, few_of_many = outcomes[:5]

    def growth(large: Outcome, small: Outcome, way: str) -> float:
        return large.median(way) / small.median(way)

    return [
        Goal("against hand-written, one version", one.ratio("hand_written"), 1.5),
        Goal("against hand-written, five versions", five.ratio("hand_written"), 2.0),
        Goal("against dbt's snapshot", one.ratio("snapshot"), 1.0),
        Goal(
            "growth to four times the keys, to that of hand-written",
            growth(four_times, one, "seedbed")
            / growth(four_times, one, "hand_written"),
            1.0,
        ),
        Goal(
            "growth to four times the keys, few touched",
            growth(few_of_many, few, "seedbed"),
            1.3,
        ),
    ]


def run(rows: int, rounds: int, report: Report) -> list[Outcome]:
    """Measure all scenarios on a separate Postgres, then remove it."""
    with (
        servers(report, ["postgres"]) as home,
        psycopg.connect(autocommit=True) as connection,
    ):
        bench = _Bench(_project(home), connection)
        return [bench.measure(s, rounds, report) for s in scenarios(rows)]


def as_json(outcomes: list[Outcome]) -> dict[str, Any]:
    """Seconds and goals, for a script."""
    return {
        "scenarios": [{**vars(o.scenario), "seconds": o.seconds} for o in outcomes],
        "goals": [g.as_json() for g in goals(outcomes)],
    }


def lines(outcomes: list[Outcome]) -> Iterator[str]:
    """Medians and goals, for a person."""
    yield f"{'seconds (ratio of seedbed to it)':44}seedbed  hand-written   snapshot"
    for outcome in outcomes:
        line = f"{outcome.scenario.name:44}{outcome.median('seedbed'):7.3f}"
        for way in ("hand_written", "snapshot"):
            if way in outcome.seconds:
                line += f"{outcome.median(way):7.3f} ({outcome.ratio(way):.2f})"
        yield line
    for goal in goals(outcomes):
        line = f"{goal.name}: {goal.found:.2f}, at most {goal.limit:.2f}"
        yield f"{goal.verdict:8} {line}"


def _project(home: Path) -> Path:
    """The dbt project, with models as `./seedbed generate` writes them."""
    project = home / "project"
    shutil.copytree(HERE / "project", project)
    # No link: one of the macros is generated.
    shutil.copytree(settings.ROOT / "macros", project / "macros")
    own_project(project, HERE / "project" / metadata.FOLDER)
    return project


class _Bench:
    def __init__(self, project: Path, connection: Connection) -> None:
        self.project = project
        self.connection = connection
        self.dbt = Dbt(project, project)

    def measure(self, scenario: Scenario, rounds: int, report: Report) -> Outcome:
        """Run the methods in turn, `rounds` times, after a warm-up."""
        report(f"{scenario.name}: filling {scenario.keys * scenario.versions:,} rows")
        self._fill(scenario)
        ways: dict[str, Callable[[], float]] = {
            "hand_written": lambda: self._hand_written(scenario),
            "seedbed": lambda: self.dbt.run("run", "--select", "customers_history"),
        }
        if scenario.with_snapshot:
            ways["snapshot"] = lambda: self.dbt.run(*_PEER)
        outcome = Outcome(scenario, {way: [] for way in ways})
        results: dict[str, list[Any]] = {}
        for number in turns(rounds):
            for way, build in ways.items():
                self._restore(SNAPSHOT if way == "snapshot" else HISTORY)
                seconds = build()
                if number:
                    outcome.seconds[way].append(seconds)
                if way not in results and way != "snapshot":
                    results[way] = self._content()
            last = [f"{w} {s[-1]:.2f} s" for w, s in outcome.seconds.items() if s]
            report(f"{scenario.name}: {', '.join(last) or 'warm'}")
        if not scenario.late and results["seedbed"] != results["hand_written"]:
            raise SeedbedError(
                f"{scenario.name}: the hand-written SQL gives other rows than the "
                "model, so their times can't be compared.",
                f"Correct {HERE / 'hand_written.sql'}.",
            )
        return outcome

    def _fill(self, scenario: Scenario) -> None:
        """The log, and the tables as they are before the change."""
        for schema in ("bench", "bronze", "staging", "silver", "audit"):
            self._execute(f"drop schema if exists {schema} cascade")
        control.prepare(self.connection)
        self._execute("create schema bench")
        (table,) = metadata.load(self.project)
        load.prepare(self.connection, table)
        self._execute((HERE / "log.sql").read_text(), vars(scenario))
        self._execute(load.indexes(table))
        self._execute("vacuum analyze bronze.bench__customers")
        release(self.connection, [TABLE], scenario.versions)
        self.dbt.run("run", "--select", "stg_bench__customers customers_history")
        self._save(HISTORY)
        if scenario.with_snapshot:
            self._present(scenario.versions)
            self.dbt.run(*_PEER)
            self._save(SNAPSHOT)
            self._present(scenario.versions + 1)
        release(self.connection, [TABLE], scenario.versions + 1)

    def _present(self, through: int) -> None:
        """The table as the source would show it, for dbt's snapshot."""
        self._execute("drop table if exists bench.present")
        self._execute(
            "create table bench.present as select distinct on (customer_id) *, "
            "_op = 'D' as is_deleted from bronze.bench__customers "
            f"where _batch_seq <= {int(through)} "
            "order by customer_id, _source_ts desc"
        )
        self._execute("vacuum analyze bench.present")

    def _save(self, table: str) -> None:
        """Save the table's rows, and its released batch, as the state to begin from."""
        name = table.split(".")[1]
        self._execute(f"create table bench.{name} as table {table}")
        self._execute(
            "create table if not exists bench.claim as table audit.model_claim"
        )

    def _restore(self, table: str) -> None:
        """The table as it was saved, with new indexes and statistics."""
        # The checkpoint comes first: after one, Postgres logs each page in full when it
        # is touched again. That cost is the same for all methods, and larger than their
        # own; pages that are rewritten after it do not have it.
        self._execute("checkpoint")
        self._execute(f"truncate {table}")
        self._execute(f"insert into {table} table bench.{table.split('.')[1]}")
        self._execute("truncate audit.model_claim")
        self._execute("insert into audit.model_claim table bench.claim")
        self._execute(f"vacuum analyze {table}")

    def _content(self) -> list[Any]:
        """Rows of the history and a sum over them, independent of their order."""
        return self.connection.execute(
            f"select count(*), sum(hashtextextended(history::text, 0)::numeric) "
            f"from {HISTORY} as history"
        ).fetchall()

    def _hand_written(self, scenario: Scenario) -> float:
        statements = (HERE / "hand_written.sql").read_text()
        statements = statements.replace("{batch}", str(scenario.versions + 1))
        started = time.perf_counter()
        self._execute(statements)  # sent at once, so one transaction
        return time.perf_counter() - started

    def _execute(self, statement: str, values: Any = None) -> None:
        self.connection.execute(statement, values)
