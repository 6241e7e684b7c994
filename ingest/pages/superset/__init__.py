"""Superset's dashboards, as code: written by `./seedbed dashboards` for its import.

A dashboard is rows of charts over datasets; a dataset is a view of the schema serving,
or a query over some. Columns are those of the models' contracts, numbers are metrics
of the dataset. Names decide the ids, so an import replaces what it brought before.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ingest import settings

HERE = Path(__file__).parent
FOLDER = Path("docker/superset/assets")
SCHEMA = "serving"
_MODELS = ("gold", "quality")
_WIDTH = 12  # of Superset's grid
_VERSION = "1.0.0"  # of Superset's format
_NOTE = "# Written by `./seedbed dashboards`: edit ingest/pages/superset, not this."
_CHARTS = {
    "number": "big_number_total",
    "line": "echarts_timeseries_line",
    "bars": "echarts_timeseries_bar",
    "table": "table",
    "matrix": "heatmap_v2",
}
Json = dict[str, Any]


@dataclass(frozen=True)
class Metric:
    """A number of a dataset: an SQL expression, and D3's format of it."""

    name: str
    title: str
    expression: str
    format: str = ",d"


@dataclass(frozen=True)
class Dataset:
    """A view, or the query `<name>.sql` over those of several models.

    `date` is the column that tells when; of several models `columns` are kept.
    """

    name: str
    metrics: tuple[Metric, ...]
    date: str = ""
    models: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """The models whose views it reads."""
        return self.models or (self.name,)

    @property
    def query(self) -> str | None:
        """Its SQL; None for a view as it is."""
        if not self.models:
            return None
        return (HERE / f"{self.name}.sql").read_text(encoding="utf-8").strip()


@dataclass(frozen=True)
class Chart:
    """A chart of metrics, parted by columns; kinds are those of `_CHARTS`.

    `x` is the column of the first axis, `where` a condition in SQL, `width` of 12.
    """

    title: str
    kind: str
    dataset: Dataset
    metrics: tuple[str, ...]
    by: tuple[str, ...] = ()
    x: str = ""
    where: str = ""
    width: int = 6
    stacked: bool = False


@dataclass(frozen=True)
class Dashboard:
    """A page; its name is its address. With `currency` the reader chooses one."""

    name: str
    title: str
    rows: tuple[tuple[Chart, ...], ...]
    currency: str = ""

    @property
    def charts(self) -> list[Chart]:
        """All of its charts."""
        return [chart for row in self.rows for chart in row]


def _sum(title: str, column: str, form: str = ",d") -> Metric:
    return Metric(column, title, f"sum({column})", form)


def _share(name: str, title: str, part: str, whole: str) -> Metric:
    text = f"sum({part}) * 1.0 / nullif(sum({whole}), 0)"
    return Metric(name, title, text, ".1%")


_KPIS = (
    _sum("Revenue", "revenue"),
    _sum("Orders", "order_count"),
    Metric(
        "average_order_value",
        "Average order value",
        "sum(revenue) / nullif(sum(order_count), 0)",
        ",.2f",
    ),
    _sum("Gross margin", "gross_margin"),
    _share("gross_margin_rate", "Gross margin rate", "gross_margin", "net_amount"),
    _share("refund_rate", "Refund rate", "refunded_amount", "revenue"),
    _share("churn_rate", "Churn rate", "churned_customer_count", "due_customer_count"),
    _sum("New customers", "new_customer_count"),
    _sum("Returning customers", "returning_customer_count"),
)
KPI_DAILY = Dataset("kpi_daily", _KPIS, "kpi_date")
KPI_MONTHLY = Dataset("kpi_monthly", _KPIS, "month_start")
PRODUCTS = Dataset(
    "products_by_month",
    (
        _sum("Items", "item_count"),
        _sum("Net", "net_amount"),
        _sum("Margin", "margin_amount"),
        _share("margin_rate", "Margin rate", "margin_amount", "net_amount"),
        _share("return_rate", "Returned", "returned_item_count", "item_count"),
    ),
    "month_start",
    ("agg_product_performance", "dim_product"),
    (
        *("month_start", "currency", "product_name", "category", "supplier_name"),
        *("item_count", "returned_item_count", "net_amount", "margin_amount"),
    ),
)
SEGMENTS = Dataset(
    "customer_values",
    (
        Metric("customers", "Customers", "count(*)"),
        _sum("Historic value", "historic_value"),
        _sum("Projected value", "projected_value"),
    ),
    "first_ordered_on",
    ("customer_lifetime_value", "customer_segments"),
    (
        *("customer_id", "currency", "segment", "first_ordered_on"),
        *("last_ordered_on", "order_count", "historic_value", "projected_value"),
    ),
)
RETENTION = Dataset(
    "cohort_retention",
    (
        _share(
            "retention", "Who ordered again", "customer_count", "cohort_customer_count"
        ),
        _sum("Customers", "customer_count"),
        _sum("Revenue", "revenue"),
    ),
    "cohort_month",
)
_STOCK = (
    _sum("In stock", "quantity"),
    Metric(
        "out_of_stock",
        "Out of stock",
        "sum(case when is_out_of_stock then 1 else 0 end)",
    ),
    Metric(
        "to_be_reordered",
        "To be ordered again",
        "sum(case when is_to_be_reordered then 1 else 0 end)",
    ),
)
STOCK = Dataset("fct_inventory_daily", _STOCK, "stock_date")
STOCK_NOW = Dataset(
    "stock_now",
    _STOCK,
    "stock_date",
    ("fct_inventory_daily", "dim_product"),
    (
        *("stock_date", "warehouse_code", "product_name", "category"),
        *("supplier_name", "quantity", "reorder_level"),
        *("is_out_of_stock", "is_to_be_reordered"),
    ),
)
QUALITY_DAYS = Dataset(
    "data_quality_summary",
    (
        _sum("Rules asked", "rule_count"),
        _sum("Rules that failed", "failed_count"),
        _sum("Rules that warned", "warned_count"),
        _share("pass_rate", "Held", "passed_count", "rule_count"),
        _sum("Batches", "batch_count"),
        _sum("Batches held back", "held_batch_count"),
        _sum("Rows loaded", "loaded_row_count"),
        _sum("Rows rejected", "rejected_row_count"),
        Metric("quality_score", "Score", "avg(quality_score)", ".1%"),
    ),
    "summary_date",
)


