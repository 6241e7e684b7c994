"""The pipeline: the steps in order, failures isolated by table.

`move` takes one table from its source to a decision of the gate; `run` does so
for all tables, builds what follows, balances the ledger and closes the run.
Command line and orchestrator call the same functions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from ingest import (
    build,
    drift,
    generate,
    ledger,
    load,
    log,
    metadata,
    settings,
    validate,
    window,
)
from ingest import extract as extraction
from ingest.errors import ConfigurationError, SeedbedError, ServiceError, first_line
from ingest.killpoints import reach
from ingest.lake import Lake
from ingest.ledger import Batch, Connection
from ingest.metadata import Table

STEPS = ("extract", "load", "validate")
Report = Callable[[str], None]


@dataclass
class Outcome:
    """How far a table came: `state` is its last batch's, `busy` or `failed`."""

    table: Table
    state: str = "failed"
    batches: list[Batch] = field(default_factory=list)
    error: SeedbedError | None = None

    @property
    def is_good(self) -> bool:
        """Whether what follows from the table may be built."""
        return self.state not in ("failed", "rejected", "busy")


@dataclass
class RunResult:
    """A finished run; `state` is done, blocked or failed."""

    run_id: str
    state: str
    outcomes: list[Outcome]
    built: build.Built | None
    seconds: dict[str, float]
    balanced: bool

    @property
    def exit_code(self) -> int:
        """The exit code of the command line."""
        errors = [o.error for o in self.outcomes if o.error]
        none_good = not any(o.is_good for o in self.outcomes)
        if errors and none_good and all(isinstance(e, ServiceError) for e in errors):
            return ServiceError.exit_code
        return 0 if self.state == "done" else 1


def run(
    tables: Sequence[Table],
    *,
    command: str,
    steps: Sequence[str] = STEPS,
    with_build: bool = True,
    everything: bool = False,
    target: str = "postgres",
    jobs: int = 2,
    request: window.Request | None = None,
    report: Report = lambda line: None,
) -> RunResult:
    """Take the tables through the steps, then build, and close the run.

    With a `request`, what it asks for is read rather than what is new.

    A table's failure or block is in its outcome; only what concerns all of them
    (the warehouse out of reach, dbt unable to start) is raised.
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
    with ledger.connect() as connection:
        ledger.prepare(connection)
        run_id = ledger.begin_run(connection, command)
        seconds: dict[str, float] = {}
        try:
            started = time.monotonic()
            errors: dict[str, SeedbedError] = {}
            if "extract" in steps:
                drifted = drift.follow(connection, settings.ROOT, run_id, tables)
                tables, errors = drifted.tables, drifted.errors
                everyone = metadata.enabled(metadata.load(settings.ROOT))
            for table in everyone:
                # Models of tables that are not moved now need their logs as well;
                # a fault is told by the run that moves the table.
                with suppress(SeedbedError):
                    load.prepare(connection, table)
            outcomes = _move_all(tables, errors, run_id, steps, jobs, report, request)
            seconds["move"] = time.monotonic() - started
            built = None
            if with_build:
                started = time.monotonic()
                built = _build(connection, outcomes, everything, target, report)
                seconds["build"] = time.monotonic() - started
                reach("after_build")
            started = time.monotonic()
            balanced = _balance(connection, run_id, outcomes, built)
            seconds["ledger"] = time.monotonic() - started
        except BaseException as error:
            ledger.end_run(connection, run_id, "failed", seconds, str(error))
            raise
        state = _state(outcomes, built, balanced)
        told = "\n".join(str(o.error) for o in outcomes if o.error)
        ledger.end_run(connection, run_id, state, seconds, told)
    return RunResult(run_id, state, outcomes, built, seconds, balanced)


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


def _state(
    outcomes: Sequence[Outcome], built: build.Built | None, balanced: bool
) -> str:
    failed = any(o.state == "failed" for o in outcomes)
    if failed or not balanced or (built is not None and not built.ok):
        return "failed"
    return "blocked" if any(o.state == "rejected" for o in outcomes) else "done"


def _move_all(
    tables: Sequence[Table],
    errors: Mapping[str, SeedbedError],
    run_id: str,
    steps: Sequence[str],
    jobs: int,
    report: Report,
    request: window.Request | None,
) -> list[Outcome]:
    outcomes = {t.id: Outcome(t, error=errors.get(t.id)) for t in tables}
    ready = [t for t in tables if outcomes[t.id].error is None]

    def one(table: Table) -> None:
        outcome = outcomes[table.id]
        try:
            with ledger.connect() as own, ledger.table_lock(table):
                load.prepare(own, table)
                move(own, outcome, run_id, steps, request)
        except ledger.Busy as error:
            outcome.state, outcome.error = "busy", error
        except SeedbedError as error:
            outcome.state, outcome.error = "failed", error
        except psycopg.Error as error:
            outcome.state = "failed"
            outcome.error = SeedbedError(
                f"{table.id}: the warehouse refused: {first_line(error)}. What was "
                "under way was rolled back; run again, nothing was lost."
            )
        report(_line(outcome))

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, ready))
    return list(outcomes.values())


def _line(outcome: Outcome) -> str:
    counts = ""
    if outcome.batches:
        read = sum(b.rows_read or 0 for b in outcome.batches)
        loaded = sum(b.rows_loaded or 0 for b in outcome.batches)
        counts = f": {read:,} rows read, {loaded:,} loaded"
    return f"{outcome.table.id} {outcome.state}{counts}"


def move(
    connection: Connection,
    outcome: Outcome,
    run_id: str,
    steps: Sequence[str],
    request: window.Request | None = None,
) -> None:
    """Take a table through the steps: what an earlier run left, then a new batch."""
    table = outcome.table
    batch = _resume(connection, table, run_id)
    if batch is not None:
        outcome.batches.append(_advance(connection, table, batch, run_id, steps))
        outcome.state = outcome.batches[-1].state
        if outcome.state != "released":
            return
    if "extract" in steps:
        batch = window.plan(connection, table, run_id, request)
        reach("after_plan")
        outcome.batches.append(_advance(connection, table, batch, run_id, steps))
    outcome.state = outcome.batches[-1].state if outcome.batches else "released"


def _resume(connection: Connection, table: Table, run_id: str) -> Batch | None:
    """The batch that an earlier run left, unless it must be read anew."""
    batch = ledger.pending(connection, table)
    if batch is None:
        return None
    seed_changed = batch.fingerprint != table.fingerprint("bytes")
    lost = batch.state == "extracted" and (
        Lake(settings.ROOT).manifest(batch.manifest_key) is None
    )
    if batch.state != "loaded" and (seed_changed or lost):
        ledger.discard(connection, batch)
        return None
    ledger.adopt(connection, batch, run_id)
    return ledger.batch(connection, table.id, batch.batch_seq)


def _advance(
    connection: Connection,
    table: Table,
    batch: Batch,
    run_id: str,
    steps: Sequence[str],
) -> Batch:
    if batch.state == "planned" and "extract" in steps:
        batch = extraction.extract(connection, table, batch)
        reach("after_extract")
    if batch.state == "extracted" and "load" in steps:
        batch = load.load(connection, table, batch)
        reach("after_load")
    if batch.state == "loaded" and "validate" in steps:
        batch = validate.validate(connection, table, batch, run_id)
        reach("after_gate")
    return batch


def _build(
    connection: Connection,
    outcomes: Sequence[Outcome],
    everything: bool,
    target: str,
    report: Report,
) -> build.Built | None:
    if outcomes and not any(o.is_good for o in outcomes):
        return None
    with ledger.build_lock(report):
        return build.build(
            connection,
            [o.table for o in outcomes if not o.is_good],
            everything=everything,
            target=target,
            report=report,
        )


_IDENTITIES = """
insert into audit.ledger (run_id, table_id, identity, left_rows, right_rows)
select
    batch.run_id,
    batch.table_id,
    identity.name,
    sum(identity.left_rows),
    sum(identity.right_rows)
