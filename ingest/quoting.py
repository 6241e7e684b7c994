"""Names and texts as SQL writes them; it imports nothing."""

from __future__ import annotations


def literal(value: object) -> str:
    """`value` as a SQL string literal."""
    return "'" + str(value).replace("'", "''") + "'"


def quoted(name: str) -> str:
    """`name` as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'
