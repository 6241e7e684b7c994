"""The model of the metadata seed: sources, tables, their columns and rules."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from ingest import limits
from ingest.quoting import quoted
from ingest.seed.checks import Check
from ingest.seed.load_types import LoadType
from ingest.seed.metadata.names import target_name
from ingest.seed.options import Options
from ingest.seed.types import CanonicalType

DELETE_MODES = ("none", "soft_flag", "key_scan")
SCHEMA_CHANGES = ("evolve", "freeze", "ignore")
CLEANSERS = ("trim", "lower", "upper", "email", "phone", "name", "address")
PII_CLASSES = tuple("secret name email phone address birth_date free_text id".split())
# What else `pii` may say: it is not decided yet, so consumers see nothing of it; or a
# person has decided that it is harmless, which an empty cell leaves open.
UNDECIDED = "undecided"
HARMLESS = "none"
SEVERITIES = ("block", "warn")


@dataclass(frozen=True)
class Source:
    """A database that tables are read from."""

    name: str
    kind: str
    url_env: str
    schema: str
    timezone: str
    owner: str
    description: str


@dataclass(frozen=True)
class Column:
    """A column of a table: `source_name` there, `name` in the warehouse.

    `pii` is its class, or that it is undecided; '' also where a person wrote `none`,
    which `is_harmless` says.
    """

    source_name: str
    name: str
    type: CanonicalType
    nullable: bool
    key_position: int | None
    tracked: bool
    cleanse: str
    pii: str
    description: str
    is_harmless: bool = False

    @property
    def value(self) -> str:
        """DuckDB's SQL for the canonical value of a raw one."""
        return self.type.cast(quoted(self.source_name))

    @property
    def fits(self) -> str:
        """The condition under which a value survives `value` whole, or ''."""
        return self.type.fitting(quoted(self.source_name))

    @property
    def shown(self) -> str:
        """The source's value as a rejected row shows it."""
        name = quoted(self.source_name)
        if self.type.duckdb in ("varchar", "json"):
            return f"replace({name}::varchar, chr(0), '␀')"
        return name


@dataclass(frozen=True)
class Rule:
    """A check of a table in a layer; `id` is its name among those of that layer."""

    id: str
    check: Check[Any]
    severity: str
    layer: str
    description: str

    @property
    def column(self) -> str:
        """The column that it is about, '' for one about the table."""
        return self.check.column

    @property
    def text(self) -> str:
        """The check and its argument, as the seed has them."""
        return f"{self.check.name} {self.check.argument}".strip()


@dataclass(frozen=True, order=True)
class RowAccess:
    """Rows whose `column` is `value` are shown to `role`, where `column` filters."""

    role: str
    column: str
    value: str


@dataclass(frozen=True)
class Table:
    """Everything the seed says about one source table."""

    source: Source
    name: str
    model: str
    load_type: LoadType
    watermark_column: str
    delete_mode: str
    on_schema_change: str
    owner: str
    enabled: bool
    description: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    options: Options

    @property
    def log_name(self) -> str:
        """What the table is called here, behind the name of its source."""
        return self.options.log_name or target_name(self.name)

    @property
    def id(self) -> str:
        """`source.table`, the name a person uses; safe, whatever the source's is."""
        return f"{self.source.name}.{self.log_name}"

    @property
    def bronze(self) -> str:
        """Name of the table's log in schema bronze, and of its lake folder."""
        return f"{self.source.name}__{self.log_name}"

    def folder(self, layer: str) -> str:
        """The table's folder in a layer of the lake: raw, bronze or rejects."""
        return f"{layer}/{self.source.name}/{target_name(self.name)}/"

    @property
    def staging(self) -> str:
        """Name of the table's staging model."""
        return f"stg_{self.bronze}"

    @property
    def key(self) -> tuple[Column, ...]:
        """The key's columns in the order of key_position."""
        keyed = [c for c in self.columns if c.key_position]
        return tuple(sorted(keyed, key=lambda c: c.key_position or 0))

    @property
    def key_values(self) -> str:
        """The key's canonical values of raw ones under their names, as a list."""
        return ", ".join(f"{c.value} as {quoted(c.name)}" for c in self.key)

    @property
    def has_long_key(self) -> bool:
        """Whether the key may be too long for an index of Postgres to hold it."""
        kinds = [c.type for c in self.key]
        may_be = self.options.long_key or limits.is_too_long(kinds)
        return may_be and any(map(limits.is_long, kinds))

    @property
    def tracked(self) -> tuple[Column, ...]:
        """The columns whose change makes a new version."""
        return tuple(c for c in self.columns if c.tracked)

    def cleansing(self, column: Column) -> tuple[str, ...]:
        """What decides how the column is cleansed; a phone's country is part of it."""
        if column.cleanse == "phone":
            return (column.cleanse, self.options.phone_country)
        return (column.cleanse,)

    @property
    def has_history(self) -> bool:
        """Whether the model has a `<model>_history` beside it."""
        return bool(self.load_type.history)

    @property
    def derived(self) -> str:
        """The model that is derived from the log: the history if there is one."""
        return f"{self.model}_history" if self.has_history else self.model

    @property
    def generated_names(self) -> tuple[str, ...]:
        """The models that are generated beside the one of the seed's name."""
        names = [self.staging]
        if self.has_history:
            names.append(self.derived)
        if self.options.min_score:
            names.append(f"{self.model}_score")
        if self.load_type.is_snapshot:
            names += [f"{self.model}_latest", f"{self.model}_snapshot"]
        return tuple(names)

    @property
    def window_column(self) -> Column | None:
        """The watermark column, or None for a table that is read whole."""
        named = (c for c in self.columns if c.source_name == self.watermark_column)
        return next(named, None)

    @property
    def clock(self) -> str:
        """The time zone on whose clock the watermark is: UTC for an instant."""
        column = self.window_column
        instant = column is not None and column.type.name == "timestamptz"
        return "UTC" if instant else self.source.timezone

    def fingerprint(self, of: Literal["bytes", "meaning"]) -> str:
        """16 hex digits over facts of the seed.

        `of` is `bytes`, for what changes the files, or `meaning`, for what changes the
        rows of a model when its history is derived again.
        """
        options, kind = self.options, self.load_type.name
        columns = self.columns
        facts: dict[str, object]
        if of == "bytes":
            facts = {
                "columns": [
                    (c.source_name, c.name, c.type.name, c.key_position)
                    for c in columns
                ],
                "window": (
                    kind,
                    self.watermark_column,
                    self.delete_mode,
                    self.source.timezone,
                    options.soft_delete_column,
                    options.null_watermark,
                    options.zero_date,
                ),
            }
            if options.csv_dialect:
                facts["dialect"] = options.csv_dialect
        else:
            facts = {
                "meaning": (
                    kind,
                    options.append_only,
                    options.delete_action,
                    [c.name for c in self.key],
                    [c.name for c in self.tracked],
                    [(c.name, *self.cleansing(c)) for c in columns if c.cleanse],
                )
            }
        text = json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
