"""Every identity of the ledger fails where rows are lost, and nobody reads on.

A row is taken away at each hop of its way. The batch is held back before anything
downstream reads it, the watermark stays, and the alert is open until the table has
been compared with its source.
"""

import re
from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from ingest import extract, files, load, standardise
from ingest.control import schema
from ingest.lake import Lake, Part
from orchestration import reconcile
from orchestration.runner import Run
from tests.clone import quiet
from tests.faults.oracle import states
from tests.foreign import Foreign

pytestmark = pytest.mark.lean

Patch = Callable[[pytest.MonkeyPatch], None]
SHOP = (
    "create table goods (id int primary key, v int not null, "
    "updated_at datetime not null)",
    "insert into goods values (1, 1, '2026-11-01'), (2, 2, '2026-11-02'), "
    "(3, 3, '2026-11-03'), (4, 4, '2026-11-04')",
    "create table kinds (id int primary key, v int not null)",
    "insert into kinds values (1, 1), (2, 2), (3, 3), (4, 4)",
)
CHANGES = (
    "update goods set v = v + 10, updated_at = '2026-11-05' where id in (1, 2)",
    "delete from goods where id in (3, 4)",
    "update kinds set v = v + 10",
)


def without(layer: str, name: str, condition: str) -> Patch:
    """Files of a layer lose the rows of a condition when they are written."""
    write = files.write

    def short(
        engine: duckdb.DuckDBPyConnection, lake: Lake, rows: str, key: str, called: str
    ) -> tuple[Part, ...]:
        if key.startswith(f"{layer}/") and called.startswith(name):
            rows = f"select * from ({rows}) where not ({condition})"
        return write(engine, lake, rows, key, called)

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (extract, standardise):
            monkeypatch.setattr(module.files, "write", short)

    return patch


def without_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log loses a row that the loader was told it had written."""
    copy = load._copy

    def short(engine: duckdb.DuckDBPyConnection, *rest: Any) -> int:
        count = copy(engine, *rest)
        target = rest[2]
        if target.startswith("bronze."):
            load._in_warehouse(
                engine,
                f"delete from {target} where id = 1 and _batch_seq = "
                f"(select max(_batch_seq) from {target})",
            )
        return count

    monkeypatch.setattr(load, "_copy", short)


LOSSES: dict[str, tuple[Patch, str]] = {
    "source = read": (without("raw", "part", "id = 1"), "id 1"),
    "read = written + unchanged + rejected": (
        without("bronze", "part", "id = 1"),
        "id 1",
    ),
    "gone = deleted": (without("raw", "gone", "id = 3"), ""),
    "written + deleted = loaded": (without_copied, ""),
}


def test_each_identity_of_a_batch_is_shown_failing_here() -> None:
    view = (schema.FOLDER / "derived" / "batch_identity.sql").read_text()
    assert {*re.findall(r"'([\w +]+ = [\w +]+)'", view)} == {*LOSSES}


def alerts(clone: Foreign) -> dict[str, str]:
    """The open alerts on tables whose rows are not accounted for."""
    return dict(
        clone.query(
            "select table_id, message from audit.alert "
            "where kind = 'table_unbalanced' and closed_at is null"
        )
    )


def values(clone: Foreign, model: str) -> dict[int, int]:
    """Key and value of a model's live rows."""
    return {row["id"]: row["v"] for row in clone.silver(model)}


def told(result: Run) -> list[str | None]:
    """Why tables were not released."""
    return [o.batches[-1].reason for o in result.outcomes if o.state == "rejected"]


@pytest.fixture
def goods(foreign: Foreign) -> Foreign:
    """A shop of two tables, the second of which is read whole; changes are due."""
    foreign.create("losses", *SHOP)
    foreign.discover("losses")
    assert foreign.run().state == "done"
    foreign.ask("losses", *CHANGES)
    return foreign


