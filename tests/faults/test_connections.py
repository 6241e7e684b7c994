"""Connections that break, or are refused, in the middle of a run."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.clone import Clone
from tests.faults.child import Run, run
from tests.faults.oracle import assert_heals, states
from tests.faults.proxy import before, refusal

pytestmark = pytest.mark.lean

PAYMENTS = "shop.payments"
ONCE = {"SEEDBED_RETRY_SECONDS": "0"}
# Two thirds of the bytes, so that it is the rows and not the talk about them.
SHARE = 0.66


@dataclass
class Wide:
    """A clone with 20,000 payments waiting, and the bytes that their run takes."""

    clone: Clone
    read: int
    written: int


def deliver(clone: Clone) -> None:
    """After day 1, a run with many payments is due."""
    clone.restore("day_1")
    clone.change(
        "insert into shop.payments select 1000000 + seq, 1, 'payment', 'card', 1, "
        "'2026-03-01 23:00:00' from shop.seq_1_to_20000"
    )


@pytest.fixture(scope="module")
def measured(stack: Clone, played: object) -> tuple[int, int]:
    """The bytes that come from the source, and that go to the warehouse."""
    deliver(stack)
    with before(stack, "shop") as shop, before(stack, "warehouse") as warehouse:
        result = run(stack, shop.env | warehouse.env, PAYMENTS, with_build=False)
        assert result.state == "done"
        assert shop.received > 500_000
        assert warehouse.sent > 500_000
        return shop.received, warehouse.sent


@pytest.fixture
def wide(stack: Clone, measured: tuple[int, int]) -> Wide:
    """The clone with those payments waiting."""
    deliver(stack)
    return Wide(stack, *measured)


def in_log(clone: Clone, table: str = PAYMENTS) -> int:
    """How many rows of its second batch the log holds."""
    log = f"bronze.{table.replace('.', '__')}"
    return int(clone.value(f"select count(*) from {log} where _batch_seq = 2"))


def under_way(clone: Clone, table: str = PAYMENTS) -> tuple[object, ...]:
    """State and window of its second batch."""
    (found,) = clone.query(
        "select state, window_low, window_high from audit.batch "
        "where table_id = %s and batch_seq = 2",
        table,
    )
    return found


def in_bucket(clone: Clone, table: str = PAYMENTS) -> list[str]:
    """A table's objects in the bucket, with the times they were written at."""
    found = clone.s3().list_objects_v2(Bucket="lake")
    folder = f"/{table.replace('.', '/')}/"
    return [e["Key"] for e in found.get("Contents", []) if folder in e["Key"]]


@pytest.mark.fault(7)
@pytest.mark.parametrize("how", ["killed", "dead"])
def test_when_reading_breaks_off_nothing_is_seen_and_the_window_is_read_again(
    wide: Wide, how: str
) -> None:
    clone = wide.clone
    with before(clone, "shop") as proxy:
        process = Run(clone, PAYMENTS, env=proxy.env | ONCE, with_build=False)
        action = process.kill if how == "killed" else proxy.die
        proxy.after(action, received=int(wide.read * SHARE))
        code = process.finish()
    assert code == (-signal.SIGKILL if how == "killed" else 3), process.told
    assert (in_log(clone), in_bucket(clone)) == (0, [])
    window = under_way(clone)
    assert window[0] == "planned"
    assert_heals(clone, PAYMENTS, with_build=how == "killed")
    assert under_way(clone) == ("released", *window[1:]), "the same window"


@pytest.mark.fault(8)
def test_what_was_uploaded_without_a_manifest_is_uploaded_to_the_same_keys(
    day_2_due: Clone,
) -> None:
    Run(
        day_2_due, "suppliers", env={"SEEDBED_FAILPOINT": "before_manifest"}
    ).assert_killed()
    table = "shop.suppliers"
    orphans = {*in_bucket(day_2_due, table)}
    assert orphans
    assert not [key for key in orphans if key.endswith("_manifest.json")]
    assert in_log(day_2_due, table) == 0
    assert_heals(day_2_due, "suppliers")
    batch = next(iter(orphans)).split("/")[-2]
    now = {key for key in in_bucket(day_2_due, table) if f"/{batch}/" in key}
    assert now > orphans
    added = {key.rpartition("/")[2] for key in now - orphans}
    assert added == {"_manifest.json", "_released.json"}


@pytest.mark.fault(9)
@pytest.mark.parametrize("how", ["killed", "dead"])
def test_when_loading_breaks_off_neither_rows_nor_state_are_there(
    wide: Wide, how: str
) -> None:
    clone = wide.clone
    with before(clone, "warehouse") as proxy:
        process = Run(clone, PAYMENTS, env=proxy.env | ONCE, with_build=False)
        action = process.kill if how == "killed" else proxy.die
        proxy.after(action, sent=int(wide.written * SHARE))
        code = process.finish()
    assert code == -signal.SIGKILL if how == "killed" else code in (1, 3), process.told
    assert (in_log(clone), under_way(clone)[0]) == (0, "extracted")
    assert "Traceback" not in process.told
    assert_heals(clone, PAYMENTS, with_build=how == "killed")


