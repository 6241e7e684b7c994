"""Reading: queries of SQLite's whose answers have each value exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest import duck
from ingest.duck import Engine, literal
from ingest.seed.types import CanonicalType


def quoted(name: str) -> str:
    """A name as SQLite quotes it; what it does not know in double quotes is a text."""
    return "`" + name.replace("`", "``") + "`"


def asked(query: str) -> str:
    """What SQLite answers, all values as texts, as a relation of DuckDB."""
    return f"sqlite_query('source', {literal(query)})"


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    """The rows of such an answer."""
    return engine.execute(f"from {asked(query)}").fetchall()


def relation(table: str, kinds: Mapping[str, CanonicalType]) -> str:
    """A relation of columns of a table, each for the type that it is to become."""
    values = ", ".join(
        f"{_sent(f't.{quoted(name)}', kind)} as c{n}"
        for n, (name, kind) in enumerate(kinds.items())
    )
    names = ", ".join(
        f"{_received(f'c{n}', kind)} as {duck.quoted(name)}"
        for n, (name, kind) in enumerate(kinds.items())
    )
    query = f"select {values} from {quoted(table)} as t"
    return f"(select {names} from {asked(query)})"


def _sent(column: str, kind: CanonicalType) -> str:
    """SQLite's SQL for a value as a text without loss."""
    # 17 digits of its own arithmetic don't always give a double back; 20 do.
    exact = f"printf('%!.20g', {column})"
    real = exact
    if kind.name != "double":
        # What was written is the shortest number that is this double.
        scale = kind.name.rpartition(",")[2].strip(" )")
        form = f"%!.{scale}f" if kind.name.startswith("decimal") else "%!.15g"
        short = f"printf('{form}', {column})"
        real = (
            f"case when cast({short} as real) = {column} then {short} else {exact} end"
        )
    return (
        f"case typeof({column}) when 'integer' then {column} when 'real' then {real} "
        f"when 'null' then null else 'x' || hex({column}) end"
    )


def _received(column: str, kind: CanonicalType) -> str:
    """DuckDB's SQL for the value of such a text.

    Bytes that are no text become one that is rejected, as it has a NUL.
    """
    is_hex = f"starts_with({column}, 'x')"
    value = f"unhex({column}[2:])"
    if kind.duckdb == "blob":
        return f"case when {is_hex} then {value} else encode({column}) end"
    text = f"coalesce(try(decode({value})), chr(0) || {column})"
    return f"case when {is_hex} then {text} else {column} end"
