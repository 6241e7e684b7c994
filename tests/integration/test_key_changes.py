"""A source whose keys change: told before a row overwrites another, and a way out.

Keys that take the place of others are neither lost nor kept.
"""

from dataclasses import dataclass

import pytest

from orchestration.runner import Run
from tests.foreign import Foreign

pytestmark = pytest.mark.lean

TIME = "updated_at datetime not null"
ROWS = "values (1, 'EU', 10, '2026-11-01'), (2, 'EU', 20, '2026-11-01')"
MORE = "values (1, 'US', 11, '2026-11-02')"


@dataclass(frozen=True)
class Case:
    """A table's key, what is done to it, and what is told where it is blocked."""

    key: str
    change: str
    told: str = ""
    more: str = MORE


CASES = {
    "grows": Case(
        "primary key (id)",
        "drop primary key, add primary key (id, region)",
        "its primary key (id) is now the primary key (id, region)",
    ),
    "moves": Case(
        "primary key (id)",
        "drop primary key, add column n int auto_increment primary key",
        "its primary key (id) is now the primary key (n)",
        "(id, region, price, updated_at) " + MORE,
    ),
    "goes": Case(
        "primary key (id)",
        "drop primary key",
        "its primary key (id) is gone and it has no primary key",
    ),
    "index_goes": Case(
        "unique key u (id)",
        "drop index u",
        "its unique key u (id) is gone and it has no primary key",
    ),
    "index_grows": Case(
        "unique key u (id)",
        "drop index u, add unique index u (id, region)",
        "its unique key u (id) is gone and it has no primary key",
    ),
    "new_column": Case(
        "primary key (id)",
        "add column zone int not null default 0, drop primary key, "
        "add primary key (id, zone)",
        "its primary key (id) is now the primary key (id, zone)",
        "values (1, 'US', 11, '2026-11-02', 1)",
    ),
    # What still keeps the seed's key unique changes nothing.
    "shrinks": Case(
        "primary key (id, region)",
        "drop primary key, add primary key (id)",
        more="values (3, 'US', 11, '2026-11-02')",
    ),
    "turns": Case(
        "primary key (id, region)", "drop primary key, add primary key (region, id)"
    ),
    "is_renamed": Case(
        "unique key u (id)",
        "rename index u to w",
        more="values (3, 'US', 11, '2026-11-02')",
    ),
    "becomes_unique": Case(
        "primary key (id)",
        "drop primary key, add unique index u (id)",
        more="values (3, 'US', 11, '2026-11-02')",
    ),
}


def errors(result: Run) -> dict[str, str]:
    """What each table that was not read says."""
    return {o.table.name: str(o.error) for o in result.outcomes if o.error}


def prices(foreign: Foreign, model: str) -> dict[tuple[int, str], int]:
    """What silver shows."""
    return {(r["id"], r["region"]): r["price"] for r in foreign.silver(model)}


