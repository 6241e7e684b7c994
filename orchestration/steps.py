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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from gx import gate
from ingest import control, runlog, settings, window
from ingest.errors import ConfigurationError, NotDoneError, SeedbedError, first_line
from ingest.lake import Lake
from ingest.seed import metadata
from orchestration import build, packages, pipeline, runs, schedule, silence, snowflake
from orchestration.pipeline import Outcome, Report
from orchestration.watch import alerts, outbox

# States of a table that is not moved yet, and never will be: of a source that the
# seed can't follow.
_WAITING, _UNFOLLOWED = "waiting", "unfollowed"
# Of a table that the seed lost, or disabled, while the run was under way.
_DISABLED = "disabled"
# Seconds that a manifest is waited for: of a batch that is in the lake, and of one
# that another run is still reading.
_SOON, _LATER = 120, 1800


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
    tables = metadata.enabled(metadata.load(settings.ROOT), patterns)
    outcomes = [Outcome(table, state=_WAITING) for table in tables]
    for table in tables if request else ():
        window.assert_possible(table, request.kind if request else "")
    if is_reading:
        settings.lake()
        for table in tables:
            settings.source_url(table.source)
    with control.connect() as connection:
        control.prepare(connection)
        run_id = control.begin_orchestrated_run(connection, command, dag, name)
        if is_reading:
            everyone = pipeline.follow_sources(connection, run_id, outcomes, report)
        control.know(connection, everyone)
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
    with control.connect() as connection:
        ids = control.noted_tables(connection, run_id)
        found = {o.table.id: o for o in _outcomes(connection, run_id)}
    if table_id not in ids:
        raise ConfigurationError(
            f"{table_id} is not a table of run {run_id}, which has {', '.join(ids)}. "
            "What was added to the metadata seed after a run had begun is in the next "
            "one."
        )
    if table_id not in found:
        report(f"{table_id} {_DISABLED}: the seed has it no more, so it is left out")
        return _DISABLED
    noted = found[table_id]
    if noted.error and noted.state == _UNFOLLOWED:
        raise ConfigurationError(str(noted.error))
    outcome = Outcome(noted.table)

    def attempt() -> None:
        with control.connect() as own, control.table_lock(outcome.table):
            pending = control.pending(own, outcome.table)
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
    """The ids of the run's tables that the seed still has."""
    with control.connect() as connection:
        return [o.table.id for o in _outcomes(connection, run_id)]


def due(run_id: str, source: str, level: int) -> list[str]:
    """The ids of the run's tables of a source that are read in that level, from 1.

    Children are in a lower one than their parents.
    """
    with control.connect() as connection:
        tables = [o.table for o in _outcomes(connection, run_id)]
    at = dict(enumerate(schedule.levels(tables), 1))
    return [t.id for t in at.get(level, ()) if t.source.name == source]


def unread(run_id: str) -> list[str]:
    """The ids of the run's tables that no task has brought anywhere yet."""
    with control.connect() as connection:
        outcomes = _outcomes(connection, run_id)
    return [o.table.id for o in outcomes if o.state == _WAITING]


def extracted(run_id: str) -> dict[str, str]:
    """The run's batches that are in the lake: their ids by table."""
    with control.connect() as connection:
        rows = connection.execute(
            "select table_id, batch_id from audit.batch "
            "where run_id = %s and state = 'extracted'",
            (run_id,),
        )
        return dict(rows)


def awaited(run_id: str) -> list[dict[str, Any]]:
    """The manifest that each of the run's tables waits for, and for how long.

    It is that of a batch that is in the lake, or that another run is reading just now:
    its s3 URL, or nothing where there is none.
    """
    lake = settings.lake()
    ids = table_ids(run_id)
    with control.connect() as connection:
        rows = connection.execute(
            "select batch.table_id, batch.manifest_key, batch.state "
            "from audit.batch as batch inner join audit.run as run using (run_id) "
            "where batch.state = 'extracted' "
            "or batch.state = 'planned' and run.state = 'running'"
        )
        found = {table_id: (key, state) for table_id, key, state in rows}
    waits = []
    for table_id in ids:
        key, state = found.get(table_id, ("", ""))
        url = f"s3://{lake.bucket}/{lake.prefix}{key}" if key else ""
        patience = _LATER if state == "planned" else _SOON
        waits.append({"table_id": table_id, "manifest": url, "patience": patience})
    return waits


