"""SQLite: tables and views of a file, asked by queries that SQLite itself runs.

DuckDB's own scan cuts numbers to 15 digits and can't hold bytes beside texts, so a
query writes each value as a text that tells its class: digits for a number, hexadecimal
digits behind an x for a text or bytes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import duckdb

from ingest import settings
from ingest.duck import Engine, literal, load
from ingest.errors import SeedbedError, SourceError, first_line
from ingest.seed.metadata import Column, Source, Table
from ingest.settings import UrlForm
from ingest.sources.inside import Inside
from ingest.sources.kind import Session, SourceTable
from ingest.sources.sqlite import catalogue, reading

# How long a reader waits for a writer that has locked the file, in milliseconds.
_PATIENCE = 10_000


class Sqlite(Inside):
    """SQLite."""

    name = "sqlite"
    url = UrlForm(schemes=("sqlite",), path="PATH/FILE.db")
    discovered = str(url)

    def schema(self, source: Source) -> str:
        return "main"

    def attach(self, engine: Engine, source: Source) -> None:
        path = settings.source_url(source).path
        if not os.path.isfile(path) or not os.access(path, os.R_OK):
            seen = "can't be read" if os.path.exists(path) else "is not there"
            raise _unreadable(source, f"the file {path} {seen}")
        load(engine, "sqlite_scanner")
        try:
            engine.execute(
                f"attach {literal(path)} as source "
                f"(type sqlite, read_only, busy_timeout {_PATIENCE})"
            )
            reading.rows(engine, "select 1 from sqlite_schema limit 1")
        except duckdb.Error as error:
            raise self.explained(error, source) from None

    def explained(self, error: duckdb.Error, source: Source) -> SourceError:
        said = first_line(error).rpartition('": ')[2].rstrip(".")
        is_locked = "locked" in said or "busy" in said
        return _unreadable(source, said, may_pass=is_locked)

    def fault(self, table: Table, error: Exception) -> SeedbedError | None:
        is_sqlite = "is locked" in str(error) or ' query "' in str(error)
        if isinstance(error, duckdb.Error) and is_sqlite:
            return self.explained(error, table.source)
        return None

    def relation(self, source: Source, table: SourceTable) -> str:
        return catalogue.look(table)

    def catalogue(
        self, source: Source, tables: Sequence[Table] = ()
    ) -> dict[str, SourceTable]:
        with self.connect(source) as session:
            return catalogue.read(session, is_known=bool(tables))

    def refusal(self, session: Session, source: Source, table: str) -> str:
        query = f"select * from {reading.quoted(table)} limit 1"
        return session.attempt(f"from {reading.asked(query)}")[1]

    def estimate(self, session: Session, table: Table) -> tuple[int, int]:
        lengths = " + ".join(
            f"coalesce(length(t.{reading.quoted(c.source_name)}), 0)"
            for c in table.columns
        )
        place = reading.quoted(table.name)
        query = self._sql("estimate", place=place, lengths=lengths)
        rows, length = session.one(f"from {reading.asked(query)}")
        return int(rows), int(rows) * int(float(length or 0))

    def raw(self, table: Table, columns: Sequence[Column]) -> list[str]:
        kinds = {c.source_name: c.type for c in columns}
        return [reading.relation(table.name, kinds)]


def _unreadable(source: Source, why: str, *, may_pass: bool = False) -> SourceError:
    return SourceError(
        f"source {source.name} can't be read: {why}. Nothing was lost.",
        f"Check that {source.url_env} names a file of SQLite, and its owner and mode "
        "(a reader of a file in WAL mode also writes FILE-shm beside it); then run "
        "again.",
        may_pass=may_pass,
    )


KIND = Sqlite()
