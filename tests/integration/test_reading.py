"""What a batch reads: one moment of the source, whatever its times and its defaults."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ingest.seed import seedfile
from ingest.window import Request
from tests.foreign import Foreign

pytestmark = pytest.mark.long

LEVELS = ("READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE")

# What a server's session may begin with, that changes what is read in it.
DEFAULTS = {
    "sql_mode": "PAD_CHAR_TO_FULL_LENGTH,ANSI_QUOTES,NO_BACKSLASH_ESCAPES",
    "sql_select_limit": 2,
    "completion_type": "RELEASE",
}


@contextmanager
def defaults(foreign: Foreign) -> Iterator[None]:
    """New connections begin with DEFAULTS."""
    asked = ", ".join(f"@@global.{name}" for name in DEFAULTS)
    (before,) = foreign.ask("", f"select {asked}")
    with foreign.asking() as cursor:
        try:
            for name, value in DEFAULTS.items():
                cursor.execute(f"set global {name} = %s", (value,))
            yield
        finally:
            for name, value in zip(DEFAULTS, before, strict=True):
                cursor.execute(f"set global {name} = %s", (value,))


@contextmanager
def isolated(foreign: Foreign, level: str) -> Iterator[None]:
    """The server's default isolation is `level` for new connections."""
    words = level.replace("-", " ").lower()
    foreign.ask("", f"set global transaction isolation level {words}")
    try:
        yield
    finally:
        foreign.ask("", "set global transaction isolation level repeatable read")


@contextmanager
def writing(foreign: Foreign, schema: str) -> Iterator[None]:
    """Somebody inserts and changes rows without a pause."""
    over = threading.Event()

    def write() -> None:
        with foreign.asking(schema) as cursor:
            while not over.is_set():
                cursor.execute(
                    "insert into busy (v, updated_at) values (1, '2026-01-01')"
                )
                cursor.execute("update busy set v = v + 1 order by id desc limit 3")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.differs("it is written to all the time")
@pytest.mark.parametrize("level", LEVELS)
def test_one_moment_whatever_the_servers_default(foreign: Foreign, level: str) -> None:
    foreign.create(
        "moment",
        "create table busy (id int auto_increment primary key, v int, "
        "updated_at datetime(6) not null)",
        "insert into busy (v, updated_at) values "
        + ", ".join(["(0, '2026-01-01')"] * 5000),
    )
    foreign.discover("moment")
    where = {"source": "moment", "table": "busy"}
    foreign.add("options", where | {"option": "overlap_minutes", "value": "100000"})
    with isolated(foreign, level), writing(foreign, "moment"):
        for _ in range(6):
            result = foreign.run(with_build=False)
            batch = result.outcomes[0].batches[-1]
            assert batch.source_rows == batch.rows_read
            assert result.state == "done", result.outcomes[0].error


def test_what_sessions_begin_with_changes_no_value(foreign: Foreign) -> None:
    """Neither what is read nor, where the keys are compared, what is deleted."""
    names = "abcdefg"
    foreign.create(
        "begun",
        "create table padded (name char(9) primary key, note char(9), "
        "updated_at datetime not null default '2026-11-01')",
        "create table numbered (id int primary key, note char(9), "
        "updated_at datetime not null default '2026-11-01')",
        "create table whole (note char(9))",
        *(f"insert into padded (name, note) values ('{n}', '\\\\')" for n in names),
        *(f"insert into numbered (id, note) values ({n}, 'x')" for n in range(7)),
        *(f"insert into whole values ('{n}')" for n in names),
    )
    foreign.discover("begun")
    assert foreign.run(with_build=False).state == "done"
    foreign.ask(
        "begun",
        "delete from padded where name = 'b'",
        "delete from numbered where id = 2",
        "update padded set note = 'y', updated_at = '2026-11-02' where name = 'c'",
        "insert into padded values ('h', 'z', '2020-11-02')",
        "insert into whole values ('h')",
    )
    why = "the sessions that compare begin with that, too"
    with defaults(foreign), foreign.knowingly_different(why):
        result = foreign.run(with_build=False)
    assert result.state == "done"
    deleted = {o.table.name: o.batches[-1].rows_deleted for o in result.outcomes}
    assert deleted == {"padded": 1, "numbered": 1, "whole": 0}
    foreign.assert_as_sources(in_log=True)


