"""What the tests share: one clone with servers, played through the demo's days."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest import embedded
from ingest.pipeline import RunResult
from tests.clone import Clone, copy_project, link_mariadb, quiet, seed

pytest_plugins = ["tests.faults.reliability"]

ORDER = ("unit", "integration", "snowflake", "airflow", "faults")
DAYS = (1, 2, 3, 4)


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first, whatever the order of the arguments; files as groups.

    A file whose tests share something that is dear stays on one core.
    """
    here = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        part = item.path.relative_to(here).parts[0]
        return ORDER.index(part) if part in ORDER else len(ORDER)

    items.sort(key=rank)
    for item in items:
        if not _stands_alone(item):
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(here))))


def _stands_alone(item: pytest.Item) -> bool:
    """Whether any worker may run it: it shares no more than the clone with others."""
    assert isinstance(item, pytest.Function)
    fixtures = item._fixtureinfo.name2fixturedefs
    shared = {
        name
        for name, (*_, last) in fixtures.items()
        if last.scope != "function" and not last.baseid == "tests"
    }
    return "stack" in fixtures and not shared


@pytest.fixture(scope="session")
def stack() -> Iterator[Clone]:
    """The clone that all tests share, whatever state it is in."""
    with tempfile.TemporaryDirectory(prefix="seedbed-tests-") as folder:
        Path(folder).chmod(0o755)
        root = Path(folder) / "clone"
        root.mkdir()
        copy_project(root)
        link_mariadb(root)
        clone = Clone(root)
        try:
            clone.up()
            clone.save("empty")
            yield clone
        finally:
            clone.down()


@dataclass
class Played:
    """What was there after each day: the sources' rows and the warehouse's."""

    results: dict[int, RunResult] = field(default_factory=dict)
    source: dict[int, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    silver: dict[int, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    contents: dict[int, dict[str, list[str]]] = field(default_factory=dict)
    clock: dict[int, tuple[datetime, datetime]] = field(default_factory=dict)


@pytest.fixture(scope="session")
def played(stack: Clone) -> Played:
    """The demo's four days, each with a run; checkpoints `day_1` to `day_4`."""
    stack.restore("empty")
    names = [f"{t['source']}.{t['table']}" for t in seed("tables")]
    played = Played()
    for day in DAYS:
        stack.day(day)
        began = datetime.now(UTC).replace(tzinfo=None)
        played.results[day] = stack.run()
        played.clock[day] = (began, datetime.now(UTC).replace(tzinfo=None))
        played.source[day] = {name: stack.source_rows(name) for name in names}
        played.silver[day] = {
            name: stack.relation("silver", name)
            for (name,) in stack.query(
                "select table_name from information_schema.tables "
                "where table_schema = 'silver'"
            )
        }
        played.contents[day] = stack.contents(
            without=("_batch_seq",), any_observation=True
        )
        stack.save(f"day_{day}")
    return played


@pytest.fixture(autouse=True)
def _layers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Runs of a test that is marked `up_to_silver` build no gold."""
    is_marked = request.node.get_closest_marker("up_to_silver")
    if not is_marked or "stack" not in request.fixturenames:
        yield
        return
    stack: Clone = request.getfixturevalue("stack")
    stack.gold = False
    yield
    stack.gold = True


@pytest.fixture
def nightly(request: pytest.FixtureRequest) -> bool:
    """Whether there is time for all of it."""
    return bool(request.config.getoption("nightly"))


@pytest.fixture
def fresh(stack: Clone) -> Clone:
    """The clone with empty servers."""
    stack.restore("empty")
    return stack


@pytest.fixture
def day_1(stack: Clone, played: Played) -> Clone:
    """The clone after the first day's run."""
    stack.restore("day_1")
    return stack


@pytest.fixture
def day_2_due(stack: Clone, played: Played) -> Clone:
    """The clone after the first day's run, the second day's changes waiting."""
    stack.restore("day_1", source="day_2")
    return stack


@pytest.fixture
def day_4(stack: Clone, played: Played) -> Clone:
    """The clone after the last day's run."""
    stack.restore("day_4")
    return stack


@pytest.fixture(scope="session")
def warehouse(stack: Clone) -> dict[str, str]:
    """PG* variables of a running Postgres, in a database of its own."""
    with stack.connect("postgres") as connection:
        connection.execute("create database scratch")
    names = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD")
    return {name: stack.env[name] for name in names} | {"PGDATABASE": "scratch"}


@pytest.fixture(scope="session")
def mariadb_admin_url() -> Iterator[str]:
    """A MariaDB of its own, for a user who may do anything in shop and crm."""
    with tempfile.TemporaryDirectory(prefix="seedbed-tests-") as folder:
        Path(folder).chmod(0o755)
        root = Path(folder) / "clone"
        root.mkdir()
        link_mariadb(root)
        try:
            embedded.up(root, quiet, ["mariadb"])
            yield embedded.admin_url(root)
        finally:
            embedded.down(root, quiet)
