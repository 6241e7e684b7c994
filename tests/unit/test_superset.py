"""Superset's dashboards: what is committed fits the exposures and the models."""

from typing import Any

import pytest
import yaml

from ingest.pages import superset
from ingest.pages.superset import DASHBOARDS, Dashboard
from ingest.settings import ROOT

EXPOSURES: dict[str, dict[str, Any]] = {
    exposure["name"]: exposure
    for exposure in yaml.safe_load((ROOT / "models/gold/_exposures.yml").read_text())[
        "exposures"
    ]
}


def test_the_assets_are_what_their_code_says() -> None:
    files = superset.files()
    committed = {
        path.relative_to(ROOT) for path in (ROOT / superset.FOLDER).rglob("*.yaml")
    }
    assert committed == files.keys(), "type ./seedbed dashboards"
    for path, text in files.items():
        assert (ROOT / path).read_text() == text, "type ./seedbed dashboards"


def test_every_exposure_is_a_dashboard_and_every_dashboard_an_exposure() -> None:
    assert EXPOSURES.keys() == {f"{page.name}_dashboard" for page in DASHBOARDS}


@pytest.mark.parametrize("page", DASHBOARDS, ids=lambda page: page.name)
def test_an_exposure_leads_to_its_dashboard_and_names_what_it_reads(
    page: Dashboard,
) -> None:
    exposure = EXPOSURES[f"{page.name}_dashboard"]
    assert exposure["url"].endswith(f"/superset/dashboard/{page.name}/")
    named = {ref.split("'")[1] for ref in exposure["depends_on"]}
    assert named == {name for chart in page.charts for name in chart.dataset.sources}


def test_charts_ask_for_columns_and_metrics_that_their_datasets_have() -> None:
    assets = {path: yaml.safe_load(text) for path, text in superset.files().items()}
    datasets = {
        asset["uuid"]: asset
        for path, asset in assets.items()
        if path.parent.parent.name == "datasets"
    }
    charts = [asset for path, asset in assets.items() if path.parent.name == "charts"]
    assert len({chart["uuid"] for chart in charts}) == len(charts) > 20
    for chart in charts:
        dataset = datasets[chart["dataset_uuid"]]
        columns = {column["column_name"] for column in dataset["columns"]}
        metrics = {metric["metric_name"] for metric in dataset["metrics"]}
        params = chart["params"]
        asked = params.get("metrics") or [params["metric"]]
        assert {*asked} <= metrics, chart["slice_name"]
        by = params.get("groupby") or []
        by = [by] if isinstance(by, str) else by
        x = [params["x_axis"]] if "x_axis" in params else []
        assert {*by, *x} <= columns, chart["slice_name"]


def test_a_page_with_amounts_shows_one_currency() -> None:
    for page in DASHBOARDS:
        columns = {
            column["column_name"]
            for chart in page.charts
            for column in yaml.safe_load(
                superset.files()[
                    superset.FOLDER / f"datasets/seedbed/{chart.dataset.name}.yaml"
                ]
            )["columns"]
        }
        assert ("currency" in columns) == bool(page.currency), page.name


def test_rows_of_a_page_are_filled() -> None:
    for page in DASHBOARDS:
        for row in page.rows:
            assert sum(chart.width for chart in row) == 12, page.name
