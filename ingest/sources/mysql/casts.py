"""What a MySQL or MariaDB column becomes: its canonical type.

What that is, and how a raw value becomes one of it, `ingest/seed/types.yml` says; raw
files have numbers, texts, bytes and times in the types that DuckDB's scan and `reading`
give them.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingest.seed.types import EXACT_DIGITS
from ingest.sources.kind import Proposal


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


_TEXT = Proposal("text")
_JSON = Proposal("json", "equal as JSON; as it was written in the lake")
_ZERO = "not a zero date"
_TYPES = {
    name: proposal
    for names, proposal in (
        ("tinyint smallint mediumint year int", Proposal("integer")),
        ("bigint", Proposal("bigint")),
        ("float", Proposal("double", "the 32 bits exactly")),
        ("double", Proposal("double")),
        ("char varchar tinytext text mediumtext longtext", _TEXT),
        ("enum set", Proposal("text", "the label; a set's labels with commas")),
        ("json", _JSON),
        (
            "binary varbinary tinyblob blob mediumblob longblob",
            Proposal("binary"),
        ),
        ("date", Proposal("date", _ZERO)),
        ("time", Proposal("duration", "to 838:59:59; write time for a time of day")),
        ("datetime", Proposal("timestamp", f"on the source's clock; {_ZERO}")),
        ("timestamp", Proposal("timestamptz", f"an instant, in UTC; {_ZERO}")),
        ("uuid", Proposal("varchar(36)", "as the server writes it")),
        ("inet4", Proposal("varchar(15)", "as the server writes it")),
        ("inet6", Proposal("varchar(39)", "as the server writes it")),
        (
            "geometry point linestring polygon multipoint multilinestring "
            "multipolygon geometrycollection geomcollection",
            Proposal("geometry", "WKB; EWKB with an SRID other than 0"),
        ),
    )
    for name in names.split()
}


def of_source(column: SourceColumn) -> Proposal:
    """The canonical type that holds each value of a MySQL or MariaDB column."""
    kind, declared = column.data_type.lower(), column.column_type.lower()
    length = column.length or 0
    if declared == "tinyint(1)":
        return Proposal("boolean", "", "integer", "$column not in (0, 1)")
    if kind in ("int", "bigint") and "unsigned" in declared:
        return Proposal("bigint" if kind == "int" else "decimal(20,0)")
    if kind == "bit":
        return Proposal(_of_bits(column.precision or 1), "the bits as a number")
    if kind == "decimal":
        return _of_decimal(column.precision or 10, column.scale or 0)
    if kind in ("char", "varchar") and 1 <= length <= 65535:
        return Proposal(f"varchar({length})")
    if column.is_json and _TYPES.get(kind) == _TEXT:
        return _JSON
    return _TYPES.get(kind) or Proposal("", f"there is no mapping for type {kind}")


def _of_bits(count: int) -> str:
    if count == 1:
        return "boolean"
    return "integer" if count < 32 else "bigint" if count < 64 else "decimal(20,0)"


def _of_decimal(precision: int, scale: int) -> Proposal:
    note = ""
    if precision > EXACT_DIGITS:
        note = "text in Parquet and Snowflake, whose numbers end at 38 digits"
    return Proposal(f"decimal({precision},{scale})", note)
