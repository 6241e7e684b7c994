"""Lineage: a run's OpenLineage events, derived from the control tables.

A run is the parent of its hops: extract, load and gate of each table, each model of
dbt, and publish, with the models there. Nothing is emitted while the run works: its
events are a function of what it left in the control tables and of dbt's manifest, so
they have the same ids whenever they are derived, and a run that was killed, whose ends
the next one writes there, has them as well.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from psycopg.rows import dict_row

from ingest import locks, runlog, settings
from ingest.control import Connection
from ingest.errors import ConfigurationError
from ingest.seed import metadata
from ingest.seed.metadata import Table
from orchestration import artifacts, snowflake
from orchestration.watch import columns, delivery

Json = dict[str, Any]

PRODUCER = "urn:seedbed:0.1.0"
_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets"
_IDS = uuid.UUID("5eedbed0-0000-4000-8000-000000000000")
_ENDS = {"done": "COMPLETE", "blocked": "COMPLETE", "failed": "FAIL"}
# Some 1 MB each.
KEPT_RUNS = 100


def folder() -> Path:
    """Where each run's events are kept, a file a run."""
    return settings.ROOT / ".seedbed" / "lineage"


def _facet(name: str, version: str, **facts: object) -> Json:
    url = f"{_FACETS}/{version}/{name}.json#/$defs/{name}"
    return {"_producer": PRODUCER, "_schemaURL": url, **facts}


