"""What the daily DAGs are made of: the seed's tables, and their schedules.

Airflow removes a DAG that can't be imported from its list, and does not schedule it. So
with a faulty seed the DAGs keep the tables of the last valid one, which are kept in a
file. The DAG's page says so, and each run fails with the fault until it is corrected.
"""

from __future__ import annotations

import json
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from airflow.sdk import CronTriggerTimetable
from airflow.timetables.trigger import CronTriggerTimetable as Timetable

from ingest import settings
from ingest.errors import ConfigurationError
from ingest.seed import metadata, seedfile
from orchestration import schedule


@dataclass
class Known:
    """The ids of the enabled tables, and the levels and sources that they are read in.

    `faults` are the errors of seed and schedules, and what is used instead.
    """

    tables: list[str] = field(default_factory=list)
    groups: list[tuple[int, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def doc(self, text: str | None) -> str:
        """The text of the DAG's page, faults first."""
        notes = [f"**Error:** {fault}\n\n" for fault in self.faults]
        return "".join(notes) + (text or "")

    def cron(self, variable: str, default: str) -> CronTriggerTimetable:
        """The schedule that a variable holds, a cron expression in UTC."""
        text = settings.variable(variable, default)
        try:
            Timetable(text, timezone="UTC").validate()
        except Exception as error:
            self._note(f"{variable} is {text!r} ({error}), so {default!r} is used.")
            text = default
        return CronTriggerTimetable(text, timezone="UTC")

    def _note(self, fault: str) -> None:
        self.faults.append(fault)
        warnings.warn(fault, stacklevel=3)


def look(root: Path = settings.ROOT) -> Known:
    """The seed's tables, or those of the last valid seed.

    Raises MetadataError if there was none.
    """
    file = root / ".seedbed" / "airflow" / "tables.json"
    kept = _kept(file)
    try:
        tables = metadata.enabled(metadata.load(root))
    except ConfigurationError as error:
        if kept is None:
            raise
        kept._note(f"The tables are those of the last valid seed. {error}")
        return kept
    groups = [
        (number, source)
        for number, level in enumerate(schedule.levels(tables), 1)
        for source in sorted({table.source.name for table in level})
    ]
    found = Known([table.id for table in tables], groups)
    if found != kept:
        with suppress(OSError):  # another process may own it
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            seedfile.put(file, json.dumps(asdict(found)).encode())
    return found


def _kept(file: Path) -> Known | None:
    with suppress(OSError, ValueError, KeyError):
        saved = json.loads(file.read_text())
        return Known(saved["tables"], [(n, name) for n, name in saved["groups"]])
    return None
