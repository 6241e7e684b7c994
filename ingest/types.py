"""The canonical column types and what each is called in every system.

A canonical type is what `columns.csv` says; this table is the only mapping from
it to DuckDB (which also fixes the Parquet type), Postgres and Snowflake.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class CanonicalType:
    """One canonical type with its name in each system.

    `duckdb` is the type in the bronze Parquet files, `postgres` and `snowflake`
    the types of the warehouse columns.
    """

    name: str
    duckdb: str
    postgres: str
    snowflake: str


_PLAIN = {
    "boolean": ("boolean", "boolean", "boolean"),
    "integer": ("integer", "integer", "integer"),
    "bigint": ("bigint", "bigint", "bigint"),
    "double": ("double", "double precision", "double precision"),
    "text": ("varchar", "text", "text"),
    "date": ("date", "date", "date"),
    "time": ("time", "time", "time"),
    "timestamp": ("timestamp", "timestamp", "timestamp_ntz"),
    # Valid JSON text in the files; the warehouse parses it.
    "json": ("json", "jsonb", "variant"),
    "binary": ("blob", "bytea", "binary"),
}
_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")
_VARCHAR = re.compile(r"varchar\((\d+)\)")
_SIZED = re.compile(r"(varchar|numeric)\((\d+)(?:,(\d+))?\)")

KNOWN = (*sorted(_PLAIN), "decimal(p,s)", "varchar(n)")


def parse(name: str) -> CanonicalType:
    """Return the canonical type called `name`; ValueError says what is wrong."""
    if name in _PLAIN:
        return CanonicalType(name, *_PLAIN[name])
    if match := _DECIMAL.fullmatch(name):
        precision, scale = int(match[1]), int(match[2])
        if not 1 <= precision <= 38:
            raise ValueError("decimal(p,s) takes a precision from 1 to 38")
        if scale > precision:
            raise ValueError("decimal(p,s) takes a scale up to its precision")
        sql = f"numeric({precision},{scale})"
        return CanonicalType(name, f"decimal({precision},{scale})", sql, sql)
    if match := _VARCHAR.fullmatch(name):
        if not 1 <= int(match[1]) <= 65535:
            raise ValueError("varchar(n) takes a length from 1 to 65535")
        return CanonicalType(name, "varchar", name, name)
    raise ValueError(f"known types: {', '.join(KNOWN)}")


def widens(old: str, new: str) -> bool:
    """Whether each value of Postgres type `old` is one of `new`, and the same text.

    A value's text counts, because rows are told apart by a hash over texts: after
    a widening no stored row differs from the same row read again.
    """
    if (old, new) == ("integer", "bigint"):
        return True
    was, now = _SIZED.fullmatch(old), _SIZED.fullmatch(new)
    if was is None:
        return False
    if was[1] == "varchar" and new == "text":
        return True
    return (
        now is not None
        and (was[1], was[3]) == (now[1], now[3])
        and int(was[2]) <= int(now[2])
    )
