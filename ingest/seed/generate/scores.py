"""A table's quality score: what makes a row a good one, its view and its test."""

from __future__ import annotations

from typing import Any

from ingest.seed.added import SCORE
from ingest.seed.checks.unique import Unique
from ingest.seed.generate.columns import entry, typed
from ingest.seed.generate.text import Node, as_argument, call, node, ref, shown
from ingest.seed.metadata import Table


def score(table: Table) -> tuple[str, Node]:
    """The view with each row's quality score: body and YAML entry."""
    config = "{{ config(materialized='view', schema='quality') }}"
    body = call("score_rows", relation=ref(table.model), **_asked(table))
    key = [(c.name, c.type.name, shown(c.description)) for c in table.key]
    text = f"The quality score of each live row of {table.model}, from 0 to 1."
    doc = entry(table, f"{table.model}_score", text, typed([*key, *SCORE]))
    return f"{config}\n\n{body}", doc


def score_test(table: Table) -> Node:
    """The test that the mean score is not below the one that the seed asks for."""
    return node(
        "score",
        table,
        arguments={"minimum": table.options.min_score, **as_argument(_asked(table))},
        severity="error" if table.options.score_severity == "block" else "warn",
    )


def _asked(table: Table) -> dict[str, Any]:
    """What makes a row of the table a good one, as the macro score_rows takes it."""
    key = [c.name for c in table.key]
    unique = [key] if key else []
    scores: dict[str, list[dict[str, Any]]] = {"conformity": [], "consistency": []}
    for rule in table.rules:
        if isinstance(rule.check, Unique):
            unique.append(rule.check.parsed)
        elif asked := rule.check.score():
            scores[rule.check.dimension].append(asked)
    return {
        "table": table.id,
        "key": key,
        "complete": [
            c.name
            for c in table.columns
            if not c.key_position and c.source_name != table.options.soft_delete_column
        ],
        "unique": list(map(list, dict.fromkeys(map(tuple, unique)))),
        "valid": scores["conformity"],
        "consistent": scores["consistency"],
        "warn_minutes": table.options.freshness_warn_minutes,
        "error_minutes": table.options.freshness_error_minutes,
    }
