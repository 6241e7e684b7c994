"""The metadata seed: its one reader and its one validator.

`load()` reads the files of `seeds/metadata/`, checks them as a whole and
returns typed tables, or raises `MetadataError` with all faults but those that
follow from others. No later step sees a name or a value that was not checked here.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from anyascii import anyascii

from ingest import limits, types
from ingest import options as table_options
from ingest.checks import CHECKS, LAYERS, Check
from ingest.errors import ConfigurationError
from ingest.errors import hint as _hint
from ingest.options import Options
from ingest.types import CanonicalType

FOLDER = Path("seeds/metadata")

HEADERS = {
    "sources": ("source kind url_env schema timezone owner description").split(),
    "tables": (
        "source table model load_type watermark_column delete_mode "
        "on_schema_change owner enabled description"
    ).split(),
    "columns": (
        "source table column name data_type nullable key_position tracked "
        "cleanse pii description"
    ).split(),
    "rules": ("source table column check argument severity layer description").split(),
    "options": "source table option value".split(),
    "row_access": "role column value description".split(),
}

KINDS = ("mysql",)
LOAD_TYPES = ("full", "incremental", "scd1", "scd2", "cdc", "snapshot")
DELETE_MODES = ("none", "soft_flag", "key_scan")
SCHEMA_CHANGES = ("evolve", "freeze", "quarantine")
CLEANSERS = ("trim", "lower", "upper", "email", "phone", "name", "address")
PII_CLASSES = tuple("secret name email phone address birth_date free_text id".split())
# What else `pii` may say: nobody knows yet, so consumers see nothing of it; or a
# person knows it to be harmless, which an empty cell leaves open.
UNDECIDED = "undecided"
HARMLESS = "none"
SEVERITIES = ("block", "warn")

# Names that one of the warehouses wants quoted, or that the log itself uses.
RESERVED = frozenset(
    """
    account all alter analyse analyze and any array as asc asymmetric
    authorization between binary both by case cast check collate collation
    column concurrently connect connection constraint create cross current
    current_catalog current_date current_role current_schema current_time
    current_timestamp current_user database default deferrable delete desc
    distinct do drop else end except exists false fetch following for foreign
    freeze from full grant group gscluster having ilike in increment initially
    inner insert intersect into is isnull issue join lateral leading left like
    limit localtime localtimestamp minus natural not notnull null of offset on
    only or order organization outer overlaps placing primary qualify references
    regexp returning revoke right rlike row rows sample schema select
    session_user set similar some start symmetric system_user table tablesample
    then to trailing trigger true try_cast union unique update user using values
    variadic verbose view when whenever where window with
    cmax cmin ctid tableoid xmax xmin
    is_deleted is_current valid_from valid_to version op
    """.split()
)
# What a score's rows have beside the key.
SCORES = (
    "completeness",
    "validity",
    "uniqueness",
    "consistency",
    "timeliness",
    "score",
)
# How the columns begin that dbt's snapshots add.
OF_SNAPSHOTS = "dbt_"
# dbt cuts a name of Postgres for the `__dbt_backup` of the relation that it replaces;
# two models that differ only behind the cut would share their backup.
_LONGEST = 63 - len("__dbt_backup")
LONGEST_LOG = _LONGEST - len("stg_")
LONGEST_MODEL = _LONGEST - len("_snapshot")
LONGEST_SOURCE = 24
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_ENVIRONMENT_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


class MetadataError(ConfigurationError):
    """The metadata seed has faults; `faults` has a line for each."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(
            f"the metadata seed has {count}; nothing was written.\n" + "\n".join(faults)
        )


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
    def told(self) -> str:
        """The check and its argument, as the seed has them."""
        return f"{self.check.name} {self.check.argument}".strip()


