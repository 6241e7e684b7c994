"""The gate: decides whether a loaded batch may be released.

Each rule checks one thing and reports what it observed. A failed `block` rule rejects
the batch: its rows are not read downstream, those that failed are kept in
`audit.quarantine`, and the next run reads the window again.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gx import ahead, counts, failing, measures, measuring, process, profile
from gx.ahead import OfFiles
from gx.counts import Loaded, Result
from gx.measuring import Measured
from gx.process import GateError
from ingest import control, settings
from ingest.control import Batch
from ingest.errors import SeedbedError
from ingest.lake import Lake
from ingest.seed import suites
from ingest.seed.metadata import Table
from ingest.seed.suites import Expectation
from ingest.statements import Statements

_SQL = Statements(__file__)

# Of a log in whose rows fewer, or more, fail a rule than in the batch's files.
NOT_AS_FILES = "which is not as its files"


def docs_folder() -> Path:
    """Where the data docs are."""
    return settings.ROOT / ".seedbed" / "data_docs"


def needs_process(batch: Batch) -> bool:
    """Whether there are rows to check; without any, the counts are enough."""
    return bool(batch.rows_written)


def decide(
    connection: control.Connection, table: Table, batch: Batch, run_id: str
) -> Batch:
    """Check the batch and move it on; loaded → released or rejected.

    Raises GateError, and leaves the batch loaded, if it could not be checked.
    """
    lake = Lake(settings.ROOT)
    manifest = lake.manifest(batch.manifest_key)
    assert manifest is not None, batch.manifest_key
    released = control.released(connection, table)
    loaded = Loaded(connection, table, batch, manifest, released)
    control.count_loaded(connection, table, batch)
    results = counts.accounts(loaded)
    given = counts.parameters(loaded)
    expected = suites.expectations(table)
    if needs_process(batch):
        of_files = ahead.take(table, batch)
        results += _results(loaded, expected, _ask(loaded, of_files, given))
        results += profile.judge(connection, table, batch, of_files.profile)
    else:
        results += counts.without_rows(expected, given)
        results += profile.judge(connection, table, batch, None)
    of = {"run_id": run_id, "table_id": table.id, "batch_seq": batch.batch_seq}
    with connection.transaction():
        with connection.cursor() as cursor:
            cursor.executemany(_SQL.texts["record"], [of | vars(r) for r in results])
        if blocking := [r for r in results if not r.passed and r.severity == "block"]:
            reason = _keep(loaded, expected, blocking)
            control.reject(connection, batch, reason)
            what = {"reason": reason, "planned_at": batch.planned_at}
            _SQL.run(connection, "alert", **of, **what)
        else:
            control.release(connection, batch, manifest)
    if not blocking:
        lake.forget(manifest)
    return control.batch(connection, table.id, batch.batch_seq)


def check(
    connection: control.Connection,
    table: Table,
    batch: str,
    suite: dict[str, Any],
    of_files: Measured,
    given: dict[str, Any],
) -> dict[str, Any]:
    """Have a batch's suite checked on what was measured: the process's reply.

    Raises GateError.
    """
    wanted = measuring.wanted(table, suite)
    measured = of_files | measuring.of_log(connection, table, wanted)
    request = {
        "do": "check",
        "batch": batch,
        "suite": suite,
        "columns": [*failing.types(connection, table)],
        "measured": measured,
        "parameters": given,
    }
    reply = process.ask(request, settings.gate_seconds())
    if reply.get("error"):
        raise GateError(reply["error"])
    return reply | {"measured": measured}


def _ask(loaded: Loaded, of_files: OfFiles, given: dict[str, Any]) -> dict[str, Any]:
    """The reply on the table's suite."""
    name = loaded.batch.batch_id.rpartition("/")[2]
    found = of_files.suite, of_files.measured
    try:
        return check(loaded.connection, loaded.table, name, *found, given)
    except GateError as error:
        raise ahead.failed(loaded.table, loaded.batch, str(error)) from error


