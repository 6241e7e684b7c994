"""What a run came to, from what its tables, its build and its proof came to."""

import pytest

from ingest.control import Busy
from ingest.errors import NotDoneError, SeedbedError, ServiceError
from ingest.seed import metadata
from ingest.settings import ROOT
from orchestration.outcome import Outcome, isolate, judge

TABLES = metadata.load(ROOT)
LOST = ServiceError("the source can't be reached")
WRONG = SeedbedError("a column is gone")
HELD = Busy("another run loads it")
UNBUILT = NotDoneError("fct_orders: division by zero")


def outcomes(*ends: str | tuple[str, SeedbedError]) -> list[Outcome]:
    """A table for each end: its state, and the error that it may have."""
    found = []
    for table, end in zip(TABLES, ends, strict=False):
        state, error = (end, None) if isinstance(end, str) else end
        found.append(Outcome(table, state, error=error))
    return found


@pytest.mark.parametrize(
    ("ends", "state", "exit_code"),
    [
        ([], "done", 0),
        (["released", "extracted", "loaded"], "done", 0),
        (["released", "rejected"], "blocked", 1),
        (["released", ("failed", WRONG)], "failed", 1),
        (["rejected", ("failed", WRONG)], "failed", 1),
        # Another run has a table: nothing failed, yet not all is done.
        (["released", ("busy", HELD)], "done", 1),
        ([("busy", HELD)], "done", 1),
        # A service that is out of reach is no fault of the tables, if it took them all.
        ([("failed", LOST), ("failed", LOST)], "failed", 3),
        (["released", ("failed", LOST)], "failed", 1),
        ([("failed", LOST), ("failed", WRONG)], "failed", 1),
    ],
)
def test_the_tables_decide_where_all_else_is_well(
    ends: list[str | tuple[str, SeedbedError]], state: str, exit_code: int
) -> None:
    found = outcomes(*ends)
    verdict = judge(found, True, [])
    assert (verdict.state, verdict.exit_code) == (state, exit_code)
    assert verdict.errors == [o.error for o in found if o.error and o.error != HELD]


@pytest.mark.parametrize(
    ("ends", "is_proven", "faults", "exit_code"),
    [
        (["released"], False, [], 1),
        (["released"], True, [UNBUILT], 1),
        (["released"], False, [UNBUILT], 1),
        # All is well here, and Snowflake alone could not be reached.
        (["released"], True, [LOST], 3),
        (["released", ("failed", WRONG)], True, [LOST], 1),
        (["rejected"], True, [LOST], 1),
    ],
)
def test_a_run_without_proof_or_with_a_fault_has_failed(
    ends: list[str | tuple[str, SeedbedError]],
    is_proven: bool,
    faults: list[SeedbedError],
    exit_code: int,
) -> None:
    found = outcomes(*ends)
    verdict = judge(found, is_proven, faults)
    assert (verdict.state, verdict.exit_code) == ("failed", exit_code)
    assert verdict.errors == [*(o.error for o in found if o.error), *faults]


@pytest.mark.parametrize("state", ["waiting", "unfollowed", "failed", "rejected"])
def test_what_follows_from_a_table_that_is_not_moved_is_not_built(state: str) -> None:
    (outcome,) = outcomes(state)
    assert outcome.is_bad
    assert not outcome.is_good


def test_who_holds_a_lock_stands_before_the_hint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def work() -> None:
        raise SeedbedError("the log is locked.", "Run again.")

    monkeypatch.setattr("ingest.control.locked_by", lambda error: "ada holds it")
    (outcome,) = outcomes("waiting")
    isolate(outcome, work, lambda line: None)
    assert outcome.error
    assert str(outcome.error) == "the log is locked. ada holds it.\nhint: Run again."
