"""Statements about an account, which are accepted and do nothing.

Each is written to a log, one JSON line a statement, so that a test can compare the
accepted statements with the intended ones: a typo would be accepted as well.
"""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

_POLICIES = (
    "masking policy|row access policy|network policy|session policy|password policy|"
    "aggregation policy|projection policy"
)
_OBJECTS = (
    f"(?:database )?role|warehouse|user|resource monitor|{_POLICIES}|"
    "(?:storage|notification|api|security) integration|stream|task|pipe|alert|share"
)
_STATEMENTS = (
    "alter session (?:set|unset) (?!autocommit)",
    f"(?:create|create or replace|alter|drop) (?:{_OBJECTS})\\b",
    "(?:grant|revoke)\\b",
    "use secondary roles\\b",
    "alter (?:table|view|schema|database|account) .*\\b(?:(?:un)?set masking policy|"
    "row access polic|set data_retention|set default_ddl)",
    "alter tag\\b",
    "execute task\\b",
    "(?:drop|alter) (?:stage|file format)\\b",
    "(?:remove|rm) @",
    "alter (?:table|view) \\S+ (?:alter|modify) .*\\bcomment \\$\\$",
)
_LEADING = r"(?is)\s*(?:/\*.*?\*/\s*)*(?:--[^\n]*\n\s*)*"
_PATTERNS = [
    re.compile(_LEADING + statement.replace(" ", r"\s+")) for statement in _STATEMENTS
]
# What dbt sends at each start of a session is not about the project.
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_writing = threading.Lock()


def is_accepted(statement: str) -> bool:
    """Whether the statement is one of those that do nothing here."""
    return any(pattern.match(statement) for pattern in _PATTERNS)


def normalised(statement: str) -> str:
    """The statement on one line, without comments and the last semicolon."""
    return " ".join(_COMMENT.sub(" ", statement).split()).rstrip("; ")


class Log:
    """The file of accepted statements; None keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def add(self, statement: str) -> None:
        """Write the statement down."""
        if self._path is None:
            return
        with _writing, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(normalised(statement)) + "\n")
