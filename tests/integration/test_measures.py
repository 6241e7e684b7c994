"""Each rule fails as many rows of a batch's file as its own SQL finds in the log.

The rows are made at random of values near what the rules allow; Postgres, asked for
the rows that fail, is the oracle.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from gx import measures, measuring
from ingest import settings
from ingest.seed import metadata, suites, types
from ingest.seed.checks import CHECKS
from ingest.seed.metadata import Rule, Table
from tests.clone import Clone

# Values of each column: good ones, edges, and what is just beyond.
VALUES: dict[str, tuple[str, list[Any]]] = {
    "id": ("bigint", [None, 1, 2, 3, 4, 5, 2**60]),
    "part": ("integer", [None, 1, 2]),
    "code": ("varchar(20)", [None, "", "a", "A", " a", "a ", "ä", "a\nb", "ab", "é.x"]),
    "status": ("text", [None, "", "new", "New", "new ", "it's", "new\n"]),
    "fee": ("decimal(8,2)", [None, "-0.01", "0.00", "0.01", "9.99", "10.00", "10.01"]),
    "rate": ("double", [None, -0.1, 0.0, 0.1, 0.3, float("nan"), float("inf")]),
    "day": ("date", [None, "1999-12-31", "2000-01-01", "2000-01-02", "2020-06-30"]),
    "at": (
        "timestamp",
        [None, "1999-12-31 23:59:59.999999", "2000-01-01", "2000-01-01 10:00:00"],
    ),
    "moment": (
        "timestamptz",
        [None, "1999-12-31 23:00:00+00", "2000-01-01 00:00:00+00"],
    ),
    "is_open": ("boolean", [None, True, False]),
}
RULES = (
    ("id", "not_null", ""),
    ("code", "not_null", "0.25"),
    ("id", "unique", ""),
    ("code", "unique", ""),
    ("", "unique", "id|part"),
    ("", "unique", "code|day"),
    ("id", "between", "2..4"),
    ("fee", "between", "0..10"),
    ("fee", "between", "0.005..9.99"),
    ("rate", "between", "0..0.1"),
    ("day", "between", "2000-01-01..2020-06-29"),
    ("at", "between", "2000-01-01..2000-01-01T09:59"),
    ("moment", "between", "2000-01-01.."),
    ("code", "length", "1..2"),
    ("status", "one_of", "new|it's|"),
    ("id", "one_of", "1|2|1152921504606846976"),
    ("fee", "one_of", "0.01|10"),
    ("code", "matches", "^[a-z]+$"),
    ("code", "matches", "a.b"),
    ("code", "matches", "^$|[.]"),
    ("status", "matches", "^(new|it's)$"),
    ("", "satisfies", "fee >= 0 or status = 'new'"),
    ("", "satisfies", "day <= '2000-01-01' and not is_open = true"),
    ("", "satisfies", "status in ('new', 'New') or code is null"),
    ("", "satisfies", "at between day and moment"),
    ("", "satisfies", "id > part"),
    ("", "satisfies", "code is null or code <> 'a\nb'"),
)


@pytest.fixture(scope="module")
def connection(
    stack: Clone, warehouse: dict[str, str]
) -> Iterator[psycopg.Connection[Any]]:
    with stack.connect(warehouse["PGDATABASE"]) as found:
        found.execute("set timezone = 'UTC'")
        yield found


def table_of(rules: tuple[Rule, ...]) -> Table:
    """A table with these columns and rules, which is not in the seed."""
    tables = metadata.load(settings.ROOT)
    like = next(t for t in tables if t.id == "shop.orders")
    column = like.columns[-1]
    columns = tuple(
        replace(column, name=name, type=types.parse(kind), key_position=None)
        for name, (kind, _) in VALUES.items()
    )
    return replace(like, name="measured", columns=columns, rules=rules)


def rule_of(column: str, name: str, argument: str) -> Rule:
    kinds = {name: types.parse(kind) for name, (kind, _) in VALUES.items()}
    check = CHECKS[name](argument, column, kinds)
    return Rule(f"{check.id} {argument}", check, "block", "gate", "")


@pytest.mark.parametrize("number", range(4))
def test_files_are_judged_as_the_log_would_be(
    number: int, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    rules = tuple(rule_of(*rule) for rule in RULES)
    table = table_of(rules)
    draw = random.Random(number)
    kept = [v[: draw.randint(2, len(v))] for _, v in VALUES.values()]
    rows = [tuple(map(draw.choice, kept)) for _ in range((1, 7, 60, 600)[number])]
    log = f'bronze."{table.bronze}"'
    columns = ", ".join(f'"{c.name}" {c.type.log}' for c in table.columns)
    connection.execute(
        f"create schema if not exists bronze; drop table if exists {log}"
    )
    connection.execute(f"create table {log} ({columns}, _op text default 'U')")
    signs = ", ".join(["%s"] * len(VALUES))
    with connection.cursor() as cursor:
        cursor.executemany(f"insert into {log} values ({signs})", rows)
    file = tmp_path / "batch.parquet"
    with duckdb.connect() as engine:
        engine.execute("set timezone = 'UTC'")
        casts = ", ".join(f'"{c.name}" {c.type.duckdb}' for c in table.columns)
        engine.execute(f"create table rows ({casts}, _op text default 'U')")
        # A tombstone is not checked.
        engine.execute("insert into rows (_op) values ('D')")
        unfilled = ", ".join("?" * len(VALUES))
        engine.executemany(f"insert into rows values ({unfilled}, 'U')", rows)
        engine.execute(f"copy rows to '{file}' (format parquet)")
    failed = 0
    expected = [e for e in suites.expectations(table) if " " in e.rule_id]
    for one in expected:
        suite = {"expectations": [one.as_json()]}
        wanted = measures.of_suite(suite)
        found = measuring.of_files(table, [file], wanted)
        found |= measuring.of_log(connection, table, wanted)
        query = f"select count(*) from (select {one.failing} as fails from {log}) as t"
        (oracle,) = connection.execute(f"{query} where fails").fetchone() or ()
        assert found[wanted[1]] == oracle, (one.rule_id, wanted[1])
        assert found["count(*)"] == len(rows)
        failed += oracle > 0
    connection.execute(f"drop table {log}")
    assert failed > len(rules) / 2 or len(rows) < 60
