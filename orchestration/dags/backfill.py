"""Reads a range of watermarks of some tables again and adds what the log lacks.

Rows that the log has already are left out, so that repeating it changes nothing. It may
run beside the other DAGs: one of them works on a table at a time.
"""

from airflow.sdk import DAG, Param

from orchestration import tasks
from orchestration.deadlines import deadlines

MOMENT = r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2})?$"

with DAG(
    "backfill",
    description="A range of watermarks, read again",
    schedule=None,
    max_active_runs=1,
    default_args=tasks.RETRIES,
    deadline=deadlines(by_morning=False),
    params={
        "tables": Param(
            "shop.orders",
            type="string",
            description="source.table or a model's name, with *; commas between them",
        ),
        "from": Param(
            "2026-03-01",
            type="string",
            pattern=MOMENT,
            description="the first moment, in the source's time",
        ),
        "to": Param(
            "2026-03-02",
            type="string",
            pattern=MOMENT,
            description="the moment after it, in the source's time",
        ),
    },
    tags=["seedbed"],
    doc_md=__doc__,
):
    tasks.read_again(
        "backfill",
        "{{ params['tables'] }}",
        "{{ params['from'] }}",
        "{{ params['to'] }}",
    )