def _numbers(dataset: Dataset, *metrics: str) -> tuple[Chart, ...]:
    titles = {metric.name: metric.title for metric in dataset.metrics}
    width = _WIDTH // len(metrics)
    return tuple(
        Chart(titles[name], "number", dataset, (name,), width=width) for name in metrics
    )


SALES = Dashboard(
    "sales",
    "Sales",
    (
        _numbers(KPI_DAILY, "revenue", "order_count", "average_order_value"),
        _numbers(KPI_DAILY, "gross_margin_rate", "refund_rate", "churn_rate"),
        (
            Chart("Revenue by day", "line", KPI_DAILY, ("revenue",), x="kpi_date"),
            Chart(
                "Customers by month",
                "bars",
                KPI_MONTHLY,
                ("new_customer_count", "returning_customer_count"),
                x="month_start",
                stacked=True,
            ),
        ),
        (
            Chart(
                "Products",
                "table",
                PRODUCTS,
                (
                    "item_count",
                    "net_amount",
                    "margin_amount",
                    "margin_rate",
                    "return_rate",
                ),
                by=("product_name", "category"),
                width=12,
            ),
        ),
    ),
    currency="EUR",
)
CUSTOMERS = Dashboard(
    "customers",
    "Customers",
    (
        _numbers(SEGMENTS, "customers", "historic_value", "projected_value"),
        (
            Chart(
                "Customers by segment", "bars", SEGMENTS, ("customers",), x="segment"
            ),
            Chart(
                "Value by segment",
                "table",
                SEGMENTS,
                ("customers", "historic_value", "projected_value"),
                by=("segment",),
            ),
        ),
        (
            Chart(
                "Who ordered again, by month of the first order",
                "matrix",
                RETENTION,
                ("retention",),
                by=("cohort_month",),
                x="months_since",
                width=12,
            ),
        ),
    ),
    currency="EUR",
)
SUPPLY = Dashboard(
    "stock",
    "Stock",
    (
        _numbers(STOCK_NOW, "quantity", "out_of_stock", "to_be_reordered"),
        (
            Chart(
                "Stock by warehouse",
                "line",
                STOCK,
                ("quantity",),
                by=("warehouse_code",),
                x="stock_date",
            ),
            Chart(
                "What to order again, from whom",
                "table",
                STOCK_NOW,
                ("quantity",),
                by=("supplier_name", "product_name", "warehouse_code"),
                where="is_to_be_reordered",
            ),
        ),
    ),
)
QUALITY = Dashboard(
    "quality",
    "Data quality",
    (
        _numbers(QUALITY_DAYS, "rule_count", "failed_count", "held_batch_count"),
        (
            Chart(
                "Failed and warned by day",
                "bars",
                QUALITY_DAYS,
                ("failed_count", "warned_count"),
                x="summary_date",
                stacked=True,
            ),
            Chart(
                "Mean score by day",
                "line",
                QUALITY_DAYS,
                ("quality_score",),
                x="summary_date",
            ),
        ),
        (
            Chart(
                "Tables",
                "table",
                QUALITY_DAYS,
                (
                    "rule_count",
                    "failed_count",
                    "warned_count",
                    "batch_count",
                    "held_batch_count",
                    "loaded_row_count",
                    "rejected_row_count",
                    "quality_score",
                ),
                by=("table_name",),
                width=12,
            ),
        ),
    ),
)
DASHBOARDS = (SALES, CUSTOMERS, SUPPLY, QUALITY)


