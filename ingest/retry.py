"""Retries: of which errors, how often, and for how long.

Only errors that may pass by themselves are retried: a lost or refused connection, a
deadlock, a lock that was not free, a server that is full or restarts. A wrong password,
an unknown table, a missing privilege or a bad value never is.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import duckdb
import psycopg

from ingest import limits, settings, stop
from ingest.errors import (
    ConfigurationError,
    NotDoneError,
    SeedbedError,
    SourceError,
    first_line,
)

T = TypeVar("T")

ATTEMPTS = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0  # seconds
# Connection, transaction rollback, too many connections, shutdown, lock time-out.
_POSTGRES = ("08", "40", "53300", "57P01", "57P02", "57P03", "55P03")
# Libraries that pass on only a text: DuckDB, and libpq while it connects.
_PASSING = re.compile(
    "connection (refused|reset|timed out|is lost)|timeout expired|broken pipe"
    "|no route to host|network is unreachable|temporary failure in name resolution"
    "|connection (is|was|has been|been) (closed|killed)|closed the connection"
    "|lost connection|gone away|can't connect to|could not (receive|send) data"
    "|ssl syscall error|terminating connection|system is (starting up|shutting down)"
    "|in recovery mode|conflict with recovery|not (yet )?accepting connections"
    "|too many (connections|clients)|connection slots"
    "|deadlock|could not serialize|lock (wait )?timeout",
    re.IGNORECASE,
)
LASTING = re.compile("certificate|name or service not known|not support", re.I)
_SOURCE = re.compile("lost connection|gone away|can't connect to|MySQL", re.I)


def is_transient(error: BaseException) -> bool:
    """Whether the error, or one it was raised from, may be gone at the next try."""
    return any(map(_is_transient, _causes(error)))


def may_pass(error: BaseException) -> bool:
    """Whether a retry, minutes later, may succeed.

    Not if a server has refused, the configuration or the seed is wrong, or all was done
    and a check failed. Other errors are unknown, so a retry is worth it: another run
    was in the way, or a process died.
    """
    if isinstance(error, ConfigurationError | NotDoneError):
        return False
    answers = [e for e in _causes(error) if _is_answer(e)]
    return not answers or any(map(_is_transient, answers))


def is_source_lost(error: BaseException) -> bool:
    """Whether the source could not be reached or its connection broke."""
    return is_transient(error) and any(
        error.is_lost
        if isinstance(error, SourceError)
        else isinstance(error, duckdb.Error) and _SOURCE.search(str(error))
        for error in _causes(error)
    )


def what_next(error: BaseException, kept: str) -> str:
    """What a person does after the warehouse refused; `kept` is what is not lost."""
    if out := limits.way_out(str(error)):
        return f"Another run won't help. {out}. {kept}"
    if is_transient(error):
        return f"Run again; {kept[0].lower()}{kept[1:]}"
    return f"Fix the cause, as each run is refused until then. {kept}"


def persist(work: Callable[[], T], name: str, tell: Callable[[str], None]) -> T:
    """Do `work`; after a transient failure again, after a random, growing pause.

    Full jitter: tables that failed together are not retried together. At most ATTEMPTS
    tries, none later than `SEEDBED_RETRY_SECONDS` after the first failure. `tell` gets
    a line before each pause. What is left after that, or does not pass by itself, is
    raised as it is.
    """
    attempt, deadline = 1, 0.0
    while True:
        try:
            return work()
        except (SeedbedError, psycopg.Error) as error:
            deadline = deadline or time.monotonic() + settings.retry_seconds()
            longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt)
            pause = random.uniform(0, longest)
            attempt += 1
            if (
                not is_transient(error)
                or attempt > ATTEMPTS
                or time.monotonic() + pause > deadline
            ):
                raise
            tell(
                f"{name}: try {attempt} of {ATTEMPTS} in {pause:.1f} s, after: "
                f"{first_line(error)}"
            )
            if stop.requested.wait(pause):
                raise


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those it was raised from or while handling."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _is_answer(error: BaseException) -> bool:
    """Whether it is a server's, or a library's, answer to a request."""
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):  # 5xx: a fault of the store
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status < 500
    return isinstance(error, SourceError | psycopg.Error | duckdb.Error)


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, SourceError):
        return error.may_pass
    if isinstance(error, psycopg.Error):
        return of_postgres(error)
    return isinstance(error, duckdb.Error) and _is_passing(str(error))


def of_postgres(error: psycopg.Error) -> bool:
    """Whether an error of a Postgres server, or on the way to it, may pass."""
    if error.sqlstate:
        return error.sqlstate.startswith(_POSTGRES)
    return isinstance(error, psycopg.OperationalError) and _is_passing(str(error))


def _is_passing(text: str) -> bool:
    # The statement and names, in quotes, and the rows' values, on later lines, could
    # hold any words.
    said = text.rpartition('": ')[2].strip().partition("\n")[0]
    if not said:
        return True  # no reason: the connection broke in the middle of an answer
    said = re.sub('"[^"]*"', "", said)
    return bool(_PASSING.search(said)) and not LASTING.search(said)
