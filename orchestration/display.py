"""How tables and errors are shown in the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.table import Table as Grid
from rich.text import Text


def plain_grid() -> Grid:
    """A table without lines; its columns are still to be added."""
    return Grid(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))


def fault(text: str) -> Text:
    """An error's text: what failed and where, its hint on a line of its own."""
    what, mark, hint = text.partition("\nhint: ")
    way: list[str | tuple[str, str]] = (
        ["\n", ("hint", "cyan"), f": {hint}"] if mark else []
    )
    return Text.assemble(("error", "red"), f": {what}", *way)


def faults(text: str) -> Iterator[Text]:
    """The errors of a run, which are one text, each once."""
    for one in dict.fromkeys(re.split(r"\n(?!hint: )", text) if text else []):
        yield fault(one)
