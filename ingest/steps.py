"""The pipeline's steps one by one, each of which may be a process of its own.

An orchestrator calls them where the command line calls `pipeline.run`; both do the
same. What one step has to tell the next is in the control tables, and what a step
takes and returns is text, numbers and lists. A step that is done again goes on
where it was.
"""

from __future__ import annotations

import dataclasses
import functools
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from ingest import (
    build,
    journal,
    ledger,
    metadata,
    outbox,
    pipeline,
    runs,
    settings,
    silence,
    snowflake,
    window,
)
from ingest.errors import ConfigurationError, SeedbedError
from ingest.lake import Lake
from ingest.pipeline import Outcome, Report
from ingest.quality import gate
from ingest.settings import ROOT

# States of a table that is not moved yet, and never will be: of a source that the
# seed can't follow.
_WAITING, _UNFOLLOWED = "waiting", "unfollowed"


def begin(
    command: str,
    dag: str,
    name: str,
    patterns: Sequence[str],
    report: Report,
    *,
    is_reading: bool,
    request: window.Request | None = None,
) -> str:
    """Open the run that the orchestrator calls `name` of its `dag`; its id.

    `is_reading`: its tables will be read from their sources, which the seed follows
    first. A table whose source can't be followed is noted as failed.
    """
    everyone = pipeline.assert_generated()
    tables = metadata.enabled(metadata.load(ROOT), patterns)
    outcomes = [Outcome(table, state=_WAITING) for table in tables]
    for table in tables if request else ():
        window.assert_possible(table, request.kind if request else "")
    if is_reading:
        settings.lake()
        for table in tables:
            settings.source_url(table.source)
    with ledger.connect() as connection:
        ledger.prepare(connection)
        run_id = ledger.begin_orchestrated_run(connection, command, dag, name)
        if is_reading:
            everyone = pipeline.follow_sources(connection, run_id, outcomes, report)
        ledger.know(connection, everyone)
        pipeline.prepare_logs(everyone, outcomes, report)
        for outcome in outcomes:
            if outcome.error:
                outcome.state = _UNFOLLOWED
            pipeline.note(connection, run_id, outcome)
    return run_id


def move(
    run_id: str,
    table_id: str,
    steps: Sequence[str],
    report: Report,
    request: window.Request | None = None,
) -> str:
    """Take one table of a run through the steps; the state of its last batch.

    With a `request`, what it asks for is read: whatever another run has left of the
    table is decided on before. Raises what the table fails of, once it is noted.
    """
    with ledger.connect() as connection:
        noted = {o.table.id: o for o in _outcomes(connection, run_id)}[table_id]
    if noted.error and noted.state == _UNFOLLOWED:
        raise ConfigurationError(str(noted.error))
    outcome = Outcome(noted.table)

    def attempt() -> None:
        with ledger.connect() as own, ledger.table_lock(outcome.table):
            pending = ledger.pending(own, outcome.table)
            if request and pending and request.is_of(pending):
                outcome.planned = pending.batch_seq
            pipeline.move(own, outcome, run_id, steps, request)

    sources = {outcome.table.source} if "extract" in steps else set()
    with silence.bounded(sources):
        pipeline.isolate(outcome, attempt, report)
        while request and _is_of_another(outcome):
            work = functools.partial(pipeline.decide, outcome, run_id)
            pipeline.isolate(outcome, work, report)
            if outcome.state == "released":
                pipeline.isolate(outcome, attempt, report)
    report(pipeline.line(outcome))
    _note(run_id, [outcome])
    if outcome.error:
        raise outcome.error
    return outcome.state


def _is_of_another(outcome: Outcome) -> bool:
    """Whether the table stopped at a batch that an earlier run has left."""
    if outcome.state != "loaded" or outcome.error:
        return False
    return outcome.batches[-1].batch_seq != outcome.planned


def table_ids(run_id: str) -> list[str]:
    """The ids of the run's tables."""
    with ledger.connect() as connection:
        return list(ledger.noted_tables(connection, run_id))


