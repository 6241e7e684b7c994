"""Children are read before their parents, whatever runs beside or fails."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from ingest import settings, stop
from ingest.seed import metadata
from ingest.seed.checks.others import References
from ingest.seed.metadata import Rule, Table
from orchestration import schedule

SHOP = metadata.enabled(metadata.load(settings.ROOT))
CHILDREN = {
    "shop.orders": {"shop.order_items", "shop.payments"},
    "shop.products": {"shop.order_items", "shop.inventory"},
    "shop.customers": {"shop.orders"},
}


def refer(table: Table, *models: str) -> Table:
    """The table with references to these models, and no other rules."""
    rules = tuple(
        Rule("x", References(f"{m}.x", "x", {}), "warn", "model", "") for m in models
    )
    return replace(table, rules=rules)


def run(
    tables: list[Table], jobs: int, work: Callable[[Table, Callable[[], None]], None]
) -> None:
    """`schedule.each` in a thread, so that a deadlock fails the test."""
    thread = threading.Thread(
        target=schedule.each, args=(tables, work, jobs, lambda: None), daemon=True
    )
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), "a deadlock"


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_a_parent_begins_when_all_its_children_are_read(jobs: int) -> None:
    begun: list[str] = []
    read: set[str] = set()

    def work(table: Table, is_read: Callable[[], None]) -> None:
        assert CHILDREN.get(table.id, set()) <= read
        begun.append(table.id)
        read.add(table.id)
        is_read()

    run(SHOP, jobs, work)
    assert sorted(begun) == [t.id for t in SHOP]


def test_a_parent_does_not_wait_for_what_becomes_of_a_child_it_could_read() -> None:
    parent_began = threading.Event()

    def work(table: Table, is_read: Callable[[], None]) -> None:
        if table.id == "shop.order_items":
            is_read()
            assert parent_began.wait(20)
        elif table.id == "shop.orders":
            parent_began.set()

    tables = [t for t in SHOP if t.id in ("shop.orders", "shop.order_items")]
    run(tables, 2, work)
    assert parent_began.is_set()


def test_a_child_that_breaks_does_not_stop_its_parent_and_is_raised() -> None:
    begun = []

    def work(table: Table, is_read: Callable[[], None]) -> None:
        begun.append(table.id)
        if table.id == "shop.order_items":
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        schedule.each(SHOP, work, 2, lambda: None)
    assert sorted(begun) == [t.id for t in SHOP]


def test_tables_that_refer_to_each_other_or_themselves_do_not_wait_for_ever() -> None:
    one, two, three = SHOP[:3]
    tables = [
        refer(one, two.model, one.model),
        refer(two, three.model),
        refer(three, one.model),
    ]
    begun: list[str] = []
    run(tables, 2, lambda table, is_read: begun.append(table.id))
    assert sorted(begun) == sorted(t.id for t in tables)


def test_no_more_than_jobs_run_at_once() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def work(table: Table, is_read: Callable[[], None]) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.01)
        with lock:
            running -= 1

    run([refer(t) for t in SHOP], 3, work)
    assert most == 3


def test_an_interruption_ends_what_is_under_way_and_starts_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stop, "requested", threading.Event())
    cancelled = threading.Event()
    begun: list[str] = []

    def work(table: Table, is_read: Callable[[], None]) -> None:
        begun.append(table.id)
        assert cancelled.wait(20)

    monkeypatch.setattr(schedule, "SimpleQueue", _Interrupted)
    with pytest.raises(stop.Stopped):
        schedule.each([refer(t) for t in SHOP], work, 2, cancelled.set)
    assert len(begun) <= 2
    assert stop.requested.is_set()


class _Interrupted:
    """A queue whose reader is interrupted."""

    def put(self, name: str) -> None:
        pass

    def get(self) -> str:
        threading.Event().wait(0.1)
        raise stop.Stopped
