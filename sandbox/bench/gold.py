"""Bench gold: the same change after a short and a long history of the shop.

The project's own models are built by dbt over logs that are filled here: a shop of some
days, with as many orders each day. Then one day's orders, corrections of old ones among
them, come as a batch; it times the statements of that build's models, without data
tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from ingest import control, load, settings
from ingest.control import Connection
from ingest.seed import metadata
from sandbox.bench import HOME, Dbt, Goal, Report, Timed, release, servers

LIMIT = 1.3
HISTORIES = (30, 300)
_BUILD = ("build", "--resource-type", "model", "--resource-type", "snapshot")
_LOG = Path(__file__).parent / "gold.sql"


@dataclass(frozen=True)
class Outcome(Timed):
    """Seconds of the same change after a history of `days`, run by run."""

    days: int
    first: float
    seconds: list[float]


def run(orders: int, rounds: int, report: Report) -> list[Outcome]:
    """Measure on a separate Postgres; `orders` come each day."""
    with (
        servers(report, ["postgres"]),
        psycopg.connect(autocommit=True) as connection,
    ):
        return [
            _measure(connection, days, orders, rounds, report) for days in HISTORIES
        ]


def goal(outcomes: list[Outcome]) -> Goal:
    """How many times as long the change may take after the long history."""
    short, long = outcomes
    return Goal("times as long", long.median / short.median, LIMIT)


def as_json(outcomes: list[Outcome]) -> dict[str, Any]:
    """Seconds and the goal, for a script."""
    found = goal(outcomes)
    return {
        "histories": [vars(o) for o in outcomes],
        "ratio": found.found,
        "limit": LIMIT,
        "reached": found.reached,
    }


def lines(outcomes: list[Outcome]) -> Iterator[str]:
    """Medians and the goal, for a person."""
    for o in outcomes:
        yield f"{o.days:4} days: first build {o.first:.2f} s, a change {o.median:.2f} s"
    found = goal(outcomes)
    yield f"{found.verdict}: {found.found:.2f} times as long, at most {LIMIT:.2f}"


def _measure(
    connection: Connection, days: int, orders: int, rounds: int, report: Report
) -> Outcome:
    report(f"{days} days: filling the logs with {days * orders:,} orders")
    for schema in ("bronze", "staging", "silver", "gold", "work", "audit"):
        connection.execute(f"drop schema if exists {schema} cascade")
    control.prepare(connection)
    tables = metadata.enabled(metadata.load(settings.ROOT))
    names = [table.id for table in tables]
    for table in tables:
        load.prepare(connection, table)
    dbt = Dbt(settings.ROOT, HOME)  # not where the product looks for what it built
    fill, change = _LOG.read_text("utf-8").split("-- The change.\n")
    values = {"days": days, "orders": orders}
    connection.execute(fill.format(**values))
    release(connection, names, 1)
    first = dbt.run(*_BUILD)
    connection.execute("vacuum analyze")
    seconds = []
    # A single round is a quick look, without a warm-up.
    warm = 2 if rounds > 1 else 1
    for batch in range(2, rounds + warm + 1):
        _built(connection, names, batch - 1)
        connection.execute(change.format(batch=batch, **values))
        release(connection, names, batch)
        took = dbt.run(*_BUILD)
        report(f"{days} days: a change took {took:.2f} s")
        if batch > warm:
            seconds.append(took)
    return Outcome(days, first, seconds)


def _built(connection: Connection, tables: list[str], through: int) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.built_table values ('postgres.gold', %s, %s) "
            "on conflict (place, table_id) do update "
            "set through_seq = excluded.through_seq",
            [(table, through) for table in tables],
        )