def late(dag: str, name: str, told: str, report: Report) -> None:
    """Raise the alert that the orchestrator's run `name` of `dag` missed a deadline."""
    message = f"{dag} has missed its deadline: {told} ({name})"

    def note(connection: control.Connection) -> None:
        found = _of_orchestrator(connection, dag, name)
        # Without one it could not even begin.
        run_id = found[0] if found else _open(connection, dag, name)
        connection.execute(
            "insert into audit.alert (run_id, kind, severity, message) "
            "values (%s, 'deadline_missed', 'block', %s) on conflict do nothing",
            (run_id, message),
        )
        outbox.send_later()

    _note_or_tell(note, message, report)


def fail(dag: str, name: str, why: str, report: Report) -> None:
    """See to it that people are told of the orchestrator's run, which has failed.

    It is closed, unless its end was noted, and with that its alert is raised. Where
    the warehouse can't be reached the channels are told directly.
    """

    def note(connection: control.Connection) -> None:
        found = _of_orchestrator(connection, dag, name)
        if not found or found[1] == "running":
            run_id = _open(connection, dag, name)
            runs.close(connection, run_id, "failed", {}, why)

    _note_or_tell(note, f"{dag} failed: {why} ({name})", report)


def _of_orchestrator(
    connection: control.Connection, dag: str, name: str
) -> tuple[str, str] | None:
    """Id and state of the run that the orchestrator calls `name` of its `dag`."""
    return connection.execute(
        "select run_id, state from audit.run where orchestrated_by = %s",
        (f"{dag}/{name}",),
    ).fetchone()


def _open(connection: control.Connection, dag: str, name: str) -> str:
    return control.begin_orchestrated_run(connection, dag, dag, name)


def _note_or_tell(
    note: Callable[[control.Connection], None], message: str, report: Report
) -> None:
    """Note it in the control tables, or tell the channels if that can't be done."""
    try:
        with control.connect() as connection:
            control.prepare(connection)
            note(connection)
    except (SeedbedError, psycopg.Error) as error:
        report(f"the control tables can't be written: {first_line(error)}")
        for name, fault in alerts.tell_now("warehouse_down", message).items():
            report(f"{name} was not told: {fault}")


def validate(run_id: str, report: Report) -> None:
    """Let all that is loaded of the run's tables pass the gate.

    A table that the gate can't look at is noted as failed.
    """
    with control.connect() as connection:
        outcomes = _outcomes(connection, run_id)
        for outcome in outcomes:
            batch = control.pending(connection, outcome.table)
            if outcome.state == "loaded" and batch is not None:
                outcome.batches.append(batch)
    loaded = [o for o in outcomes if o.batches]
    for outcome in loaded:
        work = functools.partial(pipeline.decide, outcome, run_id)
        pipeline.isolate(outcome, work, report)
        report(pipeline.line(outcome))
        if outcome.error:
            report(str(outcome.error))
        elif reason := outcome.batches[-1].reason:
            report(f"{outcome.table.id} is blocked: {reason}")
    _note(run_id, loaded)
    gate.document(b for o in loaded for b in o.batches)
    gate.finish()


def plan_build(run_id: str, target: str) -> dict[str, Any] | None:
    """Plan the build of what follows from the run's tables; a `build.Plan`.

    None where no table is good.
    """
    with control.connect() as connection:
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
    """A build, by whatever runs dbt: one at a time, and noted as a step.

    The packages that it needs are there then.
    """
    packages.install(settings.ROOT, report)
    with (
        control.connect() as connection,
        control.build_lock(report),
        runlog.step(connection, run_id, "build"),
    ):
        yield


