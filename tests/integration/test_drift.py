"""The source's columns change: the seed follows, or the table waits."""

from typing import Any

import pytest

from ingest import control
from ingest.seed import seedfile
from orchestration import summary
from orchestration.outcome import Outcome
from tests.clone import Clone

TABLE = "shop,suppliers,suppliers,scd1,updated_at,key_scan,"
LATER = "updated_at = '2026-03-20 00:00:00'"


@pytest.fixture
def suppliers(day_4: Clone) -> Clone:
    """The clone, whose runs have seen the sources' columns."""
    return day_4


def move(clone: Clone) -> Outcome:
    (outcome,) = clone.run("suppliers", with_build=False).outcomes
    return outcome


def changes(clone: Clone) -> list[tuple[Any, ...]]:
    return clone.query(
        "select column_name, change, action from audit.schema_change "
        "order by changed_at, column_name"
    )


def column(clone: Clone, name: str) -> str:
    """The row of columns.csv, after its names."""
    start = f"shop,suppliers,{name},{name},"
    text = (clone.root / "seeds/metadata/columns.csv").read_text()
    lines = [n for n in text.splitlines() if n.startswith(start)]
    return lines[0].removeprefix(start) if lines else ""


def test_a_new_column_and_a_wider_type_come_through_to_silver(suppliers: Clone) -> None:
    suppliers.change(
        "alter table shop.suppliers add `Web Site` varchar(90) comment 'Where it is', "
        "add website text not null, modify name varchar(300) not null",
        f"update shop.suppliers set `Web Site` = 'a.example', {LATER} "
        "where supplier_id = 3",
    )
    why = "a new column is NULL in rows read before, and that is told"
    with suppliers.knowingly_different(why):
        result = suppliers.run("suppliers")
    assert result.state == "done", result.built and result.built.failures
    assert column(suppliers, "name").startswith("varchar(300),false,")
    assert column(suppliers, "website").startswith("text,true,")
    assert suppliers.query(
        "select web_site from silver.suppliers where supplier_id in (3, 4) order by 1"
    ) == [("a.example",), (None,)]
    assert changes(suppliers) == [
        ("name", "retyped", "followed"),
        ("Web Site", "added", "followed"),
        ("website", "added", "followed"),
    ]
    with suppliers.inside(), control.connect() as connection:
        told = summary.read(connection, result.run_id).schema_changes
    assert [c["column_name"] for c in told] == ["name", "Web Site", "website"]
    assert all("NULL in rows read before" in c["message"] for c in told[1:])
    with suppliers.knowingly_different(why):
        assert suppliers.run("suppliers").state == "done"
    assert len(changes(suppliers)) == 3, "each change is told once"


def test_a_column_that_was_left_out_stays_out(suppliers: Clone) -> None:
    created = "shop,suppliers,created_at,created_at,"
    path = suppliers.root / "seeds/metadata/columns.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(n for n in lines if not n.startswith(created)))
    suppliers.generate()
    suppliers.change("alter table shop.suppliers add colour varchar(9)")
    assert move(suppliers).state == "released"
    assert column(suppliers, "created_at") == ""
    assert column(suppliers, "colour")


@pytest.mark.parametrize(
    ("alter", "told"),
    [
        ("drop column rating", "column rating is no longer in the source"),
        (
            "rename column rating to stars",
            "write stars as the column (not the name)",
        ),
        ("modify name int", "name was varchar(120) not null and is int(11)"),
        ("modify rating decimal(9,4)", "which decimal(3,2) does not hold"),
        ("add colour int, drop column rating", "column rating is no longer"),
    ],
)
def test_a_change_that_loses_values_keeps_the_table_from_being_read(
    suppliers: Clone, alter: str, told: str
) -> None:
    before = suppliers.contents(["bronze", "silver", "gold"])
    seed = (suppliers.root / "seeds/metadata/columns.csv").read_text()
    suppliers.change("set sql_mode = ''", f"alter table shop.suppliers {alter}")
    for _ in range(2):
        outcome = move(suppliers)
        assert outcome.state == "failed"
        assert told in str(outcome.error)
        assert not outcome.batches, "nothing was read"
    assert suppliers.contents(["bronze", "silver", "gold"]) == before
    assert (suppliers.root / "seeds/metadata/columns.csv").read_text() == seed
    assert {action for _, _, action in changes(suppliers)} == {"blocked"}
    assert len(changes(suppliers)) == len({c[0] for c in changes(suppliers)})


