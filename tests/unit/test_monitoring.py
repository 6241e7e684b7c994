"""What watches a run: rules that fire and clear, over metrics that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from orchestration.cli import groups
from tests import monitoring
from tests.clone import REPOSITORY
from tests.monitoring import FOLDER

RULES = FOLDER / "prometheus" / "rules.yml"
METRICS = monitoring.metrics()
# Each alert: series with values a minute, as promtool writes them, and the minutes at
# which it fires and has cleared. Nothing else may fire at the first, and nothing at all
# at the second.
CASES: dict[str, tuple[dict[str, str], int, int]] = {
    "SeedbedRunSuccessLow": (
        {
            'seedbed_runs_total{command="run",state="done"}': "0+1x200 200+0x2000",
            'seedbed_runs_total{command="run",state="failed"}': "0x20 0+1x5 5+0x2500",
        },
        60,
        1600,
    ),
    "SeedbedQualityLow": (
        {
            'seedbed_rules_checked_total{layer="gate"}': "0+250x10 2500+0x2000",
            'seedbed_rules_failed_total{layer="gate"}': "0x3 20+0x2000",
        },
        30,
        1600,
    ),
    "SeedbedDelayLong": (
        {'seedbed_table_delay_seconds{source_table="shop.orders"}': "901x10 900x10"},
        8,
        15,
    ),
    "SeedbedDetectionSlow": ({"seedbed_alert_detect_seconds": "301x5 300x5"}, 3, 8),
    "SeedbedRecoverySlow": (
        {
            "seedbed_alert_recover_seconds": "0x10 1800x5",
            "seedbed_alert_open_seconds": "1700+60x10 0x5",
        },
        5,
        13,
    ),
    "SeedbedExporterDown": ({'up{job="seedbed"}': "0x10 1x5"}, 8, 14),
    "SeedbedWarehouseDown": ({"seedbed_up": "0x10 1x5"}, 8, 14),
    "SeedbedRunFailed": (
        {
            'seedbed_runs_total{command="run",state="failed"}': "0x5 1x60",
            # Enough that one failure is within the objective.
            'seedbed_runs_total{command="run",state="done"}': "0+1000x66",
        },
        8,
        40,
    ),
    "SeedbedRunStuck": ({"seedbed_run_open_seconds": "14401x5 0x5"}, 3, 8),
    "SeedbedNoRun": (
        # The clock of these tests begins at 0.
        {'seedbed_last_run_timestamp_seconds{command="run"}': "0x1570 94000x10"},
        1565,
        1575,
    ),
    "SeedbedTableBlocked": (
        {'seedbed_table_blocked{source_table="shop.orders"}': "1x5 0x5"},
        3,
        8,
    ),
    "SeedbedTableStale": (
        {
            'seedbed_table_age_seconds{source_table="shop.orders"}': "61x5 30x5",
            'seedbed_table_age_seconds{source_table="crm.contacts"}': "61x10",
            'seedbed_table_sla_seconds{source_table="shop.orders",severity="block"}': (
                "60x10"
            ),
            'seedbed_table_sla_seconds{source_table="shop.orders",severity="warn"}': (
                "10x10"
            ),
            'seedbed_table_sla_seconds{source_table="crm.contacts",severity="block"}': (
                "90x10"
            ),
        },
        3,
        8,
    ),
    "SeedbedLedgerBroken": (
        {'seedbed_ledger_identities_total{result="broken"}': "0x5 1x100"},
        10,
        90,
    ),
    "SeedbedSecurityLeak": ({"seedbed_security_leaks": "1x5 0x5"}, 3, 8),
    "SeedbedSourceDiffers": (
        {
            'seedbed_reconciliation_keys{source_table="a.b",difference="stale"}': (
                "2x5 0x5"
            )
        },
        3,
        8,
    ),
    "SeedbedFailedLogins": ({"seedbed_failed_logins_total": "0+2x10 20x20"}, 9, 28),
    "SeedbedMessagesUndelivered": (
        {'seedbed_undelivered_messages{channel="slack"}': "1x15 0x5"},
        13,
        18,
    ),
    "SeedbedDrillDue": (
        {
            "seedbed_drill_differences": "1x5 0x5",
            "seedbed_drill_timestamp_seconds": "0x10",
        },
        3,
        8,
    ),
}


def rules() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from group["rules"]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def test_prometheus_and_alertmanager_take_their_configuration() -> None:
    monitoring.run("promtool", "check", "rules", RULES)
    monitoring.run("promtool", "check", "config", RULES.with_name("prometheus.yml"))
    place = FOLDER / "alertmanager" / "alertmanager.yml"
    assert "2 receivers" in monitoring.run("amtool", "check-config", place)
    to = monitoring.run(
        "amtool", "config", "routes", "test", f"--config.file={place}", "severity=page"
    )
    assert to.splitlines()[0] == "page"


def test_each_alert_fires_alone_and_clears(tmp_path: Path) -> None:
    assert CASES.keys() == ALERTS.keys()
    tests = []
    for name, (series, fires, clears) in CASES.items():
        if name != "SeedbedExporterDown":
            series = series | {'up{job="seedbed"}': "1x3000"}
        fired = 'count by (alertname) (ALERTS{alertstate="firing"})'
        samples = [{"labels": f'{{alertname="{name}"}}', "value": 1}]
        tests.append(
            {
                "interval": "1m",
                "input_series": [{"series": k, "values": v} for k, v in series.items()],
                "promql_expr_test": [
                    {"expr": fired, "eval_time": f"{fires}m", "exp_samples": samples},
                    {"expr": fired, "eval_time": f"{clears}m", "exp_samples": []},
                ],
            }
        )
    file = tmp_path / "tests.yml"
    given = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}
    file.write_text(yaml.safe_dump(given))
    assert "SUCCESS" in monitoring.run("promtool", "test", "rules", file)


def dashboards() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted((FOLDER / "grafana" / "dashboards").glob("*.json")):
        yield file.stem, json.loads(file.read_text())


def queries() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield str(rule.get("alert") or rule["record"]), rule["expr"]
    for name, page in dashboards():
        for panel in page["panels"]:
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"]


def test_every_metric_of_a_rule_or_dashboard_is_one_that_the_exporter_has() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = dict(queries())
    assert len(asked) > 40
    for place, query in asked.items():
        named = {*re.findall(r"\bseedbed[\w:]+", re.sub(r'"[^"]*"', "", query))}
        assert named <= METRICS | recorded, place
        assert named or "up{" in query, place


def test_each_metric_is_one_part_of_the_query_with_what_it_means() -> None:
    query = (REPOSITORY / "orchestration" / "watch" / "metrics.sql").read_text()
    parts = re.findall(r"^ +select\n +'(seedbed_\w+)',\n +'.+',$", query, re.MULTILINE)
    assert len(parts) == len({*parts}) == query.count("'seedbed_")


def test_grafana_finds_each_dashboard_and_its_source() -> None:
    provisioned = FOLDER / "grafana" / "provisioning" / "datasources"
    (file,) = provisioned.iterdir()
    (source,) = yaml.safe_load(file.read_text())["datasources"]
    pages = dict(dashboards())
    assert pages.keys() == {"cost", "pipeline", "quality"}
    for name, page in pages.items():
        assert page["uid"] == f"seedbed-{name}"
        assert page["tags"] == ["seedbed"], "by which the pages link to one another"
        ids = [panel["id"] for panel in page["panels"]]
        assert len({*ids}) == len(ids)
        for panel in page["panels"]:
            assert panel["targets"], panel["title"]
            for asking in (panel, *panel["targets"]):
                named = {"type": source["type"], "uid": source["uid"]}
                assert asking["datasource"] == named, panel["title"]


def test_panels_lie_beside_one_another() -> None:
    for _, page in dashboards():
        taken: set[tuple[int, int]] = set()
        for panel in page["panels"]:
            place = panel["gridPos"]
            cells = {
                (place["x"] + x, place["y"] + y)
                for x in range(place["w"])
                for y in range(place["h"])
            }
            assert not cells & taken, panel["title"]
            assert max(x for x, _ in cells) < 24, panel["title"]
            taken |= cells


RUNBOOKS = REPOSITORY / "docs" / "runbooks"


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_has_a_runbook_that_names_it(name: str) -> None:
    page = REPOSITORY / ALERTS[name]["annotations"]["runbook"]
    assert f"`{name}`" in page.read_text()


def test_each_kind_of_alert_of_the_control_tables_has_a_runbook() -> None:
    view = REPOSITORY / "ingest/control/derived/alert_due.sql"
    kinds = {*re.findall(r"'(\w+_(?:blocked|failed|stale|missed))'", view.read_text())}
    assert kinds == {"table_blocked", "run_failed", "table_stale", "deadline_missed"}
    for kind in kinds:
        page = RUNBOOKS / f"{kind.replace('_', '-')}.md"
        assert f"`{kind}`" in page.read_text()


def test_each_command_and_metric_of_a_runbook_exists() -> None:
    pages = sorted(RUNBOOKS.glob("*.md"))
    assert len(pages) > 15
    commands = {c.name: c for found in groups().values() for c in found}
    for page in pages:
        text = page.read_text()
        named = re.findall(r"\./seedbed ([a-z]+)(?: ([a-z]+))?", text)
        for command, second in named:
            found = commands[command]
            if isinstance(found, click.Group) and second:
                assert second in found.commands, (page.name, command, second)
        for line in re.findall(r"\./seedbed [^`#\n]+", text):
            found = commands[line.split()[1]]
            options = {o for p in found.params for o in p.opts}
            assert {*re.findall(r"--[a-z-]+", line)} <= options, (page.name, line)
        assert {*re.findall(r"\bseedbed_\w+", text)} <= METRICS, page.name
        if page.name != "README.md":
            parts = re.findall(r"^## (.+)$", text, re.MULTILINE)
            assert parts == [
                "What it means",
                "What to look at",
                "What to do",
                "How to verify",
            ], page.name
