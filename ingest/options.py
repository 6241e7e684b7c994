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


def _score(text: str) -> float:
    if not re.fullmatch(r"\d+([.]\d+)?", text):
        raise ValueError("a number from 0")
    return float(text)


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


def _band(text: str) -> tuple[float, float]:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)?\.\.(\d+(?:\.\d+)?)?", text)
    low, high = (float(bound or 0) for bound in found.groups()) if found else (0, 0)
    if not (low or high) or (high and low > high):
        raise ValueError("LOW..HIGH, one may be empty, such as 0.5..2")
    return low, high


def _country(text: str) -> str:
    if not re.fullmatch(r"[A-Z]{2}|[a-z][a-z0-9_]*", text):
        raise ValueError("a country (two capital letters, ISO 3166-1) or a column")
    return text


def _version(text: str) -> str:
    if not re.fullmatch(r"(0|[1-9]\d*)([.](0|[1-9]\d*)){2}", text):
        raise ValueError("a version MAJOR.MINOR.PATCH such as 1.0.0")
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
        "a first load or a backfill of more rows than this, or of more than 256 MB, "
        "is cut into ranges of the key, so that it is resumed where it stopped; 0 for "
        "never",
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
    row_count_band: tuple[float, float] | None = _option(
        _band,
        None,
        "`LOW..HIGH`, one may be empty",
        "how many times the rows of the last released window a window may have, such "
        "as 0.5..2; a batch outside is blocked",
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
        "yet held against the rules `references` and `equals`: what they refer to may "
        "be on its way (tables with a watermark only)",
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
        "whether the table is read by queries of the source's own, in memory: for "
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
    long_key: bool = _option(
        _boolean,
        False,
        "true | false",
        "whether the key's values may be longer than the 2,704 bytes that an index of "
        "Postgres takes, so that its index holds hashes of them; it is so without the "
        "option where the lengths in data_type allow it",
    )
    row_filter_column: str = _option(
        _identifier,
        "",
        "column",
        "column whose values `row_access.csv` allows to a role: a restricted analyst "
        "sees no other rows of the table",
    )
    profile: bool = _option(
        _boolean,
        True,
        "true | false",
        "whether each batch is profiled, column by column, for audit.column_profile",
    )
    anomaly_score: float = _option(
        _score,
        6.0,
        "number",
        "robust z-score against the table's own past from which volume, freshness, "
        "NULLs or distribution of a batch are unusual; 0 for never asking",
    )
    anomaly_batches: int = _option(
        _whole,
        8,
        "batches",
        "how many released batches the past must have before it says anything",
    )
    anomaly_severity: str = _option(
        _one_of("warn", "block"),
        "warn",
        "warn | block",
        "whether an unusual batch is only told, or blocked",
    )
    min_score: float = _option(
        _ratio,
        0.0,
        "ratio",
        "quality score that the table's live rows must reach in the mean; 0 for no "
        "score. With one, quality.`<model>`_score has the score of each row",
    )
    score_severity: str = _option(
        _one_of("warn", "block"),
        "warn",
        "warn | block",
        "whether a lower score is only told, or keeps what follows from the model",
    )
    contract_version: str = _option(
        _version,
        "1.0.0",
        "version",
        "version of the table's contract; a change that may break a reader needs a new "
        "major number (`./seedbed contract diff`)",
    )
    contract_status: str = _option(
        _one_of("draft", "active", "deprecated"),
        "active",
        "draft | active | deprecated",
        "a draft may be broken in any version; a table that is removed is deprecated "
        "before",
    )
    phone_country: str = _option(
        _country,
        "",
        "country | column",
        "country of phone numbers that are written without one, for cleanse phone: "
        "such as DE (ISO 3166-1), or the column that holds it",
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
