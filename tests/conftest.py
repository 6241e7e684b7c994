"""What the tests share: one clone with servers, played through the demo's days."""

import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

from gx import process
from ingest.errors import ServiceError
from orchestration import build
from orchestration.runner import Run
from sandbox import servers as embedded
from sandbox.demo import leave
from sandbox.servers.snowflake import ACCOUNT
from tests import forked, mysql, service
from tests.clone import REPOSITORY, Clone, copy_project, link_mariadb, quiet, seed
from tests.foreign import NAMED, SERVERS, Foreign

C = TypeVar("C", bound=Clone)

# Where there is room, what the tests write lies in memory: nobody waits for a disk.
_MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and _MEMORY.is_dir():
    if shutil.disk_usage(_MEMORY).free > 8 << 30:
        tempfile.tempdir = os.environ["TMPDIR"] = str(_MEMORY)

pytest_plugins = ["tests.faults.reliability"]

ORDER = ("unit", "integration", "snowflake", "airflow", "faults")
DAYS = (1, 2, 3, 4)
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first, whatever the order of the arguments."""

    def rank(item: pytest.Item) -> int:
        part = item.path.relative_to(HERE).parts[0]
        return ORDER.index(part) if part in ORDER else len(ORDER)

    items.sort(key=rank)


class Spread(LoadScopeScheduling):
    """Gives each test to whichever core is free.

    Those of a file stay together where they share fixtures of a wider scope.
    """

    def _split_scope(self, nodeid: str) -> str:
        name = nodeid.partition("::")[0]
        return name if _shares(Path(self.config.rootpath, name)) else nodeid


@functools.cache
def _shares(path: Path) -> bool:
    files = (path, path.with_name("conftest.py"))
    return any('scope="' in file.read_text() for file in files if file.exists())


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread:
    """Spread the tests over the cores."""
    return Spread(config, log)


@contextmanager
def running(kind: type[C], *, without_demo: bool = False) -> Iterator[C]:
    """A clone of that kind with servers of its own, and its checkpoint `empty`."""
    with tempfile.TemporaryDirectory(prefix="seedbed-tests-") as folder:
        Path(folder).chmod(0o755)
        root = Path(folder) / "clone"
        root.mkdir()
        copy_project(root)
        link_mariadb(root)
        if without_demo:
            leave.leave(root)
        clone = kind(root)
        try:
            clone.up()
            clone.save("empty")
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(process, "PROGRAM", forked.gate())
                yield clone
        finally:
            clone.down()


@pytest.fixture(scope="session")
def stack() -> Iterator[Clone]:
    """The clone that all tests share, whatever state it is in."""
    with running(Clone) as clone:
        yield clone


@pytest.fixture(scope="session")
def abroad() -> Iterator[Foreign]:
    """The project without the demo that tests of foreign databases share."""
    with running(Foreign, without_demo=True) as clone:
        yield clone


@pytest.fixture(scope="session")
def mysql_url() -> Iterator[str]:
    """A MySQL for a user who may do anything: the one that is named, or one's own."""
    if NAMED:
        yield NAMED
        return
    with service.running(mysql.MySQL) as server:
        yield server.url()


@pytest.fixture(params=SERVERS)
def foreign(abroad: Foreign, request: pytest.FixtureRequest) -> Foreign:
    """That project with an empty seed and warehouse; on MySQL as well, at night.

    A test of what only MariaDB knows has the mark `mariadb`.
    """
    abroad.elsewhere = ""
    if request.param == "mysql":
        if told := request.node.get_closest_marker("mariadb"):
            pytest.skip(f"only MariaDB {told.args[0]}")
        abroad.elsewhere = request.getfixturevalue("mysql_url")
    abroad.restore("empty")
    abroad.empty()
    return abroad


@dataclass
class Played:
    """What was there after each day: the sources' rows and the warehouse's."""

    results: dict[int, Run] = field(default_factory=dict)
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
def _what_is_built(request: pytest.FixtureRequest) -> Iterator[None]:
    """Runs of a test that is marked `up_to_silver` or `lean` leave much out."""
    lean = request.node.get_closest_marker("lean")
    left_out = [build.GOLD, "resource_type:test"] if lean else [build.GOLD]
    names = [n for n in ("stack", "abroad") if n in request.fixturenames]
    if not names or not (lean or request.node.get_closest_marker("up_to_silver")):
        yield
        return
    clones: list[Clone] = [request.getfixturevalue(name) for name in names]
    for clone in clones:
        clone.left_out, clone.few = " ".join(left_out), lean.args if lean else ()
    yield
    for clone in clones:
        clone.left_out, clone.few = "", ()


@pytest.fixture(autouse=True)
def _knowingly_different(request: pytest.FixtureRequest) -> Iterator[None]:
    """Runs of a test that is marked `differs` may leave tables unlike their sources."""
    marks = list(request.node.iter_markers("differs"))
    clones = {"stack", "abroad", "foreign"} & {*request.fixturenames}
    with ExitStack() as excuses:
        for name in clones if marks else ():
            clone: Clone = request.getfixturevalue(name)
            for mark in marks:
                excuses.enter_context(clone.knowingly_different(*mark.args))
        yield


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


@pytest.fixture(scope="module")
def emulated(stack: Clone) -> dict[str, str]:
    """The variables that lead a run to the emulator; it starts with no database.

    Its own environment is installed when it is first needed. A test that stops the
    servers stops this one too, so each module makes sure of it.
    """
    with stack.inside():
        try:
            embedded.up(stack.root, quiet, ["snowflake"])
        except ServiceError as error:
            if (REPOSITORY / ".venv" / "emulator" / ".stamp").exists():
                raise
            pytest.skip(f"the Snowflake emulator can't be installed: {error}")
        found = embedded.environment(stack.root, ["snowflake"])
    assert found["SNOWFLAKE_ACCOUNT"] == ACCOUNT
    return found | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


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