@pytest.mark.parametrize("identity", LOSSES)
def test_a_row_that_is_lost_holds_its_batch_back_and_is_reported(
    goods: Foreign, identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, sample = LOSSES[identity]
    tables = {"losses.goods", "losses.kinds"}
    if identity == "gone = deleted":
        tables = {"losses.goods"}  # a table that is read whole scans no keys
    before = goods.query("select * from audit.table_state order by table_id")
    shown = {model: values(goods, model) for model in ("goods", "kinds")}
    with monkeypatch.context() as patch:
        loss(patch)
        result = goods.run()
    assert {t for t, s in states(result).items() if s == "rejected"} == tables
    assert (result.state, result.balanced, result.exit_code) == ("failed", False, 1)
    for text in told(result):
        assert identity in str(text)
        assert sample in str(text)
    wrong = goods.query(
        "select table_id, identity from audit.ledger where run_id = %s and not holds",
        result.run_id,
    )
    assert {*wrong} >= {(table, identity) for table in tables}
    after = goods.query("select * from audit.table_state order by table_id")
    held = [row for row in before if row[0] in tables]
    assert [row for row in after if row[0] in tables] == held
    for table in tables:
        model = table.partition(".")[2]
        assert values(goods, model) == shown[model], "its last good state stays"
    assert {*alerts(goods)} == tables
    printed = goods.cli("status").stdout
    for table, text in alerts(goods).items():
        assert identity in text
        assert f"{table}: {identity}" in printed
        assert "./seedbed run" in printed

    healed = goods.run()
    assert (healed.state, healed.balanced) == ("done", True), told(healed)
    assert values(goods, "goods") == {1: 11, 2: 12}
    assert values(goods, "kinds") == {1: 11, 2: 12, 3: 13, 4: 14}
    # What was read whole is compared by that; the other table once it is asked.
    assert {*alerts(goods)} == {"losses.goods"}
    assert "./seedbed reconcile --tables losses.goods" in goods.cli("status").stdout
    with goods.inside():
        (found,) = reconcile.run(goods.tables("losses.goods"), quiet)
    assert found.is_equal
    assert alerts(goods) == {}


def test_a_row_found_by_its_key_that_is_lost_holds_its_batch_back(
    goods: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert goods.run().state == "done"
    # Late by years: no window reaches it, the scan of the keys does.
    goods.ask("losses", "insert into goods values (9, 9, '2020-01-01')")
    with monkeypatch.context() as patch:
        without("raw", "found", "id = 9")(patch)
        result = goods.run()
    assert states(result)["losses.goods"] == "rejected"
    assert "source = read: 3 ≠ 2" in str(told(result))
    assert goods.run().state == "done"
    assert values(goods, "goods")[9] == 9


def test_a_row_of_a_range_that_is_lost_holds_its_batch_back(
    foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign.create("losses", *SHOP[:2])
    foreign.discover("losses")
    row = {"source": "losses", "table": "goods"}
    foreign.add("options", row | {"option": "range_rows", "value": "1"})
    with monkeypatch.context() as patch:
        without("raw", "range-", "id = 2")(patch)
        result = foreign.run()
    assert states(result) == {"losses.goods": "rejected"}
    assert "source = read: 4 ≠ 3" in str(told(result))
    assert foreign.run().state == "done"
    assert values(foreign, "goods") == {1: 1, 2: 2, 3: 3, 4: 4}


STALE = {
    "a row is gone": "delete from silver.goods where id = 1",
    "a row is of an older batch": (
        "update silver.goods set v = 1, _batch_seq = 1 where id = 1"
    ),
    "a row is another's": "update silver.goods set id = 77 where id = 1",
}


@pytest.mark.parametrize(
    "damage",
    [
        "a row is another's",
        *(pytest.param(name, marks=pytest.mark.long) for name in list(STALE)[:2]),
    ],
)
def test_a_model_that_shows_other_rows_fails_each_run_until_it_is_rebuilt(
    goods: Foreign, damage: str
) -> None:
    assert goods.run().state == "done"
    goods.query(STALE[damage])
    for _ in range(2):
        result = goods.run()
        assert (result.state, result.balanced) == ("failed", False)
        assert {*alerts(goods)} == {"losses.goods"}
        assert "(id 1" in goods.cli("status").stdout
    with goods.inside():
        (found,) = reconcile.run(goods.tables("losses.goods"), quiet)
    assert found.count == 0, "the log is right"
    assert found.unbuilt
    assert not found.is_equal
    rebuilt = goods.cli("rebuild", "goods")
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    assert goods.run().state == "done"
    with goods.inside():
        reconcile.run(goods.tables("losses.goods"), quiet)
    assert alerts(goods) == {}
