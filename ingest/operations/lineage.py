"""Lineage: a run's OpenLineage events, derived from the control tables.

A run is the parent of its hops: extract, load and gate of each table, and each model
of dbt. Nothing is emitted while the run works: its events are a function of what it
left in the control tables and of dbt's manifest, so they have the same ids whenever
they are derived, and a run that was killed gets its ends from the run that closes it.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from psycopg.rows import dict_row

from ingest import journal, ledger, metadata, settings
from ingest.errors import SeedbedError, ServiceError
from ingest.ledger import Connection
from ingest.metadata import Table

Json = dict[str, Any]

PRODUCER = "urn:seedbed:0.1.0"
_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets"
_IDS = uuid.UUID("5eedbed0-0000-4000-8000-000000000000")
_ENDS = {"done": "COMPLETE", "blocked": "COMPLETE", "failed": "FAIL"}
# Requests that one delivery may need, and how long each may take.
SECONDS = 10


def folder() -> Path:
    """Where each run's events are kept, a file a run."""
    return settings.ROOT / ".seedbed" / "lineage"


def _facet(name: str, version: str, **facts: object) -> Json:
    url = f"{_FACETS}/{version}/{name}.json#/$defs/{name}"
    return {"_producer": PRODUCER, "_schemaURL": url, **facts}


