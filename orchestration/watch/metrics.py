"""Metrics: what the control tables say, for Prometheus to read.

Each is a query of `metrics.sql`, but for the three that are not in the warehouse.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psycopg
from prometheus_client import CollectorRegistry, generate_latest, write_to_textfile
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ingest import control, settings
from ingest.errors import SeedbedError
from ingest.statements import query

# How Postgres logs a refused login, whatever the method.
_REFUSED = (b"authentication failed for user", b"no pg_hba.conf entry for")


def failed_logins() -> int | None:
    """Refused logins in the warehouse's log; None where the log can't be read.

    That is the one that SEEDBED_PG_LOG names, or the embedded server's.
    """
    log = os.environ.get("SEEDBED_PG_LOG", "")
    if not log and "postgres" in os.environ.get("SEEDBED_EMBEDDED", "").split():
        log = str(settings.ROOT / ".seedbed" / "log" / "postgres.log")
    try:
        with open(log, "rb") as lines:
            return sum(any(mark in line for mark in _REFUSED) for line in lines)
    except OSError:
        return None


class Exporter(Collector):
    """Asks the warehouse again each time it is asked.

    While the warehouse is out of reach there is `seedbed_up 0` and nothing else.
    Nothing is made or altered, so a scrape and a run never wait for each other.
    """

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}

        def add(name: str, meaning: str, labels: dict[str, str], value: float) -> None:
            if name not in families:
                is_counter = name.endswith("_total")
                kind = CounterMetricFamily if is_counter else GaugeMetricFamily
                families[name] = kind(name, meaning)
            families[name].add_sample(name, labels, value)

        started, is_up = time.monotonic(), True
        try:
            # Before the first run, the one that is behind an update as well.
            with control.connect() as connection, suppress(control.Unready):
                control.look(connection)
                for row in connection.execute(query(__file__).encode()):
                    add(*row)
        except (SeedbedError, psycopg.Error):
            families.clear()
            is_up = False
        if is_up:
            logins = failed_logins()
            if logins is not None:
                meaning = "logins that the warehouse refused"
                add("seedbed_failed_logins_total", meaning, {}, logins)
            took = round(time.monotonic() - started, 3)
            meaning = "how long it took to ask the warehouse"
            add("seedbed_scrape_seconds", meaning, {}, took)
        add("seedbed_up", "1 when the warehouse answered, else 0", {}, is_up)
        return families.values()


def registry() -> CollectorRegistry:
    """A registry with the exporter and nothing else."""
    registry = CollectorRegistry()
    registry.register(Exporter())
    return registry


def text() -> str:
    """All metrics in Prometheus' text format."""
    return generate_latest(registry()).decode()


def write(file: Path) -> None:
    """Write them to a file for the node exporter, in one move."""
    write_to_textfile(str(file), registry())
