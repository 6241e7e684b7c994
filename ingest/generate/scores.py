"""A table's quality score: what makes a row a good one, its view and its test."""

from __future__ import annotations

from typing import Any

from ingest import predicate, rules
from ingest.generate.checks import as_bound, judged
from ingest.generate.columns import data_type, entry
from ingest.generate.text import Node, argument, call, ref, shown
from ingest.metadata import Table

_DIMENSIONS = {
    "completeness": "Share of the columns that have a value",
    "validity": "Share of the rules about a value that the row keeps",
    "uniqueness": "One over the number of rows that share its key",
    "consistency": "Share of the rules about several columns or tables that it keeps",
    "timeliness": "1 while the data are as fresh as promised, then down to 0",
    "score": "Mean of the five",
}


def score(table: Table) -> tuple[str, Node]:
    """The view with each row's quality score: body and YAML entry."""
    config = "{{ config(materialized='view', schema='quality') }}"
    body = call("score_rows", relation=ref(table.model), **_asked(table))
    kinds = {c.name: c.type.name for c in table.columns}
    extra = [(c.name, kinds[c.name], shown(c.description)) for c in table.key]
    extra += [(name, "double", text) for name, text in _DIMENSIONS.items()]
    columns = [
        {"name": name, "description": text, "data_type": data_type(kind)}
        for name, kind, text in extra
    ]
    text = f"The quality score of each live row of {table.model}, from 0 to 1."
    doc = entry(table, f"{table.model}_score", text, columns, [])
    return f"{config}\n\n{body}", doc


def score_test(table: Table) -> Node:
    """The test that the mean score is not below the one that the seed asks for."""
    arguments = {
        name: [
            {
                part: str(text) if part == "parent" else argument(text, quoted=False)
                for part, text in rule.items()
            }
            for rule in value
        ]
        if name in ("valid", "consistent")
        else value
        for name, value in _asked(table).items()
    }
    return {
        "score_at_least": {
            "name": f"{table.model}__score",
            "arguments": {"minimum": table.options.min_score, **arguments},
            "config": {
                **judged(table, "score"),
                "severity": "error"
                if table.options.score_severity == "block"
                else "warn",
            },
        }
    }


def _asked(table: Table) -> dict[str, Any]:
    """What makes a row of the table a good one, as the macro score_rows takes it."""
    key = [c.name for c in table.key]
    kinds = {c.name: c.type for c in table.columns}
    unique = [key] if key else []
    valid: list[dict[str, Any]] = []
    consistent: list[dict[str, Any]] = []
    for rule in table.rules:
        match rule.check:
            case "between":
                bounds = rules.bounds(rule.argument, kinds[rule.column])
                low = f"{rule.column} >= {_sql(bounds.low)}" if bounds.low else ""
                high = f"{rule.column} <= {_sql(bounds.high)}" if bounds.high else ""
                valid.append({"condition": " and ".join(filter(None, (low, high)))})
            case "one_of":
                number = predicate.family(kinds[rule.column]) == "number"
                words = [w if number else _quote(w) for w in rules.words(rule.argument)]
                valid.append({"condition": f"{rule.column} in ({', '.join(words)})"})
            case "matches":
                pattern = rule.argument.replace("'", "''")
                valid.append({"column": rule.column, "pattern": pattern})
            case "date_format":
                pattern = rules.date_pattern(rule.argument)
                valid.append({"column": rule.column, "pattern": pattern})
            case "satisfies":
                found = rules.condition(rule.argument, kinds)
                consistent.append({"condition": predicate.to_sql(found, quoted=False)})
            case "references":
                parent, _, field = rule.argument.partition(".")
                consistent.append(
                    {"column": rule.column, "parent": ref(parent), "field": field}
                )
            case "unique":
                names = [rule.column] if rule.column else rule.argument.split("|")
                unique.append(names)
    return {
        "table": table.id,
        "key": key,
        "complete": [
            c.name
            for c in table.columns
            if not c.key_position and c.source_name != table.options.soft_delete_column
        ],
        "unique": list(map(list, dict.fromkeys(map(tuple, unique)))),
        "valid": valid,
        "consistent": consistent,
        "warn_minutes": table.options.freshness_warn_minutes,
        "error_minutes": table.options.freshness_error_minutes,
    }


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _sql(bound: str) -> str:
    """A bound of between as SQL: a number, or a time."""
    found = as_bound(bound)
    return found if isinstance(found, str) else bound
