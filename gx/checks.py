"""The program of the gate's process: suites of expectations, on one batch at a time.

Run as `python -m gx.checks`. It reads one request per line from its input and writes
one reply per line, as JSON. Only here is Great Expectations imported.

Everything is in memory except the data docs: the address of the warehouse comes with a
request and is written to no file. No value of a row is in a result.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

from gx import light

with light.imports():
    import great_expectations as gx
    import sqlalchemy
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.data_context.data_context.ephemeral_data_context import (
        EphemeralDataContext,
    )
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from sqlalchemy.engine import Engine
    from sqlalchemy.event import listens_for

_URL = "SEEDBED_GATE_WAREHOUSE"
_SITE = "batches"
Json = dict[str, Any]


class _Checks:
    """The batches of one run, their results and the page about them."""

    def __init__(self) -> None:
        self.context: EphemeralDataContext = gx.get_context(mode="ephemeral")
        self.context.variables.progress_bars = ProgressBarsConfig(globally=False)
        for site in list(self.context.get_site_names()):
            self.context.delete_data_docs_site(site)
        self.asked = 0

    def check(self, request: Json) -> Json:
        """Check a batch: first for pass or fail, then for details of failures."""
        started = time.monotonic()
        try:
            results = self._check(request)
        finally:
            _View.hide()
        return {"results": results, "seconds": time.monotonic() - started}

    def _check(self, request: Json) -> dict[str, Json]:
        self.asked += 1
        suite = json.loads(Path(request["suite"]).read_text())
        batch = self._batch(request)
        parameters = request["parameters"]
        results = self._validate(batch, suite, parameters, "BOOLEAN_ONLY")
        failed = [
            e
            for e in suite["expectations"]
            if not results[e["meta"]["rule"]]["passed"]
            and not results[e["meta"]["rule"]]["error"]
        ]
        if failed:
            suite |= {"name": f"{suite['name']}: what failed", "expectations": failed}
            results |= self._validate(batch, suite, parameters, "BASIC")
        return results

    def _batch(self, request: Json) -> BatchDefinition[Any]:
        os.environ[_URL] = sqlalchemy.URL.create(
            "postgresql+psycopg2", **request["warehouse"]
        ).render_as_string(hide_password=False)
        _View.name, _View.query = request["name"], request["rows"]
        _View.number += 1
        source = self.context.data_sources.add_or_update_postgres(
            "warehouse", connection_string=f"${{{_URL}}}"
        )
        name = request["batch"]
        asset = source.add_table_asset(f"{name} ({self.asked})", _View.name)
        return asset.add_batch_definition_whole_table(name)

    def _validate(
        self, batch: BatchDefinition[Any], suite: Json, parameters: Json, detail: str
    ) -> dict[str, Json]:
        """The result of each expectation, by its rule."""
        name = f"{suite['name']} ({self.asked})"
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
            result_format={"result_format": detail, "partial_unexpected_count": 0},
        )
        run = context.checkpoints.add(checkpoint).run(expectation_parameters=parameters)
        (found,) = run.run_results.values()
        return {
            r.expectation_config.meta["rule"]: _summary(r)
            for r in found.results
            if r.expectation_config and r.expectation_config.meta
        }

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


class _View:
    """The current batch, which each connection sees as a view of its own."""

    name = ""
    query = ""
    number = 0
    engines: ClassVar[set[Engine]] = set()

    @classmethod
    def hide(cls) -> None:
        """Close the connections: nothing is left open between two batches."""
        while cls.engines:
            cls.engines.pop().dispose()


@listens_for(Engine, "engine_connect")
def _note_engine(connection: sqlalchemy.Connection) -> None:
    _View.engines.add(connection.engine)


@listens_for(Engine, "checkout", named=True)
def _show_batch(**pooled: Any) -> None:
    record, connection = pooled["connection_record"], pooled["dbapi_connection"]
    if record.info.get("view") == _View.number:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"set work_mem = '128MB'; drop view if exists pg_temp.\"{_View.name}\"; "
            f'create temp view "{_View.name}" as {_View.query}'
        )
    connection.commit()
    record.info["view"] = _View.number


def _summary(result: ExpectationValidationResult) -> Json:
    """A result as JSON: passed, error, observed, failing rows, all rows."""
    found = result.result
    return {
        "passed": bool(result.success),
        "error": _error(result.exception_info or {}),
        "observed": found.get("observed_value"),
        "failing": found.get("unexpected_count"),
    }


def _error(info: Json) -> str:
    """The error of one of its queries, '' without one."""
    for found in (info, *(i for i in info.values() if isinstance(i, dict))):
        if found.get("raised_exception"):
            said = str(found.get("exception_message")).strip()
            return said.splitlines()[0] if said else "an error without words"
    return ""


def _plain(value: object) -> object:
    return str(value)


def main() -> None:
    """Answer requests until there are no more."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library's output is not a reply
    checks = _Checks()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply: Json = {}
            match request["do"]:
                case "check":
                    reply = checks.check(request)
                case "document":
                    checks.document(request["folder"])
                    checks = _Checks()
        except Exception as error:
            said = str(error).strip().splitlines() or [""]
            reply = {"error": f"{type(error).__name__}: {said[0]}"}
        replies.write(json.dumps(reply, default=_plain) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
