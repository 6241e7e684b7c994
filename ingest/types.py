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
