"""A seed that adds, drops or widens columns: the stored tables follow it."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ingest import control, load
from ingest.errors import SeedbedError
from orchestration import build
from tests.clone import Clone, key_of, quiet, seed
from tests.foreign import Foreign

SEED = Path(__file__).parents[2] / "seeds" / "metadata"
# The start of a row of columns.csv, its type, and the wider one.
WIDER = [
    ("shop,customers,full_name,full_name,", "varchar(120)", "varchar(200)"),
    ("shop,customers,loyalty_points,loyalty_points,", "integer", "bigint"),
    ("shop,inventory,quantity,quantity,", "integer", "bigint"),
    ("shop,order_items,discount,discount,", "decimal(5,4)", "decimal(9,4)"),
    ("shop,orders,shipping_fee,shipping_fee,", "decimal(8,2)", "decimal(12,2)"),
    ("shop,payments,method,method,", "varchar(20)", "text"),
    ("shop,products,name,name,", "varchar(160)", "varchar(255)"),
    ("shop,suppliers,rating,rating,", "decimal(3,2)", "decimal(6,2)"),
]
NICKNAME = "shop,customers,nickname,nickname,varchar(20),true,,{},,,What friends say"
COLOUR = "shop,products,colour,colour,varchar(20),true,,true,,,Colour of the paint"
NOTE = "shop,orders,note,"
SUPPLIER_NAME = "shop,suppliers,name,"
LATER = "updated_at = '2026-03-20 00:00:00'"


def row(file: str, start: str) -> str:
    """The one row of a seed file that starts so, as it is written."""
    lines = (SEED / f"{file}.csv").read_text().splitlines()
    (found,) = [line for line in lines if line.startswith(start)]
    return found


def retyped(start: str, old: str, new: str) -> dict[str, str]:
    """The edit that gives a column another type."""
    before = row("columns", start)
    old, new = (f'"{kind}"' if "," in kind else kind for kind in (old, new))
    assert before.startswith(start + old)
    return {start: start + new + before.removeprefix(start + old)}


def added(after: str, text: str) -> dict[str, str]:
    """The edit that adds a column after another one."""
    return {after: row("columns", after) + "\n" + text}


@contextmanager
def seeded(clone: Clone, edits: Mapping[str, str]) -> Iterator[None]:
    """The rows of columns.csv that start with a key are its value for a while."""
    with ExitStack() as stack:
        for start, text in edits.items():
            stack.enter_context(clone.edited("columns", start, text))
        yield


def column_types(clone: Clone, schema: str, name: str) -> dict[str, str]:
    """The stored type of each column of a table or view."""
    return dict(
        clone.query(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = %s::regclass and attnum > 0 and not attisdropped",
            f"{schema}.{name}",
        )
    )


def contents(clone: Clone, name: str, *without: str) -> list[str]:
    """A silver relation's rows as sorted texts, without some columns."""
    return clone.contents(["silver"], without)[f"silver.{name}"]


def rebuild(clone: Clone) -> None:
    """Derive each table of silver anew from its log."""
    names = [
        t["model"] + ("_history" if t["load_type"] in ("scd2", "cdc") else "")
        for t in seed("tables")
        if t["load_type"] != "snapshot"
    ]
    with clone.inside():
        assert build.rebuild(names, "postgres", quiet).failures == []


def failure(clone: Clone, table: str) -> str:
    """What is said of a table that can't be moved."""
    result = clone.run(table)
    (outcome,) = result.outcomes
    assert (result.exit_code, outcome.state) == (1, "failed")
    return str(outcome.error)


