"""The options a table can have: names, types, defaults, meaning and what they need.

`seeds/metadata/options.csv` may set any of them for a table; everything else
about a table is in `tables.csv`. All that an option is stands in its field of
`Options`; the seed's reader and `docs/options.md` follow it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ingest.errors import meant

if TYPE_CHECKING:
    from ingest.seed.metadata import Table


@dataclass(frozen=True)
class Need:
    """What an option asks of a table that sets it, in docs and as its faults.

    `faults` are given the table and the option's name.
    """

    words: str
    faults: Callable[[Table, str], Iterable[str]]


@dataclass(frozen=True)
class Kind:
    """How a value is read, ValueError saying what it takes, and how docs call it."""

    parse: Callable[[str], object]
    name: str


@dataclass(frozen=True)
class Option:
    """What one option takes and means, and what it needs of its table."""

    kind: Kind
    meaning: str
    needs: tuple[Need, ...]

    @property
    def doc(self) -> str:
        """Its meaning, and what it needs, for a reader of the documentation."""
        needs = ", ".join(need.words for need in self.needs if need.words)
        return f"{self.meaning} ({needs})" if needs else self.meaning

    def faults(self, table: Table, name: str) -> Iterator[str]:
        """What is wrong with setting the option for the table."""
        for need in self.needs:
            yield from need.faults(table, name)


def _ratio(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 1:
        raise ValueError("a number from 0 to 1")
    return value


def _band(text: str) -> tuple[float, float]:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)?\.\.(\d+(?:\.\d+)?)?", text)
    low, high = (float(bound or 0) for bound in found.groups()) if found else (0, 0)
    if not (low or high) or (high and low > high):
        raise ValueError("LOW..HIGH, one may be empty, such as 0.5..2")
    return low, high


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split("|"))
    if "" in names or len({*names}) < len(names):
        raise ValueError("names with | between them, each once")
    return names


def _kind(
    name: str, pattern: str, takes: str, convert: Callable[[str], object] = str
) -> Kind:
    """A kind whose values have a pattern."""

    def parse(text: str) -> object:
        if not re.fullmatch(pattern, text):
            raise ValueError(takes)
        return convert(text)

    return Kind(parse, name)


def _number(unit: str) -> Kind:
    return _kind(unit, "[0-9]+", "a whole number", int)


def _one_of(*words: str) -> Kind:
    return _kind(" | ".join(words), "|".join(words), " or ".join(words))


def _identifier(name: str) -> Kind:
    takes = "a lower-case letter, then letters, digits and _"
    return _kind(name, "[a-z][a-z0-9_]*", takes)


FLAG = _kind("true | false", "true|false", "true or false", lambda text: text == "true")
RATIO = Kind(_ratio, "ratio")
SCORE = _kind("number", r"[0-9]+([.][0-9]+)?", "a number from 0", float)
COLUMNS = Kind(_names, "columns, with | between them")
COUNTRY = _kind(
    "country | column",
    "[A-Z]{2}|[a-z][a-z0-9_]*",
    "a country (two capital letters, ISO 3166-1) or a column",
)
VERSION = _kind(
    "version",
    r"(0|[1-9]\d*)([.](0|[1-9]\d*)){2}",
    "a version MAJOR.MINOR.PATCH such as 1.0.0",
)


def _load_type(wanted: str) -> Need:
    def faults(table: Table, name: str) -> Iterator[str]:
        if table.load_type != wanted:
            yield f"{name} is for load_type {wanted}, not {table.load_type}"

    return Need(f"load type {wanted} only", faults)


def _delete_mode(wanted: str) -> Need:
    def faults(table: Table, name: str) -> Iterator[str]:
        if table.delete_mode != wanted:
            yield (
                f"{name} has no effect while delete_mode of {table.id} is "
                f"{table.delete_mode}; write {wanted} in tables.csv"
            )

    return Need(f"delete_mode {wanted} only", faults)


def _no_deletes(table: Table, name: str) -> Iterator[str]:
    if table.delete_mode != "none":
        yield f"an {name} table loses no rows; write delete_mode none"


def _watermark(otherwise: str) -> Need:
    def faults(table: Table, name: str) -> Iterator[str]:
        if not table.watermark_column:
            yield f"{table.id} has no watermark_column, {otherwise}; leave {name} out"

    return Need("tables with a watermark only", faults)


def _no_snapshot(table: Table, name: str) -> Iterator[str]:
    if table.load_type == "snapshot":
        yield f"{name} has no effect on dbt's snapshots; use scd2"


def _source_column(table: Table, name: str) -> Iterator[str]:
    known = [c.source_name for c in table.columns]
    column = getattr(table.options, name)
    if column not in known:
        yield f"{name} {column!r} is not a column of {table.id}.{meant(column, known)}"


def _columns(table: Table, name: str) -> Iterator[str]:
    """Its value is a column, or several, as the warehouse calls them."""
    known = [c.name for c in table.columns]
    value = getattr(table.options, name)
    for column in value if isinstance(value, tuple) else (value,):
        if column not in known:
            yield (
                f"{name} {column!r} is not a name in columns.csv of "
                f"{table.id}.{meant(column, known)}"
            )


def _not_first_of_key(table: Table, name: str) -> Iterator[str]:
    for column in table.key[:1]:
        if column.name in getattr(table.options, name):
            yield (
                f"{name} {column.name!r}: the key's index begins with it already; "
                "leave it out"
            )


def _phone(table: Table, name: str) -> Iterator[str]:
    if not any(c.cleanse == "phone" for c in table.columns):
        yield (
            f"{name} has no effect: no column of {table.id} has cleanse phone in "
            "columns.csv"
        )
    if not getattr(table.options, name).isupper():
        yield from _columns(table, name)


_NO_DELETES = Need("delete_mode none only", _no_deletes)
_NO_SNAPSHOT = Need("not for load type snapshot", _no_snapshot)
_KNOWN_SOURCE_COLUMN = Need("", _source_column)
_KNOWN_COLUMNS = Need("", _columns)
_NOT_FIRST_OF_KEY = Need("", _not_first_of_key)
_PHONE = Need("", _phone)


def _option(kind: Kind, default: Any, meaning: str, *needs: Need) -> Any:
    return field(default=default, metadata={"option": Option(kind, meaning, needs)})


@dataclass(frozen=True)
class Options:
    """A table's options, defaults filled in."""

    overlap_minutes: int = _option(
        _number("minutes"),
        5,
        "how far a window reaches back behind the released watermark, so that "
        "rows committed late are found",
    )
    late_days: int = _option(
        _number("days"),
        0,
        "a rolling window of whole days that is read again at each run, for late and "
        "corrected rows",
    )
    replace_window: bool = _option(
        FLAG,
        False,
        "whether a row of the window that is gone from the source is deleted: each of "
        "its days is replaced as a whole, a partition overwrite",
        _watermark("so it is replaced as a whole anyway"),
    )
    lag_seconds: int = _option(
        _number("seconds"),
        0,
        "how far a window stays behind the source's clock, where rows of one moment "
        "are still being written",
    )
    range_rows: int = _option(
        _number("rows"),
        2_000_000,
        "a first load or a backfill of more rows than this, or of more than 256 MB, "
        "is cut into ranges of the key, so that it is resumed where it stopped; 0 for "
        "never",
    )
    null_watermark: str = _option(
        _one_of("reject", "load"),
        "reject",
        "what becomes of a row without watermark; one that is loaded takes effect when "
        "it is read",
    )
    zero_date: str = _option(
        _one_of("null", "reject"),
        "null",
        "what becomes of a zero or incomplete date (0000-00-00, 2024-12-00): NULL, or "
        "its row is rejected; it is counted either way",
    )
    key_scan_minutes: int = _option(
        _number("minutes"),
        0,
        "how long after a key scan the next one is due; 0 for one at each run",
        _delete_mode("key_scan"),
    )
    soft_delete_column: str = _option(
        Kind(str, "column"),
        "",
        "source column that marks a deleted row when it is not NULL, empty, 0 or false",
        _delete_mode("soft_flag"),
        _KNOWN_SOURCE_COLUMN,
    )
    delete_action: str = _option(
        _one_of("mark", "remove"),
        "mark",
        "whether deleted rows stay in the current state with is_deleted or leave it",
    )
    max_delete_ratio: float = _option(
        RATIO,
        0.3,
        "share of the live keys that one batch may delete before it is blocked",
    )
    min_delete_count: int = _option(
        _number("rows"),
        100,
        "deletes up to this number are never blocked by max_delete_ratio",
    )
    allow_empty: bool = _option(
        FLAG, False, "whether a source table that had rows may become empty"
    )
    row_count_band: tuple[float, float] | None = _option(
        Kind(_band, "`LOW..HIGH`, one may be empty"),
        None,
        "how many times the rows of the last released window a window may have, such "
        "as 0.5..2; a batch outside is blocked",
    )
    append_only: bool = _option(
        FLAG,
        False,
        "rows are written once and never change",
        _load_type("incremental"),
        _NO_DELETES,
    )
    keep_snapshots: int = _option(
        _number("snapshots"), 7, "how many snapshots the log keeps", _load_type("full")
    )
    reference_grace_minutes: int = _option(
        _number("minutes"),
        0,
        "rows that are younger than this, counted back from the newest one, are not "
        "yet held against the rules `references` and `equals`: what they refer to may "
        "be on its way",
        _watermark("by which the newest rows are known"),
    )
    raw_retention_days: int = _option(
        _number("days"),
        0,
        "how long the bucket keeps the table's raw and rejected files, 0 for ever; "
        "`./seedbed lake` makes it a rule of the bucket",
    )
    by_query: bool = _option(
        FLAG,
        False,
        "whether the table is read by queries of the source's own, in memory: for "
        "names with a backtick, and schemas with names that differ by case only",
    )
    log_name: str = _option(
        _identifier("name"),
        "",
        "name of the table's log, staging model and folders, behind the source's; the "
        "table's own name made safe, unless that is taken or too long",
    )
    index_columns: tuple[str, ...] = _option(
        COLUMNS,
        (),
        "columns people search by: each gets an index on Postgres, on `<model>` or, "
        "where that is a view, on `<model>_history`",
        _KNOWN_COLUMNS,
        _NOT_FIRST_OF_KEY,
        _NO_SNAPSHOT,
    )
    long_key: bool = _option(
        FLAG,
        False,
        "whether the key's values may be longer than the 2,704 bytes that an index of "
        "Postgres takes, so that its index holds hashes of them; it is so without the "
        "option where the lengths in data_type allow it",
    )
    row_filter_column: str = _option(
        _identifier("column"),
        "",
        "column whose values `row_access.csv` allows to a role: a restricted analyst "
        "sees no other rows of the table",
        _KNOWN_COLUMNS,
    )
    profile: bool = _option(
        FLAG,
        True,
        "whether each batch is profiled, column by column, for audit.column_profile",
    )
    anomaly_score: float = _option(
        SCORE,
        6.0,
        "robust z-score against the table's own past from which volume, freshness, "
        "NULLs or distribution of a batch are unusual; 0 for never asking",
    )
    anomaly_batches: int = _option(
        _number("batches"),
        8,
        "how many released batches the past must have before it says anything",
    )
    anomaly_severity: str = _option(
        _one_of("warn", "block"),
        "warn",
        "whether an unusual batch is only told, or blocked",
    )
    min_score: float = _option(
        RATIO,
        0.0,
        "quality score that the table's live rows must reach in the mean; 0 for no "
        "score. With one, quality.`<model>`_score has the score of each row",
    )
    score_severity: str = _option(
        _one_of("warn", "block"),
        "warn",
        "whether a lower score is only told, or keeps what follows from the model",
    )
    contract_version: str = _option(
        VERSION,
        "1.0.0",
        "version of the table's contract; a change that may break a reader needs a new "
        "major number (`./seedbed contract diff`)",
    )
    contract_status: str = _option(
        _one_of("draft", "active", "deprecated"),
        "active",
        "a draft may be broken in any version; a table that is removed is deprecated "
        "before",
    )
    phone_country: str = _option(
        COUNTRY,
        "",
        "country of phone numbers that are written without one, for cleanse phone: "
        "such as DE (ISO 3166-1), or the column that holds it",
        _PHONE,
    )
    cluster_columns: tuple[str, ...] = _option(
        COLUMNS,
        (),
        "clustering key on Snowflake, of the table that `index_columns` speaks of; "
        "worth it from some hundred gigabytes on",
        _KNOWN_COLUMNS,
        _NO_SNAPSHOT,
    )
    freshness_warn_minutes: int = _option(
        _number("minutes"), 1440, "age of the released data at which freshness warns"
    )
    freshness_error_minutes: int = _option(
        _number("minutes"), 2880, "age of the released data at which freshness fails"
    )


KNOWN: dict[str, Option] = {f.name: f.metadata["option"] for f in fields(Options)}
