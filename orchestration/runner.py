"""A run and its steps, in order; `run`, at the end, takes all of them.

    begin → move → validate → build → prove → publish → end

The command line takes the steps in one process. Airflow has a task for each, which
finds the run again by its id: after each step the control tables have what the next
one has to know. What only such a run needs is in `orchestrated.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gx import gate, process
from ingest import control, drift, duck, load, retry, runlog, settings, stop, window
from ingest.control import Batch, Connection
from ingest.errors import ConfigurationError, NotDoneError, SeedbedError, ServiceError
from ingest.failpoints import reach
from ingest.lake import Lake
from ingest.runlog import Report
from ingest.seed import generate, metadata
from ingest.seed.metadata import Source, Table
from ingest.sources.kind import SourceTable
from ingest.statements import Statements
from ingest.window import Request
from orchestration import (
    artifacts,
    build,
    dbt_runner,
    move,
    probe,
    publish,
    results,
    runs,
    schedule,
    shown,
    silence,
    snowflake,
)
from orchestration.build import HERE, Built
from orchestration.outcome import BUSY, UNFOLLOWED, WAITING, Outcome, isolate, judge
from orchestration.publish import Published
from orchestration.watch import columns

STEPS = ("extract", "load", "validate")
_SQL = Statements(__file__)


@dataclass
class Run:
    """A run: all enabled tables, how far its own came, and what its steps found.

    State and exit code are known at its end. `lost` has the sources that were given
    up, each with the table that did so.
    """

    run_id: str
    everyone: list[Table]
    outcomes: list[Outcome]
    report: Report
    built: Built | None = None
    leaks: list[probe.Assertion] = field(default_factory=list)
    balanced: bool = False
    published: Published | None = None
    publish_error: SeedbedError | None = None
    state: str = "running"
    exit_code: int = 1
    seconds: dict[str, float] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    @classmethod
    def resume(cls, run_id: str, report: Report) -> Run:
        """The run as its last step has left it; without tables that the seed lost."""
        everyone = metadata.enabled(metadata.load(settings.ROOT))
        with control.connect() as connection:
            noted = control.noted_tables(connection, run_id)
            batches = _SQL.rows(connection, Batch, "batches", run_id=run_id)
        run = cls(run_id, everyone, [], runlog.telling(run_id, report))
        for table in (t for t in everyone if t.id in noted):
            state, error, _ = noted[table.id]
            own = [b for b in batches if b.table_id == table.id]
            failure = SeedbedError(error) if error else None
            run.outcomes.append(Outcome(table, state, own, failure))
        return run

    def note(self, *outcomes: Outcome) -> None:
        """Note in the control tables how far the tables came."""

        def write() -> None:
            with control.connect() as connection:
                for one in outcomes:
                    error, more = str(one.error or ""), one.retries - one.noted
                    control.note_table(
                        connection, self.run_id, one.table, one.state, error, more
                    )
                    one.noted = one.retries

        retry.persist(write, "the control tables", self.report)

    def begin(self, *, is_reading: bool) -> None:
        """Bring seed and logs up to date, and note the run's tables.

        `is_reading`: they are read from their sources, which the seed follows first.
        A table whose source it can't follow is not moved.
        """
        with runs.timed(self.run_id, "move"), control.connect() as connection:
            if is_reading:
                self._follow_sources(connection)
            control.know(connection, self.everyone)
            self._prepare_logs()
        for outcome in self.outcomes:
            if outcome.error and outcome.state != BUSY:
                outcome.state = UNFOLLOWED
        self.note(*self.outcomes)

    def _follow_sources(self, connection: Connection) -> None:
        """Let the seed follow its sources; the outcomes get their tables and errors."""

        def read(there: Source, tables: Sequence[Table]) -> dict[str, SourceTable]:
            def tell(line: str) -> None:
                next(o for o in self.outcomes if o.table.source == there).retries += 1
                self.report(line)

            name = f"source {there.name}"
            look = functools.partial(drift.catalogue, there, tables)
            return retry.persist(look, name, tell)

        tables = [o.table for o in self.outcomes]
        followed = drift.follow(connection, settings.ROOT, self.run_id, tables, read)
        if followed.is_written:
            self.everyone = metadata.enabled(metadata.load(settings.ROOT))
        for outcome, table in zip(self.outcomes, followed.tables, strict=True):
            outcome.table = table
            outcome.error = followed.errors.get(table.id)

    def _prepare_logs(self) -> None:
        """Bring each table's log in line with the seed.

        Models of tables that are not moved now need their logs as well; a fault is
        reported by the run that moves the table.
        """

        def prepare(table: Table) -> None:
            with control.connect() as connection:
                load.prepare(connection, table)

        moved = {o.table.id: o for o in self.outcomes}
        for table in self.everyone:
            outcome = moved.get(table.id, Outcome(table))
            if not outcome.error:
                isolate(outcome, functools.partial(prepare, table), self.report)

    def move(
        self, steps: Sequence[str], *, jobs: int = 1, request: Request | None = None
    ) -> None:
        """Take the tables through the steps, `jobs` at once, each by itself."""
        ready = {o.table.id: o for o in self.outcomes if o.error is None}

        def one(table: Table, is_read: Callable[[], None]) -> None:
            outcome = ready[table.id]

            def attempt() -> None:
                self._assert_not_lost(table.source)
                with control.connect() as own, control.table_lock(table):
                    move.move(own, outcome, self.run_id, steps, request, is_read)

            isolate(outcome, attempt, self.report)
            if outcome.error and retry.is_source_lost(outcome.error):
                self.lost.setdefault(table.source.name, table.id)
            self.note(outcome)
            if outcome.state != "loaded" or "validate" not in steps:
                self.report(str(outcome))

        def cancel() -> None:
            duck.interrupt()
            control.cancel()

        tables = [o.table for o in ready.values()]
        sources = {t.source for t in tables} if "extract" in steps else ()
        with runs.timed(self.run_id, "move"), silence.bounded(sources):
            schedule.each(tables, one, jobs, cancel)

    def _assert_not_lost(self, source: Source) -> None:
        if source.name in self.lost:
            raise ServiceError(
                f"source {source.name} can't be reached any more: after "
                f"{retry.ATTEMPTS} tries {self.lost[source.name]} was given up, and "
                "with it what was left of this source. Nothing was lost.",
                "Run again when the source is back.",
            )

    def validate(self) -> None:
        """Let what is loaded pass the gate, one table after the other."""

        def decide(outcome: Outcome) -> None:
            with control.connect() as own, control.table_lock(outcome.table):
                move.decide(own, outcome, self.run_id)

        with runs.timed(self.run_id, "gate"):
            for outcome in self.outcomes:
                if outcome.state == "loaded" and outcome.batches:
                    stop.check()
                    isolate(outcome, functools.partial(decide, outcome), self.report)
                    self.note(outcome)
                    self.report(str(outcome))
            gate.document(b for o in self.outcomes for b in o.batches)

    def is_something_good(self) -> bool:
        """Whether there is something to build: not where no table is good."""
        return not self.outcomes or any(o.is_good for o in self.outcomes)

    def left_out(self, connection: Connection) -> list[Table]:
        """The tables whose descendants a build leaves as they are.

        Those that are bad, and those that another run is still working on: it builds
        when it is done. What another run has finished meanwhile is built, so that of
        several runs the last one leaves nothing out.
        """
        return [
            o.table
            for o in self.outcomes
            if o.is_bad
            or (o.state == BUSY and not control.is_settled(connection, o.table))
        ]

    @contextmanager
    def alone(self, step: str) -> Iterator[Connection]:
        """A build, by whatever runs dbt, or publishing: one at a time, and noted."""
        with (
            control.connect() as connection,
            control.build_lock(self.report),
            runs.timed(self.run_id, step),
            runlog.step(connection, self.run_id, step),
        ):
            yield connection

    def build(self, *, everything: bool = False) -> None:
        """Build what follows from the tables, or all models, and keep what dbt saw.

        Raises NotDoneError, once all is noted, where not all of it could be built.
        """
        with self.alone("build") as connection:
            began = datetime.now(UTC)
            self.built = build.build(
                connection,
                self.left_out(connection),
                everything=everything,
                target=HERE,
                report=self.report,
            )
            self.look(connection, began)
            if not self.built.ok:
                raise NotDoneError("\n".join(self.built.failures))
        reach("after_build")

    def look(
        self, connection: Connection, since: datetime, folder: Path | None = None
    ) -> None:
        """Keep what dbt's tests saw, and what the models' columns come from."""
        folder = folder or artifacts.folder(HERE)
        found = results.record(
            connection, self.run_id, self.everyone, folder, since, HERE
        )
        columns.keep(artifacts.manifest(folder))
        results.store_failures(connection, found, HERE, self.report)

    def prove(self, unbuilt: Collection[str] | None) -> bool:
        """Look at what is built as each role, balance the ledger; whether all is well.

        `unbuilt` names the models that failed or were skipped, so that their tables'
        silver is that of an earlier run; None where nothing was built, so that there
        is nothing new to look at. May be done again.
        """
        with control.connect() as connection:
            if unbuilt is not None:
                with control.build_lock(self.report), runs.timed(self.run_id, "build"):
                    self._examine(connection)
            with runs.timed(self.run_id, "ledger"):
                control.mark_released(connection, Lake(settings.ROOT))
                self._balance(connection, unbuilt)
        return self.balanced and not self.leaks

    def _examine(self, connection: Connection) -> None:
        """How fresh and how good what is built is, and what each role sees of it."""
        if results.is_something_stale(connection):
            began = datetime.now(UTC)
            build.run_dbt(["source", "freshness", "--target", HERE], self.report)
            folder = artifacts.folder(HERE)
            results.record(connection, self.run_id, self.everyone, folder, began, HERE)
        results.score(connection, self.run_id, self.everyone)
        is_built = self.built is None or bool(self.built.counts)
        self.leaks = probe.probe(connection, self.run_id, is_built=is_built)

    def _balance(self, connection: Connection, unbuilt: Collection[str] | None) -> None:
        """Write the ledger's identities of the run, and see whether all hold."""
        # A try before this one may have been cut off.
        _SQL.run(connection, "forget", run_id=self.run_id)
        control.balance(connection, self.run_id)
        for table in (o.table for o in self.outcomes if o.is_good):
            released = control.released(connection, table)
            own = {table.model, *table.generated_names}
            if unbuilt is not None and own.isdisjoint(unbuilt) and released.through:
                found = shown.compare_changed(connection, table, released)
                of = {"run_id": self.run_id, "table_id": table.id}
                of["identity"] = shown.IDENTITY
                _SQL.run(connection, "balance", **of, **vars(found))
        held = control.identities(connection, self.run_id)
        self.balanced = all(row["holds"] for row in held)

    def publish(self, *, everything: bool = False) -> None:
        """Publish what is built to Snowflake; tables that are not good are left out.

        Raises NotDoneError where not all of it could be built there.
        """
        with self.alone("publish") as connection:
            self.published = publish.publish(
                connection,
                self.run_id,
                self.left_out(connection),
                everything=everything,
                report=self.report,
            )
            if not self.published.ok:
                raise NotDoneError("\n".join(self.published.built.failures))

    def end(self, is_proven: bool, faults: Sequence[SeedbedError] = ()) -> None:
        """Close the run; `faults` are those of its build and of publishing."""
        for outcome in self.outcomes:
            if outcome.state in (WAITING, UNFOLLOWED):
                outcome.state = "failed"
                outcome.error = outcome.error or SeedbedError(
                    f"{outcome.table.id}: its task did not come to an end; the log of "
                    "the task says why."
                )
        self.note(*self.outcomes)
        self.state, self.exit_code, errors = judge(self.outcomes, is_proven, faults)
        with control.connect() as connection:
            noted = control.noted_tables(connection, self.run_id)
            self.seconds = runs.close(
                connection,
                self.run_id,
                self.state,
                "\n".join(map(str, errors)),
                sum(retries for _, _, retries in noted.values()),
            )


