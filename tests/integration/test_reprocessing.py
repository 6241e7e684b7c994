"""Read again what windows do not reach: ranges, dates, differences, raw files."""

from datetime import datetime
from typing import Any

import pytest

from ingest import control, failpoints
from ingest.errors import ConfigurationError, SeedbedError
from ingest.window import Request
from orchestration import replay
from tests.clone import Clone, by_key, columns_of
from tests.conftest import Played
from tests.faults.child import Run
from tests.faults.oracle import assert_source

pytestmark = pytest.mark.lean

MODELS = {
    "shop.suppliers": "suppliers",
    "crm.contacts": "crm_contacts",
    "shop.orders": "orders",
}


def batch(clone: Clone, table: str, *columns: str) -> tuple[Any, ...]:
    """Facts of the table's newest batch."""
    return clone.query(
        f"select {', '.join(columns)} from audit.batch where table_id = %s "
        "order by batch_seq desc limit 1",
        table,
    )[0]


def log(clone: Clone, table: str) -> list[str]:
    """All rows of a table's log, as texts."""
    name = table.replace(".", "__")
    return clone.contents(("bronze",))[f"bronze.{name}"]


def test_a_backfill_finds_a_row_later_than_the_overlap(day_1: Clone) -> None:
    day_1.change(
        "insert into shop.payments select 900001, order_id, kind, method, amount, "
        "'2026-02-20 10:00:00' from shop.payments limit 1"
    )
    with day_1.knowingly_different("later than any window; a backfill finds it"):
        assert day_1.run("payments", with_build=False).state == "done"
    assert day_1.released("shop.payments") != day_1.held("shop.payments")
    before = batch(day_1, "shop.payments", "window_high")
    asked = Request("backfill", datetime(2026, 2, 20), datetime(2026, 2, 21))
    result = day_1.run("payments", request=asked, with_build=False)
    assert result.state == "done"
    assert result.balanced
    assert day_1.released("shop.payments") == day_1.held("shop.payments")
    assert batch(day_1, "shop.payments", "kind", "rows_written") == ("backfill", 1)
    # A backfill moves no watermark, and a second one finds nothing.
    assert batch(day_1, "shop.payments", "window_high") == before
    day_1.run("payments", request=asked, with_build=False)
    assert batch(day_1, "shop.payments", "rows_written") == (0,)


def test_a_reloaded_date_is_as_the_source_has_it(day_1: Clone) -> None:
    (day,) = day_1.query(
        "select max(paid_at)::date from bronze.shop__payments "
        "where paid_at < '2026-02-25'"
    )[0]
    with day_1.source() as cursor:
        cursor.execute(
            f"select payment_id from shop.payments where date(paid_at) = '{day}' "
            "order by 1 limit 2"
        )
        (gone,), (changed,) = cursor.fetchall()
    day_1.change(
        f"delete from shop.payments where payment_id = {gone}",
        f"update shop.payments set amount = 1 where payment_id = {changed}",
    )
    date = datetime.combine(day, datetime.min.time())
    asked = Request("reload", date, date.replace(hour=23, minute=59, second=59))
    result = day_1.run("payments", request=asked)
    assert (result.state, result.balanced) == ("done", True)
    assert day_1.released("shop.payments") == day_1.held("shop.payments")
    assert batch(day_1, "shop.payments", "rows_written", "rows_deleted") == (1, 1)
    (row,) = day_1.query(
        "select is_deleted from silver.payments where payment_id = %s", gone
    )
    assert row == (True,)
    day_1.run("payments", request=asked, with_build=False)
    assert batch(day_1, "shop.payments", "rows_written", "rows_deleted") == (0, 0)


def test_a_window_that_is_replaced_loses_what_the_source_lost(day_1: Clone) -> None:
    with day_1.source() as cursor:
        cursor.execute("select max(payment_id) from shop.payments")
        found = cursor.fetchone()
    assert found
    day_1.change(f"delete from shop.payments where payment_id = {found[0]}")
    with day_1.options(
        "shop,payments,late_days,2", "shop,payments,replace_window,true"
    ):
        assert day_1.run("payments", with_build=False).state == "done"
        assert batch(day_1, "shop.payments", "rows_deleted") == (1,)
        assert day_1.released("shop.payments") == day_1.held("shop.payments")
        day_1.run("payments", with_build=False)
        assert batch(day_1, "shop.payments", "rows_deleted") == (0,)