@pytest.mark.fault(7, 9)
@pytest.mark.parametrize("server", ["shop", "warehouse"])
def test_a_connection_that_is_cut_in_the_middle_is_made_again(
    wide: Wide, server: str
) -> None:
    lines: list[str] = []
    with before(wide.clone, server) as proxy:
        if server == "shop":
            proxy.after(proxy.cut, received=int(wide.read * SHARE))
        else:
            proxy.after(proxy.cut, sent=int(wide.written * SHARE))
        result = run(
            wide.clone, proxy.env, PAYMENTS, with_build=False, report=lines.append
        )
    assert result.state == "done", (lines, str(result.outcomes[0].error))
    assert any("try 2 of 5" in line for line in lines)
    assert_heals(wide.clone, PAYMENTS)


@pytest.mark.fault(23)
@pytest.mark.parametrize(
    ("server", "share"), [("warehouse", SHARE), ("lake", 0.5)], ids=str
)
def test_a_worker_that_slept_through_the_loss_of_its_lock_changes_nothing(
    wide: Wide, server: str, share: float
) -> None:
    """Its machine stalls, the warehouse ends its sessions, another run does it all."""
    clone = wide.clone
    with before(clone, server) as proxy:
        sleeper = Run(clone, PAYMENTS, env=proxy.env | ONCE, with_build=False)
        if server == "warehouse":
            proxy.after(sleeper.sleep, sent=int(wide.written * share))
        else:
            proxy.after(sleeper.sleep, received=500)
        try:
            wait_until(lambda: stopped(sleeper.pid))
            with clone.connect("postgres") as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = 'seedbed'"
                )
            assert_heals(clone, PAYMENTS, with_build=server == "warehouse")
            after = clone.contents()
            known = clone.query("select * from audit.batch order by 1, 2")
        finally:
            sleeper.wake()
        assert sleeper.finish() in (1, 3), sleeper.told
    assert clone.contents() == after
    assert clone.query("select * from audit.batch order by 1, 2") == known


def stopped(pid: int) -> bool:
    """Whether the process is stopped."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


def wait_until(so: Callable[[], bool]) -> None:
    """Wait for it, a minute at most."""
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# -- the lake ------------------------------------------------------------------


@pytest.mark.fault(13)
def test_a_store_that_is_busy_at_first_is_asked_again(day_2_due: Clone) -> None:
    with before(day_2_due, "lake") as proxy:
        proxy.answer(refusal("503 Slow Down", "SlowDown"), times=2)
        result = run(day_2_due, proxy.env, "suppliers", with_build=False)
        assert proxy.unanswered == 0
    assert states(result) == {"shop.suppliers": "released"}
    assert day_2_due.released("shop.suppliers") == day_2_due.held("shop.suppliers")


@pytest.mark.fault(13)
@pytest.mark.parametrize("how", ["slow", "cut"])
def test_a_store_that_is_slow_or_drops_a_connection_loses_nothing(
    day_2_due: Clone, how: str
) -> None:
    with before(day_2_due, "lake") as proxy:
        if how == "slow":
            proxy.delay = 0.1
        else:
            proxy.after(proxy.cut, received=100)
        result = run(day_2_due, proxy.env, "suppliers", with_build=False)
    assert states(result) == {"shop.suppliers": "released"}
    assert day_2_due.released("shop.suppliers") == day_2_due.held("shop.suppliers")


@pytest.mark.fault(13)
def test_a_store_that_stays_busy_is_reported_and_leaves_no_partial_state(
    day_2_due: Clone,
) -> None:
    with before(day_2_due, "lake") as proxy:
        proxy.answer(refusal("503 Slow Down", "SlowDown"))
        result = run(day_2_due, proxy.env, "suppliers", with_build=False)
    assert_refused(
        day_2_due, result.exit_code, str(result.outcomes[0].error), "SlowDown"
    )
    assert_heals(day_2_due, "suppliers")


@pytest.mark.fault(14)
def test_credentials_that_expire_in_mid_run_are_reported_and_leave_no_partial_state(
    day_2_due: Clone,
) -> None:
    with before(day_2_due, "lake") as proxy:

        def expire() -> None:
            proxy.answer(refusal("400 Bad Request", "ExpiredToken"))
            proxy.cut()

        proxy.after(expire, received=1000)
        result = run(day_2_due, proxy.env, "suppliers", with_build=False)
    assert_refused(
        day_2_due, result.exit_code, str(result.outcomes[0].error), "ExpiredToken"
    )
    assert_heals(day_2_due, "suppliers")


def assert_refused(clone: Clone, code: int, told: str, why: str) -> None:
    """One clear error; the batch is planned still, and nothing of it can be seen."""
    assert code == 3
    assert "the lake s3://lake/ refused" in told
    assert why in told
    assert "Nothing was lost" in told
    assert (in_log(clone, "shop.suppliers"), under_way(clone, "shop.suppliers")[0]) == (
        0,
        "planned",
    )
    manifests = [k for k in in_bucket(clone, "shop.suppliers") if "_manifest" in k]
    assert manifests == []
