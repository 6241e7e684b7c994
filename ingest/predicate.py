"""Predicates over the columns of one row: parsed, checked and written as SQL.

`deleted_at is null or deleted_at >= created_at` is one. What a person writes never
reaches a warehouse: it is read into a tree of known columns and literals, and SQL is
written anew from that.

    predicate  = all { "or" all }
    all        = term { "and" term }
    term       = "not" term | "(" predicate ")" | comparison
    comparison = operand operator operand
               | column "is" [ "not" ] "null"
               | column [ "not" ] "in" "(" literal { "," literal } ")"
    operand    = column | number | 'text' | true | false
    operator   = "=" | "<>" | "<" | "<=" | ">" | ">="

Dates and times are text in quotes: `'2024-12-31'`. As in a check of SQL, a row of
which the predicate is unknown, because of a NULL, does not fail it.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ingest.types import CanonicalType

OPERATORS = ("=", "<>", "<=", ">=", "<", ">")
WORDS = ("and", "or", "not", "is", "in", "null", "true", "false")

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign><>|<=|>=|[=<>(),]))"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d([.]\d{1,6})?)?)?")


@dataclass(frozen=True)
class Column:
    """A column of the row."""

    name: str
    family: str


@dataclass(frozen=True)
class Literal:
    """A value as it was written, text without its quotes."""

    value: str
    family: str


@dataclass(frozen=True)
class Comparison:
    """Two operands and the operator between them."""

    left: Column | Literal
    operator: str
    right: Column | Literal


@dataclass(frozen=True)
class IsNull:
    """Whether a column has no value."""

    column: Column
    negated: bool


@dataclass(frozen=True)
class IsIn:
    """Whether a column's value is one of some literals."""

    column: Column
    values: tuple[Literal, ...]
    negated: bool


@dataclass(frozen=True)
class Not:
    """The opposite of a predicate."""

    of: Predicate


@dataclass(frozen=True)
class Both:
    """Predicates joined by `and` or by `or`."""

    word: str
    parts: tuple[Predicate, ...]


Predicate = Comparison | IsNull | IsIn | Not | Both


def family(kind: CanonicalType) -> str:
    """What a type's values compare with: number, text, time, boolean; '' nothing."""
    if kind.name in ("integer", "bigint", "double") or (
        kind.name.startswith("decimal") and kind.log != "text"
    ):
        return "number"
    if kind.name == "text" or kind.name.startswith("varchar"):
        return "text"
    if kind.name in ("date", "timestamp", "timestamptz"):
        return "time"
    return "boolean" if kind.name == "boolean" else ""


def parse(text: str, columns: Mapping[str, CanonicalType]) -> Predicate:
    """Read a predicate over `columns`; ValueError says what is wrong and where."""
    return _Parser(text, columns).parse()


def columns_of(predicate: Predicate) -> list[str]:
    """The names of the columns that the predicate looks at, each once, in order."""

    def walk(part: Predicate) -> Iterator[str]:
        match part:
            case Both(_, parts):
                for one in parts:
                    yield from walk(one)
            case Not(of):
                yield from walk(of)
            case Comparison(left, _, right):
                for side in (left, right):
                    if isinstance(side, Column):
                        yield side.name
            case IsNull(column, _) | IsIn(column, _, _):
                yield column.name

    return list(dict.fromkeys(walk(predicate)))


def to_sql(predicate: Predicate, *, quoted: bool = True) -> str:
    """The predicate as SQL that both warehouses understand.

    Names are quoted, unless they are those of a model, which dbt does not quote.
    """

    def write(part: Predicate) -> str:
        match part:
            case Both(word, parts):
                return "(" + f" {word} ".join(write(one) for one in parts) + ")"
            case Not(of):
                return f"(not {write(of)})"
            case IsNull(column, negated):
                return f"({operand(column)} is {'not ' if negated else ''}null)"
            case IsIn(column, values, negated):
                word = "not in" if negated else "in"
                inside = ", ".join(operand(value) for value in values)
                return f"({operand(column)} {word} ({inside}))"
            case Comparison(left, operator, right):
                return f"({operand(left)} {operator} {operand(right)})"

    def operand(found: Column | Literal) -> str:
        if isinstance(found, Column):
            return f'"{found.name}"' if quoted else found.name
        if found.family in ("text", "time"):
            return "'" + found.value.replace("'", "''") + "'"
        return found.value

    return write(predicate)


