"""Nobody who reads, scrapes or backs up stops the platform, nor is stopped by it."""

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from ingest import control, locks
from orchestration import preview
from orchestration.watch import metrics
from tests.clone import Clone, neutral_environment

# Every name that the platform takes in turn, and the functions that take an advisory
# lock of any form.
LOCKED_BEFORE = ("audit", "run", "table", "build", "security", "drift", "log")


@pytest.fixture(scope="module")
def built(stack: Clone, played: object) -> Clone:
    """The demo after its first day, which these tests leave as it is."""
    stack.restore("day_1")
    return stack


def test_no_lock_that_anybody_can_take_stops_anything(built: Clone) -> None:
    """A developer reads the control tables, and locks them as little as an analyst."""
    tables = [t.id for t in built.tables()]
    with (
        built.connected_as("seedbed_transformer") as developer,
        built.connected_as("seedbed_analyst") as person,
    ):
        for name in LOCKED_BEFORE:
            person.execute(f"select pg_advisory_lock(hashtext('seedbed.{name}'))")
            for other in ("", *tables):
                person.execute(
                    "select pg_advisory_lock(hashtext(%s), hashtext(%s))",
                    (f"seedbed.{name}", other),
                )
        for lock in (
            "lock table audit.lock in share mode",
            "select from audit.lock for update",
            "delete from audit.lock",
            "lock table audit.schema_version in share mode",
        ):
            with (
                pytest.raises(psycopg.errors.InsufficientPrivilege),
                developer.transaction(),
            ):
                developer.execute(lock)
        result = built.run("suppliers")
        assert (result.state, result.exit_code) == ("done", 0)
        assert not any(locked(built, name) for name in ("build", "security"))


def locked(clone: Clone, name: str) -> str:
    """Who holds a lock of the platform."""
    with clone.inside(), control.connect() as connection:
        return locks.holder(connection, name)


def test_a_lock_is_held_by_one_session_for_as_long_as_it_lives(built: Clone) -> None:
    with built.inside(), control.connect() as mine:
        with control.connect() as theirs:
            assert locks.take(theirs, "a")
            assert locks.take(theirs, "a"), "its own"
            assert not locks.take(mine, "a")
            assert f"pid {theirs.info.backend_pid} since" in locks.holder(mine, "a")
            built.query(
                "select pg_terminate_backend(%s, 5000)", theirs.info.backend_pid
            )
        assert locks.take(mine, "a")
        locks.give_back(mine, "a")
        assert locks.holder(mine, "a") == ""
        wins: list[bool] = []
        start = threading.Barrier(8)

        def want() -> None:
            with control.connect() as own:
                start.wait()
                wins.append(locks.take(own, "b"))
                start.wait()

        threads = [threading.Thread(target=want) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(wins) == 1


def test_before_the_first_run_there_is_a_plan_and_nothing_is_made(
    stack: Clone, built: Clone
) -> None:
    with built.connect("postgres") as server:
        server.execute("drop database if exists untouched")
        server.execute("create database untouched")
    with built.inside(PGDATABASE="untouched"), control.connect() as connection:
        (found,) = preview.preview(connection, built.tables("suppliers"))
        assert (found.what, found.error) == ("first load", None)
        assert found.rows > 0
        assert "seedbed_up 1.0" in metrics.text()
        with pytest.raises(control.Unready, match="no run yet"):
            control.look(connection)
        assert not connection.execute("select to_regnamespace('audit')").fetchall()[0][
            0
        ]


WAITING = """
select
    max(extract(epoch from clock_timestamp() - pg_locks.waitstart)),
    string_agg(distinct left(pg_stat_activity.query, 300), '; ')
from pg_locks
inner join pg_stat_activity using (pid)
where not pg_locks.granted
"""


@contextmanager
def watched(clone: Clone) -> Iterator[list[tuple[float, str]]]:
    """The waits for locks while it lasts: seconds, and who waited."""
    waits: list[tuple[float, str]] = []
    done = threading.Event()

    def look() -> None:
        with clone.connect() as own:
            while not done.wait(0.1):
                seconds, query = own.execute(WAITING).fetchall()[0]
                if seconds is not None:
                    waits.append((float(seconds), query))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield waits
    finally:
        done.set()
        thread.join()


def test_nobody_waits_for_another_for_longer_than_two_seconds(
    day_2_due: Clone,
) -> None:
    """A scrape, `status`, a run and a backup, an analyst's transaction held open."""
    tables = day_2_due.query(
        "select format('%I.%I', schemaname, tablename) from pg_tables where "
        "schemaname in ('audit', 'bronze', 'silver', 'gold', 'quality', 'metadata')"
    )
    views = day_2_due.query(
        "select relname from pg_class where relkind = 'v' "
        "and relnamespace = 'serving'::regnamespace"
    )
    assert len(views) > 20
    made = (
        "select 'gold.dim_product'::regclass::oid::bigint, "
        "(select min(xmin::text::bigint) from gold.dim_product)"
    )
    (before,) = day_2_due.query(made)
    with (
        contextlib.ExitStack() as open_,
        watched(day_2_due) as waits,
    ):
        analyst = open_.enter_context(day_2_due.connected_as("seedbed_analyst"))
        analyst.execute("begin")
        for (name,) in views:
            analyst.execute(f"select from serving.{name} limit 1")
        # A backup that takes as long as the run: pg_dump's locks, and its snapshot.
        dump = open_.enter_context(day_2_due.connect())
        dump.execute("begin isolation level repeatable read, read only")
        for (name,) in tables:
            dump.execute(f"lock table {name} in access share mode")
        others = [
            subprocess.Popen(
                day_2_due.command(*words),
                cwd=day_2_due.root,
                env=neutral_environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for words in (("backup",), ("status",), ("metrics",))
        ]
        result = day_2_due.run()
        told = [process.communicate(timeout=120)[0] for process in others]
        assert (result.state, result.exit_code) == ("done", 0)
        assert [process.returncode for process in others] == [0, 0, 0], told
        assert "seedbed_up 1.0" in told[2]
    assert max((seconds for seconds, _ in waits), default=0) < 2, max(waits)
    (after,) = day_2_due.query(made)
    assert after[0] == before[0], "the table stayed in its place"
    assert after[1] > before[1], "and has the run's rows"
    assert not day_2_due.query(
        "select relname from pg_class where relname ~ '__dbt_(tmp|backup)$'"
    )
