"""The columns of generated models: names, types, descriptions, contracts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ingest.seed import types
from ingest.seed.added import Added
from ingest.seed.generate.text import Node, node, shown
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


def own(table: Table) -> list[Added]:
    """The table's own columns, as text that dbt may render."""
    return [(c.name, c.type.name, shown(c.description)) for c in table.columns]


def columns_of(table: Table, extra: Iterable[Added], stored: bool) -> list[Node]:
    """Contract columns: the table's own, then `extra`.

    `stored`: whether the model is a table, whose constraints are enforced.
    """
    nullable = {"valid_to", *(c.name for c in table.columns if c.nullable)}
    pii = {c.name: c.pii for c in table.columns if c.pii}
    columns = typed([*own(table), *extra])
    for listed in columns:
        if stored and listed["name"] not in nullable:
            listed["constraints"] = [{"type": "not_null"}]
        if listed["name"] in pii:
            listed["config"] = {"meta": {"pii": pii[listed["name"]]}}
    return columns


def typed(columns: Iterable[Added]) -> list[Node]:
    """Names, descriptions and types of columns."""
    return [
        {"name": name, "description": text, "data_type": data_type(kind)}
        for name, kind, text in columns
    ]


def described(columns: Iterable[Added]) -> list[Node]:
    """Names and descriptions only, for what has no contract."""
    return [{"name": name, "description": text} for name, _, text in columns]


def entry(
    table: Table,
    name: str,
    text: str,
    columns: list[Node],
    tests: Sequence[Node] = (),
    *,
    is_served: bool = True,
) -> Node:
    """What YAML says of a model with a contract."""
    return node(
        "model",
        table,
        name=name,
        text=text,
        columns=columns,
        tests=[*tests] or None,
        serve=None if is_served else False,
    )
