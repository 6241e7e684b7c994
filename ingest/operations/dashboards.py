"""Grafana's dashboards, as code: three pages, written by `./seedbed dashboards`.

A page is rows of panels; a panel is a title, a kind, a unit and its queries.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path("docker/monitoring/grafana/dashboards")
_SOURCE = {"type": "prometheus", "uid": "seedbed-prometheus"}
_WIDTH = 24  # of Grafana's grid


@dataclass(frozen=True)
class Query:
    """An expression, and how its series are called: `{{source_table}}`."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One panel. Kinds: stat, timeseries, bargauge.

    `limits` are where its colour turns: (value, colour), the first from the start.
    """

    title: str
    unit: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    meaning: str = ""
    limits: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class Page:
    """A dashboard: rows of panels that share a row's width."""

    name: str
    title: str
    rows: tuple[tuple[Panel, ...], ...]


def _at_most(limit: float) -> tuple[tuple[float, str], ...]:
    return ((0, "green"), (limit, "red"))


def _at_least(limit: float) -> tuple[tuple[float, str], ...]:
    return ((0, "red"), (limit, "green"))


def _stat(
    title: str,
    unit: str,
    expr: str,
    limits: tuple[tuple[float, str], ...],
    meaning: str = "",
) -> Panel:
    return Panel(title, unit, (Query(expr),), "stat", meaning, limits)


def _series(title: str, unit: str, expr: str, legend: str, meaning: str = "") -> Panel:
    return Panel(title, unit, (Query(expr, legend),), meaning=meaning)


def _bars(title: str, unit: str, expr: str, legend: str, meaning: str = "") -> Panel:
    return Panel(title, unit, (Query(expr, legend),), "bargauge", meaning)


PIPELINE = Page(
    "pipeline",
    "Seedbed: pipeline",
    (
        (
            _stat(
                "Runs that succeeded, a day",
                "percentunit",
                "seedbed:run_success:ratio_1d",
                _at_least(0.99),
                "Objective: at least 99%. A blocked table is no failure of a run.",
            ),
            _stat(
                "Source to consumers, slowest table",
                "s",
                "seedbed:delay:seconds",
                _at_most(900),
                "Objective: at most 15 minutes.",
            ),
            _stat(
                "Time to detect, a day",
                "s",
                "seedbed:detect:seconds_1d",
                _at_most(300),
                "Objective: less than 5 minutes.",
            ),
            _stat(
                "Time to recover, a day",
                "s",
                "seedbed:recover:seconds_1d",
                _at_most(1800),
                "Objective: less than 30 minutes. What is still open counts.",
            ),
            _stat("Tables blocked", "none", "sum(seedbed_table_blocked)", _at_most(1)),
            _stat(
                "Alerts open",
                "none",
                'seedbed_alerts_open{severity="block"}',
                _at_most(1),
            ),
        ),
        (
            _series(
                "Runs that ended",
                "none",
                "sum by (state) (increase(seedbed_runs_total[1h]))",
                "{{state}}",
            ),
            _series("Last run", "s", "seedbed_last_run_seconds", "{{command}}"),
            _series(
                "Run under way",
                "s",
                "seedbed_run_open_seconds",
                "age",
                "A saw: each run grows and ends.",
            ),
        ),
        (
            _bars(
                "Age of what is released",
                "s",
                "seedbed_table_age_seconds",
                "{{source_table}}",
            ),
            _bars(
                "Age of the watermark",
                "s",
                "seedbed_watermark_age_seconds",
                "{{source_table}}",
                "Grows while the source has nothing new.",
            ),
            _bars(
                "Source to consumers",
                "s",
                "seedbed_table_delay_seconds",
                "{{source_table}}",
            ),
        ),
        (
            _series(
                "Rows read",
                "none",
                'sum by (source_table) (increase(seedbed_rows_total{kind="read"}[1h]))',
                "{{source_table}}",
            ),
            _series(
                "What became of rows",
                "none",
                "sum by (kind) (increase(seedbed_rows_total[1h]))",
                "{{kind}}",
            ),
            _series(
                "Steps that failed",
                "none",
                "sum by (source_table, step) "
                "(increase(seedbed_table_step_failures_total[1h]))",
                "{{source_table}} {{step}}",
            ),
        ),
        (
            _series(
                "Seconds a table and step",
                "s",
                "sum by (source_table, step) "
                "(increase(seedbed_table_step_seconds_total[1h]))",
                "{{source_table}} {{step}}",
            ),
            _series(
                "Tried again",
                "none",
                "increase(seedbed_run_retries_total[1h])",
                "tries",
            ),
            _series(
                "Logins refused",
                "none",
                "increase(seedbed_failed_logins_total[1h])",
                "logins",
            ),
        ),
    ),
)