def look(run_id: str, folder: Path, since: datetime, target: str) -> list[str]:
    """Keep what dbt wrote to `folder`; selectors of what follows from its failures."""
    behind = build.behind_failures(folder, since)
    # Where dbt leaves them when it is typed, and where others look for them.
    (settings.ROOT / "target").mkdir(exist_ok=True)
    for name in ("manifest.json", "run_results.json"):
        shutil.copy(folder / name, settings.ROOT / "target")
    with control.connect() as connection:
        pipeline.look(connection, run_id, folder, since, target, _silent)
    return behind


def is_publishing() -> bool:
    """Whether a run publishes: the environment names a Snowflake."""
    return snowflake.is_configured()


def publish(run_id: str, report: Report) -> str:
    """Publish what the run has built to Snowflake; what it came to, in a line.

    Raises NotDoneError unless all of it was; the next publish goes on from there.
    """
    with control.connect() as connection:
        outcomes = _settled(connection, run_id)
    published = pipeline.publish_good(run_id, outcomes, False, report)
    if not published.ok:
        raise NotDoneError(
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
    faults: Sequence[str] = (),
) -> str:
    """Look at what was built, balance the ledger and close the run; its state.

    `plan` is None where nothing was to be built, `is_built` whether all of it was.
    `is_published` is false where Snowflake lacks what it should have by now, and
    `faults` are those that the orchestrator knows of.
    Raises NotDoneError, with what a person has to know, unless the run is done.
    """
    with control.connect() as connection:
        outcomes = _settled(connection, run_id)
        leaks: Sequence[object] = ()
        if plan is not None:
            done = build.Plan(**plan)
            with control.build_lock(report):
                leaks = pipeline.examine(connection, run_id, done.target, report)
            if is_built:
                build.finish(
                    connection, done, settings.ROOT / "target" / "manifest.json"
                )
        control.mark_released(connection, Lake(settings.ROOT))
        # An end that was cut off may have balanced before.
        connection.execute("delete from audit.ledger where run_id = %s", (run_id,))
        unbuilt: set[str] | None = set() if plan is not None and is_built else None
        balanced = pipeline.balance(connection, run_id, outcomes, unbuilt)
        is_sound = balanced and not leaks and (plan is None or is_built)
        is_sound = is_sound and is_published
        state = pipeline.state_of(outcomes, is_sound)
        failed = [str(o.error) for o in outcomes if o.error and o.is_bad]
        errors = "\n".join([*faults, *failed])
        noted = control.noted_tables(connection, run_id)
        retries = sum(n for _, _, n in noted.values())
        blocked = [
            f"{table_id} is blocked: {reason}"
            for table_id, reason in connection.execute(
                "select table_id, reason from audit.batch where run_id = %s "
                "and state = 'rejected' order by table_id, batch_seq",
                (run_id,),
            )
        ]
        runs.close(connection, run_id, state, {}, errors, retries)
    if state != "done":
        told = [*faults, *failed, *blocked]
        raise NotDoneError(
            f"run {run_id} is {state}: {'; '.join(told) or 'see its build'}. "
            "`./seedbed status` has all of it, and what to type."
        )
    return state


def _silent(line: str) -> None:
    """A report nobody reads."""


def _outcomes(connection: control.Connection, run_id: str) -> list[Outcome]:
    """The run's tables as they were noted last; their retries are noted already."""
    noted = control.noted_tables(connection, run_id)
    found = []
    for table in metadata.enabled(metadata.load(settings.ROOT)):
        if table.id in noted:
            state, error, _ = noted[table.id]
            told = SeedbedError(error) if error else None
            found.append(Outcome(table, state, error=told))
    return found


def _settled(connection: control.Connection, run_id: str) -> list[Outcome]:
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
    # Of what the seed has no more, nothing is waited for.
    connection.execute(
        "update audit.run_table set state = %s where run_id = %s and state = %s "
        "and table_id <> all(%s)",
        (_DISABLED, run_id, _WAITING, [o.table.id for o in outcomes]),
    )
    return outcomes


def _note(run_id: str, outcomes: Sequence[Outcome]) -> None:
    with control.connect() as connection:
        for outcome in outcomes:
            pipeline.note(connection, run_id, outcome)
