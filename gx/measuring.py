"""The measures of a batch: one scan of its files answers all that its suite asks."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from gx import failing, measures
from ingest import bronze_log, control, duck, settings
from ingest.duck import literal, quoted
from ingest.errors import first_line
from ingest.seed import suites
from ingest.seed.metadata import Table

Measured = dict[str, Any]
_REPEATED = re.compile(r"repeated\((.+)\)")
# A key of whole numbers is unique if each sets a bit of its own: so many at most, and
# not too few of them set.
_BITS, _SPARSE = 2**28, 64
# What is wrong with a rule, and not with the engine.
_FAULTS = (
    duckdb.BinderException,
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.OutOfRangeException,
    duckdb.ParserException,
)


def wanted(table: Table, suite: dict[str, Any]) -> list[str]:
    """The measures that a table's suite asks for; NULLs of each column by itself."""
    expected = suites.expectations(table)
    complete = [e.column for e in expected if e.group == suites.COMPLETE]
    return measures.of_suite(suite, complete)


def of_files(table: Table, files: Sequence[Path], wanted: Sequence[str]) -> Measured:
    """Each measure of the files' rows that the gate checks, as JSON holds it.

    One whose SQL is wrong is `{"error": …}`. Raises duckdb.Error where the engine
    can't read the files, or has not the memory.
    """
    wanted = [name for name in wanted if not _is_of_log(name)]
    keys = {name: found[1] for name in wanted if (found := _REPEATED.fullmatch(name))}
    plain = [name for name in wanted if name not in keys]
    paths = f"[{', '.join(map(literal, files))}]"
    with duck.engine(settings.ROOT / ".seedbed" / "tmp") as engine:
        rows = f"from read_parquet({paths})"
        known = {name for name, *_ in engine.execute(f"describe {rows}").fetchall()}
        columns = ", ".join(
            quoted(c.name)
            if c.name in known
            # The seed has it since: all NULL, as in the log.
            else f"null::{c.type.duckdb} as {quoted(c.name)}"
            for c in table.columns
        )
        engine.execute(
            f"create or replace temp view batch as select {columns} {rows} "
            f"where {failing.checked(table)}"
        )
        measured = _aggregate(engine, plain)
        for name, columns in keys.items():
            measured[name] = _repeated(engine, table, paths, columns)
    return measured


def of_log(
    connection: control.Connection, table: Table, wanted: Sequence[str]
) -> Measured:
    """Each measure of the log's columns, which its catalogue knows."""
    measured: Measured = {}
    for name in filter(_is_of_log, wanted):
        query = name.replace("{batch}", bronze_log.name_of(table))
        count = f"select count(*) from ({query}) as failing"
        ((measured[name],),) = connection.execute(count.encode()).fetchall()
    return measured


def _is_of_log(name: str) -> bool:
    return name.startswith("select ")


def _aggregate(engine: duckdb.DuckDBPyConnection, wanted: Sequence[str]) -> Measured:
    """All measures in one scan; where one is wrong, in as many as find which one."""
    try:
        row = engine.execute(f"select {', '.join(wanted)} from batch").fetchone()
        assert row is not None
        return dict(zip(wanted, map(_plain, row), strict=True))
    except _FAULTS as error:
        if len(wanted) == 1:
            return {wanted[0]: {"error": first_line(error)}}
        half = len(wanted) // 2
        return _aggregate(engine, wanted[:half]) | _aggregate(engine, wanted[half:])


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.date) else value


def _repeated(
    engine: duckdb.DuckDBPyConnection, table: Table, paths: str, names: str
) -> int:
    """Rows whose value, or values, another row has as well; NULL is none."""
    whole = ("integer", "bigint")
    numbers = {quoted(c.name): c.name for c in table.columns if c.type.duckdb in whole}
    name = numbers.get(names)
    if name and _has_bits_of_its_own(engine, paths, name):
        return 0
    known = " and ".join(f"{name} is not null" for name in names.split(", "))
    return int(
        duck.scalar(
            engine,
            "select coalesce(sum(rows), 0) from (select count(*) as rows from batch "
            f"where {known} group by {names} having count(*) > 1)",
        )
    )


def _has_bits_of_its_own(
    engine: duckdb.DuckDBPyConnection, paths: str, name: str
) -> bool:
    """Whether each number of the column was seen once, in a map of bits.

    False as well where the numbers are too far apart for one.
    """
    low, high, rows = engine.execute(
        "select min(stats_min_value::hugeint), max(stats_max_value::hugeint), "
        f"sum(num_values) from parquet_metadata({paths}) "
        f"where path_in_schema = {literal(name)}"
    ).fetchone() or (None, None, None)
    if low is None or high - low >= min(_BITS, _SPARSE * rows):
        return False
    column = quoted(name)
    bits = f"bitstring_agg({column}::bigint, '{low}'::bigint, '{high}'::bigint)"
    alike = f"select count({column}) = coalesce(bit_count({bits}), 0) from batch"
    return bool(duck.scalar(engine, alike))
