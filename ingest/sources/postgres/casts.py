"""What a Postgres column becomes: its canonical type, and in which SQL it is read.

What a canonical type is, and how a raw value becomes one of it, `ingest/seed/types.yml`
says.
"""

from __future__ import annotations

from ingest.seed.types import EXACT_DIGITS, CanonicalType
from ingest.sources.kind import Proposal

# Of a number without a limit: so many digits before and behind the point.
_BEFORE, _BEHIND = 20, 18
# The most digits of a canonical decimal.
_MOST_DIGITS = 65
_NAN = "NaN is no number"
_DATE = "BC, after 9999 and infinite ones are no date"
_TEXT = Proposal("text", "as the server writes it")
_TYPES = {
    name: proposal
    for names, proposal in (
        ("bool", Proposal("boolean")),
        ("int2 int4", Proposal("integer")),
        ("int8 oid", Proposal("bigint")),
        ("float4", Proposal("double", "the 32 bits exactly")),
        ("float8", Proposal("double")),
        ("money", Proposal("decimal(20,2)")),
        ("text citext name xml", Proposal("text")),
        ("enum", Proposal("text", "the label")),
        ("uuid", Proposal("varchar(36)", "as the server writes it")),
        (
            "json jsonb",
            Proposal("json", "equal as JSON, as written in the lake"),
        ),
        ("array record", Proposal("json", "as the server makes JSON of it")),
        ("bytea", Proposal("binary")),
        ("date", Proposal("date", _DATE)),
        ("time", Proposal("time", "not 24:00")),
        ("timestamp", Proposal("timestamp", f"on the source's clock; {_DATE}")),
        ("timestamptz", Proposal("timestamptz", f"an instant, in UTC; {_DATE}")),
        ("interval", Proposal("text", "as ISO 8601 writes it: P1DT2H")),
    )
    for name in names.split()
}
# Read as they are, in a type of DuckDB's that has each value; others as texts.
_EXACT = "bool int2 int4 int8 float4 float8 text varchar bytea time".split()
_DATES = ("date", "timestamp", "timestamptz")


def of_source(kind: str, typmod: int) -> Proposal:
    """The canonical type that holds each value of a column of a type with its size."""
    if kind == "numeric":
        return _of_numeric(typmod)
    if kind in ("varchar", "bpchar"):
        length = typmod - 4
        if 1 <= length <= 65535:
            note = "without the blanks that fill it" if kind == "bpchar" else ""
            return Proposal(f"varchar({length})", note)
        return Proposal("text")
    return _TYPES.get(kind, _TEXT)


def digits(typmod: int) -> tuple[int, int] | None:
    """Precision and scale of a numeric; None without a limit.

    A negative scale rounds before the point; a larger one than the precision is of
    numbers below 1.
    """
    if typmod < 4:
        return None
    precision = (typmod - 4) >> 16
    scale = (((typmod - 4) & 2047) ^ 1024) - 1024
    return max(precision - min(scale, 0), scale), max(scale, 0)


def _of_numeric(typmod: int) -> Proposal:
    is_nan = "$column = 'NaN'"
    if size := digits(typmod):
        precision, scale = size
        if precision <= EXACT_DIGITS:
            return Proposal(f"decimal({precision},{scale})", _NAN, "text", is_nan)
        if precision <= _MOST_DIGITS and scale <= EXACT_DIGITS:
            note = f"text in Parquet and Snowflake; {_NAN}"
            return Proposal(f"decimal({precision},{scale})", note, "text", is_nan)
    # The first is true of NaN and of infinity.
    beyond = f"abs($column) >= 1e{_BEFORE} or $column <> trunc($column, {_BEHIND})"
    return Proposal(f"decimal({_BEFORE + _BEHIND},{_BEHIND})", "", "text", beyond)


def is_no_value(kind: str, column: str) -> str:
    """The condition under which a quoted column's value is none in other systems; ''.

    It may be NULL for NULL.
    """
    if kind in _DATES:
        # These bounds are alike for dates and times.
        return f"({column} < '0001-01-01' or {column} >= '10000-01-01')"
    return f"{column} = 'NaN'" if kind == "numeric" else ""


def read(
    kind: str, typmod: int, column: str, canonical: CanonicalType, *, rejects: bool
) -> str:
    """The SQL for a quoted column's value, in a type that DuckDB reads exactly.

    What is no value elsewhere is NULL, but where the canonical type is a text; or
    with `rejects` a text that is no value of the canonical type.
    """
    as_text = f"{column}::text"
    if kind in ("array", "record"):
        return f"to_json({column})::text"
    if kind == "money":
        return f"{column}::numeric::text"
    if kind == "oid":
        return f"{column}::bigint"
    if no_value := is_no_value(kind, column):
        if canonical.family == "text":
            return as_text
        if rejects:
            return f"case when {no_value} then '! ' else '' end || {as_text}"
        value = f"case when {no_value} then null else {column} end"
        if kind != "numeric":
            return value
        # DuckDB takes a number without a size, or of more digits, for a double.
        precision, scale = digits(typmod) or (EXACT_DIGITS + 1, 0)
        is_exact = precision <= EXACT_DIGITS
        return f"({value})::" + (
            f"numeric({precision},{scale})" if is_exact else "text"
        )
    return column if kind in _EXACT else as_text
