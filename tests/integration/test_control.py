"""The schema of the control tables: migrations, which run once, and who waits."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import control
from ingest.control import schema
from ingest.errors import ConfigurationError, ServiceError
from orchestration import summary
from orchestration.watch import metrics
from tests.clone import Clone

MADE = (
    "select oid, relname, xmin::text from pg_class "
    "where relnamespace = 'audit'::regnamespace order by 1"
)
# The number of migrations, which is the version of the control tables.
LAST = len([*(schema.FOLDER / "migrations").glob("*.sql")])
APPLIED = "select script, version from audit.schema_version order by 2, 1"


@pytest.fixture(scope="module")
def database(stack: Clone) -> Clone:
    """A clone with a database for these tests."""
    with stack.connect("postgres") as server:
        server.execute("drop database if exists untouched with (force)")
        server.execute("create database untouched")
    return stack


@pytest.fixture
def empty(database: Clone) -> Iterator[Clone]:
    """A clone whose warehouse has no schema."""
    with database.connect("untouched") as connection:
        connection.execute("drop schema if exists audit, bronze cascade")
    with database.inside(PGDATABASE="untouched"):
        yield database


@pytest.fixture
def made(empty: Clone) -> Iterator[control.Connection]:
    """A connection to control tables that are as they should be."""
    with control.connect() as connection:
        control.prepare(connection)
        yield connection


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations, which this Seedbed takes for its own."""
    for kind in ("migrations", "derived"):
        shutil.copytree(schema.FOLDER / kind, tmp_path / kind)
    monkeypatch.setattr(schema, "FOLDER", tmp_path)
    return tmp_path


def migration(scripts: Path, ahead: int, name: str) -> Path:
    """A file for the migration that is so many ahead of the last one."""
    return scripts / "migrations" / f"{LAST + ahead:04}_{name}.sql"


def refused(
    kind: type[Exception], connection: control.Connection, *, look: bool = False
) -> str:
    """Why the control tables are not brought up to date, or not looked at."""
    with pytest.raises(kind) as told:
        (control.look if look else control.prepare)(connection)
    return " ".join(str(told.value).split())


def test_two_first_runs_at_once_make_the_control_tables_once(empty: Clone) -> None:
    faults: list[BaseException] = []
    start = threading.Barrier(4)

    def first() -> None:
        try:
            with control.connect() as connection:
                start.wait()
                control.prepare(connection)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=first) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with control.connect() as connection:
        found = connection.execute(APPLIED).fetchall()
    files = [p.name for p in schema.FOLDER.glob("*/*.sql")]
    assert sorted(name for name, _ in found) == sorted(files)
    assert found[0] == ("0001_control_tables.sql", 1)


def test_no_command_and_no_scrape_waits_for_a_backup(
    empty: Clone, made: control.Connection
) -> None:
    """pg_dump locks all tables in this mode for as long as it takes."""
    before = made.execute(MADE).fetchall()
    with empty.connect("untouched") as dump:
        dump.autocommit = False
        for (name,) in made.execute(
            "select oid::regclass::text from pg_class where relkind in ('r', 'v') "
            "and relnamespace = 'audit'::regnamespace"
        ).fetchall():
            dump.execute(f"lock table {name} in access share mode")
        with control.connect() as connection:
            connection.execute("set lock_timeout = '200ms'")
            control.prepare(connection)
            control.look(connection)
            run_id = control.begin_run(connection, "run")
            control.end_run(connection, run_id, "done")
        assert "seedbed_up 1.0" in metrics.text()
        assert "seedbed_run_" in metrics.text()
        assert summary.read(made).run_id == run_id
    assert made.execute(MADE).fetchall() == before


