"""The columns of generated models: names, types, descriptions, contracts."""

from __future__ import annotations

from collections.abc import Iterable

from ingest.seed import types
from ingest.seed.added import Added
from ingest.seed.generate.text import Node, shown
from ingest.seed.metadata import Table


def data_type(name: str) -> str:
    """A contract's data type, which YAML can make depend on the target only."""
    kind = types.parse(name)
    if kind.snowflake == kind.postgres:
        return kind.postgres
    return (
        f"{{{{ '{kind.snowflake}' if target.type == 'snowflake' "
        f"else '{kind.postgres}' }}}}"
    )


def columns_of(table: Table, extra: Iterable[Added], stored: bool) -> list[Node]:
    """Contract columns: the table's own, then `extra` (name, type, description).

    `stored`: whether the model is a table, whose constraints are enforced.
    """
    out = []
    for column in table.columns:
        node: Node = {
            "name": column.name,
            "description": shown(column.description),
            "data_type": data_type(column.type.name),
        }
        if stored and not column.nullable:
            node["constraints"] = [{"type": "not_null"}]
        if column.pii:
            node["config"] = {"meta": {"pii": column.pii}}
        out.append(node)
    for name, kind, description in extra:
        node = {
            "name": name,
            "description": description,
            "data_type": data_type(kind),
        }
        if stored and name != "valid_to":
            node["constraints"] = [{"type": "not_null"}]
        out.append(node)
    return out


def described(table: Table, extra: Iterable[Added]) -> list[Node]:
    """Names and descriptions only, for what has no contract."""
    own = [(c.name, c.type.name, shown(c.description)) for c in table.columns]
    return described_only([*own, *extra])


def described_only(columns: Iterable[Added]) -> list[Node]:
    """Names and descriptions of columns that dbt gives their types."""
    return [{"name": name, "description": text} for name, _, text in columns]


def entry(
    table: Table, name: str, description: str, columns: list[Node], tests: list[Node]
) -> Node:
    """What YAML says of a model with a contract."""
    config: Node = {
        "contract": {"enforced": True},
        "meta": {"owner": shown(table.owner), "source": table.id},
    }
    if row_filter := table.options.row_filter_column:
        config["meta"]["row_filter"] = row_filter
    doc: Node = {
        "name": name,
        "description": description,
        "config": config,
        "columns": columns,
    }
    if tests:
        doc["data_tests"] = tests
    return doc
