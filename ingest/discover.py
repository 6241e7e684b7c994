"""Discover: propose the rows of the metadata seed for a source's tables.

What is proposed comes from the source's catalogue and a bounded look at its rows.
Rows are only ever added: what a person wrote stays, and differences are told.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import available_timezones

import pymysql
from rich.console import Console, JustifyMethod
from rich.table import Table as Grid
from rich.text import Text

from ingest import catalogue, generate, metadata, seedfile, settings, types
from ingest.catalogue import Column, Key, SourceTable
from ingest.duck import backticked
from ingest.errors import ConfigurationError
from ingest.metadata import LONGEST_LOG, LONGEST_MODEL, RESERVED, Source, Table
from ingest.options import Options
from ingest.source import connect

# Rows that are looked at to judge a column's values, and texts to judge their kind.
LOOKED_AT = 100_000
SAMPLE = 200
# A look may take that long; the server computes a view before it shows a row.
SECONDS = 2
VIEW_SECONDS = 20
# Columns that share more texts than these are copies; fewer appear by chance.
BY_CHANCE = 4
# Below this many rows an append-only table is better read whole: nothing can be
# missed then.
MANY_ROWS = 100_000
LONGEST_COLUMN = 63

Row = dict[str, str]


@dataclass(frozen=True)
class Choice:
    """How a table is best loaded, and why."""

    load_type: str
    reason: str
    watermark: str = ""
    flag: str = ""
    tracked: frozenset[str] = frozenset()
    is_log: bool = False

    @property
    def name(self) -> str:
        """The load type as a person reads it."""
        return "incremental, append only" if self.is_log else self.load_type

    @property
    def delete_mode(self) -> str:
        """How deletes are found: by the source's mark, else by its keys."""
        if not self.watermark or self.is_log:
            return "none"
        return "soft_flag" if self.flag else "key_scan"


