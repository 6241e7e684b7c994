"""The pipeline: the steps in order, failures isolated by table.

`move` takes one table from its source to a decision of the gate; `run` does so
for all tables, builds what follows, balances the ledger and closes the run.
Command line and orchestrator call the same functions.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from gx import gate, process
from ingest import (
    control,
    drift,
    duck,
    load,
    retry,
    runlog,
    settings,
    stop,
    window,
)
from ingest import extract as extraction
from ingest.control import Batch, Connection
from ingest.errors import ConfigurationError, SeedbedError, ServiceError, first_line
from ingest.failpoints import reach
from ingest.lake import Lake
from ingest.seed import generate, metadata
from ingest.seed.metadata import Source, Table
from ingest.sources.mysql import catalogue
from orchestration import (
    artifacts,
    build,
    probe,
    publish,
    results,
    runs,
    schedule,
    shown,
    silence,
    snowflake,
)
from orchestration.publish import Published
from orchestration.watch import columns, outbox

STEPS = ("extract", "load", "validate")
HERE = "postgres"
Report = Callable[[str], None]


def _nothing() -> None:
    pass


@dataclass
class Outcome:
    """How far a table came: `state` is its last batch's, `busy` or `failed`.

    `planned` is the number of the batch that this run has planned, 0 before.
    """

    table: Table
    state: str = "failed"
    batches: list[Batch] = field(default_factory=list)
    error: SeedbedError | None = None
    retries: int = 0
    planned: int = 0

    @property
    def is_good(self) -> bool:
        """Whether this run has brought the table to where it should be."""
        return not self.is_bad and self.state != "busy"

    @property
    def is_bad(self) -> bool:
        """Whether what follows from the table keeps its last good state."""
        return self.state in ("failed", "rejected")


@dataclass
class RunResult:
    """A finished run; `state` is done, blocked or failed."""

    run_id: str
    state: str
    outcomes: list[Outcome]
    built: build.Built | None
    leaks: list[probe.Assertion]
    seconds: dict[str, float]
    balanced: bool
    published: Published | None = None
    publish_error: SeedbedError | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of the command line."""
        errors = [o.error for o in self.outcomes if o.error]
        none_good = not any(o.is_good for o in self.outcomes)
        if errors and none_good and all(isinstance(e, ServiceError) for e in errors):
            return ServiceError.exit_code
        rest_is_good = all(o.state == "released" for o in self.outcomes)
        if self.publish_error and rest_is_good and self.balanced:
            return self.publish_error.exit_code
        # What is skipped for another run's sake is not done, though nothing failed.
        is_whole = all(o.state != "busy" for o in self.outcomes)
        return 0 if self.state == "done" and is_whole else 1