def _each(
    loaded: Loaded, name: str, expected: list[Expectation], reply: dict[str, Any]
) -> dict[str, Any]:
    """The result of each rule that the expectation `name` checks together.

    If it failed, each is checked alone; GateError if all of them pass.
    """
    rules = [e for e in expected if e.group == name]
    whole = reply["results"].get(name)
    if not rules or whole["passed"] or whole["error"]:
        return dict.fromkeys((e.rule_id for e in rules), whole)
    found: dict[str, Any] = {}
    kinds = {c.name: suites.plain(c.type.log) for c in loaded.table.columns}
    there = failing.types(loaded.connection, loaded.table)
    for rule in rules:
        if name == suites.TYPES:
            seen = there.get(rule.column)
            error = "" if seen else "the log has no such column"
            got = {"passed": seen == kinds[rule.column], "observed": seen}
        else:
            rows = reply["measured"][measures.nulls_of(rule.column)]
            got, error = {"passed": not rows, "failing": rows}, ""
        found[rule.rule_id] = got | {"error": error}
    if all(got["passed"] for got in found.values()):
        why = f"expectation {name} failed, and each of its columns passes"
        raise ahead.failed(loaded.table, loaded.batch, why)
    return found


def _results(
    loaded: Loaded, expected: list[Expectation], reply: dict[str, Any]
) -> list[Result]:
    """The reply as results of rules; GateError if a rule was not checked."""
    found = dict(reply["results"])
    for name in (suites.TYPES, suites.COMPLETE):
        found |= _each(loaded, name, expected, reply)
    is_in_shape = all(found[e.rule_id]["passed"] for e in expected if e.is_shape)
    results = []
    for one in expected:
        got = found[one.rule_id]
        if got["error"] and is_in_shape:
            hint = "Correct the rule in seeds/metadata/rules.csv, then run again."
            of = loaded.table, loaded.batch
            raise ahead.failed(*of, got["error"], hint, one.rule_id)
        rows, seen = got.get("failing"), got.get("observed")
        if one.type == "unexpected_rows_expectation":
            rows = seen
        observed = "as expected"
        if got["error"]:
            observed = "not checked: the log is not as the seed says"
        elif not got["passed"]:
            observed = f"{rows:,} rows fail" if rows is not None else _seen(one, seen)
        results.append(
            Result(
                one.rule_id,
                one.severity,
                got["passed"],
                observed,
                one.expected,
                (0 if got["passed"] else rows) if one.failing else None,
                reply["seconds"],
            )
        )
    return results


def _seen(one: Expectation, seen: Any) -> str:
    if one.counts_rows:
        return f"{seen:,} rows"
    if one.rule_id == "schema":
        lacking = sorted({*one.arguments["column_set"]} - {*seen})
        return f"the log lacks {', '.join(lacking)}"
    return str(seen)


def _keep(loaded: Loaded, expected: list[Expectation], blocking: list[Result]) -> str:
    """Quarantine the rows that fail; return the reason that a person reads."""
    of = (loaded.connection, loaded.table, loaded.batch)
    rules = {e.rule_id: e for e in expected}
    # Where the log's type is not the seed's, the SQL of a rule may not fit it.
    unfit = [
        f'"{rule.column}"'
        for rule in (rules.get(result.rule_id) for result in blocking)
        if rule and rule.group == suites.TYPES
    ]
    parts = []
    for result in blocking:
        rule = rules.get(result.rule_id)
        line = f"{result.rule_id}: {result.observed}, expected {result.expected}"
        is_checked = not result.observed.startswith("not checked")
        sql = rule.failing if rule and is_checked else ""
        if rule and sql and not any(name in sql for name in unfit):
            kept = failing.keep(*of, rule)
            if kept != result.failing_rows:
                line += f", but {kept:,} of the log, {NOT_AS_FILES}"
            if shown := failing.sample(*of, rule):
                line += f" ({shown})"
        elif rule is None and loaded.batch.unaccounted:
            line += f" ({loaded.batch.unaccounted})"
        parts.append(line)
    return "; ".join(parts)


def document(batches: Iterable[Batch]) -> None:
    """Have the pages about a run's batches written, without waiting.

    If none of them had rows, those of the run before stay.
    """
    if any(map(needs_process, batches)):
        process.tell({"do": "document", "folder": str(docs_folder())})


def finish() -> None:
    """Wait until the page is written; a run does not fail without it."""
    with suppress(SeedbedError):
        process.finish(settings.gate_seconds())
