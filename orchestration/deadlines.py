"""When a DAG's run has to be done, and what happens if it is not."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

# The names that airflow.sdk has of them are made on first use, which no type checker
# sees.
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import (
    BaseDeadlineReference,
    DeadlineAlert,
    DeadlineReference,
)

LONGEST = timedelta(hours=4)
MORNING = 6  # o'clock, UTC


@dataclass
class TimeOfDay(BaseDeadlineReference):
    """The next time that it is `hour` o'clock, UTC, as seen when a run is made.

    A run's logical date would not do: what an asset has started has none, and such
    a reference then fails the scheduler.
    """

    hour: int = MORNING
    required_kwargs = frozenset[str]()

    def serialize_reference(self) -> dict[str, Any]:
        return {**super().serialize_reference(), "hour": self.hour}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> TimeOfDay:
        return cls(int(reference_data["hour"]))

    def evaluate_with(
        self, *, session: Any, interval: timedelta, **known: Any
    ) -> datetime:
        return self._evaluate_with(session=session) + interval

    def _evaluate_with(self, *, session: Any, **known: Any) -> datetime:
        now = datetime.now(UTC)
        then = now.replace(hour=self.hour, minute=0, second=0, microsecond=0)
        return then if then > now else then + timedelta(days=1)


async def missed(context: dict[str, Any], why: str) -> None:
    """Raise the alert; runs in the triggerer."""
    from orchestration import orchestrated

    run = context["dag_run"]
    name = run["dag_id"], run["dag_run_id"]
    await asyncio.to_thread(orchestrated.alarm, *name, why, print, is_late=True)


def deadlines(*, by_morning: bool) -> list[DeadlineAlert]:
    """A run's deadlines: four hours after it is due, and the morning's six o'clock."""
    # Airflow 3.3's `dags test` keeps no deadlines, and fails at the end of a run that
    # has some.
    if sys.argv[1:3] == ["dags", "test"]:
        return []

    def alert(reference: Any, after: timedelta, why: str) -> DeadlineAlert:
        return DeadlineAlert(reference, after, AsyncCallback(missed, {"why": why}))

    queued = DeadlineReference.DAGRUN_QUEUED_AT
    found = [alert(queued, LONGEST, "it is not done after 4 hours")]
    if by_morning:
        why = f"it is not done by {MORNING:02}:00 UTC"
        found.append(alert(TimeOfDay(), timedelta(0), why))
    return found
