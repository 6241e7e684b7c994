"""A log made anew from raw files that were read with other columns than today's."""

import csv
from typing import Any

import pytest

from ingest import control
from ingest.errors import SeedbedError
from ingest.seed.metadata import HEADERS
from orchestration import replay
from tests.clone import quiet
from tests.foreign import Foreign

pytestmark = pytest.mark.long

NAMES = "id, name, old, tier, old_2, _op, _source_ts"


def forget_column(foreign: Foreign, column: str) -> None:
    """Take a column's row out of the seed."""
    rows = [r for r in foreign.rows("columns") if r["column"] != column]
    path = foreign.root / "seeds" / "metadata" / "columns.csv"
    with path.open("w", newline="", encoding="utf-8") as text:
        writer = csv.DictWriter(text, HEADERS["columns"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    foreign.generate()


def log(foreign: Foreign) -> set[Any]:
    """The log's rows; that one is there twice, since a column went, says nothing."""
    return {*foreign.query(f"select {NAMES} from bronze.evolving__members")}


def again(foreign: Foreign) -> None:
    """`rebuild --from-raw`, without the models."""
    with foreign.inside(), control.connect() as connection:
        replay.replay(connection, foreign.tables()[0], quiet)


@pytest.mark.differs("a new column is NULL in rows read before, and that is told")
def test_a_replay_across_changes_of_columns(
    foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = (
        ("insert into members values (5, 'e', 'v', 'w', '2026-11-02')",),
        (
            "alter table members add column tier varchar(9) not null default 'basic'",
            "update members set name = 'B', updated_at = '2026-11-03' where id = 2",
            "delete from members where id = 3",
        ),
        (
            "alter table members rename column old to fresh",
            "update members set fresh = 'V', updated_at = '2026-11-04' where id = 1",
        ),
        (
            # Another column of the name that the renamed one had.
            "alter table members add column old varchar(9) null, drop column extra",
            "update members set old = 'x', updated_at = '2026-11-05' where id = 4",
            "insert into members (id, name, fresh, tier, updated_at) "
            "values (3, 'c', 'again', 'gold', '2026-11-05')",
        ),
    )
    foreign.create(
        "evolving",
        "create table members (id int primary key, name varchar(9), old varchar(9), "
        "extra varchar(9), updated_at datetime not null)",
        "insert into members values (1, 'a', 'v', 'w', '2026-11-01'), "
        "(2, 'b', 'v', 'w', '2026-11-01'), (3, 'c', 'v', 'w', '2026-11-01'), "
        "(4, 'd', null, 'w', '2026-11-01')",
    )
    foreign.discover("evolving")
    assert foreign.run(with_build=False).state == "done"
    for number, statements in enumerate(steps):
        foreign.ask("evolving", *statements)
        if number == 2:
            foreign.edit("columns", {"column": "old"}, column="fresh")
        if number == 3:
            forget_column(foreign, "extra")
        result = foreign.run(with_build=False)
        assert result.state == "done", result.outcomes[0].error
    before = log(foreign)
    assert {row[2] for row in before} == {"v", "V", "again", None}
    assert {row[4] for row in before} == {None, "x"}
    again(foreign)
    assert log(foreign) == before

    # One that was cut off is told, and repeated.
    done = control.replayed
    seen = []

    def die(*args: Any) -> None:
        seen.append(args)
        if len(seen) == 3:
            raise KeyboardInterrupt
        done(*args)

    monkeypatch.setattr(control, "replayed", die)
    with pytest.raises(KeyboardInterrupt):
        again(foreign)
    monkeypatch.undo()
    foreign.ask(
        "evolving", "insert into members (id, updated_at) values (9, '2026-11-06')"
    )
    (outcome,) = foreign.run(with_build=False).outcomes
    assert "was interrupted" in str(outcome.error)
    assert "./seedbed rebuild evolving.members --from-raw" in str(outcome.error)
    url = {"EVOLVING_URL": foreign.env["EVOLVING_URL"]}
    refused = foreign.cli("rebuild", "members", **url)
    assert refused.returncode != 0
    assert "was interrupted" in refused.stdout + refused.stderr
    again(foreign)
    assert log(foreign) == before
    assert foreign.run(with_build=False).state == "done"


def test_a_replay_that_lacks_a_raw_file_leaves_no_mark(foreign: Foreign) -> None:
    foreign.create(
        "evolving",
        "create table members (id int primary key, updated_at datetime not null)",
        "insert into members values (1, '2026-11-01')",
    )
    foreign.discover("evolving")
    assert foreign.run(with_build=False).state == "done"
    foreign.query("update audit.batch set manifest_key = 'raw/nothing/manifest.json'")
    with pytest.raises(SeedbedError, match="no longer in the lake"):
        again(foreign)
    assert foreign.query("select * from audit.replay") == []
