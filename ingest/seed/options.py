"""The options a table can have: the kinds of their values, and what they need.

What each option takes, means and needs is said in `options.yml`; the seed's reader and
`docs/options.md` follow it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ingest.errors import meant
from ingest.seed import beside
from ingest.seed.load_types import named

if TYPE_CHECKING:
    from ingest.seed.metadata import Table


@dataclass(frozen=True)
class Option:
    """What one option takes and means, and what it needs of its table."""

    takes: str
    default: Any
    meaning: str
    needs: Sequence[str] = ()

    @property
    def doc(self) -> str:
        """Its meaning, and what it needs, for a reader of the documentation."""
        needs = ", ".join(filter(None, (_NEEDS[need][0] for need in self.needs)))
        return f"{self.meaning} ({needs})" if needs else self.meaning

    @property
    def shown(self) -> str:
        """Its default, as options.csv would have it; '' for none."""
        if self.default in ([], None):
            return ""
        text = str(self.default)
        return text.lower() if isinstance(self.default, bool) else text

    def parse(self, text: str) -> object:
        """A value as options.csv has it; ValueError says what the option takes."""
        if self.takes in _READ:
            return _READ[self.takes](text)
        if self.takes in _PATTERNS:
            pattern, words, read = _PATTERNS[self.takes]
        else:  # the values themselves
            assert " | " in self.takes, f"{self.takes!r} is no kind of value"
            known = self.takes.split(" | ")
            pattern, words, read = "|".join(known), " or ".join(known), str
        if not re.fullmatch(pattern, text):
            raise ValueError(words)
        return read(text)

    def faults(self, table: Table, name: str) -> Iterator[str]:
        """What is wrong with a table that sets the option, which is called `name`."""
        for need in self.needs:
            yield from _NEEDS[need][1](table, name)


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


_WHOLE = ("[0-9]+", "a whole number", int)
_COLUMN = "[a-z][a-z0-9_]*"
_NAME = (_COLUMN, "a lower-case letter, then letters, digits and _", str)
# Kinds of values by what docs call them: how they are read, or their pattern, what
# they take, and what is made of the text.
_READ: dict[str, Callable[[str], object]] = {
    "ratio": _ratio,
    "`LOW..HIGH`, one may be empty": _band,
    "columns, with | between them": _names,
    "source column": str,
}
_PATTERNS: dict[str, tuple[str, str, Callable[[str], object]]] = {
    **dict.fromkeys("minutes days seconds rows snapshots batches".split(), _WHOLE),
    "true | false": ("true|false", "true or false", lambda text: text == "true"),
    "number": (r"[0-9]+([.][0-9]+)?", "a number from 0", float),
    "column": _NAME,
    "name": _NAME,
    "dialect": (
        r"delimiter=(\\t|\S) quote=\S? escape=\S? header=(true|false)",
        'the words delimiter=, quote=" escape=" header=true, with other signs',
        str,
    ),
    "country | column": (
        f"[A-Z]{{2}}|{_COLUMN}",
        "a country (two capital letters, ISO 3166-1) or a column",
        str,
    ),
    "version": (
        r"(0|[1-9]\d*)([.](0|[1-9]\d*)){2}",
        "a version MAJOR.MINOR.PATCH such as 1.0.0",
        str,
    ),
}


# What an option may ask of a table that sets it: in words for docs, and its faults.
Need: TypeAlias = "tuple[str, Callable[[Table, str], Iterator[str]]]"


def _load_type(property_: str) -> Need:
    wanted = named(property_)

    def faults(table: Table, name: str) -> Iterator[str]:
        if not getattr(table.load_type, property_):
            yield f"{name} is for load_type {wanted}, not {table.load_type.name}"

    return f"load type {wanted} only", faults


def _delete_mode(wanted: str) -> Need:
    def faults(table: Table, name: str) -> Iterator[str]:
        if table.delete_mode != wanted:
            yield (
                f"{name} has no effect while delete_mode of {table.id} is "
                f"{table.delete_mode}; write {wanted} in tables.csv"
            )

    return f"delete_mode {wanted} only", faults


def _watermark(otherwise: str) -> Need:
    def faults(table: Table, name: str) -> Iterator[str]:
        if not table.watermark_column:
            yield f"{table.id} has no watermark_column, {otherwise}; leave {name} out"

    return "tables with a watermark only", faults


def _no_deletes(table: Table, name: str) -> Iterator[str]:
    if table.delete_mode != "none":
        yield f"an {name} table loses no rows; write delete_mode none"


def _no_snapshot(table: Table, name: str) -> Iterator[str]:
    if table.load_type.is_snapshot:
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


_NEEDS: dict[str, Need] = {
    "load_type may_append": _load_type("may_append"),
    "load_type reads_whole": _load_type("reads_whole"),
    "no snapshot": ("not for load type snapshot", _no_snapshot),
    "delete_mode key_scan": _delete_mode("key_scan"),
    "delete_mode soft_flag": _delete_mode("soft_flag"),
    "delete_mode none": ("delete_mode none only", _no_deletes),
    "watermark for its windows": _watermark("so it is replaced as a whole anyway"),
    "watermark for its newest rows": _watermark("by which the newest rows are known"),
    "source column": ("", _source_column),
    "columns": ("", _columns),
    "not first of key": ("", _not_first_of_key),
    "phone": ("", _phone),
}


@dataclass(frozen=True)
class Options:
    """A table's options, in the order of `options.yml`, which has their defaults."""

    overlap_minutes: int
    late_days: int
    replace_window: bool
    lag_seconds: int
    range_rows: int
    null_watermark: str
    zero_date: str
    key_scan_minutes: int
    soft_delete_column: str
    delete_action: str
    max_delete_ratio: float
    min_delete_count: int
    allow_empty: bool
    row_count_band: tuple[float, float] | None
    append_only: bool
    keep_snapshots: int
    reference_grace_minutes: int
    raw_retention_days: int
    by_query: bool
    csv_dialect: str
    log_name: str
    index_columns: tuple[str, ...]
    long_key: bool
    row_filter_column: str
    profile: bool
    anomaly_score: float
    anomaly_batches: int
    anomaly_severity: str
    min_score: float
    score_severity: str
    contract_version: str
    contract_status: str
    phone_country: str
    cluster_columns: tuple[str, ...]
    freshness_warn_minutes: int
    freshness_error_minutes: int


KNOWN = {name: Option(**entry) for name, entry in beside.facts(__file__).items()}
_defaults: dict[str, Any] = {
    # YAML knows no tuples.
    name: tuple(option.default) if isinstance(option.default, list) else option.default
    for name, option in KNOWN.items()
}
DEFAULTS = Options(**_defaults)
