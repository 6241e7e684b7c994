"""A MySQL source: small questions about its catalogue and its clock."""

from __future__ import annotations

import datetime as dt
import functools
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pymysql
from pymysql.cursors import Cursor

from ingest import clock, settings
from ingest.duck import Engine, asked, backticked, scalar
from ingest.errors import SeedbedError, ServiceError
from ingest.seed.metadata import Source, Table
from ingest.settings import SourceUrl
from ingest.statements import render

# A session's own settings in place of the server's defaults, which may pad texts with
# blanks, end each answer after so many rows, or let go of the session at a commit.
SESSION = (
    "set sql_mode = '', sql_select_limit = 18446744073709551615, completion_type = 0"
)
# Errors of the server whose cause the person can mend, by code.
_ACCESS_DENIED = (1044, 1045, 1142, 1143, 1227, 1698)


@contextmanager
def connect(source: Source) -> Iterator[pymysql.connections.Connection[Any]]:
    """Open a connection whose errors are raised as the product's."""
    url = settings.source_url(source)
    silence = settings.timeout_seconds()
    try:
        connection = _Connection(
            host=url.host,
            port=url.port,
            user=url.user,
            # Of a text pymysql sends Latin-1; both servers' own clients send UTF-8.
            password=url.password.encode(),
            database=source.schema,
            connect_timeout=settings.CONNECT_SECONDS,
            read_timeout=silence,
            write_timeout=silence,
            autocommit=True,
            # The server shows a TIMESTAMP on the session's clock.
            init_command=f"{SESSION}, time_zone = '+00:00'",
            ssl=_tls(url),
            ssl_disabled=url.ssl_mode == "disabled",
        )
        try:
            yield connection
        finally:
            connection.close()
    except pymysql.err.MySQLError as error:
        code, said = (*error.args, "")[:2] if error.args else (0, str(error))
        server = f"source {source.name} at {url.host}:{url.port}"
        if code in _ACCESS_DENIED:
            raise ServiceError(
                f"{server} refused user {url.user!r}: {said}.",
                f"Check the user and password in {source.url_env} "
                f"({settings.ENCODED}), and that the user may SELECT from schema "
                f"{source.schema}.",
            ) from None
        if "SSL" in str(said) or "insecure transport" in str(said):
            raise ServiceError(
                f"{server} and this machine do not agree on TLS: {said}.",
                f"Check ssl_mode and ssl_ca in {source.url_env} (docs/security.md), "
                "and the server's certificate.",
            ) from None
        raise ServiceError(
            f"{server} can't be read: {said or error}. Nothing was lost.",
            f"Check that the server runs and that {source.url_env} names it, then run "
            "again.",
        ) from None


class _Connection(pymysql.connections.Connection):
    """A connection whose context of optional TLS is made once.

    pymysql reads all certificates of the system for each, and verifies by none.
    """

    def _create_ssl_ctx(self, options: Any) -> ssl.SSLContext:
        return options if isinstance(options, ssl.SSLContext) else _unverified()


@functools.cache
def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@functools.cache
def _tls(url: SourceUrl) -> ssl.SSLContext | None:
    """The TLS that pymysql must enforce; None if encryption is optional."""
    if url.ssl_mode in ("", "disabled"):
        return None
    context = ssl.create_default_context(cafile=url.ssl_ca or None)
    # MySQL's own certificates lack what newer Pythons ask for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = url.ssl_mode == "verify_identity"
    if url.ssl_mode == "required":
        context.verify_mode = ssl.CERT_NONE
    if url.ssl_cert:
        context.load_cert_chain(url.ssl_cert, url.ssl_key or None)
    return context


def named(table: Table) -> str:
    """The table's name as MySQL quotes it."""
    return f"{backticked(table.source.schema)}.{backticked(table.name)}"


class Declared(NamedTuple):
    """A column in the source's catalogue; a decimal has digits."""

    name: str
    kind: str
    nullable: bool
    digits: int
    scale: int


def declared(engine: Engine, table: Table) -> dict[str, Declared]:
    """The table's columns by name, as the source's catalogue has them."""
    rows = engine.execute(
        "select name::varchar, kind::varchar, nullable::boolean, digits, scale "
        f"from {asked(render('declared', table=table))}"
    ).fetchall()
    return {row[0]: Declared(*row) for row in rows}


def _one(cursor: Cursor, query: str) -> tuple[Any, ...]:
    """The one row of a query, in which a % stands for itself."""
    cursor.execute(query)
    row = cursor.fetchone()
    assert row is not None
    return row


def offset(cursor: Cursor) -> dt.timedelta:
    """How far the server's own clock, which `now()` writes, is ahead of UTC now."""
    cursor.execute("set time_zone = @@global.time_zone")
    (ahead,) = _one(cursor, "select timestampdiff(second, utc_timestamp(), now())")
    cursor.execute("set time_zone = '+00:00'")
    return dt.timedelta(minutes=round(ahead / 60))