def run(
    tables: Sequence[Table],
    *,
    command: str,
    steps: Sequence[str] = STEPS,
    with_build: bool = True,
    everything: bool = False,
    target: str | None = None,
    jobs: int = 2,
    request: window.Request | None = None,
    report: Report = lambda line: None,
) -> RunResult:
    """Take the tables through the steps, then build and publish, and close the run.

    With a `request`, what it asks for is read rather than what is new. Publishing
    follows a good build where Snowflake is configured, unless `target` is postgres.

    A table's failure or block is in its outcome, Snowflake's in `publish_error`; only
    what concerns all of them (the warehouse out of reach, dbt unable to start) is
    raised.
    """
    everyone = assert_generated()
    if request:
        for table in tables:
            window.assert_possible(table, request.kind)
    if "extract" in steps:
        # A wrong address is found before anything is planned.
        settings.lake()
        for table in tables:
            settings.source_url(table.source)
    outcomes = [Outcome(table) for table in tables]
    # The run's lock lives as long as this connection; each step has its own.
    with retry.persist(control.connect, "the warehouse", report) as connection:
        control.prepare(connection)
        run_id = control.begin_run(connection, command)
        report = runlog.telling(run_id, report)
        seconds: dict[str, float] = {}
        try:
            started = time.monotonic()
            if "extract" in steps:
                everyone = follow_sources(connection, run_id, outcomes, report)
            control.know(connection, everyone)
            prepare_logs(everyone, outcomes, report)
            seconds |= {"move": 0.0, "gate": 0.0}
            due = list(outcomes)
            while due:
                _move_all(due, run_id, steps, jobs, report, request)
                seconds["move"] += time.monotonic() - started
                started = time.monotonic()
                due = _gate(due, run_id, steps, with_build, report)
                seconds["gate"] += time.monotonic() - started
                started = time.monotonic()
            gate.document(b for o in outcomes for b in o.batches)
            built = None
            leaks: list[probe.Assertion] = []
            if with_build:
                started = time.monotonic()
                built, leaks = _build(outcomes, run_id, everything, report)
                seconds["build"] = time.monotonic() - started
                reach("after_build")
            started = time.monotonic()
            with control.connect() as own:
                control.mark_released(own, Lake(settings.ROOT))
                unbuilt = built.unbuilt if built is not None else None
                balanced = balance(own, run_id, outcomes, unbuilt)
            gate.finish()
            seconds["ledger"] = time.monotonic() - started
            published, publish_error = None, None
            if (
                built
                and built.ok
                and not leaks
                and target != HERE
                and snowflake.is_configured()
            ):
                started = time.monotonic()
                try:
                    published = publish_good(run_id, outcomes, everything, report)
                except SeedbedError as error:
                    publish_error = error
                seconds["publish"] = time.monotonic() - started
        except BaseException as error:
            told = str(error) or type(error).__name__
            with suppress(SeedbedError, psycopg.Error), control.connect() as own:
                runs.close(own, run_id, "failed", seconds, told)
            raise
        is_unbuilt = built is not None and not built.ok
        is_sound = balanced and not leaks and not is_unbuilt
        state = state_of(outcomes, is_sound)
        if publish_error or (published and not published.ok):
            state = "failed"
        faults = [*(o.error for o in outcomes if o.is_bad), publish_error]
        errors = "\n".join(str(fault) for fault in faults if fault)
        retries = sum(o.retries for o in outcomes)
        with control.connect() as own:
            for outcome in outcomes:
                note(own, run_id, outcome)
            runs.close(own, run_id, state, seconds, errors, retries)
    return RunResult(
        run_id,
        state,
        outcomes,
        built,
        leaks,
        seconds,
        balanced,
        published,
        publish_error,
    )


def assert_generated() -> list[Table]:
    """All enabled tables; refuse to work with models that are not what they say."""
    tables = metadata.load(settings.ROOT)
    changes = generate.plan(settings.ROOT, tables)
    if not changes.is_empty:
        raise ConfigurationError(
            f"the generated models are not what the metadata seed says "
            f"({len(changes.write)} to write, {len(changes.delete)} to delete). Run "
            "`./seedbed generate`, look at the difference, and run again."
        )
    return metadata.enabled(tables)


def state_of(outcomes: Sequence[Outcome], is_sound: bool) -> str:
    """What a run came to: done, blocked or failed.

    `is_sound`: the models were built, nobody sees too much, the ledger balances.
    """
    if not is_sound or any(o.state == "failed" for o in outcomes):
        return "failed"
    return "blocked" if any(o.state == "rejected" for o in outcomes) else "done"


def note(connection: Connection, run_id: str, outcome: Outcome) -> None:
    """Note in the control tables how far a table came."""
    error = str(outcome.error or "")
    control.note_table(
        connection, run_id, outcome.table, outcome.state, error, outcome.retries
    )


def prepare_logs(
    everyone: Sequence[Table], outcomes: Sequence[Outcome], report: Report
) -> None:
    """Bring each table's log in line with the seed.

    Models of tables that are not moved now need their logs as well; a fault is
    told by the run that moves the table.
    """
    moved = {o.table.id: o for o in outcomes}

    def prepare(table: Table) -> None:
        with control.connect() as connection:
            load.prepare(connection, table)

    for table in everyone:
        outcome = moved.get(table.id, Outcome(table))
        if outcome.error:
            continue
        isolate(outcome, functools.partial(prepare, table), report)


