"""Source and silver, value by value, read without any of the product's code.

What the documentation promises of a table (docs/types.md, docs/options.md,
docs/load-types.md) is computed here from the source's rows, on its own, and held
against each live row of `silver.<model>`. What was reported is no difference: a row in
audit.reject, or one that lies in the source's future and was counted there.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sqlite3
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation, localcontext
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import duckdb
import psycopg
import pymysql
from psycopg import sql
from pymysql.converters import encoders

Key = tuple[Any, ...]
# Makes a cleansed value of a value, the way to cleanse it, and a phone's country.
Cleanse = Callable[[Any, str, str], Any]

# Rows of a table up to which each is read; of more, the first and the last ones are,
# and for all of them what can be summed up.
WHOLE = 50_000
ENDS = 1_000
# Digits in which numbers are computed, so that none is rounded.
EXACT = 500
# Differences of a table that are told.
TOLD = 20

_TRUE = {"1", "t", "true", "y", "yes"}
_FALSE = {"0", "f", "false", "n", "no"}
_LIMITS = {"integer": 2**31, "bigint": 2**63}
_TIME = re.compile(r"(-?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?")
# How a type is read, from silver or from the log, where some are texts.
_CASTS = {"json": "::text", "duration": "::interval", "decimal": "::numeric"}
_GEOMETRIES = (
    "geometry point linestring polygon multipoint multilinestring multipolygon "
    "geometrycollection geomcollection"
).split()


class Difference(NamedTuple):
    """A value, or a whole row (no column), that is not what the source has."""

    table: str
    key: str
    column: str
    source: str
    silver: str

    def __str__(self) -> str:
        place = f"{self.table} {self.key}".strip()
        column = f" {self.column}:" if self.column else ":"
        return f"{place}{column} source {self.source}, silver {self.silver}"


class Unfit(Exception):
    """A value that the declared type has no place for: its row must be rejected."""


# -- values --------------------------------------------------------------------


class Blank:
    """A zero or incomplete date."""


BLANK = Blank()


class NaN(str):
    """A number of Postgres that is none elsewhere, but is a text."""


@dataclass(frozen=True)
class SourceType:
    """What the source's catalogue says of a column."""

    name: str
    is_json: bool = False

    def read(self, raw: Any) -> Any:
        """The value of what the server's text protocol gives."""
        if raw is None:
            return None
        kind = self.name
        if kind == "bit":
            return int.from_bytes(_bytes(raw))
        if kind in _GEOMETRIES:
            return _of_server(_bytes(raw))
        if kind.endswith(("binary", "blob")):
            return _bytes(raw)
        text = raw.decode() if isinstance(raw, bytes) else str(raw)
        if kind.endswith("int") or kind == "year":
            return int(text)
        if kind == "decimal":
            return Decimal(text)
        if kind in ("float", "double"):
            return float(text)
        if kind in ("date", "datetime", "timestamp"):
            return _moment(text, kind)
        if kind == "time":
            return _duration(text)
        return text


def _bytes(raw: Any) -> bytes:
    return bytes(raw) if isinstance(raw, bytes | bytearray) else str(raw).encode()


def _moment(text: str, kind: str) -> date | datetime | Blank:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return BLANK
    return value.date() if kind == "date" else value


def _duration(text: str) -> timedelta:
    match = _TIME.fullmatch(text)
    if not match:
        raise Unfit
    value = timedelta(
        hours=int(match[2]),
        minutes=int(match[3]),
        seconds=int(match[4]),
        microseconds=int((match[5] or "").ljust(6, "0")),
    )
    return -value if match[1] else value


class Geometry(NamedTuple):
    """A shape, whatever form it is written in."""

    srid: int
    wkb: bytes


def _of_server(raw: bytes) -> Geometry:
    return Geometry(int.from_bytes(raw[:4], "little"), raw[4:])


def _of_ewkb(raw: bytes) -> Geometry:
    order = "<" if raw[:1] == b"\1" else ">"
    (kind,) = struct.unpack_from(f"{order}I", raw, 1)
    if not kind & 0x2000_0000:
        return Geometry(0, raw)
    (srid,) = struct.unpack_from(f"{order}I", raw, 5)
    plain = struct.pack(f"{order}I", kind & ~0x2000_0000)
    return Geometry(srid, raw[:1] + plain + raw[9:])


def _number(value: Any) -> Decimal:
    try:
        found = Decimal(value) if isinstance(value, float) else Decimal(str(value))
    except InvalidOperation:
        raise Unfit from None
    if not found.is_finite():
        raise Unfit
    return found


def _fits(number: Decimal, before: int, after: int) -> Decimal:
    """The number, if it has no more digits before and after its point."""
    with localcontext(prec=EXACT):
        scaled = number.scaleb(after)
        if abs(number) >= Decimal(10) ** before or scaled % 1 != 0:
            raise Unfit
    return number


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise Unfit from None
    if isinstance(value, timedelta):
        raise AssertionError("the comparator has no text for a TIME")
    text = str(value)
    if "\0" in text:
        raise Unfit
    return text


class Document(NamedTuple):
    """A JSON value: not its blanks, or the order of its keys."""

    value: Any


