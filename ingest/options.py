"""The options a table can have: names, types, defaults and meaning.

`seeds/metadata/options.csv` may set any of them for a table; everything else
about a table is in `tables.csv`.
"""

from __future__ import annotations

import re
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


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(" or ".join(words))
        return text

    return parse


def _identifier(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text):
        raise ValueError("a lower-case letter, then letters, digits and _")
    return text


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split("|"))
    if "" in names or len({*names}) < len(names):
        raise ValueError("names with | between them, each once")
    return names


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
        "a rolling window of whole days that is read again at each run, for late and "
        "corrected rows",
    )
    replace_window: bool = _option(
        _boolean,
        False,
        "true | false",
        "whether a row of the window that is gone from the source is deleted: each of "
        "its days is replaced as a whole (partition overwrite)",
    )
    lag_seconds: int = _option(
        _whole,
        0,
        "seconds",
        "how far a window stays behind the source's clock, where rows of one moment "
        "are still being written",
    )
    range_rows: int = _option(
        _whole,
        2_000_000,
        "rows",
        "a first load or a backfill of more rows than this is cut into ranges of the "
        "key, so that it is resumed where it stopped; 0 for never",
    )
    null_watermark: str = _option(
        _one_of("reject", "load"),
        "reject",
        "reject | load",
        "what becomes of a row without watermark; one that is loaded takes effect when "
        "it is read",
    )
    zero_date: str = _option(
        _one_of("null", "reject"),
        "null",
        "null | reject",
        "what becomes of a zero or incomplete date (0000-00-00, 2024-12-00): NULL, or "
        "its row is rejected; it is counted either way",
    )
    key_scan_minutes: int = _option(
        _whole,
        0,
        "minutes",
        "how long after a key scan the next one is due; 0 for one at each run "
        "(delete_mode key_scan only)",
    )
    soft_delete_column: str = _option(
        str,
        "",
        "column",
        "source column that marks a deleted row when it is neither NULL, 0 nor false",
    )
    delete_action: str = _option(
        _one_of("mark", "remove"),
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
    reference_grace_minutes: int = _option(
        _whole,
        0,
        "minutes",
        "rows that are younger than this, counted back from the newest one, are not "
        "yet held against the rules `references`: what they refer to may be on its way "
        "(tables with a watermark only)",
    )
    raw_retention_days: int = _option(
        _whole,
        0,
        "days",
        "how long the bucket keeps the table's raw and rejected files, 0 for ever; "
        "`./seedbed lake` makes it a rule of the bucket",
    )
    by_query: bool = _option(
        _boolean,
        False,
        "true | false",
        "whether the table is read by a query of the source's own, in memory: for "
        "names with a backtick, and schemas with names that differ by case only",
    )
    log_name: str = _option(
        _identifier,
        "",
        "name",
        "name of the table's log, staging model and folders, behind the source's; the "
        "table's own name made safe, unless that is taken or too long",
    )
    index_columns: tuple[str, ...] = _option(
        _names,
        (),
        "columns, with | between them",
        "columns people search by: each gets an index on Postgres, on `<model>` or, "
        "where that is a view, on `<model>_history` (not for load type snapshot)",
    )
    cluster_columns: tuple[str, ...] = _option(
        _names,
        (),
        "columns, with | between them",
        "clustering key on Snowflake, of the table that `index_columns` speaks of; "
        "worth it from some hundred gigabytes on (not for load type snapshot)",
    )
    freshness_warn_minutes: int = _option(
        _whole, 1440, "minutes", "age of the released data at which freshness warns"
    )
    freshness_error_minutes: int = _option(
        _whole, 2880, "minutes", "age of the released data at which freshness fails"
    )


KNOWN: dict[str, Option] = {f.name: f.metadata["option"] for f in fields(Options)}