@dataclass(frozen=True)
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
    load_type: str
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
        keyed = [c for c in self.columns if c.key_position is not None]
        return tuple(sorted(keyed, key=lambda c: c.key_position or 0))

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
        return self.load_type in ("scd2", "cdc", "snapshot")

    @property
    def generated_names(self) -> tuple[str, ...]:
        """The models that are generated beside the one of the seed's name."""
        names: tuple[str, ...] = (self.staging,)
        if self.has_history:
            names += (f"{self.model}_history",)
        if self.options.min_score:
            names += (f"{self.model}_score",)
        if self.load_type == "snapshot":
            names += (f"{self.model}_latest", f"{self.model}_snapshot")
        return names

    @property
    def window_column(self) -> Column | None:
        """The watermark column, or None for a table that is read whole."""
        for column in self.columns:
            if column.source_name == self.watermark_column:
                return column
        return None

    @property
    def clock(self) -> str:
        """The time zone on whose clock the watermark is: UTC for an instant."""
        column = self.window_column
        instant = column is not None and column.type.name == "timestamptz"
        return "UTC" if instant else self.source.timezone

    def fingerprint(self, *parts: str) -> str:
        """16 hex digits over the named parts of the seed's facts.

        Parts: `bytes` (what changes the files), `meaning` (what changes the
        rows of a model when its history is derived again).
        """
        facts: dict[str, object] = {}
        if "bytes" in parts:
            facts["columns"] = [
                (c.source_name, c.name, c.type.name, c.key_position)
                for c in self.columns
            ]
            facts["window"] = (
                self.load_type,
                self.watermark_column,
                self.delete_mode,
                self.source.timezone,
                self.options.soft_delete_column,
                self.options.null_watermark,
                self.options.zero_date,
            )
        if "meaning" in parts:
            facts["meaning"] = (
                self.load_type,
                self.options.append_only,
                self.options.delete_action,
                [c.name for c in self.key],
                [c.name for c in self.tracked],
                [(c.name, *self.cleansing(c)) for c in self.columns if c.cleanse],
            )
        text = json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


# Where a word begins inside a name: InvoiceLine, HTMLPage, but not in IDs.
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])(?!.s(?![a-z]))")


def words(name: str) -> str:
    """A name's words in lower case, between underscores: InvoiceLine, invoice_line."""
    return _WORD.sub("_", name).lower()


def target_name(name: str) -> str:
    """A safe warehouse identifier for any source name; it may be a reserved word."""
    safe = re.sub(r"[^a-z0-9_]+", "_", words(anyascii(name))).strip("_")
    if not safe:  # signs alone
        safe = hashlib.sha256(name.encode()).hexdigest()[:8]
    return safe if safe[0].isalpha() else f"x_{safe}"


def _faults_of_name(what: str, name: str) -> list[str]:
    if not _IDENTIFIER.fullmatch(name):
        return [
            f"{what} {name!r} is not a safe name: a lower-case letter, then "
            "lower-case letters, digits and _, 63 characters at most; try "
            f"{target_name(name)!r}"
        ]
    if name in RESERVED:
        return [f"{what} {name!r} is a reserved word; try {name + '_value'!r}"]
    return []


def faults_of_source(name: str) -> list[str]:
    """Why a source can't have that name, with what to do; nothing if it can."""
    faults = _faults_of_name("source", name)
    if "__" in name:
        faults.append("source must not contain '__', which parts names")
    if len(name) > LONGEST_SOURCE:
        faults.append(
            f"source {name!r} is longer than {LONGEST_SOURCE} characters, which leaves "
            "no room for its tables' names; shorten it"
        )
    return faults


def load(root: Path) -> list[Table]:
    """Read and check the seed below `root`; tables sorted by id.

    Raises MetadataError with every fault of all files that follows from no other.
    """
    return _Reader(root).read()


def load_sources(root: Path) -> dict[str, Source]:
    """The sources of the seed below `root` by name; those without tables as well."""
    reader = _Reader(root)
    return reader.sources(reader.rows("sources"))


def load_row_access(root: Path) -> list[RowAccess]:
    """Who may see which rows, from the seed below `root`; sorted."""
    reader = _Reader(root)
    return reader.row_access(reader.rows("row_access"))


def enabled(tables: Iterable[Table], patterns: Iterable[str] = ()) -> list[Table]:
    """The enabled tables, or those of them that `patterns` name.

    A pattern is `source.table`, a model's name, or either with `*`. A pattern
    that fits no table is a ConfigurationError naming what there is.
    """
    live = [t for t in tables if t.enabled]
    wanted = [p for pattern in patterns for p in pattern.split(",") if p]
    if not wanted:
        return live
    chosen: list[Table] = []
    for pattern in wanted:
        glob = re.compile(re.escape(pattern).replace(r"\*", ".*"))
        found = [t for t in live if glob.fullmatch(t.id) or glob.fullmatch(t.model)]
        if not found:
            names = [t.id for t in live]
            raise ConfigurationError(
                f"--tables {pattern}: no enabled table of the metadata seed has "
                f"that name.{_hint(pattern, [*names, *(t.model for t in live)])} "
                f"There are: {', '.join(names)}."
            )
        chosen += [t for t in found if t not in chosen]
    return sorted(chosen, key=lambda t: t.id)


