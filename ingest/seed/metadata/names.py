"""Names: which ones are safe in both warehouses, and what a source's become there."""

from __future__ import annotations

import hashlib
import re

from anyascii import anyascii

from ingest.seed import beside
from ingest.seed.added import CHANGE, CURRENT

# Names that one of the warehouses wants quoted, or that the models use themselves.
RESERVED = frozenset(beside.facts(__file__).split()) | {
    name for name, _, _ in (*CURRENT, *CHANGE)
}
# How the columns begin that dbt's snapshots add.
OF_SNAPSHOTS = "dbt_"
# dbt cuts a name of Postgres for the `__dbt_backup` of the relation that it replaces;
# two models that differ only behind the cut would share their backup.
_LONGEST = 63 - len("__dbt_backup")
LONGEST_LOG = _LONGEST - len("stg_")
LONGEST_MODEL = _LONGEST - len("_snapshot")
LONGEST_SOURCE = 24
IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")

# Where a word begins inside a name: InvoiceLine, HTMLPage, but not in IDs.
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])(?!.s(?![a-z]))")


def words(name: str) -> str:
    """A name's words in lower case, between underscores: InvoiceLine, invoice_line."""
    return _WORD.sub("_", name).lower()


def target_name(name: str) -> str:
    """A safe warehouse identifier for any source name; it may be a reserved word."""
    safe = re.sub(r"[^a-z0-9_]+", "_", words(anyascii(name))).strip("_")
    if not safe:  # signs alone
        safe = hashlib.sha256(name.encode()).hexdigest()[:8]
    return safe if safe[0].isalpha() else f"x_{safe}"


def faults_of_name(what: str, name: str) -> list[str]:
    """Why that can't be a name in the warehouses, with what to do."""
    if not IDENTIFIER.fullmatch(name):
        return [
            f"{what} {name!r} is not a safe name: a lower-case letter, then "
            "lower-case letters, digits and _, 63 characters at most; try "
            f"{target_name(name)!r}"
        ]
    if name in RESERVED:
        return [f"{what} {name!r} is a reserved word; try {name + '_value'!r}"]
    return []


def faults_of_source(name: str) -> list[str]:
    """Why a source can't have that name, with what to do; nothing if it can."""
    faults = faults_of_name("source", name)
    if "__" in name:
        faults.append("source must not contain '__', which parts names")
    if len(name) > LONGEST_SOURCE:
        faults.append(
            f"source {name!r} is longer than {LONGEST_SOURCE} characters, which leaves "
            "no room for its tables' names; shorten it"
        )
    return faults
