"""How tables and errors are shown in the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.table import Table as Grid
from rich.text import Text


def plain_grid(*columns: str) -> Grid:
    """A table without lines; columns whose names begin with `>` hold numbers.

    On a narrow terminal text is folded, so that no number is cut.
    """
    grid = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for name in columns:
        if name.startswith(">"):
            grid.add_column(name[1:], justify="right", no_wrap=True)
        else:
            grid.add_column(name, overflow="fold")
    return grid


def fault(text: str) -> Text:
    """An error's text: what failed and where, its hint on a line of its own."""
    what, mark, hint = text.partition("\nhint: ")
    found = Text.assemble(("error", "red"), f": {what}")
    return found.append("\nhint", "cyan").append(f": {hint}") if mark else found


def faults(text: str) -> Iterator[Text]:
    """The errors of a run, which are one text, each once."""
    for one in dict.fromkeys(re.split(r"\n(?!hint: )", text) if text else []):
        yield fault(one)
