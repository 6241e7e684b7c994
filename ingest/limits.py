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


def is_too_long(key: Iterable[CanonicalType]) -> bool:
    """Whether values of the key may be longer than a B-tree takes."""
    # A row of an index has eight bytes of its own, and a value its alignment.
    return 8 + sum(8 + (kind.size or _UNDECLARED) for kind in key) > INDEX_BYTES


def is_long(kind: CanonicalType) -> bool:
    """Whether a hash of a value takes less than the value may."""
    return kind.postgres.startswith(("varchar", "text", "bytea")) and (
        kind.size is None or kind.size > 64
    )


def widest(kinds: Iterable[CanonicalType]) -> int:
    """The bytes of a row that has the longest value in each column."""
    kinds = list(kinds)
    header = 23 + -(-(len(kinds) + _OWN_COLUMNS) // 8)
    place = -(-header // 8) * 8
    for kind in kinds:
        size = kind.size or _POINTER
        if kind.is_fixed:
            place = -(-place // size) * size + size
        else:
            place += min(size, _POINTER)
    return place + _OWN_BYTES
