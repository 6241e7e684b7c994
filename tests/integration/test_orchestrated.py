"""The steps that an orchestrator calls, where something comes in between."""

import json
from pathlib import Path
from typing import Any

import pytest

from ingest import control, retry
from ingest.errors import ConfigurationError, NotDoneError, SeedbedError
from ingest.seed import seedfile
from orchestration import orchestrated, runner
from orchestration.runner import Run
from tests.clone import Clone, quiet

TABLES = ["shop.payments", "shop.suppliers"]
RUN = "scheduled__2026-03-01"


@pytest.fixture(scope="module")
def due(stack: Clone) -> Clone:
    """The clone with the first day in its sources, and some bad rows."""
    stack.restore("empty")
    stack.day(1)
    stack.change("update shop.payments set amount = -1 order by payment_id limit 3")
    stack.save("steps_due")
    return stack


@pytest.fixture
def clone(due: Clone) -> Clone:
    """The same with a batch of two tables in the lake, read step by step."""
    due.restore("steps_due")
    with due.inside():
        run_id = begin("source_to_lake", is_reading=True)
        assert states(run_id) == dict.fromkeys(TABLES, "waiting")
        for table in TABLES:
            assert orchestrated.move(run_id, table, ["extract"], quiet) == "extracted"
        assert states(run_id) == dict.fromkeys(TABLES, "extracted")
        assert end(run_id) == "done"
    return due


def begin(dag: str = "lake_to_warehouses", *, is_reading: bool = False) -> str:
    return orchestrated.begin("load", dag, RUN, TABLES, quiet, is_reading=is_reading)


def states(run_id: str) -> dict[str, str]:
    """How far the run's tables came, without those that the seed has no more."""
    return {o.table.id: o.state for o in Run.resume(run_id, quiet).outcomes}


def awaited(run_id: str) -> dict[str, str]:
    """The manifest that each of the run's tables waits for."""
    waits = orchestrated.awaited(Run.resume(run_id, quiet))
    return {wait["table_id"]: wait["manifest"] for wait in waits}


def load(run_id: str, table: str) -> str:
    """Load what is in the lake of a table."""
    return orchestrated.move(run_id, table, ["load"], quiet)


def end(run_id: str) -> str:
    """Prove and end the run."""
    is_proven = Run.resume(run_id, quiet).prove(None)
    return orchestrated.end(run_id, is_proven, [], quiet)


def noted(clone: Clone, run_id: str) -> dict[str, str]:
    text = "select table_id, state from audit.run_table where run_id = %s"
    return dict(clone.query(text, run_id))


def test_a_table_that_is_none_of_the_run_is_reported_and_not_tried_again(
    due: Clone,
) -> None:
    with due.inside():
        run_id = begin()
        for name in ("shop.orders", "shop.vouchers"):
            with pytest.raises(ConfigurationError, match="next one") as told:
                load(run_id, name)
            assert str(told.value).startswith(f"{name} is not a table of run {run_id}")
            assert not retry.may_pass(told.value)


def test_a_table_that_is_disabled_in_flight_is_left_out_and_the_rest_goes_on(
    clone: Clone,
) -> None:
    lines: list[str] = []
    with clone.inside():
        run_id = begin()
        row = {"source": "shop", "table": "payments"}
        assert seedfile.change(clone.root, "tables", row, {"enabled": "false"})
        assert states(run_id) == {"shop.suppliers": "waiting"}
        assert [*awaited(run_id)] == ["shop.suppliers"]
        state = orchestrated.move(run_id, "shop.payments", ["load"], lines.append)
        assert state == "disabled"
        assert load(run_id, "shop.suppliers") == "loaded"
        assert end(run_id) == "done"
    assert "shop.payments disabled" in lines[0]
    assert noted(clone, run_id) == {
        "shop.payments": "disabled",
        "shop.suppliers": "loaded",
    }


