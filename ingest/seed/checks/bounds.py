"""`between`, `length` and `row_count`: values, lengths and counts within bounds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ingest.seed import predicate
from ingest.seed.checks.base import (
    EXPRESSION,
    Arguments,
    Check,
    Sql,
    as_number,
    as_text,
    parameter,
)


@dataclass(frozen=True)
class Bounds:
    """Two bounds that are both allowed themselves, '' for none."""

    low: str
    high: str

    def __str__(self) -> str:
        if self.low and self.high:
            return f"{self.low} to {self.high}"
        return f"{self.low} or more" if self.low else f"{self.high} or less"


class Bounded(Check[Bounds]):
    """A number of something, or a value, is within LOW..HIGH, one of them or both."""

    unit: ClassVar[str]

    def read(self) -> Bounds:
        if not re.fullmatch(r"(?=.*[0-9])([0-9]+)?\.\.([0-9]+)?", self.argument):
            raise ValueError(
                f"{self.name} takes LOW..HIGH in {self.unit}, one may be empty: "
                f"{self.argument!r}"
            )
        return self.in_order(Bounds(*self.argument.split("..")))

    def in_order(self, bounds: Bounds) -> Bounds:
        """The bounds, which are numbers, unless they are the wrong way round."""
        if bounds.low and bounds.high and float(bounds.low) > float(bounds.high):
            raise ValueError(
                f"{self.name} takes the lower bound first: {self.argument!r}"
            )
        return bounds

    def ends(self, read: Callable[[str], Any] = int) -> Arguments:
        """The bounds that there are, in the words of tests and expectations."""
        ends = {"min_value": self.parsed.low, "max_value": self.parsed.high}
        return {name: read(bound) for name, bound in ends.items() if bound}

    def within(self, expression: str, write: Callable[[str], str] = str) -> str:
        """SQL that is true within the bounds."""
        bounds = (">=", self.parsed.low), ("<=", self.parsed.high)
        return " and ".join(f"{expression} {s} {write(b)}" for s, b in bounds if b)

    @classmethod
    def is_as_strict(cls, now: str, was: str) -> bool:
        (low, high), (old_low, old_high) = (
            [bound and _ordinal(bound) for bound in text.split("..")]
            for text in (now, was)
        )
        return (not old_low or bool(low and low >= old_low)) and (
            not old_high or bool(high and high <= old_high)
        )


def _ordinal(bound: str) -> tuple[float, str]:
    """A number, or a date or time as it is written: both sort as they should."""
    try:
        return (float(bound), "")
    except ValueError:
        return (0.0, bound)


class Between(Bounded):
    """No value is below LOW or above HIGH."""

    name = "between"
    takes = "`LOW..HIGH`, one may be empty"
    meaning = "the value is not below LOW nor above HIGH: a number, or a date or time"
    tests = "`dbt_utils.accepted_range`"

    def read(self) -> Bounds:
        takes = f"between takes LOW..HIGH, one may be empty: {self.argument!r}"
        parts = self.argument.split("..")
        if len(parts) != 2 or parts == ["", ""]:
            raise ValueError(takes)
        if self.kind.family == "time":
            for part in filter(None, parts):
                predicate.is_time(part)
                if self.kind.name == "date" and len(part) > len("2024-12-31"):
                    raise ValueError(
                        f"between: {self.column} is a date; write {part[:10]!r}"
                    )
            return Bounds(*parts)
        if self.kind.family != "number":
            raise ValueError(
                f"between is for numbers, dates and times, not for {self.kind.name}"
            )
        if not all(re.fullmatch(r"(-?[0-9]+(\.[0-9]+)?)?", part) for part in parts):
            raise ValueError(takes)
        return self.in_order(Bounds(*parts))

    def expectation(self) -> tuple[str, str, Arguments]:
        read = str if self.kind.family == "time" else as_number
        shown = f"values of {self.parsed}"
        return "expect_column_values_to_be_between", shown, self.ends(read)

    def dbt_test(self) -> tuple[str, Arguments]:
        read = self._sql if self.kind.family == "time" else as_number
        return "dbt_utils.accepted_range", self.ends(read)

    def holds(self, quoted: bool) -> str:
        return self.within(self._name(quoted), self._sql)

    def _sql(self, bound: str) -> Sql:
        is_time = self.kind.family == "time"
        return Sql(f"cast({as_text(bound)} as timestamp)" if is_time else bound)


class Length(Bounded):
    """The text has a number of characters within bounds."""

    name = "length"
    unit = "characters"
    takes = "`LOW..HIGH` characters, one may be empty"
    meaning = "the text has not fewer characters than LOW nor more than HIGH"
    tests = f"`{EXPRESSION}`"

    def read(self) -> Bounds:
        if self.kind.family != "text":
            raise ValueError(f"length is for texts, not for {self.kind.name}")
        return super().read()

    def expectation(self) -> tuple[str, str, Arguments]:
        shown = f"texts of {self.parsed} characters"
        return "expect_column_value_lengths_to_be_between", shown, self.ends()

    def holds(self, quoted: bool) -> str:
        return self.within(f"length({self._name(quoted)})")


class RowCount(Bounded):
    """The number of rows is within bounds."""

    name = "row_count"
    unit = "rows"
    scope = "table"
    dimension = "completeness"
    counts_rows = True
    takes = "`LOW..HIGH` rows, one may be empty"
    meaning = (
        "the rows that the batch has read from the source, unchanged ones as well; in "
        "the layer model, the rows of the model"
    )
    tests = "`dbt_expectations.expect_table_row_count_to_be_between`"
    # The gate's parameters: the bounds for the rows that a batch has in the log.
    least, most = "count_low", "count_high"

    def expectation(self) -> tuple[str, str, Arguments]:
        names = {"min_value": self.least, "max_value": self.most}
        asked = {end: parameter(names[end]) for end in self.ends()}
        return "expect_table_row_count_to_be_between", f"{self.parsed} rows read", asked

    def dbt_test(self) -> tuple[str, Arguments]:
        return "dbt_expectations.expect_table_row_count_to_be_between", self.ends()