@dataclass(frozen=True)
class Proposal:
    """A table as the seed could describe it: rows by file, and why."""

    table: SourceTable
    model: str
    choice: Choice
    warnings: list[str]
    rows: dict[str, list[Row]]
    texts: dict[str, list[str]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Discovery:
    """What was found: new tables, and what differs in those that are known."""

    source: Source
    is_new_source: bool
    proposals: list[Proposal]
    differences: list[str]
    columns_added: int


def discover(
    root: Path,
    name: str,
    patterns: Iterable[str] = (),
    *,
    url_env: str = "",
    new_columns: bool = False,
) -> Discovery:
    """Add rows for the tables of source `name` that the seed below `root` lacks.

    `patterns` are globs over the source's table names. `new_columns` adds to the
    known tables the columns that they lack. A source that the seed does not name is
    added if its URL is in the environment. Raises ConfigurationError or ServiceError.
    """
    tables = metadata.load(root)
    known = metadata.load_sources(root)
    source = known.get(name) or _new_source(name, url_env)
    found = catalogue.read(source)
    globs = [g for pattern in patterns for g in pattern.split(",") if g]
    chosen = {
        n: t
        for n, t in found.items()
        if not globs or any(fnmatchcase(n, glob) for glob in globs)
    }
    if not chosen:
        raise ConfigurationError(
            f"schema {source.schema} of source {name} has no table "
            f"{' or '.join(globs) or 'that its user may SELECT from'}. There are: "
            f"{', '.join(found) or 'none'}."
        )
    there = {t.name: t for t in tables if t.source.name == name}
    names = _Names(root, tables)
    with connect(source) as connection, connection.cursor() as cursor:
        if name not in known:
            source = _with_timezone(source, cursor)
        proposals = [
            _Judge(source, found, table, cursor).propose(names)
            for n, table in chosen.items()
            if n not in there
        ]
    _classify_copies(proposals)
    told: list[str] = []
    lacking: list[Row] = []
    for n, table in there.items():
        if n in chosen:
            told += differences(table, chosen[n])
            lacking += _lacking(table, chosen[n]) if new_columns else []
        elif n not in found:
            told.append(f"{table.id}: there is no table {n} any more")
    new: dict[str, list[Row]] = {"columns": [*lacking]}
    if name not in known:
        facts = {n: getattr(source, n, "") for n in metadata.HEADERS["sources"]}
        new["sources"] = [facts | {"source": name}]
    for proposal in proposals:
        for file, rows in proposal.rows.items():
            new.setdefault(file, []).extend(rows)
    references = _references(proposals, there, source)
    new.setdefault("rules", []).extend(references)
    children = {row["table"] for row in references}
    for proposal in proposals:
        if proposal.table.name in children and proposal.choice.watermark:
            new.setdefault("options", []).append(_grace(proposal))
    _write(root, new)
    return Discovery(source, name not in known, proposals, told, len(lacking))


def _write(root: Path, new: dict[str, list[Row]]) -> None:
    """Add the rows; the files are as they were if the seed would have a fault."""
    before = {p: p.read_bytes() for p in (root / metadata.FOLDER).glob("*.csv")}
    try:
        for file, rows in new.items():
            seedfile.append(root, file, rows)
        metadata.load(root)
    except BaseException:
        for path, content in before.items():
            path.write_bytes(content)
        raise


# -- the source ---------------------------------------------------------------


def _new_source(name: str, url_env: str) -> Source:
    variable = url_env or f"{name.upper()}_URL"
    source = Source(name, "mysql", variable, "", "UTC", "", f"Database {name}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or "__" in name:
        raise ConfigurationError(
            f"{name!r} is no name for a source: a lower-case letter, then lower-case "
            f"letters, digits and single _; try {metadata.target_name(name)!r}."
        )
    if not os.environ.get(variable):
        raise ConfigurationError(
            f"source {name!r} is not in seeds/metadata/sources.csv. To add it, set "
            f"{variable} to mysql://USER:PASSWORD@HOST:PORT/SCHEMA and type the same "
            "again (`--url-env NAME` takes the URL from another variable)."
        )
    settings.source_url(source)  # tells a URL that is none
    schema = unquote(urlsplit(os.environ[variable]).path.strip("/"))
    if not schema:
        raise ConfigurationError(
            f"{variable} names no schema to read; end it with /SCHEMA: "
            "mysql://USER:PASSWORD@HOST:PORT/SCHEMA."
        )
    return replace(source, schema=schema, description=f"Database {schema}")


def _with_timezone(source: Source, cursor: pymysql.cursors.Cursor) -> Source:
    """The source with the zone its server keeps, where that has a name."""
    cursor.execute("select @@global.time_zone, @@system_time_zone")
    row = cursor.fetchone() or ("", "")
    zone = row[1] if row[0] == "SYSTEM" else row[0]
    known = zone in available_timezones() and zone not in ("UCT", "Etc/UTC", "GMT")
    return replace(source, timezone=zone if known else "UTC")


def _limit_time(cursor: pymysql.cursors.Cursor, seconds: int) -> None:
    """Let no look at the rows take longer; the two servers call it differently."""
    for setting in (
        f"max_statement_time = {seconds}",
        f"max_execution_time = {seconds * 1000}",
    ):
        with suppress(pymysql.err.MySQLError):
            cursor.execute(f"set session {setting}")


# -- names --------------------------------------------------------------------


class _Names:
    """Names that are taken, of which each proposal gets free ones."""

    def __init__(self, root: Path, tables: Iterable[Table]) -> None:
        self.logs = {t.bronze for t in tables}
        self.models = {*generate.hand_written(root), *RESERVED, *metadata.HEADERS}
        for table in tables:
            self.models |= {
                table.model,
                f"{table.model}_history",
                *table.generated_names,
            }

    def log(self, source: Source, name: str) -> str:
        """A name for the table's log, behind that of its source."""
        prefix = f"{source.name}__"
        room = LONGEST_LOG - len(prefix)
        log = free(
            metadata.target_name(name),
            lambda n: (
                prefix + n not in self.logs and f"stg_{prefix}{n}" not in self.models
            ),
            room,
        )
        self.logs.add(prefix + log)
        self.models.add(f"stg_{prefix}{log}")
        return log

    def model(self, source: Source, log: str) -> str:
        """A name for the table's model, which leaves room for a history's."""

        def is_free(name: str) -> bool:
            return not {name, f"{name}_history"} & self.models

        # Another source's table of that name makes both clear.
        wanted = log if is_free(log) else f"{source.name}_{log}"
        model = free(wanted, is_free, LONGEST_MODEL)
        self.models |= {model, f"{model}_history"}
        return model


def free(wanted: str, is_free: Callable[[str], bool], longest: int) -> str:
    """`wanted`, or it with a number behind it, in `longest` characters."""
    name, number = wanted[:longest].rstrip("_"), 1
    while not is_free(name):
        number += 1
        suffix = f"_{number}"
        name = wanted[: longest - len(suffix)].rstrip("_") + suffix
    return name


def column_name(name: str, taken: set[str]) -> str:
    """A free name for a column of the warehouse, which is then taken."""
    safe = metadata.target_name(name)
    if safe in RESERVED:
        safe += "_value"
    safe = free(safe, lambda n: n not in taken and n not in RESERVED, LONGEST_COLUMN)
    taken.add(safe)
    return safe


def _words(name: str) -> str:
    """A name's words in lower case, between underscores."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def described(comment: str, name: str) -> str:
    """A comment of the source as one line; of none, the name in words."""

    def one_line(text: str) -> str:
        printable = "".join(c if c.isprintable() else " " for c in text)
        return " ".join(printable.split()).rstrip(".")

    words = one_line(_words(name).replace("_", " ")).capitalize()
    return one_line(comment) or words or metadata.target_name(name)


# -- a table ------------------------------------------------------------------

_UPDATED = re.compile(
    r"(^|_)(updated|modified|changed|edited|mtime)(_|$)|(^|_)last_?(upd|mod|chang|edit)"
    r"|(^|_)(update|modify|modification|change)_?(at|on|time|date|dt|ts)"
    r"|^(updated|modified|changed)(at|on|time|date)"
)
_CREATED = re.compile(
    r"(^|_)(created|inserted|added|logged|occurred|recorded|happened|received|event"
    r"|log|ts|timestamp|time|at)(_|$)|^(created|logged|occurred)(at|on|time|date)"
)
_LOG = re.compile(r"(^|_)(logs?|events?|audit|history|journal|trail|trace|hits?)(_|$)")
_DELETED = re.compile(r"^(is_?)?(deleted|removed)(_?(at|on|time|date|flag))?$")
_STATE = re.compile(r"(^|_)(status|state|stage|phase)$")

_PII = {
    "email": re.compile(r"e_?mail"),
    "phone": re.compile(r"(^|_)(phone|mobile|cell|tel|fax)|phone(_|$)"),
    "birth_date": re.compile(r"birth|(^|_)dob(_|$)"),
    "address": re.compile(
        r"address|street|postal|(^|_)(zip|post_?code|zip_?code)(_|$)"
    ),
    "id": re.compile(
        r"(^|_)(ssn|passport|iban|tax_?id|national_?id|ip_?addr(ess)?|card_?n(o|umber))"
    ),
    "name": re.compile(
        r"(first|last|full|given|family|middle|maiden|sur|nick|display|contact"
        r"|customer|user|person)_?name"
    ),
    "free_text": re.compile(r"(^|_)(notes?|comments?|remarks?|message|feedback)(_|$)"),
}
_PEOPLE = re.compile(
    r"customer|user|person|people|employee|contact|staff|actor|author|member|patient"
    r"|student|passenger|client|guest"
)
_LOOKS_LIKE = {
    "email": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"),
    "phone": re.compile(r"(?=(.*\d){8})\+?[\d\s()./-]{8,20}"),
    "id": re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}|(\d{1,3}\.){3}\d{1,3}"),
}


@dataclass
class _Looked:
    """What the rows of a table show; a column not named was not judged."""

    beyond: set[str] = field(default_factory=set)  # has values its type has none for
    nulls: set[str] = field(default_factory=set)
    future: set[str] = field(default_factory=set)
    texts: dict[str, list[str]] = field(default_factory=dict)
    failed: bool = False


class _Judge:
    """Judges one table of a source."""

    def __init__(
        self,
        source: Source,
        found: Mapping[str, SourceTable],
        table: SourceTable,
        cursor: pymysql.cursors.Cursor,
    ) -> None:
        self.source = source
        self.found = found
        self.table = table
        self.cursor = cursor
        self.warnings: list[str] = []
        self.types: dict[str, str] = {}

    def propose(self, names: _Names) -> Proposal:
        """The rows for the table, but for the rules that need other tables."""
        _limit_time(self.cursor, VIEW_SECONDS if self.table.is_view else SECONDS)
        self._read_types()
        looked = self._look()
        for name in looked.beyond:
            self.types[name] = types.of_source(self.table.columns[name]).otherwise
        key = self._key(looked)
        choice = self._choose(key, looked)
        columns = self._columns(key, choice, looked)
        if not columns:
            choice = Choice("left out", "no column can be read")
            if not self.table.columns:
                self.warnings.append(f"its columns are not shown: {self._refusal()}")
            return Proposal(self.table, "", choice, self.warnings, {})
        log = names.log(self.source, self.table.name)
        model = names.model(self.source, log)
        options = {
            "soft_delete_column": choice.flag,
            "append_only": "true" if choice.is_log else "",
            "log_name": "" if log == metadata.target_name(self.table.name) else log,
            "by_query": "true" if self._needs_query() else "",
        }
        here = {"source": self.source.name, "table": self.table.name}
        table = {
            "model": model,
            "load_type": choice.load_type,
            "watermark_column": choice.watermark,
            "delete_mode": choice.delete_mode,
            "on_schema_change": "evolve",
            "enabled": "true",
            "description": described(self.table.comment, self.table.name),
        }
        rows = {
            "tables": [table],
            "columns": columns,
            "options": [{"option": k, "value": v} for k, v in options.items() if v],
            "rules": self._rules(columns),
        }
        rows = {file: [here | row for row in new] for file, new in rows.items()}
        return Proposal(self.table, model, choice, self.warnings, rows, looked.texts)

    def _read_types(self) -> None:
        for column in self.table.columns.values():
            proposal = types.of_source(column)
            self.types[column.name] = proposal.type
            if not proposal.type:
                self.warnings.append(f"{column.name} is left out: {proposal.note}")

    def _refusal(self) -> str:
        """What the server says of a table whose columns its catalogue hides.

        It hides those of a view that is broken, or that calls a function which the
        user may not execute.
        """
        place = f"{backticked(self.source.schema)}.{backticked(self.table.name)}"
        try:
            self.cursor.execute(f"show columns from {place}")
        except pymysql.err.MySQLError as error:
            return str(error.args[-1])
        return "the user has no right to any of them"

    def _needs_query(self) -> bool:
        """Whether DuckDB's reader can't name the table or its columns."""
        names = (self.table.name, *self.table.columns)
        return any("`" in n for n in names) or bool(catalogue.ambiguous(self.found))

    # -- a look at the rows ----------------------------------------------------
    def _look(self) -> _Looked:
        """Judge values by up to LOOKED_AT rows; nothing of them is kept."""
        looked = _Looked()
        judged: list[tuple[set[str], Column, str]] = []
        keyed = {name for key in self.table.keys for name in key.columns}
        for column in self.table.columns.values():
            name = backticked(column.name)
            if column.data_type == "tinyint" and self.types[column.name] == "boolean":
                judged.append((looked.beyond, column, f"{name} not in (0, 1)"))
            if column.nullable and (column.name in keyed or _is_clock(column)):
                judged.append((looked.nulls, column, f"{name} is null"))
            if _is_clock(column):
                judged.append((looked.nulls, column, f"{name} = 0"))
                soon = f"{name} > utc_timestamp() + interval 1 day"
                judged.append((looked.future, column, soon))
        texts = [
            column.name
            for column in self.table.columns.values()
            if self.types[column.name].startswith(("varchar", "text"))
            and not column.values
        ]
        try:
            if judged:
                tests = ", ".join(f"max({test})" for _, _, test in judged)
                for (verdict, column, _), is_so in zip(
                    judged, self._ask(tests, LOOKED_AT)[0], strict=True
                ):
                    if is_so:
                        verdict.add(column.name)
            if texts:
                parts = ", ".join(f"left({backticked(n)}, 100)" for n in texts)
                columns = zip(*self._ask(parts, SAMPLE), strict=True)
                looked.texts = {
                    name: [str(v) for v in values if v]
                    for name, values in zip(texts, columns, strict=False)
                }
        except pymysql.err.MySQLError as error:
            looked.failed = True
            looked.beyond |= {c.name for v, c, _ in judged if v is looked.beyond}
            self.warnings.append(
                "its rows could not be looked at, so its names alone were judged: "
                f"{error.args[-1]}"
            )
        return looked

    def _ask(self, columns: str, rows: int) -> list[tuple[Any, ...]]:
        table = f"{backticked(self.source.schema)}.{backticked(self.table.name)}"
        self.cursor.execute(
            f"select {columns} from (select * from {table} limit {rows}) as looked_at"
        )
        return list(self.cursor.fetchall())

    # -- key, load type, deletes -----------------------------------------------
    def _key(self, looked: _Looked) -> Key | None:
        """The primary key, else the best unique one; None is told."""

        def is_fit(key: Key) -> bool:
            columns = [self.table.columns.get(n) for n in key.columns]
            return all(c is not None and self._is_key_type(c) for c in columns)

        def rank(key: Key) -> tuple[bool, bool, int, bool, str]:
            columns = [self.table.columns[n] for n in key.columns]
            return (
                not key.is_primary,
                any(c.nullable for c in columns),
                len(columns),
                not all(c.data_type.endswith("int") for c in columns),
                key.name,
            )

        for key in sorted(filter(is_fit, self.table.keys), key=rank):
            nullable = [n for n in key.columns if self.table.columns[n].nullable]
            if looked.nulls & {*nullable} or (nullable and looked.failed):
                self.warnings.append(f"unique key {key.name} holds NULL: not the key")
                continue
            if nullable:
                self.warnings.append(
                    f"the key {', '.join(nullable)} may be NULL; such rows are rejected"
                )
            return key
        if not self.table.is_view:
            self.warnings.append("no key: the rows can't be told apart")
        return None

    def _is_key_type(self, column: Column) -> bool:
        """Whether the warehouse can look rows up by the column."""
        kind = self.types[column.name]
        if kind in ("", "text", "json", "double", "geometry", "duration"):
            return bool(column.values)
        return (column.length or 0) <= 500

    def _choose(self, key: Key | None, looked: _Looked) -> Choice:
        """A load type that misses nothing, and why."""
        if self.table.is_view:
            return Choice("full", "a view")
        if key is None:
            return Choice("full", "no key")
        clocks = [c for c in self.table.columns.values() if _is_clock(c)]
        for column in sorted(clocks, key=lambda c: not _is_touched(c)):
            name = column.name
            if not (_is_touched(column) or _UPDATED.search(_words(name))):
                continue
            if name in looked.nulls | looked.future or looked.failed:
                what = "NULL or zero" if name in looked.nulls else "in the future"
                self.warnings.append(f"{name} is {what} in some rows: no watermark")
                continue
            return self._with_watermark(key, name)
        written = [c.name for c in clocks if not c.nullable]
        written.sort(key=lambda n: not _CREATED.search(_words(n)))
        for name in written:
            if name not in looked.nulls | looked.future and self._is_log(key, name):
                return Choice(
                    "incremental", f"a log in the order of {name}", name, is_log=True
                )
        return Choice("full", "no column tells when a row changed")

    def _with_watermark(self, key: Key, watermark: str) -> Choice:
        flag = self._soft_delete()
        tracked = {
            c.name
            for c in self.table.columns.values()
            if self.types[c.name]
            and c.name not in (*key.columns, watermark, flag)
            and not (_is_clock(c) and _CREATED.search(_words(c.name)))
        }
        others = [t for t in self.found.values() if t is not self.table]
        is_referred_to = any(
            f.table == self.table.name for t in others for f in t.foreign_keys
        )
        why = f"{watermark} tells when a row changed"
        if any(_STATE.search(_words(name)) for name in tracked):
            return Choice("cdc", f"{why}; moves through states", watermark, flag)
        if is_referred_to and tracked:
            why = f"{why}; others refer to it"
            return Choice("scd2", why, watermark, flag, tracked=frozenset(tracked))
        kind = "incremental" if self.table.foreign_keys else "scd1"
        return Choice(kind, why, watermark, flag)

    def _soft_delete(self) -> str:
        """The column that marks a deleted row, or ''."""
        for column in self.table.columns.values():
            kind = self.types[column.name]
            is_fit = kind in ("boolean", "integer", "date") or _is_clock(column)
            if is_fit and _DELETED.search(_words(column.name)):
                return column.name
        return ""

    def _is_log(self, key: Key, watermark: str) -> bool:
        """Whether rows seem to be added only, later ones with a later time."""
        table = self.table
        others = [t for t in self.found.values() if t is not table]
        number = table.columns[key.columns[0]]
        if (
            len(key.columns) > 1
            or "auto_increment" not in number.extra.lower()
            or self._soft_delete()
            or any(f.table == table.name for t in others for f in t.foreign_keys)
            or not (_LOG.search(_words(table.name)) or (table.rows or 0) > MANY_ROWS)
        ):
            return False
        place = f"{backticked(self.source.schema)}.{backticked(table.name)}"
        try:
            self.cursor.execute(
                f"select {backticked(watermark)} from {place} "
                f"order by {backticked(number.name)} desc limit {SAMPLE * 10}"
            )
        except pymysql.err.MySQLError:
            return False
        times = [value for (value,) in self.cursor.fetchall()]
        return all(b <= a for a, b in itertools.pairwise(times))

    # -- columns and rules -----------------------------------------------------
    def _columns(self, key: Key | None, choice: Choice, looked: _Looked) -> list[Row]:
        taken: set[str] = set()
        rows = []
        for column in self.table.columns.values():
            if not self.types[column.name]:
                continue
            position = ""
            if key and column.name in key.columns:
                position = str(key.columns.index(column.name) + 1)
            row = column_row(column, column_name(column.name, taken))
            row |= {
                "data_type": self.types[column.name],
                "key_position": position,
                "tracked": "true" if column.name in choice.tracked else "",
                "pii": self._pii(column, looked.texts.get(column.name, [])),
            }
            if position:
                row["nullable"] = "false"
            rows.append(row)
        return rows

    def _pii(self, column: Column, texts: list[str]) -> str:
        """The class of personal data by the column's name, else by its texts."""
        name, kind = _words(column.name), self.types[column.name]
        is_text = kind.startswith(("varchar", "text")) and not column.values
        for label, pattern in _PII.items():
            if pattern.search(name) and (is_text or label == "birth_date"):
                return label
        if is_text and name == "name" and _PEOPLE.search(_words(self.table.name)):
            return "name"
        for label, pattern in _LOOKS_LIKE.items():
            fits = sum(bool(pattern.fullmatch(text.strip())) for text in texts)
            if fits >= 5 and fits >= 0.8 * len(texts):
                return label
        return ""

    def _rules(self, columns: list[Row]) -> list[Row]:
        """Rules for the values that an ENUM or SET declares."""
        rows = []
        for row in columns:
            column = self.table.columns[row["column"]]
            if rule := rule_of_values(column):
                rows.append({"column": row["name"]} | rule)
            elif column.values:
                self.warnings.append(f"no rule can hold the values of {column.name}")
        return rows


def column_row(column: Column, name: str) -> Row:
    """The row of columns.csv for a column, outside any key."""
    extra = column.extra.lower()
    description = described(column.comment, column.name)
    if "generated" in extra and "default_generated" not in extra:
        description += " (computed by the source)"
    # A zero date of the source is no date here.
    is_nullable = column.nullable or column.data_type in (
        "date",
        "datetime",
        "timestamp",
    )
    return {
        "column": column.name,
        "name": name,
        "data_type": types.of_source(column).type,
        "nullable": "true" if is_nullable else "false",
        "description": description,
    }


def rule_of_values(column: Column) -> Row:
    """The check and its argument for the values that a column declares, or {}."""
    values = column.values
    if not values:
        return {}
    rule = {
        "severity": "warn",
        "layer": "model",
        "description": "Declared by the source",
    }
    if column.data_type == "enum":
        if any("|" in v or v != v.strip() for v in values) or values == ("",):
            return {}
        return {"check": "one_of", "argument": "|".join(values)} | rule
    if any(re.search(r"[\\^]", v) for v in values):
        return {}
    one = "|".join(re.sub(r"[^\w ]", r"[\g<0>]", v) for v in values)
    return {"check": "matches", "argument": f"^(({one})(,({one}))*)?$"} | rule


def _is_clock(column: Column) -> bool:
    return column.data_type in ("datetime", "timestamp")


def _is_touched(column: Column) -> bool:
    """Whether the server itself sets it whenever the row changes."""
    return "on update" in column.extra.lower()


# -- what needs more than one table ---------------------------------------------


def _classify_copies(proposals: list[Proposal]) -> None:
    """Give a column that holds the texts of a classified one the same class."""
    classified: list[tuple[str, set[str]]] = []
    others: list[tuple[Row, set[str]]] = []
    for proposal in proposals:
        for row in proposal.rows.get("columns", []):
            texts = {t for t in proposal.texts.get(row["column"], []) if len(t) > 5}
            if texts and row["pii"]:
                classified.append((row["pii"], texts))
            elif texts:
                others.append((row, texts))
    for row, texts in others:
        for label, clear in classified:
            if len(texts & clear) > min(BY_CHANCE, len(clear) // 2):
                row["pii"] = label
                break


def _references(
    proposals: list[Proposal],
    tables: Mapping[str, Table],
    source: Source,
) -> list[Row]:
    """Rules for the foreign keys between the source's tables."""
    names = {
        t.name: (t.model, {c.source_name: c.name for c in t.columns})
        for t in tables.values()
        if t.enabled
    } | {
        p.table.name: (p.model, {r["column"]: r["name"] for r in p.rows["columns"]})
        for p in proposals
        if p.rows
    }
    rows: dict[tuple[str, str], Row] = {}
    for proposal in (p for p in proposals if p.rows):
        own = names[proposal.table.name][1]
        for foreign in proposal.table.foreign_keys:
            model, theirs = names.get(foreign.table, ("", {}))
            for column, other in zip(foreign.columns, foreign.references, strict=True):
                if column in own and other in theirs:
                    row = {
                        "source": source.name,
                        "table": proposal.table.name,
                        "column": own[column],
                        "check": "references",
                        "argument": f"{model}.{theirs[other]}",
                        "severity": "warn",
                        "layer": "model",
                        "description": "A foreign key of the source",
                    }
                    rows.setdefault((proposal.table.name, column), row)
    return list(rows.values())


def _grace(proposal: Proposal) -> Row:
    """A new row may refer to one that is committed a little later."""
    return {
        "source": proposal.rows["tables"][0]["source"],
        "table": proposal.table.name,
        "option": "reference_grace_minutes",
        "value": str(Options().overlap_minutes),
    }


def differences(table: Table, found: SourceTable) -> list[str]:
    """What the source's columns are and the seed does not say, a line each."""
    known = {c.source_name: c for c in table.columns}
    lines = []
    for name, column in found.columns.items():
        proposed = types.of_source(column)
        if name not in known:
            lines.append(
                f"{table.id}: column {name} ({column.column_type}) is not read"
            )
        elif proposed.type and not catalogue.fits(column, known[name].type):
            lines.append(
                f"{table.id}: column {name} is {column.column_type}; values that "
                f"{known[name].type.name} does not hold are rejected"
            )
    gone = [name for name in known if name not in found.columns]
    return lines + [f"{table.id}: column {name} is gone" for name in gone]


def new_column_row(column: Column, taken: set[str]) -> Row:
    """The row of columns.csv that adds a column to a known table; {} where none can.

    `taken` are the names of the table's other columns; the new one joins them.
    """
    row = column_row(column, column_name(column.name, taken))
    # The rows that were read before have no value for it.
    return row | {"nullable": "true"} if row["data_type"] else {}


def _lacking(table: Table, found: SourceTable) -> list[Row]:
    known = {c.source_name for c in table.columns}
    taken = {c.name for c in table.columns}
    here = {"source": table.source.name, "table": table.name}
    rows = [
        new_column_row(column, taken)
        for name, column in found.columns.items()
        if name not in known
    ]
    return [here | row for row in rows if row]


# -- telling --------------------------------------------------------------------


def show(result: Discovery, console: Console) -> None:
    """Print what was found and proposed."""
    grid = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for name in ("table", "model", "rows", "load type", "because"):
        align: JustifyMethod = "right" if name == "rows" else "left"
        grid.add_column(name, justify=align, overflow="fold")
    for proposal in result.proposals:
        rows = proposal.table.rows
        grid.add_row(
            Text(proposal.table.name),
            proposal.model,
            "" if rows is None else f"~{rows:,}",
            proposal.choice.name,
            Text(proposal.choice.reason),
        )
    if result.proposals:
        console.print(grid)
    for proposal in result.proposals:
        for line in proposal.warnings:
            console.print(
                Text(f"{proposal.table.name}: {line}", "yellow"), soft_wrap=True
            )
    for line in result.differences:
        console.print(Text(line, "yellow"), soft_wrap=True)
    added = sum(bool(p.rows) for p in result.proposals)
    if not added and not result.columns_added:
        console.print(f"{result.source.name}: nothing was added to the seed.")
        return
    name, columns = result.source.name, result.columns_added
    console.print(
        f"\nadded    {added:,} tables, {columns:,} columns of known tables to "
        f"{metadata.FOLDER}: rows to look at and edit\n"
        f"next     ./seedbed generate   ./seedbed run --tables '{name}.*'",
        soft_wrap=True,
    )
