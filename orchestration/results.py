"""What dbt saw: its run_results.json and sources.json, into audit.dq_result.

dbt writes both files at the end of a command; nothing of this is a hook. A test of
the seed's rules has its rule and table in its meta, one that a person wrote is a rule
of the business, called as the test is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import sql

from ingest.control import Connection
from ingest.seed.metadata import Table
from orchestration import artifacts, build
from orchestration.build import Report

Json = dict[str, Any]

_FRESHNESS = "freshness"


@dataclass(frozen=True)
class Seen:
    """What one test, contract or freshness check of dbt came to.

    `stored_in` is the table that holds a test's failing rows, where there are any.
    """

    layer: str
    table_id: str
    rule_id: str
    severity: str
    passed: bool
    observed: str
    expected: str
    failing_rows: int | None
    seconds: float
    test: str = ""


def is_something_stale(connection: Connection, tables: Sequence[Table]) -> bool:
    """Whether dbt has reason to ask for freshness, which takes it a second.

    What a run has just read is as fresh as can be.
    """
    ages = dict(
        connection.execute(
            "select table_id, extract(epoch from clock_timestamp() at time zone 'utc' "
            "- observed_at) / 60 from audit.table_state"
        )
    )
    return any(
        ages.get(table.id, 0) > table.options.freshness_warn_minutes for table in tables
    )


def record(
    connection: Connection,
    run_id: str,
    tables: Sequence[Table],
    folder: Path,
    since: dt.datetime,
    target: str,
) -> list[Seen]:
    """Write what the files below `folder` say, if they are younger than `since`.

    Models go to audit.model_run, what was checked to audit.dq_result, and is returned.
    """
    record_models(connection, run_id, folder, since, target)
    found = [*_tests(folder, tables, since), *_freshness(folder, tables, since)]
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.dq_result (run_id, layer, table_id, rule_id, severity, "
            "passed, observed, expected, failing_rows, seconds) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
            "on conflict (run_id, layer, table_id, rule_id, coalesce(batch_seq, 0)) "
            "do update set passed = excluded.passed, observed = excluded.observed, "
            "failing_rows = excluded.failing_rows, seconds = excluded.seconds, "
            "checked_at = clock_timestamp()",
            [
                (
                    run_id,
                    one.layer,
                    one.table_id,
                    one.rule_id,
                    one.severity,
                    one.passed,
                    one.observed,
                    one.expected,
                    one.failing_rows,
                    one.seconds,
                )
                for one in found
            ],
        )
    return found


def record_models(
    connection: Connection, run_id: str, folder: Path, since: dt.datetime, target: str
) -> None:
    """Write what became of each model and snapshot to audit.model_run."""
    run = artifacts.written(folder / "run_results.json", since)
    if run is None:
        return
    nodes = artifacts.nodes(folder)
    rows = []
    for result in run["results"]:
        node = nodes.get(result["unique_id"], {})
        took = {t["name"]: t for t in result["timing"]}.get("execute")
        if node.get("resource_type") in ("model", "snapshot") and took:
            affected = result["adapter_response"].get("rows_affected")
            if affected is not None and affected < 0:
                affected = None
            times = took["started_at"], took["completed_at"]
            status = result["status"]
            of = run_id, target, node["name"], _layer(node)
            rows.append((*of, status, affected, *times))
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.model_run (run_id, target, model, layer, status, rows, "
            "started_at, ended_at) values (%s, %s, %s, %s, %s, %s, %s, %s) "
            "on conflict do nothing",
            rows,
        )


_SCORES = """
insert into audit.quality_score (
    run_id, table_id, rows, completeness, validity, uniqueness, consistency,
    timeliness, score
)
select
    {run_id}, {table_id}, count(*), avg(completeness), avg(validity),
    avg(uniqueness), avg(consistency), avg(timeliness), avg(score)
from {view}
having count(*) > 0
on conflict do nothing
"""
_SCORED = """
update audit.dq_result as result
set observed = 'score ' || round(found.score::numeric, 3)
from audit.quality_score as found
where
    result.run_id = {run_id}
    and found.run_id = result.run_id
    and found.table_id = result.table_id
    and result.layer = 'model'
    and result.rule_id = 'score'