def check(
    tables: Sequence[Table] = (),
    *,
    is_reading: bool = False,
    request: Request | None = None,
) -> list[Table]:
    """All enabled tables; ConfigurationError for what can be known beforehand.

    The models have to be what the seed says; where tables are to be read, lake and
    sources need an address; and what a request asks for has to be possible.
    """
    everyone = metadata.load(settings.ROOT)
    changes = generate.plan(settings.ROOT, everyone)
    if not changes.is_empty:
        raise ConfigurationError(
            f"the generated models are not what the metadata seed says "
            f"({len(changes.write)} to write, {len(changes.delete)} to delete).",
            "Type `./seedbed generate`, look at the difference, and run again.",
        )
    for table in tables:
        if request:
            window.assert_possible(table, request.kind)
        if is_reading:
            settings.lake()
            settings.source_url(table.source)
    return metadata.enabled(everyone)


def run(
    tables: Sequence[Table],
    *,
    command: str,
    steps: Sequence[str] = STEPS,
    with_build: bool = True,
    everything: bool = False,
    target: str | None = None,
    jobs: int = 2,
    request: Request | None = None,
    report: Report = lambda line: None,
) -> Run:
    """Take the tables through the steps, then build, prove, publish and end the run.

    With a `request`, what it asks for is read rather than what is new. Publishing
    follows a good build where Snowflake is configured, unless `target` is postgres.
    A table's failure or block is in its outcome, Snowflake's in `publish_error`; only
    what concerns all of them (the warehouse out of reach, dbt unable to start) is
    raised.
    """
    is_reading = "extract" in steps
    everyone = check(tables, is_reading=is_reading, request=request)
    outcomes = [Outcome(table) for table in tables]
    # The run's lock lives as long as this connection; each step has its own.
    with retry.persist(control.connect, "the warehouse", report) as connection:
        control.prepare(connection)
        with runs.opened(connection, command) as run_id:
            found = Run(run_id, everyone, outcomes, runlog.telling(run_id, report))
            found.begin(is_reading=is_reading)
            found.move(steps, jobs=jobs, request=request)
            if "validate" in steps:
                if with_build and process.is_starting():
                    dbt_runner.import_dbt()  # while the gate's process imports as well
                found.validate()
            faults: list[SeedbedError] = []
            if with_build and found.is_something_good():
                try:
                    found.build(everything=everything)
                except NotDoneError as error:
                    faults.append(error)
            is_proven = found.prove(found.built.unbuilt if found.built else None)
            gate.finish()
            is_due = found.built and is_proven and not faults and target != HERE
            if is_due and snowflake.is_configured():
                try:
                    found.publish(everything=everything)
                except SeedbedError as error:
                    found.publish_error = error
                    faults.append(error)
            found.end(is_proven, faults)
    return found
