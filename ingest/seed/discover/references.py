"""Foreign keys: their rules, and types that both of their ends can be compared by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ingest.seed import types
from ingest.seed.discover.judge import Proposal
from ingest.seed.discover.rows import Row
from ingest.seed.metadata import FOLDER, Table

Place = tuple[str, str]  # a table of the source and its column


def settle(proposals: Sequence[Proposal], tables: Mapping[str, Table]) -> None:
    """Let both ends of each foreign key have types that can be compared.

    Each column was judged alone: a TINYINT(1) with 0 and 1 only seems a boolean, but
    is a number where it refers to numbers, or they to it. What is in the seed stays,
    and what refers to it follows.
    """
    rows = _rows(proposals)
    kinds = _kinds(rows, tables)
    pairs = [
        (own, other)
        for _, own, other in _pairs(proposals)
        if own in kinds and other in kinds
    ]
    is_settled = False
    while not is_settled:
        is_settled = True
        for one, other in [*pairs, *((b, a) for a, b in pairs)]:
            kind = _following(kinds[one], kinds[other], other in rows)
            if one in rows and kind != kinds[one]:
                kinds[one] = rows[one]["data_type"] = kind
                is_settled = False


def rules(proposals: Sequence[Proposal], tables: Mapping[str, Table]) -> list[Row]:
    """Rules for the foreign keys between the source's tables, each column's first.

    Warns of a foreign key that no rule can hold.
    """
    columns = _rows(proposals)
    kinds = _kinds(columns, tables)
    models = {p.table.name: p.model for p in proposals}
    names = {
        (t.name, c.source_name): (t.model, c.name)
        for t in tables.values()
        if t.enabled
        for c in t.columns
    } | {place: (models[place[0]], row["name"]) for place, row in columns.items()}
    found: dict[Place, Row] = {}
    for proposal, own, other in _pairs(proposals):
        if own not in names or other not in names:
            continue
        if not _are_comparable(kinds[own], kinds[other]):
            proposal.warnings.append(
                f"{own[1]} refers to {'.'.join(other)}, but {kinds[own]} and "
                f"{kinds[other]} can't be compared: no rule holds it. Write a "
                f"data_type in {FOLDER}/columns.csv that holds the values of both"
            )
            continue
        rule = {
            "source": columns[own]["source"],
            "table": own[0],
            "column": names[own][1],
            "check": "references",
            "argument": ".".join(names[other]),
            "severity": "warn",
            "layer": "model",
            "description": "A foreign key of the source",
        }
        found.setdefault(own, rule)
    return list(found.values())


def _rows(proposals: Sequence[Proposal]) -> dict[Place, Row]:
    """The proposed rows of columns.csv."""
    return {
        (p.table.name, row["column"]): row
        for p in proposals
        for row in p.rows.get("columns", ())
    }


def _kinds(rows: Mapping[Place, Row], tables: Mapping[str, Table]) -> dict[Place, str]:
    """The canonical type of each column that is proposed or in the seed."""
    return {
        (t.name, c.source_name): c.type.name for t in tables.values() for c in t.columns
    } | {place: row["data_type"] for place, row in rows.items()}


def _pairs(proposals: Sequence[Proposal]) -> Iterator[tuple[Proposal, Place, Place]]:
    """Columns that refer, each with the one that it refers to."""
    for proposal in (p for p in proposals if p.rows):
        for foreign in proposal.table.foreign_keys:
            for own, other in zip(foreign.columns, foreign.references, strict=True):
                yield proposal, (proposal.table.name, own), (foreign.table, other)


def _are_comparable(one: str, other: str) -> bool:
    return types.are_comparable(types.parse(one), types.parse(other))


def _following(kind: str, other: str, is_new: bool) -> str:
    """The type of a column beside one of the type `other`, new or in the seed."""
    if _are_comparable(kind, other):
        return kind
    if kind == "boolean":
        return "integer"
    # A person has written it, and any value can be written as a text.
    return other if not is_new and types.parse(other).family == "text" else kind
