"""Canonical types, options and settings: what is accepted, what it means, what not."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import pytest

from ingest import clock, settings
from ingest.errors import ConfigurationError
from ingest.seed import metadata, options, types
from ingest.seed.metadata import Source
from ingest.seed.options import DEFAULTS
from ingest.sources.kind import Proposal
from ingest.sources.mysql import casts
from ingest.sources.mysql.casts import SourceColumn
from ingest.sources.postgres import casts as postgres
from ingest.sources.sqlite import casts as sqlite
from ingest.standardise import canonical
from tests.clone import REPOSITORY

SHOP = Source("shop", "mysql", "SHOP_URL", "shop", "UTC", "commerce", "The shop")


@pytest.mark.parametrize(
    ("name", "duckdb_type", "postgres", "snowflake"),
    [
        ("boolean", "boolean", "boolean", "boolean"),
        ("integer", "integer", "integer", "integer"),
        ("bigint", "bigint", "bigint", "bigint"),
        ("double", "double", "double precision", "double precision"),
        ("decimal(12,2)", "decimal(12,2)", "numeric(12,2)", "numeric(12,2)"),
        ("decimal(38, 38)", "decimal(38,38)", "numeric(38,38)", "numeric(38,38)"),
        ("decimal(39,0)", "varchar", "numeric(39,0)", "text"),
        ("decimal(65,30)", "varchar", "numeric(65,30)", "text"),
        ("varchar(20)", "varchar", "varchar(20)", "varchar(20)"),
        ("text", "varchar", "text", "text"),
        ("date", "date", "date", "date"),
        ("time", "time", "time", "time"),
        ("duration", "varchar", "interval", "text"),
        ("timestamp", "timestamp", "timestamp", "timestamp_ntz"),
        ("timestamptz", "timestamptz", "timestamp with time zone", "timestamp_tz"),
        ("json", "json", "jsonb", "variant"),
        ("binary", "blob", "bytea", "binary"),
        ("geometry", "blob", "bytea", "binary"),
    ],
)
def test_a_canonical_type_has_its_name_in_every_system(
    name: str, duckdb_type: str, postgres: str, snowflake: str
) -> None:
    found = types.parse(name)
    assert (found.duckdb, found.postgres, found.snowflake) == (
        duckdb_type,
        postgres,
        snowflake,
    )
    with duckdb.connect() as engine:
        engine.execute(f"select cast(null as {found.duckdb})")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("string", "known types: bigint"),
        ("", "known types"),
        ("INTEGER", "known types"),
        ("decimal", "decimal(p,s)"),
        ("decimal(0,0)", "a precision from 1 to 65"),
        ("decimal(66,0)", "a precision from 1 to 65"),
        ("decimal(65,39)", "a scale up to its precision and 38"),
        ("decimal(3,4)", "a scale up to its precision"),
        ("decimal(3,-1)", "known types"),
        ("varchar(0)", "a length from 1 to 65535"),
        ("varchar(65536)", "a length from 1 to 65535"),
        ("varchar(10); drop", "known types"),
    ],
)
def test_another_type_is_refused_with_what_is_known(name: str, told: str) -> None:
    with pytest.raises(ValueError, match=told.replace("(", r"\(").replace(")", r"\)")):
        types.parse(name)


@pytest.mark.parametrize("name", ["duration", "decimal(39,9)"])
def test_the_log_holds_as_text_what_only_postgres_can_make(name: str) -> None:
    assert types.parse(name).log == "text"
    assert types.parse("json").log == "json"  # parsed where it is cast
    others = ("text", "varchar(9)", "decimal(38,9)", "binary", "timestamptz")
    for other in map(types.parse, others):
        assert other.log == other.postgres


BOTH, MARIADB = ("MariaDB", "MySQL 8"), ("MariaDB",)
# The types as docs/types.md lists them: how they are written, an example of each and
# the servers that the tests read it from.
LISTED: tuple[tuple[str, SourceColumn, tuple[str, ...]], ...] = (
    ("BOOL, TINYINT(1)", SourceColumn("", "tinyint", "tinyint(1)"), BOTH),
    (
        "TINYINT, SMALLINT, MEDIUMINT, each UNSIGNED as well",
        SourceColumn("", "mediumint", "mediumint unsigned"),
        BOTH,
    ),
    ("INT", SourceColumn("", "int", "int"), BOTH),
    ("INT UNSIGNED", SourceColumn("", "int", "int unsigned"), BOTH),
    ("BIGINT", SourceColumn("", "bigint", "bigint"), BOTH),
    ("BIGINT UNSIGNED", SourceColumn("", "bigint", "bigint unsigned"), BOTH),
    (
        "DECIMAL(p,s), p to 38",
        SourceColumn("", "decimal", "decimal(12,2)", precision=12, scale=2),
        BOTH,
    ),
    (
        "DECIMAL(p,s), p from 39 to 65",
        SourceColumn("", "decimal", "decimal(65,30)", precision=65, scale=30),
        BOTH,
    ),
    ("FLOAT", SourceColumn("", "float", "float"), BOTH),
    ("DOUBLE", SourceColumn("", "double", "double"), BOTH),
    ("BIT(1)", SourceColumn("", "bit", "bit(1)", precision=1), BOTH),
    ("BIT(n), n to 31", SourceColumn("", "bit", "bit(31)", precision=31), BOTH),
    ("BIT(n), n to 63", SourceColumn("", "bit", "bit(63)", precision=63), BOTH),
    ("BIT(64)", SourceColumn("", "bit", "bit(64)", precision=64), BOTH),
    (
        "CHAR(n), VARCHAR(n)",
        SourceColumn("", "varchar", "varchar(20)", length=20),
        BOTH,
    ),
    (
        "CHAR(0), TINYTEXT, TEXT, MEDIUMTEXT, LONGTEXT",
        SourceColumn("", "longtext", "longtext"),
        BOTH,
    ),
    ("ENUM, SET", SourceColumn("", "enum", "enum('a')"), BOTH),
    (
        "BINARY, VARBINARY, TINYBLOB, BLOB, MEDIUMBLOB, LONGBLOB",
        SourceColumn("", "blob", "blob"),
        BOTH,
    ),
    ("DATE", SourceColumn("", "date", "date"), BOTH),
    ("TIME, TIME(0) to TIME(6)", SourceColumn("", "time", "time(6)"), BOTH),
    ("DATETIME(0) to DATETIME(6)", SourceColumn("", "datetime", "datetime"), BOTH),
    ("TIMESTAMP(0) to TIMESTAMP(6)", SourceColumn("", "timestamp", ""), BOTH),
    ("YEAR", SourceColumn("", "year", "year"), BOTH),
    ("JSON", SourceColumn("", "json", "json"), BOTH),
    (
        "GEOMETRY, POINT, LINESTRING, POLYGON, their MULTI… and collections",
        SourceColumn("", "geometry", "geometry"),
        BOTH,
    ),
    ("UUID", SourceColumn("", "uuid", "uuid"), MARIADB),
    ("INET6", SourceColumn("", "inet6", "inet6"), MARIADB),
    ("INET4", SourceColumn("", "inet4", "inet4"), MARIADB),
)
# What DuckDB's types are called in a Parquet file.
PARQUET = {
    "boolean": "BOOLEAN",
    "integer": "INT32",
    "bigint": "INT64",
    "double": "DOUBLE",
    "varchar": "STRING",
    "json": "JSON",
    "blob": "BYTE_ARRAY",
    "date": "DATE",
    "time": "TIME, µs",
    "timestamp": "TIMESTAMP, µs, local",
    "timestamptz": "TIMESTAMP, µs, UTC",
}


def listed(label: str, found: Proposal, *more: str) -> list[str]:
    """A row of the documentation's table: what becomes of a type."""
    kind = types.parse(found.type)
    note = found.note
    if found.otherwise:
        note += f"; `{types.parse(found.otherwise).name}` where it holds other values"
    parquet = PARQUET.get(kind.duckdb, kind.duckdb.upper())
    names = [parquet, kind.postgres, kind.snowflake]
    return [label, f"`{kind.name}`", *names, note.lstrip("; "), *more]


