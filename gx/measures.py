"""What a suite asks of a batch, as SQL.

A measure is named by its own SQL: whoever knows Great Expectations' metric and its
arguments writes the same text, so no number can be taken for another, and one that
nobody took is missing. Both sides of the gate's process import this module.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ingest.quoting import literal, quoted

Arguments = Mapping[str, Any]

# The metrics of which each expectation is made, but for `table.row_count`.
_NULLS = "column_values.nonnull.unexpected_count"
METRICS = {
    "expect_column_values_to_not_be_null": (_NULLS,),
    "expect_compound_columns_to_be_unique": (
        "compound_columns.unique.unexpected_count",
        "compound_columns.unique.filtered_row_count",
    ),
    "expect_column_max_to_be_between": ("column.max",),
    "unexpected_rows_expectation": ("unexpected_rows_query.row_count",),
} | {
    kind: (f"column_values.{metric}.unexpected_count", _NULLS)
    for kind, metric in {
        "expect_column_values_to_be_between": "between",
        "expect_column_values_to_be_in_set": "in_set",
        "expect_column_values_to_match_regex": "match_regex",
        "expect_column_value_lengths_to_be_between": "value_length.between",
        "expect_column_values_to_be_unique": "unique",
    }.items()
}
_ROWS_OF_THE_BATCH = re.compile(r"select 1 as failing from \{batch\} where (.+)", re.S)


def sql_of(metric: str, arguments: Arguments) -> str:
    """The SQL of a metric; KeyError for one that no suite should ask for."""
    if arguments.get("row_condition"):
        raise KeyError(f"{metric} with a row_condition")
    name = quoted(arguments["column"]) if arguments.get("column") else ""
    names = [quoted(n) for n in arguments.get("column_list") or ()]
    fails = ""
    match metric.removesuffix(".unexpected_count"):
        case "table.row_count":
            return "count(*)"
        case "column.max":
            return f"max({name})"
        case "column_values.unique":
            return f"repeated({name})"
        case "compound_columns.unique":
            if arguments.get("ignore_row_if") != "any_value_is_missing":
                raise KeyError(f"{metric} with another ignore_row_if")
            return f"repeated({', '.join(names)})"
        case "compound_columns.unique.filtered_row_count":
            fails = " and ".join(f"{n} is not null" for n in names)
        case "unexpected_rows_query.row_count":
            query = str(arguments["unexpected_rows_query"])
            found = _ROWS_OF_THE_BATCH.fullmatch(query)
            if found is None:
                return query  # of the log's columns, which the catalogue knows
            fails = found[1]
        case "column_values.nonnull":
            fails = f"{name} is null"
        case "column_values.between":
            fails = _outside(name, arguments)
        case "column_values.value_length.between":
            fails = _outside(f"length({name})", arguments)
        case "column_values.in_set":
            values = ", ".join(map(_value, arguments["value_set"]))
            fails = f"{name} not in ({values})"
        case "column_values.match_regex":
            # With 's' a dot is a line's end as well, as it is to Postgres.
            pattern = literal(arguments["regex"])
            fails = f"not regexp_matches({name}, {pattern}, 's')"
        case _:
            raise KeyError(f"{metric} is not measured")
    return f"count(*) filter (where {fails})"


def _outside(value: str, arguments: Arguments) -> str:
    """SQL that is true outside of the bounds."""
    if arguments.get("strict_min") or arguments.get("strict_max"):
        raise KeyError("bounds that are not allowed themselves")
    ends = {"<": arguments.get("min_value"), ">": arguments.get("max_value")}
    return " or ".join(
        f"{value} {sign} {_bound(bound)}"
        for sign, bound in ends.items()
        if bound is not None
    )


def _bound(bound: object) -> str:
    """A bound as SQL; Great Expectations has numbers as floats, and parses times."""
    if isinstance(bound, int | float):
        return _value(float(bound))
    moment = dt.datetime.fromisoformat(str(bound))
    return f"timestamp '{moment}'"


def _value(value: object) -> str:
    """A value as SQL."""
    if not isinstance(value, int | float):
        return literal(value)
    if float(value).is_integer():
        return str(int(value))
    return f"{Decimal(repr(value)):f}"


def of_suite(suite: Mapping[str, Any], columns: Sequence[str] = ()) -> list[str]:
    """The measures that a suite asks for, and NULLs of more columns; each once."""
    found = ["count(*)", *map(nulls_of, columns)]
    for one in suite["expectations"]:
        for metric in METRICS.get(one["type"], ()):
            found.append(sql_of(metric, one["kwargs"]))
    return list(dict.fromkeys(found))


def nulls_of(column: str) -> str:
    """The measure of how many rows have no value in the column."""
    return sql_of(_NULLS, {"column": column})
