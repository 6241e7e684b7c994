"""The seed's rules as dbt tests."""

from __future__ import annotations

import hashlib
import re

from ingest import predicate, rules
from ingest.generate.text import Node, argument, shown
from ingest.metadata import Rule, Table


def judged(table: Table, rule_id: str) -> Node:
    """What a test's result is called in audit.dq_result."""
    return {"meta": {"table": table.id, "rule": rule_id}}


def unique(table: Table) -> Node:
    """The test of a key of several columns."""
    return {
        "dbt_utils.unique_combination_of_columns": {
            "name": f"{table.model}__key",
            "arguments": {"combination_of_columns": [c.name for c in table.key]},
            "config": judged(table, "key:unique"),
        }
    }


def model_rules(table: Table) -> list[Rule]:
    """The rules that dbt looks at, once a model is built."""
    return [rule for rule in table.rules if rule.layer == "model"]


def is_of_rows(rule: Rule) -> bool:
    """Whether the test is the model's: on a column, dbt would put its name before."""
    return not rule.column or rule.check == "satisfies"


def rule_test(table: Table, rule: Rule) -> Node:
    """A rule as a dbt test on its column, or on the model."""
    arguments: Node
    kinds = {c.name: c.type for c in table.columns}
    match rule.check:
        case "between":
            bounds = rules.bounds(rule.argument, kinds[rule.column])
            ends = {"min_value": bounds.low, "max_value": bounds.high}
            arguments = {k: as_bound(v) for k, v in ends.items() if v}
            name = "dbt_utils.accepted_range"
        case "matches" | "date_format":
            regex = rule.argument
            if rule.check == "date_format":
                regex = rules.date_pattern(regex)
            # NULL is no text that could match; `nullable` is for the contract.
            arguments = {
                "regex": argument(regex),
                "row_condition": f"{rule.column} is not null",
            }
            name = "dbt_expectations.expect_column_values_to_match_regex"
        case "not_null" if rules.share(rule.argument):
            share = round(1 - rules.share(rule.argument), 6)
            arguments = {"at_least": share}
            name = "dbt_utils.not_null_proportion"
        case "not_null":
            arguments = {}
            name = "not_null"
        case "row_count":
            counts = rules.counts(rule.argument)
            ends = {"min_value": counts.low, "max_value": counts.high}
            arguments = {k: int(v) for k, v in ends.items() if v}
            name = "dbt_expectations.expect_table_row_count_to_be_between"
        case "satisfies":
            found = rules.condition(rule.argument, kinds)
            arguments = {
                "expression": argument(
                    predicate.to_sql(found, quoted=False), quoted=False
                )
            }
            name = "dbt_utils.expression_is_true"
        case "unique" if not rule.column:
            columns = list(rules.names(rule.argument, list(kinds)))
            arguments = {"combination_of_columns": columns}
            name = "dbt_utils.unique_combination_of_columns"
        case "one_of":
            arguments = {"values": [argument(v) for v in rule.argument.split("|")]}
            name = "accepted_values"
        case "references":
            model, _, field = rule.argument.partition(".")
            arguments = {"to": f"ref('{model}')", "field": field}
            name = "relationships"
            if table.watermark_column and table.options.reference_grace_minutes:
                arguments["grace_minutes"] = table.options.reference_grace_minutes
                name = "relationships_after_grace"
        case _:
            arguments = {}
            name = "unique"
    body: Node = {"name": _test_name(table, rule)}
    if arguments:
        body["arguments"] = arguments
    if rule.description:
        body["description"] = shown(rule.description)
    body["config"] = judged(table, rule.id)
    if rule.severity == "warn":
        body["config"]["severity"] = "warn"
    return {name: body}


def _test_name(table: Table, rule: Rule) -> str:
    """A name that the table of its failures can have as well."""
    name = f"{table.model}__{re.sub('[^a-z0-9_]+', '__', rule.id)}"
    if len(name) > 63:
        name = f"{name[:54]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name


def as_bound(text: str) -> float | int | str:
    """A number, or SQL of a time."""
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        return f"cast('{text}' as timestamp)"
