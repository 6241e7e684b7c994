"""Column types: what a canonical type is in every system.

A *canonical type* is what `columns.csv` says. All that one means is in its entry of
`types.yml`; what a type of a source becomes is said beside that source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import cache
from string import Template
from typing import Any

from ingest.seed import beside

# The most digits of a number in DuckDB, Parquet and Snowflake.
EXACT_DIGITS = 38


@dataclass(frozen=True)
class CanonicalType:
    """One canonical type with its name in each system; `types.yml` says what is what.

    `size` is the most bytes of a value in Postgres, None without a limit; `is_fixed`:
    each value has as many. `length` is the most characters of a varchar, else 0.
    """

    name: str
    duckdb: str
    postgres: str
    snowflake: str
    log: str
    snowflake_log: str
    family: str
    contract: str
    size: int | None
    is_fixed: bool
    is_key: bool
    length: int
    value: str
    fits: str

    def cast(self, column: str) -> str:
        """DuckDB's SQL for the canonical value of a raw one, in that column."""
        return self.value.replace("$raw", column)

    def fitting(self, column: str) -> str:
        """The condition under which `cast` keeps a value whole; '' for always."""
        return self.fits.replace("$raw", column)


_FILE = beside.facts(__file__)
_ENTRIES: dict[str, dict[str, Any]] = _FILE["types"]
KNOWN = (*sorted(n for n in _ENTRIES if "(" not in n), "decimal(p,s)", "varchar(n)")


@cache
def parse(name: str) -> CanonicalType:
    """Return the canonical type called `name`; ValueError says what is wrong."""
    if match := re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", name):
        precision, scale = int(match[1]), int(match[2])
        if not 1 <= precision <= 65:
            raise ValueError("decimal(p,s) takes a precision from 1 to 65")
        if scale > min(precision, EXACT_DIGITS):
            raise ValueError("decimal(p,s) takes a scale up to its precision and 38")
        parts = {"p": precision, "s": scale, "before": precision - scale}
        if precision > EXACT_DIGITS:
            kind = f"decimal(p,s) of more than {EXACT_DIGITS} digits"
            return _type(name, kind, **parts, after=scale)
        # Groups of four digits, before and behind the point.
        size = 3 + 2 * (-(-(precision - scale) // 4) + -(-scale // 4))
        return _type(name, "decimal(p,s)", size, **parts, after=scale)
    if match := re.fullmatch(r"varchar\((\d+)\)", name):
        length = int(match[1])
        if not 1 <= length <= 65535:
            raise ValueError("varchar(n) takes a length from 1 to 65535")
        return _type(name, "varchar(n)", 4 * length + 4, n=length)
    if name not in KNOWN or "(" in name:
        raise ValueError(f"known types: {', '.join(KNOWN)}")
    return _type(name, name, before=19, after=0)


def _type(
    name: str, entry: str, size: int | None = None, **sizes: int
) -> CanonicalType:
    """The type of an entry, whose SQL is written out except the column."""
    own = _ENTRIES[entry]
    words = {**_FILE["else"], "size": size, **own, **sizes, "raw": "$raw"}

    def filled(fact: Any) -> Any:
        """What stands for a word may have others in it."""
        more = Template(fact).safe_substitute(words) if isinstance(fact, str) else fact
        return fact if more == fact else filled(more)

    words |= {"name": name, "is_fixed": "size" in own, "length": sizes.get("n", 0)}
    facts = (field.name for field in fields(CanonicalType))
    return CanonicalType(**{fact: filled(words[fact]) for fact in facts})


_SIZED = re.compile(r"(varchar|numeric)\((\d+)(?:,(\d+))?\)")


def are_comparable(one: CanonicalType, other: CanonicalType) -> bool:
    """Whether each warehouse can tell if a value of one is one of the other."""
    if one.family or other.family:
        return one.family == other.family
    kinds = [(t.postgres.partition("(")[0], t.snowflake) for t in (one, other)]
    return kinds[0] == kinds[1]


def widens(old: str, new: str) -> bool:
    """Whether each value of Postgres type `old` is one of `new`, and the same text.

    So a row's hash stays the same, too: after a widening no stored row differs from
    the same row read again.
    """
    if (old, new) == ("integer", "bigint"):
        return True
    was, now = _SIZED.fullmatch(old), _SIZED.fullmatch(new)
    if was is None:
        return False
    if was[1] == "varchar" and new == "text":
        return True
    return (
        now is not None
        and (was[1], was[3]) == (now[1], now[3])
        and int(was[2]) <= int(now[2])
    )