def assert_listed(*rows: list[str]) -> None:
    """The documentation has the table."""
    head, *others = rows
    lines = [head, ["---"] * len(head), *others]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    assert f"\n\n{table}\n\n" in (REPOSITORY / "docs/types.md").read_text(), table


HEAD = ["source", "canonical", "Parquet", "Postgres", "Snowflake", "note"]


def test_the_documentation_lists_what_becomes_of_each_type() -> None:
    places = {"MariaDB": "tests", "MySQL 8": "workflow"}
    rows = [[*HEAD, *places]]
    for label, column, servers in LISTED:
        marks = [places[server] if server in servers else "" for server in places]
        rows.append(listed(label, casts.of_source(column), *marks))
    assert_listed(*rows)


def of_numeric(precision: int, scale: int) -> int:
    """How Postgres' catalogue writes the size of a numeric."""
    return (precision << 16) + (scale & 2047) + 4


# Types of Postgres by their label, with the name and size that its catalogue has.
OF_POSTGRES = (
    ("boolean", "bool", -1),
    ("smallint, integer", "int4", -1),
    ("bigint, oid", "int8", -1),
    ("numeric(p,s), p to 38", "numeric", of_numeric(12, 2)),
    ("numeric(p,s), p from 39 to 65", "numeric", of_numeric(60, 20)),
    ("numeric, larger ones", "numeric", -1),
    ("money", "money", -1),
    ("real", "float4", -1),
    ("double precision", "float8", -1),
    ("varchar(n)", "varchar", 24),
    ("char(n)", "bpchar", 24),
    ("text, varchar, citext, name, xml", "text", -1),
    ("an enum", "enum", -1),
    ("bytea", "bytea", -1),
    ("date", "date", -1),
    ("time", "time", -1),
    ("timestamp", "timestamp", -1),
    ("timestamptz", "timestamptz", -1),
    ("interval", "interval", -1),
    ("uuid", "uuid", -1),
    ("json, jsonb", "jsonb", -1),
    ("an array, a composite type", "array", -1),
    ("timetz, inet, cidr, macaddr, bit, ranges, shapes, all others", "inet", -1),
)


