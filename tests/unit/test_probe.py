"""What the probe tells of models, from the manifest that dbt writes."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from ingest import settings
from orchestration import probe, summary


def model(name: str, **config: Any) -> dict[str, Any]:
    """A model as the manifest has it."""
    columns = config.pop("columns", {"id": {}})
    defaults = {"access": "protected", "meta": {}, "schema": "gold"}
    return {
        "resource_type": "model",
        "alias": name,
        "schema": "gold",
        "original_file_path": f"models/gold/{name}.sql",
        "config": defaults | {"materialized": "table"} | config,
        "columns": {
            column: {
                "name": column,
                "data_type": "text",
                "config": {"meta": {"pii": pii} if isinstance(pii, str) else {}},
            }
            for column, pii in columns.items()
        },
    }


def test_where_rows_are_filtered_is_listed_and_where_they_are_not() -> None:
    def seen(relation: str, column: str, pii: str = "") -> dict[str, Any]:
        return {
            "role_name": "restricted",
            "relation": relation,
            "column_name": column,
            "pii": pii,
            "holds": True,
        }

    rows = [
        seen("serving.customers", "email", "email"),
        seen("serving.customers", "country"),
        seen("serving.orders", probe.ALL_ROWS),
        seen("serving.items", probe.ALL_ROWS),
        seen("what is not for the role", ""),
    ]
    console = Console(record=True, width=200)
    summary.show_rows(cast(summary.Summary, SimpleNamespace(probe=rows)), console)
    assert console.export_text().splitlines() == [
        "rows     serving.customers: restricted sees those with a country that "
        "row_access.csv allows",
        "         without a filter, all rows: serving.orders, serving.items",
    ]


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest with models that are served, and some that are not."""
    models = [
        model("known", columns={"email": "email", "note": {}, "city": "none"}),
        model("by_hand", columns={}),
        model("hidden", columns={}, access="private"),
        model("internal", columns={}, meta={"serve": False}),
        model("inlined", columns={}, materialized="ephemeral"),
        model("staged", columns={}, schema="staging"),
    ]
    (tmp_path / "target").mkdir()
    nodes = {f"model.seedbed.{m['alias']}": m for m in models}
    (tmp_path / "target" / "manifest.json").write_text(json.dumps({"nodes": nodes}))
    monkeypatch.setattr(settings, "ROOT", tmp_path)


@pytest.mark.usefixtures("manifest")
def test_a_model_without_columns_is_reported_as_served_to_nobody() -> None:
    (found,) = probe._unserved()
    assert found.holds, "a warning"
    assert found.message.startswith("gold.by_hand is served to nobody")
    assert "models/gold/by_hand.yml" in found.message


@pytest.mark.usefixtures("manifest")
def test_a_column_that_somebody_found_harmless_is_looked_at_as_any_other() -> None:
    (known,) = probe.served()
    assert known.pii == {"email": "email"}
    assert known.text == ("note", "city")