def datasets() -> list[Dataset]:
    """What the charts read, each once."""
    found = {c.dataset.name: c.dataset for d in DASHBOARDS for c in d.charts}
    return [found[name] for name in sorted(found)]


def files() -> dict[Path, str]:
    """The assets as `superset import-directory` reads them, by path."""
    found: dict[str, Json] = {
        "metadata.yaml": {"version": _VERSION, "timestamp": "2026-01-01T00:00:00"},
        "databases/seedbed.yaml": _database(),
    }
    for dataset in datasets():
        found[f"datasets/seedbed/{dataset.name}.yaml"] = _dataset(dataset)
    for page in DASHBOARDS:
        found[f"dashboards/{page.name}.yaml"] = _dashboard(page)
        for chart in page.charts:
            name = f"{page.name}_{_slug(chart.title)}"
            found[f"charts/{name}.yaml"] = _chart(page, chart)
    return {FOLDER / name: _text(content) for name, content in found.items()}


def _text(content: Json) -> str:
    dumped = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=88)
    return f"{_NOTE}\n{dumped}"


def _id(*name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("seedbed", *name))))


def _slug(title: str) -> str:
    words = "".join(c if c.isalnum() else " " for c in title.lower()).split()
    return "_".join(words)


@functools.cache
def _contracts() -> dict[str, dict[str, Json]]:
    """The columns of the models, by model and name."""
    found = {}
    for layer in _MODELS:
        for path in sorted((settings.ROOT / "models" / layer).glob("*.yml")):
            for model in yaml.safe_load(path.read_text()).get("models", []):
                columns = {column["name"]: column for column in model["columns"]}
                found[model["name"]] = columns
    return found


def _database() -> Json:
    # No place and no password: libpq takes them from PGHOST, PGUSER, PGPASSWORD, …
    return {
        "database_name": "Seedbed",
        "sqlalchemy_uri": "postgresql+psycopg2:///",
        "cache_timeout": 300,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_file_upload": False,
        "extra": {"allows_virtual_table_explore": True},
        "uuid": _id("database"),
        "version": _VERSION,
    }


def columns(dataset: Dataset) -> list[Json]:
    """The columns of a dataset, as the contracts of its models have them."""
    contracts = _contracts()
    known: Json = {}
    for model in dataset.sources:
        known = contracts[model] | known
    return [known[name] for name in dataset.columns or known]


def _dataset(dataset: Dataset) -> Json:
    return {
        "table_name": dataset.name,
        "schema": SCHEMA,
        "sql": dataset.query,
        "main_dttm_col": dataset.date or None,
        "uuid": _id("dataset", dataset.name),
        "database_uuid": _id("database"),
        "columns": [_column(column) for column in columns(dataset)],
        "metrics": [
            {
                "metric_name": metric.name,
                "verbose_name": metric.title,
                "expression": metric.expression,
                "d3format": metric.format,
            }
            for metric in dataset.metrics
        ],
        "version": _VERSION,
    }


def _column(column: Json) -> Json:
    kind = str(column["data_type"]).upper()
    return {
        "column_name": column["name"],
        "verbose_name": str(column["name"]).replace("_", " ").capitalize(),
        "type": kind,
        "is_dttm": kind == "DATE" or "TIMESTAMP" in kind,
        "groupby": True,
        "filterable": True,
        "description": " ".join(str(column["description"]).split()),
    }


