"""`one_of`: a value of a list."""

from __future__ import annotations

import re

from ingest.seed.checks.base import Arguments, Check, as_number, as_text


class OneOf(Check[list[str]]):
    """The value is one of some, which are what is `parsed`."""

    name = "one_of"
    takes = "values with `\\|` between them"
    meaning = "the value is one of these"
    tests = "`accepted_values`"

    def read(self) -> list[str]:
        if not self.argument:
            raise ValueError("one_of needs an argument")
        words = self.argument.split("|")
        if len({*words}) < len(words):
            raise ValueError(f"one_of names a value twice: {self.argument!r}")
        for word in words if self.kind.family == "number" else ():
            if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", word):
                raise ValueError(
                    f"one_of: {word!r} is no number, and {self.column} is one"
                )
        return words

    def expectation(self) -> tuple[str, str, Arguments]:
        read = as_number if self.kind.family == "number" else str
        values = {"value_set": [read(word) for word in self.parsed]}
        shown = f"one of {', '.join(self.parsed)}"
        return "expect_column_values_to_be_in_set", shown, values

    def dbt_test(self) -> tuple[str, Arguments]:
        return "accepted_values", {"values": self.parsed}

    def holds(self, quoted: bool) -> str:
        write = str if self.kind.family == "number" else as_text
        return f"{self._name(quoted)} in ({', '.join(map(write, self.parsed))})"

    @classmethod
    def is_as_strict(cls, now: str, was: str) -> bool:
        return {*now.split("|")} <= {*was.split("|")}