class Events:
    """The events of one run, in the order of their times."""

    def __init__(self, connection: Connection, run_id: str, manifest: Json) -> None:
        self._connection = connection
        self._run_id = run_id
        self._manifest = manifest
        self._tables = {t.id: t for t in metadata.load(settings.ROOT)}
        self._namespace = os.environ.get("OPENLINEAGE_NAMESPACE", "seedbed")
        (self._run,) = self._rows("select * from audit.run where run_id = %s")
        self._assertions = self._rows(
            "select table_id, batch_seq, rule_id, severity, passed, observed, expected "
            "from audit.dq_result where run_id = %s and layer = 'gate' "
            "order by rule_id"
        )

    def _rows(self, query: str) -> list[Json]:
        with self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query.encode(), (self._run_id,)).fetchall()

    def all(self) -> list[Json]:
        """All events; a run that has not ended has none."""
        if self._run["ended_at"] is None:
            return []
        events = [*self._parent(), *self._steps(), *self._models()]
        order = {"START": 0, "COMPLETE": 1, "FAIL": 1}
        return sorted(events, key=lambda e: (e["eventTime"], order[e["eventType"]]))

    def _parent(self) -> Iterator[Json]:
        run = self._run
        name = run["command"].replace(" ", "_")
        yield from self._hop(
            "", name, "RUN", run["started_at"], run["ended_at"], run["state"], [], [],
            run["error"],
        )  # fmt: skip

    def _steps(self) -> Iterator[Json]:
        for step in self._rows(
            "select step.*, batch.rows_written, batch.rows_deleted, "
            "batch.raw_bytes, batch.bronze_bytes from audit.step "
            "left join audit.batch using (table_id, batch_seq) "
            "where step.run_id = %s and step.ended_at is not null order by step_id"
        ):
            table = self._tables.get(step["table_id"])
            if table is None:
                continue
            source = self._source(table)
            raw, bronze = self._lake(table, "raw"), self._lake(table, "bronze")
            log = self._relation("bronze", table.bronze)
            log["facets"] = {"schema": self._schema_of(table)}
            names = {c.source_name: c.name for c in table.columns}
            inputs, outputs, job = [source], [raw, bronze], "extract"
            if step["name"] == "extract":
                raw["outputFacets"] = _written(step["rows_written"], step["raw_bytes"])
                bronze["outputFacets"] = _written(
                    step["rows_written"], step["bronze_bytes"]
                )
                bronze["facets"] = {
                    "schema": self._schema_of(table),
                    "columnLineage": _columns(source, {n: s for s, n in names.items()}),
                }
            elif step["name"] == "load":
                inputs, outputs, job = [bronze], [log], "load"
                same = {c.name: c.name for c in table.columns}
                log["facets"]["columnLineage"] = _columns(bronze, same)
            elif step["name"] == "validate":
                inputs, outputs, job = [log], [], "gate"
                log["inputFacets"] = self._checked(table.id, step["batch_seq"])
            else:
                continue
            yield from self._hop(
                str(step["step_id"]), f"{job}.{table.id}", "TASK", step["started_at"],
                step["ended_at"], step["state"], inputs, outputs, step["error"],
            )  # fmt: skip

    def _models(self) -> Iterator[Json]:
        nodes = {n["name"]: n for n in self._manifest.get("nodes", {}).values()
                 if n["resource_type"] in ("model", "snapshot")}  # fmt: skip
        every = self._manifest.get("nodes", {}) | self._manifest.get("sources", {})
        for model in self._rows("select * from audit.model_run where run_id = %s"):
            node = nodes.get(model["model"])
            if (
                node is None
                or node.get("config", {}).get("materialized") == "ephemeral"
            ):
                continue
            output = self._of_node(node)
            output["outputFacets"] = _written(model["rows"], None)
            above = [every[n] for n in node["depends_on"]["nodes"] if n in every]
            inputs = [self._of_node(n) for n in above if n["resource_type"] != "seed"]
            if lineage := _declared(output, node, above, inputs):
                output["facets"]["columnLineage"] = lineage
            state = "done" if model["status"] == "success" else "failed"
            yield from self._hop(
                model["model"], f"dbt.{model['model']}", "MODEL", model["started_at"],
                model["ended_at"], state, inputs, [output], None,
            )  # fmt: skip

    def _hop(
        self,
        key: str,
        job: str,
        kind: str,
        started: Any,
        ended: Any,
        state: str,
        inputs: Sequence[Json],
        outputs: Sequence[Json],
        error: str | None,
    ) -> Iterator[Json]:
        run: Json = {"runId": self._id(key), "facets": {}}
        if key:
            name = self._run["command"].replace(" ", "_")
            run["facets"]["parent"] = _facet(
                "ParentRunFacet",
                "1-2-0",
                run={"runId": self._id("")},
                job={"namespace": self._namespace, "name": name},
            )
        end = json.loads(json.dumps(run))
        if error and _ENDS[state] == "FAIL":
            end["facets"]["errorMessage"] = _facet(
                "ErrorMessageRunFacet",
                "1-0-1",
                message=error,
                programmingLanguage="python",
            )
        facet = _facet(
            "JobTypeJobFacet",
            "2-0-4",
            processingType="BATCH",
            integration="DBT" if kind == "MODEL" else "SEEDBED",
            jobType=kind,
        )
        for moment, what, who in ((started, "START", run), (ended, _ENDS[state], end)):
            yield {
                "eventType": what,
                "eventTime": moment.isoformat(),
                "run": who,
                "job": {
                    "namespace": self._namespace,
                    "name": job,
                    "facets": {"jobType": facet},
                },
                "inputs": list(inputs),
                "outputs": list(outputs),
                "producer": PRODUCER,
                "schemaURL": _EVENT,
            }

    def _id(self, key: str) -> str:
        return str(uuid.uuid5(_IDS, f"{self._run_id}/{key}"))

    def _source(self, table: Table) -> Json:
        place = f"mysql://{table.source.name}"
        if os.environ.get(table.source.url_env):
            url = urlsplit(os.environ[table.source.url_env])
            place = f"mysql://{url.hostname}:{url.port or 3306}"
        return {"namespace": place, "name": f"{table.source.schema}.{table.name}"}

    def _lake(self, table: Table, layer: str) -> Json:
        lake = settings.lake()
        name = f"{lake.prefix}{table.folder(layer)}".rstrip("/")
        return {"namespace": f"s3://{lake.bucket}", "name": name}

    def _relation(self, schema: str, name: str) -> Json:
        info = self._connection.info
        return {
            "namespace": f"postgres://{info.host}:{info.port}",
            "name": f"{info.dbname}.{schema}.{name}",
        }

    def _of_node(self, node: Json) -> Json:
        name = node.get("alias") or node.get("identifier") or node["name"]
        found = self._relation(node["schema"], name)
        fields = [
            {"name": c["name"], "type": c.get("data_type") or ""}
            for c in node["columns"].values()
        ]
        schema = _facet("SchemaDatasetFacet", "1-2-0", fields=fields)
        return {**found, "facets": {"schema": schema} if fields else {}}

    def _schema_of(self, table: Table) -> Json:
        fields = [{"name": c.name, "type": c.type.name} for c in table.columns]
        return _facet("SchemaDatasetFacet", "1-2-0", fields=fields)

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