def document(text: str) -> Document:
    """A JSON text's value, numbers exactly; Unfit for what Postgres refuses."""

    def refuse(_: str) -> None:
        raise Unfit

    def number(word: str) -> Decimal:
        if re.search(r"[eE][+-]?\d{5}", word):
            raise Unfit
        return Decimal(word)

    try:
        value = json.loads(
            text, parse_float=number, parse_int=Decimal, parse_constant=refuse
        )
    except ValueError:
        raise Unfit from None
    return Document(_frozen(value))


def _frozen(value: Any) -> Any:
    """A JSON value with its types, so that 1 is not true and null is not NULL."""
    match value:
        case str():
            if "\0" in value:
                raise Unfit
            return value
        case list():
            return ("list", *map(_frozen, value))
        case dict():
            pairs = {_frozen(name): _frozen(part) for name, part in value.items()}
            return ("dict", *sorted(pairs.items(), key=lambda pair: pair[0]))
    return (type(value).__name__, value)


def canonical(value: Any, kind: str) -> Any:
    """A source's value as a column of type `kind` must show it; Unfit if it can't."""
    if value is None:
        return None
    if isinstance(value, NaN):
        return str(value) if kind.startswith(("text", "varchar")) else BLANK
    if value is BLANK:  # what becomes of it is the option zero_date's affair
        return BLANK
    sized = re.fullmatch(r"(decimal|varchar)\((\d+)(?:,\s*(\d+))?\)", kind)
    if sized and sized[1] == "decimal":
        scale = int(sized[3])
        return _fits(_number(_plain(value)), int(sized[2]) - scale, scale)
    if sized:
        text = _text(value)
        if len(text) > int(sized[2]):
            raise Unfit
        return text
    match kind:
        case "boolean":
            word = str(_plain(value)).lower()
            if word not in _TRUE | _FALSE:
                raise Unfit
            return word in _TRUE
        case "integer" | "bigint":
            number = _fits(_number(_plain(value)), 19, 0)
            if not -_LIMITS[kind] <= number < _LIMITS[kind]:
                raise Unfit
            return int(number)
        case "double":
            number = _plain(value)
            return number if isinstance(number, float) else float(_number(number))
        case "text":
            return _text(value)
        case "json":
            return document(_text(value))
        case "binary":
            return value if isinstance(value, bytes) else _bytes(value)
        case "geometry":
            return value if isinstance(value, Geometry) else _geometry(value)
    return _time(value, kind)


def _plain(value: Any) -> Any:
    return _text(value).strip() if isinstance(value, str | bytes) else value


def _geometry(value: Any) -> Geometry:
    raw = _bytes(value)
    if raw[4:5] != b"\1" or raw[8:9] != b"\0":
        raise Unfit
    return _of_server(raw)


def _time(value: Any, kind: str) -> Any:
    if isinstance(value, str | bytes):
        text = _text(value)
        if kind in ("time", "duration"):
            value = _duration(text)
        else:
            value = _moment(text, "datetime")
            if value is BLANK:
                raise Unfit
    match kind:
        case "duration" if isinstance(value, timedelta):
            return value
        case "time" if isinstance(value, timedelta):
            if not timedelta() <= value < timedelta(days=1):
                raise Unfit
            return value
        case "date" if isinstance(value, datetime):
            if value.time() != time():
                raise Unfit
            return value.date()
        case "date" if isinstance(value, date):
            return value
        case "timestamp" | "timestamptz" if isinstance(value, datetime):
            return value
        case "timestamp" | "timestamptz" if isinstance(value, date):
            return datetime(value.year, value.month, value.day)
    raise AssertionError(f"the comparator knows no {type(value)} as {kind}")


def shown(value: Any, kind: str) -> Any:
    """A value of silver in the form in which `canonical` gives it."""
    if value is None:
        return None
    match kind:
        case "json":
            return document(value)
        case "geometry":
            return _of_ewkb(bytes(value))
        case "binary":
            return bytes(value)
        case "time":
            return datetime.combine(date.min, value) - datetime.min
        case "timestamptz":
            return value.astimezone(UTC).replace(tzinfo=None)
    return value


def same(source: Any, silver: Any) -> bool:
    """Whether two values are one, of the same type; an empty text is no NULL."""
    if isinstance(source, float) and isinstance(silver, float):
        return source == silver or (source != source and silver != silver)
    if isinstance(source, bool) != isinstance(silver, bool):
        return False
    return type(source) is type(silver) and bool(source == silver)


# -- the seed ------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A row of columns.csv."""

    source_name: str
    name: str
    kind: str
    key_position: int
    is_tracked: bool
    cleanse: str


