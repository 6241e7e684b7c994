"""Bench endpoints: the time of a run while its endpoints are down.

The demo's shop is read by `./seedbed run`, again and again after the same change, in a
copy of the project with separate servers. In turn no endpoint is configured, all of
them refuse (lineage, Slack, PagerDuty, mail), and all accept the call and stay silent.
Metrics are not part of it: they are scraped, and a run pushes none.
"""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from sandbox import demo
from sandbox import servers as embedded
from sandbox.bench import Goal, Report, Timed, copy_project, servers, timed_run

LIMIT = 2.0
# Seconds after a run in which the delivering process starts; its waiting takes no
# processor.
START = 5
WAYS = ("none configured", "all refuse", "all are silent")
_CHANGE = """
update shop.orders
set
    note = concat('change ', %(change)s),
    updated_at = '2026-03-01 12:00:00' + interval %(change)s hour
where order_id <= 100
"""
# The result of a run, without ids and times.
_CAME = """
select
    run.state,
    noted.table_id,
    noted.state,
    batch.rows_read,
    batch.rows_loaded,
    batch.rows_rejected,
    (
        select count(*) from audit.model_run as model
        where model.run_id = run.run_id and model.status = 'success'
    ),
    (
        select count(*) from audit.dq_result as rule
        where rule.run_id = run.run_id and rule.passed
    )
from audit.run as run
inner join audit.run_table as noted on noted.run_id = run.run_id
left join audit.batch as batch
    on batch.run_id = run.run_id and batch.table_id = noted.table_id
where run.run_id = (select max(run_id) from audit.run)
order by noted.table_id
"""


@dataclass
class Outcome(Timed):
    """Seconds of one method, run by run, and the results of its runs."""

    way: str
    seconds: list[float] = field(default_factory=list)
    # Of the processor, which other work on the machine does not lengthen.
    processor: list[float] = field(default_factory=list)
    came: list[list[tuple[Any, ...]]] = field(default_factory=list)


def run(rows: int, rounds: int, report: Report) -> list[Outcome]:
    """Measure each method `rounds` times, one after the other, with `rows` orders."""
    outcomes = [Outcome(way) for way in WAYS]
    with servers(report) as home, ExitStack() as stack:
        copy_project(home)
        variables = {
            WAYS[0]: dict[str, str](),
            WAYS[1]: _variables(1),
            WAYS[2]: _variables(stack.enter_context(_silent())),
        }
        admin = embedded.admin_url(home)
        demo.apply_day(admin, 1, rows)
        report("the first load")
        timed_run(home)
        if rounds > 1:  # a single round is a quick look
            report("a run that warms up")
            _change(admin, 1)
            timed_run(home)
        for number in range(rounds):
            # The order turns, so that no method is always the first.
            for place in range(len(WAYS)):
                outcome = outcomes[(number + place) % len(WAYS)]
                _change(admin, 2 + number * len(WAYS) + place)
                seconds, processor = timed_run(home, variables[outcome.way])
                outcome.seconds.append(seconds)
                outcome.processor.append(processor)
                with psycopg.connect() as connection:
                    outcome.came.append(connection.execute(_CAME.encode()).fetchall())
                report(f"{outcome.way}: {seconds:.1f} s, processor {processor:.1f} s")
                time.sleep(START)
    return outcomes


def is_same(outcomes: list[Outcome]) -> bool:
    """Whether all runs had the same result."""
    came = [found for outcome in outcomes for found in outcome.came]
    return all(found == came[0] for found in came)


def goal(outcomes: list[Outcome]) -> Goal:
    """Seconds that the slowest kind of failure may add."""
    none, *down = outcomes
    found = max(outcome.median for outcome in down) - none.median
    return Goal("seconds longer", found, LIMIT)


def as_json(outcomes: list[Outcome]) -> dict[str, Any]:
    """Seconds and the goal, for a script."""
    found, same = goal(outcomes), is_same(outcomes)
    return {
        "ways": {
            o.way: {"seconds": o.seconds, "processor": o.processor} for o in outcomes
        },
        "longer": found.found,
        "limit": LIMIT,
        "same": same,
        "reached": found.reached and same,
    }


def lines(outcomes: list[Outcome]) -> Iterator[str]:
    """Medians and the goal, for a person."""
    for o in outcomes:
        least, most = min(o.seconds), max(o.seconds)
        own = statistics.median(o.processor)
        yield (
            f"{o.way:15}  {o.median:6.2f} s  ({least:.2f} to {most:.2f}), "
            f"{own:.2f} s of the processor"
        )
    found, same = goal(outcomes), is_same(outcomes)
    verdict = found.verdict if same else "missed"
    same_as = "the same result" if same else "another result"
    yield f"{verdict}: {found.found:+.2f} s, at most {LIMIT:.2f}; {same_as}"


def _variables(port: int) -> dict[str, str]:
    """All endpoints, at a port of this machine."""
    here = f"http://127.0.0.1:{port}"
    return {
        "OPENLINEAGE_URL": here,
        "SEEDBED_SLACK_WEBHOOK_URL": f"{here}/slack",
        "SEEDBED_PAGERDUTY_URL": f"{here}/pagerduty",
        "SEEDBED_PAGERDUTY_KEY": "bench",
        "SEEDBED_MAIL_URL": f"smtp://127.0.0.1:{port}",
        "SEEDBED_MAIL_TO": "you@localhost",
        "SEEDBED_NOTIFY_SUCCESS": "true",
    }


@contextmanager
def _silent() -> Iterator[int]:
    """A port at which the system accepts every call, and none is answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as server:
        yield server.getsockname()[1]


def _change(admin: str, change: int) -> None:
    with demo.connect(admin) as cursor:
        cursor.execute(_CHANGE, {"change": change})
        cursor.connection.commit()
