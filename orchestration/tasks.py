"""The tasks that the DAGs are made of; each calls a step of the pipeline.

Modules of the pipeline are imported when a task runs: a DAG's file is parsed often.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, TaskGroup, get_current_context, task
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from cosmos import ProfileConfig
from cosmos.operators.local import DbtBuildLocalOperator

from ingest import metadata, schedule, snowflake
from ingest.errors import ConfigurationError
from ingest.metadata import Table
from ingest.settings import ROOT
from ingest.window import Request

TARGET = "postgres"
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


def tables() -> list[Table]:
    """The enabled tables of the seed."""
    return metadata.enabled(metadata.load(ROOT))


def asset(table_id: str) -> Asset:
    """What a finished batch of the table updates."""
    return Asset(name=f"lake/{table_id}", uri=f"seedbed://lake/{table_id}")


def tell(line: str) -> None:
    """A line in the task's log."""
    print(line)


def begun(run: str | None) -> str:
    """The run; what needs one that could not begin is left out, and `end` fails."""
    if run is None:
        raise AirflowSkipException("the run could not begin")
    return run


@task
def begin(
    command: str,
    patterns: list[str] | str = "*",
    is_reading: bool = True,
    request: dict[str, str] | None = None,
) -> str:
    """Open the run in the control tables; its id there."""
    from ingest import steps

    context = get_current_context()
    named = patterns.split(",") if isinstance(patterns, str) else patterns
    try:
        return steps.begin(
            command,
            context["dag"].dag_id,
            context["run_id"],
            [name.strip() for name in named],
            tell,
            is_reading=is_reading,
            request=Request.read(**request) if request else None,
        )
    except ConfigurationError as error:
        raise AirflowFailException(str(error)) from error


@task(trigger_rule=WHATEVER, map_index_template="{{ table }}")
def move(
    run: str | None,
    table_id: str,
    through: list[str],
    request: dict[str, str] | None = None,
) -> str:
    """Take one table through some steps; the state that it came to."""
    from ingest import steps

    run = begun(run)
    context = get_current_context()
    context["table"] = table_id  # type: ignore[typeddict-unknown-key]
    asked = Request.read(**request) if request else None
    try:
        return steps.move(run, table_id, through, tell, asked)
    except ConfigurationError as error:  # another try would find the same
        raise AirflowFailException(str(error)) from error


def read_sources(run: Any, through: list[str]) -> Any:
    """A mapped task a source and level: children are read before their parents."""
    last: list[Any] = []
    with TaskGroup("read"):
        for number, level in enumerate(schedule.levels(tables()), 1):
            here: list[Any] = []
            for source in sorted({table.source.name for table in level}):
                ids = [t.id for t in level if t.source.name == source]
                moved = move.override(
                    task_id=f"{source}_{number}", max_active_tis_per_dag=AT_ONCE
                )
                read = moved.partial(run=run, through=through)
                here.append(read.expand(table_id=ids))
            for one in here:
                _after(one, last)
            last = here
    return last


def _after(one: Any, before: list[Any]) -> None:
    if before:
        before >> one


@task(trigger_rule=WHATEVER)
def validate(run: str | None) -> dict[str, Any] | None:
    """Let what is loaded pass the gate; plan the build, None where nothing is good."""
    from ingest import steps

    run = begun(run)
    steps.validate(run, tell)
    plan = steps.plan_build(run, TARGET)
    if plan is None:
        return None
    layers = {name: steps.selectors(plan, name) for name in ("silver", "gold")}
    return {"run_id": run, "plan": plan, **layers}


@task(trigger_rule=WHATEVER)
def end(run: str | None) -> str:
    """Close the run; fails, and so the DAG's run does, unless it is done."""
    from ingest import steps
    from ingest.errors import SeedbedError

    if run is None:
        raise AirflowFailException("the run could not begin")
    ti = get_current_context()["ti"]
    planned = ti.xcom_pull(task_ids="validate")
    plan = planned["plan"] if planned else None
    is_built = _is_built(ti)
    is_due = planned is not None and is_built and steps.is_publishing()
    is_published = not is_due or bool(ti.xcom_pull(task_ids="publish"))
    try:
        return steps.end(run, plan, is_built, tell, is_published=is_published)
    except SeedbedError as error:
        raise AirflowFailException(str(error)) from error