def test_a_migration_runs_once_and_says_who_locks_what_it_alters(
    empty: Clone, made: control.Connection, scripts: Path
) -> None:
    new = migration(scripts, 1, "notes")
    new.write_text("alter table audit.batch add column note text;\n")
    made.execute("set lock_timeout = '1s'")
    with empty.connect("untouched") as other:
        other.autocommit = False
        other.execute("select from audit.batch limit 1")
        assert f"reads version {LAST + 1}" in refused(control.Unready, made, look=True)
        told = refused(ServiceError, made)
        pid = other.info.backend_pid
        assert f"have to be brought to version {LAST + 1}" in told
        assert f"audit.batch by seedbed, pid {pid} since" in told
        assert f"pg_terminate_backend({pid})" in told
        # The exporter alters nothing, and the warehouse does answer.
        assert "seedbed_up 1.0" in metrics.text()
    control.prepare(made)
    control.look(made)
    assert made.execute(APPLIED).fetchall()[LAST] == (new.name, LAST + 1)
    control.prepare(made)  # a second time, the column would be there


def test_a_migration_that_fails_leaves_all_as_it_was(
    made: control.Connection, scripts: Path
) -> None:
    before = made.execute(MADE).fetchall()
    good, bad = (migration(scripts, n, "x") for n in (1, 2))
    good.write_text("alter table audit.batch add column note text;\n")
    bad.write_text("alter table audit.batch drop column nothing;\n")
    told = refused(ServiceError, made)
    assert f"ingest/control/migrations/{bad.name} can't be applied" in told
    assert '"nothing" of relation "batch" does not exist' in told
    assert made.execute(MADE).fetchall() == before
    assert len(made.execute(APPLIED).fetchall()) == len([*scripts.glob("*/*.sql")]) - 2


def test_a_migration_that_was_applied_stays_as_it_is(
    made: control.Connection, scripts: Path
) -> None:
    first = scripts / "migrations" / "0001_control_tables.sql"
    text = first.read_text()
    first.write_text(f"{text}\ncreate table audit.more (id integer);\n")
    told = refused(ConfigurationError, made)
    assert "migration 1 of the control tables was applied to this database" in told
    assert f"migrations/{first.name} differs" in told
    assert "hint: Restore the file" in told
    assert f"with the number {LAST + 1:04}" in told
    first.write_text(text)
    migration(scripts, 2, "later").write_text("select 1;\n")
    control.prepare(made)
    between = migration(scripts, 1, "between")
    between.write_text("select 1;\n")
    told = refused(ConfigurationError, made)
    assert f"{between.name} comes before version {LAST + 2}" in told
    assert f"Give it the number {LAST + 3:04}" in told


def test_a_view_or_function_that_changes_is_made_again(
    made: control.Connection, scripts: Path
) -> None:
    before = made.execute(MADE).fetchall()
    alive = scripts / "derived" / "is_alive.sql"
    alive.write_text(alive.read_text().replace("language sql", "language sql stable"))
    control.look(made)  # who reads does not mind
    control.prepare(made)
    found = made.execute(
        "select provolatile from pg_proc where oid = 'audit.is_alive'::regproc"
    ).fetchone()
    assert found == ("s",)
    assert made.execute(MADE).fetchall() == before, "nothing else is"


def test_an_older_seedbed_refuses_newer_control_tables(
    made: control.Connection,
) -> None:
    made.execute("insert into audit.schema_version values ('0099_new.sql', 99, '')")
    for look in (True, False):
        told = refused(ConfigurationError, made, look=look)
        assert "of version 99, made by a newer Seedbed" in told
        assert "hint: Update this project" in told
    assert ConfigurationError.exit_code == 2


@pytest.mark.parametrize(
    "table", ["schema_version (version integer, checksum text)", "run (run_id text)"]
)
def test_control_tables_without_migrations_are_refused_unchanged(
    empty: Clone, table: str
) -> None:
    with control.connect() as connection:
        connection.execute("create schema audit")
        connection.execute(f"create table audit.{table}")
        before = connection.execute(MADE).fetchall()
        told = refused(ConfigurationError, connection)
        assert "schema audit of database untouched has control tables that no" in told
        assert "hint: Name another database (PGDATABASE)" in told
        assert connection.execute(MADE).fetchall() == before


def test_a_batch_in_python_has_the_columns_of_its_table(
    made: control.Connection,
) -> None:
    found = made.execute("select * from audit.batch").description or ()
    columns = [column.name for column in found]
    assert sorted(columns) == sorted(control.Batch.__dataclass_fields__)
