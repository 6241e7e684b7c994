"""Gold, held against the shop's own database and against what it was before."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pytest

from ingest import duck, settings, sources
from orchestration import build
from sandbox import demo
from tests.clone import REPOSITORY, Clone, quiet
from tests.conftest import DAYS, Played

ORACLE = Path(__file__).parent / "gold" / "oracle.sql"
GOLD = "path:models/gold"
SHIPPED_AGAIN = (
    "update shop.orders set shipping_fee = shipping_fee + 1, "
    "updated_at = '2026-03-03 {1}:00:00' where {0}"
)
# Key of each relation of gold.
KEYS = {
    "fct_orders": "order_id",
    "fct_order_items": "order_item_id",
    "fct_payments": "payment_id",
    "order_categories": "order_id",
    "agg_daily_sales": "sales_date, currency",
    "agg_monthly_sales": "month_start, currency",
    "agg_product_performance": "month_start, product_id, currency",
    "customer_lifetime_value": "customer_id, currency",
    "customer_segments": "customer_id, currency",
    "cohort_retention": "currency, cohort_month, month_start",
    "kpi_daily": "kpi_date, currency",
    "kpi_monthly": "month_start, currency",
    "dim_customer": "customer_key",
    "dim_product": "product_key",
    "dim_supplier": "supplier_key",
    "fct_inventory_daily": "stock_date, product_id, warehouse_code",
}
# Those that go on from what they have, by the orders that changed.
FACTS = ("int_orders", "fct_orders", "fct_order_items", "fct_payments")
FACTS_OF_CUSTOMERS = ("order_categories", "customer_lifetime_value")
RELATIONS = (
    "kpi_daily_long kpi_monthly_long cohort_retention customer_lifetime_value "
    "agg_product_performance agg_daily_sales agg_monthly_sales fct_payments"
).split()
# Relation of gold → its SQL in the oracle's words, where that is another.
VIEWS = {
    "order_categories": (
        "select order_id, order_number, first_ordered_on, lost_on, "
        "payment_category in ('paid', 'overpaid') as is_paid, "
        "basket_category = 'several products' as has_several_lines "
        "from warehouse.gold.order_categories"
    ),
    "dim_supplier": (
        "select supplier_id, rating, product_count from warehouse.gold.dim_supplier "
        "where not is_deleted"
    ),
    "fct_inventory_today": (
        "select product_id, warehouse_code, quantity "
        "from warehouse.gold.fct_inventory_daily where stock_date = "
        "(select max(stock_date) from warehouse.gold.fct_inventory_daily)"
    ),
}


# How a warehouse may round a quotient before anybody else can.
DIVISIONS = {
    "as Postgres does": "$1 / $2",
    "to six digits": "round($1 / $2, 6)",
    "to whole numbers": "round($1 / $2)",
    "down, to six digits": "trunc($1 / $2, 6)",
    "as floats": "($1::float8 / $2::float8)::numeric",
}


def quotient(numerator: str, denominator: str, scale: int) -> str:
    """The macro's SQL, which is the same on every warehouse."""
    source = (REPOSITORY / "macros" / "gold" / "quotient.sql").read_text()
    macros: Any = jinja2.Environment().from_string(source).module
    return str(macros.quotient(numerator, denominator, scale))


