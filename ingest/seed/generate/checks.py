"""The seed's rules as dbt tests."""

from __future__ import annotations

import hashlib
import re

from ingest.seed.checks.base import EXPRESSION
from ingest.seed.generate.text import Node, as_argument, node, shown
from ingest.seed.metadata import Rule, Table


def is_of_rows(rule: Rule) -> bool:
    """Whether the test is the model's: on a column, dbt would put its name before."""
    return not rule.column or rule.check.dbt_test()[0] == EXPRESSION


def rule_test(table: Table, rule: Rule) -> Node:
    """A rule as a dbt test on its column, or on the model."""
    test, arguments = rule.check.dbt_test()
    # The table of its failures must be able to have the name as well.
    name = f"{table.model}__{re.sub('[^a-z0-9_]+', '__', rule.id)}"
    if len(name) > 63:
        name = f"{name[:54]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    body = node(
        "rule",
        table,
        name=name,
        arguments=as_argument(arguments) or None,
        text=shown(rule.description) or None,
        rule=rule.id,
        severity="warn" if rule.severity == "warn" else None,
    )
    return {test: body}
