"""A run's OpenLineage events, derived from the control tables and dbt's manifest.

A run is the parent of its hops: extract, load and gate of each table, each model of
dbt, and publish, with the models there. Nothing is emitted while the run works: its
events are a function of what it left in the control tables and of dbt's manifest, so
they have the same ids whenever they are derived, and a run that was killed, whose ends
the next one writes there, has them as well.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from ingest import settings, sources
from ingest.control import Connection
from ingest.seed import metadata
from ingest.seed.metadata import Table
from ingest.statements import Statements
from orchestration import artifacts, snowflake
from orchestration.watch import columns

Json = dict[str, Any]

_SQL = Statements(__file__)
PRODUCER = "urn:seedbed:0.1.0"
_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets"
_IDS = uuid.UUID("5eedbed0-0000-4000-8000-000000000000")
_ENDS = {"done": "COMPLETE", "blocked": "COMPLETE", "failed": "FAIL"}


class Events:
    """The events of one run, in the order of their times."""

    def __init__(self, connection: Connection, run_id: str) -> None:
        self._connection = connection
        self._run_id = run_id
        self._columns = columns.known()
        self._tables = {t.id: t for t in metadata.load(settings.ROOT)}
        self._namespace = settings.variable("OPENLINEAGE_NAMESPACE", "seedbed")
        (self._run,) = self._rows("run")
        self._name = self._run["command"].replace(" ", "_")
        self._steps = self._rows("steps")
        self._assertions = self._rows("assertions")

    def _rows(self, name: str, **values: object) -> list[Json]:
        return _SQL.dicts(self._connection, name, run_id=self._run_id, **values)

    def all(self) -> list[Json]:
        """All events; a run that has not ended has none."""
        if self._run["ended_at"] is None:
            return []
        events = [
            *self._hop("", self._name, "RUN", self._run),
            *self._moves(),
            *self._publish(),
            *self._models("postgres"),
            *self._models("snowflake"),
        ]
        order = {"START": 0, "COMPLETE": 1, "FAIL": 1}
        return sorted(events, key=lambda e: (e["eventTime"], order[e["eventType"]]))

    # -- the hops ------------------------------------------------------------------

    def _moves(self) -> Iterator[Json]:
        for step in self._steps:
            table = self._tables.get(step["table_id"])
            found = self._of_step(table, step) if table else None
            if table and found:
                job, inputs, outputs = found
                key, name = str(step["step_id"]), f"{job}.{table.id}"
                yield from self._hop(key, name, "TASK", step, inputs, outputs)

    def _of_step(
        self, table: Table, step: Json
    ) -> tuple[str, list[Json], list[Json]] | None:
        """A step's job, and what it reads and writes; None for steps of all tables."""
        raw, bronze = self._lake(table, "raw"), self._lake(table, "bronze")
        log = self._relation("bronze", table.bronze)
        if step["name"] == "extract":
            source, rows = self._source(table), step["rows_written"]
            names = {c.name: c.source_name for c in table.columns}
            bronze["facets"] = _described(table, source, names)
            raw["outputFacets"] = _written(rows, step["raw_bytes"])
            bronze["outputFacets"] = _written(rows, step["bronze_bytes"])
            return "extract", [source], [raw, bronze]
        if step["name"] == "load":
            log["facets"] = _described(table, bronze)
            return "load", [bronze], [log]
        if step["name"] == "validate":
            log["facets"] = {"schema": _described(table, bronze)["schema"]}
            log["inputFacets"] = self._checked(table.id, step["batch_seq"])
            return "gate", [log], []
        return None

    def _publish(self) -> Iterator[Json]:
        """From the lake to the logs in Snowflake, which copies them all at one time."""
        inputs, outputs = [], []
        for row in self._rows("published"):
            if table := self._tables.get(row["table_id"]):
                bronze = self._lake(table, "bronze")
                log = _in_snowflake(snowflake.database(), "bronze", table.bronze)
                log["facets"] = _described(table, bronze)
                inputs.append(bronze)
                outputs.append(log)
        for step in self._steps:
            if step["name"] == "publish":
                key = str(step["step_id"])
                yield from self._hop(key, "publish", "TASK", step, inputs, outputs)

    def _models(self, target: str) -> Iterator[Json]:
        rows = self._rows("models", target=target)
        if not rows:
            return
        manifest = artifacts.manifest(artifacts.folder(target))
        own = manifest.get("nodes", {})
        every = own | manifest.get("sources", {})
        nodes = {
            node["name"]: node
            for node in own.values()
            if node["resource_type"] in ("model", "snapshot")
            and node.get("config", {}).get("materialized") != "ephemeral"
        }
        where = "" if target == "postgres" else f"{target}."
        for row in rows:
            node = nodes.get(row["model"])
            if node is None:
                continue
            output = self._of_node(node, target)
            output["outputFacets"] = _written(row["rows"], None)
            if known := self._columns.get(node["unique_id"]):
                output["facets"]["columnLineage"] = self._made_of(known, every, target)
            above = [every[n] for n in node["depends_on"]["nodes"] if n in every]
            above = [n for n in above if n["resource_type"] != "seed"]
            inputs = [self._of_node(n, target) for n in above]
            key = where + row["model"]
            yield from self._hop(key, f"dbt.{key}", "MODEL", row, inputs, [output])

    def _hop(
        self,
        key: str,
        job: str,
        kind: str,
        row: Json,
        inputs: Sequence[Json] = (),
        outputs: Sequence[Json] = (),
    ) -> Iterator[Json]:
        """The two events of a row with `started_at`, `ended_at`, `state`, `error`."""
        facets: Json = {}
        if key:
            facets["parent"] = _facet(
                "ParentRunFacet",
                "1-2-0",
                run={"runId": self._id("")},
                job={"namespace": self._namespace, "name": self._name},
            )
        ends, at_end = _ENDS[row["state"]], dict(facets)
        if row["error"] and ends == "FAIL":
            at_end["errorMessage"] = _facet(
                "ErrorMessageRunFacet",
                "1-0-1",
                message=row["error"],
                programmingLanguage="python",
            )
        integration = "DBT" if kind == "MODEL" else "SEEDBED"
        of = {"processingType": "BATCH", "integration": integration, "jobType": kind}
        for moment, what, now in (
            (row["started_at"], "START", facets),
            (row["ended_at"], ends, at_end),
        ):
            yield {
                "eventType": what,
                "eventTime": moment.isoformat(),
                "run": {"runId": self._id(key), "facets": now},
                "job": {
                    "namespace": self._namespace,
                    "name": job,
                    "facets": {"jobType": _facet("JobTypeJobFacet", "2-0-4", **of)},
                },
                "inputs": list(inputs),
                "outputs": list(outputs),
                "producer": PRODUCER,
                "schemaURL": _EVENT,
            }

    def _id(self, key: str) -> str:
        return str(uuid.uuid5(_IDS, f"{self._run_id}/{key}"))

    # -- the datasets --------------------------------------------------------------

    def _source(self, table: Table) -> Json:
        form = sources.of(table.source).url
        place = f"{form.schemes[0]}://{table.source.name}"
        if os.environ.get(table.source.url_env):
            url = urlsplit(os.environ[table.source.url_env])
            place = f"{form.schemes[0]}://{url.hostname}:{url.port or form.port}"
            if not form.port:
                place = f"{url.scheme}://{url.hostname or ''}"
        return _dataset(place, f"{table.source.schema}.{table.name}")

    def _lake(self, table: Table, layer: str) -> Json:
        lake = settings.lake()
        name = f"{lake.prefix}{table.folder(layer)}".rstrip("/")
        return _dataset(f"s3://{lake.bucket}", name)

    def _relation(self, schema: str, name: str) -> Json:
        info = self._connection.info
        place = f"postgres://{info.host}:{info.port}"
        return _dataset(place, f"{info.dbname}.{schema}.{name}")

    def _of_node(self, node: Json, target: str) -> Json:
        name = node.get("alias") or node.get("identifier") or node["name"]
        if target == "snowflake":
            found = _in_snowflake(node["database"], node["schema"], name)
        else:
            found = self._relation(node["schema"], name)
        kinds = {c["name"]: c.get("data_type") or "" for c in node["columns"].values()}
        return {**found, "facets": {"schema": _schema(kinds)} if kinds else {}}

    # -- their facets --------------------------------------------------------------

    def _made_of(self, known: columns.Columns, every: Json, target: str) -> Json:
        """The facet of a model's columns, which come from any relations."""
        return _lineage(
            {
                name: [
                    _field(self._of_node(every[o.node], target), o.column, o.kind)
                    for o in origins
                    if o.node in every
                ]
                for name, origins in known.items()
            }
        )

    def _checked(self, table_id: str, batch_seq: int) -> Json:
        found = [
            {
                "assertion": row["rule_id"],
                "success": row["passed"],
                "severity": "error" if row["severity"] == "block" else "warn",
                "expected": row["expected"] or "",
                "actual": row["observed"] or "",
            }
            for row in self._assertions
            if (row["table_id"], row["batch_seq"]) == (table_id, batch_seq)
        ]
        name = "DataQualityAssertionsDatasetFacet"
        return {"dataQualityAssertions": _facet(name, "1-1-0", assertions=found)}


