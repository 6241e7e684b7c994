"""Predicates over the columns of one row: parsed, checked and written as SQL.

`deleted_at is null or deleted_at >= created_at` is one. What a person writes never
reaches a warehouse: sqlglot parses it, `_check` knows every kind of node that may be
in it, and SQL is written from these. A predicate has

    COLUMN or LITERAL   = <> < <= > >=   COLUMN or LITERAL
    COLUMN is [not] null
    COLUMN [not] in (LITERAL, …)
    COLUMN [not] between COLUMN or LITERAL and COLUMN or LITERAL

joined by `and`, `or`, `not` and parentheses. A literal is a number, a text in quotes,
`true` or `false`. Dates and times are text in quotes: `'2024-12-31'`. As in a check of
SQL, a row of which the predicate is unknown, because of a NULL, does not fail it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from ingest.errors import meant
from ingest.seed.types import CanonicalType

if TYPE_CHECKING:  # it costs each command's start-up, and few meet a predicate
    from sqlglot import ParseError, exp

Predicate: TypeAlias = "exp.Expr"

_WORDS = ("and", "or", "not", "is", "in", "between", "null", "true", "false")
# sqlglot's kinds of comparison.
_OPERATORS = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
# sqlglot reads more than this: comments, casts, exponents, `!=`.
_TOKEN = re.compile(
    r"\s+|'(?:[^']|'')*'|-?[0-9]+(?:\.[0-9]+)?(?![eE])|<>|<=|>=|[=<>(),]"
    r"|[A-Za-z_][A-Za-z0-9_]*",
    re.ASCII,
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d([.]\d{1,6})?)?)?")


def parse(text: str, columns: Mapping[str, CanonicalType]) -> Predicate:
    """Read a predicate over `columns`; ValueError says what is wrong and where."""
    from sqlglot import ParseError, Parser, Tokenizer, TokenType, exp

    given = _tokens(text)
    if not given:
        raise ValueError("it is empty")
    for word, _ in given:
        if re.match("[A-Za-z_]", word) and not (
            word.lower() in _WORDS or word in columns
        ):
            raise ValueError(
                f"{word!r} is not a column of the table.{meant(word, columns)}"
            )

    class Words(Tokenizer):
        # Else the rest of what begins with show or call is one token.
        COMMANDS: ClassVar[set[TokenType]] = set()

    tokens = Words().tokenize(text)
    for token in tokens:
        # A column that is called date or interval is no type; 'date' is a text.
        is_word = text[token.start : token.end + 1] == token.text
        if token.text in columns and is_word:
            token.token_type = TokenType.IDENTIFIER
    try:
        (found,) = Parser().parse_into(exp.Condition, tokens, text)
    except ParseError as error:
        raise ValueError(_message(error)) from None
    assert isinstance(found, exp.Expr)
    for name in columns_of(found):
        if name not in columns:
            raise ValueError(f"an operand was expected instead of {name!r}")
    _check(found, columns)
    _check_read(given, found)
    return found


def columns_of(predicate: Predicate) -> list[str]:
    """The names of the columns that the predicate looks at, each once, in order."""
    nodes = predicate.walk(bfs=False)
    return list(dict.fromkeys(node.name for node in nodes if node.key == "column"))


def to_sql(predicate: Predicate, *, quoted: bool = True) -> str:
    """The predicate as SQL that both warehouses understand.

    Names are quoted, unless they are those of a model, which dbt does not quote.
    """

    def write(part: Predicate, no: str = "") -> str:
        match part.key:
            case "paren":
                return write(part.this)
            case "and" | "or":
                return "(" + f" {part.key} ".join(map(write, part.flatten())) + ")"
            case "not" if part.this.key in ("is", "in", "between"):
                return write(part.this, "not ")
            case "not":
                return f"(not {write(part.this)})"
            case "is":
                return f"({write(part.this)} is {no}null)"
            case "in":
                inside = ", ".join(map(write, part.expressions))
                return f"({write(part.this)} {no}in ({inside}))"
            case "between":
                ends = " and ".join(map(write, _bounds(part)))
                return f"({write(part.this)} {no}between {ends})"
            case "column":
                return f'"{part.name}"' if quoted else part.name
            case "literal" | "neg" | "boolean":
                return part.sql() if part.is_string else part.sql().lower()
        sides = write(part.this), write(part.expression)
        return f"({f' {_OPERATORS[part.key]} '.join(sides)})"

    return write(predicate)


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


def _tokens(text: str) -> list[tuple[str, int]]:
    """Each token and the number of its first character."""
    found = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"{text[at]!r} at character {at + 1} has no meaning")
        token = match.group()
        if "\\" in token or "\0" in token:
            raise ValueError("a backslash means different things to the two warehouses")
        if not token.isspace():
            found.append((token, at + 1))
        at = match.end()
    return found


def _check_read(given: list[tuple[str, int]], found: Predicate) -> None:
    """Nothing was skipped or taken for something else, as of `in (1, , 2)`.

    Parentheses and the place of `not` may differ.
    """
    moving = ("(", ")", "not")
    read = [token for token, _ in _tokens(to_sql(found, quoted=False))]
    read = [token for token in read if token not in moving]
    last = ""
    for token, place in given:
        word = token if token.startswith("'") else token.lower()
        wanted = word if word in moving else read.pop(0) if read else ""
        if word != wanted or (last, word) == ("not", "is"):
            raise ValueError(f"{token!r} at character {place} was not expected")
        last = word


def _message(error: ParseError) -> str:
    """What sqlglot found, in the words of a predicate, with the place."""
    found = error.errors[0]
    token, description = found["highlight"], found["description"]
    place = f"{token!r} at character {found['col'] - len(token) + 1}"
    if description.startswith("Required keyword"):
        kind = description.rpartition(".")[2].strip("'>").lower()
        return f"an operand of {_OPERATORS.get(kind, kind)!r} is missing near {place}"
    if description.startswith("Expecting"):
        return f"{description.partition(' ')[2]!r} was expected after {place}"
    return f"{place} was not expected; comparisons are joined by 'and' or 'or'"


def _check(part: Predicate, columns: Mapping[str, CanonicalType]) -> None:
    """Whether the part is of a known kind, and compares what can be compared."""
    is_of_column = getattr(part.this, "key", "") == "column"
    match part.key:
        case "paren" | "not":
            _check(part.this, columns)
        case "and" | "or":
            _check(part.this, columns)
            _check(part.expression, columns)
        case "is" if is_of_column and part.expression.key == "null":
            pass
        case "in" if is_of_column and part.expressions:
            for value in part.expressions:
                if value.key == "column":
                    raise ValueError(f"in takes literals, not column {value.name!r}")
                _check_comparable(part.this, value, columns)
        case "between" if is_of_column and not part.args.get("symmetric"):
            for bound in _bounds(part):
                _check_comparable(part.this, bound, columns)
        case key if key in _OPERATORS:
            _check_comparable(part.this, part.expression, columns)
        case _:
            raise ValueError(
                f"{part.sql()} is no comparison: one of {' '.join(_OPERATORS.values())}"
                " was expected, or is, in, between"
            )


def _bounds(between: Predicate) -> tuple[Predicate, Predicate]:
    return between.args["low"], between.args["high"]


def _check_comparable(
    one: Predicate, other: Predicate, columns: Mapping[str, CanonicalType]
) -> None:
    sides = (_family(one, columns), _family(other, columns))
    literals = [side for side in (one, other) if side.key != "column"]
    if len(literals) == 2:
        raise ValueError("a comparison of two literals says nothing")
    if {*sides} == {"text", "time"} and literals:
        is_time(literals[0].name)
    elif sides[0] != sides[1]:
        words = [
            f"{part.name} ({side})" if part.key == "column" else f"the {side} {value}"
            for part, side in zip((one, other), sides, strict=True)
            for value in [part.sql() if part.is_string else f"'{part.sql()}'"]
        ]
        raise ValueError(f"{words[0]} can't be compared with {words[1]}")


def _family(operand: Predicate, columns: Mapping[str, CanonicalType]) -> str:
    """The family of an operand's values, which is a column or a literal."""
    match operand.key:
        case "column":
            found = columns[operand.name].family
            if not found:
                raise ValueError(
                    f"{operand.name} is {columns[operand.name].name}, of which only "
                    "`is null` can be asked"
                )
            return found
        case "literal":
            return "text" if operand.is_string else "number"
        case "neg" if operand.this.is_number:
            return "number"
        case "boolean":
            return "boolean"
    raise ValueError(f"{operand.sql()} is neither a column nor a literal")
