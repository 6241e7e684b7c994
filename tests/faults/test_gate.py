"""The gate: what is blocked, that nothing of it gets through, and what heals it."""

from typing import Any

import pytest

from gx import process
from tests.clone import Clone
from tests.conftest import Played
from tests.faults.oracle import (
    assert_nothing_open,
    assert_source,
    relations,
    states,
)

pytestmark = pytest.mark.lean


def live(clone: Clone, model: str) -> list[str]:
    return sorted(
        text
        for (text,) in clone.query(
            f"select to_jsonb(t)::text from silver.{model} as t where not is_deleted"
        )
    )


def reason(clone: Clone, table: str) -> str:
    return str(
        clone.value(
            "select reason from audit.batch where table_id = %s and state = 'rejected'",
            table,
        )
    )


def sequences(clone: Clone, relation: str) -> set[int]:
    return {n for (n,) in clone.query(f"select distinct _batch_seq from {relation}")}


@pytest.mark.parametrize(
    "table", ["shop.inventory", "shop.suppliers", "shop.payments", "crm.contacts"]
)
@pytest.mark.fault(26)
def test_a_table_that_became_empty_is_blocked_and_heals(
    day_2_due: Clone, table: str
) -> None:
    before = day_2_due.released(table)
    day_2_due.change(f"delete from {table}")
    blocked = day_2_due.run(table, with_build=False)
    assert (blocked.state, blocked.exit_code) == ("blocked", 1)
    assert "source_not_empty" in reason(day_2_due, table)
    assert day_2_due.released(table) == before
    day_2_due.deliver("day_2")
    assert day_2_due.run(table, with_build=False).state == "done"
    if table == "shop.inventory":  # staging shows its earlier snapshots, too
        view = "staging.stg_shop__inventory"
        newest = f"(select max(_batch_seq) from {view})"
        held = len(day_2_due.held(table))
        count = f"select count(*) from {view} where _batch_seq = {newest}"
        assert day_2_due.value(count) == held
    else:
        assert day_2_due.released(table) == day_2_due.held(table)


@pytest.mark.long
@pytest.mark.fault(26)
def test_a_table_that_may_be_empty_may_become_empty(day_4: Clone) -> None:
    day_4.change("delete from shop.inventory")
    line = "shop,customers,soft_delete_column,deleted_at"
    with day_4.edited("options", line, f"{line}\nshop,inventory,allow_empty,true"):
        result = day_4.run("inventory")
    assert result.state == "done"
    assert day_4.relation("silver", "inventory") == []
    day_4.deliver("day_4")
    assert day_4.run("inventory").state == "done"
    assert_source(day_4, "shop.inventory", "inventory")


@pytest.mark.fault(26)
def test_an_empty_first_load_is_no_fault(fresh: Clone) -> None:
    fresh.day(1)
    fresh.change("delete from shop.inventory")
    result = fresh.run("inventory", "suppliers", with_build=False)
    assert states(result) == {
        "shop.inventory": "released",
        "shop.suppliers": "released",
    }


@pytest.mark.lean("shop.orders", "shop.suppliers")
@pytest.mark.fault(20)
def test_a_mass_delete_is_blocked_and_the_next_healthy_run_heals(
    day_2_due: Clone, played: Played
) -> None:
    before = live(day_2_due, "orders")
    staged = len(day_2_due.relation("staging", "stg_shop__orders"))
    day_2_due.change("delete from shop.orders where order_id <= 250")
    blocked = day_2_due.run()
    assert (blocked.state, blocked.exit_code) == ("blocked", 1)
    assert states(blocked) == {
        o.table.id: "rejected" if o.table.id == "shop.orders" else "released"
        for o in blocked.outcomes
    }
    told = reason(day_2_due, "shop.orders")
    assert "deletes_within_limit" in told
    assert "of 400 keys deleted" in told
    # The rejected rows are in the log and nowhere else.
    assert sequences(day_2_due, "bronze.shop__orders") == {1, 2}
    assert sequences(day_2_due, "staging.stg_shop__orders") == {1}
    assert sequences(day_2_due, "silver.orders_history") == {1}
    assert live(day_2_due, "orders") == before
    assert len(day_2_due.relation("staging", "stg_shop__orders")) == staged

    day_2_due.deliver("day_2")
    healed = day_2_due.run()
    assert healed.state == "done"
    assert sequences(day_2_due, "bronze.shop__orders") == {1, 3}, "superseded"
    assert day_2_due.query(
        "select batch_seq, state from audit.batch where table_id = 'shop.orders' "
        "order by batch_seq"
    ) == [(1, "released"), (2, "superseded"), (3, "released")]
    assert_source(day_2_due, "shop.orders", "orders")
    found = day_2_due.contents(["silver"], ["_batch_seq"], any_observation=True)
    for outcome in healed.outcomes:
        for name in relations(outcome.table) & found.keys():
            assert found[name] == played.contents[2][name], name


