"""The generated models of a table: their SQL, and what YAML says of them."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from ingest.limits import is_long
from ingest.seed.added import CURRENT, SNAPSHOT, STAGING
from ingest.seed.checks.base import EXPRESSION
from ingest.seed.generate.columns import columns_of, described, entry, own
from ingest.seed.generate.scores import score_test
from ingest.seed.generate.text import (
    Node,
    Raw,
    as_argument,
    call,
    filled,
    node,
    ref,
    render,
    shown,
)
from ingest.seed.metadata import Rule, Table

# Ways to cleanse that make NULL of a text that says nothing.
MAKES_NULL = ("email", "phone", "name", "address")


def sources(tables: list[Table]) -> Node:
    """The logs as dbt's sources, with freshness."""
    logs = [
        node("log", table, columns=described([*own(table), *STAGING]))
        for table in tables
    ]
    return filled("sources", {"tables": logs})


def staging_body(table: Table) -> str:
    """The SQL of the view of a log's released rows."""
    columns = []
    for column in table.columns:
        item = {"name": column.name, "type": column.type.name}
        if column.cleanse:
            item["cleanse"] = column.cleanse
            if column.cleanse == "phone":
                item["country"] = table.options.phone_country
            if not column.nullable and column.cleanse in MAKES_NULL:
                item["if_null"] = ""
        columns.append(item)
    return call(
        "staging",
        source=Raw(f"source('bronze', '{table.bronze}')"),
        table=table.id,
        columns=columns,
    )


def staging_doc(table: Table) -> Node:
    """What YAML says of that view."""
    return entry(
        table,
        table.staging,
        f"Released rows of {table.id}, cleansed and typed. {shown(table.description)}.",
        columns_of(table, STAGING, stored=False),
    )


def silver(table: Table) -> dict[str, tuple[str, Node]]:
    """The table's silver models: body and YAML entry by name."""
    kind = table.load_type
    given = {
        "source": ref(table.staging),
        "key": [c.name for c in table.key],
        "columns": [c.name for c in table.columns],
        "tracked": [c.name for c in table.tracked],
        "append_only": table.options.append_only,
    }

    def pick(*names: str) -> dict[str, Any]:
        return {name: given[name] for name in names}

    if kind.is_snapshot:
        taken = ref(f"{table.model}_snapshot")
        derived = call("snapshot_history", snapshot=taken, **pick("key", "columns"))
    else:
        hashed = [c.name for c in table.key if is_long(c.type)]
        macro = call(kind.name, **pick(*kind.arguments))
        derived = render("derived.sql.jinja", table=table, call=macro, hashed=hashed)
        derived = derived.rstrip("\n")
    if not table.has_history:
        return {table.model: (derived, _current_doc(table))}
    current = call(
        "current_state",
        history=ref(table.derived),
        **pick("columns"),
        delete_action=table.options.delete_action,
    )
    models = {
        table.model: (current, _current_doc(table)),
        table.derived: (derived, _history_doc(table)),
    }
    if kind.is_snapshot:
        newest = call("snapshot_input", **pick("source", "key", "columns"))
        models[f"{table.model}_latest"] = (newest, _latest_doc(table))
    return models


def snapshot(table: Table) -> Node:
    """dbt's own snapshot of a table."""
    key = [c.name for c in table.key]
    return node(
        "snapshot",
        table,
        unique_key=key if len(key) > 1 else key[0],
        compared=[*(c.name for c in table.tracked), "is_deleted"],
        # Without a type where dbt chooses it.
        columns=[*columns_of(table, CURRENT, stored=False), *described(SNAPSHOT)],
    )


def _current_doc(table: Table) -> Node:
    key = [c.name for c in table.key]
    grain = "The rows as they are now."
    if key:
        grain = "One row per " + " and ".join(key) + ": the state as it is now."
    rules = [rule for rule in table.rules if rule.layer == "model"]
    doc = entry(
        table,
        table.model,
        f"{shown(table.description)}. {grain}",
        columns_of(table, CURRENT, stored=not table.has_history),
        [
            *([node("key_of_several", table)] if len(key) > 1 else []),
            node(
                "live_keys",
                table,
                kinds={c.name: c.type.name for c in table.key},
                claim=None if table.load_type.is_snapshot else table.derived,
                whole=table.load_type.reads_whole or None,
            ),
            *(_test(table, rule) for rule in rules if _is_of_rows(rule)),
            *([score_test(table)] if table.options.min_score else []),
        ],
    )
    for column, listed in zip(table.columns, doc["columns"], strict=False):
        tests = [
            _test(table, rule)
            for rule in rules
            if rule.column == column.name and not _is_of_rows(rule)
        ]
        if key == [column.name]:
            tests.insert(0, node("key_of_one", table, column=column.name))
        if tests:
            listed["data_tests"] = tests
    return doc


def _history_doc(table: Table) -> Node:
    kind = table.load_type
    keys = " and ".join(c.name for c in table.key)
    return entry(
        table,
        table.derived,
        f"{shown(table.description)}. One row per {kind.row} of {keys}.",
        columns_of(table, kind.history, stored=not kind.is_snapshot),
        [node("history", table, allow_ties=kind.has_ties or None)],
    )


def _latest_doc(table: Table) -> Node:
    keys = " and ".join(c.name for c in table.key)
    return entry(
        table,
        f"{table.model}_latest",
        f"{shown(table.description)}. The newest released row per {keys}: what the "
        "snapshot is fed.",
        columns_of(table, CURRENT, stored=False),
        is_served=False,
    )


def _is_of_rows(rule: Rule) -> bool:
    """Whether the test is the model's: on a column, dbt would put its name before."""
    return not rule.column or rule.check.dbt_test()[0] == EXPRESSION


def _test(table: Table, rule: Rule) -> Node:
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
