"""Superset's assets fit one another, the exposures and the models' contracts."""

from typing import Any

import pytest
import yaml

from tests import superset
from tests.clone import REPOSITORY
from tests.superset import ASSETS, DASHBOARDS, Dashboard

MODELS = REPOSITORY / "models"
EXPOSURES: dict[str, dict[str, Any]] = {
    exposure["name"]: exposure
    for exposure in yaml.safe_load((MODELS / "gold" / "_exposures.yml").read_text())[
        "exposures"
    ]
}


def contracts() -> dict[str, dict[str, dict[str, Any]]]:
    """The columns that models promise, by model and name."""
    return {
        model["name"]: {column["name"]: column for column in model["columns"]}
        for layer in ("gold", "quality")
        for path in (MODELS / layer).glob("*.yml")
        for model in yaml.safe_load(path.read_text()).get("models", [])
    }


def test_every_exposure_is_a_dashboard_and_every_dashboard_an_exposure() -> None:
    assert EXPOSURES.keys() == {f"{page.name}_dashboard" for page in DASHBOARDS}


@pytest.mark.parametrize("page", DASHBOARDS, ids=lambda page: page.name)
def test_an_exposure_leads_to_its_dashboard_and_names_what_it_reads(
    page: Dashboard,
) -> None:
    exposure = EXPOSURES[f"{page.name}_dashboard"]
    assert exposure["url"].endswith(f"/superset/dashboard/{page.name}/")
    named = {ref.split("'")[1] for ref in exposure["depends_on"]}
    assert named == {name for chart in page.charts for name in chart.dataset.models}


def test_an_id_is_that_of_one_asset_and_each_asset_is_used() -> None:
    kinds = ("databases", "datasets", "charts", "dashboards")
    assets = {kind: superset.read(kind) for kind in kinds}
    ids = [asset["uuid"] for kind in kinds for asset in assets[kind]]
    assert len({*ids}) == len(ids) > 30
    assert len(ids) + 1 == sum(path.is_file() for path in ASSETS.rglob("*"))
    (database,) = assets["databases"]
    assert {d["database_uuid"] for d in assets["datasets"]} == {database["uuid"]}
    used = {chart["dataset_uuid"] for chart in assets["charts"]}
    assert used == superset.datasets().keys()
    shown = [tile["uuid"] for page in DASHBOARDS for tile in page.tiles]
    assert sorted(shown) == sorted(superset.charts())


def test_the_address_of_the_warehouse_is_left_to_the_environment() -> None:
    (database,) = superset.read("databases")
    assert database["sqlalchemy_uri"] == "postgresql+psycopg2:///"
    assert not database["allow_dml"]


def test_columns_of_a_dataset_are_those_of_its_models_contracts() -> None:
    models = contracts()
    for dataset in superset.datasets().values():
        promised = [
            (name, column)
            for model in dataset.models
            for name, column in models[model].items()
        ]
        if dataset.asset["sql"] is None:
            assert [*dataset.columns] == [name for name, _ in promised], dataset.name
        for name, column in dataset.columns.items():
            promises = [promise for known, promise in promised if known == name]
            kinds = {str(promise["data_type"]).upper() for promise in promises}
            texts = {" ".join(promise["description"].split()) for promise in promises}
            assert column["type"] in kinds, (dataset.name, name)
            assert column["description"] in texts, (dataset.name, name)
            is_time = column["type"] == "DATE" or "TIMESTAMP" in column["type"]
            assert column["is_dttm"] == is_time, (dataset.name, name)
        date = dataset.asset["main_dttm_col"]
        assert dataset.columns[date]["is_dttm"], dataset.name


def test_charts_ask_for_columns_and_metrics_that_their_datasets_have() -> None:
    for chart in superset.charts().values():
        assert {*chart.metrics} <= chart.dataset.metrics.keys(), chart.title
        assert {*chart.by} <= chart.dataset.columns.keys(), chart.title
        params = chart.asset["params"]
        assert params["viz_type"] == chart.asset["viz_type"], chart.title
        if shown := params.get("y_axis_format"):
            metric = chart.dataset.metrics[chart.metrics[0]]
            assert shown == metric["d3format"], chart.title
        if params["viz_type"] == "table":
            # A value is text, whoever wrote it.
            assert params["allow_render_html"] is False, chart.title


def test_a_page_with_amounts_shows_one_currency() -> None:
    for page in DASHBOARDS:
        amounts = {
            chart.asset["dataset_uuid"]
            for chart in page.charts
            if "currency" in chart.dataset.columns
        }
        assert len(page.filters) == bool(amounts), page.name
        for chosen in page.filters:
            (target,) = chosen["targets"]
            assert target["column"] == {"name": "currency"}
            assert target["datasetUuid"] in amounts
            assert chosen["controlValues"]["enableEmptyFilter"]
            assert not chosen["controlValues"]["multiSelect"]
            value = chosen["defaultDataMask"]["filterState"]["value"]
            asked = chosen["defaultDataMask"]["extraFormData"]["filters"]
            assert asked == [{"col": "currency", "op": "IN", "val": value}]
            assert len(value) == 1


def test_each_part_of_a_page_lies_in_the_one_that_names_it() -> None:
    for page in DASHBOARDS:
        above = {
            child: [*part.get("parents", []), name]
            for name, part in page.position.items()
            for child in part.get("children", [])
        }
        for name, part in page.position.items():
            assert part["id"] == name, page.name
            assert part.get("parents", []) == above.pop(name, []), (page.name, name)
        assert not above, page.name
        for tile in page.tiles:
            assert tile["sliceName"] == superset.charts()[tile["uuid"]].title


def test_rows_of_a_page_are_filled() -> None:
    for page in DASHBOARDS:
        rows = [p for p in page.position.values() if p["type"] == "ROW"]
        for row in rows:
            tiles = [page.position[child]["meta"] for child in row["children"]]
            assert sum(tile["width"] for tile in tiles) == 12, page.name