@task(trigger_rule=WHATEVER, retries=0)
def publish(run: str | None) -> str:
    """Publish what was built to Snowflake; left out where not all of it was."""
    from ingest import steps

    run = begun(run)
    ti = get_current_context()["ti"]
    if not ti.xcom_pull(task_ids="validate") or not _is_built(ti):
        raise AirflowSkipException("not all was built, so nothing is published")
    return steps.publish(run, tell)


def _is_built(ti: Any) -> bool:
    """Whether both layers were built, and nothing had to be left out."""
    behind = [ti.xcom_pull(task_ids=n, key=BEHIND) for n in ("silver", "gold")]
    return behind == [[], []]


BEHIND = "behind"
_PLANNED = "(ti.xcom_pull(task_ids='validate') or {})"


class Build(DbtBuildLocalOperator):  # type: ignore[misc]
    """One dbt build of a layer; what it compiled is among its rendered fields.

    It fails if a node does. What may not be built on that is left to the next layer.
    """

    def __init__(self, *, layer: str, **options: Any) -> None:
        chosen = f"{_PLANNED}.get('{layer}', {{}})"
        behind = f"ti.xcom_pull(task_ids='silver', key='{BEHIND}')"
        before = "" if layer == "silver" else f"{{{{ ({behind} or []) | join(' ') }}}}"
        state = f"{_PLANNED}.get('plan', {{}}).get('state')"
        is_some = f"{_PLANNED}.get('plan', {{}}).get('select')"
        self.layer = layer
        super().__init__(
            task_id=layer,
            project_dir=str(ROOT),
            profile_config=ProfileConfig(
                profile_name="seedbed",
                target_name=TARGET,
                profiles_yml_filepath=ROOT / "profiles.yml",
            ),
            select=f"{{{{ {chosen}.get('select', '') }}}}",
            exclude=f"{{{{ {chosen}.get('exclude', '') }}}} {before}",
            dbt_cmd_flags=[
                f"{{{{ '--state' if {is_some} else '' }}}}",
                f"{{{{ {state} if {is_some} else '' }}}}",
            ],
            install_deps=False,
            copy_dbt_packages=False,
            manifest_filepath=str(ROOT / "target" / "manifest.json"),
            # What was parsed last, so that a task parses only what has changed.
            cache_dir=ROOT / ".seedbed" / "airflow" / "dbt",
            emit_datasets=False,
            retries=0,
            trigger_rule=WHATEVER,
            **options,
        )

    def execute(self, context: Any) -> None:
        """Build, once no other build is under way."""
        from ingest import steps

        ti = context["ti"]
        planned = ti.xcom_pull(task_ids="validate")
        if not planned:
            raise AirflowSkipException("no table is good, so nothing is built")
        self.run = planned["run_id"]
        if self.layer == "gold" and ti.xcom_pull("silver", key=BEHIND) is None:
            raise AirflowSkipException("silver could not be built, so gold is not")
        self.began = datetime.now(UTC)
        self.callback = self.keep
        with steps.building(self.run, tell):
            super().execute(context)

    def keep(self, folder: str, context: Any) -> None:
        """Keep what the tests saw, while dbt's files are there."""
        from ingest import steps

        behind = steps.look(self.run, Path(folder) / "target", self.began, TARGET)
        context["ti"].xcom_push(key=BEHIND, value=behind)
        tell(json.dumps({"left out from here on": behind}))


def build_and_end(run: Any, moved: Any) -> None:
    """From loaded tables to the end of the run: gate, silver, gold, account.

    Where Snowflake is configured, what was built is published there before the end.
    """
    checked = validate(run)
    silver, gold = Build(layer="silver"), Build(layer="gold")
    moved >> checked >> silver >> gold
    checked >> gold
    if snowflake.is_configured():
        gold >> publish(run) >> end(run)
    else:
        gold >> end(run)


@task
def chosen(run: str) -> list[str]:
    """The ids of the run's tables."""
    from ingest import steps

    return steps.table_ids(run)


def read_again(kind: str, patterns: str, start: str, end: str = "") -> None:
    """All tasks of a DAG that reads a range of watermarks again.

    The arguments are templates. Dates stay text until the step that reads them takes
    one of two forms, so none is ever guessed.
    """
    request = {"kind": kind, "start": start, "end": end}
    opened: Any = begin(kind, patterns, request=request)
    moved = move.override(task_id="read", max_active_tis_per_dag=AT_ONCE).partial(
        run=opened, through=["extract", "load"], request=request
    )
    build_and_end(opened, moved.expand(table_id=chosen(opened)))
