"""The rows of the seed that the catalogue alone gives, and what differs from them."""

from __future__ import annotations

import re

from ingest.seed.discover.names import column_name, described
from ingest.seed.discover.privacy import Texts, class_of, is_of_persons, is_open
from ingest.seed.metadata import FOLDER, HARMLESS, UNDECIDED, Table
from ingest.sources.kind import Column, SourceTable

Row = dict[str, str]


def column_row(
    table: str, column: Column, name: str, kind: str, texts: Texts = ()
) -> Row:
    """The row of columns.csv for a column of a source's table, outside any key.

    `kind` is its canonical type, `texts` a sample of its values.
    """
    description = described(column.comment, column.name)
    if column.is_computed:
        description += " (computed by the source)"
    is_nullable = column.nullable or column.may_be_no_date
    return {
        "column": column.name,
        "name": name,
        "data_type": kind,
        "nullable": "true" if is_nullable else "false",
        "pii": class_of(table, column.name, "enum" if column.values else kind, texts),
        "description": description,
    }


def rule_of_values(column: Column) -> Row:
    """The check and its argument for the values that a column declares, or {}."""
    values = column.values
    if not values:
        return {}
    rule = {
        "severity": "warn",
        "layer": "model",
        "description": "Declared by the source",
    }
    if not column.is_set:
        if any("|" in v or v != v.strip() for v in values) or values == ("",):
            return {}
        return {"check": "one_of", "argument": "|".join(values)} | rule
    if any(re.search(r"[\\^]", v) for v in values):
        return {}
    one = "|".join(re.sub(r"[^\w ]", r"[\g<0>]", v) for v in values)
    return {"check": "matches", "argument": f"^(({one})(,({one}))*)?$"} | rule


def new_column_row(table: Table, column: Column, taken: set[str]) -> Row:
    """The row of columns.csv that adds a column to a known table; {} where none can.

    `taken` are the names of the table's other columns; the new one joins them.
    """
    kind = column.proposal.type
    if not kind:
        return {}
    row = column_row(table.name, column, column_name(column.name, taken), kind)
    of_persons = is_of_persons(table.name, (c.pii for c in table.columns))
    if not row["pii"] and of_persons and is_open(row["data_type"]):
        row["pii"] = UNDECIDED
    # The rows that were read before have no value for it.
    return row | {"nullable": "true"}


def lacking_rows(table: Table, found: SourceTable) -> list[Row]:
    """Rows for the source's columns that a known table does not have."""
    known = {c.source_name for c in table.columns}
    taken = {c.name for c in table.columns}
    here = {"source": table.source.name, "table": table.name}
    rows = [
        new_column_row(table, column, taken)
        for name, column in found.columns.items()
        if name not in known
    ]
    return [here | row for row in rows if row]


def differences(table: Table, found: SourceTable) -> list[str]:
    """What the source's columns are and the seed does not say, a line each."""
    known = {c.source_name: c for c in table.columns}
    lines = []
    for name, column in found.columns.items():
        if name not in known:
            lines.append(
                f"{table.id}: column {name} ({column.column_type}) is not read"
            )
            continue
        own = known[name]
        if column.proposal.type and not column.fits(own.type):
            lines.append(
                f"{table.id}: column {name} is {column.column_type}; values that "
                f"{own.type.name} does not hold are rejected"
            )
        kind = "enum" if column.values else own.type.name
        label = class_of(table.name, name, kind)
        if label not in ("", UNDECIDED) and not (own.pii or own.is_harmless):
            lines.append(
                f"{table.id}: column {name} has no class of personal data, so "
                f"every consumer sees it; by its name it is {label}. Write "
                f"{label}, or {HARMLESS}, in pii of {FOLDER}/columns.csv"
            )
    gone = [name for name in known if name not in found.columns]
    return lines + [f"{table.id}: column {name} is gone" for name in gone]