def test_columns_are_added_dropped_and_widened_and_no_row_is_touched(
    day_1: Clone,
) -> None:
    clone = day_1
    histories = ("customers_history", "orders_history", "products_history")
    # A view showed the note when the history lost it, so it stays until a rebuild.
    removed = ("_removed_note",)
    new = ("nickname", "colour", "note", "_batch_seq", *removed)
    before = {name: contents(clone, name, *new) for name in histories}
    notes = "select order_id, note from silver.orders where note is not null"
    source_notes = {*clone.query(notes)}
    clone.change(
        "alter table shop.customers add column nickname varchar(20)",
        "alter table shop.products add column colour varchar(20)",
        f"update shop.customers set nickname = 'Bo', {LATER} where customer_id = 3",
        f"update shop.products set colour = 'red', {LATER} where product_id = 2",
        f"update shop.orders set shipping_fee = 123456.78, {LATER} where order_id = 3",
    )
    edits: dict[str, str] = {}
    for start, old, wide in WIDER:
        edits |= retyped(start, old, wide)
    edits |= added("shop,customers,city,", NICKNAME.format("false"))
    edits |= added("shop,products,category,", COLOUR)
    # The source's own column is what the seed says now.
    clone.change("alter table shop.orders modify shipping_fee decimal(12,2)")
    clone.change(
        f"update shop.orders set shipping_fee = 123456.78, {LATER} where order_id = 3"
    )
    with seeded(clone, edits), seeded(clone, {NOTE: ""}):
        result = clone.run()
        assert result.built is not None
        assert result.built.failures == []
        assert result.state == "done"

        # Each stored type is the seed's, in the log and in silver.
        for start, _, wide in WIDER:
            source, table, _, column, _ = start.split(",")
            model = next(t for t in seed("tables") if t["table"] == table)["model"]
            kind = wide.replace("varchar", "character varying").replace(
                "decimal", "numeric"
            )
            assert column_types(clone, "bronze", f"{source}__{table}")[column] == kind
            assert column_types(clone, "silver", model)[column] == kind
        assert column_types(clone, "silver", "products_snapshot")["name"] == (
            "character varying(255)"
        )
        assert "note" in column_types(clone, "bronze", "shop__orders")
        for model in ("orders", "orders_history"):
            assert "note" not in column_types(clone, "silver", model)

        # What did not change is as it was, the new columns apart.
        def others(name: str, rows: list[str], keys: set[int]) -> list[str]:
            key = key_of(f"shop.{name}")[0]
            return [r for r in rows if not any(f'"{key}": {k},' in r for k in keys)]

        # An order that was read again without its note is one more change.
        again = {
            k
            for (k,) in clone.query(
                "select order_id from bronze.shop__orders where _batch_seq > 1"
            )
        }
        assert len(again) < 10
        for name, keys in (("customers", {3}), ("orders", again), ("products", {2})):
            was = before[f"{name}_history"]
            now = contents(clone, f"{name}_history", *new)
            assert others(name, now, keys) == others(name, was, keys)
            # The nickname is not tracked, so it makes no version.
            versions = {"customers": 0, "orders": len(again), "products": 1}
            assert len(now) == len(was) + versions[name]
        nicknames = clone.query(
            "select customer_id, nickname from silver.customers "
            "where nickname is not null"
        )
        assert nicknames == [(3, "Bo")]
        colours = clone.query(
            "select product_id, colour from silver.products_history "
            "where colour is not null"
        )
        assert colours == [(2, "red")]

        increments = clone.contents(["silver", "gold"], removed)
        rebuild(clone)
        assert clone.contents(["silver", "gold"]) == increments
        assert clone.run().state == "done"
        assert clone.contents(["silver", "gold"]) == increments

    # The column comes back; the log still has its values, so a rebuild is due.
    with seeded(clone, edits):
        result = clone.run("shop.orders")
        assert result.built is not None
        (told,) = [f for f in result.built.failures if f.startswith("orders_history")]
        assert "note was added to its columns, and the log has values" in told
        assert "`./seedbed rebuild orders_history`" in told
        rebuild(clone)
        assert clone.run().state == "done"
        again_read = {(k, n) for k, n in source_notes if k in again}
        assert {*clone.query(notes)} >= source_notes - again_read