@dataclass
class Table:
    """What the seed says of a table."""

    source: Mapping[str, str]
    name: str
    model: str
    load_type: str
    watermark: str
    delete_mode: str
    columns: list[Column]
    options: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.source['source']}.{self._safe}"

    @property
    def _safe(self) -> str:
        """The name, or what the project makes of a glob."""
        if self.source["kind"] != "files":
            return self.name
        return re.sub("[^a-z0-9_]+", "_", self.name.lower()).strip("_")

    @property
    def key(self) -> list[Column]:
        keyed = [c for c in self.columns if c.key_position]
        return sorted(keyed, key=lambda c: c.key_position)

    @property
    def log(self) -> str:
        """The table's log, by the name that the project gives it; '' if unknown."""
        name = self.options.get("log_name", self._safe)
        return f"{self.source['source']}__{name}"

    @property
    def shows_all_deletes(self) -> bool:
        """Whether a row that is gone from the source must be gone from silver."""
        if self.load_type == "full":
            return True
        scans = self.options.get("key_scan_minutes", "0") == "0"
        return self.delete_mode == "key_scan" and scans


def _rows(root: Path, name: str) -> list[dict[str, str]]:
    path = root / "seeds" / "metadata" / f"{name}.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def seed(root: Path) -> list[Table]:
    """The enabled tables of a project's seed."""
    sources = {row["source"]: row for row in _rows(root, "sources")}
    tables = {
        (row["source"], row["table"]): Table(
            source=sources[row["source"]],
            name=row["table"],
            model=row["model"],
            load_type=row["load_type"],
            watermark=row["watermark_column"],
            delete_mode=row["delete_mode"],
            columns=[],
        )
        for row in _rows(root, "tables")
        if row["enabled"] != "false"
    }
    for row in _rows(root, "columns"):
        if table := tables.get((row["source"], row["table"])):
            table.columns.append(
                Column(
                    source_name=row["column"],
                    name=row["name"],
                    kind=row["data_type"],
                    key_position=int(row["key_position"] or 0),
                    is_tracked=row["tracked"] == "true",
                    cleanse=row["cleanse"],
                )
            )
    for row in _rows(root, "options"):
        if table := tables.get((row["source"], row["table"])):
            table.options[row["option"]] = row["value"]
    return list(tables.values())


# -- the two sides ---------------------------------------------------------------


