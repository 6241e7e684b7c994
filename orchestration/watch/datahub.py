"""DataHub: the sources, the lake and dbt's manifest as metadata change proposals.

They are what DataHub's source `file` reads. They follow from the manifest and the seed
alone: nothing is asked, and nothing is sent.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest import settings
from ingest.seed import metadata
from ingest.seed.metadata import Table
from orchestration.publish import LOG_COLUMNS
from orchestration.watch import columns
from orchestration.watch.columns import IDENTITY

Json = dict[str, Any]

ENVIRONMENTS = ("PROD", "DEV", "TEST", "QA", "UAT", "EI", "PRE", "STG", "NON_PROD")
_ACTOR = "urn:li:corpuser:seedbed"
# DataHub's kinds of columns, by how a type's name begins here.
_KINDS = {
    "bool": "BooleanType",
    **dict.fromkeys(("int", "bigint", "smallint", "num", "dec"), "NumberType"),
    **dict.fromkeys(("double", "float", "real"), "NumberType"),
    "date": "DateType",
    "time": "TimeType",
    **dict.fromkeys(("json", "variant", "object"), "RecordType"),
    **dict.fromkeys(("binary", "bytea"), "BytesType"),
}


@dataclass(frozen=True)
class Column:
    """A column of a dataset; `origins` are (dataset, column, kind)."""

    name: str
    kind: str
    description: str
    nullable: bool = True
    pii: str = ""
    origins: Sequence[tuple[str, str, str]] = ()


@dataclass(frozen=True)
class Dataset:
    """A table, a view or a folder of files; `above` are the datasets that it reads."""

    urn: str
    name: str
    description: str
    kind: str
    layer: str
    owner: str
    columns: Sequence[Column]
    key: Sequence[str]
    above: Sequence[str] = ()
    is_copy: bool = True
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def platform(self) -> str:
        """The urn of what it lies on."""
        return self.urn.partition("(")[2].partition(",")[0]


def proposals(manifest: Json, environment: str = "PROD") -> list[Json]:
    """The proposals of each source table, its files in the lake, its log and models.

    `environment` is one of DataHub's ENVIRONMENTS.
    """
    tables = metadata.enabled(metadata.load(settings.ROOT))
    every = [*_Datasets(manifest, tables, environment).all()]
    moment = dt.datetime.fromisoformat(manifest["metadata"]["generated_at"])
    stamp = {"time": int(moment.timestamp() * 1000), "actor": _ACTOR}
    found = [
        {
            "entityType": "dataset",
            "entityUrn": dataset.urn,
            "changeType": "UPSERT",
            "aspectName": name,
            "aspect": {"json": aspect},
        }
        for dataset in every
        for name, aspect in _aspects(dataset, stamp)
    ]
    tags = {tag for dataset in every for tag in _tags_of(dataset)}
    return found + [
        {
            "entityType": "tag",
            "entityUrn": _tag(name),
            "changeType": "UPSERT",
            "aspectName": "tagProperties",
            "aspect": {"json": {"name": name, "description": _TOLD[name[:4]]}},
        }
        for name in sorted(tags)
    ]


_TOLD = {"pii.": "Personal data, of this class", "laye": "Where it is on its way"}


class _Datasets:
    """The datasets of a project."""

    def __init__(
        self, manifest: Json, tables: Sequence[Table], environment: str
    ) -> None:
        self._every: dict[str, Json] = manifest["nodes"] | manifest["sources"]
        self._groups = {g["name"]: g["owner"] for g in manifest["groups"].values()}
        self._platform = manifest["metadata"]["adapter_type"]
        self._environment = environment
        self._logs = {table.bronze: table for table in tables}
        self._known = columns.known()

    def all(self) -> Iterator[Dataset]:
        for table in self._logs.values():
            yield from self._on_the_way(table)
        for _, node in sorted(self._every.items()):
            if node["resource_type"] == "source":
                of = self._logs.get(node["identifier"])
                yield self._log(node, of) if of else self._control_table(node)
            elif self._is_model(node):
                yield self._model(node)

    def _urn(self, platform: str, name: str) -> str:
        place = f"urn:li:dataPlatform:{platform},{name},{self._environment}"
        return f"urn:li:dataset:({place})"

    def _lake(self, table: Table, layer: str) -> str:
        lake = settings.lake()
        name = f"{lake.bucket}/{lake.prefix}{table.folder(layer)}"
        return self._urn("s3", name.rstrip("/"))

    def _relation(self, node: Json) -> str:
        name = node.get("identifier") or node["alias"]
        return self._urn(self._platform, f"{node['database']}.{node['schema']}.{name}")

    def _is_model(self, node: Json) -> bool:
        is_one = node["resource_type"] in ("model", "snapshot")
        return is_one and node["config"]["materialized"] != "ephemeral"

    def _on_the_way(self, table: Table) -> Iterator[Dataset]:
        """The source table, its files as they were read, and canonical ones."""
        there = f"{table.source.schema}.{table.name}"
        source = self._urn(table.source.kind, there)
        raw, bronze = self._lake(table, "raw"), self._lake(table, "bronze")
        facts = {"load_type": table.load_type.name, "source": table.source.name}

        def of(named: str, above: str) -> list[Column]:
            return [
                Column(
                    getattr(column, named),
                    column.type.name,
                    column.description,
                    column.nullable,
                    column.pii,
                    [(above, column.source_name, IDENTITY)] if above else [],
                )
                for column in table.columns
            ]

        there_key = [column.source_name for column in table.key]
        key = [column.name for column in table.key]
        told, owner = table.description, table.owner
        yield Dataset(
            source, there, told, "Table", "source", owner, of("source_name", ""),
            there_key, facts=facts,
        )  # fmt: skip
        yield Dataset(
            raw, table.folder("raw"), f"Parquet files of {table.id} as it was read",
            "Folder", "raw", owner, of("source_name", source), there_key, [source],
        )  # fmt: skip
        yield Dataset(
            bronze, table.folder("bronze"), f"Parquet files of {table.id}, canonical",
            "Folder", "bronze", owner,
            [*of("name", raw), *(Column(*c, "", False) for c in LOG_COLUMNS.items())],
            key, [raw],
        )  # fmt: skip

    def _log(self, node: Json, table: Table) -> Dataset:
        bronze = self._lake(table, "bronze")
        of_table = {column.name: column for column in table.columns}
        fields = []
        for name, told in node["columns"].items():
            known = of_table.get(name)
            fields.append(
                Column(
                    name,
                    known.type.name if known else LOG_COLUMNS[name],
                    told["description"],
                    known.nullable if known else False,
                    known.pii if known else "",
                    [(bronze, name, IDENTITY)],
                )
            )
        return Dataset(
            self._relation(node), node["identifier"], node["description"], "Table",
            "bronze", table.owner, fields, [], [bronze],
            facts={"dbt_unique_id": node["unique_id"]},
        )  # fmt: skip

    def _control_table(self, node: Json) -> Dataset:
        """A control table that models read; the runner writes it."""
        fields = [
            Column(name, told.get("data_type") or "", told["description"])
            for name, told in node["columns"].items()
        ]
        return Dataset(
            self._relation(node), node["identifier"], node["description"], "Table",
            node["schema"], "seedbed", fields, [],
            facts={"dbt_unique_id": node["unique_id"]},
        )  # fmt: skip

    def _model(self, node: Json) -> Dataset:
        known = self._known.get(node["unique_id"], {})
        fields = [
            Column(
                name,
                told.get("data_type") or "",
                told["description"],
                not any(c["type"] == "not_null" for c in told["constraints"]),
                told["meta"].get("pii", "").replace(metadata.HARMLESS, ""),
                [
                    (self._relation(self._every[o.node]), o.column, o.kind)
                    for o in known.get(name, ())
                    if o.node in self._every
                    and o.column in self._every[o.node]["columns"]
                ],
            )
            for name, told in node["columns"].items()
        ]
        above = [self._every.get(n) for n in node["depends_on"]["nodes"]]
        kind = node["config"]["materialized"]
        return Dataset(
            self._relation(node), node["alias"], node["description"],
            "View" if kind == "view" else "Table", node["config"]["schema"],
            self._owner(node),
            fields, node.get("primary_key") or [],
            [
                self._relation(one)
                for one in above
                if one and (self._is_model(one) or one["resource_type"] == "source")
            ],
            is_copy=False,
            facts={
                "dbt_unique_id": node["unique_id"],
                "dbt_file_path": node["original_file_path"],
                "materialized": kind,
            },
        )  # fmt: skip

    def _owner(self, node: Json) -> str:
        """Whose it is by the seed or the model's group, else whose what it reads is."""
        owner = node["config"].get("meta", {}).get("owner")
        group = self._groups.get(node.get("group") or "", {})
        found: str = owner or group.get("email") or group.get("name") or ""
        if not found:
            above = node.get("depends_on", {}).get("nodes", [])
            return next((self._owner(self._every[n]) for n in above), "")
        return found.partition("@")[0].lower().replace(" ", "-")


