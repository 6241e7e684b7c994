"""The tasks that the DAGs are made of; each takes a step of a run.

What a step needs is imported when a task runs: a DAG's file is parsed often.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
from airflow.sdk import (
    Asset,
    TaskGroup,
    chain,
    cross_downstream,
    get_current_context,
    task,
)
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)
from cosmos import ProfileConfig
from cosmos.operators.local import DbtBuildLocalOperator

from ingest.errors import NotDoneError, SeedbedError
from ingest.settings import ROOT
from ingest.window import Request
from orchestration import snowflake

if TYPE_CHECKING:
    from orchestration.runner import Run

TARGET = "postgres"
# Where dbt leaves its files when it is typed, and where others look for them.
_TARGET = ROOT / "target"
# Tables of one source that are read at once, and tables loaded at once.
AT_ONCE = 2
RETRIES = {
    "retries": 3,
    # Named here, since the scheduler takes five minutes for a mapped task's default.
    "retry_delay": timedelta(seconds=conf.getint("core", "default_task_retry_delay")),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=15),
}
# Goes on whatever has failed before: a failure stays with its table. (The rule that
# asks for one success as well counts what is skipped as not done.)
WHATEVER = "all_done"


def asset(table_id: str) -> Asset:
    """What a finished batch of the table updates."""
    return Asset(name=f"lake/{table_id}", uri=f"seedbed://lake/{table_id}")


@contextmanager
def reported() -> Iterator[None]:
    """Fail at once of what another try can't mend.

    What it was is in the log before Airflow's traceback, and is kept for the run's
    end, which sends it to people.
    """
    from ingest import retry

    try:
        yield
    except (SeedbedError, psycopg.Error) as error:
        print(str(error))
        get_current_context()["ti"].xcom_push(key=WHY, value=str(error))
        kind = AirflowException if retry.may_pass(error) else AirflowFailException
        raise kind(str(error)) from None


def begun(run: str | None) -> str:
    """The run; what needs one that could not begin is left out, and `end` fails."""
    if run is None:
        raise AirflowSkipException("the run could not begin")
    return run


def resumed(run: str | None) -> Run:
    """The same as its last step has left it."""
    from orchestration.runner import Run

    return Run.resume(begun(run), print)


@task
def begin(
    command: str,
    patterns: str = "*",
    is_reading: bool = True,
    request: dict[str, str] | None = None,
) -> str:
    """Open the run in the control tables; its id there."""
    from orchestration import orchestrated

    context = get_current_context()
    with reported():
        return orchestrated.begin(
            command,
            context["dag"].dag_id,
            context["run_id"],
            [name.strip() for name in patterns.split(",")],
            print,
            is_reading=is_reading,
            request=Request.read(**request) if request else None,
        )


@task(
    trigger_rule=WHATEVER,
    map_index_template="{{ table }}",
    max_active_tis_per_dag=AT_ONCE,
)
def move(
    run: str | None,
    table_id: str,
    through: list[str],
    request: dict[str, str] | None = None,
) -> str:
    """Take one table through some steps; the state that it came to."""
    from orchestration import orchestrated

    get_current_context()["table"] = table_id  # type: ignore[typeddict-unknown-key]
    with reported():
        asked = Request.read(**request) if request else None
        return orchestrated.move(begun(run), table_id, through, print, asked)


@task
def due(run: str, source: str, level: int) -> list[str]:
    """The ids of the run's tables of a source that are read in that level, from 1."""
    from orchestration import schedule

    with reported():
        levels = schedule.levels([o.table for o in resumed(run).outcomes])
        here = levels[level - 1] if level <= len(levels) else ()
        return [table.id for table in here if table.source.name == source]


@task(trigger_rule=WHATEVER)
def unread(run: str | None) -> list[str]:
    """The ids of the run's tables that no task before has read.

    There are some where the seed was changed while the run was under way, and with it
    the levels.
    """
    with reported():
        return [o.table.id for o in resumed(run).outcomes if o.state == "waiting"]


