"""The demo's days in a real server: invariants, and each day's promised cases."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import pymysql
import pytest

from ingest.errors import ConfigurationError, ServiceError
from sandbox.demo import apply_day, connect, current_day

TABLES = (
    "shop.customers, shop.suppliers, shop.products, shop.inventory, shop.orders, "
    "shop.order_items, shop.payments, crm.contacts"
)
TOTALS = """
with goods as (
    select order_id, sum(round(quantity * unit_price * (1 - discount), 2)) as goods
    from shop.order_items group by order_id
),
money as (
    select
        order_id,
        sum(case when kind = 'payment' then amount end) as paid,
        sum(case when kind = 'refund' then amount end) as refunded,
        sum(kind = 'payment') as payments,
        max(paid_at) as last_paid_at
    from shop.payments group by order_id
),
totals as (
    select o.*, g.goods, m.paid, m.refunded, m.payments, m.last_paid_at
    from shop.orders as o
    left join goods as g on o.order_id = g.order_id
    left join money as m on o.order_id = m.order_id
)
"""

Rows = list[tuple[Any, ...]]


def reset(url: str) -> None:
    """Drop all tables of both databases, so that day 1 may come again."""
    with connect(url) as cursor:
        cursor.execute(
            "select concat(table_schema, '.', table_name) from "
            "information_schema.tables where table_schema in ('shop', 'crm')"
        )
        names = [name for (name,) in cursor.fetchall()]
        cursor.execute("set foreign_key_checks = 0")
        if names:
            cursor.execute(f"drop table {', '.join(names)}")


class Demo:
    """The databases at a day of the demo."""

    def __init__(self, url: str, rows: int) -> None:
        self.url = url
        self.rows = rows
        parts = urlsplit(url)
        self.connection = pymysql.connect(
            host=cast(str, parts.hostname),
            port=parts.port or 3306,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database="shop",
            charset="utf8mb4",
            autocommit=True,
        )

    def at(self, day: int) -> "Demo":
        done, rows = current_day(self.url) or (0, 0)
        if done > day or rows != self.rows:
            reset(self.url)
            done = 0
        for step in range(done + 1, day + 1):
            apply_day(self.url, step, self.rows)
        return self

    def query(self, sql: str) -> Rows:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cast(Rows, list(cursor.fetchall()))

    def value(self, sql: str) -> Any:
        return self.query(sql)[0][0]

    def checksums(self) -> Rows:
        return self.query(f"checksum table {TABLES}")


@pytest.fixture(scope="module", params=[200, 6000])
def demo(request: pytest.FixtureRequest, mariadb_admin_url: str) -> Iterator[Demo]:
    demo = Demo(mariadb_admin_url, request.param)
    reset(demo.url)
    yield demo
    demo.connection.close()
    reset(demo.url)


def test_two_runs_hold_the_same_data_on_every_day(demo: Demo) -> None:
    runs = []
    for _ in range(2):
        reset(demo.url)
        runs.append([demo.at(day).checksums() for day in (1, 2, 3, 4)])
    assert runs[0] == runs[1]
    assert all(before != after for before, after in pairwise(runs[0]))


def test_a_day_applied_twice_changes_nothing(demo: Demo) -> None:
    for day in (1, 2, 3, 4):
        before = demo.at(day).checksums()
        assert current_day(demo.url) == (day, demo.rows)
        for applied in range(1, day + 1):
            assert apply_day(demo.url, applied, demo.rows) == {}
        assert demo.checksums() == before


def test_counts_returned_are_the_rows_that_came_and_went(demo: Demo) -> None:
    reset(demo.url)
    held: dict[str, int] = {}
    for day in (1, 2, 3, 4):
        for table, counts in apply_day(demo.url, day, demo.rows).items():
            held[table] = held.get(table, 0) + counts["inserted"] - counts["deleted"]
    assert len(held) == 8
    for table, rows in held.items():
        assert demo.value(f"select count(*) from {table}") == rows, table


def test_days_come_in_order_and_for_one_number_of_rows(demo: Demo) -> None:
    reset(demo.url)
    assert current_day(demo.url) is None
    with pytest.raises(ConfigurationError, match="Apply day 1 first"):
        apply_day(demo.url, 2, demo.rows)
    demo.at(1)
    with pytest.raises(ConfigurationError, match="Apply day 2 first"):
        apply_day(demo.url, 3, demo.rows)
    with pytest.raises(ConfigurationError, match=f"Pass --rows {demo.rows}"):
        apply_day(demo.url, 2, demo.rows + 1)
    assert current_day(demo.url) == (1, demo.rows)


def test_day_1_for_another_number_of_rows_starts_afresh(demo: Demo) -> None:
    demo.at(2)
    apply_day(demo.url, 1, 300)
    assert current_day(demo.url) == (1, 300)
    assert demo.value("select count(*) from shop.orders") == 300


def test_a_day_that_fails_leaves_both_databases_as_they_were(demo: Demo) -> None:
    before = demo.at(1).checksums()
    # The key of the payment that is noticed on day 2 is taken; payments come late
    # in the day's changes.
    demo.query(
        f"insert into shop.payments values ({2 * demo.rows - 3}, {demo.rows}, "
        "'payment', 'card', 1, '2026-01-01')"
    )
    spoilt = demo.checksums()
    try:
        with pytest.raises(ServiceError, match="rolled back"):
            apply_day(demo.url, 2, demo.rows)
        assert demo.checksums() == spoilt != before
        assert current_day(demo.url) == (1, demo.rows)
    finally:
        reset(demo.url)


@pytest.mark.parametrize("day", [1, 2, 3, 4])
def test_payments_agree_with_items_and_status(demo: Demo, day: int) -> None:
    demo.at(day)
    wrong = {
        "paid orders with a sum unlike items and shipping": """
            status in ('paid', 'shipped', 'delivered', 'returned')
            and not coalesce(paid = goods + shipping_fee and payments = 1, 0)""",
        "open or cancelled orders with money": """
            status in ('placed', 'cancelled') and payments is not null""",
        "refunds of what was not returned": """
            (status = 'returned') <> (refunded is not null)""",
        "refunds above the payment": "refunded > paid",
        "money paid before the order": "last_paid_at < ordered_at",
        "orders changed before they were placed": "updated_at < ordered_at",
    }
    for fault, condition in wrong.items():
        assert (
            demo.value(f"{TOTALS} select count(*) from totals where {condition}") == 0
        ), fault
    assert demo.value(f"{TOTALS} select count(*) from totals where paid > 0") > 0
    # Only abandoned orders lack items, and on day 3 the bad ones.
    assert not demo.query(
        f"{TOTALS} select 1 from totals where goods is null and status <> 'cancelled' "
        "and order_id is not null and customer_id is not null"
    )


@pytest.mark.parametrize("day", [1, 2, 3, 4])
def test_references_and_times_hold(demo: Demo, day: int) -> None:
    demo.at(day)
    end = {1: "2026-03-01", 2: "2026-03-02", 3: "2026-03-03", 4: "2026-03-04"}[day]
    orphans = {
        ("shop.orders", "customer_id", "shop.customers"),
        ("shop.order_items", "order_id", "shop.orders"),
        ("shop.order_items", "product_id", "shop.products"),
        ("shop.payments", "order_id", "shop.orders"),
        ("shop.products", "supplier_id", "shop.suppliers"),
        ("shop.inventory", "product_id", "shop.products"),
    }
    for child, key, parent in orphans:
        assert (
            demo.value(
                f"select count(*) from {child} as c left join {parent} as p "
                f"on c.{key} = p.{key} where c.{key} is not null and p.{key} is null"
            )
            == 0
        ), (child, key)
    assert (
        demo.value(
            "select count(*) from shop.orders join shop.customers using (customer_id) "
            "where ordered_at < created_at"
        )
        == 0
    )
    assert (
        demo.value(
            "select count(*) from shop.order_items as i join shop.products as p "
            "using (product_id) where i.created_at < p.created_at"
        )
        == 0
    )
    for table, column in (
        ("shop.customers", "updated_at"),
        ("shop.suppliers", "updated_at"),
        ("shop.products", "updated_at"),
        ("shop.inventory", "counted_at"),
        ("shop.orders", "updated_at"),
        ("shop.order_items", "updated_at"),
        ("shop.payments", "paid_at"),
        ("crm.contacts", "updated_at"),
    ):
        first, last = demo.query(f"select min({column}), max({column}) from {table}")[0]
        assert str(first) >= "2025-11-01", table
        assert str(last) < end, table
    for table in ("customers", "suppliers", "products", "order_items"):
        assert (
            demo.value(
                f"select count(*) from shop.{table} where updated_at < created_at"
            )
            == 0
        ), table


def test_day_1_holds_every_awkward_value(demo: Demo) -> None:
    demo.at(1)
    assert demo.value("select count(*) from shop.orders") == demo.rows
    assert demo.value("select count(*) from shop.customers") == demo.rows // 5
    items = demo.value("select count(*) from shop.order_items")
    assert 2.0 < items / demo.rows < 2.4
    some = [
        "shop.customers where email is null",
        "shop.customers where email = '' and length(email) = 0",
        "shop.customers where email like ' %' or email like '%  '",
        "shop.customers where binary email <> binary lower(email)",
        "shop.customers where char_length(full_name) < length(full_name)",
        "shop.customers where city is null or city = ''",
        "shop.customers where preferences is null",
        "shop.customers where json_extract(preferences, '$.channels[0]') = 'email'",
        "shop.customers where microsecond(updated_at) % 1000 > 0",
        "shop.customers where deleted_at = updated_at",
        "shop.suppliers where rating is null",
        "shop.suppliers where contact_email is null",
        "shop.products where name like '%💡%' and length(name) > char_length(name)",
        "shop.products where attributes is null",
        "shop.products where json_extract(attributes, '$.weight_kg') > 0",
        "shop.inventory where reorder_level is null",
        "shop.orders where note is null",
        "shop.orders where note = ''",
        "shop.orders where note = 'NULL'",
        "shop.orders where note = 'C:\\\\new\\\\table'",
        "shop.orders where note = 'two\\nlines'",
        "shop.orders where note = 'leave \"at door\", ring 2x'",
        "shop.orders where note = 'Gift 🎁 for Zoë'",
        "shop.order_items where discount = 0.3333",
        "crm.contacts where birth_date is null",
        "crm.contacts where birth_date < '1970-01-01'",
        "crm.contacts where first_name is null",
        "crm.contacts where last_name = ''",
    ]
    for rows in some:
        assert demo.value(f"select count(*) from {rows}") > 0, rows
    for table in ("shop.customers", "shop.orders", "crm.contacts"):
        assert demo.query(
            f"select updated_at from {table} group by updated_at having count(*) > 1"
        ), f"ties in {table}"


def test_seven_in_ten_contacts_are_a_customer_once_cleansed(demo: Demo) -> None:
    demo.at(1)
    contacts, matched, exact = demo.query(
        "select count(*), count(c.customer_id), sum(binary c.email = binary k.email) "
        "from crm.contacts as k left join shop.customers as c "
        "on lower(trim(k.email)) = lower(trim(c.email)) and trim(k.email) <> ''"
    )[0]
    assert contacts == demo.rows // 5 * 6 // 10
    assert 0.5 < matched / contacts < 0.85
    assert exact < matched


def test_abandoned_orders_are_one_in_two_hundred(demo: Demo) -> None:
    demo.at(1)
    abandoned = demo.value(
        f"{TOTALS} select count(*) from totals where goods is null "
        "and payments is null and status = 'cancelled'"
    )
    assert abandoned == demo.rows // 200


def test_unit_prices_follow_the_price_at_the_time_of_the_order(demo: Demo) -> None:
    demo.at(3)
    mixed = demo.value(
        "select count(*) from shop.order_items as i join shop.products as p "
        "using (product_id) where i.created_at >= p.updated_at "
        "and i.unit_price <> p.price"
    )
    assert mixed == 0
    assert (
        demo.value(
            "select count(*) from shop.order_items as i join shop.products as p "
            "using (product_id) where i.unit_price <> p.price"
        )
        > 0
    )


def test_day_2_brings_one_late_item_and_one_late_payment(demo: Demo) -> None:
    demo.at(1)
    newest = {
        "order_items": demo.value("select max(updated_at) from shop.order_items"),
        "payments": demo.value("select max(paid_at) from shop.payments"),
    }
    held = {
        table: demo.value(
            f"select group_concat({key}) from shop.{table} "
            f"where {at} > '2026-02-28 23:00:00'"
        )
        for table, key, at in (
            ("order_items", "order_item_id", "updated_at"),
            ("payments", "payment_id", "paid_at"),
        )
    }
    demo.at(2)
    for table, key, at in (
        ("order_items", "order_item_id", "updated_at"),
        ("payments", "payment_id", "paid_at"),
    ):
        late = demo.query(
            f"select {at} from shop.{table} where {at} > '2026-02-28 23:00:00' "
            f"and {at} < '2026-03-01' and {key} not in ({held[table]})"
        )
        assert late == [(newest[table] - timedelta(minutes=3),)], table


def snapshot(demo: Demo, table: str, key: str, columns: str) -> dict[Any, Any]:
    return {
        row[0]: row[1:] for row in demo.query(f"select {key}, {columns} from {table}")
    }


def test_day_2_changes_every_table_as_a_healthy_day(demo: Demo) -> None:
    keys = {
        "shop.customers": ("customer_id", "updated_at, deleted_at, email, city"),
        "shop.suppliers": ("supplier_id", "updated_at"),
        "shop.products": ("product_id", "price, updated_at"),
        "shop.inventory": ("concat(product_id, warehouse_code)", "counted_at"),
        "shop.orders": ("order_id", "status"),
        "shop.order_items": ("order_item_id", "quantity"),
        "shop.payments": ("payment_id", "amount"),
        "crm.contacts": ("contact_id", "updated_at"),
    }
    demo.at(1)
    before = {t: snapshot(demo, t, *columns) for t, columns in keys.items()}
    demo.at(2)
    after = {t: snapshot(demo, t, *columns) for t, columns in keys.items()}
    for table in keys:
        assert after[table].keys() - before[table].keys(), f"new in {table}"
        if table != "shop.payments":
            assert any(
                after[table][key] != row
                for key, row in before[table].items()
                if key in after[table]
            ), f"changed in {table}"
        else:
            assert before[table].items() <= after[table].items(), "append-only"
    gone = {t for t in keys if before[t].keys() - after[t].keys()}
    assert gone == {"shop.suppliers", "shop.orders", "crm.contacts"}

    customers, orders = before["shop.customers"], before["shop.orders"]
    fresh = after["shop.orders"].keys() - orders.keys()
    assert len(fresh) == max(8, demo.rows // 50)
    changed = [c for c, row in customers.items() if after["shop.customers"][c] != row]
    assert 0.03 < len(changed) / len(customers) < 0.13
    newly_deleted = [
        c for c in changed if after["shop.customers"][c][1] and not customers[c][1]
    ]
    assert newly_deleted
    twice = [
        c
        for c in changed
        if after["shop.customers"][c][2] != customers[c][2]
        and after["shop.customers"][c][3] != customers[c][3]
    ]
    assert twice, "two updates of one key within the day"
    progress = {
        (orders[o][0], after["shop.orders"][o][0])
        for o in orders.keys() & after["shop.orders"].keys()
        if orders[o] != after["shop.orders"][o]
    }
    assert ("placed", "paid") in progress
    assert all(was not in ("cancelled", "returned") for was, _ in progress)
    assert not demo.query(
        "select 1 from shop.orders where order_id is null or customer_id is null"
    )


def test_day_3_is_bad_in_orders_only(demo: Demo) -> None:
    day_2_orders = demo.rows + max(8, demo.rows // 50)
    demo.at(2)
    others = demo.checksums()
    demo.at(3)
    new = f"(order_id > {day_2_orders} or order_id is null)"
    volume = demo.value(f"select count(*) from shop.orders where {new}")
    assert volume == max(8, demo.rows // 50) // 2
    assert demo.value("select count(*) from shop.orders where customer_id is null") > 0
    assert demo.value("select count(*) from shop.orders where order_id is null") > 0
    assert all(was != now for was, now in zip(others, demo.checksums(), strict=True)), (
        "every table changes"
    )
    good = demo.value(
        f"{TOTALS} select count(*) from totals where {new} "
        "and customer_id is not null and order_id is not null and goods > 0"
    )
    bad = demo.value(
        "select count(*) from shop.orders where customer_id is null or order_id is null"
    )
    assert good == volume - bad > 0
    assert (
        demo.value(f"{TOTALS} select count(*) from totals where {new} and paid > 0") > 0
        or demo.rows < 1000
    )


def test_the_repair_heals_day_3(demo: Demo) -> None:
    demo.at(3)
    bad = demo.query(
        "select ordered_at, updated_at, coalesce(order_id, customer_id) "
        "from shop.orders where order_id is null or customer_id is null"
    )
    others = dict(demo.checksums())
    demo.at(4)
    assert not demo.query(
        "select 1 from shop.orders where order_id is null or customer_id is null"
    )
    ids = demo.query(
        "select min(order_id), max(order_id), count(*) from shop.orders "
        f"where order_id > {demo.rows}"
    )[0]
    volume = 2 * max(8, demo.rows // 50)
    assert ids == (demo.rows + 1, demo.rows + volume, volume), "nothing is missing"
    for ordered_at, updated_at, known in bad:
        healed = demo.query(
            f"{TOTALS} select updated_at, goods, paid from totals where ordered_at = "
            f"'{ordered_at}' and (order_id = {known} or customer_id = {known})"
        )
        assert len(healed) == 1
        assert healed[0][0] > updated_at
        assert healed[0][1] > 0
        assert healed[0][2] > 0
    touched = {t for t, total in demo.checksums() if others[t] != total}
    assert touched == {"shop.orders", "shop.order_items", "shop.payments"}
