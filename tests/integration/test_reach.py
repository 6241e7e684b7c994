"""Rows that no window reaches because of their watermark: told, compared, repaired."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pymysql
import pytest

from ingest.window import Request
from orchestration import reconcile
from tests.clone import quiet
from tests.foreign import Foreign

PLANS = "create table plans (id int primary key, v varchar(9), updated_at {} not null)"
OFFSETS = ("-12:00", "-09:30", "-03:30", "+00:00", "+02:00", "+05:30", "+05:45")
LATER_OFFSETS = ("+06:30", "+08:45", "+10:30", "+12:00", "+13:00")
# Servers that know them: MariaDB ends at +13:00, MySQL at +14:00.
MOST = "+14:00"


def told(foreign: Foreign) -> dict[str, str]:
    """What was observed of the watermarks by the last run, by table."""
    return dict(
        foreign.query(
            "select table_id, observed from audit.dq_result "
            "where rule_id = 'watermark_in_reach' and not passed and run_id = "
            "(select max(run_id) from audit.run where command = 'run')"
        )
    )


def differing(foreign: Foreign, pattern: str) -> int:
    with foreign.inside():
        (finding,) = reconcile.run(foreign.tables(pattern), quiet)
    assert finding.error is None
    return finding.count


@pytest.mark.parametrize(
    ("load_type", "kind"),
    [
        ("scd1", "datetime(6)"),
        pytest.param("cdc", "timestamp", marks=pytest.mark.long),
        pytest.param("incremental", "datetime", marks=pytest.mark.long),
    ],
)
def test_a_row_of_the_future_is_reported_at_each_run_and_can_be_repaired(
    foreign: Foreign, load_type: str, kind: str
) -> None:
    name = f"reach_{load_type}"
    foreign.create(
        name,
        PLANS.format(kind),
        "insert into plans values (1, 'a', '2026-01-01'), (2, 'b', '2026-01-02')",
    )
    foreign.discover(name)
    foreign.edit("tables", {"table": "plans"}, load_type=load_type, delete_mode="none")
    if load_type == "incremental":
        foreign.add(
            "options",
            {
                "source": name,
                "table": "plans",
                "option": "append_only",
                "value": "true",
            },
        )
    assert foreign.run(with_build=False).state == "done"
    assert told(foreign) == {}
    foreign.ask(
        name,
        "insert into plans values (3, 'c', '2037-01-01')"
        if load_type == "incremental"
        else "update plans set v = 'later', updated_at = '2037-01-01' where id = 1",
    )
    for _ in range(2):  # the second one has nothing to read
        assert foreign.run(with_build=False).state == "done"
        assert told(foreign)[f"{name}.plans"].startswith(
            "1 row with updated_at after 20"
        )
    done = foreign.cli("status")
    assert "watermark_in_reach: 1 row with updated_at after" in done.stdout
    assert differing(foreign, "plans") == 1
    with foreign.inside():
        repaired = foreign.run("plans", request=Request("repair"), with_build=False)
    assert repaired.state == "done"
    assert differing(foreign, "plans") == 0
    # It is still beyond: a change of it would be seen by reconcile alone.
    foreign.run(with_build=False)
    assert told(foreign)


def test_what_comes_with_the_next_window_is_neither_reported_nor_compared(
    foreign: Foreign,
) -> None:
    name = "reach_next"
    foreign.create(name, PLANS.format("datetime(6)"))
    foreign.ask(name, "insert into plans values (1, 'a', utc_timestamp(6))")
    foreign.discover(name)
    foreign.add(
        "options",
        {"source": name, "table": "plans", "option": "lag_seconds", "value": "3600"},
        {"source": name, "table": "plans", "option": "null_watermark", "value": "load"},
    )
    foreign.ask(
        name, "insert into plans values (2, 'b', utc_timestamp(6) - interval 2 hour)"
    )
    assert foreign.run(with_build=False).state == "done"
    assert told(foreign) == {}
    assert foreign.value(f"select count(*) from bronze.{name}__plans") == 1
    assert differing(foreign, "plans") == 0


def test_a_table_of_the_future_alone_is_reported_and_compared(foreign: Foreign) -> None:
    name = "reach_all"
    foreign.create(name, PLANS.format("datetime"))
    foreign.discover(name)
    foreign.ask(name, "insert into plans values (1, 'a', '2090-01-01')")
    assert foreign.run(with_build=False).state == "done"
    assert told(foreign)[f"{name}.plans"].startswith("1 row")
    assert differing(foreign, "plans") == 1


@contextmanager
def server_clock(foreign: Foreign, zone: str) -> Iterator[bool]:
    """The server keeps another zone; yields whether it knows it."""
    ((before,),) = foreign.ask("", "select @@global.time_zone")
    try:
        with suppress(pymysql.err.OperationalError):
            foreign.ask("", f"set global time_zone = '{zone}'")
        ((now,),) = foreign.ask("", "select @@global.time_zone")
        yield now == zone
    finally:
        foreign.ask("", f"set global time_zone = '{before}'")


def by_now(foreign: Foreign, name: str) -> None:
    """A table whose rows are written by the server's own clock."""
    foreign.create(name, PLANS.format("datetime"))
    foreign.ask(
        name,
        "set time_zone = @@global.time_zone",
        "insert into plans values (1, 'a', now()), (2, 'b', now() - interval 1 hour), "
        "(3, 'c', now() - interval 20 hour)",
    )


