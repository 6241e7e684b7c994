"""What dbt saw: its run_results.json and sources.json, into the control tables.

dbt writes both files at the end of a command; nothing of this is a hook. They go to the
warehouse as JSON, where `results.sql` and `model_runs.sql` make rows of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from ingest.control import Connection
from ingest.seed.metadata import Table
from ingest.statements import query
from orchestration import artifacts, build
from orchestration.build import Report

# Of a test's table in schema quality: the rows that fail it; None if it wasn't asked.
Failing = Mapping[str, int | None]

# What the rows need of a result and of its node; compiled SQL would be most of it.
_RESULT = "unique_id status failures execution_time timing adapter_response".split()
_NODE = "resource_type name alias config contract attached_node depends_on".split()


def is_something_stale(connection: Connection) -> bool:
    """Whether dbt has reason to ask for freshness, which takes it a second.

    What a run has just read is as fresh as can be.
    """
    ((found,),) = connection.execute(
        "select exists (select from audit.table_state "
        "join audit.source_table using (table_id) "
        "where clock_timestamp() at time zone 'utc' - observed_at "
        "> warn_minutes * interval '1 minute')"
    ).fetchall()
    return bool(found)


def record(
    connection: Connection,
    run_id: str,
    tables: Sequence[Table],
    folder: Path,
    since: dt.datetime,
    target: str,
) -> Failing:
    """Write what the files below `folder` say, if they are younger than `since`.

    Models go to audit.model_run, what was checked to audit.dq_result; what the tests
    have counted is returned.
    """
    results, nodes = record_models(connection, run_id, folder, since, target)
    ages = artifacts.written(folder / "sources.json", since) or {"results": []}
    values = {
        "run_id": run_id,
        "results": Jsonb(results),
        "nodes": Jsonb(nodes),
        "ages": Jsonb(ages["results"]),
        "tables": Jsonb([_of_seed(table) for table in tables]),
    }
    connection.execute(query(__file__), values)
    return {
        nodes[result["unique_id"]]["alias"]: result["failures"]
        for result in results
        if nodes.get(result["unique_id"], {}).get("resource_type") == "test"
        and result["status"] not in ("skipped", "no-op")
    }


def record_models(
    connection: Connection, run_id: str, folder: Path, since: dt.datetime, target: str
) -> tuple[list[artifacts.Json], dict[str, artifacts.Json]]:
    """Write what became of each model and snapshot to audit.model_run.

    Returns the results of dbt's last command, and the nodes by their ids; none if the
    files are older than `since`.
    """
    results, nodes = [], {}
    if run := artifacts.written(folder / "run_results.json", since):
        results = [_part(result, _RESULT) for result in run["results"]]
        every = artifacts.nodes(folder).items()
        nodes = {unique_id: _part(node, _NODE) for unique_id, node in every}
    values = {"results": Jsonb(results), "nodes": Jsonb(nodes)}
    of = {"run_id": run_id, "target": target}
    connection.execute(query(__file__, "model_runs"), values | of)
    return results, nodes


def score(connection: Connection, run_id: str, tables: Sequence[Table]) -> None:
    """Write the mean scores of the tables that have one to audit.quality_score."""
    there = _in_quality(connection)
    for table in tables:
        view = f"{table.model}_score"
        if table.options.min_score and view in there:
            names = {
                "run_id": sql.Literal(run_id),
                "table_id": sql.Literal(table.id),
                "view": sql.Identifier(build.schema_of("quality"), view),
            }
            connection.execute(sql.SQL(query(__file__, "scores")).format(**names))


def store_failures(
    connection: Connection, found: Failing, target: str, report: Report
) -> None:
    """Keep the rows that fail a test in schema quality, a table a test.

    dbt would write a table for each test, also for those that nothing fails. So it is
    asked once more, for those that failed; tables of tests that pass are dropped.
    """
    passed = {name for name, rows in found.items() if rows == 0}
    for test in sorted(_in_quality(connection) & passed):
        table = sql.Identifier(build.schema_of("quality"), test)
        connection.execute(sql.SQL("drop table if exists {}").format(table))
    failed = sorted(name for name, rows in found.items() if rows)
    if failed:
        select = ["--select", " ".join(failed)]
        words = ["test", "--target", target, "--store-failures", *select]
        build.run_dbt(words, report)


def _in_quality(connection: Connection) -> set[str]:
    """The tables and views of schema quality."""
    found = connection.execute(
        "select table_name from information_schema.tables where table_schema = %s",
        (build.schema_of("quality"),),
    )
    return {name for (name,) in found}


def _part(whole: artifacts.Json, names: Sequence[str]) -> artifacts.Json:
    return {name: whole[name] for name in names if name in whole}


def _of_seed(table: Table) -> dict[str, Any]:
    """What the seed says of a table that dbt's files don't."""
    options = table.options
    expected = {rule.id: rule.text for rule in table.rules if rule.layer == "model"}
    return {
        "table_id": table.id,
        "bronze": table.bronze,
        "warn_minutes": options.freshness_warn_minutes,
        "error_minutes": options.freshness_error_minutes,
        "expected": expected | {"score": f"score of at least {options.min_score}"},
    }
