"""Replaces one date of a table by the source's present rows.

Rows of that date which are gone from the source are deleted. Repeating it changes
nothing, and it may run beside the other DAGs.
"""

from airflow.sdk import DAG, Param

from orchestration import tasks
from orchestration.deadlines import deadlines

with DAG(
    "reload",
    description="One date of a table, read again",
    schedule=None,
    max_active_runs=1,
    default_args=tasks.RETRIES,
    deadline=deadlines(by_morning=False),
    params={
        "table": Param(
            "shop.orders", type="string", description="source.table or a model's name"
        ),
        "date": Param(
            "2026-03-01",
            type="string",
            pattern=r"^\d{4}-\d{2}-\d{2}$",
            description="in the source's time",
        ),
    },
    tags=["seedbed"],
    doc_md=__doc__,
):
    tasks.read_again("reload", "{{ params['table'] }}", "{{ params['date'] }}")
