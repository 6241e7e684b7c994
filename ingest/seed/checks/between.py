"""`between`: numbers, dates or times within bounds."""

from __future__ import annotations

import re

from ingest.seed import predicate
from ingest.seed.checks.base import Arguments, Bounded, Bounds, Sql, as_number, as_text


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