def test_the_documentation_lists_what_becomes_of_each_type_of_postgres() -> None:
    rows = [listed(la, postgres.of_source(k, s)) for la, k, s in OF_POSTGRES]
    assert_listed(HEAD, *rows)


# Types of SQLite, as they are declared, by their label.
OF_SQLITE = {
    "any with INT in it": "integer",
    "REAL, FLOAT, DOUBLE": "real",
    "DECIMAL(p,s), NUMERIC(p,s), p to 38": "decimal(12,2)",
    "DECIMAL, NUMERIC": "numeric",
    "CHAR(n), VARCHAR(n)": "varchar(20)",
    "TEXT, CLOB, all others, none": "text",
    "BLOB": "blob",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIME": "time",
    "DATETIME, TIMESTAMP": "datetime",
    "TIMESTAMPTZ": "timestamptz",
    "JSON": "json",
    "UUID": "uuid",
}


def test_the_documentation_lists_what_becomes_of_each_type_of_sqlite() -> None:
    rows = [listed(la, sqlite.of_source(kind)) for la, kind in OF_SQLITE.items()]
    assert_listed(HEAD, *rows)


def test_a_type_without_a_mapping_says_so() -> None:
    proposal = casts.of_source(SourceColumn("v", "vector", "vector(3)"))
    assert proposal == Proposal("", "there is no mapping for type vector")


# A wall clock's time in Berlin, when it was read, and the instant, in UTC.
MOMENTS = {
    ("2026-01-01 12:00", "2026-02-01"): "2026-01-01 11:00",
    ("2026-07-01 12:00", "2026-08-01"): "2026-07-01 10:00",
    # The hour that comes twice: read in its first pass, in its second, and after.
    ("2026-10-25 02:30", "2026-10-25 00:31"): "2026-10-25 00:30",
    ("2026-10-25 02:30", "2026-10-25 01:29"): "2026-10-25 00:30",
    ("2026-10-25 02:30", "2026-10-25 01:30"): "2026-10-25 01:30",
    ("2026-10-25 02:30", "2026-11-25"): "2026-10-25 01:30",
    # A time in the future of the observation that is not in that hour.
    ("2026-10-25 03:30", "2026-10-25 01:00"): "2026-10-25 02:30",
    ("2026-10-25 01:59", "2026-10-24"): "2026-10-24 23:59",
}


@pytest.mark.parametrize(("wall", "observed"), MOMENTS)
def test_a_wall_clock_s_time_is_an_instant(wall: str, observed: str) -> None:
    with duckdb.connect() as engine:
        engine.execute("set timezone = 'America/New_York'")
        sql = clock.effective("wall", "Europe/Berlin", f"timestamp '{observed}'")
        found = engine.execute(f"select {sql} from (select timestamp '{wall}' as wall)")
        assert found.fetchall() == [(datetime.fromisoformat(MOMENTS[wall, observed]),)]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("wall", [datetime.min, datetime.max])
