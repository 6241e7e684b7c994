"""Metrics: what the control tables say, for Prometheus to read.

Each is a query of `metrics.sql`, but for the three that are not in the warehouse.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
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
from ingest.control import Connection
from ingest.errors import SeedbedError
from ingest.statements import query

# How Postgres logs a refused login, whatever the method.
_REFUSED = (b"authentication failed for user", b"no pg_hba.conf entry for")


@dataclass(frozen=True)
class Sample:
    """One number, as the control tables give it."""

    metric: str
    help: str
    labels: dict[str, str]
    value: float


def read(connection: Connection) -> list[Sample]:
    """All samples of the control tables."""
    return [Sample(*row) for row in connection.execute(query(__file__).encode())]


def server_log() -> Path | None:
    """The warehouse's log: what SEEDBED_PG_LOG names, or the embedded server's."""
    named = os.environ.get("SEEDBED_PG_LOG")
    if named:
        return Path(named)
    own = settings.ROOT / ".seedbed" / "log" / "postgres.log"
    is_own = "postgres" in os.environ.get("SEEDBED_EMBEDDED", "").split()
    return own if is_own else None


def failed_logins() -> int | None:
    """Refused logins in the warehouse's log; None where the log can't be read."""
    log = server_log()
    try:
        with open(log or os.devnull, "rb") as lines:
            count = sum(any(mark in line for mark in _REFUSED) for line in lines)
    except OSError:
        return None
    return count if log else None


class Exporter(Collector):
    """Asks the warehouse again each time it is asked.

    While the warehouse is out of reach there is `seedbed_up 0` and nothing else.
    Nothing is made or altered, so a scrape and a run never wait for each other.
    """

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        started = time.monotonic()
        try:
            with control.connect() as connection:
                samples = []
                # Before the first run, the one that is behind an update as well.
                with suppress(control.Unready):
                    control.look(connection)
                    samples = read(connection)
        except (SeedbedError, psycopg.Error):
            return _families([_up(0)])
        logins = failed_logins()
        if logins is not None:
            meaning = "logins that the warehouse refused"
            name = "seedbed_failed_logins_total"
            samples.append(Sample(name, meaning, {}, logins))
        meaning = "how long it took to ask the warehouse"
        took = round(time.monotonic() - started, 3)
        samples.append(Sample("seedbed_scrape_seconds", meaning, {}, took))
        return _families([*samples, _up(1)])


def _up(value: int) -> Sample:
    return Sample("seedbed_up", "1 when the warehouse answered, else 0", {}, value)


def _families(samples: Iterable[Sample]) -> list[Metric]:
    families: dict[str, Metric] = {}
    for sample in samples:
        name = sample.metric
        if name not in families:
            is_counter = name.endswith("_total")
            kind = CounterMetricFamily if is_counter else GaugeMetricFamily
            families[name] = kind(name, sample.help)
        families[name].add_sample(name, sample.labels, sample.value)
    return list(families.values())


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