def _aspects(dataset: Dataset, stamp: Json) -> Iterator[tuple[str, Json]]:
    yield (
        "datasetProperties",
        {
            "name": dataset.name,
            "description": dataset.description.strip(),
            "customProperties": dict(dataset.facts),
            "tags": [],
        },
    )
    yield "status", {"removed": False}
    yield "subTypes", {"typeNames": [dataset.kind]}
    fields = [_schema_field(column, dataset.key) for column in dataset.columns]
    schema: Json = {
        "schemaName": dataset.name,
        "platform": dataset.platform,
        "version": 0,
        "hash": "",
        "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}},
        "created": stamp,
        "lastModified": stamp,
        "fields": fields,
    }
    if dataset.key:
        schema["primaryKeys"] = list(dataset.key)
    yield "schemaMetadata", schema
    yield "globalTags", _tagged([f"layer.{dataset.layer}"])
    if dataset.owner:
        owner = f"urn:li:corpGroup:{dataset.owner}"
        owners = [{"owner": owner, "type": "DATAOWNER"}]
        yield "ownership", {"owners": owners, "lastModified": stamp}
    if dataset.above:
        yield "upstreamLineage", _lineage(dataset, stamp)


def _schema_field(column: Column, key: Sequence[str]) -> Json:
    kind = column.kind.lower()
    kinds = (found for start, found in _KINDS.items() if kind.startswith(start))
    found: Json = {
        "fieldPath": column.name,
        "nullable": column.nullable,
        "description": column.description.strip(),
        "type": {"type": {f"com.linkedin.schema.{next(kinds, 'StringType')}": {}}},
        "nativeDataType": column.kind,
        "recursive": False,
        "isPartOfKey": column.name in key,
    }
    if column.pii:
        found["globalTags"] = _tagged([f"pii.{column.pii}"])
    return found