@pytest.mark.parametrize("table", MODELS)
def test_a_row_deleted_and_come_again_as_it_was_lives(day_1: Clone, table: str) -> None:
    """Its watermark is older than any window reaches back."""
    everything = f"select * from {table} where updated_at < '2026-02-20' limit 3"
    day_1.change(f"create table shop.kept as {everything}")
    key = {"shop.suppliers": "supplier_id", "crm.contacts": "contact_id"}.get(
        table, "order_id"
    )
    day_1.change(f"delete from {table} where {key} in (select {key} from shop.kept)")
    assert day_1.run(table, with_build=False).state == "done"
    assert batch(day_1, table, "rows_deleted") == (3,)
    day_1.change(f"insert into {table} select * from shop.kept", "drop table shop.kept")
    result = day_1.run(table)
    assert (result.state, result.balanced) == ("done", True)
    assert batch(day_1, table, "rows_written") == (3,)
    assert_source(day_1, table, MODELS[table])
    day_1.run(table, with_build=False)
    assert batch(day_1, table, "rows_loaded") == (0,)


def test_keys_are_scanned_at_a_cadence_of_their_own(day_1: Clone) -> None:
    with day_1.options("shop,suppliers,key_scan_minutes,60"):
        assert day_1.run("suppliers", with_build=False).state == "done"
        day_1.change("delete from shop.suppliers order by supplier_id limit 1")
        assert day_1.run("suppliers", with_build=False).state == "done"
        assert batch(day_1, "shop.suppliers", "rows_deleted") == (0,)
        day_1.query(
            "update audit.table_state set keys_scanned_at = keys_scanned_at "
            "- interval '61 minutes' where table_id = 'shop.suppliers'"
        )
        assert day_1.run("suppliers", with_build=False).state == "done"
        assert batch(day_1, "shop.suppliers", "rows_deleted") == (1,)


def test_reconcile_reports_what_differs_and_repairs_it(day_1: Clone) -> None:
    with day_1.source() as cursor:
        cursor.execute("select order_id from shop.orders where order_id is not null")
        ids = [row[0] for row in cursor.fetchall()]
    stale, extra = ids[0], ids[1]
    day_1.change(
        f"update shop.orders set note = 'unseen' where order_id = {stale}",
        f"delete from shop.orders where order_id = {extra}",
        "insert into shop.orders select 999999, customer_id, status, ordered_at, "
        "currency, shipping_fee, note, '2026-02-01' from shop.orders "
        f"where order_id = {stale}",
    )
    told = day_1.cli("reconcile", "--tables", "shop.orders")
    assert told.returncode == 1, told.stderr
    for text in (f"stale {stale}", f"extra {extra}", "missing 999999", "differs"):
        assert text in told.stdout
    assert day_1.query(
        "select missing, stale, extra from audit.reconciliation "
        "where table_id = 'shop.orders'"
    ) == [(1, 1, 1)]
    repaired = day_1.cli("reconcile", "--tables", "shop.orders", "--repair")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert day_1.released("shop.orders") == day_1.held("shop.orders")
    again = day_1.cli("reconcile", "--tables", "shop.orders", "--json")
    assert again.returncode == 0, again.stdout
    assert '"stale": 0' in again.stdout
    assert day_1.run("orders").state == "done"


def test_a_row_set_back_to_an_older_state_is_repaired(day_1: Clone) -> None:
    """The source was restored from a backup: its row is older than the log's."""
    day_1.change(
        "update shop.customers set full_name = 'Older', updated_at = '2025-01-01' "
        "order by customer_id limit 1"
    )
    result = day_1.run("customers", request=Request("repair"))
    assert (result.state, result.balanced) == ("done", True)
    (name,) = day_1.query(
        "select full_name from silver.customers order by customer_id limit 1"
    )[0]
    assert name == "Older"
    assert day_1.cli("reconcile", "--tables", "customers").returncode == 0


def test_what_waits_for_the_next_window_is_no_difference(day_2_due: Clone) -> None:
    told = day_2_due.cli("reconcile", "--tables", "shop.customers")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "shop.customers" in told.stdout


def test_a_table_that_is_read_whole_differs_by_what_changed_since_its_run(
    day_1: Clone,
) -> None:
    names = ("reconcile", "--tables", "shop.inventory")
    told = day_1.cli(*names)
    assert told.returncode == 0, told.stdout + told.stderr
    day_1.change("update shop.inventory set quantity = quantity + 1 limit 3")
    told = day_1.cli(*names)
    assert told.returncode == 1
    assert "./seedbed run   reads shop.inventory whole" in told.stdout
    repaired = day_1.cli(*names, "--repair")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert day_1.cli(*names).returncode == 0