def test_a_batch_whose_manifest_is_gone_fails_its_table_and_is_read_again(
    clone: Clone,
) -> None:
    (key,) = clone.query(
        "select manifest_key from audit.batch where table_id = 'shop.suppliers'"
    )[0]
    clone.s3().delete_object(Bucket="lake", Key=key)
    (clone.root / ".seedbed" / "lake" / key).unlink(missing_ok=True)
    with clone.inside():
        run_id = begin()
        assert awaited(run_id)["shop.suppliers"] == f"s3://lake/{key}"
        assert load(run_id, "shop.payments") == "loaded"
        for _ in range(2):  # nothing is dropped, so another try finds the same
            with pytest.raises(SeedbedError, match=rf"{key} is not in the lake"):
                load(run_id, "shop.suppliers")
        with pytest.raises(NotDoneError, match="batch 1 can't"):
            end(run_id)
    assert noted(clone, run_id)["shop.suppliers"] == "failed"
    (message,) = clone.query(
        "select message from audit.alert where kind = 'run_failed' "
        "and closed_at is null"
    )[0]
    for part in ("shop.suppliers", key, f"lake_to_warehouses/{RUN}"):
        assert part in message
    with clone.inside():
        run_id = begin("source_to_lake", is_reading=True)
        assert (
            orchestrated.move(run_id, "shop.suppliers", ["extract"], quiet)
            == "extracted"
        )
        run_id = begin("backfill")
        assert load(run_id, "shop.suppliers") == "loaded"


def test_a_blocked_batch_is_reported_with_rule_and_rows(clone: Clone) -> None:
    lines: list[str] = []
    with clone.inside():
        run_id = begin()
        for table in TABLES:
            load(run_id, table)
        orchestrated.validate(run_id, lines.append)
        for _ in range(2):  # an end that is tried again says the same
            with pytest.raises(NotDoneError) as told:
                end(run_id)
            assert not retry.may_pass(told.value)
            for text in (str(told.value), "\n".join(lines)):
                assert "amount:between" in text
                assert "3 rows" in text
                assert "payment_id" in text


def test_what_a_run_left_loaded_is_decided_on_before_more_is_read(
    clone: Clone,
) -> None:
    with clone.inside():
        left = begin()
        assert [load(left, table) for table in TABLES] == ["loaded", "loaded"]
        result = runner.run(clone.tables(*TABLES), command="run", with_build=False)
    # The bad rows of the one hold it back, and only of the other one more is read.
    assert (result.state, result.exit_code, result.balanced) == ("blocked", 1, True)
    assert clone.query(
        "select table_id, batch_seq, state, run_id from audit.batch order by 1, 2"
    ) == [
        ("shop.payments", 1, "rejected", result.run_id),
        ("shop.suppliers", 1, "released", result.run_id),
        ("shop.suppliers", 2, "released", result.run_id),
    ]
    states = {"shop.payments": "rejected", "shop.suppliers": "released"}
    assert noted(clone, result.run_id) == states
    assert {*result.seconds} == {"move", "gate", "ledger"}
    assert clone.query(
        "select table_id, name, batch_seq, state, ended_at > started_at "
        "from audit.step where run_id = %s order by 1, 2, 3",
        result.run_id,
    ) == [
        ("shop.payments", "validate", 1, "done", True),
        ("shop.suppliers", "extract", 2, "done", True),
        ("shop.suppliers", "load", 2, "done", True),
        ("shop.suppliers", "validate", 1, "done", True),
        ("shop.suppliers", "validate", 2, "done", True),
    ]


def alerts_of(file: Path) -> list[dict[str, Any]]:
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("is_late", [False, True])
def test_alerts_are_sent_where_the_warehouse_can_not_be_reached(
    due: Clone, tmp_path: Path, is_late: bool
) -> None:
    file = tmp_path / "alerts.jsonl"
    wrong = {"PGPASSWORD": "wrong", "SEEDBED_ALERT_FILE": str(file)}
    with due.inside(**wrong):
        with pytest.raises(SeedbedError) as told:
            begin("source_to_lake")
        assert not retry.may_pass(told.value)
        orchestrated.alarm("source_to_lake", RUN, "its reason", quiet, is_late=is_late)
    (message,) = alerts_of(file)
    assert (message["kind"], message["state"]) == ("warehouse_down", "opened")
    for part in ("source_to_lake", RUN, "its reason"):
        assert part in message["text"]
    assert (due.root / message["runbook"]).exists()
    with due.inside(PGPORT="1"), pytest.raises(SeedbedError) as told:
        control.connect()
    assert retry.may_pass(told.value)


def test_a_run_that_could_not_begin_raises_an_alert_once(due: Clone) -> None:
    with due.inside():
        for _ in range(2):
            orchestrated.alarm(
                "source_to_lake", "by hand", "the seed has a fault", quiet
            )
    assert due.query(
        "select message from audit.alert where kind = 'run_failed' "
        "and closed_at is null"
    ) == [("source_to_lake (source_to_lake/by hand) failed: the seed has a fault",)]
