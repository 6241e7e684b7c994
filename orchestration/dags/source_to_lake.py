"""Reads each table's next window into the lake, once a day."""

from typing import Any

import pendulum
from airflow.sdk import DAG, AssetAlias, get_current_context, task

from orchestration import known, tasks
from orchestration.deadlines import deadlines

ANNOUNCED = AssetAlias("lake")
KNOWN = known.look()


@task(trigger_rule=tasks.WHATEVER, outlets=[ANNOUNCED])
def announce(run: str | None) -> None:
    """Update the asset of each table that has a new batch, all at one time.

    So lake_to_warehouses starts once for all of them.
    """
    events = get_current_context()["outlet_events"][ANNOUNCED]
    with tasks.reported():
        batches = [b for o in tasks.resumed(run).outcomes for b in o.batches]
    for batch in batches:
        if batch.state == "extracted":
            events.add(tasks.asset(batch.table_id), extra={"batch_id": batch.batch_id})


with DAG(
    "source_to_lake",
    description="Each table's next window, from its source into the lake",
    schedule=KNOWN.cron("SEEDBED_SCHEDULE", "0 2 * * *"),
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args=tasks.RETRIES,
    deadline=deadlines(by_morning=True),
    tags=["seedbed"],
    doc_md=KNOWN.doc(__doc__),
):
    opened: Any = tasks.begin("extract")
    read = tasks.read_sources(opened, KNOWN.groups)
    announced = announce(opened)
    read >> announced
    tasks.prove_and_end(opened, announced)
