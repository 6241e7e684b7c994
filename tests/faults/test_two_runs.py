"""Two runs at once share the tables, and the last one leaves nothing unbuilt."""

import contextlib
from typing import Any

import pytest

from ingest import control
from orchestration.runner import Run
from tests.clone import Clone
from tests.faults.oracle import states

ORDERS, OTHERS = "shop.orders", ("shop.payments", "shop.order_items")


def run_beside(
    clone: Clone, busy: list[str], monkeypatch: pytest.MonkeyPatch, *, ends_first: bool
) -> Run:
    """A run while another one works on `busy`, which may end before this one builds."""
    build = Run.build
    with contextlib.ExitStack() as held, monkeypatch.context() as patch:
        with clone.inside():
            for table in clone.tables(*busy):
                held.enter_context(control.table_lock(table))

        def build_then(*arguments: Any, **options: Any) -> Any:
            if ends_first:
                held.close()
            return build(*arguments, **options)

        patch.setattr(Run, "build", build_then)
        return clone.run()


@pytest.mark.parametrize(
    "orders_first", [True, pytest.param(False, marks=pytest.mark.long)]
)
def test_what_follows_from_the_tables_of_two_runs_is_built_by_the_last(
    day_2_due: Clone, orders_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_2_due, "few", (ORDERS, *OTHERS))
    others = list(OTHERS)
    halves = [others, [ORDERS]] if orders_first else [[ORDERS], others]
    for busy, ends_first in zip(halves, (False, True), strict=True):
        result = run_beside(day_2_due, busy, monkeypatch, ends_first=ends_first)
        assert {t for t, s in states(result).items() if s == "busy"} == {*busy}
        assert (result.state, result.exit_code) == ("done", 1)
        printed = day_2_due.cli("status").stdout
        assert "error" not in printed
        for table in busy:
            assert f"{table} was skipped: another run is loading it" in printed
    orders = day_2_due.value("select count(*) from silver.orders where not is_deleted")
    assert day_2_due.value("select count(*) from gold.fct_orders") == orders
    before = day_2_due.contents(["silver", "gold"], any_observation=True)
    assert day_2_due.run().state == "done"
    assert day_2_due.contents(["silver", "gold"], any_observation=True) == before
