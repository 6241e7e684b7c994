"""`fresh`: the newest value is not older than an age."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ingest.seed.checks.base import Arguments, Check, parameter

if TYPE_CHECKING:
    from ingest.seed.metadata import Table

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Fresh(Check[dt.timedelta]):
    """The newest value is not older than an age, which is what is `parsed`."""

    name = "fresh"
    layers = ("gate",)
    dimension = "timeliness"
    takes = "an age: `90m`, `36h`, `2d`"
    meaning = "the newest value is not older than this when the batch is read"

    def read(self) -> dt.timedelta:
        if self.kind.name not in ("date", "timestamp", "timestamptz"):
            raise ValueError(f"fresh is for dates and times, not for {self.kind.name}")
        return _age(self.argument)

    def assert_table(self, table: Table, models: Mapping[str, Table]) -> None:
        """Only a whole snapshot, or a watermark, shows how new the newest value is."""
        watermark = table.window_column.name if table.window_column else ""
        if not table.load_type.reads_whole and self.column != watermark:
            raise ValueError(
                f"fresh on {self.column}: a window of {table.id} has but what is new; "
                f"put the rule on its watermark column {watermark!r}"
            )

    @property
    def oldest(self) -> str:
        """The gate's parameter for how old the newest value may be."""
        return f"oldest_{self.column}"

    def expectation(self) -> tuple[str, str, Arguments]:
        shown = f"a value of the last {self.argument}"
        oldest = {"min_value": parameter(self.oldest)}
        return "expect_column_max_to_be_between", shown, oldest

    @classmethod
    def is_as_strict(cls, now: str, was: str) -> bool:
        return _age(now) <= _age(was)


def _age(argument: str) -> dt.timedelta:
    found = re.fullmatch(r"([1-9]\d{0,5})([mhd])", argument)
    if not found:
        raise ValueError(
            "fresh takes an age in minutes, hours or days, such as 90m, 36h or 2d: "
            f"{argument!r}"
        )
    return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})