def _written(rows: int | None, size: int | None) -> Json:
    counts = {k: v for k, v in (("rowCount", rows), ("size", size)) if v is not None}
    name = "OutputStatisticsOutputDatasetFacet"
    return {"outputStatistics": _facet(name, "1-0-2", **counts)}


def _columns(origin: Json, names: dict[str, str]) -> Json:
    """Each column (the key) as that column of `origin` (the value), unchanged."""
    return _facet(
        "ColumnLineageDatasetFacet",
        "1-2-0",
        fields={
            name: {
                "inputFields": [
                    {
                        "namespace": origin["namespace"],
                        "name": origin["name"],
                        "field": old,
                        "transformations": [{"type": "DIRECT", "subtype": "IDENTITY"}],
                    }
                ]
            }
            for name, old in names.items()
        },
    )


def _declared(
    output: Json, node: Json, above: Sequence[Json], inputs: Sequence[Json]
) -> Json | None:
    """Column lineage of a model that the seed describes: columns keep their names.

    Business SQL is free; what its columns come from, dbt does not say.
    """
    if "generated" not in node.get("original_file_path", "") or not inputs:
        return None
    names = [c for c in node["columns"] if c in above[0]["columns"]]
    return _columns(inputs[0], {name: name for name in names}) if names else None


def read_manifest() -> Json:
    """dbt's manifest of the last command; empty before the first."""
    try:
        found: Json = json.loads(
            (settings.ROOT / "target" / "manifest.json").read_text()
        )
    except FileNotFoundError:
        return {}
    return found


def keep(connection: Connection, run_id: str) -> None:
    """Write a run's events to its file. No fault of theirs is one of the run."""
    try:
        events = Events(connection, run_id, read_manifest()).all()
        folder().mkdir(parents=True, exist_ok=True)
        file = folder() / f"{run_id}.jsonl"
        draft = file.with_suffix(".draft")
        draft.write_text("".join(json.dumps(e) + "\n" for e in events))
        draft.rename(file)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        journal.write("lineage.failed", level="error", run_id=run_id, error=told)


def send(connection: Connection, pauses: Sequence[float] = (1, 5)) -> str | None:
    """Send the kept events of a week's runs that were not sent; what went wrong.

    To OPENLINEAGE_URL, with OPENLINEAGE_API_KEY if there is one.
    """
    url = os.environ.get("OPENLINEAGE_URL", "")
    if not url or not ledger.try_lock(connection, "seedbed.lineage", ""):
        return None
    rows = connection.execute(
        "select run.run_id from audit.run left join audit.delivery on "
        "delivery.channel = 'lineage' and delivery.subject = 'run/' || run.run_id "
        "where run.ended_at > clock_timestamp() - interval '7 days' "
        "and delivery.sent_at is null order by run.run_id"
    ).fetchall()
    for (run_id,) in rows:
        file = folder() / f"{run_id}.jsonl"
        if not file.exists():
            keep(connection, run_id)
        fault = _send(url, file, pauses) if file.exists() else "it has no events"
        connection.execute(
            "insert into audit.delivery as old values ('lineage', 'run/' || %(run)s, "
            "case when %(fault)s::text is null then clock_timestamp() end, 1, "
            "%(fault)s) on conflict (channel, subject) do update set "
            "sent_at = excluded.sent_at, tries = old.tries + 1, error = excluded.error",
            {"run": run_id, "fault": fault},
        )
        if fault:
            journal.write("lineage.unsent", level="error", run_id=run_id, error=fault)
            return fault
    return None


def _send(url: str, file: Path, pauses: Sequence[float]) -> str | None:
    for line in file.read_text().splitlines():
        for pause in (*pauses, None):
            try:
                _post(url, line)
                break
            except SeedbedError as error:
                if pause is None:
                    return str(error)
                time.sleep(pause)
    return None


def _post(url: str, event: str) -> None:
    place = os.environ.get("OPENLINEAGE_ENDPOINT", "api/v1/lineage")
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("OPENLINEAGE_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    try:
        request = urllib.request.Request(
            f"{url.rstrip('/')}/{place}", event.encode(), headers
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        raise ServiceError(f"the lineage endpoint answered {error.code}") from None
    except (OSError, ValueError) as error:
        raise ServiceError(
            f"the lineage endpoint is out of reach: {type(error).__name__}"
        ) from None