def _dataset(namespace: str, name: str) -> Json:
    return {"namespace": namespace, "name": name}


def _in_snowflake(database: str, schema: str, name: str) -> Json:
    account = os.environ.get("SNOWFLAKE_ACCOUNT", "")
    return _dataset(f"snowflake://{account}", f"{database}.{schema}.{name}")


def _facet(name: str, version: str, **facts: object) -> Json:
    url = f"{_FACETS}/{version}/{name}.json#/$defs/{name}"
    return {"_producer": PRODUCER, "_schemaURL": url, **facts}


def _described(table: Table, origin: Json, names: dict[str, str] | None = None) -> Json:
    """A table's columns, each as that of `origin`, where it may have another name."""
    names = names or {c.name: c.name for c in table.columns}
    made = {new: [_field(origin, old, columns.IDENTITY)] for new, old in names.items()}
    kinds = {c.name: c.type.name for c in table.columns}
    return {"schema": _schema(kinds), "columnLineage": _lineage(made)}


def _schema(kinds: dict[str, str]) -> Json:
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    return _facet("SchemaDatasetFacet", "1-2-0", fields=fields)


def _lineage(made: dict[str, list[Json]]) -> Json:
    fields = {name: {"inputFields": origins} for name, origins in made.items()}
    return _facet("ColumnLineageDatasetFacet", "1-2-0", fields=fields)


def _field(origin: Json, column: str, kind: str) -> Json:
    transformed = [{"type": "DIRECT", "subtype": kind}]
    place = _dataset(origin["namespace"], origin["name"])
    return {**place, "field": column, "transformations": transformed}


def _written(rows: int | None, size: int | None) -> Json:
    counts = {k: v for k, v in (("rowCount", rows), ("size", size)) if v is not None}
    name = "OutputStatisticsOutputDatasetFacet"
    return {"outputStatistics": _facet(name, "1-0-2", **counts)}
