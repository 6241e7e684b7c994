"""Statements about an account, which are accepted and do nothing.

Each is written to a log, one JSON line a statement, so that a test can compare the
accepted statements with the intended ones: a typo would be accepted as well.
"""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

_OBJECTS = (
    "(?:database )?role|warehouse|user|resource monitor|stream|task|pipe|alert|share|"
    "(?:masking|row access|network|session|password|aggregation|projection) policy|"
    "(?:storage|notification|api|security) integration"
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
_PATTERN = re.compile(
    f"{_LEADING}(?:{'|'.join(_STATEMENTS)})".replace(" ", r"\s+"),
)
# What dbt sends at each start of a session is not about the project.
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_writing = threading.Lock()


def accepts(statement: str, log: Path) -> bool:
    """Whether the statement is one of those that do nothing here; it is logged then.

    On one line, without comments and the last semicolon.
    """
    if not _PATTERN.match(statement):
        return False
    words = " ".join(_COMMENT.sub(" ", statement).split()).rstrip("; ")
    with _writing, log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(words) + "\n")
    return True