def isolate(outcome: Outcome, work: Callable[[], None], report: Report) -> None:
    """Do `work`, again where that may help; what it fails of is in the outcome."""

    def tell(line: str) -> None:
        outcome.retries += 1
        report(line)

    try:
        retry.persist(work, outcome.table.id, tell)
    except control.Busy as error:
        outcome.state, outcome.error = "busy", error
    except SeedbedError as error:
        outcome.state, outcome.error = "failed", error
        if who := control.locked_by(error):
            outcome.error = type(error)(f"{error.what} {who}.", error.hint)
    except psycopg.Error as error:
        outcome.state = "failed"
        who = control.locked_by(error)
        told = SeedbedError(
            f"{outcome.table.id}: the warehouse refused: {first_line(error)}. "
            + (f"{who}. " if who else "")
            + retry.what_next(
                error, "What was under way was rolled back; nothing was lost."
            )
        )
        told.__cause__ = error
        outcome.error = told
    except Exception as error:
        outcome.state = "failed"
        outcome.error = runlog.unforeseen(outcome.table.id, error)


def follow_sources(
    connection: Connection,
    run_id: str,
    outcomes: Sequence[Outcome],
    report: Report,
) -> list[Table]:
    """Let the seed follow its sources; the outcomes get their tables and errors.

    Returns all enabled tables as the seed has them now.
    """

    def read(there: Source) -> dict[str, catalogue.SourceTable]:
        def tell(line: str) -> None:
            next(o for o in outcomes if o.table.source == there).retries += 1
            report(line)

        name = f"source {there.name}"
        return retry.persist(functools.partial(catalogue.read, there), name, tell)

    tables = [o.table for o in outcomes]
    followed = drift.follow(connection, settings.ROOT, run_id, tables, read)
    if followed.is_written:
        build.forget()
    for outcome, table in zip(outcomes, followed.tables, strict=True):
        outcome.table = table
        outcome.error = followed.errors.get(table.id)
    return metadata.enabled(metadata.load(settings.ROOT))


def _move_all(
    outcomes: Sequence[Outcome],
    run_id: str,
    steps: Sequence[str],
    jobs: int,
    report: Report,
    request: window.Request | None,
) -> None:
    ready = {o.table.id: o for o in outcomes if o.error is None}
    lost: dict[str, str] = {}  # by source: the table that gave up on it

    def one(table: Table, is_read: Callable[[], None]) -> None:
        outcome = ready[table.id]

        def attempt() -> None:
            if table.source.name in lost:
                raise ServiceError(
                    f"source {table.source.name} can't be reached any more: after "
                    f"{retry.ATTEMPTS} tries {lost[table.source.name]} was given up, "
                    "and with it what was left of this source. Nothing was lost; run "
                    "again when the source is back."
                )
            with control.connect() as own, control.table_lock(table):
                move(own, outcome, run_id, steps, request, is_read)

        isolate(outcome, attempt, report)
        if outcome.error and retry.is_source_lost(outcome.error):
            lost.setdefault(table.source.name, table.id)
        if outcome.state != "loaded" or "validate" not in steps:
            report(line(outcome))

    def cancel() -> None:
        duck.interrupt()
        control.cancel()

    tables = [o.table for o in ready.values()]
    with silence.bounded({t.source for t in tables} if "extract" in steps else ()):
        schedule.each(tables, one, jobs, cancel)


def _gate(
    outcomes: Sequence[Outcome],
    run_id: str,
    steps: Sequence[str],
    with_build: bool,
    report: Report,
) -> list[Outcome]:
    """Let what is loaded pass the gate, one table after the other.

    Returns the tables that have decided now on what an earlier run left, and whose
    next batch is still to be read.
    """
    due: list[Outcome] = []
    if "validate" not in steps:
        return due
    loaded = [o for o in outcomes if o.state == "loaded" and o.error is None]
    if with_build and process.is_starting():
        build.import_dbt()  # beside Great Expectations, which is imported, too
    for outcome in loaded:
        stop.check()
        isolate(outcome, functools.partial(decide, outcome, run_id), report)
        report(line(outcome))
        is_older = outcome.batches[-1].batch_seq != outcome.planned
        if is_older and outcome.state == "released" and "extract" in steps:
            due.append(outcome)
    return due


