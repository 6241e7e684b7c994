"""Great Expectations on measures: it compares, decides and documents, and reads no row.

Only `checks` imports this module, and so Great Expectations, by `light.imports`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, MutableSequence, Sequence
from typing import Any, ClassVar, Literal

import great_expectations as gx
from great_expectations.core import ExpectationValidationResult
from great_expectations.core.batch import BatchData, BatchMarkers, LegacyBatchDefinition
from great_expectations.core.id_dict import BatchSpec, IDDict
from great_expectations.data_context.data_context.ephemeral_data_context import (
    EphemeralDataContext,
)
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent.batch_request import BatchRequest
from great_expectations.datasource.fluent.interfaces import (
    Batch,
    DataAsset,
    Datasource,
)
from great_expectations.exceptions.exceptions import MetricResolutionError
from great_expectations.execution_engine.execution_engine import ExecutionEngine
from great_expectations.expectations.metrics.metric_provider import MetricProvider
from great_expectations.expectations.registry import get_metric_kwargs, register_metric
from great_expectations.validator.metric_configuration import MetricConfiguration

from gx import measures

_SITE = "batches"
_SOURCE = "batches"
_VALUES = ".unexpected_values"
Json = dict[str, Any]
# The request about each batch, by the batch's id.
_requests: dict[str, Json] = {}


class MeasuredEngine(ExecutionEngine[Any]):  # type: ignore[misc]
    """Answers each metric of a batch from its measures."""

    def get_batch_data_and_markers(
        self, batch_spec: BatchSpec
    ) -> tuple[BatchData, BatchMarkers]:
        return BatchData(self), BatchMarkers({"ge_load_time": ""})

    def resolve_metrics(
        self,
        metrics_to_resolve: Iterable[MetricConfiguration],
        metrics: dict[Any, Any] | None = None,
        runtime_configuration: Json | None = None,
    ) -> dict[Any, Any]:
        answers, failed, why = {}, [], ""
        for metric in metrics_to_resolve:
            try:
                answers[metric.id] = self._answer(metric)
            except Exception as error:
                failed.append(metric)
                why = str(error.args[0] if error.args else error)
        if metrics is not None:
            metrics.update(answers)
        if failed:
            raise MetricResolutionError(message=why, failed_metrics=tuple(failed))
        return answers

    def _answer(self, metric: MetricConfiguration) -> Any:
        """The metric's value; an error where it was not measured."""
        domain, name = metric.metric_domain_kwargs, metric.metric_name
        batch = domain.get("batch_id") or self.batch_manager.active_batch_id
        request = _requests[str(batch)]
        if name == "table.columns":
            return request["columns"]
        if name.endswith((_VALUES, "unexpected_rows_query.table")):
            return []  # no value of a row is in a result
        for column in (domain.get("column"), *(domain.get("column_list") or ())):
            if column and column not in request["columns"]:
                raise ValueError(f"the log has no column {column}")
        sql = measures.sql_of(name, {**domain, **metric.metric_value_kwargs})
        if sql not in request["measured"]:
            raise ValueError(f"it was not measured: {sql}")
        found = request["measured"][sql]
        if isinstance(found, dict):
            raise ValueError(found["error"])
        return found

    def _refuse(self, condition: Any) -> Any:
        raise NotImplementedError

    _comparison_condition_to_filter_clause = _refuse
    _nullity_condition_to_filter_clause = _refuse
    _and_condition_to_filter_clause = _refuse
    _or_condition_to_filter_clause = _refuse


def _register() -> None:
    """Have the engine answer all metrics of which a suite's expectations are made."""
    counts = {m for metrics in measures.METRICS.values() for m in metrics}
    values = {
        m.replace(".unexpected_count", _VALUES)
        for m in counts
        if m.endswith(".unexpected_count")
    }
    others = {"table.row_count", "table.columns", "unexpected_rows_query.table"}
    for name in sorted(counts | values | others):
        keys = get_metric_kwargs(name)
        register_metric(
            name,
            keys["metric_domain_keys"],
            keys["metric_value_keys"],
            MeasuredEngine,
            MetricProvider,  # of metrics that depend on no other
            None,
        )


_register()


