"""Loads and validates what is new in the lake, and builds what follows from it.

Started by new batches, and each morning in case that nothing has said so.
"""

import os
from typing import Any

import pendulum
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.sdk import DAG, AssetAny, AssetOrTimeSchedule, CronTriggerTimetable, task

from orchestration import tasks
from orchestration.deadlines import deadlines


@task
def awaited(run: str) -> list[str]:
    """The manifests of the batches that are under way, as s3 URLs."""
    from ingest import steps

    return steps.awaited(run)


with DAG(
    "lake_to_warehouses",
    description="Log, gate, silver and gold of what is new in the lake",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable(
            os.environ.get("SEEDBED_FALLBACK_SCHEDULE", "0 4 * * *"), timezone="UTC"
        ),
        assets=AssetAny(*(tasks.asset(table.id) for table in tasks.tables())),
    ),
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args=tasks.RETRIES,
    deadline=deadlines(by_morning=True),
    tags=["seedbed"],
    doc_md=__doc__,
):
    opened: Any = tasks.begin("load", is_reading=False)
    # One that never comes holds up nobody for longer than that, and only its table.
    manifest = S3KeySensor.partial(
        task_id="manifest",
        aws_conn_id=None,
        deferrable=True,
        poke_interval=10,
        timeout=1800,
        retries=0,
    ).expand(bucket_key=awaited(opened))
    loaded = tasks.move.override(
        task_id="load", max_active_tis_per_dag=tasks.AT_ONCE
    ).partial(run=opened, through=["load"])
    load = loaded.expand(table_id=[table.id for table in tasks.tables()])
    manifest >> load
    tasks.build_and_end(opened, load)
