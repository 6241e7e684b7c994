"""The generated models of a table: their SQL, and what YAML says of them."""

from __future__ import annotations

from typing import Any

from ingest.limits import is_long
from ingest.seed.generate.checks import (
    is_of_rows,
    judged,
    live_keys,
    model_rules,
    rule_test,
    unique,
)
from ingest.seed.generate.columns import (
    SNAPSHOT,
    STAGING,
    columns_of,
    current_columns,
    described,
    described_only,
    entry,
    history_columns,
)
from ingest.seed.generate.scores import score_test
from ingest.seed.generate.text import Node, Raw, call, literal, ref, shown
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
                            "freshness": {
                                "warn_after": _minutes(
                                    table.options.freshness_warn_minutes
                                ),
                                "error_after": _minutes(
                                    table.options.freshness_error_minutes
                                ),
                            },
                        },
                        "columns": described(table, STAGING),
                    }
                    for table in tables
                ],
            }
        ],
    }


def _minutes(count: int) -> Node:
    return {"count": count, "period": "minute"}


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
    key = [c.name for c in table.key]
    columns = [c.name for c in table.columns]
    tracked = [c.name for c in table.tracked]
    source = ref(table.staging)
    current, history = table.model, f"{table.model}_history"
    match table.load_type:
        case "full":
            calls = [call("full", source=source, columns=columns)]
            return {current: (_incremental(table, calls), _current_doc(table))}
        case "incremental":
            calls = [
                call(
                    "incremental",
                    source=source,
                    key=key,
                    columns=columns,
                    append_only=table.options.append_only,
                )
            ]
            return {current: (_incremental(table, calls), _current_doc(table))}
        case "scd1":
            calls = [call("scd1", source=source, key=key, columns=columns)]
            return {current: (_incremental(table, calls), _current_doc(table))}
        case "scd2":
            calls = [
                call("scd2", source=source, key=key, columns=columns, tracked=tracked)
            ]
            log = (_incremental(table, calls), _history_doc(table))
        case "cdc":
            calls = [call("cdc", source=source, key=key, columns=columns)]
            log = (_incremental(table, calls), _history_doc(table))
        case _:
            log = (
                call(
                    "snapshot_history",
                    snapshot=ref(f"{table.model}_snapshot"),
                    key=key,
                    columns=columns,
                ),
                _history_doc(table),
            )
    models = {
        current: (
            call(
                "current_state",
                history=ref(history),
                columns=columns,
                delete_action=table.options.delete_action,
            ),
            _current_doc(table),
        ),
        history: log,
    }
    if table.load_type == "snapshot":
        models[f"{table.model}_latest"] = (
            call("snapshot_input", source=source, key=key, columns=columns),
            _latest_doc(table),
        )
    return models


def _incremental(table: Table, calls: list[str]) -> str:
    key = [c.name for c in table.key]
    claim = (
        f"{{{{ claim_batches(table='{table.id}', "
        f"fingerprint='{table.fingerprint('meaning')}') }}}}"
    )
    fit = (
        f"{{{{ migrate_columns(source=ref('{table.staging}'), "
        f"on_schema_change='{table.on_schema_change}') }}}}"
    )
    before: list[Any] = [claim, fit]
    after: list[Any] = ["{{ close_claim() }}"]
    index: Node = {"columns": key}
    if not table.has_history:
        index["unique"] = True
    if table.load_type == "full":
        before.append("{{ clear_old_snapshot() }}")
    elif not table.has_history and table.options.delete_action == "remove":
        after.insert(0, "delete from {{ this }} where is_deleted")
    if table.has_long_key:
        hashed = [c.name for c in table.key if is_long(c.type)]
        hook = (
            f"{{{{ index_hashes(key={literal(key)}, hashed={literal(hashed)}, "
            f"unique={literal(not table.has_history)}) }}}}"
        )
        # The values that are written now may be the first long ones.
        before.append(hook)
        after.append(hook)
    if extra := table.options.index_columns:
        after.append(f"{{{{ index_columns(columns={literal(list(extra))}) }}}}")
    lines = {
        "materialized": "incremental",
        "incremental_strategy": Raw(f"load_strategy(load_type='{table.load_type}')"),
        "unique_key": key,
        # migrate_columns has done what is to be done; dbt wants a word all the same.
        "on_schema_change": "append_new_columns",
        "indexes": [index] if key and not table.has_long_key else [],
    }
    if clustered := table.options.cluster_columns:
        lines["cluster_by"] = list(clustered)
    config = "".join(f"    {k}={literal(v)},\n" for k, v in lines.items())
    for name, hooks in (("pre_hook", before), ("post_hook", after)):
        items = "".join(f'        "{hook}",\n' for hook in hooks)
        config += f"    {name}=[\n{items}    ],\n"
    return f"{{{{ config(\n{config}) }}}}\n\n" + "\n".join(calls)


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
                    f"row a key; read {table.model}_history instead."
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
                    *columns_of(table, current_columns(), stored=False),
                    *described_only(SNAPSHOT),
                ],
            }
        ],
    }


def _current_doc(table: Table) -> Node:
    key = [c.name for c in table.key]
    grain = "The rows as they are now."
    if key:
        grain = "One row a " + " and ".join(key) + ": the state as it is now."
    doc = entry(
        table,
        table.model,
        f"{shown(table.description)}. {grain}",
        columns_of(table, current_columns(), stored=not table.has_history),
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
    extra = history_columns(table)
    arguments: Node = {"key": key}
    # A snapshot can't be rebuilt, and one of before may have a version that ends at
    # the instant it begins.
    if table.load_type in ("cdc", "snapshot"):
        arguments["allow_ties"] = True
    what = "change" if table.load_type == "cdc" else "version"
    return entry(
        table,
        f"{table.model}_history",
        f"{shown(table.description)}. One row a {what} of a {' and '.join(key)}.",
        columns_of(table, extra, stored=table.load_type != "snapshot"),
        [
            {
                "consistent_history": {
                    "name": f"{table.model}_history__consistent",
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
        f"{shown(table.description)}. The newest released row a "
        f"{' and '.join(c.name for c in table.key)}: what the snapshot is fed.",
        columns_of(table, current_columns(), stored=False),
        [],
    )
    doc["config"]["meta"]["serve"] = False
    return doc
