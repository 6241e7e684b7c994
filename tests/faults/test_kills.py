"""Killed anywhere, the next run comes to what an undisturbed one comes to."""

import itertools
import random
import re
import time
from collections.abc import Callable

import pytest

from ingest import failpoints
from ingest.control import table_lock
from orchestration import build
from tests.clone import (
    REPOSITORY,
    Clone,
    by_key,
    columns_of,
    quiet,
)
from tests.conftest import Played
from tests.faults.child import Run
from tests.faults.matrix import IN_ANY_RUN, IN_RANGES
from tests.faults.oracle import assert_heals, assert_undisturbed, states
from tests.faults.trade import trade

pytestmark = pytest.mark.lean("shop.orders", "crm.contacts", "shop.inventory")

CODE = [REPOSITORY / name for name in ("gx", "ingest", "orchestration")]
# Of the points on the way of a batch these three part what may be seen from what may
# not: before it counts, in the transaction that loads it, after all is built.
USUAL = ("before_manifest", "in_load", "after_build")
POINTS = [
    pytest.param(point, marks=[] if point in USUAL else pytest.mark.long)
    for point in IN_ANY_RUN
]
ONE_OF_EACH_LOAD_TYPE = {
    "full": "shop.inventory",
    "incremental": "shop.order_items",
    "scd1": "shop.suppliers",
    "scd2": "crm.contacts",
    "cdc": "shop.orders",
    "snapshot": "shop.products",
}


def test_every_point_in_the_code_is_a_known_one_and_each_is_there() -> None:
    used = [
        name
        for folder in CODE
        for path in folder.rglob("*.py")
        for name in re.findall(r'\breach\("(\w+)"\)', path.read_text())
    ]
    assert sorted(used) == sorted(failpoints.POINTS), "each point once"


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.fault(7, 8, 9)
def test_killed_at_a_point_the_next_run_heals(
    day_2_due: Clone, played: Played, point: str
) -> None:
    Run(day_2_due, env={"SEEDBED_FAILPOINT": point}).assert_killed()
    assert_undisturbed(day_2_due, played)


@pytest.mark.parametrize("point", IN_RANGES)
@pytest.mark.fault(7)
def test_killed_between_ranges_of_a_first_load_the_next_run_heals(
    stack: Clone, played: Played, point: str
) -> None:
    stack.restore("empty", source="day_1")
    with stack.source() as cursor:
        cursor.execute("analyze table shop.order_items")
    with stack.options("shop,order_items,range_rows,300"):
        for _ in range(2):
            Run(stack, "order_items", env={"SEEDBED_FAILPOINT": point}).assert_killed()
        read = "select count(parts) < count(*) from audit.batch_range"
        assert stack.value(read), "it was killed in between"
        result = stack.run("order_items", with_build=False)
    assert (result.state, result.balanced) == ("done", True)
    log = stack.relation("bronze", "shop__order_items")
    names = columns_of("shop.order_items")
    found = by_key("shop.order_items", [{n: row[n] for n in names} for row in log])
    assert found == stack.held("shop.order_items")


@pytest.mark.long
@pytest.mark.fault(7, 8, 9)
def test_killed_at_each_point_with_each_load_type_the_next_run_heals(
    day_4: Clone, nightly: bool
) -> None:
    points = [p for p in IN_ANY_RUN if p != "after_build"]
    tables = list(ONE_OF_EACH_LOAD_TYPE.values())
    pairs = list(itertools.product(points, tables))
    dice = random.Random(5)
    for minute, (point, table) in enumerate(pairs if nightly else pairs[::7]):
        trade(day_4, minute, dice)
        run = Run(day_4, table, env={"SEEDBED_FAILPOINT": point}, with_build=False)
        run.assert_killed()
        assert_heals(day_4, table)
    assert_heals(day_4, with_build=True)


@pytest.mark.long
@pytest.mark.lean(*ONE_OF_EACH_LOAD_TYPE.values())
@pytest.mark.fault(7, 8, 9, 23)
def test_killed_at_random_moments_again_and_again_the_next_run_heals(
    day_4: Clone, nightly: bool, record_property: Callable[[str, object], None]
) -> None:
    wanted, killed = (60 if nightly else 6), 0
    dice = random.Random(2026)
    trade(day_4, 0, dice)
    usual = day_4.run(everything=True).seconds
    for minute in itertools.count(1):
        trade(day_4, minute, dice)
        # Half of them die while rows move, which is short beside the build.
        with_build = minute % 2 == 1
        seconds = dice.uniform(0, usual["move"] + (usual["build"] if with_build else 0))
        run = Run(day_4, with_build=with_build)
        if run.wait(seconds) is None:
            run.kill()
            run.assert_killed()
            killed += 1
            print(f"kill {killed}: SIGKILL after {seconds:.3f} s")
            if killed % max(2, wanted // 5) == 0:
                assert_heals(day_4, with_build=True)
        if killed == wanted:
            break
    record_property("kills", killed)
    before = day_4.contents()
    with day_4.inside():
        tables = [t for t in day_4.tables() if not t.load_type.is_snapshot]
        names = [t.model + ("_history" if t.has_history else "") for t in tables]
        assert build.rebuild(names, "postgres", quiet).ok
    assert day_4.contents() == before, "a rebuild gives what the increments gave"


@pytest.mark.fault(23)
def test_a_killed_run_leaves_no_lock_behind(day_2_due: Clone) -> None:
    Run(day_2_due, env={"SEEDBED_FAILPOINT": "in_load"}).assert_killed()
    deadline = time.monotonic() + 10
    while True:
        held = day_2_due.value(
            "select count(*) from audit.lock where audit.is_alive(pid, session_start)"
        )
        if not held or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert held == 0


def test_a_killed_run_is_not_shown_as_running_for_ever(day_2_due: Clone) -> None:
    Run(day_2_due, env={"SEEDBED_FAILPOINT": "after_plan"}).assert_killed()
    assert day_2_due.run("suppliers").state == "done"
    found = day_2_due.query("select state from audit.run order by started_at")
    assert ("running",) not in found


@pytest.mark.fault(22)
def test_of_two_runs_at_once_both_end_well_and_no_row_is_lost(
    day_2_due: Clone, played: Played
) -> None:
    runs = [Run(day_2_due) for _ in range(2)]
    for run in runs:
        # Who left a table to the other says so.
        assert run.finish() == int(" busy " in run.told), run.told
        assert "Traceback" not in run.told
    assert_undisturbed(day_2_due, played)


@pytest.mark.fault(22)
def test_a_table_that_another_run_works_on_is_left_alone(day_2_due: Clone) -> None:
    before = day_2_due.relation("silver", "suppliers")
    (table,) = day_2_due.tables("suppliers")
    with day_2_due.inside(), table_lock(table):
        result = day_2_due.run("suppliers", "customers")
    assert states(result) == {"shop.customers": "released", "shop.suppliers": "busy"}
    (busy,) = [str(o.error) for o in result.outcomes if o.error]
    assert "another run is loading this table" in busy
    assert day_2_due.relation("silver", "suppliers") == before
    assert day_2_due.run("suppliers").state == "done"
    assert day_2_due.relation("silver", "suppliers") != before