def test_a_table_that_is_read_whole_has_nothing_to_backfill(day_1: Clone) -> None:
    asked = Request("backfill", datetime(2026, 1, 1), datetime(2026, 1, 2))
    with pytest.raises(ConfigurationError, match="has no watermark_column"):
        day_1.run("inventory", request=asked)


def test_the_log_made_from_raw_is_the_log(fresh: Clone) -> None:
    names = ("shop.orders", "shop.customers", "shop.inventory")
    for day in (1, 2):
        fresh.day(day)
        result = fresh.run("orders", "customers", "inventory", with_build=False)
        assert result.state == "done"
    before = {name: log(fresh, name) for name in names}
    fresh.query("truncate bronze.shop__orders")
    fresh.query("delete from bronze.shop__customers where customer_id % 2 = 0")
    with fresh.inside(), control.connect() as connection:
        for table in fresh.tables(*names):
            replay.replay(connection, table, print)
    assert {name: log(fresh, name) for name in names} == before
    with fresh.source() as cursor:
        cursor.execute("select count(*) from shop.orders where order_id is null")
    fresh.query("drop table bronze.shop__orders cascade")
    with fresh.inside(), control.connect() as connection:
        replay.replay(connection, fresh.tables("shop.orders")[0], print)
    assert log(fresh, "shop.orders") == before["shop.orders"]


def test_a_replay_without_its_raw_files_changes_nothing(day_1: Clone) -> None:
    before = log(day_1, "shop.orders")
    with (
        day_1.inside(),
        control.connect() as connection,
        pytest.raises(SeedbedError, match="no longer in the lake"),
    ):
        replay.replay(connection, day_1.tables("shop.orders")[0], print)
    assert log(day_1, "shop.orders") == before


def test_a_first_load_in_ranges_is_resumed_where_it_was_killed(
    fresh: Clone, played: Played
) -> None:
    assert "after_range" in failpoints.POINTS
    fresh.restore("empty", source="day_1")
    lines = [f"{t},range_rows,300" for t in ("shop,order_items", "shop,payments")]
    with fresh.source() as cursor:
        cursor.execute("analyze table shop.order_items, shop.payments")
    with fresh.options(*lines):
        for _ in range(2):
            Run(fresh, env={"SEEDBED_FAILPOINT": "after_range"}).assert_killed()
        (read, planned) = fresh.query(
            "select count(parts), count(*) from audit.batch_range"
        )[0]
        assert 2 <= read < planned
        kept = fresh.query(
            "select table_id, range_number, parts from audit.batch_range "
            "where parts is not null"
        )
        result = fresh.run("order_items", "payments", with_build=False)
        assert (result.state, result.balanced) == ("done", True)
        for table, number, parts in kept:  # what was read is not read again
            assert fresh.query(
                "select parts from audit.batch_range where table_id = %s "
                "and range_number = %s",
                table,
                number,
            ) == [(parts,)]
        assert fresh.value(
            "select bool_and(rows = source_rows) from (select source_rows, "
            "(select sum((part ->> 'rows')::bigint) from jsonb_array_elements(parts) "
            "as part) as rows from audit.batch_range) as ranges"
        )
    for table in ("shop.order_items", "shop.payments"):
        rows = by_key(table, fresh.relation("bronze", table.replace(".", "__")))
        names = columns_of(table)
        held = {key: {n: row[n] for n in names} for key, row in rows.items()}
        assert held == fresh.held(table)


def test_unsigned_keys_of_any_size_are_compared_in_buckets(
    fresh: Clone, played: Played
) -> None:
    fresh.restore("empty", source="day_1")
    largest = 2**64 - 1
    line = "shop,suppliers,supplier_id,supplier_id,"
    with fresh.edited(
        "columns", line, f'{line}"decimal(20,0)",false,1,,,,A number of any size'
    ):
        fresh.change(
            "alter table shop.products drop foreign key products_supplier",
            "alter table shop.suppliers modify supplier_id bigint unsigned not null",
            f"insert into shop.suppliers select {largest}, name, country, "
            "contact_email, rating, created_at, updated_at from shop.suppliers limit 1",
        )
        for change, deleted in (
            ("select 1", 0),
            ("delete from shop.suppliers order by supplier_id limit 1", 1),
            (f"delete from shop.suppliers where supplier_id = {largest}", 1),
        ):
            fresh.change(change)
            assert fresh.run("suppliers", with_build=False).state == "done"
            assert batch(fresh, "shop.suppliers", "rows_deleted") == (deleted,)
