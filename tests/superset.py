"""What `docker/superset/assets` has: datasets, charts and dashboards, as committed."""

import functools
from dataclasses import dataclass
from typing import Any

import sqlglot
import yaml
from sqlglot import exp

from tests.clone import REPOSITORY

ASSETS = REPOSITORY / "docker" / "superset" / "assets"
SCHEMA = "serving"
Asset = dict[str, Any]


@dataclass(frozen=True)
class Dataset:
    """A view of the schema serving, or a query over some."""

    asset: Asset

    @property
    def name(self) -> str:
        return str(self.asset["table_name"])

    @property
    def relation(self) -> str:
        """What a query of the dataset stands on."""
        if self.asset["sql"] is None:
            return f"{self.asset['schema']}.{self.name}"
        return f"({self.asset['sql']}) as {self.name}"

    @property
    def models(self) -> set[str]:
        """The models whose views it reads."""
        query = sqlglot.parse_one(f"select * from {self.relation}", "postgres")
        found = list(query.find_all(exp.Table))
        assert {table.db for table in found} == {SCHEMA}, self.name
        return {table.name for table in found}

    @property
    def columns(self) -> dict[str, Asset]:
        return {column["column_name"]: column for column in self.asset["columns"]}

    @property
    def metrics(self) -> dict[str, Asset]:
        return {metric["metric_name"]: metric for metric in self.asset["metrics"]}


@dataclass(frozen=True)
class Chart:
    """A chart of metrics, parted by columns."""

    asset: Asset

    @property
    def title(self) -> str:
        return str(self.asset["slice_name"])

    @property
    def dataset(self) -> Dataset:
        return datasets()[self.asset["dataset_uuid"]]

    @property
    def metrics(self) -> list[str]:
        params = self.asset["params"]
        return params.get("metrics") or [params["metric"]]

    @property
    def by(self) -> list[str]:
        """The columns it asks for."""
        params = self.asset["params"]
        by = params.get("groupby") or []
        x = [params["x_axis"]] if "x_axis" in params else []
        return [*([by] if isinstance(by, str) else by), *x]


@dataclass(frozen=True)
class Dashboard:
    """A page; its name is its address."""

    asset: Asset

    @property
    def name(self) -> str:
        return str(self.asset["slug"])

    @property
    def position(self) -> dict[str, Asset]:
        """What lies on it, by the name that the layout has for it."""
        position = self.asset["position"]
        return {name: part for name, part in position.items() if isinstance(part, dict)}

    @property
    def tiles(self) -> list[Asset]:
        """Where its charts lie, and how wide they are."""
        return [p["meta"] for p in self.position.values() if p["type"] == "CHART"]

    @property
    def charts(self) -> list[Chart]:
        return [charts()[tile["uuid"]] for tile in self.tiles]

    @property
    def filters(self) -> list[Asset]:
        return list(self.asset["metadata"]["native_filter_configuration"])


def read(kind: str) -> list[Asset]:
    """The assets of a folder."""
    files = sorted((ASSETS / kind).rglob("*.yaml"))
    return [yaml.safe_load(path.read_text()) for path in files]


@functools.cache
def datasets() -> dict[str, Dataset]:
    """Every dataset, by its id."""
    return {asset["uuid"]: Dataset(asset) for asset in read("datasets")}


@functools.cache
def charts() -> dict[str, Chart]:
    """Every chart, by its id."""
    return {asset["uuid"]: Chart(asset) for asset in read("charts")}


DASHBOARDS = [Dashboard(asset) for asset in read("dashboards")]