def dividends(seed: int = 1) -> list[tuple[Decimal, int | Decimal]]:
    """Amounts and what they are divided by: halves, what is next to them, any."""
    some = random.Random(seed)
    found: list[tuple[Decimal, int | Decimal]] = [
        (Decimal("15.01"), 2),
        (Decimal("-15.01"), 2),
        (Decimal("0.00"), 7),
        (Decimal("1.00"), 0),
        # A half but for one part in ten to the thirteenth.
        (Decimal("5000000.49"), Decimal("99999999.99")),
        (Decimal("99999999999.99"), 3),
    ]
    for _ in range(300):
        divisor = some.choice((some.randint(1, 90), some.randint(1, 10**9)))
        halves = (2 * some.randint(-(10**6), 10**6) + 1) * divisor
        cents = (halves // 2) + some.choice((0, 0, 1))
        found.append((Decimal(cents) / 100, divisor * some.choice((1, -1))))
        amount, whole = some.randint(0, 10**10), some.randint(1, 10**10)
        found.append((Decimal(amount) / 100, Decimal(whole) / 100))
    return found


def exact(numerator: Decimal, denominator: int | Decimal, scale: int) -> Decimal | None:
    """The quotient, half a unit rounded away from zero."""
    if not denominator:
        return None
    with localcontext() as context:
        context.prec = 200
        unit = Decimal(1).scaleb(-scale)
        return (numerator / Decimal(denominator)).quantize(unit, ROUND_HALF_UP)


def as_values(pairs: list[tuple[Decimal, int | Decimal]], type_: str) -> str:
    """The pairs with whole or other divisors, as rows of a query."""
    rows = [
        f"select {place} as place, cast({a} as numeric(18, 2)) as a, "
        f"cast({b} as {type_}) as b"
        for place, (a, b) in enumerate(pairs)
    ]
    return "\nunion all ".join(rows)


@contextmanager
def oracle(clone: Clone) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with the source and the warehouse attached, and the oracle's views."""
    with clone.inside(), duck.engine(clone.root / "spill") as engine:
        source = clone.tables("shop.orders")[0].source
        sources.of(source).attach(engine, source)
        duck.attach_warehouse(engine, settings.warehouse())
        engine.execute(ORACLE.read_text())
        yield engine


def differences(engine: duckdb.DuckDBPyConnection, relation: str) -> list[Any]:
    """Rows that only one of the two has, on the columns of the oracle."""
    engine.execute(f"from {relation} limit 0")
    names = ", ".join(f'"{column[0]}"' for column in engine.description or ())
    found = VIEWS.get(relation, f"select {names} from warehouse.gold.{relation}")
    return engine.execute(
        f"(select 'source', * from (from {relation} except all {found})) union all "
        f"(select 'gold', * from ({found} except all from {relation})) limit 5"
    ).fetchall()


def assert_as_the_source_says(clone: Clone) -> None:
    with oracle(clone) as engine:
        for relation in (*RELATIONS, *VIEWS):
            assert engine.execute(f"select count(*) from {relation}").fetchone() != (0,)
            assert differences(engine, relation) == [], relation


def keyed(clone: Clone, relation: str) -> dict[tuple[Any, ...], str]:
    """The rows of a relation of gold by their key, as texts."""
    names = KEYS[relation]
    rows = clone.query(
        f"select row({names})::text, row_to_json(r)::text from gold.{relation} as r"
    )
    return dict(rows)


def changed(
    before: dict[str, dict[Any, str]], after: dict[str, dict[Any, str]]
) -> dict[str, set[Any]]:
    """The keys of the rows that are new, gone or other, by relation."""
    return {
        name: {k for k in before[name] | rows if before[name].get(k) != rows.get(k)}
        for name, rows in after.items()
    }


def rewritten(clone: Clone, table: str, column: str, since: int) -> set[Any]:
    """Values of `column` in rows that were written after transaction `since`."""
    return {
        value
        for (value,) in clone.query(
            f"select distinct {column} from gold.{table} "
            f"where xmin::text::bigint > {since}"
        )
    }


@pytest.mark.parametrize("division", DIVISIONS.values(), ids=DIVISIONS)
@pytest.mark.parametrize(
    ("type_", "kind"), [("bigint", int), ("numeric(18, 2)", Decimal)]
)
def test_a_quotient_is_exact_however_a_warehouse_divides(
    stack: Clone, division: str, type_: str, kind: type
) -> None:
    pairs = [pair for pair in dividends() if isinstance(pair[1], kind)]
    shown = ", ".join(
        quotient("a", "b", scale).replace(" / ", " operator(pg_temp.//) ")
        for scale in (2, 4)
    )
    with stack.connect() as connection:
        connection.execute(
            "create function pg_temp.divided(numeric, numeric) returns numeric "
            f"language sql immutable as 'select {division}'"
        )
        connection.execute(
            "create operator pg_temp.// "
            "(function = pg_temp.divided, leftarg = numeric, rightarg = numeric)"
        )
        found = connection.execute(
            f"select {shown} from ({as_values(pairs, type_)}) as v order by place"
        ).fetchall()
    assert found == [(exact(a, b, 2), exact(a, b, 4)) for a, b in pairs]


@pytest.mark.parametrize("day", [1, 2, 4])
def test_gold_is_what_duckdb_makes_of_the_source(
    stack: Clone, played: Played, day: int
) -> None:
    stack.restore(f"day_{day}")
    assert_as_the_source_says(stack)


@pytest.mark.long
def test_gold_of_the_whole_demo_is_what_duckdb_makes_of_the_source(
    fresh: Clone,
) -> None:
    """The demo as it is played without arguments: 50,000 orders."""
    states = []
    for day in DAYS:
        demo.apply_day(fresh.admin_url, day, demo.DEFAULT_ROWS)
        states.append(fresh.run().state)
    assert states == ["done", "done", "blocked", "done"]
    orders = fresh.value("select count(*) from gold.fct_orders")
    assert orders > demo.DEFAULT_ROWS
    assert_as_the_source_says(fresh)


def test_every_kpi_is_what_the_analysis_finds_another_way(day_4: Clone) -> None:
    done = day_4.dbt("compile", "--target", "postgres", "--select", "kpis_from_silver")
    assert done.returncode == 0, done.stdout
    folder = day_4.root / "target" / "compiled" / "seedbed" / "analyses"
    analysed = day_4.query((folder / "kpis_from_silver.sql").read_text())
    long = day_4.query(
        "select 'day', kpi_date, currency, kpi, kpi_value from gold.kpi_daily_long "
        "union all "
        "select 'month', month_start, currency, kpi, kpi_value "
        "from gold.kpi_monthly_long"
    )
    assert set(analysed) == set(long)
    assert len(analysed) == len(long)
    assert {kpi for _, _, _, kpi, _ in long} >= {"churn_rate", "gross_margin"}


def test_a_late_correction_changes_the_rows_of_its_order_and_no_others(
    day_4: Clone,
) -> None:
    order, item, product, customer, currency, on, first = day_4.query(
        "select o.order_id, i.order_item_id, i.product_id, o.customer_id, o.currency, "
        "o.ordered_on, c.first_ordered_on from gold.fct_orders as o "
        "join gold.order_categories as c using (order_id) "
        "join gold.fct_order_items as i using (order_id) "
        "where o.ordered_on < '2026-01-20' and c.order_number > 1 "
        "and date_trunc('month', c.first_ordered_on) "
        "< date_trunc('month', o.ordered_on) "
        "order by 1, 2 limit 1"
    )[0]
    before = {name: keyed(day_4, name) for name in KEYS}
    since = day_4.value("select txid_current()")
    day_4.change(
        "update shop.order_items set quantity = quantity + 1, updated_at = "
        f"'2026-03-03 11:00:00' where order_item_id = {item}"
    )
    assert day_4.run().state == "done"

    month, cohort = on.replace(day=1), first.replace(day=1)
    found = changed(before, {name: keyed(day_4, name) for name in KEYS})
    categories = found.pop("order_categories")  # of which the order may stay
    segments = found.pop("customer_segments")
    assert categories <= {f"({order})"}
    assert segments == {f"({customer},{currency})"}
    assert found == {
        "fct_orders": {f"({order})"},
        "fct_order_items": {f"({item})"},
        "fct_payments": set(),
        "agg_daily_sales": {f"({on},{currency})"},
        "agg_monthly_sales": {f"({month},{currency})"},
        "agg_product_performance": {f"({month},{product},{currency})"},
        "customer_lifetime_value": {f"({customer},{currency})"},
        "cohort_retention": {f"({currency},{cohort},{month})"},
        "kpi_daily": {f"({on},{currency})"},
        "kpi_monthly": {f"({month},{currency})"},
        "dim_customer": set(),
        "dim_product": set(),
        "dim_supplier": set(),
        "fct_inventory_daily": set(),
    }
    # Nor were rows of facts written again that stayed as they were.
    for fact in FACTS:
        assert rewritten(day_4, fact, "order_id", since) == {order}, fact
    for fact in FACTS_OF_CUSTOMERS:
        assert rewritten(day_4, fact, "customer_id", since) == {customer}, fact
    assert rewritten(day_4, "agg_daily_sales", "sales_date", since) == {on}
    performance = "agg_product_performance"
    assert rewritten(day_4, performance, "month_start", since) == {month}
    products = day_4.query(
        "select distinct product_id from gold.fct_order_items where order_id = %s",
        order,
    )
    found_again = rewritten(day_4, performance, "product_id", since)
    assert found_again == {id_ for (id_,) in products}
    assert_as_the_source_says(day_4)


def test_orders_that_move_are_cancelled_or_go_leave_no_trace_where_they_were(
    day_4: Clone,
) -> None:
    orders = [
        order
        for (order,) in day_4.query(
            "select min(order_id) from gold.order_categories where order_number = 1 "
            "group by customer_id, currency "
            "having max(first_ordered_on) < '2026-02-01' "
            "order by 1 limit 6"
        )
    ]
    moved, given, cancelled, gone, other_currency, refunded = orders
    touch = "updated_at = '2026-03-05 11:00:00'"
    day_4.change(
        # A first order that turns out to be of another month, and one of somebody else.
        f"update shop.orders set ordered_at = '2026-02-11 12:00:00', {touch} "
        f"where order_id = {moved}",
        "update shop.orders set customer_id = (select customer_id from shop.customers "
        "where deleted_at is null order by created_at, customer_id limit 1), "
        f"{touch} where order_id = {given}",
        f"update shop.orders set status = 'cancelled', {touch} "
        f"where order_id = {cancelled}",
        f"update shop.orders set currency = 'JPY', {touch} "
        f"where order_id = {other_currency}",
        "insert into shop.payments select max(payment_id) + 1, "
        f"{refunded}, 'refund', 'card', 0.01, '2026-03-03 11:00:00' from shop.payments",
        # Its lines stay where they are, and belong to another order now.
        f"update shop.order_items set order_id = {cancelled}, {touch} "
        f"where order_id = {gone}",
        f"update shop.payments set order_id = {cancelled}, "
        f"paid_at = '2026-03-03 11:00:00' where order_id = {gone}",
        f"delete from shop.orders where order_id = {gone}",
        # Money never comes before its order.
        "update shop.payments set paid_at = '2026-03-05 09:00:00' "
        f"where order_id in ({moved}, {refunded})",
        # A line that turns out to be of another product.
        "update shop.order_items set product_id = product_id % 2 + 1, "
        f"{touch} where order_id = {moved}",
        # The shop's last day is no more the last.
        f"update shop.orders set ordered_at = '2026-03-05 08:00:00', {touch} "
        f"where order_id = {refunded}",
    )
    assert day_4.run().state == "done"
    assert (
        day_4.value("select count(*) from gold.fct_orders where order_id = %s", gone)
        == 0
    )
    with oracle(day_4) as engine:
        for relation in RELATIONS:
            if relation != "fct_payments":
                assert differences(engine, relation) == [], relation

    before = day_4.contents(["gold"])
    done = day_4.dbt("run", "--target", "postgres", "--full-refresh", "--select", GOLD)
    assert done.returncode == 0, done.stdout
    assert day_4.contents(["gold"]) == before


def test_small_changes_of_any_kind_leave_what_a_full_refresh_leaves(
    day_4: Clone,
) -> None:
    some = random.Random(3)
    orders, items, products, customers = (
        [id_ for (id_,) in day_4.query(f"select {key} from gold.{name} order by 1")]
        for name, key in (
            ("fct_orders", "order_id"),
            ("fct_order_items", "order_item_id"),
            ("dim_product", "product_id"),
            ("fct_orders", "customer_id"),
        )
    )
    models = "path:models/staging path:models/silver path:models/gold"
    found = [day_4.contents(["gold"])]
    for hour in (10, 11, 12):
        changes = {
            "orders": [
                "status = 'cancelled'",
                "status = 'delivered'",
                f"currency = '{some.choice(['EUR', 'JPY', 'USD'])}'",
                f"customer_id = {some.choice(customers)}",
                f"ordered_at = '2026-0{some.randint(1, 3)}-01 12:00:00'",
            ],
            "order_items": [
                f"product_id = {some.choice(products)}",
                f"order_id = {some.choice(orders)}",
                f"quantity = quantity + {some.randint(1, 3)}",
            ],
        }
        day_4.change(
            *(
                f"update shop.{table} set {change}, "
                f"updated_at = '2026-03-05 {hour}:00:00' "
                f"where {key} = {some.choice(keys)}"
                for table, key, keys in (
                    ("orders", "order_id", orders),
                    ("order_items", "order_item_id", items),
                )
                for change in changes[table]
            )
        )
        day_4.run(with_build=False)
        with day_4.inside():
            words = ["run", "--target", "postgres", "--select", models]
            assert build.run_dbt(words, quiet).failures == []
        found.append(day_4.contents(["gold"]))
        assert found[-1] != found[-2]
    done = day_4.dbt("run", "--target", "postgres", "--full-refresh", "--select", GOLD)
    assert done.returncode == 0, done.stdout
    assert day_4.contents(["gold"]) == found[-1]


def test_a_product_that_comes_after_its_lines_is_that_of_their_facts(
    day_4: Clone,
) -> None:
    (item,) = day_4.query("select min(order_item_id) from gold.fct_order_items")[0]
    day_4.change(
        "insert into shop.products select 900001, supplier_id, 'SKU-LATE', 'Late', "
        "category, price, cost, attributes, is_active, '2026-03-05 09:00:00', "
        "'2026-03-05 09:00:00' from shop.products order by product_id limit 1",
        "update shop.order_items set product_id = 900001, updated_at = "
        f"'2026-03-05 10:00:00' where order_item_id = {item}",
    )
    lacking = (
        "select count(*) from gold.fct_order_items "
        "where product_key is null or cost_amount is null"
    )
    day_4.run("order_items", with_build=False)
    models = "path:models/staging path:models/silver path:models/gold"
    with day_4.inside():
        # As where the rule that a line names a product only warns.
        words = ["run", "--target", "postgres", "--select", models]
        assert build.run_dbt(words, quiet).failures == []
    assert day_4.value(lacking) == 1, "its product was not read"
    assert day_4.run().state == "done"
    assert day_4.value(lacking) == 0
    found = day_4.contents(["gold"])
    done = day_4.dbt("run", "--target", "postgres", "--full-refresh", "--select", GOLD)
    assert done.returncode == 0, done.stdout
    assert day_4.contents(["gold"]) == found


@pytest.mark.long
def test_a_build_that_failed_in_the_middle_is_made_good_by_the_next(
    day_4: Clone,
) -> None:
    day_4.change(
        "update shop.order_items set quantity = quantity + 1, updated_at = "
        "'2026-03-03 11:00:00' where order_item_id % 50 = 8"
    )
    day_4.query(
        "create function gold.refuse() returns trigger language plpgsql as "
        "$$ begin raise exception 'disk full'; end $$"
    )
    for table in ("fct_order_items", "fct_orders"):
        day_4.query(
            f"create trigger refuse before insert on gold.{table} "
            "execute function gold.refuse()"
        )
    failed = day_4.run()
    assert (failed.state, failed.exit_code) == ("failed", 1)
    day_4.query("drop function gold.refuse() cascade")
    assert day_4.run().state == "done"
    assert_as_the_source_says(day_4)


def test_models_that_are_built_alone_are_made_good_by_the_next_run(
    day_4: Clone,
) -> None:
    """None has passed over what those that it reads had not followed yet."""
    touch = "updated_at = '2026-03-03 11:00:00'"
    day_4.change(
        f"update shop.order_items set quantity = quantity + 1, {touch} "
        "where order_item_id % 50 = 8",
        f"update shop.orders set shipping_fee = shipping_fee + 1, {touch} "
        "where order_id % 50 = 9",
        f"update shop.customers set city = concat(city, 'x'), {touch} "
        "where customer_id % 5 = 0",
    )
    day_4.run(with_build=False)
    silver = "path:models/staging path:models/silver path:snapshots"
    alone = ("customer_lifetime_value", "order_categories", "fct_orders")
    with day_4.inside():
        for models in (silver, *alone, "fct_order_items", "int_orders"):
            words = ["build", "--target", "postgres", "--resource-type", "model"]
            words += ["--resource-type", "snapshot", "--select", models]
            assert build.run_dbt(words, quiet).failures == []
    assert day_4.run().state == "done"
    assert_as_the_source_says(day_4)
    before = day_4.contents(["gold"])
    done = day_4.dbt("run", "--target", "postgres", "--full-refresh", "--select", GOLD)
    assert done.returncode == 0, done.stdout
    assert day_4.contents(["gold"]) == before


def test_a_run_tests_the_orders_that_changed_and_once_a_day_all_of_them(
    day_4: Clone,
) -> None:
    order = day_4.value("select min(order_id) from gold.fct_orders")
    other = day_4.value("select max(order_id) from gold.fct_orders")
    assert day_4.run(everything=True).state == "done"
    day_4.query(
        "update gold.fct_orders set shipping_amount = -1 where order_id = %s", other
    )
    day_4.change(SHIPPED_AGAIN.format(f"order_id = {order}", 11))
    assert day_4.run().state == "done"
    day_4.query(
        "update audit.build_state set "
        "tested_whole_at = tested_whole_at - interval '1 day'"
    )
    # No fact is made of it.
    day_4.change("update shop.inventory set quantity = quantity + 1")
    failed = day_4.run()
    assert failed.state == "failed"
    found = " ".join(failed.built.failures)
    assert "accepted_range_fct_orders_shipping_amount" in found


def test_a_wrong_row_of_an_order_that_changed_fails_the_run(day_4: Clone) -> None:
    assert day_4.run(everything=True).state == "done"
    day_4.query(
        "create function gold.spoil() returns trigger language plpgsql as "
        "$$ begin new.shipping_amount := -1; return new; end $$"
    )
    day_4.query(
        "create trigger spoil before insert on gold.fct_orders "
        "for each row execute function gold.spoil()"
    )
    day_4.change(SHIPPED_AGAIN.format("order_id % 50 = 1", 11))
    failed = day_4.run()
    assert failed.state == "failed"
    found = " ".join(failed.built.failures)
    assert "accepted_range_fct_orders_shipping_amount" in found


def test_a_changed_definition_derives_what_follows_as_a_whole(day_4: Clone) -> None:
    before = day_4.contents(["gold"])
    day_4.query("update gold.fct_orders set paid_amount = paid_amount + 1")
    file = day_4.root / "models" / "gold" / "fct_payments.sql"
    text = file.read_text()
    file.write_text(text + "-- another\n")
    try:
        with day_4.inside():
            words = ["run", "--target", "postgres", "--select", "fct_payments+1"]
            assert build.run_dbt(words, quiet).failures == []
    finally:
        file.write_text(text)
    assert day_4.contents(["gold"]) == before
