"""Locks that others hold, and deadlocks: a time-out, another try, then an error."""

import threading
import time
from typing import Any

import pytest

from ingest import load
from tests.clone import Clone
from tests.faults.child import Run, run
from tests.faults.oracle import assert_heals, states

pytestmark = pytest.mark.lean

LOG = "bronze.shop__suppliers"
IMPATIENT = {"PGOPTIONS": "-c lock_timeout=300ms"}


def wait_for_a_waiter(clone: Clone) -> None:
    """Until somebody waits for a lock."""
    deadline = time.monotonic() + 60
    while not clone.value("select exists (select from pg_locks where not granted)"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.fault(16)
def test_a_lock_that_becomes_free_after_a_time_out_is_tried_again(
    day_2_due: Clone,
) -> None:
    lines = []
    with day_2_due.connect() as other:
        other.autocommit = False
        other.execute(f"lock table {LOG} in access exclusive mode")

        def report(line: str) -> None:
            lines.append(line)
            other.rollback()

        result = run(day_2_due, IMPATIENT, "suppliers", with_build=False, report=report)
    assert states(result) == {"shop.suppliers": "released"}
    assert "lock timeout" in lines[0]
    assert_heals(day_2_due, "suppliers", with_build=True)


@pytest.mark.fault(16)
def test_a_lock_that_stays_is_reported_and_the_others_go_on(day_2_due: Clone) -> None:
    with day_2_due.connect() as other:
        other.autocommit = False
        other.execute(f"lock table {LOG} in access exclusive mode")
        result = run(
            day_2_due,
            IMPATIENT | {"SEEDBED_RETRY_SECONDS": "0"},
            "suppliers",
            "customers",
            with_build=False,
        )
    assert states(result) == {"shop.customers": "released", "shop.suppliers": "failed"}
    (error,) = [str(o.error) for o in result.outcomes if o.error]
    assert "lock timeout" in error
    assert_heals(day_2_due, "suppliers")


@pytest.mark.fault(16)
def test_a_deadlock_is_tried_again(
    day_2_due: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another session has the batch and wants the log; the load the other way."""
    lines: list[str] = []
    close = load._close
    with day_2_due.connect() as other:
        other.autocommit = False

        def want_the_log() -> None:
            wait_for_a_waiter(day_2_due)
            other.execute(f"lock table {LOG} in share mode")
            other.rollback()

        thread = threading.Thread(target=want_the_log)

        def close_late(*arguments: Any) -> None:
            """The rows are in the log by now, and the batch's state is to follow."""
            if thread.ident is None:
                other.execute("select from audit.batch for update")
                thread.start()
            close(*arguments)

        monkeypatch.setattr(load, "_close", close_late)
        result = run(day_2_due, {}, "suppliers", with_build=False, report=lines.append)
        thread.join()
    assert states(result) == {"shop.suppliers": "released"}
    assert any("deadlock" in line for line in lines), lines
    assert_heals(day_2_due, "suppliers")


@pytest.mark.fault(16)
def test_a_source_s_table_that_stays_locked_is_reported(day_2_due: Clone) -> None:
    impatient = {"SEEDBED_TIMEOUT_SECONDS": "2", "SEEDBED_RETRY_SECONDS": "0"}
    with day_2_due.operated() as other:
        other.execute("lock tables shop.suppliers write")
        # Not in this process, whose own silent connection would be given up as well.
        process = Run(day_2_due, "suppliers", env=impatient, with_build=False)
        assert process.finish() == 3, process.told
    assert "source shop" in process.told
    assert_heals(day_2_due, "suppliers")


@pytest.mark.fault(16)
def test_a_transaction_that_is_open_for_long_loses_no_row(day_2_due: Clone) -> None:
    """It changed a row before the run and commits after it: nobody waits for it."""
    with day_2_due.operated() as other:
        other.execute("begin")
        other.execute(
            "update shop.suppliers set name = 'Late', updated_at = "
            "'2026-03-01 23:59:00' where supplier_id = 3"
        )
        assert day_2_due.run("suppliers", with_build=False).state == "done"
        other.execute("commit")
    assert_heals(day_2_due, "suppliers")


@pytest.mark.lean
def test_an_unexpected_error_fails_its_table_alone(
    day_2_due: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is, and at whichever step: the others are released."""
    done = load._close

    def fail(engine: Any, table: Any, *rest: Any) -> None:
        if table.id == "shop.suppliers":
            raise RuntimeError("a surprise")
        done(engine, table, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(load, "_close", fail)
        result = day_2_due.run("suppliers", "customers")
    assert states(result) == {"shop.customers": "released", "shop.suppliers": "failed"}
    assert (result.state, result.exit_code) == ("failed", 1)
    (error,) = [str(o.error) for o in result.outcomes if o.error]
    assert "RuntimeError: a surprise" in error
    assert "in fail" in day_2_due.logs(), "the traceback is in the run log"
    assert_heals(day_2_due, "suppliers", with_build=True)
