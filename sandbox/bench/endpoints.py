"""Bench endpoints: the time of a run while its endpoints are down.

The demo's shop is read by `./seedbed run`, again and again after the same change, in a
copy of the project with separate servers. In turn no endpoint is configured, all of
them refuse (lineage, Slack, PagerDuty, mail), and all accept the call and stay silent.
Metrics are not part of it: they are scraped, and a run pushes none.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import psycopg

from sandbox.bench import Bench, Case, Cost, sql
from sandbox.bench.project import Shop

LIMIT = 2.0
# Seconds after a run in which the delivering process starts; its waiting takes no
# processor.
START = 5
CHANGED = 100  # orders


def run(bench: Bench, rows: int) -> None:
    """Measure each state of the endpoints in turn, with `rows` orders."""

    def way(name: str, port: int) -> Iterator[tuple[str, Cost]]:
        cost = shop.run(CHANGED, _variables(port) if port else {})
        with psycopg.connect() as connection:
            cost.came = connection.execute(sql("run_result").encode()).fetchall()
        yield name, cost
        time.sleep(START)

    with bench.servers() as home, _silent() as silent:
        shop = Shop(bench, home, rows)
        ports = {"none configured": 0, "all refuse": 1, "all are silent": silent}
        ways = (partial(way, name, port) for name, port in ports.items())
        case = bench.compare(Case("a run", {"orders": rows}), *ways)
    none, *down = map(case.median, ports)
    bench.goal("seconds longer, same result", max(down) - none, LIMIT)


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
