"""`satisfies`: a predicate over the columns of a row."""

from __future__ import annotations

from ingest.seed import predicate
from ingest.seed.checks.base import EXPRESSION, Arguments, Check
from ingest.seed.predicate import Predicate


class Satisfies(Check[Predicate]):
    """Each row satisfies a predicate, or it is unknown because of a NULL."""

    name = "satisfies"
    scope = "either"
    repeatable = True
    dimension = "consistency"
    takes = "a predicate: `shipped_at >= ordered_at`"
    meaning = "each row satisfies it, or it is unknown because of a NULL"
    tests = f"`{EXPRESSION}`"

    def read(self) -> Predicate:
        try:
            found = predicate.parse(self.argument, self.columns)
        except ValueError as error:
            raise ValueError(
                f"satisfies takes a predicate such as shipped_at >= ordered_at: {error}"
            ) from None
        if self.column and self.column not in predicate.columns_of(found):
            raise ValueError(
                f"satisfies on {self.column} needs a predicate that names {self.column}"
            )
        return found

    def expectation(self) -> tuple[str, str, Arguments]:
        # A constant: no value of a row is in a result.
        rows = f"{{batch}} where {self.holds(quoted=True)} is false"
        query = {"unexpected_rows_query": f"select 1 as failing from {rows}"}
        return "unexpected_rows_expectation", self.argument, query

    def holds(self, quoted: bool) -> str:
        return predicate.to_sql(self.parsed, quoted=quoted)
