"""The catalogue of a Postgres source: what its tables are made of.

Names and comments are data: they are returned as they are, and quoted where they are
used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ingest.quoting import literal, quoted
from ingest.seed.metadata import Source, Table
from ingest.sources.kind import Column, Proposal, SourceTable, assembled
from ingest.sources.postgres.casts import of_source
from ingest.sources.postgres.server import connect
from ingest.statements import Statements

_SQL = Statements(__file__)
# Bytes, and so characters, of a value that an index of Postgres takes.
_LONGEST_KEY = 2704


def query(name: str, schema: str, table: str = "") -> str:
    """A query of the catalogue, of one table or of all."""
    values = {"%(schema)s": literal(quoted(schema)), "%(table)s": literal(table)}
    text = _SQL.texts[name]
    for word, value in values.items():
        text = text.replace(word, value)
    return text.rstrip().rstrip(";")


def read(source: Source, tables: Sequence[Table] = ()) -> dict[str, SourceTable]:
    """All tables and views of the source's schema by name."""
    with connect(source) as session:
        relations, columns, keys, foreign_keys = (
            session.rows(query(name, source.schema))
            for name in ("tables", "columns", "keys", "foreign_keys")
        )
    found = assembled(
        [SourceTable(*facts) for facts in relations],
        [(table, _column(*facts)) for table, *facts in columns],
        keys,
        foreign_keys,
    )
    for table in found.values():
        _settle(table)
    return found


def _settle(table: SourceTable) -> None:
    """Types that depend on other columns and on keys."""
    keyed = {name for key in table.keys for name in key.columns}
    seen: set[str] = set()
    for name, column in table.columns.items():
        proposal = column.proposal
        if name.lower() in seen:  # to DuckDB they are one
            proposal = Proposal("", "its name differs from another's by case only")
        elif name in keyed and proposal.type == "text" and not column.has_labels:
            proposal = Proposal(f"varchar({_LONGEST_KEY})", "as long as a key can be")
        table.columns[name] = replace(column, proposal=proposal)
        seen.add(name.lower())


def _column(
    name: str,
    kind: str,
    declared: str,
    nullable: bool,
    typmod: int,
    is_counted: bool,
    is_computed: bool,
    comment: str,
) -> Column:
    proposal = of_source(kind, typmod)
    return Column(
        name,
        kind,
        declared,
        nullable,
        typmod - 4 if kind in ("varchar", "bpchar") and typmod > 4 else None,
        comment,
        proposal,
        has_labels=kind == "enum",
        is_counted=is_counted,
        is_computed=is_computed,
        # Before the year 1, after 9999, or infinite.
        may_be_no_date=kind in ("date", "timestamp", "timestamptz"),
    )