from audit.batch
cross join lateral (
    values
    ('source = read', source_rows, rows_read),
    (
        'read = written + unchanged + rejected',
        rows_read,
        rows_written + rows_unchanged + rows_rejected
    ),
    ('written + deleted = loaded', rows_loaded, rows_written + rows_deleted)
) as identity (name, left_rows, right_rows)
where
    batch.run_id = %s
    and identity.left_rows is not null
group by batch.run_id, batch.table_id, identity.name
"""


def _balance(
    connection: Connection,
    run_id: str,
    outcomes: Sequence[Outcome],
    built: build.Built | None,
) -> bool:
    """Write the ledger's identities of this run; return whether all hold."""
    connection.execute(_IDENTITIES, (run_id,))
    for outcome in outcomes:
        released = ledger.released(connection, outcome.table)
        if built and built.ok and outcome.is_good and released.through:
            connection.execute(
                "insert into audit.ledger (run_id, table_id, identity, left_rows, "
                "right_rows) values (%s, %s, %s, %s, %s)",
                (
                    run_id,
                    outcome.table.id,
                    "live keys of the log = live keys of silver",
                    _live_in_log(connection, outcome.table, released),
                    _live_in_silver(connection, outcome.table),
                ),
            )
    return all(row["holds"] for row in ledger.identities(connection, run_id))


def _live_in_log(
    connection: Connection, table: Table, released: ledger.Released
) -> int:
    if table.load_type == "full":
        return ledger.count(
            connection,
            sql.SQL(
                f"select count(*) from {log.name_of(table)} "
                f"where _batch_seq = {released.snapshot_seq}"
            ),
        )
    return ledger.count(
        connection, sql.SQL(log.live_rows(table, released.through, "count(*)"))
    )


def _live_in_silver(connection: Connection, table: Table) -> int:
    model = sql.Identifier(build.schema_of("silver"), table.model)
    return ledger.count(
        connection,
        sql.SQL("select count(*) from {} where not is_deleted").format(model),
    )
