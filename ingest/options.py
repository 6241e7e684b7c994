"""The options a table can have: names, types, defaults and meaning.

`seeds/metadata/options.csv` may set any of them for a table; everything else
about a table is in `tables.csv`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Option:
    """How one option is read and what it means."""

    parse: Callable[[str], object]
    kind: str
    meaning: str


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text == "true"


def _whole(text: str) -> int:
    if not text.isdigit():
        raise ValueError("a whole number")
    return int(text)


def _ratio(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 1:
        raise ValueError("a number from 0 to 1")
    return value


def _mark_or_remove(text: str) -> str:
    if text not in ("mark", "remove"):
        raise ValueError("mark or remove")
    return text


def _option(
    parse: Callable[[str], object], default: Any, kind: str, meaning: str
) -> Any:
    return field(default=default, metadata={"option": Option(parse, kind, meaning)})


@dataclass(frozen=True)
class Options:
    """A table's options, defaults filled in."""

    overlap_minutes: int = _option(
        _whole,
        5,
        "minutes",
        "how far a window reaches back behind the released watermark, so that "
        "rows committed late are found",
    )
    late_days: int = _option(
        _whole,
        0,
        "days",
        "a rolling window that is read again at each run, for late and corrected rows",
    )
    soft_delete_column: str = _option(
        str,
        "",
        "column",
        "source column that marks a deleted row when it is neither NULL, 0 nor false",
    )
    delete_action: str = _option(
        _mark_or_remove,
        "mark",
        "mark | remove",
        "whether deleted rows stay in the current state with is_deleted or leave it",
    )
    max_delete_ratio: float = _option(
        _ratio,
        0.3,
        "ratio",
        "share of the live keys that one batch may delete before it is blocked",
    )
    min_delete_count: int = _option(
        _whole,
        100,
        "rows",
        "deletes up to this number are never blocked by max_delete_ratio",
    )
    allow_empty: bool = _option(
        _boolean,
        False,
        "true | false",
        "whether a source table that had rows may become empty",
    )
    append_only: bool = _option(
        _boolean,
        False,
        "true | false",
        "rows are written once and never change (load type incremental only)",
    )
    keep_snapshots: int = _option(
        _whole,
        7,
        "snapshots",
        "how many snapshots the log keeps (load type full only)",
    )
    freshness_warn_minutes: int = _option(
        _whole, 1440, "minutes", "age of the released data at which freshness warns"
    )
    freshness_error_minutes: int = _option(
        _whole, 2880, "minutes", "age of the released data at which freshness fails"
    )


KNOWN: dict[str, Option] = {f.name: f.metadata["option"] for f in fields(Options)}
