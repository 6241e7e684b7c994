"""The checks that a rule of the seed can name: layers, arguments and meaning.

A rule is a row of `seeds/metadata/rules.csv`. In the layer `gate` it is checked on
the rows of a batch before they are released, in the layer `model` by dbt on what
was built of all released rows.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest import predicate
from ingest.predicate import Predicate
from ingest.types import CanonicalType

LAYERS = ("gate", "model")

Columns = dict[str, CanonicalType]


@dataclass(frozen=True)
class Check:
    """A check: what it takes and what it means.

    `scope` says whether a rule names a column: `column`, `table` or `either`.
    `assert_argument(argument, column, columns)` raises ValueError where the argument
    is wrong for that column ('' for none) of those columns. A table may have the
    check several times if it is `repeatable`.
    """

    layers: tuple[str, ...]
    scope: str
    argument: str
    meaning: str
    assert_argument: Callable[[str, str, Columns], object]
    repeatable: bool = False


@dataclass(frozen=True)
class Bounds:
    """Two bounds that are both allowed themselves, '' for none."""

    low: str
    high: str


def bounds(argument: str, kind: CanonicalType | None = None) -> Bounds:
    """LOW..HIGH, one of which may be empty: numbers, or dates for a column of time."""
    takes = f"between takes LOW..HIGH, one may be empty: {argument!r}"
    parts = argument.split("..")
    if len(parts) != 2 or parts == ["", ""]:
        raise ValueError(takes)
    family = predicate.family(kind) if kind else "number"
    if family == "time":
        for part in filter(None, parts):
            predicate.is_time(part)
    elif family == "number":
        if not all(re.fullmatch(r"(-?\d+(\.\d+)?)?", part) for part in parts):
            raise ValueError(takes)
        if all(parts) and float(parts[0]) > float(parts[1]):
            raise ValueError(f"between takes the lower bound first: {argument!r}")
    else:
        name = kind.name if kind else ""
        raise ValueError(f"between is for numbers, dates and times, not for {name}")
    return Bounds(*parts)


def counts(argument: str) -> Bounds:
    """LOW..HIGH, whole numbers of rows, one of which may be empty."""
    if not re.fullmatch(r"(?=.*\d)(\d+)?\.\.(\d+)?", argument):
        raise ValueError(
            f"row_count takes LOW..HIGH in rows, one may be empty: {argument!r}"
        )
    return bounds(argument)


def share(argument: str) -> float:
    """The share of NULLs that is allowed; none where the argument is empty."""
    if not argument:
        return 0.0
    if not re.fullmatch(r"0?\.\d+|0", argument):
        raise ValueError(
            "not_null takes the share of NULLs that is allowed, from 0 to below 1, or "
            f"nothing for 0: {argument!r}"
        )
    return float(argument)


def words(argument: str) -> tuple[str, ...]:
    """The values of one_of, which stand between `|`."""
    if not argument:
        raise ValueError("one_of needs an argument")
    found = tuple(argument.split("|"))
    if len({*found}) < len(found):
        raise ValueError(f"one_of names a value twice: {argument!r}")
    return found


def pattern(argument: str) -> str:
    """A regular expression that means the same to both warehouses."""
    if not argument:
        raise ValueError("matches needs an argument")
    try:
        re.compile(argument)
    except re.error as error:
        raise ValueError(f"matches takes a regular expression: {error}") from None
    if "\\" in argument:
        raise ValueError(
            "a backslash means different things to the two warehouses; write a class "
            "such as [.] or [0-9] instead"
        )
    return argument


_DIRECTIVES = {
    "%Y": "[0-9]{4}",
    "%y": "[0-9]{2}",
    "%m": "(0[1-9]|1[0-2])",
    "%d": "(0[1-9]|[12][0-9]|3[01])",
    "%H": "([01][0-9]|2[0-3])",
    "%M": "[0-5][0-9]",
    "%S": "[0-5][0-9]",
    "%f": "[0-9]{1,6}",
    "%z": "(Z|[+-][0-9]{2}:?[0-9]{2})",
}


def date_pattern(argument: str) -> str:
    """The regular expression of a date format such as `%Y-%m-%d`."""
    parts = re.findall(r"%.|[^%]|%$", argument)
    wrong = [p for p in parts if p[0] == "%" and p not in _DIRECTIVES]
    if not any(p in _DIRECTIVES for p in parts) or wrong or "\\" in argument:
        raise ValueError(
            f"date_format takes a format such as %Y-%m-%d, of {' '.join(_DIRECTIVES)}: "
            f"{argument!r}"
        )
    inside = "".join(
        _DIRECTIVES.get(p, p if re.fullmatch(r"[\w ,:;/-]", p) else f"[{p}]")
        for p in parts
    )
    return f"^{inside}$"


_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def age(argument: str) -> dt.timedelta:
    """An age: a whole number of minutes, hours or days, as in 90m, 36h, 2d."""
    found = re.fullmatch(r"([1-9]\d{0,5})([mhd])", argument)
    if not found:
        raise ValueError(
            "fresh takes an age in minutes, hours or days, such as 90m, 36h or 2d: "
            f"{argument!r}"
        )
    return dt.timedelta(**{_UNITS[found[2]]: int(found[1])})


def names(argument: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that are unique together, which stand between `|`."""
    found = tuple(argument.split("|"))
    unknown = [name for name in found if name not in columns]
    if unknown or len({*found}) < len(found) or len(found) < 2:
        raise ValueError(
            "unique takes no argument on a column; without one it takes the columns "
            f"that are unique together, with | between them: {argument!r}"
        )
    return found


