"""What the DAGs are made of, where no DAG has to run for it."""

import shutil
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from ingest.errors import ConfigurationError, ServiceError
from ingest.seed import metadata, seedfile
from ingest.seed.metadata import MetadataError
from ingest.settings import ROOT
from orchestration import known, tasks
from orchestration.cli import airflow as command

RUN = "scheduled__2026-03-01T02:00:00+00:00"


class Instance:
    """A task's instance, as far as XComs go."""

    dag_id, run_id = "lake_to_warehouses", RUN

    def __init__(self, **pushed: Any) -> None:
        self.pushed = pushed

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        return self.pushed.get(f"{task_ids}_{key}")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the demo's seed alone."""
    shutil.copytree(ROOT / metadata.FOLDER, tmp_path / metadata.FOLDER)
    return tmp_path


def test_airflow_finds_its_own_programs_in_a_plain_shell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    path = command.environment(ROOT)["PATH"]
    assert shutil.which("airflow", path=path) == str(ROOT / ".venv/bin/airflow")
    assert path.endswith(":/usr/bin:/bin")


def test_a_seed_with_a_fault_leaves_what_was_known_and_is_reported(root: Path) -> None:
    before = known.look(root)
    assert before.doc("about") == "about"
    assert len(before.tables) == 8
    assert before.groups == [(1, "crm"), (1, "shop"), (2, "shop"), (3, "shop")]
    change = {"load_type": "bogus"}
    row = {"source": "shop", "table": "orders"}
    assert seedfile.change(root, "tables", row, change)
    with pytest.warns(UserWarning, match="'bogus'"):
        found = known.look(root)
    assert (found.tables, found.groups) == (before.tables, before.groups)
    assert "tables.csv:" in found.doc("about")
    shutil.copy(ROOT / metadata.FOLDER / "tables.csv", root / metadata.FOLDER)
    assert known.look(root) == before


def test_a_seed_that_never_was_right_makes_no_dag(root: Path) -> None:
    (root / metadata.FOLDER / "tables.csv").unlink()
    with pytest.raises(MetadataError):
        known.look(root)


@pytest.mark.parametrize(
    ("text", "expression", "told"),
    [
        (None, "0 2 * * *", ""),
        ("", "0 2 * * *", ""),
        ("30 5 * * 1-5", "30 5 * * 1-5", ""),
        ("@daily", "@daily", ""),
        ("every day", "0 2 * * *", "SEEDBED_SCHEDULE is 'every day'"),
        ("0 25 * * *", "0 2 * * *", "SEEDBED_SCHEDULE is '0 25 * * *'"),
    ],
)
def test_a_schedule_is_one_that_airflow_takes(
    text: str | None, expression: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEEDBED_SCHEDULE", raising=False)
    if text is not None:
        monkeypatch.setenv("SEEDBED_SCHEDULE", text)
    found = known.Known()
    if told:
        with pytest.warns(UserWarning, match="is used"):
            schedule = found.cron("SEEDBED_SCHEDULE", "0 2 * * *")
    else:
        schedule = found.cron("SEEDBED_SCHEDULE", "0 2 * * *")
    assert schedule == type(schedule)(expression, timezone="UTC")
    assert told in found.doc("")
    assert bool(found.faults) == bool(told)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (psycopg.OperationalError("connection refused"), AirflowException),
        (
            psycopg.OperationalError("FATAL:  password authentication failed"),
            AirflowFailException,
        ),
        (ConfigurationError("the seed has 1 fault"), AirflowFailException),
    ],
)
def test_what_another_try_can_not_mend_fails_at_once_and_is_kept(
    cause: Exception, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = Instance()
    monkeypatch.setattr(tasks, "get_current_context", lambda: {"ti": instance})

    def work() -> None:
        try:
            raise cause
        except psycopg.Error:
            raise ServiceError("the warehouse can't be reached") from None

    with pytest.raises(AirflowException) as told, tasks.reported():
        work()
    assert type(told.value) is kind
    assert instance.pushed == {tasks.WHY: str(told.value)}
    # The task's log has that error alone.
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__


@pytest.mark.parametrize(
    ("silver", "gold", "told"),
    [
        ([], [], []),
        (None, None, ["task silver failed: it was cut off."]),
        (["a+"], None, ["task silver failed: a: it fails."]),
        ([], None, ["task gold failed: it was cut off."]),
    ],
)
def test_a_build_that_was_cut_off_is_reported_with_dag_run_task_and_log(
    silver: Any, gold: Any, told: list[str]
) -> None:
    pushed = {"silver_behind": silver, "gold_behind": gold}
    if silver:
        pushed["silver_why"] = "a:\n  it fails"
    faults = list(tasks._faults(Instance(**pushed)))
    assert [f.partition(" Its log: ")[0] for f in faults] == told
    for fault in faults:
        name = fault.split()[1]
        assert "\n" not in fault
        assert "/dags/lake_to_warehouses/runs/scheduled__2026-03-01T02%3A00" in fault
        assert fault.endswith(f"/tasks/{name}")
