"""Postgres: tables and views, asked by queries whose answers DuckDB streams.

A query says itself in which type each value comes, so that a number without a limit
arrives as a text and not as a double.
"""

from __future__ import annotations

import datetime as dt

from ingest import settings
from ingest.duck import Engine
from ingest.seed.metadata import Source, Table
from ingest.sources.kind import Kind, Session
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

    connect = staticmethod(server.connect)
    snapshot = staticmethod(server.snapshot)
    quoted = staticmethod(server.quoted)
    asked = staticmethod(server.asked)
    catalogue = staticmethod(catalogue.read)
    rows = staticmethod(reading.rows)
    answer = staticmethod(reading.answer)
    is_canonical = staticmethod(reading.is_canonical)
    blanks = staticmethod(reading.blanks)
    no_time = staticmethod(reading.no_time)

    def schema(self, source: Source) -> str:
        with server.connect(source) as session:
            (schema,) = session.one("select coalesce(current_schema(), 'public')")
        return str(schema)

    def attach(self, engine: Engine, source: Source) -> None:
        server.attach(engine, settings.source_url(source))

    def start(self, column: str, characters: int) -> str:
        return f"left({column}::text, {characters})"

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