def test_a_column_that_comes_back_unblocks_the_table_and_is_reported(
    suppliers: Clone,
) -> None:
    for _ in range(2):
        suppliers.change("alter table shop.suppliers rename column rating to stars")
        assert move(suppliers).state == "failed"
        suppliers.change("alter table shop.suppliers rename column stars to rating")
        assert move(suppliers).state == "released"
    assert changes(suppliers) == 2 * [
        ("rating", "dropped", "blocked"),
        ("stars", "added", "blocked"),
        ("rating", "settled", "reported"),
        ("stars", "settled", "reported"),
    ]


def test_a_narrower_type_whose_values_fit_changes_nothing(suppliers: Clone) -> None:
    suppliers.change("alter table shop.suppliers modify name varchar(90) not null")
    assert move(suppliers).state == "released"
    assert column(suppliers, "name").startswith("varchar(120),")
    assert changes(suppliers) == [("name", "retyped", "reported")]


@pytest.mark.parametrize(
    "alter", ["add colour int", "modify name varchar(90)", "drop column rating"]
)
def test_a_frozen_table_waits_at_any_change(suppliers: Clone, alter: str) -> None:
    with suppliers.under("freeze", TABLE):
        suppliers.change(f"alter table shop.suppliers {alter}")
        outcome = move(suppliers)
        assert outcome.state == "failed"
        assert "write evolve" in str(outcome.error)
        assert not outcome.batches


def test_a_frozen_table_goes_on_once_the_change_is_meant(suppliers: Clone) -> None:
    with suppliers.under("freeze", TABLE):
        suppliers.change("alter table shop.suppliers add colour int")
        assert move(suppliers).state == "failed"
    assert move(suppliers).state == "released"
    assert column(suppliers, "colour").startswith("integer,true,")
    with suppliers.under("freeze", TABLE):
        assert move(suppliers).state == "released"


def test_ignore_goes_on_with_the_columns_it_knows(suppliers: Clone) -> None:
    with suppliers.under("ignore", TABLE):
        suppliers.change(
            "alter table shop.suppliers add colour int, modify name varchar(300)",
            f"update shop.suppliers set name = repeat('x', 200), {LATER} "
            "where supplier_id = 3",
        )
        outcome = move(suppliers)
        assert outcome.state == "released", outcome.error
        assert outcome.batches[0].rows_rejected == 1
        assert column(suppliers, "colour") == ""
        assert changes(suppliers) == [
            ("name", "retyped", "reported"),
            ("colour", "added", "reported"),
        ]
        suppliers.change("alter table shop.suppliers drop column rating")
        assert move(suppliers).state == "failed"


def test_a_project_that_cannot_be_written_goes_on_without_and_says_so(
    suppliers: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    suppliers.change("alter table shop.suppliers add colour int")
    with monkeypatch.context() as patch:
        patch.setattr(seedfile, "put", refuse)
        assert move(suppliers).state == "released"
    assert changes(suppliers) == [("colour", "added", "reported")]
    assert column(suppliers, "colour") == ""
    assert move(suppliers).state == "released"
    assert column(suppliers, "colour"), "the next run that can write follows"


def test_new_values_of_an_enum_join_the_rule_that_names_them(day_4: Clone) -> None:
    rules = day_4.root / "seeds/metadata/rules.csv"
    (line,) = [
        n
        for n in rules.read_text().splitlines()
        if "one_of" in n and n.startswith("shop,orders,status")
    ]
    old = line.split(",")[4]
    values = ", ".join(f"'{v}'" for v in [*old.split("|"), "lost"])
    day_4.change(f"alter table shop.orders modify status enum({values}) not null")
    assert day_4.run("orders", with_build=False).state == "done"
    assert f",one_of,{old}|lost," in rules.read_text()
