"""Clocks that stand, go back or repeat an hour, and times that are rounded.

`utc_timestamp()` of each new connection to the source is set, so that the product
and those who write into the source see that clock.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.clone import Clone

pytestmark = pytest.mark.lean

SUPPLIER = "insert into shop.suppliers values ({}, 'S', 'DE', null, null, {at}, {at})"


@contextmanager
def clock(clone: Clone, at: str) -> Iterator[None]:
    """The source's clock stands still at a UTC time."""
    seconds = dt.datetime.fromisoformat(at).replace(tzinfo=dt.UTC).timestamp()
    try:
        set_clock(clone, f"set timestamp = {seconds}")
        yield
    finally:
        set_clock(clone, "")


def set_clock(clone: Clone, statement: str) -> None:
    """What each new session of the source begins with, but for operators."""
    with clone.operated() as cursor:
        cursor.execute("set global init_connect = %s", (statement,))


def high(clone: Clone) -> Any:
    """The suppliers' released watermark."""
    return clone.value(
        "select released_high from audit.table_state where table_id = 'shop.suppliers'"
    )


def move(clone: Clone) -> dict[int, Any]:
    """One run; the suppliers that are released then, by key."""
    assert clone.run("suppliers", with_build=False).state == "done"
    return {key: row for (key,), row in clone.released("shop.suppliers").items()}


@pytest.mark.fault(3, 4)
def test_times_rounded_up_to_whole_seconds_lose_no_row(day_2_due: Clone) -> None:
    day_2_due.change("alter table shop.suppliers modify updated_at datetime not null")
    rounds = "set sql_mode = 'TIME_ROUND_FRACTIONAL'"  # MySQL's way
    with clock(day_2_due, "2026-03-05 12:00:00.6"):
        day_2_due.change(rounds, SUPPLIER.format(9001, at="utc_timestamp(6)"))
        stored = day_2_due.source_rows("shop.suppliers")[-1]["updated_at"]
        assert stored == dt.datetime(2026, 3, 5, 12, 0, 1), "ahead of the clock"
        assert 9001 not in move(day_2_due), "it waits"
    with clock(day_2_due, "2026-03-05 12:00:01.1"):
        assert 9001 in move(day_2_due)
        assert high(day_2_due) == stored
        # Another one in the very second that is released already.
        day_2_due.change(rounds, SUPPLIER.format(9002, at="utc_timestamp(6)"))
        assert {9001, 9002} < {*move(day_2_due)}
    assert day_2_due.released("shop.suppliers") == day_2_due.held("shop.suppliers")


@pytest.mark.fault(6)
def test_a_source_whose_clock_is_set_back_loses_no_row(day_2_due: Clone) -> None:
    highs = []
    for number, at in enumerate(("12:00:00", "11:56:00", "11:57:30", "12:02:00")):
        with clock(day_2_due, f"2026-03-05 {at}"):
            day_2_due.change(SUPPLIER.format(9001 + number, at="utc_timestamp(6)"))
            assert 9001 + number in move(day_2_due)
            highs.append(high(day_2_due))
    assert highs == sorted(highs), "the watermark never goes back"
    assert day_2_due.released("shop.suppliers") == day_2_due.held("shop.suppliers")


@pytest.mark.fault(6)
def test_the_hour_that_comes_twice_loses_no_row(day_1: Clone) -> None:
    """A source that writes its local time, on the night summer time ends."""
    line = "shop,mysql,SHOP_URL,shop,"
    text = "Europe/Berlin,commerce,The shop keeps its local time"
    local = "convert_tz(utc_timestamp(6), '+00:00', '{}')"
    highs = []
    with day_1.edited("sources", line, line + text):
        for number, (at, offset) in enumerate(
            (
                ("2026-10-25 00:40:00", "+02:00"),
                ("2026-10-25 00:59:00", "+02:00"),
                ("2026-10-25 01:10:00", "+01:00"),
                ("2026-10-25 01:40:00", "+01:00"),
                ("2026-10-25 02:30:00", "+01:00"),
            )
        ):
            with clock(day_1, at):
                row = SUPPLIER.format(9001 + number, at=local.format(offset))
                day_1.change(row)
                move(day_1)
                highs.append(high(day_1))
    assert highs == sorted(highs), "the watermark never goes back"
    assert day_1.released("shop.suppliers") == day_1.held("shop.suppliers")