def test_the_first_and_the_last_time_are_instants_of_their_years(
    zone: str, wall: datetime
) -> None:
    with duckdb.connect() as engine:
        sql = clock.effective("wall", zone, "timestamp '2026-11-30'")
        found = engine.execute(f"select {sql} from (select timestamp '{wall}' as wall)")
        ((instant,),) = found.fetchall()
    assert abs(instant - wall) < timedelta(days=1)


@pytest.mark.parametrize(
    ("wall", "zone", "minutes"),
    [
        ("2026-10-25 01:59", "Europe/Berlin", 0),
        ("2026-10-25 02:00", "Europe/Berlin", 60),
        ("2026-10-25 02:59", "Europe/Berlin", 60),
        ("2026-10-25 03:00", "Europe/Berlin", 0),
        ("2026-03-29 02:30", "Europe/Berlin", 0),
        ("2026-04-05 01:45", "Australia/Lord_Howe", 30),
        ("2026-10-25 02:30", "UTC", 0),
    ],
)
def test_a_window_reaches_back_by_the_hour_that_comes_twice(
    wall: str, zone: str, minutes: int
) -> None:
    back = clock.went_back(datetime.fromisoformat(wall), zone)
    assert back == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("name", "good", "value", "bad"),
    [
        ("overlap_minutes", "7", 7, ["", "-1", "1.5", "many"]),
        ("late_days", "0", 0, ["-1", "three"]),
        ("soft_delete_column", "gone_at", "gone_at", []),
        ("delete_action", "remove", "remove", ["Remove", "", "keep"]),
        ("max_delete_ratio", "0.25", 0.25, ["1.1", "-0.1", "a third", "nan"]),
        ("min_delete_count", "5", 5, ["-5"]),
        ("allow_empty", "true", True, ["yes", "True", ""]),
        ("row_count_band", "0.5..2", (0.5, 2.0), ["", "..", "2..0.5", "half.."]),
        ("append_only", "false", False, ["no", "0"]),
        ("keep_snapshots", "3", 3, ["few"]),
        ("lag_seconds", "10", 10, ["soon", "-1"]),
        ("range_rows", "0", 0, ["2e6"]),
        ("replace_window", "true", True, ["1"]),
        ("long_key", "true", True, ["1", "yes"]),
        ("null_watermark", "load", "load", ["", "null", "Load"]),
        ("zero_date", "reject", "reject", ["", "zero"]),
        ("key_scan_minutes", "1440", 1440, ["daily"]),
        ("by_query", "true", True, ["on"]),
        (
            "csv_dialect",
            'delimiter=; quote=" escape=" header=true',
            'delimiter=; quote=" escape=" header=true',
            ["", ";", "delimiter=;; quote= escape= header=true"],
        ),
        ("log_name", "order_items_2", "order_items_2", ["Order Items", "2nd"]),
        ("reference_grace_minutes", "5", 5, ["5m"]),
        ("raw_retention_days", "90", 90, ["3m", "-1"]),
        ("index_columns", "city|country", ("city", "country"), ["", "a|", "a|b|a"]),
        ("cluster_columns", "day|country", ("day", "country"), ["", "a|", "a|b|a"]),
        ("row_filter_column", "country", "country", ["Country", ""]),
        ("profile", "false", False, ["no"]),
        ("anomaly_score", "4.5", 4.5, ["high", "-1"]),
        ("anomaly_batches", "12", 12, ["a dozen"]),
        ("anomaly_severity", "block", "block", ["fail"]),
        ("min_score", "0.95", 0.95, ["95", "-0.1"]),
        ("score_severity", "block", "block", ["error"]),
        ("contract_version", "2.1.0", "2.1.0", ["2", "v2.1.0"]),
        ("contract_status", "draft", "draft", ["Draft", ""]),
        ("phone_country", "DE", "DE", ["Germany!", ""]),
        ("freshness_warn_minutes", "60", 60, ["1h"]),
        ("freshness_error_minutes", "90", 90, ["1h"]),
    ],
)
def test_an_option_takes_its_kind_of_value_only(
    name: str, good: str, value: object, bad: list[str]
) -> None:
    parse: Callable[[str], object] = options.KNOWN[name].parse
    assert parse(good) == value
    for text in bad:
        with pytest.raises(ValueError, match=r"."):
            parse(text)


