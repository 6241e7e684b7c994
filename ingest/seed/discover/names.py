"""Safe, unique names for what a source calls as it likes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ingest.seed import generate, metadata
from ingest.seed.metadata import RESERVED, Source, Table
from ingest.seed.metadata.names import LONGEST_LOG, LONGEST_MODEL, OF_SNAPSHOTS

LONGEST_COLUMN = 63


class Names:
    """Names that are taken, of which each proposal gets free ones."""

    def __init__(self, root: Path, tables: Iterable[Table]) -> None:
        self.models = {*generate.hand_written(root), *RESERVED, *metadata.HEADERS}
        for t in tables:
            self.models |= {t.model, f"{t.model}_history", *t.generated_names}

    def log(self, source: Source, name: str) -> str:
        """A name for the table's log, behind that of its source."""
        prefix = f"stg_{source.name}__"
        log = free(
            metadata.target_name(name),
            lambda n: prefix + n not in self.models,
            LONGEST_LOG - len(f"{source.name}__"),
        )
        self.models.add(prefix + log)
        return log

    def model(self, source: Source, log: str) -> str:
        """A name for the table's model, which leaves room for a history's."""

        def is_free(name: str) -> bool:
            return not {name, f"{name}_history"} & self.models

        # Another source's table of that name makes both clear.
        wanted = log if is_free(log) else f"{source.name}_{log}"
        model = free(wanted, is_free, LONGEST_MODEL)
        self.models |= {model, f"{model}_history"}
        return model


def free(wanted: str, is_free: Callable[[str], bool], longest: int) -> str:
    """`wanted`, or it with a number behind it, in `longest` characters."""
    name, number = wanted[:longest].rstrip("_"), 1
    while not is_free(name):
        number += 1
        suffix = f"_{number}"
        name = wanted[: longest - len(suffix)].rstrip("_") + suffix
    return name


def column_name(name: str, taken: set[str]) -> str:
    """A free name for a column of the warehouse, which is then taken."""
    safe = metadata.target_name(name)
    if safe in RESERVED:
        safe += "_value"
    if safe.startswith(OF_SNAPSHOTS):
        safe = f"x_{safe}"
    safe = free(safe, lambda n: n not in taken and n not in RESERVED, LONGEST_COLUMN)
    taken.add(safe)
    return safe


def described(comment: str, name: str) -> str:
    """A comment of the source as one line; of none, the name in words."""

    def one_line(text: str) -> str:
        printable = "".join(c if c.isprintable() else " " for c in text)
        return " ".join(printable.split()).rstrip(".")

    spoken = one_line(metadata.words(name).replace("_", " ")).capitalize()
    return one_line(comment) or spoken or metadata.target_name(name)