def extracted(run_id: str) -> dict[str, str]:
    """The run's batches that are in the lake: their ids by table."""
    with ledger.connect() as connection:
        rows = connection.execute(
            "select table_id, batch_id from audit.batch "
            "where run_id = %s and state = 'extracted'",
            (run_id,),
        )
        return dict(rows)


def awaited(run_id: str) -> list[str]:
    """The manifests that the run's tables wait for, as s3 URLs.

    Those of batches that are in the lake, or that another run is reading just now.
    """
    lake = settings.lake()
    with ledger.connect() as connection:
        rows = connection.execute(
            "select batch.manifest_key from audit.batch as batch "
            "inner join audit.run as run using (run_id) "
            "inner join audit.run_table as noted "
            "on noted.table_id = batch.table_id and noted.run_id = %s "
            "where batch.state = 'extracted' "
            "or batch.state = 'planned' and run.state = 'running' "
            "order by batch.table_id",
            (run_id,),
        )
        return [f"s3://{lake.bucket}/{lake.prefix}{key}" for (key,) in rows]


def late(dag: str, name: str, told: str) -> None:
    """Raise the alert that the orchestrator's run `name` of `dag` missed a deadline."""
    with ledger.connect() as connection:
        ledger.prepare(connection)
        row = connection.execute(
            "select run_id from audit.run where orchestrated_by = %s",
            (f"{dag}/{name}",),
        ).fetchone()
        run_id = row[0] if row else None
        if run_id is None:  # it could not even begin
            run_id = ledger.begin_orchestrated_run(connection, dag, dag, name)
        connection.execute(
            "insert into audit.alert (run_id, kind, severity, message) "
            "values (%s, 'deadline_missed', 'block', %s) on conflict do nothing",
            (run_id, f"{dag} has missed its deadline: {told} ({name})"),
        )
    outbox.send_later()


def validate(run_id: str, report: Report) -> None:
    """Let all that is loaded of the run's tables pass the gate.

    A table that the gate can't look at is noted as failed.
    """
    with ledger.connect() as connection:
        outcomes = _outcomes(connection, run_id)
        for outcome in outcomes:
            batch = ledger.pending(connection, outcome.table)
            if outcome.state == "loaded" and batch is not None:
                outcome.batches.append(batch)
    loaded = [o for o in outcomes if o.batches]
    for outcome in loaded:
        work = functools.partial(pipeline.decide, outcome, run_id)
        pipeline.isolate(outcome, work, report)
        report(pipeline.line(outcome))
    _note(run_id, loaded)
    gate.document(b for o in loaded for b in o.batches)
    gate.finish()


def plan_build(run_id: str, target: str) -> dict[str, Any] | None:
    """Plan the build of what follows from the run's tables; a `build.Plan`.

    None where no table is good.
    """
    with ledger.connect() as connection:
        outcomes = _settled(connection, run_id)
        if outcomes and not any(o.is_good for o in outcomes):
            return None
        left_out = pipeline.left_out(connection, outcomes)
        plan = build.plan(connection, left_out, everything=False, target=target)
    return dataclasses.asdict(plan)


def selectors(plan: dict[str, Any], layer: str) -> dict[str, str]:
    """dbt's `select` and `exclude` of a planned build's layer, silver or gold."""
    return build.Plan(**plan).of_layer(layer)


@contextmanager
def building(run_id: str, report: Report) -> Iterator[None]:
    """A build, by whatever runs dbt: one at a time, and noted as a step."""
    with (
        ledger.connect() as connection,
        ledger.build_lock(report),
        journal.step(connection, run_id, "build"),
    ):
        yield


def look(run_id: str, folder: Path, since: datetime, target: str) -> list[str]:
    """Keep what dbt wrote to `folder`; selectors of what follows from its failures."""
    behind = build.behind_failures(folder, since)
    # Where dbt leaves them when it is typed, and where others look for them.
    (ROOT / "target").mkdir(exist_ok=True)
    for name in ("manifest.json", "run_results.json"):
        shutil.copy(folder / name, ROOT / "target")
    with ledger.connect() as connection:
        pipeline.look(connection, run_id, folder, since, target, _silent)
    return behind