class Source:
    """A source's tables, in UTC, by the text protocol: no value is converted."""

    def __init__(self, url: str, schema: str) -> None:
        place = urlsplit(url)
        self.schema = schema
        self._connection = pymysql.connect(
            host=place.hostname,
            port=place.port or 3306,
            user=unquote(place.username or ""),
            password=unquote(place.password or "").encode(),
            charset="utf8mb4",
            init_command="set time_zone = '+00:00'",
            conv=encoders,
        )

    def close(self) -> None:
        self._connection.close()

    def quoted(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def ask(self, text: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(text)
            return list(cursor.fetchall())

    def now(self) -> datetime:
        """The server's clock, in UTC."""
        return datetime.fromisoformat(str(self.ask("select utc_timestamp(6)")[0][0]))

    def types(self, table: str) -> dict[str, SourceType]:
        name = table.replace("\\", "\\\\").replace("'", "''")
        schema = self.schema.replace("\\", "\\\\").replace("'", "''")
        return {
            column: SourceType(kind.lower())
            for column, kind in self.ask(
                "select column_name, data_type from information_schema.columns "
                f"where table_schema = '{schema}' and table_name = '{name}'"
            )
        }

    def count(self, table: str) -> int:
        place = f"{self.quoted(self.schema)}.{self.quoted(table)}"
        return int(self.ask(f"select count(*) from {place}")[0][0])

    def rows(
        self, table: str, types: Mapping[str, SourceType], rest: str = ""
    ) -> list[dict[str, Any]]:
        """Rows of a table, by the source's names of columns."""
        wanted = []
        for name, kind in types.items():
            # The text of a FLOAT has fewer digits than it.
            exact = " + 0e0" if kind.name == "float" else ""
            wanted.append(f"{self.quoted(name)}{exact}")
        place = f"{self.quoted(self.schema)}.{self.quoted(table)}"
        rows = self.ask(f"select {', '.join(wanted)} from {place}{rest}")
        return [
            {n: k.read(v) for (n, k), v in zip(types.items(), row, strict=True)}
            for row in rows
        ]


# What Postgres calls a type, and the type of MySQL whose texts are read alike.
_ALIKE = {
    "smallint": "smallint",
    "integer": "int",
    "bigint": "bigint",
    "oid": "bigint",
    "numeric": "decimal",
    "money": "decimal",
    "real": "float",
    "double precision": "double",
    "date": "date",
    "timestamp without time zone": "datetime",
    "timestamp with time zone": "timestamp",
    "time without time zone": "time",
    "bytea": "blob",
    "character varying": "varchar",
}


@dataclass(frozen=True)
class PostgresType(SourceType):
    """The same of a column of Postgres, with the type's own name."""

    own: str = ""

    def asked(self, column: str) -> str:
        """The SQL for a value's exact text."""
        if self.own == "json of it":
            return f"to_json({column})::text"
        exact = {"real": "::float8", "money": "::numeric"}.get(self.own, "")
        return f"{column}{exact}::text"

    def read(self, raw: Any) -> Any:
        """The value of the server's text of it."""
        if raw is None:
            return None
        if self.name == "blob":
            return bytes.fromhex(raw.removeprefix("\\x"))
        if self.name == "timestamp":
            raw = raw.removesuffix("+00")
        if raw == "NaN" and self.own == "numeric":
            return NaN(raw)
        return super().read(raw)


class PostgresSource(Source):
    """The same of a Postgres."""

    def __init__(self, url: str, schema: str) -> None:
        self.schema = schema
        options = "-c timezone=UTC -c intervalstyle=iso_8601 -c datestyle=ISO"
        self._session = psycopg.connect(url, options=options, autocommit=True)

    def close(self) -> None:
        self._session.close()

    def quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def ask(self, text: str) -> list[tuple[Any, ...]]:
        return self._session.execute(text.encode()).fetchall()

    def now(self) -> datetime:
        (row,) = self.ask("select clock_timestamp() at time zone 'utc'")
        return row[0]  # type: ignore[no-any-return]

    def types(self, table: str) -> dict[str, SourceType]:
        rows = self._session.execute(
            # The standard's own views leave materialised ones out.
            "select a.attname, "
            "case when t.typcategory = 'A' or t.typtype = 'c' then 'json of it' "
            "else format_type(t.oid, null) end, greatest(a.atttypmod, o.typtypmod) > 0 "
            "from pg_attribute a join pg_type o on a.atttypid = o.oid "
            "join pg_type t on t.oid = coalesce(nullif(o.typbasetype, 0), o.oid) "
            "where a.attrelid = %s::regclass and a.attnum > 0 and not attisdropped",
            [f"{self.quoted(self.schema)}.{self.quoted(table)}"],
        ).fetchall()
        found: dict[str, SourceType] = {}
        for name, kind, is_sized in rows:
            alike = _ALIKE.get(kind, "text")
            if kind == "numeric" and not is_sized:
                alike = "text"  # 0.50 stays that where it becomes a text
            found[name] = PostgresType(alike, own=kind)
        return found

    def rows(
        self, table: str, types: Mapping[str, SourceType], rest: str = ""
    ) -> list[dict[str, Any]]:
        wanted = [
            kind.asked(self.quoted(name))
            for name, kind in types.items()
            if isinstance(kind, PostgresType)
        ]
        place = f"{self.quoted(self.schema)}.{self.quoted(table)}"
        rows = self.ask(f"select {', '.join(wanted)} from {place}{rest}")
        return [
            {n: k.read(v) for (n, k), v in zip(types.items(), row, strict=True)}
            for row in rows
        ]


class SqliteType(SourceType):
    """The same of a column of SQLite, by how it is declared."""

    def read(self, raw: Any) -> Any:
        """The value of what Python's client gives."""
        if isinstance(raw, float):
            # What was written is the shortest number that is this double.
            return Decimal(repr(raw)) if raw - raw == 0 else raw
        if isinstance(raw, str) and self.name in ("datetime", "timestamp"):
            return _utc(raw)
        return raw


def _utc(text: str) -> Any:
    """The time that a text says, in UTC where it has an offset; else the text."""
    value = _moment(text, "datetime")
    if isinstance(value, datetime) and value.tzinfo:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return text if value is BLANK else value


class SqliteSource(Source):
    """The same of a file of SQLite."""

    def __init__(self, url: str, schema: str) -> None:
        self.schema = schema
        path = unquote(urlsplit(url).path)
        self._file = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self._file.text_factory = _decoded

    def close(self) -> None:
        self._file.close()

    def quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def ask(self, text: str) -> list[tuple[Any, ...]]:
        return self._file.execute(text).fetchall()

    def now(self) -> datetime:
        return datetime.now(UTC).replace(tzinfo=None)

    def types(self, table: str) -> dict[str, SourceType]:
        rows = self._file.execute(
            "select name, type from pragma_table_xinfo(?)", [table]
        )
        return {name: SqliteType((kind or "").lower()) for name, kind in rows}


def _decoded(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


class FilesSource(Source):
    """The same of the files of a folder."""

    def __init__(self, url: str, schema: str) -> None:
        self.schema = schema
        self._base = Path(unquote(urlsplit(url).path))

    def close(self) -> None:
        pass

    def now(self) -> datetime:
        return datetime.now(UTC).replace(tzinfo=None)

    def types(self, table: str) -> dict[str, SourceType]:
        names = dict.fromkeys(name for row in self._read(table) for name in row)
        return {name: SourceType("text") for name in names}

    def count(self, table: str) -> int:
        return len(self._read(table))

    def rows(
        self, table: str, types: Mapping[str, SourceType], rest: str = ""
    ) -> list[dict[str, Any]]:
        return [{name: row.get(name) for name in types} for row in self._read(table)]

    def _read(self, table: str) -> list[dict[str, Any]]:
        found = []
        for path in sorted(self._base.glob(table)):
            name = path.relative_to(self._base).as_posix()
            folders = dict(p.split("=") for p in name.split("/")[:-1] if "=" in p)
            modified = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
            for number, row in enumerate(_of_file(path), 1):
                own = {"_file": name, "_line": number}
                own["_modified"] = modified.replace(tzinfo=None)
                found.append(row | folders | own)
        return found


def _of_file(path: Path) -> list[dict[str, Any]]:
    """The rows of a file."""
    if path.suffix == ".parquet":
        with duckdb.connect() as engine:
            read = "from read_parquet(?, hive_partitioning = false)"
            cursor = engine.execute(read, [str(path)])
            names = [name for name, *_ in cursor.description or ()]
            rows = [dict(zip(names, r, strict=True)) for r in cursor.fetchall()]
        return [{n: _flat(v) for n, v in row.items()} for row in rows]
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        head = text.partition("\n")[0]
        delimiter = max(",;\t|", key=head.count)
        lines = csv.DictReader(text.splitlines(keepends=True), delimiter=delimiter)
        return [{n: v or None for n, v in row.items()} for row in lines]
    read = [json.loads(line, parse_float=Decimal) for line in text.splitlines()]
    return [{n: _flat(v) for n, v in row.items()} for row in read]


def _flat(value: Any) -> Any:
    """A value, or the JSON of one that has parts."""
    is_json = isinstance(value, bool | list | dict)
    return json.dumps(value, default=float) if is_json else value


SOURCES = {
    "mysql": Source,
    "postgres": PostgresSource,
    "sqlite": SqliteSource,
    "files": FilesSource,
}


class Warehouse:
    """Silver and the control tables of a Postgres."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._connection = psycopg.connect(
            host=env["PGHOST"],
            port=env["PGPORT"],
            user=env["PGUSER"],
            password=env["PGPASSWORD"],
            dbname=env.get("PGDATABASE", "seedbed"),
            options="-c timezone=UTC",
            autocommit=True,
        )

    def close(self) -> None:
        self._connection.close()

    def ask(self, text: str | sql.Composed, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(text, values or None).fetchall()  # type: ignore

    def live(
        self, table: Table, rest: sql.Composable, in_log: bool
    ) -> list[dict[str, Any]]:
        """The live rows of a model, or of a table's log, by its names of columns."""
        name = sql.Identifier
        wanted = [
            sql.SQL("{}{}").format(
                name(c.name), sql.SQL(_CASTS.get(c.kind.split("(")[0], ""))
            )
            for c in table.columns
        ]
        place = sql.SQL("{} as log where not is_deleted").format(
            name("silver", table.model)
        )
        if in_log:
            place = sql.SQL("({}) as log where _op <> 'D'").format(self._newest(table))
        query = sql.SQL("select {}, _batch_seq from {} {}")
        rows = self.ask(query.format(sql.SQL(", ").join(wanted), place, rest))
        names = [*(c.name for c in table.columns), "_batch_seq"]
        kinds = [*(c.kind for c in table.columns), "bigint"]
        return [
            {n: shown(v, k) for n, k, v in zip(names, kinds, row, strict=True)}
            for row in rows
        ]

    def _newest(self, table: Table) -> sql.Composed:
        """The log's released rows: of each key the one that was read last."""
        state = self.ask(
            "select released_through, snapshot_seq from audit.table_state "
            "where table_id = %s",
            table.id,
        )
        through, snapshot = state[0] if state else (0, 0)
        log = sql.Identifier("bronze", table.log)
        if table.load_type == "full":
            return sql.SQL("select * from {} where _batch_seq = {}").format(
                log, snapshot
            )
        key = sql.SQL(", ").join(sql.Identifier(c.name) for c in table.key)
        return sql.SQL(
            "select distinct on ({}) * from {} where _batch_seq <= {} "
            "order by {}, _batch_seq desc, _source_ts desc"
        ).format(key, log, through, key)

    def released_high(self, table: Table) -> datetime | None:
        rows = self.ask(
            "select released_high from audit.table_state where table_id = %s", table.id
        )
        return rows[0][0] if rows else None

    def rejects(self, table: Table) -> list[tuple[int, dict[str, Any]]]:
        """The rows that were reported as rejected, each with its batch."""
        released = "select batch_seq from audit.batch where state = 'released'"
        return self.ask(
            "select batch_seq, source_row from audit.reject where table_id = %s "
            f"and batch_seq in ({released} and table_id = %s)",
            table.id,
            table.id,
        )  # type: ignore[return-value]

    def told_ahead(self, table: Table) -> int:
        """The rows in the source's future that the newest run of a table told."""
        rows = self.ask(
            "select failing_rows from audit.dq_result where table_id = %s "
            "and rule_id = 'watermark_in_reach' and not passed and run_id = "
            "(select run_id from audit.run_table join audit.run using (run_id) "
            "where table_id = %s order by started_at desc limit 1)",
            table.id,
            table.id,
        )
        return max((number or 0 for (number,) in rows), default=0)

    def logged(self, table: Table, columns: Sequence[Column]) -> dict[Key, Key]:
        """What the log has in columns, by key and batch."""
        names = [*table.key, *columns]
        texts = [sql.Identifier(c.name) for c in names]
        rows = self.ask(
            sql.SQL("select _batch_seq, {} from {} where _op <> 'D'").format(
                sql.SQL(", ").join(texts), sql.Identifier("bronze", table.log)
            )
        )
        cut = 1 + len(table.key)
        return {row[:cut]: row[cut:] for row in rows}


# -- the comparison ------------------------------------------------------------


def compare(
    root: Path,
    env: Mapping[str, str],
    tables: Iterable[str] | None = None,
    cleanse: Cleanse | None = None,
    in_log: bool = False,
    is_partial: bool = False,
) -> list[Difference]:
    """Where silver is not what a project's seed makes of its sources.

    `env` has the variables PG* and the sources' URLs. `tables` are names as
    `source.table`, all enabled ones by default. `cleanse` computes a cleansed value;
    without it the log's value, as it came, is held against the source's. With `in_log`
    the released rows of the log are compared, where no model was built. With
    `is_partial` a run was asked for something else than what is new: rows behind the
    released watermark, and deletes, wait for the next one.
    """
    wanted = None if tables is None else set(tables)
    found: list[Difference] = []
    warehouse = Warehouse(env)
    sources: dict[str, Source] = {}
    try:
        for table in seed(root):
            if wanted is not None and table.id not in wanted:
                continue
            name = table.source["source"]
            if name not in sources:
                url = (
                    env.get(table.source["url_env"])
                    or os.environ[table.source["url_env"]]
                )
                kind = SOURCES[table.source["kind"]]
                sources[name] = kind(url, table.source["schema"])
            comparison = _Comparison(
                table, sources[name], warehouse, cleanse, in_log, is_partial
            )
            found += comparison.differences()
    finally:
        warehouse.close()
        for source in sources.values():
            source.close()
    return found


class _Comparison:
    """One table, its source's rows against those of silver."""

    def __init__(
        self,
        table: Table,
        source: Source,
        warehouse: Warehouse,
        cleanse: Cleanse | None,
        in_log: bool,
        is_partial: bool,
    ) -> None:
        self.in_log = in_log
        self.is_partial = is_partial
        self.table = table
        self.source = source
        self.warehouse = warehouse
        self.cleanse = cleanse
        self.found: list[Difference] = []
        self.count = 0
        there = source.types(table.name)
        names = [c.source_name for c in table.columns]
        names += [table.options.get("soft_delete_column", ""), table.watermark]
        self.types = {n: there[n] for n in dict.fromkeys(names) if n in there}
        self.missing = [n for n in names if n and n not in there]

    def differences(self) -> list[Difference]:
        """All of them, up to some number; the last one tells how many more."""
        if self.missing:
            self._tell("", ", ".join(self.missing), "no such column", "a column")
        elif self.source.count(self.table.name) > WHOLE:
            self._sums()
            self._ends()
        else:
            self._whole(
                self.source.rows(self.table.name, self.types),
                self.warehouse.live(self.table, sql.SQL(""), self.in_log),
            )
        if self.count > TOLD:
            more = f"{self.count - TOLD} more differences"
            self.found.append(Difference(self.table.id, more, "", "…", "…"))
        return self.found

    def _tell(self, key: object, column: str, source: object, silver: object) -> None:
        self.count += 1
        if self.count <= TOLD:
            values = (_short(source), _short(silver))
            place = "" if key == "" else _short(key)
            self.found.append(Difference(self.table.id, place, column, *values))

    @property
    def _compared(self) -> list[Column]:
        """The columns whose values are the source's now."""
        if self.table.load_type == "snapshot" and not self.in_log:
            # dbt keeps what a column that is not tracked had when the version began.
            return [c for c in self.table.columns if c.is_tracked or c.key_position]
        return self.table.columns

    # -- all rows
    def _whole(self, there: list[dict[str, Any]], here: list[dict[str, Any]]) -> None:
        expected = [(row, *self._expected(row)) for row in there]
        if self.table.key:
            self._by_key(expected, here)
        else:
            self._as_multisets(expected, here)

    def _expected(self, row: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """A source row's values as silver must show them, and what does not fit."""
        values, unfit = {}, []
        for column in self.table.columns:
            try:
                value = canonical(row[column.source_name], column.kind)
            except Unfit:
                unfit.append(column.name)
                continue
            if value is BLANK:
                value = None
                is_watermark = column.source_name == self.table.watermark
                if self.table.options.get("zero_date") == "reject" and not is_watermark:
                    unfit.append(column.name)
            values[column.name] = value
        return values, unfit

    def _by_key(
        self,
        expected: list[tuple[dict[str, Any], dict[str, Any], list[str]]],
        here: list[dict[str, Any]],
    ) -> None:
        names = [c.name for c in self.table.key]
        live: dict[Key, dict[str, Any]] = {}
        for row in here:
            key = tuple(row[n] for n in names)
            if key in live:
                self._tell(key, "", "one row", "two live rows")
            live[key] = row
        rejects = _Rejects(self.table, self.warehouse.rejects(self.table))
        high, now = self.warehouse.released_high(self.table), self._now()
        raw_log = self._raw_log()
        kept = set()
        ahead = 0
        for row, values, unfit in expected:
            key = tuple(values.get(n) for n in names)
            is_unkeyed = any(part is None for part in key)
            found = None if is_unkeyed else live.get(key)
            kept.add(key)
            instant = self._instant(row) if self.table.watermark else None
            is_ahead = instant is not None and instant > now
            if self._is_marked(row):
                if found is not None and not is_ahead:
                    self._tell(key, "", "marked as deleted", "a live row")
                continue
            is_timeless = bool(self.table.watermark) and row.get(
                self.table.watermark
            ) in (None, BLANK)
            rejected = is_timeless and self._option("null_watermark") != "load"
            if unfit or is_unkeyed or rejected:
                if not rejects.has(row) and not self._is_rest(row, high, now):
                    why = ", ".join(unfit) or (
                        "the key is NULL" if is_unkeyed else "no watermark"
                    )
                    state = "a row" if found else "no row"
                    self._tell(key, "", f"does not fit ({why})", f"{state}, no reject")
                continue
            wrong = self._wrong(row, key, values, found, raw_log)
            # A server that rounds its times writes some that are due in a second.
            is_told = instant is not None and instant - now > timedelta(seconds=1)
            ahead += bool(wrong) and is_told
            if not wrong or rejects.has(row) or self._is_rest(row, high, now):
                continue
            for column, source, silver in wrong:
                self._tell(key, column, source, silver)
        if ahead > (told := self.warehouse.told_ahead(self.table)):
            self._tell("", "", f"{ahead} rows in the future", f"{told} told")
        if self.table.shows_all_deletes and not self.is_partial:
            for key in live.keys() - kept:
                self._tell(key, "", "no row", "a live row")

    def _wrong(
        self,
        row: Mapping[str, Any],
        key: Key,
        values: Mapping[str, Any],
        found: Mapping[str, Any] | None,
        raw_log: Mapping[Key, Mapping[str, Any]] | None,
    ) -> list[tuple[str, Any, Any]]:
        if found is None:
            return [("", "a row", "no live row")]
        out = []
        for column in self._compared:
            wanted, silver = values[column.name], found[column.name]
            if column.cleanse and self.in_log:
                pass  # the log has the value as it came
            elif column.cleanse and self.cleanse:
                wanted = self.cleanse(wanted, column.cleanse, self._country(row))
            elif column.cleanse and raw_log is not None:
                silver = raw_log.get((found["_batch_seq"], *key), {}).get(column.name)
            if not same(wanted, silver):
                out.append((column.name, wanted, silver))
        return out

    def _country(self, row: Mapping[str, Any]) -> str:
        """The country of a phone number without one: a column has it, or the seed."""
        country = self._option("phone_country")
        return str(row.get(country, country))

    def _raw_log(self) -> dict[Key, dict[str, Any]] | None:
        """The log's values of cleansed columns, which are cleansed only behind it."""
        cleansed = [c for c in self.table.columns if c.cleanse]
        if not cleansed or self.cleanse or self.in_log:
            return None
        names = [c.name for c in cleansed]
        return {
            key: dict(zip(names, values, strict=True))
            for key, values in self.warehouse.logged(self.table, cleansed).items()
        }

    def _as_multisets(
        self,
        expected: list[tuple[dict[str, Any], dict[str, Any], list[str]]],
        here: list[dict[str, Any]],
    ) -> None:
        """Rows without a key: each as often as the source has it."""
        names = [c.name for c in self.table.columns]

        def whole(values: Mapping[str, Any]) -> Key:
            return tuple(values[n] for n in names)

        there = Counter(whole(v) for _, v, unfit in expected if not unfit)
        unfit = sum(1 for *_, columns in expected if columns)
        silver = Counter(whole(row) for row in here)
        rejects = self.warehouse.rejects(self.table)
        newest = max((seq for seq, _ in rejects), default=0)
        shown_in = max((row["_batch_seq"] for row in here), default=0)
        spare = [seq for seq, _ in rejects if seq == newest and seq >= shown_in]
        if unfit > len(spare):
            self._tell("", "", f"{unfit} rows that don't fit", f"{len(spare)} rejects")
        left = len(spare) - unfit
        for row, number in (there - silver).items():
            if left >= number:
                left -= number
            else:
                self._tell(row, "", f"{number} rows more", "less")
        for row, number in (silver - there).items():
            self._tell(row, "", "less", f"{number} rows more")

    # -- what is reported, and what is documented
    def _option(self, name: str) -> str:
        return self.table.options.get(name, "")

    def _is_marked(self, row: Mapping[str, Any]) -> bool:
        name = self._option("soft_delete_column")
        return bool(name) and row[name] not in (None, 0, False, "", "0", BLANK)

    def _now(self) -> datetime:
        return self.source.now()

    def _instant(self, row: Mapping[str, Any]) -> datetime | None:
        """A row's watermark in UTC."""
        value = row.get(self.table.watermark)
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        if not isinstance(value, datetime):
            return None
        if self.types[self.table.watermark].name == "timestamp":
            return value
        zone = ZoneInfo(self.table.source["timezone"] or "UTC")
        try:
            local = value.replace(tzinfo=zone, fold=1)
            return local.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:
            return value

    def _is_rest(
        self, row: Mapping[str, Any], high: datetime | None, now: datetime
    ) -> bool:
        """Whether a row is not due yet: it lags behind, or is in the future."""
        if self.table.load_type == "full" or not self.table.watermark:
            return False
        instant = self._instant(row)
        if instant is None or (high is not None and instant <= high):
            return False
        lags = self._option("lag_seconds") not in ("", "0")
        return instant > now or lags or self.is_partial

    # -- a table of many rows
    def _sums(self) -> None:
        """What can be summed up on both servers alike."""
        rejected = bool(self.warehouse.rejects(self.table))
        if rejected or self._option("soft_delete_column") or self.in_log:
            return
        if not self.table.shows_all_deletes or self.is_partial:
            return
        there, here, names = ["count(*)"], [sql.SQL("count(*)")], ["rows"]
        for column in self._compared:
            if column.cleanse:
                continue
            kind = self.types[column.source_name].name
            name, own = (
                self.source.quoted(column.source_name),
                sql.Identifier(column.name),
            )
            there.append(f"count({name})")
            here.append(sql.SQL("count({})").format(own))
            names.append(f"count({column.name})")
            is_number = kind.endswith("int") or kind == "decimal"
            if is_number and column.kind.startswith(("int", "bigint", "decimal")):
                there.append(f"sum({name})")
                here.append(sql.SQL("sum({})").format(own))
                names.append(f"sum({column.name})")
            if kind.endswith(("char", "text")) and column.kind.startswith(
                ("text", "varchar")
            ):
                there.append(f"sum(char_length({name}))")
                here.append(sql.SQL("sum(length({}))").format(own))
                names.append(f"sum(length({column.name}))")
        quoted = self.source.quoted
        place = f"{quoted(self.source.schema)}.{quoted(self.table.name)}"
        (source,) = self.source.ask(f"select {', '.join(there)} from {place}")
        (silver,) = self.warehouse.ask(
            sql.SQL("select {} from {} where not is_deleted").format(
                sql.SQL(", ").join(here), sql.Identifier("silver", self.table.model)
            )
        )
        for name, one, other in zip(names, source, silver, strict=True):
            if (one is None) != (other is None) or (
                one is not None and Decimal(one) != Decimal(other)
            ):
                self._tell("all rows", name, one, other)

    def _ends(self) -> None:
        """The first rows and the last ones by key, each as a whole."""
        if not self.table.key:
            return
        (first, *_) = self.table.key
        name, own = self.source.quoted(first.source_name), sql.Identifier(first.name)
        if self.types[first.source_name].name not in ("int", "bigint"):
            return
        for order in ("", " desc"):
            there = self.source.rows(
                self.table.name, self.types, f" order by {name}{order} limit {ENDS}"
            )
            bounds = [row[first.source_name] for row in there]
            here = self.warehouse.live(
                self.table,
                sql.SQL("and {} between {} and {}").format(
                    own, min(bounds), max(bounds)
                ),
                self.in_log,
            )
            self._whole(there, here)


class _Rejects:
    """The rows that audit.reject has of a table."""

    def __init__(self, table: Table, rows: list[tuple[int, dict[str, Any]]]) -> None:
        self.table = table
        newest = max((seq for seq, _ in rows), default=0)
        if table.load_type == "full":
            rows = [row for row in rows if row[0] == newest]
        self.keys = {self._key(row) for _, row in rows}

    def _key(self, row: Mapping[str, Any]) -> Key:
        names = [c.source_name for c in self.table.key]
        if self.table.watermark:
            # A reject tells of the row that was read, not of what became of it.
            names.append(self.table.watermark)
        own = {c.source_name: c.name for c in self.table.columns}
        return tuple(_plain_text(row.get(n, row.get(own.get(n)))) for n in names)

    def has(self, row: Mapping[str, Any]) -> bool:
        return self._key(row) in self.keys


def _plain_text(value: Any) -> str:
    """A value as a reject's JSON has it, near enough to find its row."""
    if value is None or value is BLANK:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Decimal | float):
        return _digits(str(value))
    if isinstance(value, datetime):
        value = value.isoformat(" ")
    if isinstance(value, timedelta):
        seconds = abs(value) // timedelta(seconds=1)
        sign = "-" if value < timedelta() else ""
        hours, rest = divmod(seconds, 3600)
        part = abs(value) % timedelta(seconds=1) // timedelta(microseconds=1)
        text = f"{sign}{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
        return f"{text}.{part:06d}".rstrip("0") if part else text
    if isinstance(value, bytes):
        return "".join(
            chr(b) if 32 <= b < 127 and b not in (34, 39, 92) else f"\\x{b:02X}"
            for b in value
        )
    text = str(value).replace("\0", "␀")
    if re.match(r"\d{4}-(00-\d\d|\d\d-00)( |$)", text):
        return ""  # zero or incomplete, as BLANK is
    if re.fullmatch(
        r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d(:?\d\d)?|Z)?", text
    ):
        text = re.sub(r"([+-]\d\d(:?\d\d)?|Z)$", "", text.replace("T", " "))
        return text.rstrip("0").rstrip(".") if "." in text else text
    if re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text):
        return _digits(text)
    return text


def _digits(text: str) -> str:
    with localcontext(prec=EXACT):
        return f"{Decimal(text).normalize():f}"


def _short(value: object) -> str:
    if isinstance(value, str) and " " not in value[:60]:
        return value if len(value) <= 60 else f"{value[:57]}…"
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
