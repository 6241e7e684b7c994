"""Databases of any server are sources, whatever they are."""

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