def newest_watermark(table: Table) -> dt.datetime | None:
    """The table's newest watermark that is not in the source's future.

    Nor within `lag_seconds` of its present, nor later than a replica has come. As
    the source writes it, on the table's clock; None for an empty table and for one
    that is read whole.
    """
    if not table.watermark_column:
        return None
    column = backticked(table.watermark_column)
    with connect(table.source) as connection, connection.cursor() as cursor:
        # By the source's clock, not this machine's.
        (now,) = _one(cursor, "select utc_timestamp(6)")
        lag = table.options.lag_seconds + _seconds_behind(cursor)
        now = now.replace(tzinfo=dt.UTC) - dt.timedelta(seconds=lag)
        now = now.astimezone(ZoneInfo(table.clock)).replace(tzinfo=None)
        query = (
            f"select max({column}) from {backticked(table.name)} "
            f"where {column} <= {connection.escape(now)}"
        )
        # A zero or incomplete date, which comes as a text, is not a watermark.
        # Excluding them prevents the use of the index, so it is done only if one is
        # found.
        for whole in ("", f" and month({column}) <> 0 and day({column}) <> 0"):
            (newest,) = _one(cursor, query + whole)
            if not isinstance(newest, str):
                break
    if newest is not None and not isinstance(newest, dt.datetime):
        raise SeedbedError(
            f"{table.id}: watermark_column {table.watermark_column!r} holds "
            f"{type(newest).__name__} values in the source, not date and time.",
            "Name a DATETIME or TIMESTAMP column in seeds/metadata/tables.csv.",
        )
    return newest


def present(engine: Engine, table: Table) -> dt.datetime:
    """The source's present on the table's clock; later watermarks are in its future."""
    now = scalar(engine, f"from {asked('select utc_timestamp(6) as now')}")
    return clock.present(now, table.clock)


def _seconds_behind(cursor: Cursor) -> int:
    """How far a replica is behind, by the farthest of those that it follows.

    0 for a server that follows none or doesn't say.
    """
    # The second one names one of them only on MariaDB, which alone knows the first.
    for statement in ("show all replicas status", "show replica status"):
        try:
            cursor.execute(statement)
        except pymysql.err.MySQLError:
            continue  # another or an old server, or a user who may not ask
        names = [column[0] for column in cursor.description or ()]
        behind = [
            int(value or 0)
            for row in cursor.fetchall()
            for name, value in zip(names, row, strict=True)
            if name in ("Seconds_Behind_Master", "Seconds_Behind_Source")
        ]
        return max(behind, default=0)
    return 0


def size(table: Table, where: str) -> tuple[int, int]:
    """How many rows fit the condition, and about how many bytes they are.

    Both are the server's estimate where the condition is `true`.
    """
    with connect(table.source) as connection, connection.cursor() as cursor:
        rows, length = _estimate(cursor, table)
        if where == "true":
            return rows, length
        count = f"select count(*) from {backticked(table.name)} where {where}"
        (found,) = _one(cursor, count)
    return found, found * length // max(rows, 1)


def _estimate(cursor: Cursor, table: Table) -> tuple[int, int]:
    """The table's rows and bytes, as the server estimates them."""
    # MySQL's may otherwise be a day old; MariaDB's are always current.
    with suppress(pymysql.err.MySQLError):
        cursor.execute("set session information_schema_stats_expiry = 0")
    cursor.execute(
        "select table_rows, data_length from information_schema.tables "
        "where table_schema = %s and table_name = %s",
        (table.source.schema, table.name),
    )
    rows, length = cursor.fetchone() or (0, 0)
    return int(rows or 0), int(length or 0)


class Extent(NamedTuple):
    """Smallest and largest value of a key; about how many rows and bytes there are."""

    low: int
    high: int
    rows: int
    length: int

    def cuts(self, count: int) -> tuple[int, ...]:
        """Where the values are cut into so many ranges of the same length, at most."""
        width = self.high - self.low + 1
        count = min(count, width)
        return tuple(self.low + width * n // count for n in range(1, count))


def key_extent(table: Table) -> Extent | None:
    """What the leading key spans.

    None where it is no integer, has no index that begins with it, or no rows.
    """
    with connect(table.source) as connection, connection.cursor() as cursor:
        cursor.execute(render("led_by_key", table=table, primary=False))
        if cursor.fetchone() is None:
            return None
        name = backticked(table.key[0].source_name)
        extent = f"select min({name}), max({name}) from {backticked(table.name)}"
        low, high = _one(cursor, extent)
        if not isinstance(low, int) or not isinstance(high, int):
            return None
        return Extent(low, high, *_estimate(cursor, table))
