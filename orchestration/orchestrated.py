"""What a run needs whose steps are processes of their own, as Airflow's tasks are.

A process finds the run by its id, takes one step of it (`runner.py`) and leaves the
rest to the control tables; what goes from one to the next beside them is text, numbers
and lists. A step that is done again goes on where it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from gx import gate
from ingest import control, runlog, settings
from ingest.errors import ConfigurationError, NotDoneError, SeedbedError, first_line
from ingest.runlog import Report
from ingest.seed import metadata
from ingest.statements import Statements
from ingest.window import Request
from orchestration import build, runner, runs
from orchestration.build import HERE, Plan
from orchestration.outcome import DISABLED, UNFOLLOWED, WAITING, Outcome
from orchestration.runner import Run
from orchestration.watch import alerts, outbox

# Seconds that a manifest is waited for: of a batch that is in the lake, and of one
# that another run is still reading.
_SOON, _LATER = 120, 1800
_SQL = Statements(__file__)


def begin(
    command: str,
    dag: str,
    name: str,
    patterns: Sequence[str],
    report: Report,
    *,
    is_reading: bool,
    request: Request | None = None,
) -> str:
    """Open the run that the orchestrator calls `name` of its `dag`; its id."""
    tables = metadata.enabled(metadata.load(settings.ROOT), patterns)
    everyone = runner.check(tables, is_reading=is_reading, request=request)
    with control.connect() as connection:
        control.prepare(connection)
        run_id = control.begin_orchestrated_run(connection, command, dag, name)
    outcomes = [Outcome(table) for table in tables]
    run = Run(run_id, everyone, outcomes, runlog.telling(run_id, report))
    run.begin(is_reading=is_reading)
    return run_id


def move(
    run_id: str,
    table_id: str,
    steps: Sequence[str],
    report: Report,
    request: Request | None = None,
) -> str:
    """Take one table of a run through the steps; the state of its last batch.

    Raises what the table fails of, once it is noted.
    """
    run = Run.resume(run_id, report)
    found = {o.table.id: o for o in run.outcomes}
    if table_id not in found:
        with control.connect() as connection:
            ids = control.noted_tables(connection, run_id)
        if table_id not in ids:
            raise ConfigurationError(
                f"{table_id} is not a table of run {run_id}, which has "
                f"{', '.join(ids)}. What was added to the metadata seed after a run "
                "had begun is in the next one."
            )
        report(f"{table_id} {DISABLED}: it is not in the seed any more; left out")
        return DISABLED
    if found[table_id].state == UNFOLLOWED:
        raise ConfigurationError(str(found[table_id].error))
    outcome = Outcome(found[table_id].table)
    run.outcomes = [outcome]
    run.move(steps, request=request)
    if outcome.error:
        raise outcome.error
    return outcome.state


def awaited(run: Run) -> list[dict[str, Any]]:
    """The manifest that each of the run's tables waits for, and for how long.

    It is that of a batch that is in the lake, or that another run is reading just now:
    its s3 URL, or nothing where there is none.
    """
    lake = settings.lake()
    with control.connect() as connection:
        return _SQL.dicts(
            connection,
            "awaited",
            tables=[o.table.id for o in run.outcomes],
            lake=f"s3://{lake.bucket}/{lake.prefix}",
            soon=_SOON,
            later=_LATER,
        )


def validate(run_id: str, report: Report) -> Plan | None:
    """Let what is loaded pass the gate; the plan of a build, None without good tables.

    Why a table stops here is reported as well: its log may be all that a reader has.
    """
    run = Run.resume(run_id, report)
    loaded = [o for o in run.outcomes if o.state == "loaded"]
    run.validate()
    for outcome in loaded:
        if outcome.error:
            report(str(outcome.error))
        elif outcome.reason:
            report(f"{outcome.table.id} is blocked: {outcome.reason}")
    gate.finish()
    if not run.is_something_good():
        return None
    with control.connect() as connection:
        left_out = run.left_out(connection)
        return build.plan(connection, left_out, everything=False, target=HERE)


def look(run: Run, folder: Path, since: datetime) -> build.Built:
    """Keep what dbt wrote to `folder`, and return what it came to."""
    found = build.read(folder, since)
    # Where dbt leaves them when it is typed, and where others look for them.
    (settings.ROOT / "target").mkdir(exist_ok=True)
    for name in ("manifest.json", "run_results.json"):
        shutil.copy(folder / name, settings.ROOT / "target")
    with control.connect() as connection:
        run.look(connection, since, folder)
    return found


def end(run_id: str, is_proven: bool, faults: Sequence[str], report: Report) -> str:
    """Close the run; its state. `faults` are those that the orchestrator knows of.

    Raises NotDoneError, with what a person has to know, unless all of it is done.
    """
    run = Run.resume(run_id, report)
    with control.connect() as connection:
        _SQL.run(
            connection,
            "disable",
            run_id=run_id,
            tables=[o.table.id for o in run.outcomes],
            waiting=WAITING,
            disabled=DISABLED,
        )
    run.end(is_proven, [NotDoneError(fault) for fault in faults])
    if run.exit_code:
        causes = [*faults, *(str(o.error) for o in run.outcomes if o.error)]
        causes += [
            f"{o.table.id} is blocked: {o.reason}" for o in run.outcomes if o.reason
        ]
        raise NotDoneError(
            f"run {run_id} is {run.state}: {'; '.join(causes) or 'see what it built'}.",
            "`./seedbed status` has all of it, and what to type.",
        )
    return run.state


def alarm(
    dag: str, name: str, why: str, report: Report, *, is_late: bool = False
) -> None:
    """See to it that people hear of a run that failed, or has missed its deadline.

    One that failed is closed, unless its end was noted, and with that its alert is
    raised. Where the warehouse can't be reached the channels get it directly.
    """
    what = "has missed its deadline" if is_late else "failed"
    message = f"{dag} {what}: {why} ({name})"
    try:
        with control.connect() as connection:
            control.prepare(connection)
            known = _SQL.run(connection, "known", known_as=f"{dag}/{name}").fetchone()
            run_id, state = known or ("", "")
            # Without one it could not even begin.
            if not run_id:
                run_id = control.begin_orchestrated_run(connection, dag, dag, name)
            if is_late:
                _SQL.run(connection, "missed", run_id=run_id, message=message)
                outbox.send_later()
            elif state in ("", "running"):
                runs.close(connection, run_id, "failed", why)
    except (SeedbedError, psycopg.Error) as error:
        report(f"the control tables can't be written: {first_line(error)}")
        for channel, fault in alerts.tell_now("warehouse_down", message).items():
            report(f"{channel} was not reached: {fault}")