class Events:
    """The events of one run, in the order of their times."""

    def __init__(self, connection: Connection, run_id: str) -> None:
        self._connection = connection
        self._run_id = run_id
        self._columns = columns.known()
        self._tables = {t.id: t for t in metadata.load(settings.ROOT)}
        self._namespace = settings.variable("OPENLINEAGE_NAMESPACE", "seedbed")
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
        events = [*self._parent(), *self._steps(), *self._publish()]
        for target in ("postgres", "snowflake"):
            events += self._models(target)
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

    def _publish(self) -> Iterator[Json]:
        """From the lake to the logs in Snowflake, which copies them all at one time."""
        published = [
            self._tables[row["table_id"]]
            for row in self._rows(
                "select distinct table_id from audit.publication where run_id = %s "
                "order by table_id"
            )
            if row["table_id"] in self._tables
        ]
        inputs, outputs = [], []
        for table in published:
            bronze = self._lake(table, "bronze")
            log = self._in_snowflake(snowflake.database(), "bronze", table.bronze)
            same = {c.name: c.name for c in table.columns}
            log["facets"] = {
                "schema": self._schema_of(table),
                "columnLineage": _columns(bronze, same),
            }
            inputs.append(bronze)
            outputs.append(log)
        for step in self._rows(
            "select * from audit.step where run_id = %s and name = 'publish' "
            "and ended_at is not null order by step_id"
        ):
            yield from self._hop(
                str(step["step_id"]), "publish", "TASK", step["started_at"],
                step["ended_at"], step["state"], inputs, outputs, step["error"],
            )  # fmt: skip

    def _models(self, target: str) -> Iterator[Json]:
        rows = [
            row
            for row in self._rows("select * from audit.model_run where run_id = %s")
            if row["target"] == target
        ]
        if not rows:
            return
        manifest = artifacts.manifest(artifacts.folder(target))
        nodes = {n["name"]: n for n in manifest.get("nodes", {}).values()
                 if n["resource_type"] in ("model", "snapshot")}  # fmt: skip
        every = manifest.get("nodes", {}) | manifest.get("sources", {})
        where = "" if target == "postgres" else f"{target}."
        for model in rows:
            name = model["model"]
            node = nodes.get(name)
            if (
                node is None
                or node.get("config", {}).get("materialized") == "ephemeral"
            ):
                continue
            output = self._of_node(node, target)
            output["outputFacets"] = _written(model["rows"], None)
            above = [every[n] for n in node["depends_on"]["nodes"] if n in every]
            inputs = [
                self._of_node(n, target) for n in above if n["resource_type"] != "seed"
            ]
            if known := self._columns.get(node["unique_id"]):
                output["facets"]["columnLineage"] = self._made_of(known, every, target)
            state = "done" if model["status"] == "success" else "failed"
            yield from self._hop(
                where + name, f"dbt.{where}{name}", "MODEL", model["started_at"],
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

    def _in_snowflake(self, database: str, schema: str, name: str) -> Json:
        account = os.environ.get("SNOWFLAKE_ACCOUNT", "")
        return {
            "namespace": f"snowflake://{account}",
            "name": f"{database}.{schema}.{name}",
        }

    def _of_node(self, node: Json, target: str) -> Json:
        name = node.get("alias") or node.get("identifier") or node["name"]
        found = self._relation(node["schema"], name)
        if target == "snowflake":
            found = self._in_snowflake(node["database"], node["schema"], name)
        fields = [
            {"name": c["name"], "type": c.get("data_type") or ""}
            for c in node["columns"].values()
        ]
        schema = _facet("SchemaDatasetFacet", "1-2-0", fields=fields)
        return {**found, "facets": {"schema": schema} if fields else {}}

    def _made_of(self, known: columns.Columns, every: Json, target: str) -> Json:
        """The facet of a model's columns, which come from any relations."""
        return _column_facet(
            {
                name: [
                    _field(self._of_node(every[o.node], target), o.column, o.kind)
                    for o in origins
                    if o.node in every
                ]
                for name, origins in known.items()
            }
        )

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
    return _column_facet(
        {name: [_field(origin, old, columns.IDENTITY)] for name, old in names.items()}
    )


def _column_facet(fields: dict[str, list[Json]]) -> Json:
    made = {name: {"inputFields": origins} for name, origins in fields.items()}
    return _facet("ColumnLineageDatasetFacet", "1-2-0", fields=made)


def _field(place: Json, column: str, kind: str) -> Json:
    return {
        "namespace": place["namespace"],
        "name": place["name"],
        "field": column,
        "transformations": [{"type": "DIRECT", "subtype": kind}],
    }


def text(connection: Connection, run_id: str | None) -> str:
    """The events of a run, else of the last one that ended, as JSON lines."""
    row = connection.execute(
        "select run_id from audit.run where ended_at is not null "
        "and (%(run)s::text is null or run_id = %(run)s) "
        "order by run_id desc limit 1",
        {"run": run_id},
    ).fetchone()
    if row is None:
        which = f"no run {run_id!r}" if run_id else "no run"
        raise ConfigurationError(
            f"there is {which} that has ended",
            "`select run_id, command, state from audit.run` lists all runs",
        )
    file = _file(row[0])
    if not file.exists():
        _write(connection, row[0])
    return file.read_text()


def _file(run_id: str) -> Path:
    return folder() / f"{run_id}.jsonl"


def keep(connection: Connection, run_id: str) -> None:
    """Write the events of a run that has ended, and of those that others have ended.

    Those are the runs of a week whose process died. No fault of this is one of the run.
    Only the newest KEPT_RUNS of a week keep theirs; `events` makes others anew.
    """
    try:
        # A run that an orchestrator opened again has other ends now.
        connection.execute(
            "delete from audit.delivery where channel = 'lineage' and subject = %s",
            (f"run/{run_id}",),
        )
        ended = connection.execute(
            "select run_id from audit.run "
            "where ended_at > clock_timestamp() - interval '7 days' "
            "order by ended_at desc limit %s",
            (KEPT_RUNS,),
        ).fetchall()
        kept = {run_id, *(other for (other,) in ended)}
        for file in folder().glob("2*"):  # as run IDs begin
            if file.stem not in kept:
                file.unlink(missing_ok=True)
        _write(connection, run_id)
        for (other,) in ended:
            if not _file(other).exists():
                _write(connection, other)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        runlog.write("lineage.failed", level="error", run_id=run_id, error=told)


def _write(connection: Connection, run_id: str) -> None:
    events = Events(connection, run_id).all()
    folder().mkdir(parents=True, exist_ok=True)
    draft = _file(run_id).with_suffix(".draft")
    draft.write_text("".join(json.dumps(e) + "\n" for e in events))
    draft.rename(_file(run_id))


def send(
    connection: Connection, pauses: Sequence[float] = delivery.PAUSES
) -> str | None:
    """Send the kept events of a week's runs that were not sent; what went wrong.

    To OPENLINEAGE_URL, with OPENLINEAGE_API_KEY if there is one. Each event is sent
    once, in order: after a fault the next call goes on with the event that it met.
    """
    if not os.environ.get("OPENLINEAGE_URL") or not locks.take(connection, "lineage"):
        return None
    rows = connection.execute(
        "select run.run_id, coalesce(delivery.parts, 0) from audit.run "
        "left join audit.delivery on "
        "delivery.channel = 'lineage' and delivery.subject = 'run/' || run.run_id "
        "where run.ended_at > clock_timestamp() - interval '7 days' "
        "and delivery.sent_at is null order by run.run_id"
    ).fetchall()
    for run_id, parts in rows:
        if not _file(run_id).exists():
            keep(connection, run_id)
        if not _file(run_id).exists():
            continue  # the run log says why
        fault = _send(connection, run_id, parts, pauses)
        if fault:
            runlog.write("lineage.unsent", level="error", run_id=run_id, error=fault)
            return fault
    return None


def _send(
    connection: Connection, run_id: str, sent: int, pauses: Sequence[float]
) -> str | None:
    """Send a run's events but for the first `sent` ones, which were."""
    note = partial(delivery.note, connection, "lineage", f"run/{run_id}")
    events = _file(run_id).read_text().splitlines()
    for number, event in enumerate(events[sent:], sent):
        fault = delivery.attempt(partial(_post, event), pauses)
        if fault:
            note(fault, is_sent=False, parts=number)
            return fault
        note(None, is_sent=False, tries=0, parts=number + 1)
    note(None, is_sent=True, parts=len(events))
    return None


def _post(event: str) -> None:
    url = os.environ["OPENLINEAGE_URL"].rstrip("/")
    path = settings.variable("OPENLINEAGE_ENDPOINT", "api/v1/lineage")
    token = os.environ.get("OPENLINEAGE_API_KEY", "")
    delivery.post("the lineage endpoint", f"{url}/{path}", event, token)
