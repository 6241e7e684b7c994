"""Tables that are taken off the seed, or put back on it."""

from tests.faults.oracle import states
from tests.foreign import Foreign

SCHEMA = "retiring"


def test_a_retired_table_fails_no_run_and_comes_back_whole(foreign: Foreign) -> None:
    foreign.create(
        SCHEMA,
        *(
            f"create table {name} (id int primary key, v int, "
            "updated_at datetime not null)"
            for name in ("goes", "stays")
        ),
        "insert into goes values (1, 1, '2026-11-01')",
        "insert into stays values (1, 1, '2026-11-01')",
    )
    foreign.discover(SCHEMA)
    for name in ("goes", "stays"):
        foreign.edit("tables", {"table": name}, load_type="cdc")
    first = foreign.run()
    assert first.state == "done", (states(first), first.built and first.built.failures)
    assert foreign.query("select id, v from serving.goes") == [(1, 1)]
    foreign.query("create view public.mine as select * from serving.goes_history")

    foreign.edit("tables", {"table": "goes"}, enabled="false")
    foreign.ask(SCHEMA, "update stays set v = 2, updated_at = '2026-11-02'")
    leaks = foreign.run()
    assert leaks.state == "failed", "a view of somebody's own keeps the one below it"
    foreign.query("drop view public.mine")
    foreign.ask(SCHEMA, "update stays set v = 3, updated_at = '2026-11-03'")
    assert foreign.run().state == "done"
    views = "select relname from pg_class where relnamespace = 'serving'::regnamespace"
    assert not {n for (n,) in foreign.query(views) if n.startswith("goes")}

    shown = foreign.cli("prune")
    assert shown.returncode == 0, shown.stderr
    for name in ("silver.goes", "silver.goes_history", f"staging.stg_{SCHEMA}__goes"):
        assert f" {name} cascade;" in shown.stdout
    assert "stays" not in shown.stdout
    assert f"bronze.{SCHEMA}__goes" in shown.stderr
    assert foreign.query("select id, v from silver.goes_history") == [(1, 1)]
    assert foreign.cli("prune", "--drop").returncode == 0
    assert foreign.value("select to_regclass('silver.goes_history')") is None
    assert "No relation of a retired model is left" in foreign.cli("prune").stdout

    foreign.edit("tables", {"table": "goes"}, enabled="true")
    foreign.ask(SCHEMA, "insert into goes values (2, 2, '2026-11-04')")
    assert foreign.run().state == "done"
    rows = foreign.query("select id, v from serving.goes order by id")
    assert rows == [(1, 1), (2, 2)]