class _Parser:
    """Recursive descent over the tokens; `at` is the place of the next one."""

    def __init__(self, text: str, columns: Mapping[str, CanonicalType]) -> None:
        self.text = text
        self.columns = columns
        self.tokens = list(_tokens(text))
        self.at = 0

    def parse(self) -> Predicate:
        if not self.tokens:
            raise ValueError("it is empty")
        found = self._any_of()
        if self.at < len(self.tokens):
            raise ValueError(f"'and' or 'or' was expected {self._here()}")
        return found

    def _here(self) -> str:
        if self.at < len(self.tokens):
            _, text, place = self.tokens[self.at]
            return f"before {text!r} at character {place + 1}"
        return "at the end"

    def _next(self, *wanted: str) -> bool:
        """Step over the next token if it is one of these."""
        if self.at < len(self.tokens):
            kind, text, _ = self.tokens[self.at]
            if kind != "text" and text.lower() in wanted:
                self.at += 1
                return True
        return False

    def _expect(self, wanted: str) -> None:
        if not self._next(wanted):
            raise ValueError(f"{wanted!r} was expected {self._here()}")

    def _joined(self, word: str, parts: list[Predicate]) -> Predicate:
        return parts[0] if len(parts) == 1 else Both(word, tuple(parts))

    def _any_of(self) -> Predicate:
        parts = [self._all_of()]
        while self._next("or"):
            parts.append(self._all_of())
        return self._joined("or", parts)

    def _all_of(self) -> Predicate:
        parts = [self._term()]
        while self._next("and"):
            parts.append(self._term())
        return self._joined("and", parts)

    def _term(self) -> Predicate:
        if self._next("not"):
            return Not(self._term())
        if self._next("("):
            inner = self._any_of()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Predicate:
        left = self._operand()
        if isinstance(left, Column):
            if self._next("is"):
                negated = self._next("not")
                self._expect("null")
                return IsNull(left, negated)
            negated = self._next("not")
            if negated or self._is_next("in"):
                self._expect("in")
                return IsIn(left, tuple(self._list(left)), negated)
        for operator in OPERATORS:
            if self._next(operator):
                right = self._operand()
                if isinstance(left, Literal) and isinstance(right, Literal):
                    raise ValueError("a comparison of two literals says nothing")
                return Comparison(_fit(left, right), operator, _fit(right, left))
        raise ValueError(f"one of {' '.join(OPERATORS)} was expected {self._here()}")

    def _is_next(self, word: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at][1].lower() == word

    def _list(self, column: Column) -> Iterator[Literal]:
        self._expect("(")
        while True:
            value = self._operand()
            if isinstance(value, Column):
                raise ValueError(f"in takes literals, not the column {value.name!r}")
            fitting = _fit(value, column)
            assert isinstance(fitting, Literal)
            yield fitting
            if not self._next(","):
                break
        self._expect(")")

    def _operand(self) -> Column | Literal:
        if self.at == len(self.tokens):
            raise ValueError("a column or a literal was expected at the end")
        kind, text, _ = self.tokens[self.at]
        if kind == "sign" or (
            text.lower() in WORDS and text.lower() not in ("true", "false")
        ):
            raise ValueError(f"a column or a literal was expected {self._here()}")
        self.at += 1
        if kind == "text":
            return Literal(text[1:-1].replace("''", "'"), "text")
        if kind == "number":
            return Literal(text, "number")
        if text.lower() in ("true", "false"):
            return Literal(text.lower(), "boolean")
        if text not in self.columns:
            close = difflib.get_close_matches(text, list(self.columns), n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{text!r} is not a column of the table.{hint}")
        found = family(self.columns[text])
        if not found and not self._is_next("is"):
            raise ValueError(
                f"{text} is {self.columns[text].name}, of which only "
                "`is null` can be asked"
            )
        return Column(text, found)


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """(kind, text, place) of each token."""
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise ValueError(f"{text[start]!r} at character {start + 1} has no meaning")
        if "\\" in match.group() or "\0" in match.group():
            raise ValueError("a backslash means different things to the two warehouses")
        yield match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)
        place = match.end()


def _fit(operand: Column | Literal, other: Column | Literal) -> Column | Literal:
    """The operand as one of the other's family; ValueError where they don't compare."""
    if operand.family == other.family:
        return operand
    if isinstance(operand, Literal) and operand.family == "text":
        if other.family == "time":
            is_time(operand.value)
            return Literal(operand.value, "time")
    elif isinstance(other, Literal) and (other.family, operand.family) == (
        "text",
        "time",
    ):
        return operand
    raise ValueError(f"{_told(operand)} can't be compared with {_told(other)}")


def is_time(text: str) -> None:
    """Raise ValueError unless the text is a date, or a date and time, of ISO 8601."""
    try:
        if not _TIME.fullmatch(text):
            raise ValueError
        dt.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no date; write it as '2024-12-31' or '2024-12-31 23:59:59'"
        ) from None


def _told(operand: Column | Literal) -> str:
    if isinstance(operand, Column):
        return f"{operand.name} ({operand.family})"
    return f"the {operand.family} {operand.value!r}"
