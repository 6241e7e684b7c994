"""The catalogue of a SQLite file: what its tables are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ingest.seed import types
from ingest.sources.inside import canonical, settled
from ingest.sources.kind import Column, Proposal, Session, SourceTable, assembled
from ingest.sources.sqlite import reading
from ingest.sources.sqlite.casts import of_source
from ingest.statements import Statements

_SQL = Statements(__file__)


def read(session: Session, *, is_known: bool) -> dict[str, SourceTable]:
    """All tables and views by name.

    Unless they are known, a look at the rows says which declarations hold.
    """
    tables, columns, keys, foreign_keys = (
        session.rows(f"from {reading.asked(_SQL.texts[name].rstrip().rstrip(';'))}")
        for name in ("tables", "columns", "keys", "foreign_keys")
    )
    keyed = {(table, part) for table, *_, part, _ in keys}
    # SQLite itself allows NULL in a primary key, unless there is no rowid.
    strict = {name for name, _, has_no_rowid in tables if has_no_rowid == "1"}
    found = assembled(
        [SourceTable(name, view == "1", 0, "") for name, view, _ in tables],
        [
            (
                table,
                _column(
                    *facts,
                    is_keyed=(table, facts[0]) in keyed,
                    is_strict=table in strict,
                ),
            )
            for table, *facts in columns
        ],
        [(table, name, main == "1", part) for table, name, main, part, _ in keys],
        foreign_keys,
    )
    for table in found.values():
        table.rows = None if table.is_view else 0
        if not is_known:
            _look(session, table)
    return found


def _column(
    name: str,
    declared: str | None,
    is_not_null: str,
    pk: str,
    hidden: str,
    parts: str,
    *,
    is_keyed: bool,
    is_strict: bool,
) -> Column:
    kind = declared or ""
    # The rowid's other name.
    is_row = pk == "1" and parts == "1" and kind.lower() == "integer" and not is_strict
    proposal = of_source(kind, is_key=is_keyed)
    return Column(
        name,
        kind.lower().partition("(")[0].strip(),
        kind or "no type",
        nullable=is_not_null == "0" and not is_row and not (pk != "0" and is_strict),
        proposal=proposal,
        is_counted=is_row,
        is_computed=hidden in ("2", "3"),
    )


def _look(session: Session, table: SourceTable) -> None:
    """Let a column whose values are not as it is declared be a text."""
    wanted = {
        name: (column.proposal.type, column.proposal.otherwise)
        for name, column in table.columns.items()
        if column.proposal.otherwise not in ("", column.proposal.type)
    }
    rows = _relation(table, {name: kind for name, (kind, _) in wanted.items()})
    candidates = {n: [(kind, ""), (other, "")] for n, (kind, other) in wanted.items()}
    found = settled(session, rows, candidates) if wanted else {}
    for name, kind in found.items():
        column = table.columns[name]
        if kind != column.proposal.type:
            note = f"it is declared {column.column_type} and holds other values"
            table.columns[name] = replace(column, proposal=Proposal(kind, note))


def look(table: SourceTable) -> str:
    """The table with values of the proposed types, for a look at its rows."""
    kinds = {name: column.proposal.type for name, column in table.columns.items()}
    return canonical(table, _relation(table, kinds))


def _relation(table: SourceTable, kinds: Mapping[str, str]) -> str:
    parsed = {name: types.parse(kind) for name, kind in kinds.items()}
    return reading.relation(table.name, parsed)