@pytest.mark.fault(20)
def test_deletes_up_to_the_limit_pass(day_2_due: Clone) -> None:
    day_2_due.change("delete from shop.orders where order_id <= 90")
    result = day_2_due.run("orders")
    assert states(result) == {"shop.orders": "released"}
    gone = day_2_due.value("select count(*) from silver.orders where is_deleted")
    assert gone >= 90
    with day_2_due.source() as cursor:
        cursor.execute("select count(*) from shop.orders")
        assert cursor.fetchone() == (len(live(day_2_due, "orders")),)


@pytest.mark.fault(20)
def test_a_blocked_table_stays_blocked_until_its_source_is_mended(
    day_2_due: Clone,
) -> None:
    day_2_due.change("delete from shop.orders where order_id <= 250")
    for attempt in (2, 3):
        assert states(day_2_due.run("orders", with_build=False)) == {
            "shop.orders": "rejected"
        }
        assert sequences(day_2_due, "bronze.shop__orders") == {1, attempt}
    high = day_2_due.value(
        "select released_high from audit.table_state where table_id = 'shop.orders'"
    )
    newest = day_2_due.value("select max(updated_at) from silver.orders")
    assert high == newest, "the watermark did not move past rejected rows"


def test_a_null_in_the_key_blocks_without_showing_the_row(day_2_due: Clone) -> None:
    day_2_due.change(
        "update shop.orders set order_id = null, note = 'a private note', "
        "updated_at = '2026-03-01 12:00:00' where order_id = 7"
    )
    result = day_2_due.run("orders", with_build=False)
    assert states(result) == {"shop.orders": "rejected"}
    told = reason(day_2_due, "shop.orders")
    assert "key_not_null: 1 rows with NULL in the key" in told
    assert "private" not in told
    shown = day_2_due.cli("status")
    assert "shop.orders is blocked" in shown.stdout
    assert "private" not in shown.stdout


@pytest.mark.fault(21)
def test_a_key_that_was_deleted_and_comes_back_lives(day_4: Clone) -> None:
    """With the content and the time of before, as out of a backup."""
    newest = max(day_4.source_rows("shop.suppliers"), key=lambda r: r["updated_at"])
    key = newest["supplier_id"]
    day_4.change(f"delete from shop.suppliers where supplier_id = {key}")
    assert day_4.run("suppliers").state == "done"
    query = f"select is_deleted from silver.suppliers where supplier_id = {key}"
    assert day_4.query(query) == [(True,)]
    day_4.deliver("day_4")
    assert day_4.run("suppliers").state == "done"
    assert day_4.query(query) == [(False,)]
    assert_source(day_4, "shop.suppliers", "suppliers")


@pytest.mark.fault(1, 3)
def test_a_late_row_within_the_overlap_is_loaded_and_ties_are_all_there(
    day_4: Clone,
) -> None:
    newest = day_4.value("select max(paid_at) from silver.payments")
    order = day_4.value("select min(order_id) from silver.payments")
    times = [f"'{newest}' - interval 299 second", f"'{newest}'", f"'{newest}'"]
    day_4.change(
        *(
            f"insert into shop.payments values ({9_000_000 + n}, {order}, 'payment', "
            f"'card', 1, {at})"
            for n, at in enumerate(times)
        )
    )
    assert day_4.run("payments", with_build=False).state == "done"
    assert day_4.released("shop.payments") == day_4.held("shop.payments")


@pytest.mark.fault(6)
def test_a_source_clock_that_went_back_takes_no_watermark_back(
    day_2_due: Clone,
) -> None:
    assert day_2_due.run("suppliers", with_build=False).state == "done"
    high = "select released_high from audit.table_state where table_id = "
    before = day_2_due.value(high + "'shop.suppliers'")
    day_2_due.change("update shop.suppliers set updated_at = '2026-01-01'")
    with day_2_due.knowingly_different("before any window; reconcile finds it"):
        day_2_due.run("suppliers", with_build=False)
    assert day_2_due.value(high + "'shop.suppliers'") == before


