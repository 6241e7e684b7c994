"""What a check is to all who ask: seed, gate, dbt, score, contract and docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ingest.seed.types import CanonicalType

if TYPE_CHECKING:
    from ingest.seed.metadata import Table

LAYERS = ("gate", "model")
# dbt's test of a condition; on a column it would put the column's name before it.
EXPRESSION = "dbt_utils.expression_is_true"

KINDS: dict[str, type[Check[Any]]] = {}

Arguments = dict[str, Any]
Parsed = TypeVar("Parsed")


class Sql(str):
    """SQL in an argument of dbt, written as it is; any other text is a value."""


class Model(str):
    """A model's name in an argument of dbt, written as a reference to it."""


@dataclass(frozen=True)
class Check(Generic[Parsed]):
    """A check of a rule: an argument on a column, or on a table where that is ''.

    Raises ValueError, which says what it takes, where the argument is wrong for that
    column of those columns. A subclass is a kind of check: it says what it is called
    and means; `Parsed` is what it reads its argument as. `key` and `grace_minutes` are
    the table's.
    """

    argument: str
    column: str
    columns: Mapping[str, CanonicalType] = field(compare=False, repr=False)
    key: tuple[str, ...] = field(default=(), compare=False, repr=False)
    grace_minutes: int = field(default=0, compare=False, repr=False)

    name: ClassVar[str]
    layers: ClassVar[tuple[str, ...]] = LAYERS
    # Whether a rule names a column: `column`, `table` or `either`.
    scope: ClassVar[str] = "column"
    # Whether a table may have it several times, with other arguments.
    repeatable: ClassVar[bool] = False
    # What it is about, in a contract's words; in a score, `conformity` is validity.
    dimension: ClassVar[str] = "conformity"
    # Whether it counts the rows of a batch, which is asked of those without rows, too.
    counts_rows: ClassVar[bool] = False
    # For docs/rules.md: what it takes, what is true of good data, dbt's tests of it.
    takes: ClassVar[str]
    meaning: ClassVar[str]
    tests: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        if "name" in vars(cls):
            KINDS[cls.name] = cls

    def __post_init__(self) -> None:
        self.parsed  # noqa: B018

    @cached_property
    def parsed(self) -> Parsed:
        """What the argument says."""
        return self.read()

    @property
    def kind(self) -> CanonicalType:
        """The type of the column."""
        return self.columns[self.column]

    @property
    def id(self) -> str:
        """What a rule is called where its results are: `email:matches`, `row_count`."""
        return f"{self.column}:{self.name}" if self.column else self.name

    @property
    def model(self) -> str:
        """The other model that it looks at, '' for none."""
        return ""

    def read(self) -> Parsed:
        """Read the argument; ValueError says what it takes."""
        raise NotImplementedError

    def assert_table(self, table: Table, models: Mapping[str, Table]) -> None:
        """Raise ValueError where it doesn't fit its table, or the enabled tables."""

    def expectation(self) -> tuple[str, str, Arguments]:
        """The gate's expectation: its type, what a person reads, its arguments.

        The column is added to them.
        """
        raise NotImplementedError

    def dbt_test(self) -> tuple[str, Arguments]:
        """dbt's test on the model, or on its column: name and arguments."""
        return EXPRESSION, {"expression": Sql(self.holds(quoted=False))}

    def holds(self, quoted: bool) -> str:
        """SQL that is false of a row that fails it; '' if about no single rows.

        Names are quoted, unless they are those of a model.
        """
        return ""

    def failing(self) -> str:
        """SQL that is true of the rows of a log that fail it; '' as in `holds`."""
        return f"not ({holds})" if (holds := self.holds(quoted=True)) else ""

    def score(self) -> Arguments:
        """Whether a row is a good one, as macro rule_holds takes it; {} for none."""
        holds = self.holds(quoted=False)
        return {"condition": Sql(holds)} if holds else {}

    @classmethod
    def is_as_strict(cls, now: str, was: str) -> bool:
        """Whether argument `now` allows nothing that another one, `was`, did not."""
        return False

    def _name(self, quoted: bool) -> str:
        return f'"{self.column}"' if quoted else self.column


def as_number(text: str) -> float | int:
    """A number as Python has it."""
    return float(text) if "." in text else int(text)


def as_text(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def parameter(name: str) -> dict[str, str]:
    """A value that Great Expectations is given when the batch is there."""
    return {"$PARAMETER": name}
