"""Reconcile: what differs, what does not, and what could not be compared."""

from typing import Any

import pytest

from ingest.seed import seedfile
from ingest.sources import mysql
from ingest.window import Request
from orchestration import reconcile
from orchestration.reconcile import Finding
from tests.clone import quiet
from tests.foreign import Foreign

pytestmark = pytest.mark.lean

COLUMNS = "id int primary key, v varchar(9), d date null"


def findings(foreign: Foreign, *patterns: str) -> dict[str, Finding]:
    """What each table came to."""
    with foreign.inside():
        found = reconcile.run(foreign.tables(*patterns), quiet)
    return {f.table.name: f for f in found}


def test_one_tables_fault_is_its_own(
    foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a_dropped", "b_gone", "c_unforeseen", "d_twice", "e_equal")
    foreign.create(
        "compared",
        *(
            f"create table {name} ({COLUMNS}, updated_at datetime not null)"
            for name in names
        ),
        *(f"insert into {name} values (1, 'a', null, '2026-11-01')" for name in names),
    )
    foreign.discover("compared")
    assert foreign.run(with_build=False).state == "done"
    foreign.ask(
        "compared",
        "alter table a_dropped drop column updated_at",
        "drop table b_gone",
        "alter table d_twice drop primary key",
        "insert into d_twice values (1, 'b', null, '2026-11-01')",
    )
    extent = mysql.KIND.key_extent

    def fail(table: Any) -> Any:
        if table.name == "c_unforeseen":
            raise KeyError("nobody")
        return extent(table)

    monkeypatch.setattr(mysql.KIND, "key_extent", fail)
    found = findings(foreign)
    told = {name: str(f.error) for name, f in found.items() if f.error}
    assert {*told} == {*names} - {"e_equal"}
    assert found["e_equal"].is_equal
    assert "the source has no column updated_at" in told["a_dropped"]
    assert "there is no table 'b_gone'" in told["b_gone"]
    assert "KeyError: 'nobody'" in told["c_unforeseen"]
    assert "such as 1" in told["d_twice"]
    for name in names[:2]:
        assert "again" not in told[name]


def test_rows_that_are_rejected_are_no_difference(foreign: Foreign) -> None:
    reasons = {
        "zero": "(2, 'a', '0000-00-00', '2026-11-01')",
        "incomplete": "(2, 'a', '2026-00-10', '2026-11-01')",
        "untimed": "(2, 'a', null, null)",
        "no_time": "(2, 'a', null, '0000-00-00')",
        "too_long": "(2, 'abcdefg', null, '2026-11-01')",
        "aside": "(2, 'bad', null, '2026-11-01')",
    }
    foreign.create(
        "refused",
        *(
            f"create table {name} ({COLUMNS}, updated_at datetime null)"
            for name in reasons
        ),
        *(
            f"insert into {name} values (1, 'a', null, '2026-11-01'), {row}, "
            "(3, 'c', '2026-01-01', '2026-11-01')"
            for name, row in reasons.items()
        ),
    )
    foreign.discover("refused")
    for name in reasons:
        here = {"source": "refused", "table": name}
        foreign.edit(
            "tables",
            here,
            load_type="scd1",
            watermark_column="updated_at",
            delete_mode="key_scan",
        )
        options = {"zero_date": "reject", "null_watermark": "reject"}
        foreign.add(
            "options", *(here | {"option": o, "value": v} for o, v in options.items())
        )
    where = {"source": "refused", "table": "too_long", "column": "v"}
    foreign.edit("columns", where, data_type="varchar(5)")
    foreign.add(
        "rules",
        {"source": "refused", "table": "aside", "column": "v"}
        | {"check": "one_of", "argument": "a|c", "severity": "block", "layer": "gate"}
        | {"description": "Good ones."},
    )
    result = foreign.run(with_build=False)
    states = {o.table.name: o.state for o in result.outcomes}
    assert states.pop("aside") == "rejected"
    assert {*states.values()} == {"released"}
    url = {"REFUSED_URL": foreign.env["REFUSED_URL"]}
    words = ("release", "refused.aside", "--quarantine", "--reason", "known")
    released = foreign.cli(*words, **url)
    assert released.returncode == 0, released.stdout + released.stderr

    for _ in range(2):
        found = findings(foreign)
        assert {name: str(f.error) for name, f in found.items() if f.error} == {}
        assert {name: f.count for name, f in found.items()} == dict.fromkeys(reasons, 0)
        for name in reasons:
            foreign.query(f"delete from bronze.refused__{name} where id = 3")
        found = findings(foreign)
        assert {name: f.count for name, f in found.items()} == dict.fromkeys(reasons, 1)
        repaired = foreign.run(request=Request("repair"), with_build=False)
        assert {str(o.error) for o in repaired.outcomes if o.error} == set()
    assert {f.count for f in findings(foreign).values()} == {0}


def test_each_row_is_followed_to_silver_whatever_its_table(foreign: Foreign) -> None:
    """A cell of silver that says something else, of each load type, with key or not."""
    timed = ("scd1", "scd2", "cdc", "incremental", "snapshot")
    foreign.create(
        "followed",
        "create table whole (id int primary key, v varchar(9), f float, j json, "
        "b blob)",
        "insert into whole values (1, 'a', 0.1, '{\"k\": [1]}', x'00ff'), "
        "(2, null, null, null, null), (3, 'c', 3, 'null', '')",
        "create table heap (v varchar(9), n int)",
        "insert into heap values ('a', 1), ('a', 1), ('b', null), (null, null)",
        *(
            f"create table {name} ({COLUMNS}, updated_at datetime not null)"
            for name in timed
        ),
        *(
            f"insert into {name} values (1, 'a', null, '2026-11-01'), "
            "(2, null, '2026-01-01', '2026-11-02')"
            for name in timed
        ),
    )
    foreign.discover("followed")
    for name in timed:
        where = {"source": "followed", "table": name}
        cells = {"load_type": name, "watermark_column": "updated_at"}
        seedfile.change(foreign.root, "tables", where, cells)
        if name in ("scd2", "snapshot"):
            cells = {"tracked": "true"}
            seedfile.change(foreign.root, "columns", where | {"column": "v"}, cells)
    foreign.generate()
    assert foreign.run().state == "done"
    # What is not tracked makes no version, and is what the source has all the same.
    foreign.ask(
        "followed",
        *(
            f"update {name} set d = '2026-05-05', updated_at = '2026-11-03' "
            "where id = 2"
            for name in timed
        ),
    )
    assert foreign.run().state == "done"
    assert {n for n, f in findings(foreign).items() if not f.is_equal} == set()

    # A model of a history is a view of it.
    relations = [
        name
        for (name,) in foreign.query(
            "select relname from pg_class where relkind = 'r' "
            "and relnamespace = 'silver'::regnamespace"
        )
    ]
    assert len(relations) == 7
    for relation in relations:
        foreign.query(
            f"update silver.{relation} set v = 'other' where ctid = "
            f"(select ctid from silver.{relation} where v = 'a' limit 1)"
        )
    found = findings(foreign)
    assert {n for n, f in found.items() if f.is_equal or not f.unbuilt} == set()
    assert {n for n, f in found.items() if f.count or f.error} == set(), (
        "logs are right"
    )
    for relation in relations:
        foreign.query(f"update silver.{relation} set v = 'a' where v = 'other'")
    assert {n for n, f in findings(foreign).items() if not f.is_equal} == set()

    foreign.ask(
        "followed",
        "update whole set f = 0.2 where id = 1",
        "delete from whole where id = 2",
        "insert into whole values (4, 'd', 4, null, null)",
        "delete from heap where v = 'a' limit 1",
        "insert into heap values ('b', null), ('c', 3)",
    )
    found = findings(foreign, "followed.whole", "followed.heap")
    told = {
        name: (f.differences.missing, f.differences.stale, f.differences.extra)
        for name, f in found.items()
        if f.differences
    }
    assert told == {"whole": (1, 1, 1), "heap": (2, 0, 1)}
    assert {*found["whole"].samples} == {"extra 2", "missing 4", "stale 1"}
    assert foreign.run("followed.whole", "followed.heap").state == "done"
    assert {n for n, f in findings(foreign).items() if not f.is_equal} == set()
