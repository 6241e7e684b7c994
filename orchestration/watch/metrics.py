"""Metrics: what the control tables say, for Prometheus to read."""

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

# By name: what it means, with its unit. What ends in _total only grows.
METRICS = {
    "seedbed_up": "1 when the warehouse answered, else 0",
    "seedbed_scrape_seconds": "how long it took to ask the warehouse",
    "seedbed_runs_total": "runs that ended, by command and state",
    "seedbed_run_retries_total": "what was tried again",
    "seedbed_step_seconds_total": "seconds of a run's parts",
    "seedbed_run_open_seconds": "age of the oldest run that has not ended",
    "seedbed_last_run_seconds": "how long the last run took",
    "seedbed_last_run_timestamp_seconds": "when the last run ended",
    "seedbed_rows_total": "rows of batches, by what became of them",
    "seedbed_lake_bytes_total": "bytes of batches' files in the lake, by layer",
    "seedbed_batch_seconds_total": "seconds to extract and load batches",
    "seedbed_table_step_seconds_total": "seconds of a table's steps",
    "seedbed_table_step_failures_total": "steps of a table that failed",
    "seedbed_batches": "batches, by state",
    "seedbed_table_blocked": "1 while the table's newest batch is rejected",
    "seedbed_table_age_seconds": "age of what is released: since it was read",
    "seedbed_table_sla_seconds": "the age that may not be exceeded, by severity",
    "seedbed_table_delay_seconds": "from a batch's reading to the end of its run",
    "seedbed_watermark_age_seconds": "age of the newest released watermark",
    "seedbed_rules_checked_total": "rules that were checked",
    "seedbed_rules_failed_total": "rules that failed",
    "seedbed_rules_failing": "rules that failed when a table was last checked",
    "seedbed_quality_score": "a table's quality score, from 0 to 1, by dimension",
    "seedbed_quarantine_rows": "rows for which the gate rejected a batch",
    "seedbed_ledger_identities_total": "the ledger's identities, by result",
    "seedbed_security_leaks": "assertions of the last probe that do not hold",
    "seedbed_reconciliation_keys": "keys in which log and source differed last",
    "seedbed_schema_changes_total": "changes of source columns, by what came of it",
    "seedbed_model_seconds_total": "seconds that dbt took for a model",
    "seedbed_model_failures_total": "builds of a model that failed",
    "seedbed_schema_bytes": "bytes on the warehouse's disk, with indexes",
    "seedbed_alerts_total": "alerts ever raised",
    "seedbed_alerts_open": "alerts that are open, by severity",
    "seedbed_alert_open_seconds": "age of the oldest open alert that blocks",
    "seedbed_alert_detect_seconds": "longest time to detect in the last 24 hours",
    "seedbed_alert_recover_seconds": "longest time to recover in the last 24 hours",
    "seedbed_undelivered_messages": "messages that a channel did not take yet",
    "seedbed_failed_logins_total": "logins that the warehouse refused",
    "seedbed_drill_timestamp_seconds": "when the last drill ended",
    "seedbed_drill_seconds": "how long the last drill took",
    "seedbed_drill_differences": "tables that the last drill found different",
}

# How Postgres logs a refused login, whatever the method.
_REFUSED = (b"authentication failed for user", b"no pg_hba.conf entry for")


@dataclass(frozen=True)
class Sample:
    """One number, as the control tables give it."""

    metric: str
    labels: dict[str, str]
    value: float


def read(connection: Connection) -> list[Sample]:
    """All samples of the control tables."""
    query = Path(__file__).with_suffix(".sql").read_text()
    return [Sample(*row) for row in connection.execute(query.encode())]


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
    """Asks the warehouse anew each time it is asked.

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
            return _families([Sample("seedbed_up", {}, 0)])
        logins = failed_logins()
        if logins is not None:
            samples.append(Sample("seedbed_failed_logins_total", {}, logins))
        took = time.monotonic() - started
        samples.append(Sample("seedbed_scrape_seconds", {}, round(took, 3)))
        samples.append(Sample("seedbed_up", {}, 1))
        return _families(samples)


def _families(samples: Iterable[Sample]) -> list[Metric]:
    families: dict[str, Metric] = {}
    for sample in samples:
        name = sample.metric
        if name not in families:
            is_counter = name.endswith("_total")
            kind = CounterMetricFamily if is_counter else GaugeMetricFamily
            families[name] = kind(name, METRICS[name])
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