def condition(argument: str, columns: Columns) -> Predicate:
    """The predicate of satisfies."""
    try:
        return predicate.parse(argument, columns)
    except ValueError as error:
        raise ValueError(
            f"satisfies takes a predicate such as shipped_at >= ordered_at: {error}"
        ) from None


def _assert_between(argument: str, column: str, columns: Columns) -> object:
    return bounds(argument, columns[column])


def _assert_text(
    read: Callable[[str], object], name: str
) -> Callable[[str, str, Columns], object]:
    def check(argument: str, column: str, columns: Columns) -> object:
        if predicate.family(columns[column]) != "text":
            raise ValueError(f"{name} is for texts, not for {columns[column].name}")
        return read(argument)

    return check


def _assert_one_of(argument: str, column: str, columns: Columns) -> object:
    found = words(argument)
    if predicate.family(columns[column]) == "number":
        for word in found:
            if not re.fullmatch(r"-?\d+(\.\d+)?", word):
                raise ValueError(f"one_of: {word!r} is no number, and {column} is one")
    return found


def _assert_unique(argument: str, column: str, columns: Columns) -> object:
    if column:
        if argument:
            raise ValueError("unique takes no argument")
        return None
    return names(argument, list(columns))


def _assert_fresh(argument: str, column: str, columns: Columns) -> object:
    if columns[column].name not in ("date", "timestamp", "timestamptz"):
        raise ValueError(
            f"fresh is for dates and times, not for {columns[column].name}"
        )
    return age(argument)


def _assert_satisfies(argument: str, column: str, columns: Columns) -> object:
    found = condition(argument, columns)
    if column and column not in predicate.columns_of(found):
        raise ValueError(f"satisfies on {column} needs a predicate that names {column}")
    return found


CHECKS: dict[str, Check] = {
    "between": Check(
        ("gate", "model"),
        "column",
        "`LOW..HIGH`, one may be empty",
        "the value is not below LOW nor above HIGH: a number, or a date or time",
        _assert_between,
    ),
    "date_format": Check(
        ("gate", "model"),
        "column",
        "a format such as `%Y-%m-%d`",
        "the text is a date written so; " + ", ".join(_DIRECTIVES) + " are known",
        _assert_text(date_pattern, "date_format"),
    ),
    "fresh": Check(
        ("gate",),
        "column",
        "an age: `90m`, `36h`, `2d`",
        "the newest value is not older than this when the batch is read",
        _assert_fresh,
    ),
    "matches": Check(
        ("gate", "model"),
        "column",
        "a regular expression without a backslash",
        "the text, or a part of it, matches",
        _assert_text(pattern, "matches"),
    ),
    "not_null": Check(
        ("gate", "model"),
        "column",
        "nothing, or the share that may be NULL: `0.05`",
        "the column has a value",
        lambda argument, column, columns: share(argument),
    ),
    "one_of": Check(
        ("gate", "model"),
        "column",
        "values with `\\|` between them",
        "the value is one of these",
        _assert_one_of,
    ),
    "references": Check(
        ("model",),
        "column",
        "`MODEL.COLUMN`",
        "the value is one of that column's",
        lambda argument, column, columns: None,
    ),
    "row_count": Check(
        ("gate", "model"),
        "table",
        "`LOW..HIGH` rows, one may be empty",
        "the rows that the batch has read from the source, unchanged ones as well; in "
        "the layer model, the rows of the model",
        lambda argument, column, columns: counts(argument),
    ),
    "satisfies": Check(
        ("gate", "model"),
        "either",
        "a predicate: `shipped_at >= ordered_at`",
        "each row satisfies it, or it is unknown because of a NULL",
        _assert_satisfies,
        repeatable=True,
    ),
    "unique": Check(
        ("gate", "model"),
        "either",
        "nothing; without a column: `COLUMN\\|COLUMN`",
        "no two rows have the same value, or the same values",
        _assert_unique,
        repeatable=True,
    ),
}


def rule_id(check: str, argument: str, column: str) -> str:
    """What a rule is called where its results are, but for the number of a repeated
    one: `email:matches`, `row_count`, `sku+warehouse:unique`."""
    if not column and check == "unique":
        column = argument.replace("|", "+")
    return f"{column}:{check}" if column else check