def test_every_option_is_tried_above_and_explained() -> None:
    marks = test_an_option_takes_its_kind_of_value_only.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in marks[0].args[1]} == set(options.KNOWN)
    for name, option in options.KNOWN.items():
        assert option.meaning, name
        assert option.takes, name
        assert hasattr(DEFAULTS, name)


def test_options_never_hold_back_rows_by_default() -> None:
    assert DEFAULTS.overlap_minutes > 0, "a row committed late would be lost"
    assert not DEFAULTS.allow_empty
    assert not DEFAULTS.append_only


@pytest.mark.parametrize(
    "text",
    [
        "shop",
        "postgres://me:secret@db/shop",
        "mysql://db:3306/shop",
        "mysql://me:secret@/shop",
        "mysql://me:secret@db:port/shop",
        "mysql://me:secret@db:99999/shop",
        "mysql://me:sec/ret@db/shop",
        "mysql://me:p@sec/w#rd@db/shop",
        "mysql://me:p@sec/ret@db/shop",
        "mysql://me:p@db?sec=ret@db/shop",
        "mysql://me:p@sec?ret@db/shop",
        "mysql://me:p@sec#ret@db/shop",
        "mysql://me:p@sec#ret",
        "mysql://me:33/sec@db/shop",
        "mysql://me:[sec@db/shop",
    ],
)
def test_a_bad_url_is_refused_without_telling_its_password(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("SHOP_URL", text)
    with pytest.raises(ConfigurationError) as caught:
        settings.source_url(SHOP)
    assert caught.value.exit_code == 2
    assert "SHOP_URL" in str(caught.value)
    assert "mysql://USER:PASSWORD@HOST:PORT/" in str(caught.value)
    assert "%40 for @" in str(caught.value)
    assert "sec" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("sqlite", "sqlite://"),
        ("sqlite", "sqlite:///"),
        ("sqlite", "sqlite://sec/ret.db"),
        ("sqlite", "sqlite://me:secret@host/a.db"),
        ("sqlite", "sqlite:///sec@ret.db"),
        ("sqlite", "sqlite:///secret.db?mode=rw"),
        ("sqlite", "sqlite:///secret.db#a"),
        ("sqlite", "file:///secret.db"),
        ("files", "file://secret"),
        ("files", "file:///"),
        ("files", "s3:///secret"),
        ("files", "s3://me:secret@bucket/a"),
        ("files", "s3://bucket:99/secret"),
        ("files", "https://host/secret"),
    ],
)
def test_a_url_that_is_no_path_is_refused_without_telling_it(
    monkeypatch: pytest.MonkeyPatch, kind: str, text: str
) -> None:
    monkeypatch.setenv("SHOP_URL", text)
    with pytest.raises(ConfigurationError) as caught:
        settings.source_url(replace(SHOP, kind=kind))
    told = str(caught.value)
    assert "SHOP_URL" in told
    assert f"Write it as {'sqlite' if kind == 'sqlite' else 'file'}:///" in told
    assert "sec" not in told


@pytest.mark.parametrize(
    ("kind", "text", "host", "path"),
    [
        ("sqlite", "sqlite:///var/lib/a%20b%40c.db", "", "/var/lib/a b@c.db"),
        ("files", "file:///data/exports/", "", "/data/exports"),
        ("files", "s3://bucket/a/b/", "bucket", "a/b"),
        ("files", "s3://bucket", "bucket", ""),
    ],
)
def test_a_url_without_a_server_is_a_path(
    monkeypatch: pytest.MonkeyPatch, kind: str, text: str, host: str, path: str
) -> None:
    monkeypatch.setenv("SHOP_URL", text)
    url = settings.source_url(replace(SHOP, kind=kind))
    assert (url.host, url.port, url.path) == (host, 0, path)


