"""Keys that go, come back, or become others: the history tells it right."""

import time
from itertools import pairwise
from typing import Any

import pytest

from tests.clone import Clone
from tests.faults.oracle import assert_source

pytestmark = pytest.mark.lean


def versions(clone: Clone, key: str) -> list[dict[str, Any]]:
    """A contact's versions, in their order."""
    rows = clone.relation("silver", "crm_contacts_history")
    return sorted(
        (r for r in rows if r["contact_id"] == key), key=lambda r: r["version"]
    )


def assert_intervals(found: list[dict[str, Any]]) -> None:
    """One ends where the next begins, none is empty, the last is open."""
    assert [v["version"] for v in found] == list(range(1, len(found) + 1))
    for one, following in pairwise(found):
        assert one["valid_from"] < one["valid_to"] == following["valid_from"]
    assert [v["is_current"] for v in found] == [False] * (len(found) - 1) + [True]
    assert found[-1]["valid_to"] is None


@pytest.mark.fault(21)
def test_a_key_that_is_used_again_and_one_that_is_updated(day_4: Clone) -> None:
    rows = sorted(day_4.source_rows("crm.contacts"), key=lambda r: r["contact_id"])
    reused, updated, new = rows[0], rows[1], "ffffffff-0000-4000-8000-000000000001"
    before = {r["contact_id"]: versions(day_4, r["contact_id"]) for r in rows[:2]}
    day_4.change(
        f"delete from crm.contacts where contact_id = '{reused['contact_id']}'",
        f"update crm.contacts set contact_id = '{new}', updated_at = "
        f"utc_timestamp(6) where contact_id = '{updated['contact_id']}'",
    )
    assert day_4.run("crm_contacts", with_build=False).state == "done"
    day_4.change(
        "insert into crm.contacts (contact_id, first_name, segment, opted_out, "
        f"updated_at) values ('{reused['contact_id']}', 'Somebody else', 'smb', 0, "
        "utc_timestamp(6))"
    )
    assert day_4.run("crm_contacts").state == "done"
    assert_source(day_4, "crm.contacts", "crm_contacts")

    again = versions(day_4, reused["contact_id"])
    assert_intervals(again)
    assert len(again) == len(before[reused["contact_id"]]) + 2
    was, gone, now = again[-3:]
    assert [v["is_deleted"] for v in (was, gone, now)] == [False, True, False]
    assert was["company"] == gone["company"] == reused["company"]
    assert (now["first_name"], now["company"]) == ("Somebody else", None)
    assert now["valid_from"] == now["updated_at"]

    old = versions(day_4, updated["contact_id"])
    assert_intervals(old)
    assert len(old) == len(before[updated["contact_id"]]) + 1
    assert (old[-1]["is_deleted"], old[-1]["company"]) == (True, updated["company"])
    (only,) = versions(day_4, new)
    assert_intervals([only])
    assert (only["is_deleted"], only["company"]) == (False, updated["company"])


def test_the_sums_of_a_log_s_keys_are_made_again_where_it_has_changed(
    day_4: Clone,
) -> None:
    kept = "select state, xmin::text from audit.key_sums where table_id = %s"

    def run() -> tuple[Any, int]:
        result = day_4.run("suppliers", with_build=False)
        assert result.state == "done"
        loaded = sum(b.rows_loaded or 0 for b in result.outcomes[0].batches)
        return day_4.query(kept, "shop.suppliers"), loaded

    run()  # what day 4 changed may be counted a moment later
    before, _ = run()
    assert before
    assert run() == (before, 0)
    day_4.query("delete from bronze.shop__suppliers where supplier_id = 3")
    time.sleep(1)  # as Postgres counts a session's changes
    after, loaded = run()
    assert after != before
    assert loaded == 1, "the row that the log had lost is not found"
