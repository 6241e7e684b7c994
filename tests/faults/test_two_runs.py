"""Two runs at once share the tables, and the last one leaves nothing unbuilt."""

import contextlib

import pytest

from ingest import ledger
from ingest.pipeline import RunResult
from tests.clone import Clone
from tests.faults.oracle import states

ORDERS = "shop.orders"


def run_without(clone: Clone, *busy: str) -> RunResult:
    """A run to which another one leaves all but these tables."""
    with contextlib.ExitStack() as held:
        with clone.inside():
            for table in clone.tables(*busy):
                held.enter_context(ledger.table_lock(table))
        return clone.run()


@pytest.mark.parametrize("orders_first", [True, False])
def test_what_follows_from_the_tables_of_two_runs_is_built_by_the_last(
    day_2_due: Clone, orders_first: bool
) -> None:
    others = [t.id for t in day_2_due.tables() if t.id != ORDERS]
    halves = [others, [ORDERS]] if orders_first else [[ORDERS], others]
    for busy in halves:
        result = run_without(day_2_due, *busy)
        assert {t for t, s in states(result).items() if s == "busy"} == {*busy}
        assert (result.state, result.exit_code) == ("done", 0)
        printed = day_2_due.cli("status").stdout
        assert "error" not in printed
        for table in busy:
            assert f"{table} was skipped: another run is loading it" in printed
    orders = day_2_due.value("select count(*) from silver.orders where not is_deleted")
    assert day_2_due.value("select count(*) from gold.fct_orders") == orders
    before = day_2_due.contents(["silver", "gold"], any_observation=True)
    assert day_2_due.run().state == "done"
    assert day_2_due.contents(["silver", "gold"], any_observation=True) == before
