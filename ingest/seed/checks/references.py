"""`references`: a value that a column of another model has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ingest.errors import meant
from ingest.seed import types
from ingest.seed.checks.base import Arguments, Check, Model

if TYPE_CHECKING:
    from ingest.seed.metadata import Table


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
