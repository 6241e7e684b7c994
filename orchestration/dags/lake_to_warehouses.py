"""Loads and validates what is new in the lake, and builds what follows from it.

Started by new batches, and each morning in case that nothing has said so.
"""

from typing import Any

import pendulum
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.sdk import DAG, AssetAny, AssetOrTimeSchedule, task, task_group

from orchestration import known, tasks
from orchestration.deadlines import deadlines

KNOWN = known.look()


@task
def awaited(run: str) -> list[dict[str, Any]]:
    """The run's tables, each with the manifest that it waits for."""
    from orchestration import orchestrated

    with tasks.reported():
        return orchestrated.awaited(tasks.resumed(run))


class Manifest(S3KeySensor):
    """Waits for the manifest of a table's batch, if there is one to wait for."""

    template_fields = (*S3KeySensor.template_fields, "table_id", "patience")

    def __init__(self, *, table_id: str, patience: int, **options: Any) -> None:
        super().__init__(**options)
        self.table_id = table_id
        self.patience = patience

    def execute(self, context: Any) -> None:
        """Wait for as long as the batch is worth it."""
        self.timeout = self.patience
        if self.bucket_key:
            super().execute(context)


with DAG(
    "lake_to_warehouses",
    description="Log, gate, silver and gold of what is new in the lake",
    schedule=AssetOrTimeSchedule(
        timetable=KNOWN.cron("SEEDBED_FALLBACK_SCHEDULE", "0 4 * * *"),
        assets=AssetAny(*map(tasks.asset, KNOWN.tables)),
    ),
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args=tasks.RETRIES,
    deadline=deadlines(by_morning=True),
    tags=["seedbed"],
    doc_md=KNOWN.doc(__doc__),
):
    opened: Any = tasks.begin("load", is_reading=False)

    @task_group(prefix_group_id=False)
    def arrive(table_id: str, manifest: str, patience: int) -> None:
        """A table by itself: one whose manifest never comes holds up no other one."""
        come = Manifest(
            task_id="manifest",
            map_index_template="{{ task.table_id }}",
            table_id=table_id,
            patience=patience,
            bucket_key=manifest,
            aws_conn_id=None,
            deferrable=True,
            poke_interval=10,
            retries=0,
        )
        load = tasks.move.override(task_id="load")
        come >> load(opened, table_id, ["load"])

    tasks.build_and_end(opened, arrive.expand_kwargs(awaited(opened)))