def decide(outcome: Outcome, run_id: str) -> None:
    """Let a loaded table's last batch pass the gate, or be rejected."""
    table, batch = outcome.table, outcome.batches[-1]
    with control.connect() as connection, control.table_lock(table):
        batch = control.batch(connection, table.id, batch.batch_seq)
        if batch.state == "loaded":  # else a run in between has decided
            with runlog.step(connection, run_id, "validate", table.id, batch.batch_seq):
                batch = gate.decide(connection, table, batch, run_id)
            reach("after_gate")
        if batch.state == "rejected":
            outbox.send_later()
        outcome.batches[-1], outcome.state = batch, batch.state


def line(outcome: Outcome) -> str:
    """What a person reads of a table that is done."""
    counts = ""
    if outcome.batches:
        read = sum(b.rows_read or 0 for b in outcome.batches)
        loaded = sum(b.rows_loaded or 0 for b in outcome.batches)
        counts = f": {read:,} rows read, {loaded:,} loaded"
    if outcome.retries:
        counts += f" ({outcome.retries} retries)"
    return f"{outcome.table.id} {outcome.state}{counts}"


def move(
    connection: Connection,
    outcome: Outcome,
    run_id: str,
    steps: Sequence[str],
    request: window.Request | None = None,
    is_read: Callable[[], None] = _nothing,
) -> None:
    """Take a table through the steps: what an earlier run left, then a new batch.

    May be called again after it failed, and goes on with what it had planned.
    `is_read` is called once the source is done with.
    """
    table = outcome.table
    batch = _resume(connection, table, run_id, "extract" in steps)
    if batch is not None:
        # An older one's rows are not yet those that a parent has to wait for.
        told = is_read if batch.batch_seq == outcome.planned else _nothing
        batch = _advance(connection, table, batch, run_id, steps, told)
        outcome.batches.append(batch)
        outcome.state = batch.state
        if outcome.state != "released":
            return
    through = control.released(connection, table).through
    if "extract" in steps and not 0 < outcome.planned <= through:
        stop.check()
        batch = window.plan(connection, table, run_id, request)
        outcome.planned = batch.batch_seq
        reach("after_plan")
        batch = _advance(connection, table, batch, run_id, steps, is_read)
        outcome.batches.append(batch)
    outcome.state = outcome.batches[-1].state if outcome.batches else "released"


def _resume(
    connection: Connection, table: Table, run_id: str, is_reading: bool
) -> Batch | None:
    """The batch that an earlier run left, unless it must be read anew.

    A run that reads nothing leaves such a batch as it is, and fails.
    """
    batch = control.pending(connection, table)
    if batch is None:
        return None
    seed_changed = batch.fingerprint != table.fingerprint("bytes")
    lost = batch.state == "extracted" and (
        Lake(settings.ROOT).manifest(batch.manifest_key) is None
    )
    if batch.state != "loaded" and (seed_changed or lost):
        if batch.state == "extracted" and not is_reading:
            why = (
                f"its manifest {batch.manifest_key} is not in the lake"
                if lost
                else "it was read as the metadata seed was before"
            )
            raise SeedbedError(
                f"{table.id}: batch {batch.batch_seq} can't be loaded: {why}. What was "
                "loaded before stays as it is. The next run that reads from the source "
                "reads the batch's window again: `./seedbed run`, or the DAG "
                "source_to_lake."
            )
        control.discard(connection, batch)
        return None
    control.adopt(connection, batch, run_id)
    return control.batch(connection, table.id, batch.batch_seq)


def _advance(
    connection: Connection,
    table: Table,
    batch: Batch,
    run_id: str,
    steps: Sequence[str],
    is_read: Callable[[], None],
) -> Batch:
    step = functools.partial(runlog.step, connection, run_id)
    here = table.id, batch.batch_seq
    with load.Loading(table) as loading:
        if batch.state == "planned" and "extract" in steps:
            stop.check()
            ahead = loading if "load" in steps else None
            with step("extract", *here):
                batch = extraction.extract(connection, table, batch, ahead)
            reach("after_extract")
            if "validate" in steps and gate.needs_process(batch):
                process.start()
        is_read()
        stop.check()
        if batch.state == "extracted" and "load" in steps:
            with step("load", *here):
                batch = load.load(connection, table, batch, loading)
            reach("after_load")
    return batch


