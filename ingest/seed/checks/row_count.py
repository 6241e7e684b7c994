"""`row_count`: as many rows as there should be."""

from __future__ import annotations

from ingest.seed.checks.base import Arguments, Bounded, parameter


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
