"""A MySQL or MariaDB server: its sessions, and how the engine reaches it."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymysql

from ingest import settings
from ingest.duck import Engine, literal, load, secret
from ingest.errors import SourceError
from ingest.retry import LASTING
from ingest.seed.metadata import Source
from ingest.settings import SourceUrl, UrlForm
from ingest.sources.kind import Session

URL = UrlForm(
    schemes=("mysql",),
    port=3306,
    path="",
    mode="ssl_mode",
    modes=("disabled", "required", "verify_ca", "verify_identity"),
    verifying="verify_ca",
    files=("ssl_ca", "ssl_cert", "ssl_key"),
)
# A session's own settings in place of the server's defaults, which may pad texts with
# blanks, end each answer after so many rows, or let go of the session at a commit.
SESSION = (
    "set sql_mode = '', sql_select_limit = 18446744073709551615, completion_type = 0"
)
# Errors of the server whose cause the person can mend, by code.
_ACCESS_DENIED = (1044, 1045, 1142, 1143, 1227, 1698)
# Client errors of a connection that is refused or lost, then the server's own:
# too many connections, packets that did not arrive, lock time-out, deadlock.
_LOST = (0, 2002, 2003, 2006, 2013)
_PASSING = (*_LOST, 1040, 1158, 1159, 1160, 1161, 1205, 1213)


@contextmanager
def connect(source: Source) -> Iterator[Session]:
    """Open a session whose errors are raised as the product's."""
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
            with connection.cursor() as cursor:
                yield Session(cursor, pymysql.err.MySQLError)
        finally:
            connection.close()
    except pymysql.err.MySQLError as error:
        raise explained(error, source, url) from None


def explained(
    error: pymysql.err.MySQLError, source: Source, url: SourceUrl
) -> SourceError:
    """What the client's error means to a person."""
    code, said = (*error.args, "")[:2] if error.args else (0, str(error))
    server = f"source {source.name} at {url.host}:{url.port}"
    what = f"{server} can't be read: {said or error}. Nothing was lost."
    hint = (
        f"Check that the server runs and that {source.url_env} names it, then run "
        "again."
    )
    if code in _ACCESS_DENIED:
        what = f"{server} refused user {url.user!r}: {said}."
        hint = (
            f"Check the user and password in {source.url_env} "
            f"({settings.ENCODED}), and that the user may SELECT from schema "
            f"{source.schema}."
        )
    elif "SSL" in str(said) or "insecure transport" in str(said):
        what = f"{server} and this machine do not agree on TLS: {said}."
        hint = (
            f"Check ssl_mode and ssl_ca in {source.url_env} (docs/security.md), "
            "and the server's certificate."
        )
    may_pass = code in _PASSING and not LASTING.search(str(error))
    return SourceError(
        what, hint, may_pass=may_pass, is_lost=may_pass and code in _LOST
    )


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


def attach(engine: Engine, url: SourceUrl, schema: str) -> None:
    """Attach a database as `source`, uncompressed, with exact types."""
    load(engine, "mysql_scanner")
    for setting in (
        "tinyint1_as_boolean = false",
        "bit1_as_boolean = false",
        "incomplete_dates_as_nulls = true",
        # The server shows a TIMESTAMP on the session's clock.
        "session_time_zone = '+00:00'",
        # Otherwise MySQL may end a long read after five minutes.
        "query_timeout_enabled = false",
    ):
        engine.execute(f"set global mysql_{setting}")
    values: dict[str, Any] = {
        "host": url.host,
        "port": url.port,
        "user": url.user,
        "password": url.password,
        "database": schema,
    }
    if url.ssl_mode:
        # Its `required` verifies as well; its `preferred` encrypts if the server can,
        # and `connect` has checked that it can.
        unverified = url.ssl_mode == "required"
        values["ssl_mode"] = "preferred" if unverified else url.ssl_mode
    if url.ssl_mode != "disabled":
        files = {"ssl_cert": url.ssl_cert, "ssl_key": url.ssl_key}
        if url.ssl_mode.startswith("verify"):
            files["ssl_ca"] = url.ssl_ca
        values |= {name: path for name, path in files.items() if path}
    secret(engine, "mysql", **values)
    # The compressed protocol, the default, is four times slower on a near host.
    engine.execute("attach 'compression=disabled' as source (type mysql, secret mysql)")


@contextmanager
def snapshot(engine: Engine) -> Iterator[None]:
    """A transaction in which all queries of the source see one moment.

    One that the extension begins has the server's default isolation, in which each
    statement may see another state, or each read lock its rows.
    """
    engine.execute("begin")
    for statement in (
        SESSION,
        # Otherwise MySQL keeps the isolation of the transaction that this one ends.
        "commit",
        "set session transaction isolation level repeatable read",
        "start transaction with consistent snapshot, read only",
    ):
        engine.execute(f"call mysql_execute('source', {literal(statement)})")
    yield
    engine.execute("commit")


def asked(query: str) -> str:
    """What the server answers, as a relation, in the transaction's snapshot."""
    # With streaming, it asks on a connection outside the transaction.
    return f"mysql_query('source', {literal(query)}, stream_results = false)"


def backticked(name: str) -> str:
    """`name` as MySQL quotes an identifier."""
    return "`" + name.replace("`", "``") + "`"


def text(value: str) -> str:
    """`value` as a string literal, whatever its backslash means."""
    return f"convert(x'{value.encode().hex()}' using utf8mb4)"
