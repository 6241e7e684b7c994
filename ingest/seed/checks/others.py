"""`references` and `equals`: values that another model's rows have or add up to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.errors import meant
from ingest.seed import types
from ingest.seed.checks.base import Arguments, Check, Model
from ingest.seed.types import CanonicalType

if TYPE_CHECKING:
    from ingest.seed.metadata import Table

_ARGUMENT = re.compile(
    r"(sum|count|min|max)\((\w+)\.(\w+)\)(?: by (\w+(?:\|\w+)*))?", re.ASCII
)


class References(Check[tuple[str, str]]):
    """The value is one of MODEL.COLUMN's; both names are what is `parsed`."""

    name = "references"
    layers = ("model",)
    dimension = "consistency"
    takes = "`MODEL.COLUMN`"
    meaning = "the value is one of that column's"
    tests = (
        "`relationships`; with `reference_grace_minutes`, `relationships_after_grace`"
    )

    def read(self) -> tuple[str, str]:
        """Model and column; `assert_table` knows whether they are there."""
        model, _, field = self.argument.partition(".")
        return model, field

    def assert_table(self, table: Table, models: Mapping[str, Table]) -> None:
        kinds = {f"{m}.{c.name}": c.type for m, t in models.items() for c in t.columns}
        if self.argument not in kinds:
            raise ValueError(
                f"references takes MODEL.COLUMN of an enabled table, not "
                f"{self.argument!r}.{meant(self.argument, kinds)}"
            )
        if not types.are_comparable(self.kind, other := kinds[self.argument]):
            raise ValueError(
                f"{self.column} is {self.kind.name} and {self.argument} is "
                f"{other.name}, which can't be compared; write in columns.csv a "
                "data_type that holds the values of both, or remove the rule"
            )

    @property
    def model(self) -> str:
        return self.parsed[0]

    def dbt_test(self) -> tuple[str, Arguments]:
        arguments = {"to": Model(self.model), "field": self.parsed[1]}
        if self.grace_minutes:
            grace = {"grace_minutes": self.grace_minutes}
            return "relationships_after_grace", arguments | grace
        return "relationships", arguments

    def score(self) -> Arguments:
        model, field = self.parsed
        return {"column": self.column, "parent": Model(model), "field": field}


@dataclass(frozen=True)
class Aggregate:
    """An aggregate of a model's column: of the rows whose `by` is a key, or of all."""

    function: str
    model: str
    column: str
    by: tuple[str, ...]


class Equals(Check[Aggregate]):
    """The value is an aggregate of the rows of another table of the same source.

    A batch has but what has changed in its own table, so the gate can't judge it.
    """

    name = "equals"
    layers = ("model",)
    dimension = "consistency"
    takes = (
        "`FUNCTION(MODEL.COLUMN) by COLUMN`: `sum(order_items.amount) by order_id`, "
        "with `\\|` between several columns; `sum`, `count`, `min` or `max`"
    )
    meaning = (
        "the value is that aggregate of MODEL's live rows in which the columns behind "
        "`by` are the row's key; without `by`, of all of them"
    )
    tests = "`equals_aggregate`"

    def read(self) -> Aggregate:
        """Function, model and columns; `assert_table` knows whether they are there."""
        found = _ARGUMENT.fullmatch(self.argument)
        if not found:
            raise ValueError(
                "equals takes FUNCTION(MODEL.COLUMN) by COLUMN, such as "
                "sum(order_items.amount) by order_id, with sum, count, min or max and "
                f"| between several columns: {self.argument!r}"
            )
        by = tuple(found[4].split("|")) if found[4] else ()
        return Aggregate(found[1], found[2], found[3], by)

    def assert_table(self, table: Table, models: Mapping[str, Table]) -> None:
        asked = self.parsed
        near = {m: t for m, t in models.items() if t.source == table.source}
        if asked.model not in near:
            raise ValueError(
                f"equals takes the model of an enabled table of {table.source.name}, "
                f"not {asked.model!r}.{meant(asked.model, near)}"
            )
        kinds = {c.name: c.type for c in near[asked.model].columns}
        for name in (asked.column, *asked.by):
            if name not in kinds:
                raise ValueError(
                    f"equals: {asked.model} has no column {name!r}.{meant(name, kinds)}"
                )
        if asked.by and len(asked.by) != len(self.key):
            raise ValueError(
                f"equals takes as many columns behind by as {table.id} has in its key: "
                f"{', '.join(self.key) or 'none'}"
            )
        if len({*asked.by}) < len(asked.by):
            raise ValueError(f"equals names a column twice behind by: {asked.by}")
        pairs = [(c.type, kinds[b]) for c, b in zip(table.key, asked.by, strict=False)]
        if not all(types.are_comparable(*pair) for pair in pairs):
            raise ValueError(
                f"equals: {' and '.join(asked.by)} of {asked.model} can't be compared "
                f"with the key of {table.id}"
            )
        self._assert_comparable(kinds[asked.column])

    def _assert_comparable(self, other: CanonicalType) -> None:
        function, own = self.parsed.function, self.kind
        kinds = [own] if function == "count" else [own, other]
        families = {kind.family for kind in kinds}
        is_time = families == {"time"} and function in ("min", "max")
        if not is_time and families != {"number"}:
            raise ValueError(
                f"equals: {self.column} is {own.name}, and {function} of "
                f"{other.name} is none; take columns of numbers, or for min and max "
                "of dates or times"
            )
        if is_time and own.name != other.name:
            raise ValueError(
                f"equals: {self.column} is {own.name} and {self.parsed.column} is "
                f"{other.name}, which can't be compared"
            )
        if function == "sum" and "double" in {kind.name for kind in kinds}:
            raise ValueError(
                "equals: a sum of double depends on the order of its rows, so nothing "
                "equals it; write decimal(p,s) as data_type in columns.csv"
            )

    @property
    def model(self) -> str:
        return self.parsed.model

    def dbt_test(self) -> tuple[str, Arguments]:
        arguments = {"to": Model(self.model), **self._asked()}
        # Of all rows the newest would always be too young.
        if self.grace_minutes and self.parsed.by:
            arguments["grace_minutes"] = self.grace_minutes
        return "equals_aggregate", arguments

    def score(self) -> Arguments:
        return {"column": self.column, "parent": Model(self.model), **self._asked()}

    def _asked(self) -> Arguments:
        asked = self.parsed
        return {
            "function": asked.function,
            "field": asked.column,
            "key": list(self.key) if asked.by else [],
            "by": list(asked.by),
        }
