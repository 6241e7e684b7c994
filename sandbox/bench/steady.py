"""Bench steady: the runs of a shop's day, over logs of different sizes.

The demo's shop is loaded and built in a copy of the project with separate servers. Then
`./seedbed run` follows nothing new, one changed order, and a thousand that are spread
over all years; in turn. What a run costs is to follow from what changed, and not from
what is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from sandbox import demo
from sandbox import servers as embedded
from sandbox.bench import Goal, Report, copy_project, processor, servers, timed_run

CHANGES = {"nothing new": 0, "one order": 1, "1,000 orders": 1000}
# Seconds of each, at 50,000 orders (240,000 rows in the logs) and at a million.
LIMITS = {"nothing new": (4.0, 6.0), "one order": (9.0, 9.0), "1,000 orders": (25, 25)}
LONGER = 1.3
_SMALL = 50_000
_CHANGE = """
update shop.orders
set
    shipping_fee = shipping_fee + 0.01,
    updated_at = '2026-03-01 12:00:00' + interval %(turn)s hour
where order_id %% %(step)s = 1 and order_id <= %(step)s * %(orders)s
"""
_ROWS = "select sum(rows_loaded)::bigint from audit.batch"


@dataclass
class Outcome:
    """What runs over a shop of so many orders took, run by run, by what had changed.

    `logged` is how many rows the logs have. Each run has its seconds, those of the
    processor in its own processes, and those in the servers'.
    """

    rows: int
    logged: int = 0
    runs: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)

    def median(self, change: str) -> tuple[float, float, float]:
        """The medians of its runs."""
        seconds, own, theirs = zip(*self.runs[change], strict=True)
        return median(seconds), median(own), median(theirs)


def run(rows: Sequence[int], rounds: int, report: Report) -> list[Outcome]:
    """Measure each kind of run `rounds` times over a shop of each size."""
    return [_measure(n, rounds, report) for n in rows]


def _measure(rows: int, rounds: int, report: Report) -> Outcome:
    outcome = Outcome(rows)
    with servers(report) as home:
        copy_project(home)
        admin = embedded.admin_url(home)
        report(f"{rows:,} orders: the first load")
        demo.apply_day(admin, 1, rows)
        timed_run(home)
        if rounds > 1:  # a single round is a quick look
            report("a run that warms up")
            _change(admin, rows, 1, 1)
            timed_run(home)
        turn = 1
        for _ in range(rounds):
            for change, orders in CHANGES.items():
                turn += 1
                _change(admin, rows, orders, turn)
                outcome.runs.setdefault(change, []).append(_timed(home))
                report(f"{change}: {_cost(outcome.runs[change][-1])}")
        with psycopg.connect() as connection:
            (outcome.logged,) = connection.execute(_ROWS).fetchone() or (0,)
    return outcome


def _timed(home: Path) -> tuple[float, float, float]:
    pids = [s.pid for s in embedded.status(home) if s.pid]
    before = processor(pids)
    seconds, own = timed_run(home)
    return seconds, own, processor(pids) - before


def _change(admin: str, rows: int, orders: int, turn: int) -> None:
    """Change so many orders, from all that there are."""
    values = {"turn": turn, "orders": orders, "step": max(rows // max(orders, 1), 2)}
    with demo.connect(admin) as cursor:
        cursor.execute(_CHANGE, values)
        cursor.connection.commit()


def goals(outcomes: Sequence[Outcome]) -> list[Goal]:
    """Seconds of each kind of run, and how much longer the largest shop takes."""
    found = [
        Goal(
            f"{o.rows:,} orders, {change}",
            o.median(change)[0],
            limits[o.rows > _SMALL],
        )
        for o in outcomes
        for change, limits in LIMITS.items()
    ]
    if len(outcomes) > 1:
        change = [*CHANGES][-1]
        small, large = (o.median(change)[0] for o in (outcomes[0], outcomes[-1]))
        found.append(Goal(f"{change}, longest to shortest log", large / small, LONGER))
    return found


def as_json(outcomes: list[Outcome]) -> dict[str, Any]:
    """Each run and the goals, for a script."""
    return {
        "shops": [
            {
                "rows": o.rows,
                "logged": o.logged,
                "runs": {
                    change: [
                        dict(zip(("seconds", "own", "servers"), one, strict=True))
                        for one in runs
                    ]
                    for change, runs in o.runs.items()
                },
            }
            for o in outcomes
        ],
        "goals": [goal.as_json() for goal in goals(outcomes)],
    }


def lines(outcomes: list[Outcome]) -> Iterator[str]:
    """Medians and goals, for a person."""
    for o in outcomes:
        yield f"{o.rows:,} orders, {o.logged:,} rows in the logs"
        for change in o.runs:
            yield f"  {change:14}{_cost(o.median(change))}"
    for goal in goals(outcomes):
        yield f"{goal.verdict}: {goal.name}: {goal.found:.1f}, at most {goal.limit:.1f}"


def _cost(run: tuple[float, float, float]) -> str:
    seconds, own, theirs = run
    return (
        f"{seconds:6.2f} s; processor: {own:.2f} s of the run, "
        f"{theirs:.2f} s of the servers"
    )