def _lineage(dataset: Dataset, stamp: Json) -> Json:
    how = "COPY" if dataset.is_copy else "TRANSFORMED"
    found: Json = {
        "upstreams": [
            {"auditStamp": stamp, "dataset": above, "type": how}
            for above in dict.fromkeys(dataset.above)
        ]
    }
    fine = [
        {
            "upstreamType": "FIELD_SET",
            "upstreams": [_field_urn(place, name) for place, name, _ in origins],
            "downstreamType": "FIELD",
            "downstreams": [_field_urn(dataset.urn, column.name)],
            "transformOperation": columns.strongest(kind for *_, kind in origins),
            "confidenceScore": 1.0,
        }
        for column in dataset.columns
        if (origins := column.origins)
    ]
    return {**found, "fineGrainedLineages": fine} if fine else found


def _field_urn(dataset: str, column: str) -> str:
    return f"urn:li:schemaField:({dataset},{column})"


def _tag(name: str) -> str:
    return f"urn:li:tag:{name}"


def _tagged(names: Sequence[str]) -> Json:
    return {"tags": [{"tag": _tag(name)} for name in names]}


def _tags_of(dataset: Dataset) -> set[str]:
    classes = {f"pii.{column.pii}" for column in dataset.columns if column.pii}
    return {f"layer.{dataset.layer}", *classes}
