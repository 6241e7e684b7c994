"""Rows that don't fit are put aside with the reason; the others go on."""

import pytest

from tests.clone import Clone, key_of

pytestmark = pytest.mark.lean

NOW = "updated_at = '2026-03-04 22:00:00'"
# What is done to supplier 3 (or another row), and the reason that must be told.
CASES = {
    "a decimal with too many digits after the point": (
        "shop.suppliers",
        "alter table shop.suppliers modify rating decimal(8,4)",
        f"update shop.suppliers set rating = 1.2345, {NOW} where supplier_id = 3",
        "rating is not a decimal(3,2)",
        3,
    ),
    "a decimal too large": (
        "shop.suppliers",
        "alter table shop.suppliers modify rating decimal(8,2)",
        f"update shop.suppliers set rating = 12345.5, {NOW} where supplier_id = 3",
        "rating is not a decimal(3,2)",
        3,
    ),
    "a text too long": (
        "shop.suppliers",
        "alter table shop.suppliers modify name varchar(500)",
        f"update shop.suppliers set name = repeat('ß', 121), {NOW} "
        "where supplier_id = 3",
        "name is not a varchar(120)",
        3,
    ),
    "a text with a NUL character": (
        "shop.suppliers",
        "alter table shop.suppliers modify name varchar(120)",
        f"update shop.suppliers set name = concat('a', char(0), 'b'), {NOW} "
        "where supplier_id = 3",
        "name is not a varchar(120)",
        3,
    ),
    "a NULL watermark": (
        "shop.suppliers",
        "alter table shop.suppliers modify updated_at datetime(6) null",
        "update shop.suppliers set updated_at = null where supplier_id = 3",
        "NULL watermark",
        3,
    ),
    "a number beyond its type": (
        "shop.order_items",
        "alter table shop.order_items modify quantity bigint",
        f"update shop.order_items set quantity = 3000000000, {NOW} "
        "where order_item_id = 9",
        "quantity is not a integer",
        9,
    ),
    "a key beyond its type": (
        "shop.payments",
        "set @nothing = 1",
        "insert into shop.payments values (18446744073709551615, 1, 'payment', "
        "'card', 1, '2026-03-04 22:00:00')",
        "payment_id is not a bigint",
        18446744073709551615,
    ),
    "JSON that is none": (
        "shop.products",
        "alter table shop.products modify attributes longtext",
        f"update shop.products set attributes = 'not json', {NOW} where product_id = 3",
        "attributes is not a json",
        3,
    ),
}


@pytest.mark.parametrize(
    ("table", "alter", "spoil", "reason", "spoilt"), CASES.values(), ids=CASES
)
@pytest.mark.fault(5, 19)
def test_a_row_that_does_not_fit_is_put_aside_and_counted(
    day_4: Clone, table: str, alter: str, spoil: str, reason: str, spoilt: int
) -> None:
    sound = day_4.held(table)
    day_4.change(alter, spoil)
    # Under evolve a wider type is followed, and another one not read.
    with day_4.under("ignore", table.replace(".", ",") + ","):
        (outcome,) = (result := day_4.run(table, with_build=False)).outcomes
    assert outcome.state == "released", outcome.error
    assert (result.state, result.balanced) == ("done", True)
    (key,) = key_of(table)
    assert day_4.query(
        "select reason, (source_row ->> %s)::numeric from audit.reject "
        "where table_id = %s",
        key,
        table,
    ) == [(reason, spoilt)]
    warned = day_4.query(
        "select observed from audit.dq_result where table_id = %s and not passed",
        table,
    )
    assert warned == [("1 other rows rejected",)]
    assert day_4.released(table) == sound, (
        "the other rows are there, and of this one its last good state"
    )


def test_a_row_that_fits_again_comes_in(day_4: Clone) -> None:
    table, alter, spoil, *_ = CASES["a text too long"]
    day_4.change(alter, spoil)
    with day_4.under("ignore", "shop,suppliers,"):
        assert day_4.run("suppliers", with_build=False).state == "done"
        day_4.change(
            "update shop.suppliers set name = 'Short', "
            "updated_at = '2026-03-04 23:00:00' where supplier_id = 3"
        )
        assert day_4.run("suppliers", with_build=False).state == "done"
    assert day_4.released(table)[3,]["name"] == "Short"


def test_awkward_values_come_through_unharmed(day_4: Clone) -> None:
    texts = [
        "",
        "NULL",
        "'; drop table x; --",
        "a\\nb",
        "tab\there",
        "🎁 Zoë",
        '"q"',
        "{}",
    ]
    with day_4.source() as cursor:
        for number, text in enumerate(texts):
            cursor.execute(
                "update shop.orders set note = %s, updated_at = "
                "'2026-03-04 23:30:00.123456' where order_id = %s",
                (text, 100 + number),
            )
    assert day_4.run("orders", with_build=False).state == "done"
    found = day_4.released("shop.orders")
    assert [found[100 + n,]["note"] for n in range(len(texts))] == texts
    assert found[100,]["updated_at"].microsecond == 123456


def test_a_zero_date_is_put_aside_or_null_and_counted(day_4: Clone) -> None:
    day_4.change(
        "update crm.contacts set birth_date = '0000-00-00', "
        "updated_at = '2026-03-04 22:00:00' where contact_id = "
        "(select contact_id from (select min(contact_id) as contact_id "
        "from crm.contacts) as c)"
    )
    (outcome,) = (result := day_4.run("crm_contacts", with_build=False)).outcomes
    assert (outcome.state, result.balanced) == ("released", True), outcome.error
    rejected = day_4.value("select count(*) from audit.reject")
    key = min(r["contact_id"] for r in day_4.source_rows("crm.contacts"))
    row = day_4.released("crm.contacts")[key,]
    assert rejected == 1 or row["birth_date"] is None
