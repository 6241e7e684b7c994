"""Limits of Postgres: the longest key of an index, the widest row, the most columns.

They are the server's own, set when it is compiled. What is refused because of one is
refused again however often it is tried, so the message says what to change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ingest.seed.types import CanonicalType

INDEX_BYTES = 2704
ROW_BYTES = 8160
COLUMNS = 1600
# Beside the source's columns: those of the log, and of a history.
_OWN_COLUMNS, _OWN_BYTES = 12, 80
MOST_COLUMNS = COLUMNS - _OWN_COLUMNS
# A longer value is moved out of its row, where this much of it stays.
_POINTER = 24
# The length that is assumed for a text or bytes without a declared one in a key: they
# are mostly labels and numbers, and `long_key` marks the others.
_UNDECLARED = 128
_FIXED = {
    "boolean": 1,
    "integer": 4,
    "date": 4,
    "bigint": 8,
    "double": 8,
    "time": 8,
    "timestamp": 8,
    "timestamptz": 8,
}
_REFUSED = (
    (
        r"index row (size|requires) .*(maximum|exceeds)",
        "A value of a key, or of a column in index_columns, is longer than the "
        f"{INDEX_BYTES:,} bytes that an index of Postgres takes. Add SOURCE,TABLE,"
        "long_key,true to seeds/metadata/options.csv where it is the key (its index "
        "then holds hashes), or remove the column from index_columns; then run "
        "./seedbed generate and ./seedbed run",
    ),
    (
        r"row is too big",
        f"Postgres has {ROW_BYTES:,} bytes for a row and moves only long values out of "
        "it. Remove columns that are not needed from seeds/metadata/columns.csv, then "
        "run ./seedbed generate and ./seedbed run; until then the table stays as it is",
    ),
    (
        r"at most \d+ columns",
        f"Postgres has {COLUMNS:,} columns for a table. Remove columns that are not "
        "needed from seeds/metadata/columns.csv, then run ./seedbed generate and "
        "./seedbed run",
    ),
)


def way_out(said: str) -> str:
    """What to do about an error of a limit of Postgres; '' for other errors."""
    return next((out for pattern, out in _REFUSED if re.search(pattern, said)), "")


def longest(kind: CanonicalType) -> int | None:
    """The most bytes of a value as Postgres holds it; None without a limit."""
    if kind.name in _FIXED:
        return _FIXED[kind.name]
    if found := re.fullmatch(r"varchar\((\d+)\)", kind.name):
        return 4 * int(found[1]) + 4
    if found := re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", kind.name):
        precision, scale = int(found[1]), int(found[2])
        if precision <= 38:
            # Groups of four digits, before and behind the point.
            return 3 + 2 * (-(-(precision - scale) // 4) + -(-scale // 4))
    return None


def is_too_long(key: Iterable[CanonicalType]) -> bool:
    """Whether values of the key may be longer than a B-tree takes."""
    # A row of an index has eight bytes of its own, and a value its alignment.
    return 8 + sum(8 + (longest(kind) or _UNDECLARED) for kind in key) > INDEX_BYTES


def is_long(kind: CanonicalType) -> bool:
    """Whether a hash of a value takes less than the value may."""
    size = longest(kind)
    return kind.postgres.startswith(("varchar", "text", "bytea")) and (
        size is None or size > 64
    )


def widest(kinds: Iterable[CanonicalType]) -> int:
    """The bytes of a row that has the longest value in each column."""
    kinds = list(kinds)
    header = 23 + -(-(len(kinds) + _OWN_COLUMNS) // 8)
    place = -(-header // 8) * 8
    for kind in kinds:
        if kind.name in _FIXED:
            size = _FIXED[kind.name]
            place = -(-place // size) * size + size
        elif kind.name == "duration":
            place += _POINTER
        else:
            size = longest(kind) or _POINTER
            place += min(size, _POINTER)
    return place + _OWN_BYTES