@pytest.mark.fault(6)
def test_a_row_from_the_future_waits_for_its_time(day_2_due: Clone) -> None:
    day_2_due.change(
        "insert into shop.suppliers values (9999, 'Later', 'DE', null, null, "
        "'2026-03-01', '2999-01-01')"
    )
    assert day_2_due.run("suppliers", with_build=False).state == "done"
    high = day_2_due.value(
        "select released_high from audit.table_state where table_id = 'shop.suppliers'"
    )
    assert high.year < 2999, "else all rows until then would be lost"


@pytest.mark.parametrize(
    "damage",
    [
        "truncated",
        pytest.param("empty", marks=pytest.mark.long),
        pytest.param("other bytes", marks=pytest.mark.long),
    ],
)
@pytest.mark.fault(10)
def test_a_file_that_is_not_the_manifest_s_is_refused_and_others_go_on(
    day_2_due: Clone, damage: str
) -> None:
    extracted = day_2_due.cli(
        "extract", "--tables", "suppliers", "--tables", "customers"
    )
    assert extracted.returncode == 0
    lake = day_2_due.root / ".seedbed" / "lake" / "bronze" / "shop" / "suppliers"
    (file,) = lake.rglob("*.parquet")
    sound = file.read_bytes()
    spoilt = {
        "truncated": sound[:-20],
        "empty": b"",
        "other bytes": sound[:50] + bytes([sound[50] ^ 255]) + sound[51:],
    }
    file.write_bytes(spoilt[damage])
    result = day_2_due.run("suppliers", "customers", with_build=False)
    assert states(result) == {
        "shop.customers": "released",
        "shop.suppliers": "failed",
    }
    (error,) = [str(o.error) for o in result.outcomes if o.error]
    assert "is not the one that its batch's manifest names" in error
    assert sequences(day_2_due, "bronze.shop__suppliers") == {1}
    file.unlink()  # it is fetched from the bucket, which has it whole
    assert day_2_due.run("suppliers", with_build=False).state == "done"
    assert day_2_due.released("shop.suppliers") == day_2_due.held("shop.suppliers")


def test_a_batch_that_the_lake_lost_is_read_again(day_2_due: Clone) -> None:
    extracted = day_2_due.cli("extract", "--tables", "suppliers")
    assert extracted.returncode == 0
    day_2_due._empty_lake()
    assert day_2_due.run("suppliers", with_build=False).state == "done"
    assert day_2_due.released("shop.suppliers") == day_2_due.held("shop.suppliers")


@pytest.mark.fault(25)
def test_where_the_gate_dies_one_table_waits_and_the_next_run_checks_it(
    day_2_due: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = live(day_2_due, "suppliers")
    # One that is started, not forked as in other tests.
    process.end()
    monkeypatch.setattr(process, "PROGRAM", ("-m", "gx.checks"))
    send = process._Process.send

    def send_and_die(self: process._Process, request: dict[str, Any]) -> None:
        send(self, request)
        if request.get("suite", {}).get("name") == "shop__products":
            self.program.kill()

    monkeypatch.setattr(process._Process, "send", send_and_die)
    names = ("products", "suppliers", "inventory")
    result = day_2_due.run(*names, with_build=False)
    assert states(result) == {
        "shop.inventory": "released",
        "shop.products": "failed",
        "shop.suppliers": "released",
    }
    assert result.exit_code == 1
    (error,) = [str(o.error) for o in result.outcomes if o.error]
    assert "shop.products: the gate could not check batch" in error
    assert "signal 9" in error
    monkeypatch.undo()
    assert live(day_2_due, "suppliers") == before, "nothing was built"
    assert day_2_due.run(*names, with_build=False).state == "done"
    assert day_2_due.released("shop.products") == day_2_due.held("shop.products")
    assert_nothing_open(day_2_due)


@pytest.mark.fault(25)
def test_a_rule_that_can_t_be_checked_stops_its_table_alone(day_2_due: Clone) -> None:
    """Python takes the pattern, and so the seed; the gate's engine does not."""
    line = "shop,suppliers,rating,between,0..5,warn,model,Ratings go from 0 to 5"
    broken = f"{line}\nshop,suppliers,name,matches,(a{{99}}){{99}},warn,gate,Broken"
    with day_2_due.edited("rules", line, broken):
        result = day_2_due.run("suppliers", "inventory", with_build=False)
    assert states(result) == {
        "shop.inventory": "released",
        "shop.suppliers": "failed",
    }
    (error,) = [str(o.error) for o in result.outcomes if o.error]
    assert "invalid repetition size" in error
    assert day_2_due.run("suppliers", with_build=False).state == "done"
    assert day_2_due.released("shop.suppliers") == day_2_due.held("shop.suppliers")
