"""The catalogue of a MySQL or MariaDB source: what its tables are made of.

Five queries of information_schema, however many tables there are. Names and comments
are data: they are returned as they are, and quoted where they are used.
"""

from __future__ import annotations

from collections.abc import Sequence

from ingest.seed.metadata import Source, Table
from ingest.sources.kind import Column, SourceTable, assembled
from ingest.sources.mysql.casts import SourceColumn, of_source
from ingest.sources.mysql.server import connect, text
from ingest.statements import Statements

_SQL = Statements(__file__)


def read(source: Source, tables: Sequence[Table] = ()) -> dict[str, SourceTable]:
    """All tables and views of the source's schema by name."""
    schema = text(source.schema)
    queries = {n: q.replace("%(schema)s", schema) for n, q in _SQL.texts.items()}
    with connect(source) as session:
        # MySQL, which has no such view, says so by the columns' types.
        json = {*session.attempt(queries["json"])[0]}
        columns = [
            (table, _column(*facts, is_json=(table, facts[0]) in json))
            for table, *facts in session.rows(queries["columns"])
        ]
        return assembled(
            # A view's comment is the word VIEW, or what is wrong with it.
            [
                SourceTable(name, True, None, "")
                if is_view
                else SourceTable(name, False, int(rows or 0), comment or "")
                for name, is_view, rows, comment in session.rows(queries["tables"])
            ],
            columns,
            session.rows(queries["keys"]),
            session.rows(queries["foreign_keys"]),
        )


def _column(
    name: str,
    data_type: str,
    column_type: str,
    nullable: int,
    length: int | None,
    precision: int | None,
    scale: int | None,
    extra: str,
    comment: str,
    *,
    is_json: bool,
) -> Column:
    kind = (name, data_type, column_type, bool(nullable), length, precision, scale)
    extra = extra.lower()
    return Column(
        name,
        data_type,
        column_type,
        bool(nullable),
        length,
        comment,
        of_source(SourceColumn(*kind, is_json)),
        has_labels=data_type in ("enum", "set"),
        is_counted="auto_increment" in extra,
        is_touched="on update" in extra,
        is_computed="generated" in extra and "default_generated" not in extra,
        # A zero date of the source is no date here.
        may_be_no_date=data_type in ("date", "datetime", "timestamp"),
    )
