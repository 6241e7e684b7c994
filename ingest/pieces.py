"""Pieces: a read divided by bytes, where few rows fill the memory.

DuckDB takes 2,048 rows at a time, however long they are, and holds the whole answer to
a query that the source runs. Where rows are long, the source is asked for the keys that
divide its rows into pieces of so many bytes, and is read piece by piece. Many short
rows need no pieces.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ingest.quoting import quoted
from ingest.seed.metadata import Column, Table

# Makes the condition of the rows to read, with names quoted for one of the servers.
Condition = Callable[[Callable[[str], str]], str]

# A piece has about this many bytes, or one row. Processing it takes about six times as
# much, in each of up to three engines of a table.
PIECE_BYTES = 16 << 20
# Rows of up to this many bytes count as short: 2,048 of them are PIECE_BYTES.
ROW_BYTES = 8 << 10
# Rows of tables whose columns hold no more characters than this are not measured.
SHORT = 16 << 10
# What a value costs beside a text's bytes.
_VALUE_BYTES = 16
# This many keys are listed in a query of the warehouse.
_MOST_KEYS = 1000
_NO_LIMIT = ("text", "json", "binary", "geometry")


@dataclass(frozen=True)
class Piece:
    """A part of a read: its condition, and whether only the source can evaluate it."""

    condition: Condition
    by_query: bool = False


@dataclass(frozen=True)
class KeyRange:
    """The keys whose leading column is from `low` to `high`, both among them."""

    low: int | None = None
    high: int | None = None

    @classmethod
    def between(cls, cuts: Sequence[int]) -> list[KeyRange]:
        """The ranges of all keys, each of which begins at a cut."""
        edges = itertools.pairwise((None, *cuts, None))
        return [cls(low, None if high is None else high - 1) for low, high in edges]

    def condition(self, column: str) -> str:
        """The range as a condition on the quoted column."""
        low = [] if self.low is None else [f"{column} >= {self.low}"]
        high = [] if self.high is None else [f"{column} <= {self.high}"]
        return " and ".join([*low, *high]) or "true"

    def within(self, table: Table) -> Condition:
        """The range as a condition on the source's rows."""
        lead = table.key[0].source_name if table.key else ""
        return lambda quote: self.condition(quote(lead))


def also(condition: Condition, other: Condition) -> Condition:
    """Both conditions."""
    return lambda quote: f"{condition(quote)} and {other(quote)}"


def may_be_long(table: Table) -> bool:
    """Whether a row of the table may have more than SHORT characters."""
    return sum(_longest(column) for column in table.columns) > SHORT


def _longest(column: Column) -> int:
    kind = column.type
    return SHORT + 1 if kind.name in _NO_LIMIT else _VALUE_BYTES + kind.length


def size_in_log(table: Table) -> str:
    """The warehouse's SQL for about how many bytes a row of the log has."""

    def length(column: Column) -> str:
        text = "" if column.type.log == "bytea" else "::text"
        return f"coalesce(octet_length({quoted(column.name)}{text}), 0)::bigint"

    return size(table, length)


def size(table: Table, length: Callable[[Column], str]) -> str:
    """SQL for about how many bytes a row has; `length` has that of a value's."""
    texts = [c for c in table.columns if c.type.duckdb in ("varchar", "json", "blob")]
    return " + ".join([str(_VALUE_BYTES * len(table.columns)), *map(length, texts)])


def grouped(keys: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    """The keys of rows with their sizes, in groups of about PIECE_BYTES."""
    group: list[str] = []
    total = 0
    for key, size in keys:
        if group and (total + size > PIECE_BYTES or len(group) == _MOST_KEYS):
            yield group
            group, total = [], 0
        group.append(f"({key})")
        total += size
    if group:
        yield group