def is_publishing() -> bool:
    """Whether a run publishes: the environment names a Snowflake."""
    return snowflake.is_configured()


def publish(run_id: str, report: Report) -> str:
    """Publish what the run has built to Snowflake; what it came to, in a line.

    Raises SeedbedError unless all of it was done; the next publish goes on from there.
    """
    with ledger.connect() as connection:
        outcomes = _settled(connection, run_id)
    published = pipeline.publish_good(run_id, outcomes, False, report)
    if not published.ok:
        raise SeedbedError(
            f"{published}. {'; '.join(published.built.failures)}. Snowflake is as its "
            "last good build left it where that failed; the next run, or `./seedbed "
            "publish`, goes on from there."
        )
    return str(published)


def end(
    run_id: str,
    plan: dict[str, Any] | None,
    is_built: bool,
    report: Report,
    *,
    is_published: bool = True,
) -> str:
    """Look at what was built, balance the ledger and close the run; its state.

    `plan` is None where nothing was to be built, `is_built` whether all of it was.
    `is_published` is false where Snowflake lacks what it should have by now.
    Raises SeedbedError, with what a person has to know, unless the run is done.
    """
    with ledger.connect() as connection:
        outcomes = _settled(connection, run_id)
        leaks: Sequence[object] = ()
        if plan is not None:
            done = build.Plan(**plan)
            with ledger.build_lock(report):
                leaks = pipeline.examine(connection, run_id, done.target, report)
            if is_built:
                build.finish(connection, done, ROOT / "target" / "manifest.json")
        ledger.mark_released(connection, Lake(ROOT))
        unbuilt: set[str] | None = set() if plan is not None and is_built else None
        balanced = pipeline.balance(connection, run_id, outcomes, unbuilt)
        is_sound = balanced and not leaks and (plan is None or is_built)
        is_sound = is_sound and is_published
        state = pipeline.state_of(outcomes, is_sound)
        errors = "\n".join(str(o.error) for o in outcomes if o.error and o.is_bad)
        noted = ledger.noted_tables(connection, run_id)
        retries = sum(n for _, _, n in noted.values())
        runs.close(connection, run_id, state, {}, errors, retries)
    if state != "done":
        bad = [pipeline.line(o) for o in outcomes if o.is_bad]
        raise SeedbedError(
            f"run {run_id} is {state}: {'; '.join(bad) or 'see its build'}. "
            "`./seedbed status` says why and what to type."
        )
    return state


def _silent(line: str) -> None:
    """A report nobody reads."""


def _outcomes(connection: ledger.Connection, run_id: str) -> list[Outcome]:
    """The run's tables as they were noted last; their retries are noted already."""
    noted = ledger.noted_tables(connection, run_id)
    found = []
    for table in metadata.enabled(metadata.load(ROOT)):
        if table.id in noted:
            state, error, _ = noted[table.id]
            told = SeedbedError(error) if error else None
            found.append(Outcome(table, state, error=told))
    return found


def _settled(connection: ledger.Connection, run_id: str) -> list[Outcome]:
    """The same, once no table is moved any more: those that were not have failed."""
    outcomes = _outcomes(connection, run_id)
    for outcome in outcomes:
        if outcome.state in (_WAITING, _UNFOLLOWED):
            outcome.state = "failed"
            outcome.error = outcome.error or SeedbedError(
                f"{outcome.table.id}: its task did not come to an end; the log of the "
                "task says why."
            )
            pipeline.note(connection, run_id, outcome)
    return outcomes


def _note(run_id: str, outcomes: Sequence[Outcome]) -> None:
    with ledger.connect() as connection:
        for outcome in outcomes:
            pipeline.note(connection, run_id, outcome)
