"""`length`: texts that are neither too short nor too long."""

from __future__ import annotations

from ingest.seed.checks.base import EXPRESSION, Arguments, Bounded, Bounds


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
