"""The generated models of a table: their SQL, and what YAML says of them."""

from __future__ import annotations

from typing import Any

from ingest.limits import is_long
from ingest.seed.added import CURRENT, SNAPSHOT, STAGING
from ingest.seed.generate.checks import (
    is_of_rows,
    judged,
    live_keys,
    model_rules,
    rule_test,
    unique,
)
from ingest.seed.generate.columns import columns_of, described, entry, own
from ingest.seed.generate.scores import score_test
from ingest.seed.generate.text import Node, Raw, call, ref, render, shown
from ingest.seed.metadata import Table

# Ways to cleanse that make NULL of a text that says nothing.
MAKES_NULL = ("email", "phone", "name", "address")


def sources(tables: list[Table]) -> Node:
    """The logs as dbt's sources, with freshness."""
    return {
        "version": 2,
        "sources": [
            {
                "name": "bronze",
                "schema": "bronze",
                "description": (
                    "The logs: one append-only table for each source table, loaded "
                    "from the lake."
                ),
                "tables": [
                    {
                        "name": table.bronze,
                        "description": (
                            f"Log of {table.id}. {shown(table.description)}."
                        ),
                        "config": {
                            "meta": {"owner": shown(table.owner)},
                            "loaded_at_query": (
                                "select max(observed_at) from "
                                "{{ audit_table('table_state') }} "
                                f"where table_id = '{table.id}'"
                            ),
                            "freshness": _freshness(table),
                        },
                        "columns": described([*own(table), *STAGING]),
                    }
                    for table in tables
                ],
            }
        ],
    }


def _freshness(table: Table) -> Node:
    ages = {
        "warn_after": table.options.freshness_warn_minutes,
        "error_after": table.options.freshness_error_minutes,
    }
    return {what: {"count": n, "period": "minute"} for what, n in ages.items()}


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
        [],
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
    columns = [*(c.name for c in table.tracked), "is_deleted"]
    return {
        "version": 2,
        "snapshots": [
            {
                "name": f"{table.model}_snapshot",
                "relation": f"ref('{table.model}_latest')",
                "description": (
                    f"{shown(table.description)}. dbt's own snapshot of the newest "
                    f"row per key; read {table.model}_history instead."
                ),
                "config": {
                    "unique_key": key if len(key) > 1 else key[0],
                    "strategy": "check",
                    "check_cols": columns,
                    "updated_at": "_source_ts",
                    "hard_deletes": "ignore",
                    # dbt takes a check column that its table lacks for a change of
                    # each row, so the table has it before dbt looks.
                    "pre_hook": [
                        "{{ migrate_columns("
                        f"on_schema_change='{table.on_schema_change}') }}}}"
                    ],
                },
                # Without a type where dbt chooses it.
                "columns": [
                    *columns_of(table, CURRENT, stored=False),
                    *described(SNAPSHOT),
                ],
            }
        ],
    }


def _current_doc(table: Table) -> Node:
    key = [c.name for c in table.key]
    grain = "The rows as they are now."
    if key:
        grain = "One row per " + " and ".join(key) + ": the state as it is now."
    doc = entry(
        table,
        table.model,
        f"{shown(table.description)}. {grain}",
        columns_of(table, CURRENT, stored=not table.has_history),
        [
            *([unique(table)] if len(key) > 1 else []),
            live_keys(table),
            *(rule_test(table, r) for r in model_rules(table) if is_of_rows(r)),
            *([score_test(table)] if table.options.min_score else []),
        ],
    )
    for column, node in zip(table.columns, doc["columns"], strict=False):
        tests = [
            rule_test(table, rule)
            for rule in model_rules(table)
            if rule.column == column.name and not is_of_rows(rule)
        ]
        if key == [column.name]:
            name = f"{table.model}__{column.name}__key"
            tests.insert(
                0, {"unique": {"name": name, "config": judged(table, "key:unique")}}
            )
        if tests:
            node["data_tests"] = tests
    return doc


def _history_doc(table: Table) -> Node:
    key = [c.name for c in table.key]
    kind = table.load_type
    arguments: Node = {"key": key}
    if kind.has_ties:
        arguments["allow_ties"] = True
    return entry(
        table,
        table.derived,
        f"{shown(table.description)}. One row per {kind.row} of {' and '.join(key)}.",
        columns_of(table, kind.history, stored=not kind.is_snapshot),
        [
            {
                "consistent_history": {
                    "name": f"{table.derived}__consistent",
                    "arguments": arguments,
                    "config": judged(table, "history:consistent"),
                }
            }
        ],
    )


def _latest_doc(table: Table) -> Node:
    doc = entry(
        table,
        f"{table.model}_latest",
        f"{shown(table.description)}. The newest released row per "
        f"{' and '.join(c.name for c in table.key)}: what the snapshot is fed.",
        columns_of(table, CURRENT, stored=False),
        [],
    )
    doc["config"]["meta"]["serve"] = False
    return doc
