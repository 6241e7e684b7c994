"""A Postgres server: its sessions, and how the engine reaches it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from ingest import retry, settings
from ingest.duck import Engine, literal, one, secret
from ingest.errors import SourceError, first_line
from ingest.quoting import quoted as quoted
from ingest.seed.metadata import Source
from ingest.settings import SourceUrl, UrlForm
from ingest.sources.kind import Session
from ingest.statements import query

URL = UrlForm(
    schemes=("postgres", "postgresql"),
    port=5432,
    path="DATABASE",
    mode="sslmode",
    modes=("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    verifying="verify-ca",
    files=("sslrootcert", "sslcert", "sslkey"),
)
# What texts of values look like, whatever the server's defaults are; a reader changes
# nothing; and rows that a policy hides are an error, as they would count as deleted.
_SESSION = {
    "row_security": "off",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "datestyle": "ISO",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "1",
    "default_transaction_read_only": "on",
}
# While the engine reads, the server's defaults end no session.
_ENGINE = {
    "timezone": "UTC",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
# Connection exceptions, a server that shuts down or starts.
_LOST = ("08", "57P01", "57P02", "57P03")
_REFUSALS = ("28", "42501", "3D000")
_REFUSED = (
    "password authentication failed",
    "no pg_hba.conf entry",
    "does not exist",
    "permission denied",
    "no password supplied",
)


@contextmanager
def connect(source: Source) -> Iterator[Session]:
    """Open a session whose errors are raised as the product's."""
    url = settings.source_url(source)
    timeout = int(settings.timeout_seconds())
    try:
        with psycopg.connect(
            **_parameters(url),
            options=_options(_SESSION | {"statement_timeout": f"{timeout}s"}),
            autocommit=True,
        ) as connection:
            # As a statement, so that the server's default can still be asked for.
            connection.execute("set timezone = 'UTC'")
            yield Session(connection.cursor(), psycopg.Error)
    except psycopg.Error as error:
        raise explained(error, source, url) from None


def explained(error: psycopg.Error, source: Source, url: SourceUrl) -> SourceError:
    """What the client's error means to a person."""
    said = first_line(error).rstrip(".")
    server = f"source {source.name} at {url.host}:{url.port}"
    what = f"{server} can't be read: {said}. Nothing was lost."
    hint = (
        f"Check that the server runs and that {source.url_env} names it, then run "
        "again."
    )
    code = error.sqlstate or ""
    if "row-level security" in said:
        what = f"{server} hides rows from user {url.user!r}: {said}. Nothing was read."
        hint = (
            "Type: alter role … bypassrls, for the user that reads; or read a view in "
            "the table's place, and set enabled false in seeds/metadata/tables.csv."
        )
    elif "SSL" in said or "certificate" in said:
        what = f"{server} and this machine do not agree on TLS: {said}."
        hint = (
            f"Check sslmode and sslrootcert in {source.url_env} (docs/security.md), "
            "and the server's certificate."
        )
    elif code.startswith(_REFUSALS) or any(word in said for word in _REFUSED):
        what = f"{server} refused user {url.user!r}: {said}."
        hint = (
            f"Check the user, password and database in {source.url_env} "
            f"({settings.ENCODED}), and that the user may SELECT from schema "
            f"{source.schema}."
        )
    elif code == "57014":
        hint = (
            "Put an index on the watermark's column, or raise "
            "SEEDBED_TIMEOUT_SECONDS; then run again."
        )
    may_pass = retry.of_postgres(error)
    is_lost = may_pass and (not code or code.startswith(_LOST))
    return SourceError(what, hint, may_pass=may_pass, is_lost=is_lost)


def attach(engine: Engine, url: SourceUrl) -> None:
    """Attach a database as `source`."""
    options = _options(_SESSION | _ENGINE)
    secret(engine, "postgres", **_parameters(url), options=options)
    engine.execute("attach '' as source (type postgres, secret postgres, read_only)")


@contextmanager
def snapshot(engine: Engine) -> Iterator[None]:
    """A transaction in which all queries of the source see one moment.

    But for a table that is truncated or rewritten after the moment and before it is
    first read: then it seems empty. That is seen in the end, as what was read is
    locked.
    """
    # The extension begins one that is repeatable read.
    engine.execute("begin")
    yield
    (names,) = one(engine, f"from {asked(query(__file__, 'rewritten'))}")
    if names:
        raise SourceError(
            f"{names} was truncated or rewritten while it was about to be read, so "
            "that its rows could not be seen. Nothing of them was loaded.",
            "Run again.",
            may_pass=True,
        )
    engine.execute("commit")


def asked(query: str) -> str:
    """What the server answers, as a relation, in the transaction's snapshot."""
    return f"postgres_query('source', {literal(query)})"


def _options(values: dict[str, str]) -> str:
    return " ".join(f"-c {name}={value}" for name, value in values.items())


def _parameters(url: SourceUrl) -> dict[str, Any]:
    """How libpq reaches it; a server that fell silent is given up within a minute."""
    tls = {
        # The warehouse's variable is not the source's.
        "sslmode": url.ssl_mode or "prefer",
        "sslrootcert": url.ssl_ca,
        "sslcert": url.ssl_cert,
        "sslkey": url.ssl_key,
    }
    return {
        "host": url.host,
        "port": str(url.port),
        "user": url.user,
        "password": url.password,
        "dbname": url.path,
        "application_name": settings.APPLICATION,
        "connect_timeout": str(settings.CONNECT_SECONDS),
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "tcp_user_timeout": "60000",
        **{name: value for name, value in tls.items() if value},
    }
