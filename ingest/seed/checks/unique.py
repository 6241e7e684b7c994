"""`unique`: no two rows with the same value, or the same values."""

from __future__ import annotations

from ingest.seed.checks.base import Arguments, Check


class Unique(Check[list[str]]):
    """No two rows are the same in some columns, which are what is `parsed`."""

    name = "unique"
    scope = "either"
    repeatable = True
    dimension = "uniqueness"
    takes = "nothing; without a column: `COLUMN\\|COLUMN`"
    meaning = "no two rows have the same value, or the same values"
    tests = "`unique`; of several columns, `dbt_utils.unique_combination_of_columns`"

    def read(self) -> list[str]:
        if self.column and self.argument:
            raise ValueError("unique takes no argument")
        if self.column:
            return [self.column]
        names = self.argument.split("|")
        unknown = [name for name in names if name not in self.columns]
        if unknown or len({*names}) < len(names) or len(names) < 2:
            raise ValueError(
                "unique takes no argument on a column; without one it takes the "
                "columns that are unique together, with | between them: "
                f"{self.argument!r}"
            )
        return names

    @property
    def id(self) -> str:
        # sku:unique, sku+warehouse:unique
        return f"{'+'.join(self.parsed)}:{self.name}"

    def expectation(self) -> tuple[str, str, Arguments]:
        shown = "no two rows with the same value"
        if self.column:
            return "expect_column_values_to_be_unique", shown, {}
        names = {"column_list": self.parsed, "ignore_row_if": "any_value_is_missing"}
        return "expect_compound_columns_to_be_unique", shown, names

    def dbt_test(self) -> tuple[str, Arguments]:
        if self.column:
            return "unique", {}
        names = {"combination_of_columns": self.parsed}
        return "dbt_utils.unique_combination_of_columns", names

    def failing(self) -> str:
        names = ", ".join(f'"{c}"' for c in self.parsed)
        known = " and ".join(f'"{c}" is not null' for c in self.parsed)
        return f"({known} and count(*) over (partition by {names}) > 1)"
