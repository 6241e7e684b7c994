"""The seed's rules as dbt tests."""

from __future__ import annotations

import hashlib
import re

from ingest.seed.checks.base import EXPRESSION
from ingest.seed.generate.text import Node, as_argument, shown
from ingest.seed.metadata import Rule, Table


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


def live_keys(table: Table) -> Node:
    """The test that a model shows what is live in the table's log."""
    arguments: Node = {
        "log": f"source('bronze', '{table.bronze}')",
        "table": as_argument(table.id),
        "key": {c.name: c.type.name for c in table.key},
    }
    if not table.load_type.is_snapshot:
        history = "_history" if table.has_history else ""
        arguments["claim"] = as_argument(f"{table.model}{history}")
    if table.load_type.reads_whole:
        arguments["whole"] = True
    return {
        "live_keys_as_in": {
            "name": f"{table.model}__live_keys",
            "arguments": arguments,
            "config": judged(table, "log:live_keys"),
        }
    }


def model_rules(table: Table) -> list[Rule]:
    """The rules that dbt looks at, once a model is built."""
    return [rule for rule in table.rules if rule.layer == "model"]


def is_of_rows(rule: Rule) -> bool:
    """Whether the test is the model's: on a column, dbt would put its name before."""
    return not rule.column or rule.check.dbt_test()[0] == EXPRESSION


def rule_test(table: Table, rule: Rule) -> Node:
    """A rule as a dbt test on its column, or on the model."""
    name, arguments = rule.check.dbt_test()
    body: Node = {"name": _test_name(table, rule)}
    if arguments:
        body["arguments"] = as_argument(arguments)
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
