"""Postgres: tables and views, asked by queries whose answers DuckDB streams.

A query says itself in which type each value comes, so that a number without a limit
arrives as a text and not as a double.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import AbstractContextManager

from ingest import settings
from ingest.duck import Engine
from ingest.pieces import Condition
from ingest.seed.metadata import Column, Source, Table
from ingest.sources.kind import Kind, Session, SourceTable
from ingest.sources.postgres import catalogue, reading, server
from ingest.statements import render


class Postgres(Kind):
    """Postgres."""

    name = "postgres"
    url = server.URL
    discovered = str(server.URL)
    now = "clock_timestamp() at time zone 'utc'"
    # Other times are none in other systems; the index serves this as well.
    times = ("{column} >= timestamp '0001-01-01'",)

    def schema(self, source: Source) -> str:
        with server.connect(source) as session:
            (schema,) = session.one("select coalesce(current_schema(), 'public')")
        return str(schema)

    def connect(self, source: Source) -> AbstractContextManager[Session]:
        return server.connect(source)

    def attach(self, engine: Engine, source: Source) -> None:
        server.attach(engine, settings.source_url(source))

    def snapshot(self, engine: Engine) -> AbstractContextManager[None]:
        return server.snapshot(engine)

    def quoted(self, name: str) -> str:
        return server.quoted(name)

    def asked(self, query: str) -> str:
        return server.asked(query)

    def no_time(self, column: str) -> str:
        return reading.no_time(column)

    def start(self, column: str, characters: int) -> str:
        return f"left({column}::text, {characters})"

    def catalogue(
        self, source: Source, tables: Sequence[Table] = ()
    ) -> dict[str, SourceTable]:
        return catalogue.read(source)

    def refusal(self, session: Session, source: Source, table: str) -> str:
        return ""

    def limit(self, session: Session, seconds: int) -> None:
        session.rows(f"set statement_timeout = '{seconds}s'")

    def estimate(self, session: Session, table: Table) -> tuple[int, int]:
        return session.one(self._sql("estimate", name=self.named(table)))

    def behind(self, session: Session) -> int:
        (seconds,) = session.one(self._sql("behind"))
        return int(seconds)

    def zone(self, session: Session) -> tuple[str, bool]:
        (name,) = session.one(self._sql("zone"))
        return name, False

    def offset(self, session: Session) -> dt.timedelta:
        zone, _ = self.zone(session)
        (seconds,) = session.one(self._sql("offset", zone=zone))
        return dt.timedelta(minutes=round(seconds / 60))

    def is_led_by_key(self, session: Session, table: Table, *, primary: bool) -> bool:
        values = {"name": self.named(table), "table": table, "primary": primary}
        return bool(session.rows(self._sql("led_by_key", **values)))

    def rows(
        self,
        engine: Engine,
        table: Table,
        condition: Condition,
        columns: Sequence[Column] | None = None,
    ) -> list[str]:
        return reading.rows(engine, table, condition, columns)

    def answer(
        self, engine: Engine, table: Table, condition: str, columns: Sequence[Column]
    ) -> str:
        return reading.answer(engine, table, condition, columns)

    def is_canonical(self, engine: Engine, table: Table) -> bool:
        return reading.is_canonical(engine, table)

    def no_dates(
        self, engine: Engine, table: Table, condition: str, files: Sequence[str]
    ) -> int:
        return reading.no_dates(engine, table, condition, files)

    def key_sums(self, engine: Engine, table: Table, width: int) -> str:
        numbers = reading.numbers(engine, table)
        return render(
            "log_sums",
            numbers=numbers,
            is_decimal=numbers[0].endswith("::numeric"),
            rows=self.named(table),
            width=width,
        )

    def key_ends(self, engine: Engine, table: Table) -> str:
        lead = reading.numbers(engine, table)[0]
        ends = f"min({lead})::text as low, max({lead})::text as high"
        return f"select {ends} from {self.named(table)}"


KIND = Postgres()