QUALITY = Page(
    "quality",
    "Seedbed: quality",
    (
        (
            _stat(
                "Rules that held, a day",
                "percentunit",
                "seedbed:quality:ratio_1d",
                _at_least(0.995),
                "Objective: at least 99.5%.",
            ),
            _stat(
                "Ledger: identities broken",
                "none",
                'seedbed_ledger_identities_total{result="broken"}',
                _at_most(1),
            ),
            _stat("Security: leaks", "none", "seedbed_security_leaks", _at_most(1)),
            _stat(
                "Keys that differ from the source",
                "none",
                "sum(seedbed_reconciliation_keys)",
                _at_most(1),
                "From the last ./seedbed reconcile.",
            ),
            _stat(
                "Drill: tables different",
                "none",
                "seedbed_drill_differences",
                _at_most(1),
            ),
            _stat(
                "Drill: seconds to recover",
                "s",
                "seedbed_drill_seconds",
                _at_most(1800),
            ),
        ),
        (
            _bars(
                "Score",
                "percentunit",
                'seedbed_quality_score{dimension="all"}',
                "{{source_table}}",
            ),
            _series(
                "Score by dimension",
                "percentunit",
                'seedbed_quality_score{dimension!="all"}',
                "{{source_table}} {{dimension}}",
            ),
        ),
        (
            _series(
                "Rules failing",
                "none",
                "sum by (source_table, layer, severity) (seedbed_rules_failing)",
                "{{source_table}} {{layer}} {{severity}}",
            ),
            _series(
                "Rows rejected",
                "none",
                "sum by (source_table) "
                '(increase(seedbed_rows_total{kind="rejected"}[1h]))',
                "{{source_table}}",
            ),
            _bars(
                "Rows in quarantine",
                "none",
                "seedbed_quarantine_rows",
                "{{source_table}}",
            ),
        ),
        (
            _series(
                "Batches rejected",
                "none",
                'seedbed_batches{state=~"rejected|superseded"}',
                "{{source_table}} {{state}}",
            ),
            _series(
                "Changes of the source's columns",
                "none",
                "sum by (action) (increase(seedbed_schema_changes_total[1d]))",
                "{{action}}",
            ),
            _series(
                "Rules checked",
                "none",
                "sum by (layer) (increase(seedbed_rules_checked_total[1h]))",
                "{{layer}}",
            ),
        ),
    ),
)

COST = Page(
    "cost",
    "Seedbed: cost",
    (
        (
            _stat(
                "Seconds of runs, a day",
                "s",
                "sum(increase(seedbed_step_seconds_total[1d]))",
                (),
            ),
            _stat(
                "Written to the lake, a day",
                "bytes",
                "sum(increase(seedbed_lake_bytes_total[1d]))",
                (),
            ),
            _stat("Warehouse", "bytes", "sum(seedbed_schema_bytes)", ()),
            _stat(
                "Seconds a million rows, a day",
                "s",
                "1e6 * sum(increase(seedbed_batch_seconds_total[1d])) "
                '/ sum(increase(seedbed_rows_total{kind="read"}[1d]))',
                (),
                "To extract and load.",
            ),
        ),
        (
            _series(
                "Seconds by part of a run",
                "s",
                "sum by (step) (increase(seedbed_step_seconds_total[1h]))",
                "{{step}}",
            ),
            _series(
                "Extract and load by table",
                "s",
                "sum by (source_table) (increase(seedbed_batch_seconds_total[1h]))",
                "{{source_table}}",
            ),
        ),
        (
            _bars(
                "Dearest models, a day",
                "s",
                "topk(15, sum by (model) (increase(seedbed_model_seconds_total[1d])))",
                "{{model}}",
            ),
            _series(
                "Models by layer",
                "s",
                "sum by (layer) (increase(seedbed_model_seconds_total[1h]))",
                "{{layer}}",
            ),
        ),
        (
            _series(
                "Warehouse by schema", "bytes", "seedbed_schema_bytes", "{{schema}}"
            ),
            _series(
                "Lake by layer",
                "bytes",
                "sum by (layer) (increase(seedbed_lake_bytes_total[1d]))",
                "{{layer}}",
            ),
            _series(
                "Models that failed",
                "none",
                "sum by (model) (increase(seedbed_model_failures_total[1h]))",
                "{{model}}",
            ),
        ),
    ),
)

PAGES = (PIPELINE, QUALITY, COST)


def files() -> dict[Path, str]:
    """The pages as Grafana reads them, by path below the project."""
    return {
        FOLDER / f"{page.name}.json": json.dumps(_page(page), indent=2) + "\n"
        for page in PAGES
    }


def _page(page: Page) -> dict[str, Any]:
    return {
        "uid": f"seedbed-{page.name}",
        "title": page.title,
        "tags": ["seedbed"],
        "timezone": "utc",
        "schemaVersion": 39,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "links": [
            {
                "type": "dashboards",
                "tags": ["seedbed"],
                "title": "Seedbed",
                "asDropdown": False,
            }
        ],
        "panels": [
            _panel(number, panel, place)
            for number, (panel, place) in enumerate(_places(page.rows), 1)
        ],
    }


def _places(
    rows: Sequence[Sequence[Panel]],
) -> Iterator[tuple[Panel, dict[str, int]]]:
    top = 0
    for row in rows:
        height = 4 if all(panel.kind == "stat" for panel in row) else 8
        width = _WIDTH // len(row)
        for number, panel in enumerate(row):
            place = {"x": number * width, "y": top, "w": width, "h": height}
            yield panel, place
        top += height


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    steps = [
        {"color": colour, "value": None if first == 0 else value}
        for first, (value, colour) in enumerate(panel.limits or ((0, "blue"),))
    ]
    options: dict[str, Any] = {}
    if panel.kind == "bargauge":
        options = {"orientation": "horizontal", "displayMode": "basic"}
    if panel.kind == "timeseries":
        options = {"legend": {"displayMode": "list", "placement": "bottom"}}
    return {
        "id": number,
        "title": panel.title,
        "description": panel.meaning,
        "type": panel.kind,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
            },
            "overrides": [],
        },
        "options": options,
        "targets": [
            {
                "refId": chr(ord("A") + position),
                "datasource": _SOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
                "instant": panel.kind != "timeseries",
                "range": panel.kind == "timeseries",
            }
            for position, query in enumerate(panel.queries)
        ],
    }
