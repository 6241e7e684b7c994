"""How far a replica is behind, by what it says of those that it follows."""

from typing import Any

import pymysql
import pytest

from ingest.sources.kind import Session
from ingest.sources.mysql import KIND


class Server:
    """Answers as a server that knows some statements; `told` is what it follows."""

    def __init__(self, knows: str, column: str, told: list[int | None]) -> None:
        self.knows, self.description = knows, [("Connection_name",), (column,)]
        self.told = told

    def execute(self, query: str) -> None:
        if query not in self.knows:
            raise pymysql.err.ProgrammingError(1064, "You have an error")

    def fetchall(self) -> list[tuple[Any, ...]]:
        return [(f"number {n}", seconds) for n, seconds in enumerate(self.told)]


@pytest.mark.parametrize(
    ("told", "seconds"), [([], 0), ([None], 0), ([5], 5), ([0, 3600, None], 3600)]
)
@pytest.mark.parametrize(
    ("knows", "column"),
    [
        ("show all replicas status, show replica status", "Seconds_Behind_Master"),
        ("show replica status", "Seconds_Behind_Source"),
        ("", ""),
    ],
)
def test_the_farthest_of_all_that_a_replica_follows(
    knows: str, column: str, told: list[int | None], seconds: int
) -> None:
    session = Session(Server(knows, column, told), pymysql.err.MySQLError)
    assert KIND.behind(session) == (seconds if knows else 0)
