"""Kinds that DuckDB reads without a server: their SQL is DuckDB's own.

Values come as they are written, mostly as texts, which the seed's types make canonical.
Conditions see the canonical values of the key and of the watermark, since a text has
another order than a number or a time.
"""

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb

from ingest import duck, settings
from ingest.duck import Engine, quoted
from ingest.errors import SourceError
from ingest.pieces import Condition
from ingest.seed import types
from ingest.seed.metadata import Column, Source, Table
from ingest.sources.kind import Kind, Session, SourceTable
from ingest.statements import render

# Rows by which a column's type is judged.
LOOKED_AT = 100_000


class Inside(Kind):
    """A kind that DuckDB reads; `raw` says how, and `explained` what went wrong."""

    now = "(now() at time zone 'utc')"

    @abstractmethod
    def raw(self, table: Table, columns: Sequence[Column]) -> list[str]:
        """Relations of those columns as they are read; together they have all rows."""

    @abstractmethod
    def explained(self, error: duckdb.Error, source: Source) -> SourceError:
        """What DuckDB's error means to a person."""

    # -- reaching it ---------------------------------------------------------------

    @contextmanager
    def connect(self, source: Source) -> Iterator[Session]:
        try:
            with duck.engine(settings.ROOT / ".seedbed" / "spill") as engine:
                self.attach(engine, source)
                yield Session(engine, duckdb.Error)
        except duckdb.Error as error:
            raise self.explained(error, source) from None

    @contextmanager
    def snapshot(self, engine: Engine) -> Iterator[None]:
        engine.execute("begin")
        yield
        engine.execute("commit")

    # -- its SQL -------------------------------------------------------------------

    def quoted(self, name: str) -> str:
        return quoted(name)

    def asked(self, query: str) -> str:
        return f"({query})"

    def no_time(self, column: str) -> str:
        return f"({column} is null)"

    def start(self, column: str, characters: int) -> str:
        return f"left({column}::varchar, {characters})"

    def named(self, table: Table) -> str:
        columns = _compared(table)
        values = ", ".join(f"{c.value} as {quoted(c.source_name)}" for c in columns)
        # Rows are counted where there is nothing to compare.
        parts = self.raw(table, columns or table.columns[:1])
        rows = (f"select {values or '1 as one'} from {one}" for one in parts)
        return f"({' union all '.join(rows)})"

    # -- what it has ---------------------------------------------------------------

    def limit(self, session: Session, seconds: int) -> None:
        pass

    def behind(self, session: Session) -> int:
        return 0

    def zone(self, session: Session) -> tuple[str, bool]:
        return "UTC", False

    def offset(self, session: Session) -> dt.timedelta:
        return dt.timedelta()

    def is_led_by_key(self, session: Session, table: Table, *, primary: bool) -> bool:
        # A range would look through all of it as well, so there are none.
        return False

    # -- its rows ------------------------------------------------------------------

    def rows(
        self,
        engine: Engine,
        table: Table,
        condition: Condition,
        columns: Sequence[Column] | None = None,
    ) -> list[str]:
        wanted = table.columns if columns is None else columns
        return self._select(table, condition(quoted), wanted)

    def answer(
        self, engine: Engine, table: Table, condition: str, columns: Sequence[Column]
    ) -> str:
        return " union all ".join(self._select(table, condition, columns))

    def _select(
        self, table: Table, condition: str, columns: Sequence[Column]
    ) -> list[str]:
        """Selects of raw columns, for a condition on canonical values."""
        compared = {c.source_name: c for c in _compared(table)}
        needed = {c.source_name: c for c in columns} | compared
        inner = ", ".join(f"{quoted(n)} as {_raw(n)}" for n in needed)
        values = ", ".join(f"{c.value} as {quoted(n)}" for n, c in compared.items())
        names = ", ".join(
            f"{_raw(c.source_name)} as {quoted(c.source_name)}" for c in columns
        )
        return [
            f"select * from (select {names} from (select {inner}"
            f"{', ' if values else ''}{values} from {one}) where {condition}) "
            "where true"
            for one in self.raw(table, [*needed.values()])
        ]

    def is_canonical(self, engine: Engine, table: Table) -> bool:
        return False

    def key_sums(self, engine: Engine, table: Table, width: int) -> str:
        numbers = [f"{quoted(c.source_name)}::hugeint" for c in table.key]
        rows = self.named(table)
        return render("sums_inside", numbers=numbers, rows=rows, width=width)

    def key_ends(self, engine: Engine, table: Table) -> str:
        lead = quoted(table.key[0].source_name)
        ends = f"min({lead})::varchar as low, max({lead})::varchar as high"
        return f"select {ends} from {self.named(table)}"


def _raw(name: str) -> str:
    return quoted(f"raw {name}")


def _compared(table: Table) -> list[Column]:
    """The columns that conditions are on."""
    window = [table.window_column] if table.window_column else []
    return [*dict.fromkeys((*table.key, *window))]


def canonical(table: SourceTable, rows: str) -> str:
    """The table's raw rows with values of the proposed types, for a look at them."""
    values = ", ".join(
        f"{types.parse(column.proposal.type).cast(quoted(name))} as {quoted(name)}"
        for name, column in table.columns.items()
    )
    return f"(select {values} from {rows})"


def settled(
    session: Session,
    relation: str,
    candidates: Mapping[str, Sequence[tuple[str, str]]],
) -> dict[str, str]:
    """The type of each column: the first that fits all of its first LOOKED_AT values.

    A candidate is a canonical type and a further condition, with $raw for the column,
    or ''. The last one fits whatever the values are.
    """
    tests = {
        (name, kind): " and ".join(
            f"({text.replace('$raw', quoted(name))})"
            for text in (more, types.parse(kind).fitting(quoted(name)))
            if text
        )
        for name, kinds in candidates.items()
        for kind, more in kinds[:-1]
    }
    found = {name: kinds[-1][0] for name, kinds in candidates.items()}
    if not tests:
        return found
    every = ", ".join(
        f"coalesce(bool_and(({test or 'true'}) or {quoted(name)} is null), true)"
        for (name, _), test in tests.items()
    )
    fits = session.one(f"select {every} from (from {relation} limit {LOOKED_AT})")
    for (name, kind), fit in reversed([*zip(tests, fits, strict=True)]):
        if fit:
            found[name] = kind
    return found
