"""Views stand, whatever is replaced below them and whatever fails meanwhile."""

from collections.abc import Iterator

import pytest

from ingest.seed import seedfile
from orchestration import build
from tests.foreign import Foreign

pytestmark = pytest.mark.long

SCHEMA = "standing"


@pytest.fixture
def standing(foreign: Foreign) -> Iterator[Foreign]:
    """Tables of the load types whose model is a view, with a view of ours on each."""
    foreign.create(
        SCHEMA,
        *(
            f"create table {kind}_things (id int primary key, v int, w int, "
            "updated_at datetime not null)"
            for kind in ("scd2", "cdc", "snapshot")
        ),
        *(
            f"insert into {kind}_things values (1, 1, 1, '2026-11-01')"
            for kind in ("scd2", "cdc", "snapshot")
        ),
    )
    foreign.discover(SCHEMA)
    for kind in ("scd2", "cdc", "snapshot"):
        table = {"table": f"{kind}_things"}
        if kind != "cdc":
            place = {**table, "column": "v"}
            seedfile.change(foreign.root, "columns", place, {"tracked": "true"})
        seedfile.change(foreign.root, "tables", table, {"load_type": kind})
    foreign.generate()
    folder = foreign.root / "models" / "gold"
    folder.mkdir(exist_ok=True)
    (folder / "things.sql").write_text(
        "select id, v from {{ ref('scd2_things') }} where not is_deleted\n"
    )
    (folder / "things_above.sql").write_text(
        "{{ config(materialized='view') }}\nselect id, v from {{ ref('things') }}\n"
    )
    assert foreign.run().state == "done"
    # What a colleague has made, which no build makes again.
    foreign.query("create schema if not exists ours")
    for kind in ("scd2", "cdc", "snapshot"):
        foreign.query(
            f"create view ours.{kind}_staged as "
            f"select id, v from staging.stg_{SCHEMA}__{kind}_things"
        )
        foreign.query(
            f"create view ours.{kind}_now with (security_barrier = true) as "
            f"select id, v from silver.{kind}_things where not is_deleted"
        )
        foreign.query(f"create view ours.{kind}_above as select * from ours.{kind}_now")
    foreign.query("create view ours.things as select id, v from gold.things")
    foreign.query("create view ours.things_above as select * from gold.things_above")
    yield foreign
    for name in ("things", "things_above"):
        (folder / f"{name}.sql").unlink()
    _mend(foreign)


def _relations(foreign: Foreign) -> set[str]:
    return {
        name
        for (name,) in foreign.query(
            "select table_schema || '.' || table_name from information_schema.tables "
            "where table_schema in ('staging', 'silver', 'gold', 'serving', 'ours')"
        )
    }


def _fail(foreign: Foreign, *models: str) -> None:
    """Have tests of ours say that the models are wrong."""
    for model in models:
        path = foreign.root / "tests" / "data" / f"never_{model}.sql"
        path.write_text(f"select * from {{{{ ref('{model}') }}}}\n")


def _mend(foreign: Foreign) -> None:
    for path in (foreign.root / "tests" / "data").glob("never_*.sql"):
        path.unlink()


@pytest.mark.parametrize(
    "models",
    [
        (f"stg_{SCHEMA}__scd2_things", "cdc_things_history", "snapshot_things_latest"),
        ("scd2_things_history", "cdc_things", "snapshot_things_history", "things"),
    ],
)
def test_views_stand_when_a_test_below_them_fails(
    standing: Foreign, models: tuple[str, ...]
) -> None:
    before = _relations(standing)
    _fail(standing, *models)
    for value in (2, 3):
        for kind in ("scd2", "cdc", "snapshot"):
            standing.ask(
                SCHEMA,
                f"update {kind}_things set v = {value}, "
                f"updated_at = '2026-11-0{value}'",
            )
        # As after a change of the project: every model is built anew.
        with standing.inside():
            standing.query("update audit.build_state set built_from = ''")
        assert standing.run().state == "failed"
        assert _relations(standing) == before
        for name in sorted(before):
            standing.query(f"select * from {name}")
    _mend(standing)
    result = standing.run()
    assert result.state == "done", "\n".join(result.built.failures)
    assert _relations(standing) == before
    for kind in ("scd2", "cdc", "snapshot"):
        for view in ("staged", "now", "above"):
            assert (1, 3) in standing.query(f"select * from ours.{kind}_{view}")
    assert standing.query("select * from ours.things_above") == [(1, 3)]
    assert standing.query("select * from ours.things") == [(1, 3)]
    assert standing.value(
        "select reloptions = array['security_barrier=true'] from pg_class "
        "where oid = 'ours.scd2_now'::regclass"
    )


def test_a_rebuild_keeps_the_views_above_it(standing: Foreign) -> None:
    before = _relations(standing)
    _fail(standing, "scd2_things_history")
    with standing.inside():
        built = build.rebuild(["scd2_things_history"], "postgres", lambda _: None)
    assert not built.ok
    assert _relations(standing) == before
    assert standing.query("select * from ours.scd2_above") == [(1, 1)]


def test_views_that_show_a_removed_column_keep_what_they_show(
    standing: Foreign,
) -> None:
    standing.query("create view ours.w as select id, w from silver.scd2_things")
    before = _relations(standing)
    columns = standing.root / "seeds" / "metadata" / "columns.csv"
    columns.write_text(
        "".join(
            line
            for line in columns.read_text().splitlines(keepends=True)
            if not line.startswith(f"{SCHEMA},scd2_things,w,")
        )
    )
    standing.generate()
    _fail(standing, "scd2_things_history")
    standing.ask(SCHEMA, "update scd2_things set v = 2, updated_at = '2026-11-02'")
    assert standing.run().state == "failed"
    assert _relations(standing) >= before
    assert standing.query("select * from ours.w") == [(1, None)]
    _mend(standing)
    assert standing.run().state == "done"
    assert standing.query("select id, v from silver.scd2_things") == [(1, 2)]
    assert "w" not in standing.relation("serving", "scd2_things")[0]
    standing.query("select * from ours.w")
    standing.query("drop view ours.w")
    # The view that was kept goes with the first build, its column with the next one.
    for value in (3, 4):
        changed = f"set v = {value}, updated_at = '2026-11-0{value}'"
        standing.ask(SCHEMA, f"update scd2_things {changed}")
        assert standing.run().state == "done"
    assert standing.query("select * from ours.scd2_above") == [(1, 4)]
    assert not [n for n in _relations(standing) if "backup" in n or "_replaced" in n]
    # What our test above found wrong is kept beside it, with the columns of then.
    stored = standing.relation("silver", "scd2_things_history")[0]
    assert not [name for name in stored if name.startswith("_removed_")]
