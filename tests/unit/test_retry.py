"""Only what may pass by itself is tried again, and not for ever."""

from typing import Any

import duckdb
import psycopg
import pymysql
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from psycopg import errors

from ingest import retry, stop
from ingest.control import Busy
from ingest.errors import (
    ConfigurationError,
    NotDoneError,
    SeedbedError,
    ServiceError,
    SourceError,
)
from ingest.seed.metadata import Source
from ingest.settings import SourceUrl
from ingest.sources.mysql.server import explained

SHOP = Source("shop", "mysql", "SHOP_URL", "shop", "UTC", "", "")
URL = SourceUrl("a", 3306, "b", "", "", "", "", "", "")


def of_mysql(code: int, said: str) -> SourceError:
    """What a person is told of an error of MySQL's client."""
    return explained(pymysql.err.MySQLError(code, said), SHOP, URL)


PASSING = [
    of_mysql(2003, "Can't connect to MySQL server on 'a' ([Errno 111])"),
    of_mysql(2013, "Lost connection to MySQL server during query"),
    of_mysql(1040, "Too many connections"),
    of_mysql(1205, "Lock wait timeout exceeded"),
    of_mysql(1213, "Deadlock found when trying to get lock"),
    of_mysql(0, ""),
    errors.DeadlockDetected("deadlock detected"),
    errors.SerializationFailure("could not serialize access"),
    errors.TooManyConnections("sorry, too many clients already"),
    errors.AdminShutdown("terminating connection due to administrator command"),
    errors.LockNotAvailable("canceling statement due to lock timeout"),
    psycopg.OperationalError("consuming input failed: server closed the connection"),
    psycopg.OperationalError("connection timeout expired"),
    psycopg.OperationalError("FATAL:  the database system is starting up"),
    duckdb.IOException(
        'IO Error: Failed to run query "select 1": Lost connection to server during '
        "query"
    ),
    duckdb.Error('Failed to execute query "commit": ERROR:  deadlock detected'),
    duckdb.IOException('Failed to fetch result row for MySQL query "select 1": \n'),
]
LASTING = [
    of_mysql(1045, "Access denied for user 'a'@'b'"),
    of_mysql(1142, "SELECT command denied to user"),
    of_mysql(1146, "Table 'shop.nothing' doesn't exist"),
    of_mysql(2003, "Can't connect to MySQL server ([SSL: CERTIFICATE_VERIFY_FAILED])"),
    of_mysql(2003, "Can't connect ([Errno -2] Name or service not known)"),
    of_mysql(2026, "SSL is required but the server doesn't support it"),
    errors.InsufficientPrivilege("permission denied for schema bronze"),
    errors.UndefinedTable('relation "connection refused" does not exist'),
    errors.DiskFull("could not extend file"),
    errors.QueryCanceled("canceling statement due to user request"),
    psycopg.OperationalError('FATAL:  password authentication failed for user "a"'),
    psycopg.OperationalError('FATAL:  database "connection refused" does not exist'),
    psycopg.OperationalError("SSL error: certificate verify failed"),
    duckdb.Error(
        "Failed to execute query \"select 'lost connection'\": ERROR:  bad value\n"
        'CONTEXT: column a: "connection refused"'
    ),
    duckdb.ConversionException("Conversion Error: Could not convert string 'a' to INT"),
    SeedbedError("there is no table 'x'; lost connection"),
]


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    assert retry.is_transient(error)


@pytest.mark.parametrize("error", LASTING, ids=str)
def test_what_stays_wrong_is_not_tried_again(error: Exception) -> None:
    assert not retry.is_transient(error)


def test_an_error_counts_as_what_it_was_made_of() -> None:
    def fail() -> None:
        try:
            raise PASSING[0]
        except SourceError:
            raise ServiceError("reading it failed") from None

    with pytest.raises(ServiceError) as told:
        fail()
    assert retry.is_transient(told.value)
    assert retry.is_source_lost(told.value)


