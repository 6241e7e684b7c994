"""Bench gold: a day's change, by facts that go on and by models made as a whole.

The project's own models are built by dbt over silver, which is filled here with a year
of a shop. Then a day's orders come as a batch, corrections of old ones among them: gold
is built as a run builds it, then as a whole. What is measured are the statements of its
models, data tests aside, and the processor time that Postgres spent on them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from ingest import control, load, settings
from ingest.seed import metadata
from sandbox import servers as embedded
from sandbox.bench import HOME, Dbt, Goal, Report, processor, release, servers

LIMIT = 0.5
_SILVER = (
    *("build", "--resource-type", "model", "--resource-type", "snapshot"),
    *("--select", "+path:models/gold", "--exclude", "path:models/gold"),
)
_CHANGED = ("run", "--select", "orders_history", "order_items", "payments")
_GOLD = ("run", "--threads", "1", "--select", "path:models/gold")
_FACTS = "path:models/gold,config.incremental_strategy:replace_changed"
_WHOLE = ("run", "--threads", "1", "--full-refresh", "--select", _FACTS)
_SQL = Path(__file__).parent / "gold.sql"

Costs = dict[str, list[float]]


@dataclass(frozen=True)
class Outcome:
    """What gold took after a year of so many order lines, build by build.

    By model the seconds of its statements and those of Postgres' processes: `change`
    has all models, built for a change, `whole` the facts, built as a whole.
    """

    lines: int
    change: list[Costs]
    whole: list[Costs]

    @property
    def facts(self) -> set[str]:
        """The models that go on from what they have."""
        return {model for model in self.whole[0] if "-on-run-" not in model}

    @property
    def tables(self) -> set[str]:
        """The models that are built as a whole each time."""
        return {*self.change[0]} - {*self.whole[0]}

    @property
    def ratio(self) -> float:
        """A change of the facts, as a part of what all of them takes."""
        _, change = _medians(self.change, self.facts)
        _, whole = _medians(self.whole, self.facts)
        return change / whole if whole else 0.0


def run(lines: Sequence[int], rounds: int, report: Report) -> list[Outcome]:
    """Measure on a Postgres of the benchmark's own, after years of so many lines."""
    small, rest = _SQL.read_text("utf-8").split("-- Silver.\n")
    silver, change = rest.split("-- The change.\n")
    with (
        servers(report, ["postgres"]),
        psycopg.connect(autocommit=True) as connection,
    ):
        control.prepare(connection)
        tables = metadata.enabled(metadata.load(settings.ROOT))
        names = [table.id for table in tables]
        for table in tables:
            load.prepare(connection, table)
        connection.execute(small)
        for table in tables:
            connection.execute(load.indexes(table).encode())
        release(connection, names, 1)
        dbt = Dbt(settings.ROOT, HOME)  # not where the product looks for what it built
        dbt.run(*_SILVER)
        server = [s.pid for s in embedded.status(HOME) if s.pid]
        spent = functools.partial(processor, server)
        outcomes = []
        batch = 1
        for n in lines:
            report(f"{n:,} lines: filling silver")
            connection.execute(silver.format(lines=n))
            connection.execute("vacuum analyze")
            dbt.run(*_GOLD, "--full-refresh")
            connection.execute("vacuum analyze")
            outcome = Outcome(n, [], [])
            for _ in range(rounds):
                batch += 1
                connection.execute(change.format(lines=n, batch=batch))
                release(connection, names, batch)
                dbt.run(*_CHANGED)
                outcome.change.append(dbt.costs(*_GOLD, processor=spent))
                outcome.whole.append(dbt.costs(*_WHOLE, processor=spent))
                report(next(_shown(outcome)))
            outcomes.append(outcome)
    return outcomes


def goal(outcome: Outcome) -> Goal:
    """How much of the processor time of all facts a change of them may take."""
    return Goal("of the whole", outcome.ratio, LIMIT)


def as_json(outcomes: list[Outcome]) -> dict[str, Any]:
    """Each build's costs by model and the goal, for a script."""
    return {
        "histories": [
            {
                "lines": o.lines,
                "change": [_named(costs) for costs in o.change],
                "whole": [_named(costs) for costs in o.whole],
                **goal(o).as_json(),
            }
            for o in outcomes
        ]
    }


def lines(outcomes: list[Outcome]) -> Iterator[str]:
    """Medians by model and the goal of the longest history, for a person."""
    for o in outcomes:
        yield from _shown(o)
        for model in sorted(o.facts | o.tables):
            yield f"  {model}: {_cost(o, {model})}"
    found = goal(outcomes[-1])
    yield (
        f"{found.verdict}: a change of the facts takes {found.found:.2f} of the "
        f"processor time of all of them, at most {LIMIT:.2f}"
    )


def _named(costs: Costs) -> dict[str, dict[str, float]]:
    return {
        model: {"seconds": seconds, "processor": processor}
        for model, (seconds, processor) in costs.items()
    }


def _shown(outcome: Outcome) -> Iterator[str]:
    facts, tables = outcome.facts, outcome.tables
    yield (
        f"{outcome.lines:,} lines: a change takes the facts {_cost(outcome, facts)}, "
        f"the other models {_cost(outcome, tables)}"
    )


def _cost(outcome: Outcome, models: Iterable[str]) -> str:
    """A change of these models, beside all of them where they are facts."""
    seconds, processor = _medians(outcome.change, models)
    cost = f"{seconds:.2f} s ({processor:.2f} s of processors)"
    if outcome.facts.issuperset(models):
        seconds, processor = _medians(outcome.whole, models)
        cost += f" of {seconds:.2f} s ({processor:.2f} s)"
    return cost


def _medians(runs: list[Costs], models: Iterable[str]) -> tuple[float, float]:
    """The medians of what these models take together."""
    seconds, processor = (
        median(sum(costs[model][figure] for model in models) for costs in runs)
        for figure in (0, 1)
    )
    return seconds, processor