def _is_repeatable(rule: _Row) -> bool:
    return rule["check"] in CHECKS and CHECKS[rule["check"]].repeatable


@dataclass
class _Row:
    """One line of a file, with its place for messages."""

    file: str
    line: int
    values: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values[column]


class _Reader:
    """Reads the files and collects faults; `read` raises them together."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults: list[tuple[str, int, str]] = []
        self.checks: list[tuple[_Row, Check[Any]]] = []

    def read(self) -> list[Table]:
        rows = {name: self.rows(name) for name in HEADERS}
        # Much would follow from a line that is no row, or from a table that is not
        # there: the rest is looked at once these are right.
        self._raise_faults()
        sources = self.sources(rows["sources"])
        before = len(self.faults)
        self._lines_of_tables(rows, sources)
        if len(self.faults) > before:
            self._raise_faults()
        tables = self._tables(rows, sources)
        self.row_access(rows["row_access"])
        self._raise_faults()
        return sorted(tables, key=lambda t: t.id)

    def _raise_faults(self) -> None:
        """Raise them in the order in which the files refer to each other."""
        files = [str(FOLDER / f"{name}.csv") for name in HEADERS]
        ordered = sorted(self.faults, key=lambda f: (files.index(f[0]), f[1]))
        if ordered:
            raise MetadataError([f"{f}:{n}: {text}" for f, n, text in ordered])

    def fault(self, row: _Row, text: str) -> None:
        self.faults.append((row.file, row.line, text))

    def rows(self, name: str) -> list[_Row]:
        path = FOLDER / f"{name}.csv"
        header = HEADERS[name]
        try:
            text = (self.root / path).read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            self.faults.append((str(path), 1, "the file is missing"))
            return []
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            self.faults.append((str(path), line, "not UTF-8; save the file as UTF-8"))
            return []
        reader = csv.reader(io.StringIO(text, newline=""))
        found = next(reader, [])
        if found != header:
            self.faults.append((str(path), 1, f"the header is not {','.join(header)}"))
            return []
        rows = []
        line = reader.line_num + 1
        for values in reader:
            if len(values) == len(header):
                cells = {
                    # A name of the source may begin with a blank.
                    k: v if k in ("table", "column") else v.strip()
                    for k, v in zip(header, values, strict=True)
                }
                rows.append(_Row(str(path), line, cells))
            elif values:
                self.faults.append(
                    (
                        str(path),
                        line,
                        f"{len(values)} cells where the header has {len(header)}; "
                        "quote a cell that holds a comma",
                    )
                )
            line = reader.line_num + 1
        return rows

    def _choice(self, row: _Row, column: str, known: Iterable[str]) -> str:
        value, names = row[column], list(known)
        if value not in names:
            self.fault(
                row,
                f"{column} {value!r} is not known.{_hint(value, names)} "
                f"One of: {', '.join(names)}",
            )
        return value

    def _flag(self, row: _Row, column: str, default: bool) -> bool:
        if row[column] not in ("", "true", "false"):
            self.fault(row, f"{column} is {row[column]!r}; write true or false")
        return row[column] == "true" if row[column] else default

    def _identifier(self, row: _Row, column: str) -> None:
        for told in _faults_of_name(column, row[column]):
            self.fault(row, told)

    def _unique(
        self, rows: list[_Row], what: str, key: Callable[[_Row], tuple[str, ...]]
    ) -> None:
        seen: dict[tuple[str, ...], int] = {}
        for row in rows:
            first = seen.setdefault(key(row), row.line)
            if first != row.line:
                self.fault(
                    row,
                    f"{what} {'.'.join(key(row))} is there already, in line {first}; "
                    "remove one of the two",
                )

    def sources(self, rows: list[_Row]) -> dict[str, Source]:
        self._unique(rows, "source", lambda r: (r["source"],))
        zones = available_timezones()
        sources = {}
        for row in rows:
            for told in faults_of_source(row["source"]):
                self.fault(row, told)
            self._choice(row, "kind", KINDS)
            if not _ENVIRONMENT_NAME.fullmatch(row["url_env"]):
                self.fault(
                    row,
                    f"url_env {row['url_env']!r} is not the name of an environment "
                    "variable; the URL itself (it holds a password) never goes here. "
                    f"Try {row['source'].upper() + '_URL'!r}",
                )
            if not row["schema"]:
                self.fault(row, "schema is empty; name the database to read from")
            if row["timezone"] not in zones:
                self.fault(
                    row,
                    f"timezone {row['timezone']!r} is not known."
                    f"{_hint(row['timezone'], zones)} Use a name such as 'UTC'",
                )
            sources[row["source"]] = Source(
                row["source"],
                row["kind"],
                row["url_env"],
                row["schema"],
                row["timezone"],
                row["owner"],
                row["description"],
            )
        return sources

    def row_access(self, rows: list[_Row]) -> list[RowAccess]:
        self._unique(rows, "row access", lambda r: (r["role"], r["column"], r["value"]))
        for row in rows:
            for name in ("role", "column"):
                self._identifier(row, name)
            if not row["value"]:
                self.fault(row, "value is empty; rows without one are shown to none")
        found = [RowAccess(r["role"], r["column"], r["value"]) for r in rows]
        return sorted(found, key=lambda r: (r.role, r.column, r.value))

    def _lines_of_tables(
        self, rows: dict[str, list[_Row]], sources: dict[str, Source]
    ) -> None:
        """What tables.csv says by itself, and who refers to a table that it has not."""
        self._unique(rows["tables"], "table", lambda r: (r["source"], r["table"]))
        self._unique(rows["tables"], "model", lambda r: (r["model"],))
        self._missing(rows["tables"], ("source",), sources, "source", "sources.csv")
        for row in rows["tables"]:
            self._identifier(row, "model")
            self._choice(row, "load_type", LOAD_TYPES)
            self._choice(row, "delete_mode", DELETE_MODES)
            self._choice(row, "on_schema_change", SCHEMA_CHANGES)
        place = ("source", "table")
        known = {".".join(r[n] for n in place) for r in rows["tables"]}
        for name in ("columns", "options", "rules"):
            self._missing(rows[name], place, known, "table", "tables.csv")
        described = {tuple(r[n] for n in place) for r in rows["columns"]}
        for row in rows["tables"]:
            if (row["source"], row["table"]) not in described:
                told = f"{row['source']}.{row['table']} has no row in columns.csv"
                self.fault(row, told)

    def _missing(
        self,
        rows: list[_Row],
        columns: Iterable[str],
        known: Collection[str],
        what: str,
        file: str,
    ) -> None:
        """A fault for each name in `columns` that is not known, at its first line."""
        strangers: dict[str, list[_Row]] = {}
        for row in rows:
            name = ".".join(row[column] for column in columns)
            if name not in known:
                strangers.setdefault(name, []).append(row)
        for name, lines in strangers.items():
            number = len(lines)
            lines_too = f", which {number} lines name" if number > 1 else ""
            self.fault(
                lines[0],
                f"{what} {name!r} is not in {file}{lines_too}.{_hint(name, known)}",
            )

    def _tables(
        self, rows: dict[str, list[_Row]], sources: dict[str, Source]
    ) -> list[Table]:
        self._unique(
            rows["columns"], "column", lambda r: (r["source"], r["table"], r["column"])
        )
        self._unique(
            rows["columns"], "name", lambda r: (r["source"], r["table"], r["name"])
        )
        self._unique(
            rows["options"], "option", lambda r: (r["source"], r["table"], r["option"])
        )
        self._unique(
            rows["rules"],
            "rule",
            lambda r: (
                r["source"],
                r["table"],
                r["column"],
                r["check"],
                r["layer"],
                *([r["argument"]] if _is_repeatable(r) else []),
            ),
        )
        grouped: dict[tuple[str, str, str], list[_Row]] = {}
        for name in ("columns", "options", "rules"):
            for row in rows[name]:
                place = (name, row["source"], row["table"])
                grouped.setdefault(place, []).append(row)

        def of(name: str, table: _Row) -> list[_Row]:
            return grouped.get((name, table["source"], table["table"]), [])

        tables = [
            self._table(
                row,
                sources[row["source"]],
                of("columns", row),
                of("options", row),
                of("rules", row),
            )
            for row in rows["tables"]
        ]
        self._checks_of_tables(tables)
        self._model_names(rows["tables"], tables)
        self._bronze_names(rows["tables"], tables)
        return tables

    def _model_names(self, rows: list[_Row], tables: list[Table]) -> None:
        """No model may have the name of another one, generated ones included."""
        owners = {name: t.id for t in tables for name in t.generated_names}
        for row in rows:
            name, own = row["model"], f"{row['source']}.{row['table']}"
            if owners.get(name, own) != own:
                self.fault(
                    row,
                    f"model {name!r} is generated for {owners[name]}; choose another "
                    "name",
                )
            if len(name) > LONGEST_MODEL:
                self.fault(
                    row,
                    f"model {name!r} is longer than {LONGEST_MODEL} characters, which "
                    "leaves no room for what is generated around it; shorten it",
                )
            if name in HEADERS:
                self.fault(
                    row, f"model {name!r} is the name of a seed file; choose another"
                )

    def _bronze_names(self, rows: list[_Row], tables: list[Table]) -> None:
        lines = {(r["source"], r["table"]): r for r in rows}
        seen: dict[str, int] = {}
        for table in tables:
            row = lines[table.source.name, table.name]
            first = seen.setdefault(table.bronze, row.line)
            fix = (
                "give it another name by the option log_name in options.csv: "
                f"{row['source']},{row['table']},log_name,NAME"
            )
            if first != row.line:
                self.fault(
                    row,
                    f"its log would be called bronze.{table.bronze}, as that of line "
                    f"{first} is; {fix}",
                )
            elif len(table.bronze) > LONGEST_LOG:
                self.fault(
                    row,
                    f"its log would be called {table.bronze!r}, which is longer than "
                    f"{LONGEST_LOG} characters; {fix}",
                )

    def _table(
        self,
        row: _Row,
        source: Source,
        column_rows: list[_Row],
        option_rows: list[_Row],
        rule_rows: list[_Row],
    ) -> Table:
        load_type = row["load_type"]
        columns = tuple(self._column(r, load_type) for r in column_rows)
        options = self._options(option_rows)
        table = Table(
            source,
            row["table"],
            row["model"],
            load_type,
            row["watermark_column"],
            row["delete_mode"],
            row["on_schema_change"],
            row["owner"] or source.owner,
            self._flag(row, "enabled", True),
            row["description"],
            columns,
            (),
            options,
        )
        table = replace(table, rules=tuple(self._rules(rule_rows, table)))
        for name in (c.name for c in table.key if options.min_score):
            if name in SCORES:
                self.fault(
                    row,
                    f"{table.id}: key column {name!r} is called as a column of the "
                    f"table's score; name it {name + '_value'!r} in columns.csv, or "
                    "leave min_score out",
                )
        self._consistency(row, table, option_rows)
        return table

    def _column(self, row: _Row, load_type: str) -> Column:
        self._identifier(row, "name")
        if load_type == "snapshot" and row["name"].startswith(OF_SNAPSHOTS):
            self.fault(
                row,
                f"name {row['name']!r} begins as the columns that dbt adds to a "
                f"snapshot; try {'x_' + row['name']!r}",
            )
        try:
            kind = types.parse(row["data_type"])
        except ValueError as error:
            self.fault(row, f"data_type {row['data_type']!r}: {error}")
            kind = types.parse("text")
        position = None
        if row["key_position"]:
            if re.fullmatch("[1-9][0-9]?", row["key_position"]):
                position = int(row["key_position"])
            else:
                self.fault(
                    row,
                    f"key_position {row['key_position']!r} is not a number from 1; "
                    "leave it empty for a column outside the key",
                )
        nullable = self._flag(row, "nullable", True)
        if position and nullable:
            self.fault(row, "a key column can't be nullable; write nullable false")
        if row["cleanse"]:
            self._choice(row, "cleanse", CLEANSERS)
            if position:
                self.fault(row, "a key is never cleansed; leave cleanse empty")
            if not kind.postgres.startswith(("varchar", "text")):
                self.fault(row, f"cleanse works on text, not on {kind.name}")
        if row["pii"]:
            self._choice(row, "pii", (*PII_CLASSES, UNDECIDED, HARMLESS))
        is_harmless = row["pii"] == HARMLESS
        if not row["description"]:
            self.fault(row, "description is empty; say what the column holds")
        tracked = self._flag(row, "tracked", False)
        if tracked and load_type not in ("scd2", "snapshot"):
            self.fault(
                row,
                f"tracked has a meaning for scd2 and snapshot only, not for "
                f"{load_type}; leave it empty",
            )
        if tracked and position:
            self.fault(row, "a key column can't be tracked: it names the row")
        return Column(
            row["column"],
            row["name"],
            kind,
            nullable,
            position,
            tracked,
            row["cleanse"],
            "" if is_harmless else row["pii"],
            row["description"],
            is_harmless,
        )

    def _options(self, rows: list[_Row]) -> Options:
        values: dict[str, object] = {}
        for row in rows:
            option = table_options.KNOWN.get(row["option"])
            if option is None:
                self._choice(row, "option", sorted(table_options.KNOWN))
                continue
            try:
                values[row["option"]] = option.parse(row["value"])
            except ValueError as error:
                self.fault(
                    row, f"{row['option']} is {row['value']!r}; it takes {error}"
                )
        return Options(**values)  # type: ignore[arg-type]

    def _rules(self, rows: list[_Row], table: Table) -> Iterator[Rule]:
        columns = {c.name: c.type for c in table.columns}
        key = tuple(c.name for c in table.key)
        grace = table.options.reference_grace_minutes if table.watermark_column else 0
        numbers: dict[tuple[str, str], int] = {}
        for row in rows:
            check = self._check(row, columns, key, grace)
            if check is None:
                continue
            self.checks.append((row, check))
            layer = row["layer"]
            number = numbers.get((layer, check.id), 0) + 1
            numbers[layer, check.id] = number
            yield Rule(
                check.id if number == 1 else f"{check.id}_{number}",
                check,
                row["severity"],
                layer,
                row["description"],
            )

    def _check(
        self,
        row: _Row,
        columns: dict[str, CanonicalType],
        key: tuple[str, ...],
        grace: int,
    ) -> Check[Any] | None:
        """The check of a rule, unless its name, column or argument is wrong."""
        name = self._choice(row, "check", CHECKS)
        self._choice(row, "severity", SEVERITIES)
        layer = self._choice(row, "layer", LAYERS)
        check, column = CHECKS.get(name), row["column"]
        if check is None:
            return None
        if layer in LAYERS and layer not in check.layers:
            self.fault(
                row,
                f"{name} is not a check of the layer {layer}; write "
                f"{' or '.join(check.layers)}",
            )
        if check.scope == "table" and column:
            self.fault(row, f"{name} looks at the whole table; leave column empty")
        elif column not in columns and (column or check.scope == "column"):
            self.fault(
                row,
                f"column {column!r} is not a name in columns.csv of "
                f"{row['source']}.{row['table']}.{_hint(column, columns)}",
            )
        else:
            try:
                return check(row["argument"], column, columns, key, grace)
            except ValueError as error:
                self.fault(row, str(error))
        return None

    def _checks_of_tables(self, tables: list[Table]) -> None:
        """What a check asks of its table and of other ones."""
        models = {t.model: t for t in tables if t.enabled}
        by_name = {(t.source.name, t.name): t for t in tables}
        for row, check in self.checks:
            try:
                check.assert_table(by_name[row["source"], row["table"]], models)
            except ValueError as error:
                self.fault(row, str(error))

    def _consistency(self, row: _Row, table: Table, option_rows: list[_Row]) -> None:
        names = [c.source_name for c in table.columns]
        watermark = table.watermark_column
        if watermark and watermark not in names:
            self.fault(
                row,
                f"watermark_column {watermark!r} is not a column of {table.id}."
                f"{_hint(watermark, names)}",
            )
        elif table.window_column and table.window_column.type.name not in (
            "timestamp",
            "timestamptz",
        ):
            self.fault(
                row,
                f"watermark_column {watermark!r} is {table.window_column.type.name}; "
                "a watermark is a timestamp or timestamptz",
            )
        if table.load_type == "full" and watermark:
            self.fault(
                row, "load_type full reads all rows; leave watermark_column empty"
            )
        if table.load_type == "full" and table.delete_mode != "none":
            self.fault(
                row,
                "load_type full finds deletes by itself; write delete_mode none",
            )
        if table.load_type != "full" and not watermark:
            self.fault(
                row,
                f"load_type {table.load_type} needs a watermark_column: a timestamp "
                f"that grows with each change of a row of {table.id}. Without one, "
                "use load_type full",
            )
        if not table.key and table.load_type != "full":
            self.fault(
                row,
                f"{table.id} has no key; give key_position 1 to the column of "
                "columns.csv that names a row, or use load_type full",
            )
        elif [c.key_position for c in table.key] != list(range(1, len(table.key) + 1)):
            self.fault(
                row,
                f"the key_positions of {table.id} are not 1, 2, …: "
                f"{[c.key_position for c in table.key]}",
            )
        if table.load_type in ("scd2", "snapshot") and not table.tracked:
            self.fault(
                row,
                f"load_type {table.load_type} of {table.model} needs a tracked column; "
                "write tracked true in columns.csv for those whose change makes a new "
                "version",
            )
        flag = table.options.soft_delete_column
        place = {r["option"]: r for r in option_rows}
        if table.delete_mode == "soft_flag" and not flag:
            self.fault(
                row,
                "delete_mode soft_flag needs the option soft_delete_column in "
                "options.csv",
            )
        if flag and table.delete_mode != "soft_flag":
            self.fault(
                place["soft_delete_column"],
                f"soft_delete_column has no effect while delete_mode of {table.id} is "
                f"{table.delete_mode}; write soft_flag in tables.csv",
            )
        if flag and flag not in names:
            self.fault(
                place["soft_delete_column"],
                f"soft_delete_column {flag!r} is not a column of {table.id}."
                f"{_hint(flag, names)}",
            )
        targets = [c.name for c in table.columns]
        row_filter = table.options.row_filter_column
        if row_filter and row_filter not in targets:
            self.fault(
                place["row_filter_column"],
                f"row_filter_column {row_filter!r} is not a name in columns.csv of "
                f"{table.id}.{_hint(row_filter, targets)}",
            )
        for name in table.options.index_columns:
            if name not in targets:
                self.fault(
                    place["index_columns"],
                    f"index_columns {name!r} is not a name in columns.csv of "
                    f"{table.id}.{_hint(name, targets)}",
                )
            elif table.key and name == table.key[0].name:
                self.fault(
                    place["index_columns"],
                    f"index_columns {name!r}: the key's index begins with it already; "
                    "leave it out",
                )
        for name in table.options.cluster_columns:
            if name not in targets:
                self.fault(
                    place["cluster_columns"],
                    f"cluster_columns {name!r} is not a name in columns.csv of "
                    f"{table.id}.{_hint(name, targets)}",
                )
        for option in ("index_columns", "cluster_columns"):
            if getattr(table.options, option) and table.load_type == "snapshot":
                self.fault(
                    place[option],
                    f"{option} has no effect on dbt's snapshots; use scd2",
                )
        country = table.options.phone_country
        phones = [c.name for c in table.columns if c.cleanse == "phone"]
        if phones and not country:
            self.fault(
                row,
                f"cleanse phone of {table.id}.{phones[0]} needs the option "
                "phone_country in options.csv: the column that holds the country, or "
                "a country such as DE",
            )
        if country and not phones:
            self.fault(
                place["phone_country"],
                f"phone_country has no effect: no column of {table.id} has cleanse "
                "phone in columns.csv",
            )
        if country and not country.isupper() and country not in targets:
            self.fault(
                place["phone_country"],
                f"phone_country {country!r} is not a name in columns.csv of "
                f"{table.id}.{_hint(country, targets)}",
            )
        if table.options.append_only and table.load_type != "incremental":
            self.fault(
                place["append_only"],
                f"append_only is for load_type incremental, not {table.load_type}",
            )
        if table.options.append_only and table.delete_mode != "none":
            self.fault(
                place["append_only"],
                "an append_only table loses no rows; write delete_mode none",
            )
        if table.options.replace_window and not table.watermark_column:
            self.fault(
                place["replace_window"],
                f"{table.id} has no watermark_column, so it is replaced as a whole "
                "anyway; leave replace_window out",
            )
        if table.options.key_scan_minutes and table.delete_mode != "key_scan":
            self.fault(
                place["key_scan_minutes"],
                "key_scan_minutes has no effect while delete_mode of "
                f"{table.id} is {table.delete_mode}; write key_scan in tables.csv",
            )