@pytest.mark.parametrize("null_watermark", ["load", "reject"])
@pytest.mark.parametrize("range_rows", ["", "2"])
def test_times_that_are_none(
    foreign: Foreign, null_watermark: str, range_rows: str
) -> None:
    """A valid time before 1000 is one; a zero or incomplete date is none."""
    times = {
        1: "'0001-01-01'",
        2: "'0999-12-31 23:59:59'",
        3: "'1000-01-01'",
        4: "'0000-00-00'",
        5: "'2024-00-10'",
        6: "'2024-05-00'",
        7: "null",
        8: "'2026-01-01'",
    }
    kinds = ("int", "varchar(9)", "decimal(40,2)")
    foreign.create(
        "timeless",
        *(
            f"create table t{n} (id {kind} primary key, v varchar(9), "
            "updated_at datetime null)"
            for n, kind in enumerate(kinds)
        ),
        *(
            f"insert into t{n} values "
            + ", ".join(f"({k}, 'v', {time})" for k, time in times.items())
            for n in range(len(kinds))
        ),
    )
    foreign.discover("timeless")
    for n in range(len(kinds)):
        here = {"source": "timeless", "table": f"t{n}"}
        cells = {"load_type": "scd1", "watermark_column": "updated_at"}
        cells |= {"delete_mode": "key_scan"}
        seedfile.change(foreign.root, "tables", here, cells)
        option = {"option": "null_watermark", "value": null_watermark}
        rows = [here | option]
        if range_rows:
            rows.append(here | {"option": "range_rows", "value": range_rows})
        seedfile.append(foreign.root, "options", rows)
    foreign.generate()
    none = 4 if null_watermark == "reject" else 0
    for number in range(3):
        if number:
            row = f"({100 + number}, 'w', '2026-01-0{number}')"
            tables = range(len(kinds))
            foreign.ask("timeless", *(f"insert into t{n} values {row}" for n in tables))
        result = foreign.run(with_build=False)
        for outcome in result.outcomes:
            assert outcome.error is None
            batch = outcome.batches[-1]
            assert batch.source_rows == batch.rows_read
            counts = batch.rows_written, batch.rows_rejected, batch.rows_deleted
            assert counts == (1 if number else 8 - none, none, 0)
        assert result.state == "done"


@pytest.mark.parametrize("newest", ["0000-00-00", "2026-05-00", "0001-01-01"])
def test_the_newest_time_may_be_none(foreign: Foreign, newest: str) -> None:
    """A table's largest watermark is a date that is none, or the first there is."""
    columns = "(id int primary key, updated_at datetime not null)"
    foreign.create(
        "newest",
        f"create table alone {columns}",
        f"create table others {columns}",
        f"insert into alone values (1, '{newest}')",
        f"insert into others values (1, '{newest}'), (2, '2026-04-01')",
    )
    foreign.discover("newest")
    for table in ("alone", "others"):
        here = {"source": "newest", "table": table}
        cells = {"load_type": "scd1", "watermark_column": "updated_at"}
        seedfile.change(foreign.root, "tables", here, cells)
        option = {"option": "null_watermark", "value": "load"}
        seedfile.append(foreign.root, "options", [here | option])
    foreign.generate()
    for _ in range(2):
        result = foreign.run(with_build=False)
        assert result.state == "done", [str(o.error) for o in result.outcomes]
    counts = foreign.query("select 'alone', count(*) from bronze.newest__alone")
    counts += foreign.query("select 'others', count(*) from bronze.newest__others")
    assert dict(counts) == {"alone": 1, "others": 2}


@pytest.mark.differs("what is gone of other days than the one that is read again")
@pytest.mark.parametrize("kind", ["timestamp", "datetime"])
def test_a_day_is_replaced_whatever_the_clock_of_the_warehouse(
    foreign: Foreign, kind: str
) -> None:
    times = ("10-31 23:30", "11-01 00:00", "11-01 23:59", "11-02 00:00", "11-20")
    foreign.create(
        "days",
        f"create table facts (id int primary key, updated_at {kind} not null "
        "default '2026-01-01')",
        *(f"insert into facts values ({n}, '2026-{t}')" for n, t in enumerate(times)),
    )
    foreign.discover("days")
    foreign.edit("tables", {"table": "facts"}, delete_mode="none")
    foreign.query("alter role current_user set timezone = 'Asia/Tokyo'")
    try:
        assert foreign.run(with_build=False).state == "done"
        foreign.ask("days", "delete from facts where id < 4")
        reload = Request.read("reload", "2026-11-01")
        assert foreign.run(with_build=False, request=reload).state == "done"
    finally:
        foreign.query("alter role current_user reset timezone")
    deleted = "select id from bronze.days__facts where _op = 'D' order by id"
    assert foreign.query(deleted) == [(1,), (2,)]