def test_a_url_s_parts_are_read_and_its_password_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    text = "mysql://m%40e:p%2Fw%3A%20@db.example:3307/shop?ssl_mode=REQUIRED&ssl_ca="
    monkeypatch.setenv("SHOP_URL", f"{text}{ca}")
    url = settings.source_url(SHOP)
    assert (url.host, url.port, url.user, url.password) == (
        "db.example",
        3307,
        "m@e",
        "p/w: ",
    )
    assert (url.ssl_mode, url.ssl_ca) == ("required", str(ca))
    assert "p/w" not in repr(url)
    monkeypatch.setenv("SHOP_URL", "mysql://me@db")
    assert settings.source_url(SHOP).port == 3306


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("sslmode=required", "'sslmode'"),
        ("ssl_mode=on", "ssl_mode, 'on'"),
        ("ssl_mode=verify_ca", "no ssl_ca"),
        ("ssl_ca=/nowhere/ca.pem", "/nowhere/ca.pem"),
    ],
)
def test_a_mistake_in_the_tls_of_a_url_is_reported_not_ignored(
    monkeypatch: pytest.MonkeyPatch, query: str, word: str
) -> None:
    monkeypatch.setenv("SHOP_URL", f"mysql://me:pass@db/?{query}")
    with pytest.raises(ConfigurationError, match=word):
        settings.source_url(SHOP)


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", {}),
        ("AES256", {"ServerSideEncryption": "AES256"}),
        ("aws:kms", {"ServerSideEncryption": "aws:kms"}),
        (
            "aws:kms:arn:aws:kms:eu-central-1:1:key/2",
            {
                "ServerSideEncryption": "aws:kms",
                "SSEKMSKeyId": "arn:aws:kms:eu-central-1:1:key/2",
            },
        ),
    ],
)
def test_the_lake_s_encryption_is_that_of_the_variable(
    monkeypatch: pytest.MonkeyPatch, text: str, parameters: dict[str, str]
) -> None:
    monkeypatch.setenv("SEEDBED_LAKE", "s3://lake")
    monkeypatch.setenv("SEEDBED_LAKE_SSE", text)
    assert settings.lake().encryption == parameters


@pytest.mark.parametrize("text", ["aes256", "aws:kms:", "yes"])
def test_an_unknown_encryption_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("SEEDBED_LAKE", "s3://lake")
    monkeypatch.setenv("SEEDBED_LAKE_SSE", text)
    with pytest.raises(ConfigurationError, match="SEEDBED_LAKE_SSE"):
        settings.lake()


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [("s3://lake", "lake", ""), ("s3://lake/a/b/", "lake", "a/b/")],
)
def test_the_lake_is_a_bucket_and_a_prefix(
    monkeypatch: pytest.MonkeyPatch, text: str, bucket: str, prefix: str
) -> None:
    monkeypatch.setenv("SEEDBED_LAKE", text)
    lake = settings.lake()
    assert (lake.bucket, lake.prefix) == (bucket, prefix)


@pytest.mark.parametrize("text", ["lake", "s3:lake", "s3:///x", "gs://lake", "/lake"])
def test_another_lake_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SEEDBED_LAKE", text)
    with pytest.raises(ConfigurationError, match="s3://BUCKET"):
        settings.lake()


@pytest.mark.parametrize("name", ["PGHOST", "PGUSER", "PGDATABASE"])
def test_a_setting_that_is_missing_is_named_with_a_hint(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for other in ("PGHOST", "PGUSER", "PGDATABASE"):
        monkeypatch.setenv(other, "x")
    monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError, match=f"(?s){name} is not set.*seedbed up"):
        settings.warehouse()


WIDER = {
    ("varchar(5)", "varchar(9)"): True,
    ("varchar(5)", "varchar(5)"): True,
    ("varchar(5)", "text"): True,
    ("integer", "bigint"): True,
    ("numeric(12,2)", "numeric(14,2)"): True,
    ("varchar(5)", "varchar(4)"): False,
    ("text", "varchar(65535)"): False,
    ("bigint", "integer"): False,
    ("integer", "numeric(38,0)"): False,
    ("integer", "text"): False,
    ("numeric(12,2)", "numeric(14,3)"): False,
    ("numeric(12,2)", "numeric(11,2)"): False,
    ("numeric(12,2)", "varchar(99)"): False,
    ("varchar(5)", "numeric(9,0)"): False,
    ("date", "timestamp"): False,
}


class Returned(Exception):
    """What a macro returns, as in dbt."""


