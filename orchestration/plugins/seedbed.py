"""Makes Seedbed's deadline known to Airflow."""

from airflow.plugins_manager import AirflowPlugin

from orchestration.deadlines import TimeOfDay


class SeedbedPlugin(AirflowPlugin):
    name = "seedbed"
    deadline_references = [TimeOfDay]  # noqa: RUF012