def _chart(page: Dashboard, chart: Chart) -> Json:
    formats = {metric.name: metric.format for metric in chart.dataset.metrics}
    params: Json = {
        "viz_type": _CHARTS[chart.kind],
        "time_range": "No filter",
        "adhoc_filters": [],
    }
    if chart.where:
        condition = {"expressionType": "SQL", "clause": "WHERE"}
        params["adhoc_filters"] = [condition | {"sqlExpression": chart.where}]
    match chart.kind:
        case "number":
            metric = chart.metrics[0]
            params |= {"metric": metric, "y_axis_format": formats[metric]}
        case "table":
            params |= {
                "query_mode": "aggregate",
                "groupby": list(chart.by),
                "metrics": list(chart.metrics),
                "timeseries_limit_metric": chart.metrics[0],
                "order_desc": True,
                "row_limit": 1000,
                "page_length": 20,
                # A value is text, whoever wrote it.
                "allow_render_html": False,
            }
        case "matrix":
            metric = chart.metrics[0]
            params |= {
                "x_axis": chart.x,
                "groupby": chart.by[0],
                "metric": metric,
                "normalize_across": "heatmap",
                "show_values": True,
                "value_bounds": [None, None],
                "y_axis_format": formats[metric],
                "xscale_interval": 1,
                "yscale_interval": 1,
                "sort_x_axis": "alpha_asc",
                "sort_y_axis": "alpha_asc",
                "linear_color_scheme": "superset_seq_1",
                "left_margin": "auto",
                "bottom_margin": "auto",
                "row_limit": 10000,
            }
        case _:
            by_month = chart.x == "month_start"
            params |= {
                "x_axis": chart.x,
                "time_grain_sqla": "P1M" if by_month else "P1D",
                "x_axis_time_format": "%b %Y" if by_month else "%-d %b",
                "xAxisLabelRotation": 0 if chart.x == chart.dataset.date else 45,
                "markerEnabled": True,
                "markerSize": 4,
                "groupby": list(chart.by),
                "metrics": list(chart.metrics),
                "y_axis_format": formats[chart.metrics[0]],
                "stack": "Stack" if chart.stacked else None,
                "row_limit": 10000,
                "show_legend": len(chart.metrics) > 1 or bool(chart.by),
                "rich_tooltip": True,
            }
    return {
        "slice_name": chart.title,
        "viz_type": _CHARTS[chart.kind],
        "params": params,
        "uuid": _id("chart", page.name, chart.title),
        "dataset_uuid": _id("dataset", chart.dataset.name),
        "version": _VERSION,
    }


def _dashboard(page: Dashboard) -> Json:
    metadata: Json = {"cross_filters_enabled": True, "native_filter_configuration": []}
    if page.currency:
        metadata["native_filter_configuration"] = [_currency(page)]
    return {
        "dashboard_title": page.title,
        "slug": page.name,
        "uuid": _id("dashboard", page.name),
        "position": _position(page),
        "metadata": metadata,
        "published": True,
        "version": _VERSION,
    }


def _currency(page: Dashboard) -> Json:
    """A filter with one value: amounts of two currencies are never added up."""
    condition = {"col": "currency", "op": "IN", "val": [page.currency]}
    return {
        "id": f"NATIVE_FILTER-{page.name}",
        "name": "Currency",
        "type": "NATIVE_FILTER",
        "filterType": "filter_select",
        "targets": [
            {
                "datasetUuid": _id("dataset", page.charts[0].dataset.name),
                "column": {"name": "currency"},
            }
        ],
        "defaultDataMask": {
            "extraFormData": {"filters": [condition]},
            "filterState": {"value": [page.currency], "label": page.currency},
        },
        "controlValues": {
            "enableEmptyFilter": True,
            "multiSelect": False,
            "inverseSelection": False,
            "searchAllOptions": False,
        },
        "cascadeParentIds": [],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
    }


def _position(page: Dashboard) -> Json:
    rows = [f"ROW-{number}" for number in range(len(page.rows))]
    above = ["ROOT_ID", "GRID_ID"]
    found: Json = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {
            "type": "GRID",
            "id": "GRID_ID",
            "children": rows,
            "parents": ["ROOT_ID"],
        },
        "HEADER_ID": {
            "type": "HEADER",
            "id": "HEADER_ID",
            "meta": {"text": page.title},
        },
    }
    for row, charts in zip(rows, page.rows, strict=True):
        placed = dict(_placed(page, charts, [*above, row]))
        found[row] = {
            "type": "ROW",
            "id": row,
            "children": list(placed),
            "parents": above,
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
        found |= placed
    return found


def _placed(
    page: Dashboard, charts: Iterable[Chart], above: list[str]
) -> Iterator[tuple[str, Json]]:
    for chart in charts:
        name = f"CHART-{_slug(chart.title)}"
        yield (
            name,
            {
                "type": "CHART",
                "id": name,
                "children": [],
                "parents": above,
                "meta": {
                    # An import puts its own number in its place.
                    "chartId": 0,
                    "uuid": _id("chart", page.name, chart.title),
                    "sliceName": chart.title,
                    "width": chart.width,
                    "height": 16 if chart.kind == "number" else 50,
                },
            },
        )
