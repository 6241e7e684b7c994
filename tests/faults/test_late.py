"""Rows that come late, without a time, through a lagging replica, or twice at once."""

import datetime as dt
import secrets
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ingest.window import Request
from orchestration import reconcile
from sandbox import servers as embedded
from tests.clone import Clone, add_operator, link_mariadb, operated, quiet
from tests.faults.child import Run
from tests.faults.oracle import assert_heals, assert_nothing_twice

pytestmark = pytest.mark.lean

LATE = dt.timedelta(minutes=5, seconds=1)


def differing(clone: Clone, table: str) -> int:
    """How many keys `./seedbed reconcile` finds to differ."""
    with clone.inside():
        (finding,) = reconcile.run(clone.tables(table), quiet)
    assert finding.error is None
    return finding.count


def repair(clone: Clone, table: str) -> None:
    """`./seedbed reconcile --repair`."""
    result = clone.run(table, request=Request("repair"), with_build=False)
    assert (result.state, result.balanced) == ("done", True)


def assert_equal(clone: Clone, table: str) -> None:
    """What is released is what the source holds, and nothing is there twice."""
    assert clone.released(table) == clone.held(table)
    assert_nothing_twice(clone, table)


@pytest.mark.fault(2)
def test_a_row_later_than_the_overlap_is_found_by_reconcile_and_repaired(
    day_1: Clone,
) -> None:
    high = day_1.value("select max(paid_at) from bronze.shop__payments")
    day_1.change(
        f"insert into shop.payments values (9000001, 1, 'payment', 'card', 1, "
        f"'{high - LATE}')"
    )
    with day_1.knowingly_different("later than any window; reconcile finds it"):
        assert day_1.run("payments", with_build=False).state == "done"
    assert (9000001,) not in day_1.released("shop.payments")
    assert differing(day_1, "payments") == 1
    repair(day_1, "payments")
    assert differing(day_1, "payments") == 0
    assert_equal(day_1, "shop.payments")
    assert_heals(day_1, "payments", with_build=True)


@pytest.mark.fault(27)
def test_late_days_are_merged_and_what_is_later_is_found_by_reconcile(
    day_1: Clone,
) -> None:
    """order_items reads three whole days again: to the midnight, and no further."""
    newest = day_1.value("select max(updated_at) from bronze.shop__order_items")
    midnight = dt.datetime.combine(newest.date(), dt.time()) - dt.timedelta(days=3)
    late = {9_000_001: midnight, 9_000_002: midnight - dt.timedelta(seconds=1)}
    day_1.change(
        *(
            f"insert into shop.order_items values ({key}, 1, 1, 1, 1.00, 0, '{at}', "
            f"'{at}')"
            for key, at in late.items()
        )
    )
    with day_1.knowingly_different("later than any window; reconcile finds it"):
        assert day_1.run("order_items", with_build=False).state == "done"
    there = day_1.released("shop.order_items")
    assert ((9_000_001,) in there, (9_000_002,) in there) == (True, False)
    assert differing(day_1, "order_items") == 1
    repair(day_1, "order_items")
    assert_equal(day_1, "shop.order_items")


@pytest.mark.fault(5)
def test_a_row_without_watermark_is_loaded_once_where_the_seed_says_so(
    day_2_due: Clone,
) -> None:
    day_2_due.change(
        "alter table shop.suppliers modify updated_at datetime(6) null",
        "update shop.suppliers set updated_at = null where supplier_id = 3",
    )
    with day_2_due.options("shop,suppliers,null_watermark,load"):
        (first,) = day_2_due.run("suppliers", with_build=False).outcomes
        assert first.state == "released"
        assert_equal(day_2_due, "shop.suppliers")
        (second,) = day_2_due.run("suppliers", with_build=False).outcomes
    assert second.batches[-1].rows_loaded == 0
    assert not day_2_due.query("select * from audit.reject")
    assert_equal(day_2_due, "shop.suppliers")


@pytest.mark.fault(28)
def test_a_backfill_beside_an_increment_gives_what_a_full_load_gives(
    day_2_due: Clone,
) -> None:
    day_2_due.change(
        # Unseen by any window: their times stay as they are.
        "update shop.order_items set quantity = quantity + 1 "
        "where order_item_id % 7 = 0"
    )
    asked = Request("backfill", dt.datetime(2020, 1, 1), dt.datetime(2026, 3, 9))
    for _ in range(5):
        runs = [
            Run(day_2_due, "order_items", request=request, with_build=False)
            for request in (None, asked)
        ]
        codes = [run.finish() for run in runs]
        told = [run.told for run in runs]
        assert codes == [int("busy" in text) for text in told], told
        if "busy" not in runs[1].told:
            break
        assert "another run is loading this table" in runs[1].told
    assert_heals(day_2_due, "order_items")
    assert differing(day_2_due, "order_items") == 0


@pytest.fixture
def primary() -> Iterator[tuple[Path, str]]:
    """A MariaDB of its own, and its operator's password."""
    with tempfile.TemporaryDirectory(prefix="seedbed-tests-") as folder:
        Path(folder).chmod(0o755)
        root = Path(folder) / "clone"
        root.mkdir()
        link_mariadb(root)
        password = secrets.token_urlsafe(24)
        try:
            Path(root / ".seedbed").mkdir(exist_ok=True)
            add_operator(root, password)
            embedded.up(root, quiet, ["mariadb"])
            yield root, password
        finally:
            embedded.down(root, quiet)


def wait_for_lag(clone: Clone) -> None:
    """Until the server says that it is ten minutes behind."""
    deadline = time.monotonic() + 30
    with clone.operated() as cursor:
        while True:
            cursor.execute("show replica status")
            names = [column[0] for column in cursor.description]
            status = dict(zip(names, cursor.fetchone() or (), strict=True))
            if (status["Seconds_Behind_Master"] or 0) >= 600:
                return
            assert time.monotonic() < deadline, status
            time.sleep(0.1)


@pytest.mark.fault(15)
def test_behind_a_lagging_replica_the_watermark_lags_as_well(
    day_2_due: Clone, primary: tuple[Path, str]
) -> None:
    """The source applies what its primary wrote ten minutes ago an hour late."""
    root, password = primary
    port = urlsplit(embedded.admin_url(root)).port
    with operated(root, password) as there, day_2_due.operated() as here:
        here.execute("grant slave monitor on *.* to seedbed_reader@127.0.0.1")
        here.execute("set global server_id = 2")
        here.execute(
            f"change master to master_host = '127.0.0.1', master_port = {port}, "
            f"master_user = 'operator', master_password = '{password}', "
            "master_use_gtid = no, master_delay = 3600"
        )
        here.execute("start slave")
        there.execute("set timestamp = unix_timestamp() - 600")
        there.execute("create database beat")
        try:
            wait_for_lag(day_2_due)
            day_2_due.change(
                *(
                    f"insert into shop.suppliers values ({key}, 'S', 'DE', null, null, "
                    f"utc_timestamp(6), utc_timestamp(6) - interval {minutes} minute)"
                    for key, minutes in ((9001, 12), (9002, 2))
                )
            )
            with day_2_due.knowingly_different("a row is as young as the replica lags"):
                assert day_2_due.run("suppliers", with_build=False).state == "done"
            there_now = {key for (key,) in day_2_due.released("shop.suppliers")}
            assert (9001 in there_now, 9002 in there_now) == (True, False)
        finally:
            here.execute("stop slave")
            here.execute("reset slave all")
            here.execute("set global server_id = 1")
            here.execute("revoke slave monitor on *.* from seedbed_reader@127.0.0.1")
    assert_heals(day_2_due, "suppliers")