def test_the_server_s_clock_becomes_the_source_s_zone_or_is_reported(
    foreign: Foreign, nightly: bool
) -> None:
    offsets: tuple[str, ...] = (*OFFSETS, *LATER_OFFSETS, MOST)
    if nightly:
        offsets = tuple(f"{h:+03d}:{m:02d}" for h in range(-12, 15) for m in (0, 30))
    sources: dict[str, Any] = {}
    for number, offset in enumerate(offsets):
        with server_clock(foreign, offset) as is_known:
            if not is_known:
                continue
            name = f"clock_{number}"
            by_now(foreign, name)
            found = foreign.discover(name)
            sources[name] = (offset, found.differences, found.source.timezone)
    assert len(sources) >= len(offsets) - 2
    for offset, lines, zone in sources.values():
        assert bool(lines) == (offset not in ("+00:00", "-00:00")), offset
        assert all(offset in line and zone in line for line in lines)
    assert sources["clock_0"][2] == "Etc/GMT+12"
    if not nightly:
        assert sources["clock_5"][2] == "Asia/Kolkata"
        assert sources["clock_6"][2] == "Asia/Kathmandu"
    assert foreign.run(with_build=False).state == "done"
    assert told(foreign) == {}
    counts = {
        name: foreign.value(f"select count(*) from bronze.{name}__plans")
        for name in sources
    }
    # The newest row of a clock that is a little ahead of its zone's may be due later.
    assert counts == dict.fromkeys(sources, 3)


def test_a_zone_that_is_behind_the_server_is_reported_with_the_one_to_write(
    foreign: Foreign,
) -> None:
    name, offset, zone = "clock_behind", "+05:45", "Asia/Kathmandu"
    foreign.create(name, PLANS.format("datetime"))
    foreign.discover(name)
    with server_clock(foreign, offset) as is_known:
        assert is_known
        foreign.ask(
            name,
            "set time_zone = @@global.time_zone",
            "insert into plans values (1, 'a', now())",
            "insert into plans values (2, 'b', now() - interval 9 hour)",
        )
        assert foreign.run().state == "done"
        line = told(foreign)[f"{name}.plans"]
        assert offset in line
        assert zone in line
        again = foreign.discover(name)
        assert any(zone in difference for difference in again.differences)
        foreign.edit("sources", {"source": name}, timezone=zone)
        done = foreign.cli("rebuild", f"{name}.plans", "--from-raw")
        assert done.returncode == 0, done.stdout + done.stderr
        assert foreign.run(with_build=False).state == "done"
        assert told(foreign) == {}
    assert foreign.value(f"select count(*) from bronze.{name}__plans") == 2
    assert foreign.value(
        "select abs(extract(epoch from max(_source_ts) - (now() at time zone 'utc'))) "
        f"< 3600 from bronze.{name}__plans"
    )
