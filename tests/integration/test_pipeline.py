"""The whole pipeline over the demo's four days, held against the sources."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest

from orchestration import build
from tests.clone import (
    LAYERS,
    Clone,
    by_key,
    cleansed,
    columns_of,
    expected,
    key_of,
    quiet,
    seed,
)
from tests.conftest import DAYS, Played

TABLES = {f"{t['source']}.{t['table']}": t for t in seed("tables")}
# Day 3's orders are a bad batch, so those of day 2 stay.
BLOCKED = {(3, "shop.orders"): 2}
LATE = {
    "shop.order_items": ("order_item_id", "updated_at"),
    "shop.payments": ("payment_id", "paid_at"),
}
IDENTITIES = {
    "source = read",
    "read = written + unchanged + rejected",
    "gone = deleted",
    "written + deleted = loaded",
    "live keys of the log = live keys of silver",
}

Key = tuple[Any, ...]
Rows = dict[Key, dict[str, Any]]
each_day = pytest.mark.parametrize("day", DAYS)
each_table = pytest.mark.parametrize("table", TABLES)


def observed_days(table: str, through: int) -> list[int]:
    """The days whose state of a table was released, up to a day."""
    return [d for d in range(1, through + 1) if (d, table) not in BLOCKED]


def source_at(played: Played, table: str, day: int) -> Rows:
    """What the source held when the table was last released, as silver shows it."""
    rows = played.source[observed_days(table, day)[-1]][table]
    return by_key(table, [expected(table, row) for row in rows])


def is_gone(table: str, row: dict[str, Any]) -> bool:
    """Whether a source row says that it is deleted."""
    soft = TABLES[table]["delete_mode"] == "soft_flag"
    return soft and row["deleted_at"] is not None


def business(row: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}


# -- the runs ------------------------------------------------------------------


@each_day
def test_a_day_ends_as_its_story_says(played: Played, day: int) -> None:
    result = played.results[day]
    states = {o.table.id: o.state for o in result.outcomes}
    blocked = {"shop.orders": "rejected"} if day == 3 else {}
    assert states == dict.fromkeys(TABLES, "released") | blocked
    assert (result.state, result.exit_code) == (
        ("blocked", 1) if day == 3 else ("done", 0)
    )
    assert result.built is not None
    assert result.built.failures == []
    assert result.balanced


@each_day
@each_table
def test_the_current_state_is_the_source_s(
    played: Played, day: int, table: str
) -> None:
    source = source_at(played, table, day)
    silver = by_key(table, played.silver[day][TABLES[table]["model"]])
    names = list(next(iter(source.values())))
    live = {k: business(r, names) for k, r in silver.items() if not r["is_deleted"]}
    assert live == {k: r for k, r in source.items() if not is_gone(table, r)}


@each_day
@each_table
def test_rows_that_the_source_lost_are_marked_with_their_last_values(
    played: Played, day: int, table: str
) -> None:
    ever: Rows = {}
    for earlier in observed_days(table, day):
        ever |= source_at(played, table, earlier)
    now = source_at(played, table, day)
    lost = {k: r for k, r in ever.items() if k not in now or is_gone(table, now[k])}
    if TABLES[table]["load_type"] == "full":
        lost = {}  # a snapshot holds what is there
    silver = by_key(table, played.silver[day][TABLES[table]["model"]])
    names = list(next(iter(ever.values())))
    marked = {k: business(r, names) for k, r in silver.items() if r["is_deleted"]}
    assert marked == lost


def test_the_demo_deletes_in_each_of_the_ways(played: Played) -> None:
    """Else the tests above would prove little."""
    for table in ("shop.customers", "shop.suppliers", "shop.orders", "crm.contacts"):
        model = TABLES[table]["model"]
        before, after = (
            sum(r["is_deleted"] for r in played.silver[day][model]) for day in (1, 4)
        )
        assert after > before, table
    assert len(played.silver[3]["inventory"]) < len(played.silver[2]["inventory"])


@pytest.mark.parametrize("table", LATE)
def test_a_row_that_came_late_is_there(played: Played, table: str) -> None:
    key, at = LATE[table]
    before = {row[key] for row in played.source[1][table]}
    watermark = max(row[at] for row in played.source[1][table])
    late = [
        row[key]
        for row in played.source[2][table]
        if row[key] not in before and row[at] < watermark
    ]
    assert late, "the demo brings one"
    model = TABLES[table]["model"]
    assert set(late) <= {row[key] for row in played.silver[2][model]}


# -- histories, replayed from the sources' states ------------------------------


def replayed(
    played: Played, table: str, tracked: Sequence[str] | None, day: int = DAYS[-1]
) -> dict[Key, list[dict[str, Any]]]:
    """The versions of each key, from what the sources held after each day.

    `tracked` None makes a version of every change. Each version has the row that
    was seen last in it, `valid_from` and `is_deleted`; a hard delete is valid from
    the time of the run that found it, given as that run's (begin, end).
    """
    versions: dict[Key, list[dict[str, Any]]] = {}
    for today in observed_days(table, day):
        rows = by_key(
            table, [expected(table, row) for row in played.source[today][table]]
        )
        for key, row in rows.items():
            known = versions.setdefault(key, [])
            last = known[-1] if known else None
            if last and (last["row"], last["hard"]) == (row, False):
                continue
            gone = is_gone(table, row)
            changed = last is None or last["is_deleted"] != gone
            if last and not changed and not gone:
                names = tracked if tracked is not None else list(row)
                changed = business(last["row"], names) != business(row, names)
            if changed:
                known.append({"valid_from": row["updated_at"], "is_deleted": gone})
            known[-1] |= {"row": row, "hard": False}
        if TABLES[table]["delete_mode"] != "key_scan":
            continue
        for key, known in versions.items():
            if key not in rows and not known[-1]["is_deleted"]:
                known.append(
                    known[-1]
                    | {
                        "valid_from": played.clock[today],
                        "is_deleted": True,
                        "hard": True,
                    }
                )
    return versions


def assert_same_time(found: datetime, wanted: object) -> None:
    """`wanted` is a time, or the begin and end of a run that observed."""
    if isinstance(wanted, tuple):
        assert wanted[0] <= found <= wanted[1]
    else:
        assert found == wanted


def assert_history(
    table: str,
    history: list[dict[str, Any]],
    wanted: dict[Key, list[dict[str, Any]]],
    names: Sequence[str],
) -> None:
    """Compare a history table with replayed versions, on the columns `names`."""
    found: dict[Key, list[dict[str, Any]]] = {}
    for row in sorted(history, key=lambda r: r["version"]):
        found.setdefault(tuple(row[n] for n in key_of(table)), []).append(row)
    assert {k: len(v) for k, v in found.items()} == {
        k: len(v) for k, v in wanted.items()
    }
    for key, versions in wanted.items():
        rows = found[key]
        assert [r["version"] for r in rows] == list(range(1, len(rows) + 1))
        for number, (row, version) in enumerate(zip(rows, versions, strict=True)):
            assert business(row, names) == business(version["row"], names), key
            assert row["is_deleted"] == version["is_deleted"]
            assert_same_time(row["valid_from"], version["valid_from"])
            last = number == len(rows) - 1
            assert row["is_current"] == last
            until = None if last else rows[number + 1]["valid_from"]
            assert row["valid_to"] == until


def tracked_columns(table: str) -> list[str]:
    return [
        c["name"]
        for c in seed("columns")
        if f"{c['source']}.{c['table']}" == table and c["tracked"] == "true"
    ]


@each_day
@pytest.mark.parametrize("table", ["shop.customers", "crm.contacts"])
def test_versions_are_those_a_replay_of_the_sources_gives(
    played: Played, day: int, table: str
) -> None:
    wanted = replayed(played, table, tracked_columns(table), day)
    history = played.silver[day][f"{TABLES[table]['model']}_history"]
    assert_history(table, history, wanted, columns_of(table))


@each_day
def test_the_change_log_of_orders_is_what_a_replay_gives(
    played: Played, day: int
) -> None:
    wanted = replayed(played, "shop.orders", None, day)
    history = played.silver[day]["orders_history"]
    assert_history("shop.orders", history, wanted, columns_of("shop.orders"))
    operations: dict[Key, str] = {}
    for row in sorted(history, key=lambda r: r["version"]):
        key = (row["order_id"],)
        operations[key] = operations.get(key, "") + row["op"]
    for key, versions in wanted.items():
        letters = "".join("D" if v["is_deleted"] else "U" for v in versions)
        assert operations[key] == "I" + letters[1:], key


@each_day
def test_snapshots_of_products_are_what_a_replay_gives(
    played: Played, day: int
) -> None:
    tracked = tracked_columns("shop.products")
    wanted = replayed(played, "shop.products", tracked, day)
    history = played.silver[day]["products_history"]
    assert_history("shop.products", history, wanted, tracked)


@pytest.mark.parametrize(
    ("table", "most"),
    [("shop.customers", 3), ("shop.products", 2), ("shop.orders", 3)],
)
def test_the_demo_makes_histories_worth_comparing(
    played: Played, table: str, most: int
) -> None:
    """Else the tests above would prove little."""
    versions = replayed(played, table, tracked_columns(table) or None)
    assert max(map(len, versions.values())) >= most


# -- the ledger ----------------------------------------------------------------


def test_each_run_s_ledger_has_every_identity_of_every_table(
    stack: Clone, played: Played
) -> None:
    stack.restore("day_4")
    for day, result in played.results.items():
        rows = stack.query(
            "select table_id, identity, left_rows, right_rows, holds "
            "from audit.ledger where run_id = %s",
            result.run_id,
        )
        wanted = {(t, i) for t in TABLES for i in IDENTITIES}
        if day == 3:
            wanted -= {("shop.orders", "live keys of the log = live keys of silver")}
        assert {row[:2] for row in rows} == wanted
        assert all(row[4] and row[2] == row[3] for row in rows)


def test_the_first_run_s_counts_are_the_source_s(stack: Clone, played: Played) -> None:
    stack.restore("day_1")
    for table, rows in played.source[1].items():
        counts = stack.query(
            "select source_rows, rows_read, rows_written, rows_unchanged, "
            "rows_rejected, rows_deleted, rows_loaded from audit.batch "
            "where table_id = %s",
            table,
        )
        n = len(rows)
        assert counts == [(n, n, n, 0, 0, 0, n)], table


def test_a_row_that_vanishes_from_silver_is_found_by_the_next_run(
    day_4: Clone,
) -> None:
    day_4.query(
        "delete from silver.suppliers where supplier_id = (select min(supplier_id) "
        "from silver.suppliers where not is_deleted)"
    )
    result = day_4.run()
    assert (result.balanced, result.state, result.exit_code) == (False, "failed", 1)
    wrong = day_4.query(
        "select table_id, identity, left_rows - right_rows from audit.ledger "
        "where run_id = %s and not holds",
        result.run_id,
    )
    assert wrong == [
        ("shop.suppliers", "live keys of the log = live keys of silver", 1)
    ]


def test_a_row_that_vanishes_from_the_log_is_found_by_the_next_run(
    day_4: Clone,
) -> None:
    day_4.query(
        "delete from bronze.shop__payments where payment_id = "
        "(select min(payment_id) from bronze.shop__payments)"
    )
    result = day_4.run()
    assert (result.balanced, result.state, result.exit_code) == (False, "failed", 1)


# -- doing it again ------------------------------------------------------------


def test_a_run_over_unchanged_sources_changes_no_row_at_all(day_4: Clone) -> None:
    before = day_4.contents()
    assert set(before) > {
        "bronze.shop__orders",
        "silver.orders",
        "staging.stg_shop__orders",
    }
    result = day_4.run(everything=True)
    assert result.state == "done"
    assert day_4.contents() == before


def test_a_run_after_a_blocked_one_changes_nothing_but_the_blocked_rows_batch(
    stack: Clone, played: Played
) -> None:
    stack.restore("day_3")
    before = stack.contents(LAYERS[1:])
    log = stack.contents(["bronze"], ["_batch_seq"], any_observation=True)
    result = stack.run()
    assert (result.state, result.exit_code) == ("blocked", 1)
    assert stack.contents(LAYERS[1:]) == before
    # The rejected window was read again, so only that batch's number is another.
    after = stack.contents(["bronze"], ["_batch_seq"], any_observation=True)
    assert after == log


def test_rebuilding_everything_gives_the_same_rows(day_4: Clone) -> None:
    before = day_4.contents()
    done = day_4.cli("rebuild", "*")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "orders_history" in done.stdout
    assert day_4.contents() == before
    seen = "select count(*) from audit.dq_result inner join audit.run using (run_id) "
    assert day_4.value(f"{seen} where command = 'rebuild' and passed") > 0
    assert day_4.run().state == "done"


def test_a_full_refresh_that_names_nothing_is_refused_and_loses_nothing(
    day_4: Clone,
) -> None:
    before = day_4.contents()
    with day_4.inside():
        built = build.run_dbt(
            ["build", "--target", "postgres", "--full-refresh"], quiet
        )
    assert not built.ok
    told = "\n".join(built.failures)
    for model in ("customers_history", "orders_history", "payments", "inventory"):
        assert f"Run `./seedbed rebuild {model}`" in told
    assert day_4.contents() == before


@pytest.fixture
def city_untracked(day_4: Clone) -> Iterator[Clone]:
    """The clone after the last day, with one tracked column fewer in the seed."""
    old = "shop,customers,city,city,varchar(80),true,,true,trim,"
    new = "shop,customers,city,city,varchar(80),true,,false,trim,,City of residence"
    with day_4.edited("columns", old, new):
        yield day_4


@pytest.mark.long
@pytest.mark.up_to_silver
def test_a_changed_meaning_asks_for_a_rebuild_by_name_which_heals(
    city_untracked: Clone, played: Played
) -> None:
    clone = city_untracked
    before = clone.relation("silver", "customers_history")
    refused = clone.run()
    assert (refused.state, refused.exit_code) == ("failed", 1)
    assert refused.built is not None
    told = "\n".join(refused.built.failures)
    assert "`./seedbed rebuild customers_history`" in told
    assert clone.relation("silver", "customers_history") == before

    with clone.inside():
        built = build.rebuild(["customers_history"], "postgres", quiet)
    assert built.failures == []
    assert clone.run().state == "done"
    names = [n for n in tracked_columns("shop.customers") if n != "city"]
    wanted = replayed(played, "shop.customers", names)
    history = clone.relation("silver", "customers_history")
    assert_history("shop.customers", history, wanted, columns_of("shop.customers"))
    assert len(history) < len(before)


def test_cleansing_is_what_the_seed_says() -> None:
    """The yardstick of this file, on values whose result is known."""
    assert cleansed("  Ä b ", "trim") == "Ä b"
    assert cleansed(" De", "upper") == "DE"
    assert cleansed(" A@B.C ", "email") == "a@b.c"
    assert cleansed("  ", "email") is None
    assert cleansed("  ", "trim") == ""
    assert cleansed(None, "trim") is None
    assert cleansed("(0345) 123456", "phone", "DE") == "+49345123456"
    assert cleansed("(0345) 123456", "phone", "GR") == "+300345123456"
    assert cleansed("0049345123456", "phone", "US") == "+49345123456"
    assert cleansed("+1 345 123456", "phone", "US") is None
    assert cleansed("", "phone", "DE") is None
