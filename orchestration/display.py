"""How an error is shown in the terminal."""

from __future__ import annotations

from rich.text import Text


def fault(text: str) -> Text:
    """An error's text: what failed and where, its hint on a line of its own."""
    what, mark, hint = text.partition("\nhint: ")
    way: list[str | tuple[str, str]] = (
        ["\n", ("hint", "cyan"), f": {hint}"] if mark else []
    )
    return Text.assemble(("error", "red"), f": {what}", *way)
