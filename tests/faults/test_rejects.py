"""Rows that don't fit are put aside with the reason; the others go on."""

from typing import Any

import pytest

from tests.clone import Clone, by_key, expected

NOW = "updated_at = '2026-03-04 22:00:00'"
# What is done to supplier 3 (or another row), and the reason that must be told.
CASES = {
    "a decimal with too many digits after the point": (
        "shop.suppliers",
        "alter table shop.suppliers modify rating decimal(8,4)",
        f"update shop.suppliers set rating = 1.2345, {NOW} where supplier_id = 3",
        "rating is not a decimal(3,2)",
    ),
    "a decimal too large": (
        "shop.suppliers",
        "alter table shop.suppliers modify rating decimal(8,2)",
        f"update shop.suppliers set rating = 12345.5, {NOW} where supplier_id = 3",
        "rating is not a decimal(3,2)",
    ),
    "a text too long": (
        "shop.suppliers",
        "alter table shop.suppliers modify name varchar(500)",
        f"update shop.suppliers set name = repeat('ß', 121), {NOW} "
        "where supplier_id = 3",
        "name is not a varchar(120)",
    ),
    "a text with a NUL character": (
        "shop.suppliers",
        "alter table shop.suppliers modify name varchar(120)",
        f"update shop.suppliers set name = concat('a', char(0), 'b'), {NOW} "
        "where supplier_id = 3",
        "name is not a varchar(120)",
    ),
    "a NULL watermark": (
        "shop.suppliers",
        "alter table shop.suppliers modify updated_at datetime(6) null",
        "update shop.suppliers set updated_at = null where supplier_id = 3",
        "NULL watermark",
    ),
    "a number beyond its type": (
        "shop.order_items",
        "alter table shop.order_items modify quantity bigint",
        f"update shop.order_items set quantity = 3000000000, {NOW} "
        "where order_item_id = 3",
        "quantity is not a integer",
    ),
    "a key beyond its type": (
        "shop.payments",
        "set @nothing = 1",
        "insert into shop.payments values (18446744073709551615, 1, 'payment', "
        "'card', 1, '2026-03-04 22:00:00')",
        "payment_id is not a bigint",
    ),
    "JSON that is none": (
        "shop.products",
        "alter table shop.products modify attributes longtext",
        f"update shop.products set attributes = 'not json', {NOW} "
        "where product_id = 3",
        "attributes is not a json",
    ),
}


def live(clone: Clone, table: str, model: str) -> dict[Any, dict[str, Any]]:
    rows = [r for r in clone.relation("silver", model) if not r["is_deleted"]]
    return by_key(table, rows)


@pytest.mark.parametrize(
    ("table", "alter", "spoil", "reason"), CASES.values(), ids=CASES
)
def test_a_row_that_does_not_fit_is_put_aside_and_counted(
    day_4: Clone, table: str, alter: str, spoil: str, reason: str
) -> None:
    sound = by_key(table, [expected(table, r) for r in day_4.source_rows(table)])
    day_4.change(alter, spoil)
    spoilt = {tuple(r.values())[0] for r in day_4.source_rows(table)} - {
        tuple(r.values())[0] for r in sound.values()
    } or {3}
    (outcome,) = (result := day_4.run(table)).outcomes
    assert outcome.state == "released", outcome.error
    assert (result.state, result.balanced) == ("done", True)
    rejects = day_4.query(
        "select reason, source_row from audit.reject where table_id = %s", table
    )
    assert [r[0] for r in rejects] == [reason]
    assert next(iter(rejects[0][1].values())) in spoilt
    warned = day_4.query(
        "select observed from audit.quality_result where table_id = %s and not passed",
        table,
    )
    assert warned == [("1 other rows rejected",)]
    found = live(day_4, table, outcome.table.model)
    names = list(next(iter(sound.values())))
    others = {k: {n: r[n] for n in names} for k, r in found.items() if k != (3,)}
    assert others == {k: r for k, r in sound.items() if k != (3,)}
    if (3,) in sound and spoilt == {3}:
        assert (3,) in found, "its last good state is kept"


def test_a_row_that_fits_again_comes_in(day_4: Clone) -> None:
    table, alter, spoil, _ = CASES["a text too long"]
    day_4.change(alter, spoil)
    assert day_4.run("suppliers").state == "done"
    day_4.change(
        "update shop.suppliers set name = 'Short', "
        "updated_at = '2026-03-04 23:00:00' where supplier_id = 3"
    )
    assert day_4.run("suppliers").state == "done"
    assert live(day_4, table, "suppliers")[3,]["name"] == "Short"


def test_awkward_values_come_through_unharmed(day_4: Clone) -> None:
    texts = ["", "NULL", "'; drop table x; --", "a\\nb", "tab\there", "🎁 Zoë", '"q"', "{}"]
    with day_4.source() as cursor:
        for number, text in enumerate(texts):
            cursor.execute(
                "update shop.orders set note = %s, updated_at = "
                "'2026-03-04 23:30:00.123456' where order_id = %s",
                (text, 100 + number),
            )
    assert day_4.run("orders").state == "done"
    found = live(day_4, "shop.orders", "orders")
    assert [found[100 + n,]["note"] for n in range(len(texts))] == texts
    assert found[100,]["updated_at"].microsecond == 123456


def test_a_zero_date_is_put_aside_or_null_and_counted(day_4: Clone) -> None:
    day_4.change(
        "update crm.contacts set birth_date = '0000-00-00', "
        "updated_at = '2026-03-04 22:00:00' where contact_id = "
        "(select contact_id from (select min(contact_id) as contact_id "
        "from crm.contacts) as c)"
    )
    (outcome,) = (result := day_4.run("crm_contacts")).outcomes
    assert (outcome.state, result.balanced) == ("released", True), outcome.error
    rejected = day_4.value("select count(*) from audit.reject")
    key = min(r["contact_id"] for r in day_4.source_rows("crm.contacts"))
    row = live(day_4, "crm.contacts", "crm_contacts")[key,]
    assert rejected == 1 or row["birth_date"] is None
