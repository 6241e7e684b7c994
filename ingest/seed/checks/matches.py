"""`matches` and `date_format`: texts that a regular expression describes."""

from __future__ import annotations

import re

from ingest.seed.checks.base import Arguments, Check, Sql, as_text

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
# What one engine has and another has not: `(?=a)`, `[[:alpha:]]`, `[^x[.a.]]`.
_OTHERWISE = re.compile(r"\(\?|\[\^?\]?[^\]]*\[[:.=]")
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
# A repetition that all of them read alike; no other brace, and no plus behind one.
_TIMES = re.compile(r"\{(\d+)(?:,(\d*))?\}(?![+])")
_MOST_TIMES = 255


class Matches(Check[str]):
    """The text, or a part of it, matches a pattern, which is what is `parsed`."""

    name = "matches"
    takes = "a regular expression without a backslash, `(?` or `[[:`"
    meaning = "the text, or a part of it, matches"
    tests = "`dbt_expectations.expect_column_values_to_match_regex`"
    shown = "texts that match"

    def read(self) -> str:
        if self.kind.family != "text":
            raise ValueError(f"{self.name} is for texts, not for {self.kind.name}")
        return self.pattern()

    def pattern(self) -> str:
        """A regular expression that means the same to both warehouses."""
        if not self.argument:
            raise ValueError("matches needs an argument")
        try:
            re.compile(self.argument)
        except re.error as error:
            raise ValueError(f"matches takes a regular expression: {error}") from None
        if "\\" in self.argument:
            raise ValueError(
                "a backslash means different things to the two warehouses; write a "
                "class such as [.] or [0-9] instead"
            )
        if _OTHERWISE.search(self.argument):
            raise ValueError(
                "groups with (? and classes such as [[:alpha:]] mean different things "
                "to the gate and the warehouses; write a plain group, or a class such "
                "as [A-Za-z]"
            )
        plain = _CLASS.sub("x", self.argument)
        times = [int(n) for found in _TIMES.findall(plain) for n in found if n]
        rest = _TIMES.sub("", plain)
        if max(times, default=0) > _MOST_TIMES or re.search(r"[{}]|[*+?]\+", rest):
            raise ValueError(
                "a repetition is *, +, ?, or {2}, {2,} or {2,9} up to "
                f"{_MOST_TIMES}; a brace as such is [{{]"
            )
        return self.argument

    def expectation(self) -> tuple[str, str, Arguments]:
        kind = "expect_column_values_to_match_regex"
        return kind, f"{self.shown} {self.argument}", {"regex": self.parsed}

    def dbt_test(self) -> tuple[str, Arguments]:
        # NULL is no text that could match; `nullable` is for the contract.
        known = Sql(f"{self.column} is not null")
        arguments = {"regex": self.parsed, "row_condition": known}
        return "dbt_expectations.expect_column_values_to_match_regex", arguments

    def failing(self) -> str:
        return f'not ("{self.column}" ~ {as_text(self.parsed)})'

    def score(self) -> Arguments:
        return {"column": self.column, "pattern": Sql(as_text(self.parsed)[1:-1])}


class DateFormat(Matches):
    """The text is a date in that format."""

    name = "date_format"
    takes = "a format such as `%Y-%m-%d`"
    meaning = "the text is a date written so; " + ", ".join(_DIRECTIVES) + " are known"
    shown = "dates written"

    def pattern(self) -> str:
        argument = self.argument
        parts = re.findall(r"%.|[^%]|%$", argument)
        wrong = [p for p in parts if p[0] == "%" and p not in _DIRECTIVES]
        if not any(p in _DIRECTIVES for p in parts) or wrong or "\\" in argument:
            raise ValueError(
                "date_format takes a format such as %Y-%m-%d, of "
                f"{' '.join(_DIRECTIVES)}: {argument!r}"
            )
        inside = "".join(
            _DIRECTIVES.get(p, p if re.fullmatch(r"[\w ,:;/-]", p) else f"[{p}]")
            for p in parts
        )
        return f"^{inside}$"