def _build(
    outcomes: Sequence[Outcome],
    run_id: str,
    everything: bool,
    report: Report,
) -> tuple[build.Built | None, list[probe.Assertion]]:
    """Build, and look at what is built as each role, before anyone builds on."""
    if outcomes and not any(o.is_good for o in outcomes):
        return None, []
    began = datetime.now(UTC)
    with control.connect() as connection, control.build_lock(report):
        with runlog.step(connection, run_id, "build"):
            built = build.build(
                connection,
                left_out(connection, outcomes),
                everything=everything,
                target=HERE,
                report=report,
            )
        folder = artifacts.folder(HERE)
        look(connection, run_id, folder, began, HERE, report)
        return built, examine(connection, run_id, HERE, report)


def left_out(connection: Connection, outcomes: Sequence[Outcome]) -> list[Table]:
    """The tables whose descendants a build leaves as they are.

    Those that are bad, and those that another run is still working on: it builds when
    it is done. What another run has finished meanwhile is built, so that of several
    runs the last one leaves nothing out.
    """
    return [
        o.table
        for o in outcomes
        if o.is_bad
        or (o.state == "busy" and not control.is_settled(connection, o.table))
    ]


def publish_good(
    run_id: str, outcomes: Sequence[Outcome], everything: bool, report: Report
) -> Published:
    """Publish what was built to Snowflake; tables that are not good are left out."""
    with (
        control.connect() as connection,
        control.build_lock(report),
        runlog.step(connection, run_id, "publish"),
    ):
        return publish.publish(
            connection,
            run_id,
            left_out(connection, outcomes),
            everything=everything,
            report=report,
        )


def look(
    connection: Connection,
    run_id: str,
    folder: Path,
    since: datetime,
    target: str,
    report: Report,
) -> None:
    """Keep what dbt's tests saw, as the files that it wrote to `folder` say.

    What the models' columns come from is kept as well.
    """
    everyone = metadata.enabled(metadata.load(settings.ROOT))
    found = results.record(connection, run_id, everyone, folder, since, target)
    columns.keep(artifacts.manifest(folder))
    results.store_failures(connection, found, target, report)


def examine(
    connection: Connection, run_id: str, target: str, report: Report
) -> list[probe.Assertion]:
    """Look at what is built: how fresh and how good it is, and who sees it."""
    everyone = metadata.enabled(metadata.load(settings.ROOT))
    if results.is_something_stale(connection, everyone):
        began = datetime.now(UTC)
        build.run_dbt(["source", "freshness", "--target", target], report)
        folder = artifacts.folder(target)
        results.record(connection, run_id, everyone, folder, began, target)
    results.score(connection, run_id, everyone)
    return probe.probe(connection, run_id)


def balance(
    connection: Connection,
    run_id: str,
    outcomes: Sequence[Outcome],
    unbuilt: Collection[str] | None,
) -> bool:
    """Write the ledger's identities of this run; return whether all hold.

    `unbuilt` names the models that failed or were skipped: their tables' silver is
    that of an earlier run. None where nothing was built.
    """
    control.balance(connection, run_id)
    for outcome in outcomes:
        released = control.released(connection, outcome.table)
        table = outcome.table
        is_built = unbuilt is not None and not {
            table.model,
            *table.generated_names,
        }.intersection(unbuilt)
        if is_built and outcome.is_good and released.through:
            found = shown.compare(connection, outcome.table, released)
            connection.execute(
                "insert into audit.ledger (run_id, table_id, identity, left_rows, "
                "right_rows, sample) values (%s, %s, %s, %s, %s, nullif(%s, ''))",
                (
                    run_id,
                    outcome.table.id,
                    shown.IDENTITY,
                    found.in_log,
                    found.in_silver,
                    found.sample,
                ),
            )
    return all(row["holds"] for row in control.identities(connection, run_id))
