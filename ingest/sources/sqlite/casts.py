"""What a column of SQLite becomes: its canonical type, by how it is declared."""

from __future__ import annotations

import re

from ingest.seed.types import EXACT_DIGITS
from ingest.sources.kind import Proposal

_SIZED = re.compile(r"([a-z_ ]*?) *(?:\( *(\d+) *(?:, *(\d+) *)?\))?")
# Of a number without a size.
_FREE = "decimal(38,10)"
_NAMED = {
    "boolean": "boolean",
    "bool": "boolean",
    "date": "date",
    "time": "time",
    "datetime": "timestamp",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "timestamp with time zone": "timestamptz",
    "json": "json",
    "uuid": "varchar(36)",
}
_DATES = ("date", "timestamp", "timestamptz")


def of_source(declared: str, *, is_key: bool = False) -> Proposal:
    """The canonical type of a declaration; SQLite lets a value be of any other.

    `is_key`: it is part of a key, so that a text needs a length.
    """
    text = Proposal("varchar(255)", "", "text") if is_key else Proposal("text")
    found = _SIZED.fullmatch(declared.lower().strip())
    if not found:
        return text
    name, size, scale = found.groups()
    if kind := _NAMED.get(name):
        note = "as ISO 8601 writes it" if kind in _DATES else ""
        return Proposal(kind, note, "text")
    if "int" in name:
        return Proposal("bigint", "", "text")
    if "char" in name or "clob" in name or "text" in name:
        is_sized = bool(size) and 1 <= int(size) <= 65535
        return Proposal(f"varchar({size})", "", "text") if is_sized else text
    if "blob" in name:
        return Proposal("binary")
    if "real" in name or "floa" in name or "doub" in name:
        return Proposal("double", "", "text")
    if name in ("decimal", "numeric", "number"):
        digits, after = int(size or 0), int(scale or 0)
        if 1 <= digits <= EXACT_DIGITS and after <= digits:
            return Proposal(f"decimal({digits},{after})", "", "text")
        return Proposal(_FREE, "", "text")
    return text