"""


def score(connection: Connection, run_id: str, tables: Sequence[Table]) -> None:
    """Write the mean scores of the tables that have one to audit.quality_score."""
    schema = build.schema_of("quality")
    for table in tables:
        place = f"{schema}.{table.model}_score"
        if not table.options.min_score or not _exists(connection, place):
            continue
        names = {
            "run_id": sql.Literal(run_id),
            "table_id": sql.Literal(table.id),
            "view": sql.Identifier(schema, f"{table.model}_score"),
        }
        connection.execute(sql.SQL(_SCORES).format(**names))
    connection.execute(sql.SQL(_SCORED).format(run_id=sql.Literal(run_id)))


def _exists(connection: Connection, place: str) -> bool:
    row = connection.execute("select to_regclass(%s)", (place,)).fetchone()
    return bool(row and row[0])


def store_failures(
    connection: Connection, found: Sequence[Seen], target: str, report: Report
) -> None:
    """Keep the rows that fail a test in schema quality, a table a test.

    dbt would write a table for each test, also for those that nothing fails. So it is
    asked once more, for those that failed; tables of tests that pass are dropped.
    """
    schema = build.schema_of("quality")
    stored = {
        name
        for (name,) in connection.execute(
            "select table_name from information_schema.tables where table_schema = %s",
            (schema,),
        )
    }
    for test in sorted(stored & {one.test for one in found if one.passed}):
        connection.execute(
            sql.SQL("drop table if exists {}").format(sql.Identifier(schema, test))
        )
    failed = sorted({one.test for one in found if one.failing_rows})
    if failed:
        select = ["--select", " ".join(failed)]
        words = ["test", "--target", target, "--store-failures", *select]
        build.run_dbt(words, report)


def _tests(folder: Path, tables: Sequence[Table], since: dt.datetime) -> Iterator[Seen]:
    run = artifacts.written(folder / "run_results.json", since)
    if run is None:
        return
    nodes = artifacts.nodes(folder)
    expected = {
        (table.id, rule.id): rule.told
        for table in tables
        for rule in table.rules
        if rule.layer == "model"
    }
    for table in tables:
        expected[table.id, "score"] = f"score of at least {table.options.min_score}"
    for result in run["results"]:
        node = nodes.get(result["unique_id"])
        if node is None or result["status"] in ("skipped", "no-op"):
            continue
        if node["resource_type"] == "test":
            yield _test(node, result, nodes, expected)
        elif node["resource_type"] == "model" and node["contract"]["enforced"]:
            yield _contract(node, result)


def _test(
    node: Json, result: Json, nodes: Json, expected: dict[tuple[str, str], str]
) -> Seen:
    meta = node["config"]["meta"]
    if "rule" in meta:
        place = ("model", meta["table"], meta["rule"])
    else:
        place = ("business", _place(node, nodes), node["name"])
    rows = result["failures"]
    passed = result["status"] == "pass"
    observed = "as expected"
    if rows is None:
        observed = "it could not be asked; .seedbed/log/dbt.log says why"
    elif not passed:
        observed = f"{rows:,} rows fail"
    return Seen(
        *place,
        "warn" if node["config"]["severity"].lower() == "warn" else "block",
        passed,
        observed,
        expected.get(place[1:], "no row fails"),
        rows,
        result["execution_time"],
        node["alias"],
    )


def _place(node: Json, nodes: Json) -> str:
    """What a test of the business is about: `gold.fct_orders`, or its own name."""
    about = [node["attached_node"]] if node.get("attached_node") else []
    about += node["depends_on"]["nodes"]
    models = [nodes[name] for name in about if name in nodes]
    if not models:
        return str(node["name"])
    return f"{_layer(models[0])}.{models[0]['name']}"


def _layer(node: Json) -> str:
    return str(node["config"].get("schema") or "models")


def _contract(node: Json, result: Json) -> Seen:
    """Whether a model could be built as its contract says."""
    source = node["config"]["meta"].get("source")
    passed = result["status"] == "success"
    return Seen(
        "model" if source else "business",
        source or f"{_layer(node)}.{node['name']}",
        f"{node['name']}:contract",
        "block",
        passed,
        "as expected" if passed else "not built; .seedbed/log/dbt.log says why",
        "columns, types and constraints of its contract",
        None,
        result["execution_time"],
    )


def _freshness(
    folder: Path, tables: Sequence[Table], since: dt.datetime
) -> Iterator[Seen]:
    found = artifacts.written(folder / "sources.json", since)
    if found is None:
        return
    logs = {table.bronze: table for table in tables}
    for result in found["results"]:
        table = logs.get(result["unique_id"].rpartition(".")[2])
        if table is None or "max_loaded_at_time_ago_in_s" not in result:
            continue  # nothing of it has been released
        minutes = result["max_loaded_at_time_ago_in_s"] / 60
        options = table.options
        yield Seen(
            "model",
            table.id,
            _FRESHNESS,
            "block" if minutes > options.freshness_error_minutes else "warn",
            result["status"] == "pass",
            f"{minutes:,.0f} minutes old",
            f"at most {options.freshness_warn_minutes:,}, never more than "
            f"{options.freshness_error_minutes:,}",
            None,
            result["execution_time"],
        )
