"""MySQL and MariaDB: InnoDB tables, read by DuckDB's scan of an attached database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from ingest import settings
from ingest.duck import Engine
from ingest.seed.metadata import Source, Table
from ingest.sources.kind import Kind, Session, ambiguous
from ingest.sources.mysql import catalogue, cuts, reading, server

_BEHIND = ("Seconds_Behind_Master", "Seconds_Behind_Source")


class MySql(Kind):
    """MySQL and MariaDB."""

    name = "mysql"
    url = server.URL
    discovered = f"{server.URL}SCHEMA"
    now = "utc_timestamp(6)"
    # A zero or incomplete date, which comes as a text, is not a watermark. Excluding
    # them prevents the use of the index, so it is done only if one is found.
    times = ("true", "month({column}) <> 0 and day({column}) <> 0")

    connect = staticmethod(server.connect)
    snapshot = staticmethod(server.snapshot)
    quoted = staticmethod(server.backticked)
    asked = staticmethod(server.asked)
    catalogue = staticmethod(catalogue.read)
    rows = staticmethod(reading.rows)
    answer = staticmethod(reading.answer)
    is_canonical = staticmethod(reading.is_canonical)
    blanks = staticmethod(reading.blanks)

    def attach(self, engine: Engine, source: Source) -> None:
        server.attach(engine, settings.source_url(source), source.schema)

    def no_time(self, column: str) -> str:
        return f"({column} is null or month({column}) = 0 or day({column}) = 0)"

    def by_primary_key(self, table: Table) -> str:
        return f"{self.named(table)} force index (primary)"

    def needs_query(self, names: Iterable[str], tables: Iterable[str]) -> bool:
        # DuckDB's reader can't name what has a backtick. And to it names that differ by
        # case only are one: its catalogue of a schema with such tables is wrong.
        return any("`" in name for name in names) or bool(ambiguous(tables))

    def refusal(self, session: Session, source: Source, table: str) -> str:
        # It hides those of a view that is broken, or that calls a function which the
        # user may not execute.
        place = f"{self.quoted(source.schema)}.{self.quoted(table)}"
        return session.attempt(f"show columns from {place}")[1]

    def limit(self, session: Session, seconds: int) -> None:
        # The two servers call it differently.
        session.attempt(f"set session max_statement_time = {seconds}")
        session.attempt(f"set session max_execution_time = {seconds * 1000}")

    def estimate(self, session: Session, table: Table) -> tuple[int, int]:
        # MySQL's may otherwise be a day old; MariaDB's are always current.
        session.attempt("set session information_schema_stats_expiry = 0")
        query = self._sql("estimate", table=table, text=server.text)
        for rows, length in session.rows(query):
            return int(rows or 0), int(length or 0)
        return 0, 0

    def behind(self, session: Session) -> int:
        # By the farthest of those that it follows; 0 for one that doesn't say. The
        # second one names one of them only on MariaDB, which alone knows the first.
        for statement in ("show all replicas status", "show replica status"):
            rows, refused = session.attempt(statement)
            if refused:
                continue  # another or an old server, or a user who may not ask
            of_lag = [n for n, name in enumerate(session.names()) if name in _BEHIND]
            return max((int(row[n] or 0) for row in rows for n in of_lag), default=0)
        return 0

    def zone(self, session: Session) -> tuple[str, bool]:
        setting, system = session.one("select @@global.time_zone, @@system_time_zone")
        is_system = setting == "SYSTEM"
        return system if is_system else setting, is_system

    def offset(self, session: Session) -> dt.timedelta:
        session.rows("set time_zone = @@global.time_zone")
        ahead = "select timestampdiff(second, utc_timestamp(), now())"
        (seconds,) = session.one(ahead)
        session.rows("set time_zone = '+00:00'")
        return dt.timedelta(minutes=round(seconds / 60))

    def is_led_by_key(self, session: Session, table: Table, *, primary: bool) -> bool:
        query = self._sql("led_by_key", table=table, primary=primary, text=server.text)
        return bool(session.rows(query))

    def key_sums(self, engine: Engine, table: Table, width: int) -> str:
        numbers = self._numbers(engine, table)
        values = {"numbers": numbers, "rows": self.named(table), "width": width}
        return self._sql("key_sums", **values)

    def key_ends(self, engine: Engine, table: Table) -> str:
        lead = self._numbers(engine, table)[0]
        # As texts: bits are bytes in an answer, and a decimal loses digits.
        return (
            f"select cast(min({lead}) as char) as low, "
            f"cast(max({lead}) as char) as high from {self.named(table)}"
        )

    def _numbers(self, engine: Engine, table: Table) -> list[str]:
        """The key's columns as exact numbers.

        What is not an integer to the server, such as a text of digits, is made a
        decimal, with which it reckons at half the speed.
        """
        there = cuts.declared(engine, table)
        return [
            name
            if there[column.source_name].kind in cuts.INTEGERS
            else f"cast({name} as decimal(20))"
            for column in table.key
            for name in [self.quoted(column.source_name)]
        ]


KIND = MySql()