def read_sources(run: Any, groups: Sequence[tuple[int, str]]) -> Any:
    """A mapped task a source and level: children are read before their parents.

    Which tables a task reads, the run says; a last one reads what is left.
    """

    def read(name: str, ids: Any) -> Any:
        moved = move.override(task_id=name).partial(run=run, through=["extract"])
        return moved.expand(table_id=ids)

    last: list[Any] = []
    with TaskGroup("read"):
        for level, members in itertools.groupby(groups, itemgetter(0)):
            here = []
            for _, source in members:
                name = f"{source}_{level}"
                ids = due.override(task_id=f"{name}_tables")(run, source, level)
                here.append(read(name, ids))
            cross_downstream(last, here)
            last = here
        left: Any = unread.override(task_id="left_tables")(run)
        cross_downstream(last, left)
        return read("left", left)


@task(trigger_rule=WHATEVER)
def validate(run: str | None) -> dict[str, Any] | None:
    """Let what is loaded pass the gate; plan the build, None where nothing is good."""
    from orchestration import orchestrated

    with reported():
        plan = orchestrated.validate(begun(run), print)
    return asdict(plan) if plan else None


@task(trigger_rule=WHATEVER)
def prove(run: str | None) -> bool:
    """See who sees what was built and balance the ledger; whether all is well."""
    from ingest import control
    from orchestration import build

    ti = get_current_context()["ti"]
    planned = ti.xcom_pull(task_ids="validate")
    with reported():
        is_proven = resumed(run).prove(ti.xcom_pull(task_ids="silver", key=UNBUILT))
        if planned and _is_built(ti):
            with control.connect() as connection:
                plan = build.Plan(**planned)
                build.finish(connection, plan, _TARGET / "manifest.json")
    return is_proven


@task(trigger_rule=WHATEVER)
def publish(run: str | None) -> str:
    """Publish to Snowflake; left out where not all was built, or the proof failed."""
    ti = get_current_context()["ti"]
    with reported():
        found = resumed(run)
        if not _is_publishing(ti):
            raise AirflowSkipException("not all was built and proven")
        found.publish()
        return str(found.published)


def unended(context: Any) -> None:
    """Let people hear of a run whose end has failed, as of one without a begin."""
    from orchestration import orchestrated

    run, why = context["dag_run"], context.get("exception") or "its end was cut off"
    orchestrated.alarm(run.dag_id, run.run_id, str(why), print)


@task(trigger_rule=WHATEVER, on_failure_callback=unended)
def end(run: str | None) -> str:
    """Close the run; fails, and so the DAG's run does, unless it is done."""
    from orchestration import orchestrated

    ti = get_current_context()["ti"]
    if run is None:
        raise AirflowFailException(_fault(ti, "begin"))
    is_proven = ti.xcom_pull(task_ids="prove")
    faults = list(_faults(ti)) if ti.xcom_pull(task_ids="validate") else []
    if is_proven is None:
        faults.append(_fault(ti, "prove"))
    if _is_publishing(ti) and not ti.xcom_pull(task_ids="publish"):
        faults.append(_fault(ti, "publish"))
    with reported():
        return orchestrated.end(run, bool(is_proven), faults, print)


def _is_publishing(ti: Any) -> bool:
    """Whether what the run has built is to be published."""
    is_good = ti.xcom_pull(task_ids="prove") and _is_built(ti)
    return bool(is_good) and snowflake.is_configured()


def _is_built(ti: Any) -> bool:
    """Whether both layers were built, and nothing had to be left out."""
    behind = [ti.xcom_pull(task_ids=n, key=BEHIND) for n in LAYERS]
    return behind == [[], []]


def _faults(ti: Any) -> Iterator[str]:
    """What came of the layers that are not built as they should be, and its log."""
    for layer in LAYERS:
        if ti.xcom_pull(task_ids=layer, key=BEHIND) != []:
            yield _fault(ti, layer)
            return  # the next one stands on it


def _fault(ti: Any, task_id: str) -> str:
    """What a task of the same run failed of, and where its log is; in one line."""
    cause = ti.xcom_pull(task_ids=task_id, key=WHY) or "it was cut off"
    why = " ".join(cause.split()).rstrip(".")
    page = conf.get("api", "base_url", fallback="http://localhost:8080").rstrip("/")
    log = f"{page}/dags/{ti.dag_id}/runs/{quote(ti.run_id)}/tasks/{task_id}"
    return f"task {task_id} failed: {why}. Its log: {log}"


LAYERS = ("silver", "gold")
# Among a task's XComs: what must not be built on a layer's failures, the models that
# were not built, and what a task failed of.
BEHIND, UNBUILT, WHY = "behind", "unbuilt", "why"