@pytest.mark.long
def test_a_key_that_the_source_no_longer_keeps_unique(foreign: Foreign) -> None:
    foreign.create(
        "rekeyed",
        *(
            f"create table {name} (id int not null, region varchar(2) not null, "
            f"price int, {TIME}, {case.key})"
            for name, case in CASES.items()
        ),
        *(f"insert into {name} {ROWS}" for name in CASES),
    )
    foreign.discover("rekeyed")
    assert foreign.run().state == "done"
    for name, case in CASES.items():
        foreign.ask(
            "rekeyed",
            f"alter table {name} {case.change}",
            f"insert into {name} {case.more}",
        )
    before = {(1, "EU"): 10, (2, "EU"): 20}
    for _ in range(2):  # as often as it runs
        result = foreign.run()
        told = errors(result)
        assert result.exit_code == 1
        assert {*told} == {name for name, case in CASES.items() if case.told}
        for name, text in told.items():
            assert CASES[name].told in text
            assert "key_position" in text
            assert "run again" not in text
            assert prices(foreign, name) == before
    for name, case in CASES.items():
        if not case.told:
            assert len(prices(foreign, name)) == 3, name
    changes = foreign.query(
        "select table_id, action from audit.schema_change where change = 'rekeyed'"
    )
    assert len(changes) == len(told)
    assert {action for _, action in changes} == {"blocked"}

    # The other column names a row, too: as the message says.
    for name, column in (("grows", "region"), ("new_column", "zone")):
        here = {"source": "rekeyed", "table": name}
        cells = {"key_position": "2", "nullable": "false"}
        if column == "zone":
            row = here | {"column": "zone", "name": "zone", "data_type": "integer"}
            foreign.add("columns", row | cells | {"description": "The zone."})
        else:
            foreign.edit("columns", here | {"column": column}, **cells)
    url = {"REKEYED_URL": foreign.env["REKEYED_URL"]}
    both = ("rekeyed.grows", "rekeyed.new_column")
    rebuilt = foreign.cli("rebuild", *both, "--from-raw", **url)
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    words = ("reconcile", *(word for name in both for word in ("--tables", name)))
    repaired = foreign.cli(*words, "--repair", **url)
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert foreign.cli(*words, **url).returncode == 0
    # The source's key is restored.
    foreign.ask(
        "rekeyed",
        "delete from goes where region = 'US'",
        "alter table goes add primary key (id)",
    )
    # The person knows that it holds all the same.
    foreign.ask("rekeyed", "delete from index_goes where region = 'US'")
    where = {"source": "rekeyed", "table": "index_goes"}
    foreign.edit("tables", where, on_schema_change="ignore")
    names = ("grows", "new_column", "goes", "index_goes")
    result = foreign.run(*names)
    assert (errors(result), result.state) == ({}, "done")
    for name in ("grows", "new_column"):
        assert prices(foreign, name) == before | {(1, "US"): 11}
    foreign.edit("tables", where, on_schema_change="evolve")
    assert errors(foreign.run("index_goes")) == {}

    # From here on, the scan of the keys sees to it.
    foreign.ask("rekeyed", f"insert into index_goes {MORE}")
    told = errors(foreign.run("index_goes"))
    assert (
        "1 keys are in more than one row of the source, such as 1"
        in (told["index_goes"])
    )
    assert prices(foreign, "index_goes") == before


# Keys, and others as many that take their place: of the same sum, and of the same sum
# of squares, in one bucket of the key scan.
PLACES = {
    "pairs": (["8, 1", "90, 1"], ["1, 2", "83, 2"]),
    "swapped": (["7, 1", "9, 2"], ["7, 2", "9, 1"]),
    "triples": (["10, 0", "14, 0", "15, 0"], ["11, 0", "12, 0", "16, 0"]),
    "far": (["1000, 0", "2000, 0"], ["66521, 0", "657210, 0"]),
}


def test_keys_that_take_the_place_of_others(foreign: Foreign) -> None:
    ends = {name: ["0, 0", "400000, 0"] for name in PLACES}
    ends["far"][1] = "4000000000000, 0"
    foreign.create("places")
    for name, (before, _) in PLACES.items():
        keys = "), (".join([*ends[name], *before])
        create = f"create table {name} (a bigint, b int, {TIME} default '2026-11-01', "
        foreign.ask(
            "places",
            f"{create} primary key (a, b))",
            f"insert into {name} (a, b) values ({keys})",
        )
    foreign.discover("places")
    assert foreign.run(with_build=False).state == "done"
    for name, (before, after) in PLACES.items():
        foreign.ask(
            "places",
            f"delete from {name} where (a, b) in (({'), ('.join(before)}))",
            f"insert into {name} (a, b, updated_at) values "
            + ", ".join(f"({key}, '2020-01-01')" for key in after),
        )
    result = foreign.run(with_build=False)
    assert result.state == "done"
    assert {o.table.name: o.batches[-1].rows_deleted for o in result.outcomes} == {
        name: len(before) for name, (before, _) in PLACES.items()
    }