@pytest.mark.up_to_silver
def test_views_survive_a_wider_log_with_their_rights_and_comments(
    day_1: Clone,
) -> None:
    clone = day_1
    clone.query("create view staging.mine as select name from silver.products_latest")
    clone.query("alter view staging.mine set (security_barrier = true)")
    clone.query("comment on column staging.mine.name is 'It''s mine'")
    clone.query("comment on view staging.mine is 'Mine'")
    clone.query("grant select on staging.mine to public")
    clone.query("grant update (name) on staging.mine to pg_monitor with grant option")

    def state() -> list[Any]:
        described = clone.query(
            "select relname, relacl::text, reloptions, "
            "obj_description(oid, 'pg_class'), col_description(oid, 1), "
            "(select attacl::text from pg_attribute where attrelid = c.oid "
            "and attnum = 1), pg_get_viewdef(oid) from pg_class c "
            "where relkind = 'v' and relnamespace in "
            "('silver'::regnamespace, 'staging'::regnamespace) order by 1"
        )
        return [described, clone.contents(["silver", "staging"])]

    before = state()
    assert "security_barrier=true" in str(before)
    start, old, wide = next(w for w in WIDER if w[0].startswith("shop,products"))
    with seeded(clone, retyped(start, old, wide)), clone.inside():
        with control.connect() as connection:
            control.prepare(connection)
            load.prepare(connection, *clone.tables("shop.products"))
    assert column_types(clone, "bronze", "shop__products")["name"] == (
        "character varying(255)"
    )
    assert state() == before


REFUSED = {
    "narrower": (
        retyped(SUPPLIER_NAME + "name,", "varchar(120)", "varchar(60)"),
        "column name of bronze.shop__suppliers is varchar(120), but "
        "seeds/metadata/columns.csv says varchar(60), which does not hold",
    ),
    "another kind": (
        retyped("shop,suppliers,supplier_id,supplier_id,", "bigint", "text"),
        "supplier_id of bronze.shop__suppliers is bigint, but",
    ),
    "another scale": (
        retyped("shop,suppliers,rating,rating,", "decimal(3,2)", "decimal(9,4)"),
        "rating of bronze.shop__suppliers is numeric(3,2), but",
    ),
    "new and never NULL": (
        added(
            SUPPLIER_NAME,
            "shop,suppliers,city,city,varchar(20),false,,,,,City of the company",
        ),
        "city is new in seeds/metadata/columns.csv and not nullable",
    ),
}


@pytest.mark.up_to_silver
@pytest.mark.parametrize("case", REFUSED)
def test_what_can_t_be_followed_is_refused_before_anything_is_read(
    day_1: Clone, case: str
) -> None:
    edits, told = REFUSED[case]
    day_1.change("alter table shop.suppliers add column city varchar(20)")
    before = day_1.contents(), column_types(day_1, "bronze", "shop__suppliers")
    with seeded(day_1, edits):
        assert told in failure(day_1, "shop.suppliers")
    after = day_1.contents(), column_types(day_1, "bronze", "shop__suppliers")
    assert after == before
    assert day_1.run("shop.suppliers").state == "done"


@pytest.mark.up_to_silver
@pytest.mark.parametrize(
    ("edits", "told"),
    [
        (
            added(
                SUPPLIER_NAME,
                REFUSED["new and never NULL"][0][SUPPLIER_NAME]
                .split("\n")[1]
                .replace("false", "true"),
            ),
            "city was added",
        ),
        pytest.param(
            {"shop,suppliers,created_at,": ""},
            "created_at was removed",
            marks=pytest.mark.long,
        ),
        pytest.param(
            retyped(SUPPLIER_NAME + "name,", "varchar(120)", "text"),
            "name is text, not varchar(120)",
            marks=pytest.mark.long,
        ),
    ],
    ids=["added", "removed", "widened"],
)
def test_a_frozen_table_follows_no_change_of_the_seed(
    day_1: Clone, edits: dict[str, str], told: str
) -> None:
    before = day_1.contents()
    with day_1.under("freeze", "shop,suppliers,suppliers,"):
        assert day_1.run("shop.suppliers").state == "done"
        if "city" in told:
            day_1.change("alter table shop.suppliers add column city varchar(20)")
        with seeded(day_1, edits):
            said = failure(day_1, "shop.suppliers")
            assert "shop.suppliers is frozen" in said
            assert f"{told}. Nothing was read" in said
            # dbt by itself, which reads no log, says so too.
            with day_1.inside():
                arguments = ["build", "--target", "postgres", "--select"]
                built = build.run_dbt([*arguments, "suppliers"], quiet)
            if "city" not in told:
                assert "suppliers is frozen, but its columns" in str(built.failures)
    assert day_1.contents() == before


