"""dbt's connections stay open from node to node, and carry nothing over."""

from collections.abc import Iterator
from multiprocessing import get_context
from types import SimpleNamespace

import pytest
from dbt.adapters.postgres.connections import PostgresCredentials

from orchestration import build
from orchestration.dbt_connections import KeptConnections
from tests.clone import Clone


def manager(warehouse: dict[str, str], role: str | None = None) -> KeptConnections:
    credentials = PostgresCredentials(
        host=warehouse["PGHOST"],
        port=int(warehouse["PGPORT"]),
        user=warehouse["PGUSER"],
        password=warehouse["PGPASSWORD"],
        database=warehouse["PGDATABASE"],
        schema="prod",
        role=role,
        connect_timeout=10,
    )
    profile = SimpleNamespace(credentials=credentials)
    return KeptConnections(profile, get_context("spawn"))  # type: ignore[arg-type]


@pytest.fixture
def connections(warehouse: dict[str, str]) -> Iterator[KeptConnections]:
    made = manager(warehouse)
    yield made
    made.cleanup_all()


def ask(connections: KeptConnections, node: str, *statements: str) -> str:
    """What the last statement of a node answers; None where it has no rows."""
    connections.set_connection_name(node)
    for statement in statements:
        _, cursor = connections.add_query(statement)
    answer = cursor.fetchone()[0]
    connections.release()
    return str(answer)


PID = "select pg_backend_pid()"


def test_the_next_node_has_the_connection_and_nothing_of_the_one_before(
    connections: KeptConnections,
) -> None:
    before = ask(
        connections,
        "first",
        "create temporary table kept (id int) on commit preserve rows",
        "set work_mem = '7MB'",
        "select pg_advisory_lock(42)",
        "commit",
        PID,
    )
    assert ask(connections, "second", PID) == before
    assert ask(connections, "third", "select to_regclass('kept') is null") == "True"
    assert ask(connections, "fourth", "show work_mem") != "7MB"
    locks = "select count(*) from pg_locks where locktype = 'advisory'"
    assert ask(connections, "fifth", f"{locks} and pid = {before}") == "0"


def test_what_a_node_did_not_commit_is_not_the_next_ones(
    connections: KeptConnections, stack: Clone
) -> None:
    made = "create table public.half_built as select 1 as id"
    ask(connections, "first", made, PID)
    assert ask(connections, "second", "select to_regclass('half_built')") == "None"
    with stack.connect() as other:
        assert other.execute("select to_regclass('half_built')").fetchone() == (None,)


@pytest.mark.parametrize("is_begun", [True, False])
def test_a_connection_that_waits_holds_no_lock(
    connections: KeptConnections, stack: Clone, is_begun: bool
) -> None:
    connections.set_connection_name("first")
    _, cursor = connections.add_query("select count(*) from pg_class", is_begun)
    _, cursor = connections.add_query(PID, is_begun)
    (pid,) = cursor.fetchone()
    locks = "select count(*) from pg_locks where pid = %s and relation is not null"
    with stack.connect() as other:
        assert other.execute(locks, (pid,)).fetchone() != (0,)
        connections.release()
        assert other.execute(locks, (pid,)).fetchone() == (0,)


def test_a_connection_that_was_lost_between_nodes_is_opened_again(
    connections: KeptConnections, stack: Clone
) -> None:
    before = ask(connections, "first", PID)
    with stack.connect() as other:
        other.execute("select pg_terminate_backend(%s, 5000)", (int(before),))
    assert ask(connections, "second", PID) != before


def test_where_a_profile_names_a_role_each_node_opens_its_own(
    warehouse: dict[str, str],
) -> None:
    connections = manager(warehouse, role=warehouse["PGUSER"])
    assert ask(connections, "first", PID) != ask(connections, "second", PID)


def test_a_build_opens_few_connections(day_1: Clone) -> None:
    opened = "select sessions from pg_stat_database where datname = current_database()"
    words = ["build", "--target", "postgres", "--select", "path:models/silver"]
    before = day_1.value(opened)
    with day_1.inside():
        built = build.run_dbt([*words, "--exclude", build.NEVER], print)
    nodes = sum(built.counts.values())
    assert nodes > 40
    assert day_1.value(opened) - before < nodes / 4
