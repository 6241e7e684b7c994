"""How a column's source value becomes its canonical one, as DuckDB's SQL."""

from __future__ import annotations

from ingest.duck import quoted
from ingest.metadata import Column, Table


def key(table: Table) -> str:
    """The key's canonical values under their names, as a list."""
    return ", ".join(f"{cast(c)} as {quoted(c.name)}" for c in table.key)


def cast(column: Column) -> str:
    """The column's canonical value; a reader of rejected rows never sees it."""
    name = quoted(column.source_name)
    if column.type.name == "json":
        return f"{name}::varchar::json"
    if column.type.name in ("boolean", "binary") or column.type.duckdb == "varchar":
        return f"{name}::{column.type.duckdb}"
    return f"try_cast({name} as {column.type.duckdb})"


def shown(column: Column) -> str:
    """The source's value as a rejected row shows it."""
    name = quoted(column.source_name)
    if column.type.duckdb in ("varchar", "json"):
        return f"replace({name}::varchar, chr(0), '␀')"
    return name


def fits(column: Column) -> str:
    """The condition under which a value survives `cast` whole, or ''."""
    name, kind = quoted(column.source_name), column.type
    if kind.name == "json":
        return f"json_valid({name}::varchar)"
    if kind.duckdb == "varchar":
        length = ""
        if kind.name.startswith("varchar"):
            length = f" and length({name}::varchar) <= {kind.name[8:-1]}"
        # Postgres holds no NUL character in a text.
        return f"not contains({name}::varchar, chr(0)){length}"
    if kind.name in ("integer", "bigint") or kind.name.startswith("decimal"):
        # A cast to a smaller scale rounds without a word.
        return (
            f"(try_cast({name} as {kind.duckdb}) is not null "
            f"and try_cast({name} as {kind.duckdb}) = {name} or {name} is null)"
        )
    if kind.name in ("date", "time", "timestamp"):
        return f"(try_cast({name} as {kind.duckdb}) is not null or {name} is null)"
    return ""
