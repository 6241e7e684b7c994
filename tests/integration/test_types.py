"""Every type of the source at its extremes: the same value in each place.

The source is the embedded MariaDB, or the server that MYSQL_TEST_SERVER names
(`mysql://USER:PASSWORD@HOST:PORT`), whose user may create tables in `shop`.
"""

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb
import pymysql
import pytest

from ingest import extract
from ingest.sources.mysql import casts
from ingest.sources.mysql.casts import SourceColumn
from orchestration import build, runner, snowflake
from orchestration.outcome import Outcome
from sandbox.servers import mariadb
from tests.clone import Clone, quiet
from tests.unit.test_types_and_options import LISTED

BIG = 2_000_000
BYTES = "unhex('" + bytes(range(256)).hex() + "')"
TEXTS = ["''", "' a  '", r"'a''\"\\\\ \n\t😀€'", "'NULL'", r"'\\x00'"]
NINES = "9" * 65

# A column's declaration and values at its extremes, as SQL. A `+` begins the
# declarations that MariaDB alone knows.
COLUMNS: dict[str, tuple[str, list[str]]] = {
    "flag": ("bool", ["0", "1"]),
    "tiny": ("tinyint", ["-128", "127"]),
    "tiny_u": ("tinyint unsigned", ["0", "255"]),
    "small": ("smallint", ["-32768", "32767"]),
    "small_u": ("smallint unsigned", ["0", "65535"]),
    "medium": ("mediumint", ["-8388608", "8388607"]),
    "medium_u": ("mediumint unsigned", ["0", "16777215"]),
    "whole": ("int", ["-2147483648", "2147483647"]),
    "whole_u": ("int unsigned", ["0", "4294967295"]),
    "padded": ("int(8) unsigned zerofill", ["42"]),
    "big": ("bigint", ["-9223372036854775808", "9223372036854775807", "0"]),
    "big_u": ("bigint unsigned", ["0", "18446744073709551615"]),
    "money": ("decimal(12,2)", ["-9999999999.99", "0.01", "-0.00"]),
    "money_u": ("decimal(10,0) unsigned", ["9999999999", "0"]),
    "fine": ("decimal(38,30)", [f"-{NINES[:8]}.{NINES[:30]}", "1e-30"]),
    "wide": ("decimal(38,0)", [NINES[:38], "-" + NINES[:38]]),
    "wider": ("decimal(39,0)", [NINES[:39], "-1"]),
    "widest": ("decimal(65,0)", [NINES, "-" + NINES]),
    "widest_30": ("decimal(65,30)", [f"{NINES[:35]}.{NINES[:30]}", "-1e-30", "0"]),
    "single": ("float", ["-3.402823466e38", "1.17549435e-38", "0.1", "16777217"]),
    "precise": ("double", ["1.7976931348623157e308", "2.2250738585072014e-308", "0.1"]),
    "bits_1": ("bit", ["b'0'", "b'1'"]),
    "bits_9": ("bit(9)", ["b'101010101'", "0"]),
    "bits_31": ("bit(31)", ["2147483647"]),
    "bits_63": ("bit(63)", ["9223372036854775807"]),
    "bits_64": ("bit(64)", ["18446744073709551615", "0"]),
    "fixed": ("char(20)", TEXTS),
    "nothing": ("char(0)", ["''"]),
    "varying": ("varchar(4000)", [*TEXTS, "repeat('😀', 4000)"]),
    "latin": ("varchar(20) character set latin1", ["'é€ÿ'", "''"]),
    "wide_chars": ("varchar(20) character set utf16", ["'é€😀'"]),
    "wider_chars": ("varchar(20) character set utf32", ["'é€😀'"]),
    "three_bytes": ("varchar(20) character set utf8mb3", ["'é€漢'"]),
    "cyrillic": ("varchar(20) character set cp1251", ["'Привет'"]),
    "kanji": ("varchar(20) character set sjis", ["'漢字'"]),
    "by_bytes": ("varchar(20) character set utf8mb4 collate utf8mb4_bin", TEXTS),
    "latin_bin": ("char(20) character set latin1 collate latin1_bin", ["'Éé'"]),
    "tiny_text": ("tinytext", TEXTS),
    "some_text": ("text", ["repeat('€', 20000)"]),
    "medium_text": ("mediumtext", TEXTS),
    "long_text": ("longtext", [f"repeat('ä', {BIG})", *TEXTS]),
    "one_of": ("enum('', 'a', 'ö,\"b\"')", ["''", "'a'", "'ö,\"b\"'"]),
    "some_of": ("set('x', 'y', 'ö')", ["''", "'x,ö'", "'x,y,ö'"]),
    "bytes_4": ("binary(4)", ["'ab'", "''", "unhex('00ff0000')"]),
    "bytes_any": ("varbinary(300)", [BYTES, "''"]),
    "tiny_blob": ("tinyblob", ["unhex('00')", "''"]),
    "some_blob": ("blob", [BYTES]),
    "medium_blob": ("mediumblob", [BYTES]),
    "long_blob": ("longblob", [f"repeat(unhex('00ff5c78'), {BIG // 4})"]),
    "char_bytes": ("char(4) character set binary", ["unhex('ff00')"]),
    "day": ("date", ["'0001-01-01'", "'1000-01-01'", "'9999-12-31'", "'2024-02-29'"]),
    "lasting": ("time", ["'-838:59:59'", "'838:59:59'", "'00:00:00'", "'-00:00:01'"]),
    "lasting_6": (
        "time(6)",
        ["'838:59:58.999999'", "'-00:00:00.000001'", "'24:00:00'"],
    ),
    "moment": ("datetime", ["'1000-01-01'", "'9999-12-31 23:59:59'"]),
    "moment_3": ("datetime(3)", ["'2024-02-29 12:00:00.001'"]),
    "moment_6": ("datetime(6)", ["'9999-12-31 23:59:59.999999'", "'1970-01-01'"]),
    "instant": ("timestamp null", ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'"]),
    "instant_6": ("timestamp(6) null", ["'2026-03-29 01:30:00.000001'"]),
    "in_year": ("year", ["1901", "2155", "0"]),
    "document": (
        "json",
        [
            """'{"a": [1, -2.5e10, null, {}], "ü😀": "NaN, ] inf\\\\" 1e99999"}'""",
            "'[]'",
            "'null'",
            "'\"\"'",
            """'"\\\\\\\\u0000"'""",
        ],
    ),
    "shape": ("geometry", ["st_geomfromtext('POINT(1 -2)')"]),
    "mapped": ("geometry", ["st_geomfromtext('LINESTRING(0 0,1 2)', 3857)"]),
    "spot": ("point", ["st_geomfromtext('POINT(1.5 1e300)')"]),
    "line": ("linestring", ["st_geomfromtext('LINESTRING(0 0,1 2)')"]),
    "area": ("polygon", ["st_geomfromtext('POLYGON((0 0,1 0,1 1,0 0))', 3857)"]),
    "spots": ("multipoint", ["st_geomfromtext('MULTIPOINT(1 2,3 4)')"]),
    "lines": ("multilinestring", ["st_geomfromtext('MULTILINESTRING((0 0,1 1))')"]),
    "areas": (
        "multipolygon",
        ["st_geomfromtext('MULTIPOLYGON(((0 0,1 0,1 1,0 0)))')"],
    ),
    "shapes": (
        "geometrycollection",
        ["st_geomfromtext('GEOMETRYCOLLECTION(POINT(1 2))', 3857)"],
    ),
    "doubled": ("bigint as (id * 2) virtual", []),
    "tripled": ("decimal(20,1) as (id * 3.5) stored", []),
    "unseen": ("int default 7 invisible", []),
    "uuid": ("+uuid", ["'ffffffff-ffff-ffff-ffff-ffffffffffff'", "uuid()"]),
    "inet_6": ("+inet6", ["'::'", "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'"]),
    "inet_4": ("+inet4", ["'0.0.0.0'", "'255.255.255.255'"]),
}
ROWS = max(len(values) for _, values in COLUMNS.values()) + 1  # the last: all NULL


@dataclass
class Server:
    """A server with the source's tables, and a URL that reads them."""

    url: str
    cursor: pymysql.cursors.Cursor
    is_mariadb: bool

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        self.cursor.execute(query)
        return list(self.cursor.fetchall())

    def columns(self, table: str) -> list[SourceColumn]:
        """The catalogue's columns of a table of `shop`."""
        checks = set()
        if self.is_mariadb:
            checks = {
                name
                for name, clause in self.ask(
                    "select constraint_name, check_clause from "
                    "information_schema.check_constraints where constraint_schema = "
                    f"'shop' and table_name = '{table}' and level = 'Column'"
                )
                if clause == f"json_valid(`{name}`)"
            }
        return [
            SourceColumn(
                row[0], row[1], row[2], row[3] == "YES", *row[4:], row[0] in checks
            )
            for row in self.ask(
                "select column_name, data_type, column_type, is_nullable, "
                "character_maximum_length, numeric_precision, numeric_scale "
                "from information_schema.columns where table_schema = 'shop' "
                f"and table_name = '{table}' order by ordinal_position"
            )
        ]


@pytest.fixture
def server(fresh: Clone) -> Iterator[Server]:
    url = os.environ.get("MYSQL_TEST_SERVER") or fresh.admin_url
    parts = urlsplit(url)
    with (
        pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username,
            password=unquote(parts.password or ""),
            database="shop",
            charset="utf8mb4",
            autocommit=True,
            init_command="set time_zone = '+00:00', sql_mode = ''",
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select version()")
        version = str((cursor.fetchone() or ("",))[0])
        place = f"{url.removesuffix('/').removesuffix('/shop')}/shop"
        server = Server(place, cursor, "MariaDB" in version)
        yield server
        for (table,) in server.ask("show tables like 'type\\_%'"):
            cursor.execute(f"drop table {table}")


@contextmanager
def described(clone: Clone, **lines: Sequence[Sequence[object]]) -> Iterator[None]:
    """Rows are added to files of the seed for a while; the models follow."""
    folder = clone.root / "seeds" / "metadata"
    before = {name: (folder / f"{name}.csv").read_text() for name in lines}
    try:
        for name, text in before.items():
            more = io.StringIO()
            csv.writer(more, lineterminator="\n").writerows(lines[name])
            (folder / f"{name}.csv").write_text(text + more.getvalue())
        clone.generate()
        yield
    finally:
        for name, text in before.items():
            (folder / f"{name}.csv").write_text(text)
        clone.generate()


def table_row(table: str, *, source: str = "shop", watermark: str = "") -> list[object]:
    """A row of tables.csv."""
    load = "scd2" if watermark else "full"
    end = ["none", "evolve", "tests", "true", "For a test"]
    return [source, table, f"{source}_{table}", load, watermark, *end]


def column_row(
    table: str, column: str, kind: str, *, source: str = "shop", tracked: bool = False
) -> list[object]:
    """A row of columns.csv; column `id` is the key."""
    nullable, position = ("false", "1") if column == "id" else ("true", "")
    versions = "true" if tracked and column != "id" else ""
    end = [nullable, position, versions, "", "", "For a test"]
    return [source, table, column, column, kind, *end]


def move(clone: Clone, server: Server, table: str) -> runner.Run:
    """Read and release a table, without a build."""
    with clone.inside(SHOP_URL=server.url):
        return runner.run(clone.tables(table), command="run", with_build=False)


def dbt(clone: Clone, *models: str) -> None:
    """Build models and what they are made of."""
    with clone.inside():
        chosen = " ".join(f"+{model}" for model in models)
        words = ["build", "--target", "postgres", "--select", chosen]
        assert build.run_dbt(words, quiet).failures == []


def oracle(column: SourceColumn, server: Server) -> str:
    """The source's SQL for a value in a form that pymysql gives exactly."""
    name = f"`{column.name}`"
    match column.data_type:
        case "decimal" | "time" | "date" | "datetime" | "timestamp":
            return f"cast({name} as char)"
        case "float":
            return f"{name} + 0e0"
        case "bit":
            return f"{name} + 0"
        case _ if casts.of_source(column).type == "geometry":
            return f"concat(st_srid({name}), ':', hex(st_aswkb({name})))"
        case _ if casts.of_source(column).type == "binary":
            return f"hex({name})"
    return name


def microseconds(text: str) -> int:
    """A TIME as the source writes it."""
    match = re.fullmatch(r"(-?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?", text)
    assert match
    seconds = (int(match[2]) * 60 + int(match[3])) * 60 + int(match[4])
    fraction = int((match[5] or "0").ljust(6, "0"))
    return (seconds * 1_000_000 + fraction) * (-1 if match[1] else 1)


def plain(value: Any, kind: str) -> Any:
    """A value from any place in one form, by its canonical type."""
    if value is None:
        return None
    if kind == "boolean":
        return bool(value)
    if kind.startswith("decimal"):
        return Decimal(str(value))
    if kind == "json":
        return json.loads(value)
    if kind == "duration":
        if isinstance(value, timedelta):
            return value // timedelta(microseconds=1)
        return microseconds(str(value))
    if kind == "date":
        return str(value)
    if kind in ("timestamp", "timestamptz"):
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if value.tzinfo is not None:
            value = value.astimezone(UTC).replace(tzinfo=None)
        return value
    if kind.endswith("geometry") and kind != "raw geometry":
        return geometry(bytes(value)) if isinstance(value, bytes | bytearray) else value
    if kind == "raw geometry":
        return f"{int.from_bytes(value[:4], 'little')}:{value[4:].hex().upper()}"
    if kind == "binary":
        return bytes.fromhex(value) if isinstance(value, str) else bytes(value)
    return value


def geometry(blob: bytes) -> str:
    """(E)WKB as `SRID:WKB`, the latter in hexadecimal."""
    if blob[4] & 0x20:
        srid = int.from_bytes(blob[5:9], "little")
        blob = blob[:4] + bytes([blob[4] & ~0x20]) + blob[9:]
        return f"{srid}:{blob.hex().upper()}"
    return f"0:{blob.hex().upper()}"


def lake_rows(clone: Clone, layer: str, table: str, names: dict[str, str]) -> list[Any]:
    """The rows of a table's only batch, sorted by id."""
    folder = clone.root.parent / "fetched" / layer / table
    folder.mkdir(parents=True, exist_ok=True)
    store, prefix = clone.s3(), f"{layer}/shop/{table}/"
    found = store.list_objects_v2(Bucket="lake", Prefix=prefix)["Contents"]
    for key in (entry["Key"] for entry in found):
        store.download_file("lake", key, str(folder / key.rpartition("/")[2]))
    with duckdb.connect() as engine:
        engine.execute("set timezone = 'UTC'")
        columns = ", ".join(
            # Its Python values need a package.
            f'"{name}"::timestamp' if kind == "timestamptz" else f'"{name}"'
            for name, kind in names.items()
        )
        return engine.execute(
            f"select {columns} from '{folder}/part-*.parquet' order by id"
        ).fetchall()


def extremes(server: Server, table: str, without: str) -> list[SourceColumn]:
    """Create and fill a table of all types; returns its columns.

    `without` matches the names of columns to leave out.
    """
    used = {
        name: (text.lstrip("+"), values)
        for name, (text, values) in COLUMNS.items()
        if (server.is_mariadb or not text.startswith("+"))
        and not re.fullmatch(without, name)
    }
    declared = ", ".join(f"`{name}` {text}" for name, (text, _) in used.items())
    server.cursor.execute(
        f"create table {table} (id int primary key, changed timestamp(6), {declared})"
    )
    for number in range(ROWS):
        given = {n: v[number] for n, (_, v) in used.items() if number < len(v)}
        names = ", ".join(f"`{name}`" for name in ("id", "changed", *given))
        values = ", ".join([str(number), "'2026-01-02 03:04:05.678'", *given.values()])
        server.cursor.execute(f"insert into {table} ({names}) values ({values})")
    return server.columns(table)


class Extremes:
    """A table of all types as the source has it, to compare other places with."""

    def __init__(self, server: Server, table: str, without: str = "none") -> None:
        self.columns = extremes(server, table, without)
        self.kinds = {c.name: casts.of_source(c).type for c in self.columns}
        read = ", ".join(oracle(c, server) for c in self.columns)
        self.wanted = [
            {n: plain(v, k) for (n, k), v in zip(self.kinds.items(), row, strict=True)}
            for row in server.ask(f"select {read} from {table} order by id")
        ]
        for name in self.kinds:
            assert any(row[name] is not None for row in self.wanted), name

    def differing(self, place: str, rows: list[Any]) -> list[tuple[str, ...]]:
        """Where rows, by id, are not the source's: place, column, both values."""
        assert len(rows) == ROWS
        found = []
        for has, row in zip(self.wanted, rows, strict=True):
            for (name, kind), value in zip(self.kinds.items(), row, strict=True):
                form = f"{place} {kind}" if kind == "geometry" else kind
                same = plain(value, form)
                if same != has[name] or type(same) is not type(has[name]):
                    found.append((place, name, str(has[name])[:80], str(value)[:80]))
        return found


def test_each_type_at_its_extremes_is_the_same_in_each_place(
    fresh: Clone, server: Server
) -> None:
    # One table is read by DuckDB's scan, one has what only the source can give.
    tables = {
        "type_scanned": Extremes(server, "type_scanned", "wide(r|st|st_30)"),
        "type_asked": Extremes(server, "type_asked"),
    }
    name = "MariaDB" if server.is_mariadb else "MySQL 8"
    there = {casts.of_source(column) for column in tables["type_asked"].columns}
    listed = {casts.of_source(c) for _, c, servers in LISTED if name in servers}
    assert listed <= there, "the documentation lists more than is tested"
    found = []
    with described(
        fresh,
        tables=[table_row(table, watermark="changed") for table in tables],
        columns=[
            column_row(table, name, kind, tracked=True)
            for table, extreme in tables.items()
            for name, kind in extreme.kinds.items()
        ],
    ):
        result = move(fresh, server, "shop.type_*")
        assert {(o.state, o.error) for o in result.outcomes} == {("released", None)}
        for table, extreme in tables.items():
            for layer in ("raw", "bronze"):
                rows = lake_rows(fresh, layer, table, extreme.kinds)
                found += extreme.differing(layer, rows)
        dbt(fresh, *(f"shop_{table}" for table in tables))
        # No row's hash depends on how it was read.
        again = move(fresh, server, "shop.type_*")
        for outcome in again.outcomes:
            batch = outcome.batches[0]
            assert (batch.rows_read, batch.rows_unchanged) == (ROWS, ROWS)

    for table, extreme in tables.items():
        names = ", ".join(
            f'"{name}"::text' if kind == "json" else f'"{name}"'
            for name, kind in extreme.kinds.items()
        )
        for place in (f"bronze.shop__{table}", f"silver.shop_{table}"):
            rows = fresh.query(f"select {names} from {place} order by id")
            found += extreme.differing(place, rows)
    assert found == []


@pytest.mark.up_to_silver
def test_each_type_at_its_extremes_is_the_same_on_snowflake(
    fresh: Clone, server: Server, emulated: dict[str, str]
) -> None:
    extreme = Extremes(server, "type_asked")
    own = {"SHOP_URL": server.url, "SNOWFLAKE_DATABASE": "types"}
    with (
        described(
            fresh,
            tables=[table_row("type_asked", watermark="changed")],
            columns=[
                column_row("type_asked", name, kind, tracked=True)
                for name, kind in extreme.kinds.items()
            ],
        ),
        fresh.inside(**emulated | own),
    ):
        result = runner.run(fresh.tables("shop.type_asked"), command="run")
        assert result.published, str(result.publish_error)
        assert (result.state, result.published.built.failures) == ("done", [])
        found = []
        with snowflake.connect() as there:
            for place in ("bronze.shop__type_asked", "silver.shop_type_asked"):
                cursor = there.cursor()
                cursor.execute(
                    f"select {', '.join(extreme.kinds)} from types.{place} order by id"
                )
                found += extreme.differing(place, cursor.fetchall())
    assert found == []


# A column, what it is said to be, good values and bad ones, as SQL.
REFUSED = {
    "flag": ("tinyint(1)", "boolean", ["0", "1"], ["2", "-1"]),
    "words": ("varchar(9)", "boolean", ["'Y'", "'no'"], ["'maybe'", "''"]),
    "small": ("bigint", "integer", ["-2147483648"], ["2147483648"]),
    "rounded": ("decimal(12,4)", "decimal(10,2)", ["1.2300"], ["1.2345", "1e8"]),
    "counted": ("varchar(9)", "integer", ["'-12'"], ["'12.7'", "'x'", "''"]),
    "summed": ("varchar(9)", "decimal(5,2)", ["'1.50'"], ["'1.234'", "'1234'"]),
    "narrowed": ("decimal(65,30)", "decimal(20,2)", ["1.25"], ["1.255", "1e30"]),
    "short": ("varchar(9)", "varchar(3)", ["'äöü'"], ["'abcd'"]),
    "text": ("text", "text", ["'a'"], ["concat('a', char(0))"]),
    "decoded": ("varbinary(9)", "text", ["'ö'"], ["unhex('ff')"]),
    "day": ("datetime", "date", ["'2024-01-01'"], ["'2024-01-01 00:00:01'"]),
    "clock": ("time(6)", "time", ["'23:59:59.999999'"], ["'24:00:01'", "'-0:00:01'"]),
    "document": (
        "text",
        "json",
        ["""'{"a":"NaN"}'"""],
        [
            "'[NaN]'",
            "'[1,]'",
            "'[1e999999]'",
            "'-Infinity'",
            "''",
            """'["\\\\u0000"]'""",
        ],
    ),
    "shape": ("varbinary(99)", "geometry", ["unhex('00000000010100000000')"], ["'x'"]),
}


def test_a_value_without_an_exact_one_is_rejected_and_counted(
    fresh: Clone, server: Server
) -> None:
    server.cursor.execute(
        "create table type_refused (id varchar(30) primary key, "
        + ", ".join(f"{name} {kind}" for name, (kind, *_) in REFUSED.items())
        + ")"
    )
    for name, (_, _, good, bad) in REFUSED.items():
        for value in (*good, *bad):
            number = f"{'bad' if value in bad else 'good'} {name} {value!r}"
            server.cursor.execute(
                f"insert into type_refused (id, {name}) values (%s, {value})",
                (number[:30],),
            )
    seed = [column_row("type_refused", "id", "varchar(30)")]
    seed += [column_row("type_refused", n, row[1]) for n, row in REFUSED.items()]
    with described(fresh, tables=[table_row("type_refused")], columns=seed):
        result = move(fresh, server, "shop.type_refused")
    (batch,) = result.outcomes[0].batches
    ids = {key for (key,) in server.ask("select id from type_refused")}
    bad = {key for key in ids if key.startswith("bad")}
    rejects = fresh.query("select source_row ->> 'id', reason from audit.reject")
    assert {key for key, _ in rejects} == bad
    assert {*fresh.query("select id from bronze.shop__type_refused")} == {
        (key,) for key in ids - bad
    }
    assert (batch.rows_read, batch.rows_rejected) == (len(ids), len(bad))
    for key, reason in rejects:
        name = key.split()[1]
        assert reason == f"{name} is not a {REFUSED[name][1]}"


@pytest.fixture
def abroad(fresh: Clone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clone]:
    """The clone, its MariaDB with another default time zone than UTC."""
    fresh.down()
    other = tuple(
        "--default-time-zone=+05:30" if "time-zone" in setting else setting
        for setting in mariadb.SETTINGS
    )
    with monkeypatch.context() as patch:
        patch.setattr(mariadb, "SETTINGS", other)
        fresh.start()
    yield fresh
    fresh.down()
    fresh.start()


def run_at(clone: Clone, now: str, pattern: str) -> list[Outcome]:
    """Move tables when it is `now` in UTC, for the source and for the runner."""
    moment = datetime.fromisoformat(now)
    stamp = int(moment.replace(tzinfo=UTC).timestamp())
    connect = pymysql.connect

    def connect_then(**options: Any) -> Any:
        options["init_command"] += f", timestamp = {stamp}"
        return connect(**options)

    with clone.inside(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(pymysql, "connect", connect_then)
        patch.setattr(extract._Extraction, "_observed_at", lambda self: moment)
        result = runner.run(clone.tables(pattern), command="run", with_build=False)
    assert {(o.state, o.error) for o in result.outcomes} == {("released", None)}
    return result.outcomes


def test_a_source_with_summer_time_loses_no_row_and_no_order(abroad: Clone) -> None:
    clone = abroad
    for table in ("type_local", "type_instant"):
        clone.change(
            f"create table shop.{table} (id int primary key, word varchar(9), "
            "wall datetime(6), instant timestamp(6))"
        )

    def write(number: int, word: str, wall: str, instant: str) -> None:
        """As a server in Berlin would, whose clock shows `wall` at `instant`."""
        for table in ("type_local", "type_instant"):
            clone.change(
                "set time_zone = '+00:00'",
                f"replace into shop.{table} values "
                f"({number}, '{word}', '{wall}', '{instant}')",
            )

    def silver(table: str) -> list[Any]:
        return clone.query(
            f"select id, word, wall, timezone('UTC', instant), _source_ts "
            f"from silver.berlin_{table} where not is_deleted order by id"
        )

    watermarks = {"type_local": "wall", "type_instant": "instant"}
    kinds = {
        "id": "integer",
        "word": "text",
        "wall": "timestamp",
        "instant": "timestamptz",
    }

    def seed(**other: str) -> dict[str, list[list[object]]]:
        zone: list[object] = ["Europe/Berlin", "tests", "For a test"]
        return {
            "sources": [["berlin", "mysql", "SHOP_URL", "shop", *zone]],
            "tables": [
                table_row(table, source="berlin", watermark=column)
                for table, column in watermarks.items()
            ],
            "columns": [
                column_row(table, name, kind, source="berlin", tracked=name == "word")
                for table in watermarks
                for name, kind in (kinds | other).items()
            ],
        }

    with described(clone, **seed()):
        # Spring: the clock never shows 02:30, but an application may write it.
        write(1, "before", "2026-03-29 01:59", "2026-03-29 00:59")
        write(2, "never", "2026-03-29 02:30", "2026-03-29 01:30")
        write(3, "after", "2026-03-29 03:10", "2026-03-29 01:10")
        run_at(clone, "2026-03-29 01:31", "berlin.*")
        # Autumn: the hour from 02:00 to 03:00, for the first time and the second.
        write(1, "first", "2026-10-25 02:50", "2026-10-25 00:50")
        write(2, "once", "2026-10-25 02:40", "2026-10-25 00:40")
        run_at(clone, "2026-10-25 00:58", "berlin.*")
        write(1, "second", "2026-10-25 02:10", "2026-10-25 01:10")
        write(4, "second", "2026-10-25 02:05", "2026-10-25 01:05")
        run_at(clone, "2026-10-25 01:15", "berlin.*")
        write(3, "later", "2026-10-25 03:05", "2026-10-25 02:05")
        run_at(clone, "2026-10-25 02:10", "berlin.*")
        for outcome in run_at(clone, "2026-10-25 02:11", "berlin.*"):
            assert outcome.batches[0].rows_written == 0
        dbt(clone, *(f"berlin_{table}" for table in watermarks))

    for table in watermarks:
        rows = silver(table)
        # A wall clock's time took effect at the instant at which it was shown.
        assert [row[4] for row in rows] == [row[3] for row in rows]
        with clone.source() as cursor:
            cursor.execute("set time_zone = '+00:00'")
            cursor.execute(f"select * from shop.{table} order by id")
            assert [row[:4] for row in rows] == list(cursor.fetchall())
        highs = clone.query(
            "select window_high from audit.batch where table_id = %s "
            "order by batch_seq",
            f"berlin.{table}",
        )
        assert highs == sorted(highs)

    for column, wrong in (("wall", "timestamptz"), ("instant", "timestamp")):
        with described(clone, **seed(**{column: wrong})):
            result = clone.run("berlin.*", with_build=False)
        fault, _ = (str(outcome.error) for outcome in result.outcomes)
        assert f"column {column} is a" in fault
        assert f"Set its data_type to {kinds[column]}" in fault