class Build(DbtBuildLocalOperator):  # type: ignore[misc]
    """One dbt build of a layer; what it compiled is among its rendered fields.

    It fails if a node does, and is not tried again then. What may not be built on that
    is left to the next layer.
    """

    def __init__(self, *, layer: str, **options: Any) -> None:
        self.layer = layer
        super().__init__(
            task_id=layer,
            project_dir=str(ROOT),
            profile_config=ProfileConfig(
                profile_name="seedbed",
                target_name=TARGET,
                profiles_yml_filepath=ROOT / "profiles.yml",
            ),
            install_deps=False,
            copy_dbt_packages=False,
            manifest_filepath=str(_TARGET / "manifest.json"),
            # What was parsed last, so that a task parses only what has changed.
            cache_dir=ROOT / ".seedbed" / "airflow" / "dbt",
            emit_datasets=False,
            trigger_rule=WHATEVER,
            **options,
        )

    def execute(self, context: Any) -> None:
        """Build, once no other build is under way."""
        from orchestration import build, packages

        ti = context["ti"]
        planned = ti.xcom_pull(task_ids="validate")
        if not planned:
            raise AirflowSkipException("no table is good, so nothing is built")
        behind = ti.xcom_pull("silver", key=BEHIND) if self.layer == "gold" else []
        if behind is None:
            raise AirflowSkipException("silver could not be built, so gold is not")
        plan = build.Plan(**planned)
        if plan.is_nothing:
            print("nothing to build")
            self.leave(context, [], [])
            return
        chosen = plan.of_layer(self.layer)
        self.select = chosen["select"]
        self.exclude = " ".join([chosen["exclude"], *behind])
        if plan.select:
            self.dbt_cmd_flags = ["--state", plan.state]
        self.began = datetime.now(UTC)
        self.callback = self.keep
        self.is_looked_at = False
        with reported():
            packages.install(ROOT, print)
            self.run = resumed(ti.xcom_pull("begin"))
        with reported(), self.run.alone("build"):
            try:
                super().execute(context)
            except Exception as error:
                if not self.is_looked_at:
                    raise  # dbt did not come to its end
                raise NotDoneError(str(error)) from None

    def keep(self, folder: str, context: Any) -> None:
        """Keep what the tests saw, while dbt's files are there."""
        from orchestration import orchestrated

        files = Path(folder) / "target"
        found = orchestrated.look(self.run, files, self.began)
        behind = sorted(found.behind)
        self.leave(context, behind, sorted(found.unbuilt))
        self.is_looked_at = True
        print(json.dumps({"left out from here on": behind}))

    def leave(self, context: Any, behind: list[str], unbuilt: list[str]) -> None:
        """Say what must not be built on this, and what was not built."""
        for key, value in ((BEHIND, behind), (UNBUILT, unbuilt)):
            context["ti"].xcom_push(key=key, value=value)


def build_and_end(run: Any, moved: Any) -> None:
    """From loaded tables to the end of the run: gate, silver, gold, proof.

    Where Snowflake is configured, what was built is published there before the end.
    """
    checked = validate(run)
    silver, gold = Build(layer="silver"), Build(layer="gold")
    moved >> checked >> silver >> gold
    checked >> gold
    prove_and_end(run, gold, *([publish(run)] if snowflake.is_configured() else []))


def prove_and_end(run: Any, done: Any, *more: Any) -> None:
    """The proof of a run that has done its work, what comes `more`, and its end."""
    chain(done, prove(run), *more, end(run))


@task
def chosen(run: str) -> list[str]:
    """The ids of the run's tables."""
    with reported():
        return [o.table.id for o in resumed(run).outcomes]


def read_again(kind: str, patterns: str, start: str, end: str = "") -> None:
    """All tasks of a DAG that reads a range of watermarks again.

    The arguments are templates. Dates stay text until the step that reads them takes
    one of two forms, so none is ever guessed.
    """
    request = {"kind": kind, "start": start, "end": end}
    opened: Any = begin(kind, patterns, request=request)
    moved = move.override(task_id="read").partial(
        run=opened, through=["extract", "load"], request=request
    )
    build_and_end(opened, moved.expand(table_id=chosen(opened)))
