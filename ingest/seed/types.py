"""Column types: what a type of the source becomes in every system.

A *canonical type* is what `columns.csv` says; `parse` is the only mapping from it to
DuckDB (which also fixes the Parquet type), Postgres and Snowflake. `of_source` is the
only mapping from a column of a MySQL or MariaDB catalogue to its canonical type.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class CanonicalType:
    """One canonical type with its name in each system.

    `duckdb` is the type in the bronze Parquet files, `postgres` and `snowflake`
    the types of the warehouse columns, `family` what its values compare with: number,
    text, time, boolean; '' nothing but their own kind. The log holds text where only
    Postgres itself can make the value; all others it holds as they are. JSON is not
    parsed there: for a jsonb DuckDB would send all of a row's columns as text.
    """

    name: str
    duckdb: str
    postgres: str
    snowflake: str
    family: str

    @property
    def log(self) -> str:
        """The Postgres type of the column in the log."""
        if self.postgres == "jsonb":
            return "json"
        as_text = self.duckdb == "varchar" and not self.name.startswith("varchar")
        return "text" if as_text else self.postgres

    @property
    def snowflake_log(self) -> str:
        """The Snowflake type of the column in the log, which COPY INTO fills.

        A text that is copied into a VARIANT would be a string there, not JSON.
        """
        return "text" if self.name == "json" else self.snowflake


@dataclass(frozen=True)
class SourceColumn:
    """A column as `information_schema.columns` of a source describes it.

    `length` counts characters, or bytes in a binary type. `is_json`: a check of the
    server's makes a text JSON, which is what MariaDB's JSON type is.
    """

    name: str
    data_type: str
    column_type: str
    nullable: bool = True
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    is_json: bool = False


@dataclass(frozen=True)
class Proposal:
    """The canonical type for a source column, by name, and what to know about it.

    `type` is '' for a column that can't be read: `note` says why. `otherwise` is the
    type to take when the column holds values that `type` has no place for (they are
    rejected); it is '' where there are none.
    """

    type: str
    note: str = ""
    otherwise: str = ""


# Each type's name in DuckDB, Postgres and Snowflake, and its family.
_PLAIN = {
    "boolean": ("boolean", "boolean", "boolean", "boolean"),
    "integer": ("integer", "integer", "integer", "number"),
    "bigint": ("bigint", "bigint", "bigint", "number"),
    "double": ("double", "double precision", "double precision", "number"),
    "text": ("varchar", "text", "text", "text"),
    "date": ("date", "date", "date", "time"),
    "time": ("time", "time", "time", ""),
    # Hours, minutes, seconds of any sign and number; Parquet's interval has no
    # microseconds, Snowflake stores none.
    "duration": ("varchar", "interval", "text", ""),
    # Date and time on the clock of the source's `timezone`.
    "timestamp": ("timestamp", "timestamp", "timestamp_ntz", "time"),
    # An instant, in UTC.
    "timestamptz": ("timestamptz", "timestamp with time zone", "timestamp_tz", "time"),
    # Valid JSON text in the files; the warehouse parses it.
    "json": ("json", "jsonb", "variant", ""),
    "binary": ("blob", "bytea", "binary", ""),
    # Well-known binary; with an SRID other than 0 the extended form that holds it.
    "geometry": ("blob", "bytea", "binary", ""),
}
_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")
_VARCHAR = re.compile(r"varchar\((\d+)\)")
_SIZED = re.compile(r"(varchar|numeric)\((\d+)(?:,(\d+))?\)")
# The most digits of a number in DuckDB, Parquet and Snowflake.
EXACT_DIGITS = 38

KNOWN = (*sorted(_PLAIN), "decimal(p,s)", "varchar(n)")


def parse(name: str) -> CanonicalType:
    """Return the canonical type called `name`; ValueError says what is wrong."""
    if name in _PLAIN:
        return CanonicalType(name, *_PLAIN[name])
    if match := _DECIMAL.fullmatch(name):
        precision, scale = int(match[1]), int(match[2])
        if not 1 <= precision <= 65:
            raise ValueError("decimal(p,s) takes a precision from 1 to 65")
        if scale > min(precision, EXACT_DIGITS):
            raise ValueError("decimal(p,s) takes a scale up to its precision and 38")
        sql = f"numeric({precision},{scale})"
        if precision > EXACT_DIGITS:
            return CanonicalType(name, "varchar", sql, "text", "")
        duckdb = f"decimal({precision},{scale})"
        return CanonicalType(name, duckdb, sql, sql, "number")
    if match := _VARCHAR.fullmatch(name):
        if not 1 <= int(match[1]) <= 65535:
            raise ValueError("varchar(n) takes a length from 1 to 65535")
        return CanonicalType(name, "varchar", name, name, "text")
    raise ValueError(f"known types: {', '.join(KNOWN)}")


_GEOMETRIES = (
    "geometry point linestring polygon multipoint multilinestring multipolygon "
    "geometrycollection geomcollection"
).split()


def of_source(column: SourceColumn) -> Proposal:
    """The canonical type that holds each value of a MySQL or MariaDB column."""
    kind = column.data_type.lower()
    unsigned = "unsigned" in column.column_type.lower()
    match kind:
        case "tinyint" if column.column_type.lower() == "tinyint(1)":
            return Proposal("boolean", "", "integer")
        case "tinyint" | "smallint" | "mediumint" | "year":
            return Proposal("integer")
        case "int":
            return Proposal("bigint" if unsigned else "integer")
        case "bigint":
            return Proposal("decimal(20,0)" if unsigned else "bigint")
        case "bit":
            return Proposal(_of_bits(column.precision or 1), "the bits as a number")
        case "decimal":
            return _of_decimal(column.precision or 10, column.scale or 0)
        case "float":
            return Proposal("double", "the 32 bits exactly")
        case "double":
            return Proposal("double")
        case "char" | "varchar" if 1 <= (column.length or 0) <= 65535:
            return Proposal(f"varchar({column.length})")
        case "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext":
            if column.is_json:
                return Proposal("json", _JSON)
            return Proposal("text")
        case "enum" | "set":
            return Proposal("text", "the label; a set's labels with commas")
        case "json":
            return Proposal("json", _JSON)
        case "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob":
            return Proposal("binary")
        case "date":
            return Proposal("date", _ZERO)
        case "time":
            return Proposal("duration", "to 838:59:59; write time for a time of day")
        case "datetime":
            return Proposal("timestamp", f"on the source's clock; {_ZERO}")
        case "timestamp":
            return Proposal("timestamptz", f"an instant, in UTC; {_ZERO}")
        case "uuid" | "inet4" | "inet6":
            length = {"uuid": 36, "inet4": 15, "inet6": 39}[kind]
            return Proposal(f"varchar({length})", "as the server writes it")
        case _ if kind in _GEOMETRIES:
            return Proposal("geometry", "WKB; EWKB with an SRID other than 0")
    return Proposal("", f"there is no mapping for type {kind}")


_JSON = "equal as JSON; as it was written in the lake"
_ZERO = "not a zero date"


def _of_bits(count: int) -> str:
    if count == 1:
        return "boolean"
    return "integer" if count < 32 else "bigint" if count < 64 else "decimal(20,0)"


def _of_decimal(precision: int, scale: int) -> Proposal:
    note = ""
    if precision > EXACT_DIGITS:
        note = "text in Parquet and Snowflake, whose numbers end at 38 digits"
    return Proposal(f"decimal({precision},{scale})", note)


def are_comparable(one: CanonicalType, other: CanonicalType) -> bool:
    """Whether each warehouse can tell if a value of one is one of the other."""
    if one.family or other.family:
        return one.family == other.family
    kinds = [(t.postgres.partition("(")[0], t.snowflake) for t in (one, other)]
    return kinds[0] == kinds[1]


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