def answer(status: int) -> ClientError:
    """What the lake's store answers with that status."""
    told: Any = {"Error": {}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(told, "PutObject")


HOPELESS = [
    *(error for error in LASTING if type(error) is not SeedbedError),
    answer(403),
    ConfigurationError("the metadata seed has 1 fault"),
    NotDoneError("run 1 is blocked"),
]
HOPEFUL = [
    *PASSING,
    answer(503),
    EndpointConnectionError(endpoint_url="http://lake"),
    Busy("another run is loading this table"),
    SeedbedError("its process died"),
]


@pytest.mark.parametrize(
    ("error", "is_worth"),
    [(e, False) for e in HOPELESS] + [(e, True) for e in HOPEFUL],
    ids=str,
)
def test_an_orchestrator_tries_again_what_no_server_has_refused(
    error: Exception, is_worth: bool
) -> None:
    def fail() -> None:
        try:
            raise error
        except Exception:
            raise ServiceError("it can't be done") from None

    assert retry.may_pass(error) is is_worth
    if not isinstance(error, SeedbedError):
        with pytest.raises(ServiceError) as told:
            fail()
        assert retry.may_pass(told.value) is is_worth


def test_a_lost_warehouse_is_not_a_lost_source() -> None:
    lost = duckdb.Error('Failed to execute query "a": server closed the connection')
    assert retry.is_transient(lost)
    assert not retry.is_source_lost(lost)


class Failing:
    """Work that fails a number of times."""

    def __init__(self, times: int, error: Exception) -> None:
        self.times, self.error, self.tries = times, error, 0

    def __call__(self) -> str:
        self.tries += 1
        if self.tries <= self.times:
            raise self.error
        return "done"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses take no time; the longest that each could have been is in the list."""
    pauses: list[float] = []

    def uniform(low: float, high: float) -> float:
        assert low == 0
        pauses.append(high)
        return 0.0

    monkeypatch.setattr(retry.random, "uniform", uniform)
    monkeypatch.delenv("SEEDBED_RETRY_SECONDS", raising=False)
    return pauses


def test_work_that_fails_twice_is_done_and_both_are_reported(
    quick: list[float],
) -> None:
    told: list[str] = []
    work = Failing(2, errors.DeadlockDetected("deadlock detected"))
    assert retry.persist(work, "shop.orders", told.append) == "done"
    assert work.tries == 3
    assert [line.split(" in ")[0] for line in told] == [
        "shop.orders: try 2 of 5",
        "shop.orders: try 3 of 5",
    ]
    assert "deadlock detected" in told[0]


def test_pauses_grow_and_tries_come_to_an_end(quick: list[float]) -> None:
    work = Failing(99, errors.DeadlockDetected("deadlock detected"))
    with pytest.raises(errors.DeadlockDetected):
        retry.persist(work, "shop.orders", lambda line: None)
    assert work.tries == retry.ATTEMPTS
    assert quick[:4] == [1.0, 2.0, 4.0, 8.0]


def test_what_stays_wrong_is_raised_at_once(quick: list[float]) -> None:
    work = Failing(1, errors.InsufficientPrivilege("permission denied"))
    with pytest.raises(errors.InsufficientPrivilege):
        retry.persist(work, "shop.orders", lambda line: None)
    assert work.tries == 1


def test_no_try_is_later_than_the_budget(
    quick: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDBED_RETRY_SECONDS", "0")
    work = Failing(1, errors.DeadlockDetected("deadlock detected"))
    with pytest.raises(errors.DeadlockDetected):
        retry.persist(work, "shop.orders", lambda line: None)
    assert work.tries == 1


def test_a_stop_ends_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: 60.0)
    monkeypatch.setattr(stop, "requested", stop.threading.Event())
    stop.requested.set()
    work = Failing(1, errors.DeadlockDetected("deadlock detected"))
    with pytest.raises(errors.DeadlockDetected):
        retry.persist(work, "shop.orders", lambda line: None)
