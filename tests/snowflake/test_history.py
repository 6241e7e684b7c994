"""The load macros on Snowflake, emulated: the catalogue of histories, its oracle."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from orchestration import snowflake
from tests.integration.test_history import CASES, Log, Row, lay_out

DATABASE = "histories"


class Account:
    """A connection that answers as psycopg's does."""

    def __init__(self, connection: Any) -> None:
        self.cursor = connection.cursor()

    def execute(self, query: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        self.cursor.execute(query, tuple(values) or None)
        return [tuple(row) for row in self.cursor.fetchall()]


class SnowflakeLog(Log):
    """The log of all cases on Snowflake."""

    target = "snowflake"

    def reset(self) -> None:
        for schema in ("bronze", "audit", "models"):
            self.connection.execute(f"drop schema if exists {schema} cascade")
        words = ("run-operation", "prepare_bronze", "--args", "lake: s3://lake/")
        result = self.dbt(*words)
        assert result.success, getattr(result.result, "results", result.exception)
        self.connection.execute(
            "create table bronze.test__things (case_id varchar, key_id varchar, "
            "tracked varchar, untracked integer, _op varchar, "
            "_source_ts timestamp_ntz, _observed_at timestamp_ntz, "
            "_batch_seq bigint, _row_hash bigint)"
        )

    def append(self, seq: int, rows: list[tuple[str, Row]]) -> None:
        for case, row in rows:
            self.connection.execute(
                "insert into bronze.test__things select %s, %s, %s, %s, %s, "
                f"%s::timestamp_ntz, %s::timestamp_ntz, {seq}, "
                f"{row.hash}",
                (
                    *(case, row.key, row.tracked, row.untracked, row.op),
                    *(str(row.ts), str(row.ts)),
                ),
            )
        self.connection.execute(
            "delete from audit.table_state where table_id = 'test.things'"
        )
        self.connection.execute(
            "insert into audit.table_state select 'test.things', "
            f"{seq}, 0, current_timestamp()::timestamp_ntz, current_timestamp()"
        )


@pytest.fixture(scope="module")
def log(
    emulated: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Log]:
    project = lay_out(tmp_path_factory.mktemp("history") / "project")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (emulated | {"SNOWFLAKE_DATABASE": DATABASE}).items():
            patch.setenv(name, value)
        with snowflake.connect() as connection:
            account = Account(connection)
            account.execute(f"create database if not exists {DATABASE}")
            account.execute(f"use database {DATABASE}")
            yield SnowflakeLog(project, account)


def test_every_case_of_the_catalogue_is_what_the_oracle_says(log: Log) -> None:
    log.reset()
    log.play({name: batches for name, (batches, _) in CASES.items()})
    before = log.contents()
    log.build("--full-refresh")
    assert log.contents() == before, "a rebuild differs from the increments"
