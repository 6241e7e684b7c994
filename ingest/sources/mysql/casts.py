"""How a column's source value becomes its canonical one, as DuckDB's SQL.

Raw files have numbers, texts, bytes and times in a type of their own, but which one
is the source's affair. An expression that depends on it asks `typeof`, which DuckDB
answers once for a query.
"""

from __future__ import annotations

from ingest.duck import literal, quoted
from ingest.seed.metadata import Column, Table

# A JSON text's strings, and what DuckDB's parser allows and Postgres refuses: numbers
# that are none or too large, a comma before an end, and (in a string) a NUL.
_STRINGS = r'"(?:\\.|[^"\\])*"'
_LOOSE = r"(?i)nan|inf|,\s*[\]}]|e[+-]?\d{5}"
_NUL = r"(?:^|[^\\])(?:\\\\)*\\u0000"
# With an exponent of four digits it has no more behind its point than Postgres takes.
_DIGITS = 6_000
_LONG_NUMBER = r"\d{1000}" * (_DIGITS // 1000)  # a pattern repeats nothing more often
_DURATION = r"-?\d{2,3}:[0-5]\d:[0-5]\d(?:\.\d{1,6})?"


def key(table: Table) -> str:
    """The key's canonical values under their names, as a list."""
    return ", ".join(f"{cast(c)} as {quoted(c.name)}" for c in table.key)


def cast(column: Column) -> str:
    """The column's canonical value; a reader of rejected rows never sees it."""
    name, kind = quoted(column.source_name), column.type
    match kind.name:
        case "json":
            return f"{_text(name)}::json"
        case "boolean":
            return f"try_cast({name}::varchar as boolean)"
        case "geometry":
            # The server's form is the SRID, then WKB.
            blob = _bytes(name)
            return (
                f"case when {blob}[1:4] = '\\x00\\x00\\x00\\x00'::blob "
                f"then {blob}[5:] else {blob}[5:8] || '\\x20'::blob "
                f"|| {blob}[1:4] || {blob}[10:] end"
            )
        case "binary":
            return _bytes(name)
    if kind.duckdb == "varchar":
        return _text(name)
    return f"try_cast({name} as {kind.duckdb})"


def shown(column: Column) -> str:
    """The source's value as a rejected row shows it."""
    name = quoted(column.source_name)
    if column.type.duckdb in ("varchar", "json"):
        return f"replace({name}::varchar, chr(0), '␀')"
    return name


def fits(column: Column) -> str:
    """The condition under which a value survives `cast` whole, or ''.

    It is NULL for NULL.
    """
    name, kind = quoted(column.source_name), column.type
    value = f"try_cast({name} as {kind.duckdb})"
    match kind.name:
        case "json":
            text = _text(name)
            bare = f"regexp_replace({text}, {literal(_STRINGS)}, '0', 'g')"
            return (
                f"coalesce(json_valid({text}), {name} is null) "
                f"and not regexp_matches({text}, {literal(_NUL)}) "
                f"and (not regexp_matches({text}, {literal(_LOOSE)}) "
                f"or not regexp_matches({bare}, {literal(_LOOSE)})) "
                f"and case when strlen({text}) < {_DIGITS} then true "
                f"else not regexp_matches({bare}, {literal(_LONG_NUMBER)}) end"
            )
        case "boolean":
            return f"({cast(column)} is not null or {name} is null)"
        case "geometry":
            blob = _bytes(name)
            return f"{blob}[5:5] = '\\x01'::blob and {blob}[9:9] = '\\x00'::blob"
        case "duration":
            return f"regexp_full_match({name}::varchar, {literal(_DURATION)})"
        case "time":  # Postgres has a 24:00:00, Snowflake has none
            return f"coalesce({value} < time '24:00:00', {name} is null)"
        case "timestamp" | "timestamptz" | "double":
            return f"({value} is not null or {name} is null)"
        case "date":
            whole = f"{value}::timestamp = try_cast({name} as timestamp)"
            return f"coalesce({whole}, {name} is null)"
        case "binary":
            return ""
    if kind.name.startswith("decimal") and kind.duckdb == "varchar":
        return _digits(name, *_size(column))
    if kind.duckdb == "varchar":
        text = _text(name)
        length = ""
        if kind.name.startswith("varchar"):
            length = f" and length({text}) <= {kind.name[8:-1]}"
        # Postgres holds no NUL character in a text.
        return f"coalesce(not contains({text}, chr(0)){length}, {name} is null)"
    # A cast to a smaller scale rounds without a word, and so does a text's.
    digits = _digits(name, *_size(column))
    return (
        f"({value} is not null and case typeof({name}) when 'VARCHAR' "
        f"then {digits} else {value} = {name} end or {name} is null)"
    )


def _text(name: str) -> str:
    """The column as text, NULL for bytes that are none."""
    return (
        f"case typeof({name}) when 'BLOB' then try(decode(try_cast({name} as blob))) "
        f"else {name}::varchar end"
    )


def _bytes(name: str) -> str:
    """The column as bytes; a text's are UTF-8."""
    return (
        f"(case typeof({name}) when 'BLOB' then try_cast({name} as blob) "
        f"else encode({name}::varchar) end)"
    )


def _size(column: Column) -> tuple[int, int]:
    """Digits before and after the point that a number's type holds."""
    if column.type.name.startswith("decimal"):
        precision, scale = map(int, column.type.name[8:-1].split(","))
        return precision - scale, scale
    return 19, 0


def _digits(name: str, before: int, after: int) -> str:
    """Whether a text is a number of so many digits."""
    whole = rf"0*\d{{0,{before}}}"
    part = rf"(?:\.\d{{0,{after}}}0*)?"
    return f"regexp_full_match({name}::varchar, '-?{whole}{part}')"
