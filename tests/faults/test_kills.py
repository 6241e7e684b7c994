"""Killed anywhere, the next run comes to what an undisturbed one comes to."""

import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ingest import killpoints
from ingest.ledger import table_lock
from tests.clone import Clone, neutral_environment
from tests.conftest import Played

INGEST = Path(killpoints.__file__).parent


def start(clone: Clone, **env: str) -> "subprocess.Popen[str]":
    """A run in a process of its own, without waiting for it."""
    return subprocess.Popen(
        clone.command("run"),
        cwd=clone.root,
        env=neutral_environment() | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def assert_undisturbed(clone: Clone, played: Played) -> None:
    """One more run, and all is as if nobody had been killed."""
    result = clone.run()
    assert result.state == "done", [o.error for o in result.outcomes]
    assert result.balanced
    contents = clone.contents(without=["_batch_seq"], any_observation=True)
    expected = played.contents[2]
    assert contents.keys() == expected.keys()
    for name in expected:
        assert contents[name] == expected[name], name
    open_batches = clone.query(
        "select table_id, state from audit.batch "
        "where state in ('planned', 'extracted', 'loaded')"
    )
    assert open_batches == []


def test_every_point_in_the_code_is_a_known_one_and_each_is_there() -> None:
    used = [
        name
        for path in INGEST.rglob("*.py")
        for name in re.findall(r'\breach\("(\w+)"\)', path.read_text())
    ]
    assert sorted(used) == sorted(killpoints.POINTS), "each point once"


@pytest.mark.parametrize("point", killpoints.POINTS)
def test_killed_at_a_point_the_next_run_heals(
    day_2_due: Clone, played: Played, point: str
) -> None:
    killed = start(day_2_due, SEEDBED_KILL_AT=point)
    told, _ = killed.communicate(timeout=180)
    assert killed.returncode == -signal.SIGKILL, told
    assert_undisturbed(day_2_due, played)


@pytest.mark.parametrize("seed", [11, 12])
def test_killed_at_three_random_moments_the_next_run_heals(
    day_2_due: Clone, played: Played, seed: int
) -> None:
    dice = random.Random(seed)
    killed = 0
    for stage in range(3):
        seconds = 0.4 + 1.7 * stage + dice.uniform(0, 1.7)
        print(f"seed {seed}: SIGKILL after {seconds:.3f} s")
        process = start(day_2_due)
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        killed += process.returncode == -signal.SIGKILL
    assert killed >= 1
    assert_undisturbed(day_2_due, played)


def test_a_killed_run_leaves_no_lock_behind(day_2_due: Clone) -> None:
    killed = start(day_2_due, SEEDBED_KILL_AT="in_load")
    killed.communicate(timeout=180)
    deadline = time.monotonic() + 10
    while True:
        held = day_2_due.value(
            "select count(*) from pg_locks where locktype = 'advisory'"
        )
        if not held or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert held == 0


def test_a_killed_run_is_not_told_as_running_for_ever(day_2_due: Clone) -> None:
    killed = start(day_2_due, SEEDBED_KILL_AT="after_plan")
    killed.communicate(timeout=180)
    assert day_2_due.run("suppliers").state == "done"
    states = day_2_due.query("select state from audit.run order by started_at")
    assert ("running",) not in states


def test_of_two_runs_at_once_both_end_well_and_no_row_is_lost(
    day_2_due: Clone, played: Played
) -> None:
    processes = [start(day_2_due) for _ in range(2)]
    told = [p.communicate(timeout=240)[0] for p in processes]
    for process, text in zip(processes, told, strict=True):
        assert process.returncode == 0, text
        assert "Traceback" not in text
    assert_undisturbed(day_2_due, played)


def test_a_table_that_another_run_works_on_is_left_alone(day_2_due: Clone) -> None:
    before = day_2_due.relation("silver", "suppliers")
    (table,) = day_2_due.tables("suppliers")
    with day_2_due.inside(), table_lock(table):
        result = day_2_due.run("suppliers", "customers")
    states = {o.table.id: o.state for o in result.outcomes}
    assert states == {"shop.customers": "released", "shop.suppliers": "busy"}
    (busy,) = [str(o.error) for o in result.outcomes if o.error]
    assert "another run is working on it" in busy
    assert day_2_due.relation("silver", "suppliers") == before
    assert day_2_due.run("suppliers").state == "done"
    assert day_2_due.relation("silver", "suppliers") != before
