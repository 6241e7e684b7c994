"""`not_null`: a column has a value, in all rows or except a share of them."""

from __future__ import annotations

import re

from ingest.seed.checks.base import Arguments, Check


class NotNull(Check[float]):
    """The column has a value; the share that may be NULL is what is `parsed`."""

    name = "not_null"
    dimension = "completeness"
    takes = "nothing, or the share that may be NULL: `0.05`"
    meaning = "the column has a value"
    tests = "`not_null`; with a share, `dbt_utils.not_null_proportion`"

    def read(self) -> float:
        if not re.fullmatch(r"(0?\.\d+|0)?", self.argument):
            raise ValueError(
                "not_null takes the share of NULLs that is allowed, from 0 to below 1, "
                f"or nothing for 0: {self.argument!r}"
            )
        return float(self.argument or 0)

    def expectation(self) -> tuple[str, str, Arguments]:
        kind, arguments = "expect_column_values_to_not_be_null", {"column": self.column}
        if share := self.parsed:
            shown = f"at most {share:.4%} NULL".replace(".0000", "")
            return kind, shown, {**arguments, "mostly": round(1 - share, 9)}
        return kind, "no NULL", arguments

    def dbt_test(self) -> tuple[str, Arguments]:
        if self.parsed:
            at_least = round(1 - self.parsed, 6)
            return "dbt_utils.not_null_proportion", {"at_least": at_least}
        return "not_null", {}

    def failing(self) -> str:
        return f'"{self.column}" is null'

    @classmethod
    def is_as_strict(cls, now: str, was: str) -> bool:
        return float(now or 0) <= float(was or 0)
