"""A MySQL source: small questions about its catalogue and its clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

import pymysql

from ingest import settings
from ingest.errors import SeedbedError, ServiceError
from ingest.metadata import Source, Table

# Errors of the server whose cause the person can mend, by code.
_ACCESS_DENIED = (1044, 1045, 1142, 1143, 1227, 1698)


@contextmanager
def connect(source: Source) -> Iterator[pymysql.connections.Connection[Any]]:
    """Open a connection whose errors are told in the product's words."""
    url = settings.source_url(source)
    options: dict[str, Any] = {}
    if url.ssl_ca:
        options["ssl"] = {"ca": url.ssl_ca}
    elif url.ssl_mode in ("required", "verify_ca", "verify_identity"):
        options["ssl"] = {}
    try:
        connection = pymysql.connect(
            host=url.host,
            port=url.port,
            user=url.user,
            password=url.password,
            database=source.schema,
            connect_timeout=10,
            read_timeout=300,
            autocommit=True,
            # The server shows a TIMESTAMP on the session's clock.
            init_command="set time_zone = '+00:00'",
            **options,
        )
        try:
            yield connection
        finally:
            connection.close()
    except pymysql.err.MySQLError as error:
        code, said = (*error.args, "")[:2] if error.args else (0, str(error))
        place = f"source {source.name} at {url.host}:{url.port}"
        if code in _ACCESS_DENIED:
            raise ServiceError(
                f"{place} refused user {url.user!r}: {said}. Check the user and "
                f"password in {source.url_env}, and that the user may SELECT from "
                f"schema {source.schema}."
            ) from None
        raise ServiceError(
            f"{place} can't be read: {said or error}. Check that the server runs and "
            f"that {source.url_env} names it; then run again, nothing was lost."
        ) from None


def check_columns(source: Source, tables: list[Table]) -> dict[str, str]:
    """What keeps each table from being read, by table id: one query a source."""
    with connect(source) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select table_name, column_name from information_schema.columns "
            "where table_schema = %s",
            (source.schema,),
        )
        found: dict[str, set[str]] = {}
        for table_name, column_name in cursor.fetchall():
            found.setdefault(table_name, set()).add(column_name)
    faults = {}
    for table in tables:
        columns = found.get(table.name)
        if columns is None:
            faults[table.id] = (
                f"{table.id}: there is no table {table.name!r} in schema "
                f"{source.schema} of source {source.name}, or its user may not SELECT "
                "from it. What was loaded stays as it is. Restore the table or the "
                "privilege; if it is gone for good, write enabled false in "
                "seeds/metadata/tables.csv."
            )
            continue
        gone = [c.source_name for c in table.columns if c.source_name not in columns]
        if gone:
            faults[table.id] = (
                f"{table.id}: column {', '.join(gone)} is no longer in the source. "
                "What was loaded stays as it is. Restore the column, or correct "
                "seeds/metadata/columns.csv and run `./seedbed generate`."
            )
    return faults


def newest_watermark(table: Table) -> dt.datetime | None:
    """The table's newest watermark that is not in the source's future.

    As the source writes it, on the table's clock; None for an empty table and for
    one that is read whole.
    """
    if not table.watermark_column:
        return None
    zone = ZoneInfo(table.clock)
    now = dt.datetime.now(dt.UTC)
    column = _quoted(table.watermark_column)
    with connect(table.source) as connection, connection.cursor() as cursor:
        cursor.execute("select utc_timestamp(6)")
        if row := cursor.fetchone():  # the source's clock, not this machine's
            now = row[0].replace(tzinfo=dt.UTC)
        cursor.execute(
            f"select max({column}) from {_quoted(table.name)} where {column} <= %s",
            (now.astimezone(zone).replace(tzinfo=None),),
        )
        row = cursor.fetchone()
    newest = row[0] if row else None
    if newest is not None and not isinstance(newest, dt.datetime):
        raise SeedbedError(
            f"{table.id}: watermark_column {table.watermark_column!r} holds "
            f"{type(newest).__name__} values in the source, not date and time. "
            "Name a DATETIME or TIMESTAMP column in seeds/metadata/tables.csv."
        )
    return newest


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
