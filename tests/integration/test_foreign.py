"""Databases of any server are sources, whatever they are."""

import json

import pytest

from tests.foreign import Foreign


def test_a_database_of_each_server_comes_through(
    foreign: Foreign, request: pytest.FixtureRequest
) -> None:
    foreign.create(
        "any_server",
        "create table t (id int primary key, v varchar(9), "
        "updated_at datetime not null)",
        "insert into t values (1, 'ä', '2026-11-01'), (2, null, '2026-11-02')",
    )
    ((version,),) = foreign.ask("", "select version()")
    is_mariadb = request.node.callspec.params["foreign"] == "mariadb"
    assert ("MariaDB" in version) == is_mariadb
    foreign.discover("any_server")
    assert foreign.run().state == "done"
    assert {row["id"]: row["v"] for row in foreign.silver("t")} == {1: "ä", 2: None}


def test_dbt_is_asked_again_for_new_rows_and_for_a_changed_project(
    foreign: Foreign,
) -> None:
    foreign.create(
        "calm",
        "create table t (id int primary key, updated_at datetime not null)",
        "insert into t values (1, '2026-11-01')",
    )
    foreign.discover("calm")
    assert foreign.run().state == "done"
    written = foreign.root / "target" / "manifest.json"
    before = written.read_bytes()

    def built() -> set[str] | None:
        """The models that dbt builds in the next run, None where it isn't asked."""
        results = foreign.root / "target" / "run_results.json"
        results.unlink(missing_ok=True)
        assert foreign.run().state == "done"
        if not results.exists():
            return None
        found = json.loads(results.read_text())["results"]
        names = [r["unique_id"].split(".") for r in found]
        return {name for kind, _, name, *_ in names if kind == "model"}

    assert built() is None
    # Whoever looks at dbt's files finds this environment's, whatever was parsed last.
    done = foreign.dbt("parse", SEEDBED_SCHEMA="dev")
    assert done.returncode == 0, done.stdout
    assert written.read_bytes() != before
    assert built() is None
    assert written.read_bytes() == before
    mine = foreign.root / "models" / "silver" / "mine.sql"
    try:
        mine.write_text("select count(*) as n from {{ ref('t') }}")
        assert built() == {"mine"}
        assert built() is None
        mine.write_text("select count(*) + 1 as n from {{ ref('t') }}")
        assert built() == {"mine"}
        foreign.ask("calm", "insert into t values (2, '2026-11-02')")
        assert {"t", "mine"} <= (built() or set())
        assert built() is None
    finally:
        mine.unlink()
    assert built() == set()
