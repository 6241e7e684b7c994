"""The source's columns change: what is released stays right, or as it was."""

import pytest

from tests.clone import Clone
from tests.faults.oracle import assert_heals, assert_source, states

TABLE, SUPPLIERS = "shop.suppliers", "shop,suppliers,"
NOW = "updated_at = '2026-03-20 00:00:00'"


@pytest.mark.fault(17)
def test_a_column_that_is_added_is_read_from_then_on(day_4: Clone) -> None:
    day_4.change(
        "alter table shop.suppliers add website varchar(90)",
        f"update shop.suppliers set website = 'a.example', {NOW} "
        "where supplier_id in (3, 5)",
    )
    assert day_4.run("suppliers").state == "done"
    assert_source(day_4, "shop.suppliers", "suppliers")
    held = {(r["supplier_id"], r["website"]) for r in day_4.source_rows(TABLE)}
    found = day_4.query(
        "select supplier_id, website from silver.suppliers where not is_deleted"
    )
    assert {*found} == held


@pytest.mark.long
@pytest.mark.fault(17)
def test_a_column_that_is_added_to_a_frozen_table_keeps_its_state(
    day_4: Clone,
) -> None:
    served = day_4.contents(["silver", "gold"])
    with day_4.under("freeze", SUPPLIERS):
        day_4.change("alter table shop.suppliers add website varchar(90)")
        result = day_4.run("suppliers", "customers")
        assert states(result)[TABLE] == "failed"
        assert "frozen" in str(result.outcomes[-1].error)
        assert day_4.contents(["silver", "gold"]) == served
        day_4.deliver("day_4")
        assert_heals(day_4, "suppliers", with_build=True)


@pytest.mark.long
@pytest.mark.fault(17)
def test_a_column_that_is_added_is_left_out_under_ignore(day_4: Clone) -> None:
    with day_4.under("ignore", SUPPLIERS):
        day_4.change(
            "alter table shop.suppliers add website varchar(90)",
            f"update shop.suppliers set name = 'New', {NOW} where supplier_id = 3",
        )
        assert_heals(day_4, "suppliers", with_build=True)


@pytest.mark.fault(18)
@pytest.mark.parametrize(
    "what",
    [
        "drop column rating",
        pytest.param("rename column rating to stars", marks=pytest.mark.long),
    ],
)
def test_a_column_that_is_gone_blocks_its_table_and_the_old_state_is_served(
    day_4: Clone, what: str
) -> None:
    served = day_4.contents(["silver", "gold"])
    day_4.change(
        f"update shop.suppliers set name = 'New', {NOW} where supplier_id = 3",
        f"alter table shop.suppliers {what}",
    )
    result = day_4.run()
    assert {t for t, s in states(result).items() if s != "released"} == {TABLE}
    assert day_4.contents(["silver", "gold"]) == served
    day_4.deliver("day_4")
    assert_heals(day_4, "suppliers", with_build=True)


@pytest.mark.long
@pytest.mark.fault(19)
def test_an_integer_that_became_wider_is_read_whole(day_4: Clone) -> None:
    day_4.change(
        "alter table shop.customers modify loyalty_points bigint not null",
        f"update shop.customers set loyalty_points = 3000000000, {NOW} "
        "where customer_id = 7",
    )
    assert_heals(day_4, "customers", with_build=True)
    assert not day_4.query("select * from audit.reject where table_id like '%%tomers'")


@pytest.mark.long
@pytest.mark.fault(19)
def test_a_text_that_became_a_number_keeps_its_table_as_it_was(day_4: Clone) -> None:
    served = day_4.contents(["silver", "gold"])
    day_4.change(
        "update shop.suppliers set name = supplier_id",
        "alter table shop.suppliers modify name int not null",
    )
    result = day_4.run("suppliers", "customers")
    assert states(result)[TABLE] == "failed"
    assert day_4.contents(["silver", "gold"]) == served
    day_4.deliver("day_4")
    assert_heals(day_4, "suppliers", with_build=True)