class MeasuredAsset(DataAsset):  # type: ignore[type-arg]
    """A batch that was measured."""

    type: Literal["measured_batch"] = "measured_batch"

    def test_connection(self) -> None:
        pass

    def get_batch_identifiers_list(self, batch_request: Any) -> list[dict[Any, Any]]:
        return [IDDict()]

    def build_batch_request(
        self, options: Any = None, batch_slice: Any = None, partitioner: Any = None
    ) -> BatchRequest[Any]:
        return BatchRequest(
            datasource_name=self.datasource.name, data_asset_name=self.name, options={}
        )

    def get_batch(self, batch_request: Any) -> Batch:
        engine = self.datasource.get_execution_engine()
        data, markers = engine.get_batch_data_and_markers(BatchSpec())
        return Batch(
            datasource=self.datasource,
            data_asset=self,
            batch_request=batch_request,
            data=data,
            batch_markers=markers,
            batch_spec=BatchSpec(),
            batch_definition=LegacyBatchDefinition(
                self.datasource.name, "fluent", self.name, IDDict()
            ),
        )


class MeasuredDatasource(Datasource):  # type: ignore[type-arg]
    """Batches that were measured before anything is asked of them."""

    asset_types: ClassVar[Sequence[type[MeasuredAsset]]] = [MeasuredAsset]
    type: Literal["measured"] = "measured"
    assets: MutableSequence[MeasuredAsset] = []  # noqa: RUF012

    @property
    def execution_engine_type(self) -> Any:
        return MeasuredEngine

    def test_connection(self, test_assets: bool = True) -> None:
        pass

    def add_batch(self, name: str) -> MeasuredAsset:
        """A batch, by its name."""
        return self._add_asset(MeasuredAsset(name=name))  # type: ignore[no-any-return]


class Checks:
    """The batches of one run, their results and the pages about them."""

    def __init__(self) -> None:
        self.context: EphemeralDataContext = gx.get_context(mode="ephemeral")
        self.context.variables.progress_bars = ProgressBarsConfig(globally=False)
        for site in list(self.context.get_site_names()):
            self.context.delete_data_docs_site(site)
        self.source = self.context.data_sources.add_measured(_SOURCE)
        self.asked = 0

    def check(self, request: Json) -> Json:
        """The result of each expectation of the batch's suite, by its rule."""
        started = time.monotonic()
        self.asked += 1
        suite = request["suite"]
        name = f"{request['batch']} ({self.asked})"
        _requests[f"{_SOURCE}-{name}"] = request
        batch = self.source.add_batch(name).add_batch_definition(request["batch"])
        context = self.context
        expected = gx.ExpectationSuite(
            suite["name"], expectations=suite["expectations"]
        )
        validation = gx.ValidationDefinition(
            name=name, data=batch, suite=context.suites.add_or_update(expected)
        )
        checkpoint = gx.Checkpoint(
            name=name,
            validation_definitions=[context.validation_definitions.add(validation)],
            # The pipeline decides what a failure means: it knows all layers.
            actions=[],
            result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
        )
        run = context.checkpoints.add(checkpoint).run(
            expectation_parameters=request["parameters"]
        )
        (found,) = run.run_results.values()
        results = {
            r.expectation_config.meta["rule"]: _summary(r)
            for r in found.results
            if r.expectation_config and r.expectation_config.meta
        }
        return {"results": results, "seconds": time.monotonic() - started}

    def document(self, folder: str) -> None:
        """Write the data docs, replacing those of the run before."""
        self.context.add_data_docs_site(
            site_name=_SITE,
            site_config={
                "class_name": "SiteBuilder",
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
                "store_backend": {
                    "class_name": "TupleFilesystemStoreBackend",
                    "base_directory": folder,
                },
            },
        )
        self.context.build_data_docs(site_names=[_SITE])


def _summary(result: ExpectationValidationResult) -> Json:
    """A result as JSON: passed, error, observed, failing rows."""
    found = result.result
    return {
        "passed": bool(result.success),
        "error": _error(result.exception_info or {}),
        "observed": found.get("observed_value"),
        "failing": found.get("unexpected_count"),
    }


def _error(info: Json) -> str:
    """The error of one of its metrics, '' without one."""
    for found in (info, *(i for i in info.values() if isinstance(i, dict))):
        if found.get("raised_exception"):
            said = str(found.get("exception_message")).strip()
            return said.splitlines()[0] if said else "an error without words"
    return ""
