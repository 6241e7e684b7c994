"""What became of a table, and of a run.

`isolate` keeps a failure with its table; `judge` is the one place where it is decided
what a run's tables, its build and its proof make of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import psycopg

from ingest import control, retry, runlog
from ingest.control import Batch
from ingest.errors import SeedbedError, ServiceError, first_line
from ingest.runlog import Report
from ingest.seed.metadata import Table

# States of a table beside `failed` and those of its last batch: not moved yet; not to
# be moved, as the seed can't follow its source; skipped for another run; gone from the
# seed, or disabled there, while the run was under way.
WAITING, UNFOLLOWED, BUSY, DISABLED = "waiting", "unfollowed", "busy", "disabled"


@dataclass
class Outcome:
    """How far a table came in a run, and the batches that the run has moved of it.

    `noted` of its `retries` are in the control tables.
    """

    table: Table
    state: str = WAITING
    batches: list[Batch] = field(default_factory=list)
    error: SeedbedError | None = None
    retries: int = 0
    noted: int = 0

    @property
    def is_good(self) -> bool:
        """Whether this run has brought the table to where it should be."""
        return not self.is_bad and self.state != BUSY

    @property
    def is_bad(self) -> bool:
        """Whether what follows from the table keeps its last good state."""
        return self.state in (WAITING, UNFOLLOWED, "failed", "rejected")

    @property
    def reason(self) -> str:
        """Why its last batch is rejected, if it is."""
        is_rejected = self.state == "rejected" and self.batches
        return (self.batches[-1].reason or "") if is_rejected else ""

    def moved(self, batch: Batch) -> None:
        """Take over how far a batch has come."""
        self.batches = [b for b in self.batches if b.batch_seq != batch.batch_seq]
        self.batches.append(batch)
        self.state = batch.state

    def __str__(self) -> str:
        counts = ""
        if self.batches:
            read = sum(b.rows_read or 0 for b in self.batches)
            loaded = sum(b.rows_loaded or 0 for b in self.batches)
            counts = f": {read:,} rows read, {loaded:,} loaded"
        if self.retries:
            counts += f" ({self.retries} retries)"
        return f"{self.table.id} {self.state}{counts}"


def isolate(outcome: Outcome, work: Callable[[], None], report: Report) -> None:
    """Do `work`, again where that may help; its failure is kept in the outcome."""

    def tell(line: str) -> None:
        outcome.retries += 1
        report(line)

    try:
        retry.persist(work, outcome.table.id, tell)
    except control.Busy as error:
        outcome.state, outcome.error = BUSY, error
    except SeedbedError as error:
        outcome.state, outcome.error = "failed", error
        if who := control.locked_by(error):
            outcome.error = type(error)(f"{error.what} {who}.", error.hint)
    except psycopg.Error as error:
        outcome.state, outcome.error = "failed", _refused(outcome.table, error)
    except Exception as error:
        outcome.state = "failed"
        outcome.error = runlog.unforeseen(outcome.table.id, error)


def _refused(table: Table, error: psycopg.Error) -> SeedbedError:
    """What the warehouse refused, and what to do about it."""
    who = control.locked_by(error)
    kept = "What was under way was rolled back; nothing was lost."
    refused = SeedbedError(
        f"{table.id}: the warehouse refused: {first_line(error)}.",
        (f"{who}. " if who else "") + retry.what_next(error, kept),
    )
    refused.__cause__ = error
    return refused


class Verdict(NamedTuple):
    """What a run came to: its state, its exit code, and the errors behind them."""

    state: str
    exit_code: int
    errors: list[SeedbedError]


def judge(
    outcomes: Sequence[Outcome], is_proven: bool, faults: Sequence[SeedbedError]
) -> Verdict:
    """What a run came to: done, blocked or failed, and the exit code of it.

    `is_proven`: no role sees too much, and the ledger balances. `faults` are those of
    the build and of publishing; with one, the run has failed. A table that is skipped
    for another run fails nothing, and yet is not done: the exit code says so.
    """
    states = {o.state for o in outcomes}
    errors = [*(o.error for o in outcomes if o.is_bad and o.error), *faults]
    if not is_proven or faults or "failed" in states:
        state = "failed"
    else:
        state = "blocked" if "rejected" in states else "done"
    exit_code = 0 if state == "done" and BUSY not in states else 1
    own = [o.error for o in outcomes if o.error]
    if own and not any(o.is_good for o in outcomes):
        if all(isinstance(error, ServiceError) for error in own):
            exit_code = ServiceError.exit_code
    elif faults and is_proven and states <= {"released"}:
        exit_code = faults[0].exit_code
    return Verdict(state, exit_code, errors)