def called(file: str, **arguments: str) -> tuple[Any, Any]:
    """What the macro of a file returns on Postgres and on Snowflake."""

    def give(value: object) -> None:
        raise Returned(value)

    template = jinja2.Environment(extensions=["jinja2.ext.do"]).from_string(
        (REPOSITORY / "macros" / file).read_text(),
        {"return": give, "modules": SimpleNamespace(re=re)},
    )
    macros = template.module.__dict__
    found = []
    for target in ("postgres", "snowflake"):
        names = [f"{word}__{Path(file).stem}" for word in (target, "default")]
        macro = next(macros[n] for n in [*names, Path(file).stem] if n in macros)
        with pytest.raises(Returned) as returned:
            macro(**arguments)
        found.append(returned.value.args[0])
    return found[0], found[1]


@pytest.mark.parametrize(("old", "new"), WIDER)
def test_a_macro_widens_what_the_runner_does(old: str, new: str) -> None:
    wider = WIDER[old, new]
    assert called("load/widens.sql", old=old, new=new) == (wider, wider)


def test_a_macro_names_the_types_as_the_runner_does() -> None:
    sized = ["decimal(12,2)", "decimal(38,9)", "decimal(39,0)", "varchar(20)"]
    plain = [name for name in types.KNOWN if "(" not in name]
    assert len(plain) == len(types.KNOWN) - 2
    for kind in map(types.parse, [*plain, *sized]):
        found = called("staging/warehouse_type.sql", type=kind.name)
        assert found == (kind.postgres, kind.snowflake), kind.name


@pytest.mark.parametrize(
    ("one", "other", "comparable"),
    [
        ("integer", "decimal(12,2)", True),
        ("varchar(9)", "text", True),
        ("date", "timestamptz", True),
        ("binary", "geometry", True),
        ("decimal(39,0)", "decimal(65,30)", True),
        ("decimal(39,0)", "bigint", False),
        ("duration", "text", False),
        ("time", "date", False),
        ("bigint", "boolean", False),
        ("json", "text", False),
    ],
)
def test_types_are_comparable_where_both_warehouses_can(
    one: str, other: str, comparable: bool
) -> None:
    kinds = types.parse(one), types.parse(other)
    assert types.are_comparable(*kinds) == comparable
    assert types.are_comparable(*reversed(kinds)) == comparable


@pytest.mark.parametrize(("old", "new"), WIDER)
def test_a_type_widens_when_no_value_and_no_text_changes(old: str, new: str) -> None:
    assert types.widens(old, new) == WIDER[old, new]


# JSON with long parts, and whether Postgres takes it.
LONG = {
    "[" + "1" * 1000 + "]": True,
    "0." + "1" * 5_000 + "e-9999": True,
    "0." + "1" * 6_500 + "e-9999": False,
    '{"a": [0.' + "1" * 20_000 + "]}": False,
    "1" + "0" * 140_000: False,
    '{"' + "1" * 20_000 + '": "' + "1" * 20_000 + '"}': True,
    '["' + "1" * 20_000 + '", ' + "1" * 20_000 + "]": False,
    "[" + "1234567, " * 20_000 + "1]": True,
}


def test_a_number_in_json_is_no_longer_than_postgres_takes() -> None:
    query = f"select {types.parse('json').fitting('j')} from (select ? as j)"
    with duckdb.connect() as engine:
        found = {text: engine.execute(query, [text]).fetchall() for text in LONG}
    assert found == {text: [(fits,)] for text, fits in LONG.items()}


# A mark of deleted rows in the types that it may have, and what it says.
MARKS = {
    "null": "U",
    "0": "U",
    "1": "D",
    "0.0::decimal(3,1)": "U",
    "0.5::decimal(3,1)": "D",
    "0::double": "U",
    "-0.0::double": "U",
    "1e-300::double": "D",
    "false": "U",
    "true": "D",
    "''": "U",
    "'0'": "U",
    "'N'": "D",
    "timestamp '0001-01-01'": "D",
    "date '2026-11-30'": "D",
}


def test_a_mark_of_any_type_deletes_its_row_or_not() -> None:
    (table,) = (t for t in metadata.load(REPOSITORY) if t.id == "shop.customers")
    flag = table.options.soft_delete_column
    found = {}
    with duckdb.connect() as engine:
        for mark in MARKS:
            columns = ", ".join(
                f"{mark if c.source_name == flag else 'null'} as {c.source_name}"
                for c in table.columns
            )
            canonical(engine, table, f"select {columns}", datetime(2026, 11, 30), 1)
            ((found[mark],),) = engine.execute("select _op from typed").fetchall()
    assert found == MARKS