@pytest.mark.up_to_silver
def test_a_new_tracked_column_asks_for_a_rebuild_which_equals_increments(
    day_1: Clone,
) -> None:
    clone = day_1
    before = contents(clone, "customers_history", "nickname", "_batch_seq")
    clone.change(
        "alter table shop.customers add column nickname varchar(20)",
        f"update shop.customers set nickname = 'Bo', {LATER} where customer_id = 3",
    )
    with seeded(clone, added("shop,customers,city,", NICKNAME.format("true"))):
        result = clone.run()
        assert result.built is not None
        (told,) = [f for f in result.built.failures if f.startswith("customers_")]
        assert "its key, tracked columns, cleansing or load type changed" in told
        assert "`./seedbed rebuild customers_history`" in told
        rebuild(clone)
        after = contents(clone, "customers_history", "nickname", "_batch_seq")
        key = '"customer_id": 3,'
        assert [r for r in after if key not in r] == [r for r in before if key not in r]
        assert clone.query(
            "select nickname from silver.customers_history "
            "where customer_id = 3 order by version desc limit 2"
        ) == [("Bo",), (None,)]
        assert clone.run().state == "done"
        assert contents(clone, "customers_history", "nickname", "_batch_seq") == after


KINDS = ("scd1", "scd2", "cdc", "incremental", "snapshot")


@pytest.mark.up_to_silver
def test_an_added_and_a_widened_column_at_once_reach_every_model(
    foreign: Foreign,
) -> None:
    schema = "grown"
    foreign.create(
        schema,
        *(
            f"create table by_{kind} (id int primary key, v int, name varchar(20), "
            "updated_at datetime not null)"
            for kind in KINDS
        ),
        *(f"insert into by_{kind} values (1, 1, 'a', '2026-11-01')" for kind in KINDS),
    )
    foreign.discover(schema)
    for kind in KINDS:
        table = {"source": schema, "table": f"by_{kind}"}
        tracked = "true" if kind in ("scd2", "snapshot") else ""
        cells = {"load_type": kind, "on_schema_change": "evolve"}
        foreign.edit_all(
            ("columns", table | {"column": "v"}, {"tracked": tracked}),
            ("tables", table, cells),
        )
    assert foreign.run().state == "done"
    # A view of a widened column can't be moved as it is, and is made again later.
    for kind in KINDS:
        foreign.ask(
            schema,
            f"alter table by_{kind} modify v bigint, modify name varchar(90), "
            "add column colour varchar(20) after id",
            f"insert into by_{kind} values (2, 'red', 5000000000, '', '2026-11-02')",
        )
    result = foreign.run()
    assert result.built
    assert (result.state, result.built.failures) == ("done", [])
    wanted = {
        "colour": "character varying(20)",
        "v": "bigint",
        "name": "character varying(90)",
    }
    relations = foreign.query(
        "select table_schema, table_name from information_schema.tables "
        "where table_schema in ('staging', 'silver') and table_name like '%by%'"
    )
    assert len(relations) > 2 * len(KINDS)
    for relation in relations:
        found = column_types(foreign, *relation)
        assert {name: found.get(name) for name in wanted} == wanted, relation


def test_a_materialized_view_in_the_way_is_reported(day_1: Clone) -> None:
    day_1.query(
        "create materialized view staging.fixed as select name "
        "from staging.stg_shop__suppliers"
    )
    edit = retyped(SUPPLIER_NAME + "name,", "varchar(120)", "text")
    with seeded(day_1, edit), day_1.inside(), control.connect() as connection:
        with pytest.raises(SeedbedError, match="could not be fitted"):
            load.prepare(connection, *day_1.tables("shop.suppliers"))
