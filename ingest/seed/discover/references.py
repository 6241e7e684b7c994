"""Types of the columns at both ends of a foreign key, which belong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ingest.seed import types
from ingest.seed.discover.judge import Proposal
from ingest.seed.metadata import Table

Place = tuple[str, str]  # a table of the source and its column


def kinds_of(
    proposals: Sequence[Proposal], tables: Mapping[str, Table]
) -> dict[Place, str]:
    """The canonical type of each column that is proposed or in the seed."""
    return {
        (t.name, c.source_name): c.type.name for t in tables.values() for c in t.columns
    } | {
        (p.table.name, row["column"]): row["data_type"]
        for p in proposals
        for row in p.rows.get("columns", ())
    }


def settle(proposals: Sequence[Proposal], tables: Mapping[str, Table]) -> None:
    """Let both ends of each foreign key have types that can be compared.

    Each column was judged alone: a TINYINT(1) with 0 and 1 only seems a boolean, but
    is a number where it refers to numbers, or they to it. What is in the seed stays,
    and what refers to it follows.
    """
    rows = {
        (p.table.name, row["column"]): row
        for p in proposals
        for row in p.rows.get("columns", ())
    }
    kinds = kinds_of(proposals, tables)
    pairs = [pair for pair in _pairs(proposals) if {*pair} <= {*kinds}]
    is_settled = False
    while not is_settled:
        is_settled = True
        for one, other in [*pairs, *((b, a) for a, b in pairs)]:
            kind = _following(kinds[one], kinds[other], other in rows)
            if one in rows and kind != kinds[one]:
                kinds[one] = rows[one]["data_type"] = kind
                is_settled = False


def _pairs(proposals: Sequence[Proposal]) -> Iterator[tuple[Place, Place]]:
    """Columns that refer, each with the one that it refers to."""
    for proposal in (p for p in proposals if p.rows):
        for foreign in proposal.table.foreign_keys:
            for own, other in zip(foreign.columns, foreign.references, strict=True):
                yield (proposal.table.name, own), (foreign.table, other)


def _following(kind: str, other: str, is_new: bool) -> str:
    """The type of a column beside one of the type `other`, new or in the seed."""
    one, two = types.parse(kind), types.parse(other)
    if types.are_comparable(one, two):
        return kind
    if kind == "boolean":
        return "integer"
    # A person has written it, and any value can be written as a text.
    return other if not is_new and two.family == "text" else kind
