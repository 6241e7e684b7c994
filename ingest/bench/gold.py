"""Bench gold: the same change after a short and a long history of the shop.

The project's own models are built by dbt over logs that are filled here: a shop of
so many days, as many orders each day. Then one day's orders, corrections of old ones
among them, come as a batch; what is timed are the statements of that build's models,
data tests aside.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from ingest import build, load, metadata, settings
from ingest.bench import HOME, servers
from ingest.errors import SeedbedError
from ingest.ledger import Connection

Report = Callable[[str], None]
LIMIT = 1.3
HISTORIES = (30, 300)
_LOG = Path(__file__).parent / "gold.sql"


@dataclass(frozen=True)
class Outcome:
    """Seconds of the same change after a history of `days`, run by run."""

    days: int
    first: float
    seconds: list[float]

    @property
    def median(self) -> float:
        """The median of the runs."""
        return statistics.median(self.seconds)


def run(orders: int, rounds: int, report: Report) -> list[Outcome]:
    """Measure on a Postgres of the benchmark's own; `orders` come each day."""
    with (
        servers(report, ["postgres"]),
        psycopg.connect(autocommit=True) as connection,
    ):
        return [
            _measure(connection, days, orders, rounds, report) for days in HISTORIES
        ]


def ratio(outcomes: list[Outcome]) -> float:
    """How many times as long the change takes after the long history."""
    short, long = outcomes
    return long.median / short.median


def as_json(outcomes: list[Outcome]) -> dict[str, Any]:
    """Seconds and the goal, for a script."""
    found = ratio(outcomes)
    return {
        "histories": [vars(o) for o in outcomes],
        "ratio": found,
        "limit": LIMIT,
        "reached": found <= LIMIT,
    }


def lines(outcomes: list[Outcome]) -> Iterator[str]:
    """Medians and the goal, for a person."""
    for o in outcomes:
        yield f"{o.days:4} days: first build {o.first:.2f} s, a change {o.median:.2f} s"
    found = ratio(outcomes)
    verdict = "reached" if found <= LIMIT else "missed"
    yield f"{verdict}: {found:.2f} times as long, at most {LIMIT:.2f}"


def _measure(
    connection: Connection, days: int, orders: int, rounds: int, report: Report
) -> Outcome:
    report(f"{days} days: filling the logs with {days * orders:,} orders")
    for schema in ("bronze", "staging", "silver", "gold", "work", "audit"):
        connection.execute(f"drop schema if exists {schema} cascade")
    connection.execute((settings.ROOT / "ingest" / "audit.sql").read_text("utf-8"))
    tables = metadata.enabled(metadata.load(settings.ROOT))
    for table in tables:
        load.prepare(connection, table)
    fill, change = _LOG.read_text("utf-8").split("-- The change.\n")
    values = {"days": days, "orders": orders}
    connection.execute(fill.format(**values))
    _release(connection, tables, 1)
    first = _dbt()
    connection.execute("vacuum analyze")
    seconds = []
    # A single round is a quick look, and has none to warm up.
    warm = 2 if rounds > 1 else 1
    for batch in range(2, rounds + warm + 1):
        _built(connection, tables, batch - 1)
        connection.execute(change.format(batch=batch, **values))
        _release(connection, tables, batch)
        took = _dbt()
        report(f"{days} days: a change took {took:.2f} s")
        if batch > warm:
            seconds.append(took)
    return Outcome(days, first, seconds)


def _release(
    connection: Connection, tables: list[metadata.Table], through: int
) -> None:
    for table in tables:
        connection.execute(
            "insert into audit.table_state (table_id, released_through, snapshot_seq, "
            "observed_at) values (%s, %s, 1, now()) on conflict (table_id) do update "
            "set released_through = excluded.released_through",
            (table.id, through),
        )


def _built(connection: Connection, tables: list[metadata.Table], through: int) -> None:
    for table in tables:
        connection.execute(
            "insert into audit.built_table values ('postgres.gold', %s, %s) "
            "on conflict (place, table_id) do update "
            "set through_seq = excluded.through_seq",
            (table.id, through),
        )


def _dbt() -> float:
    """Run all models and snapshots; seconds of the statements they sent."""
    from dbt_common.events.base_types import EventMsg

    seconds = 0.0

    def follow(event: EventMsg) -> None:
        nonlocal seconds
        data: Any = event.data
        if event.info.name == "SQLQueryStatus" and data.node_info.unique_id:
            seconds += data.elapsed

    place = ["--project-dir", str(settings.ROOT), "--log-level", "none"]
    place += ["--profiles-dir", str(settings.ROOT), "--target", "postgres"]
    # Not where the product looks for what was built last.
    place += ["--target-path", str(HOME / "target"), "--log-path", str(HOME / "log")]
    kinds = ["--resource-type", "model", "--resource-type", "snapshot"]
    answer = build.runner(follow=follow).invoke(["build", *place, *kinds])
    if not answer.success:
        found = getattr(answer.result, "results", [])
        why = [str(r.message) for r in found if str(r.status) != "success"]
        raise SeedbedError(f"dbt could not build the benchmark's models: {why[:3]}")
    return seconds
