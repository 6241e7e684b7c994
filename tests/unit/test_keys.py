"""Keys that were found, and rows that are asked for by them."""

from dataclasses import replace
from functools import reduce
from itertools import combinations, starmap
from operator import xor

import duckdb
import pytest

from ingest import keys, load, statements
from ingest.errors import SeedbedError
from ingest.seed import metadata, types
from tests.clone import REPOSITORY


@pytest.mark.parametrize(
    ("wanted", "found"), [("(1), (2)", 2), ("(1), (null)", 1), ("(null)", 0)]
)
def test_each_key_that_is_asked_for_has_its_row(wanted: str, found: int) -> None:
    (table,) = [t for t in metadata.load(REPOSITORY) if t.id == "shop.orders"]
    engine = duckdb.connect()
    engine.execute(f"create table lacking as from (values {wanted}) as t(order_id)")
    keys.assert_all_found(engine, table, "lacking", found)
    if found:
        with pytest.raises(SeedbedError, match=f"{found} keys were to be read, and 0"):
            keys.assert_all_found(engine, table, "lacking", 0)


def test_a_log_is_looked_up_by_values_unless_its_key_may_be_too_long() -> None:
    (table,) = [t for t in metadata.load(REPOSITORY) if t.id == "crm.contacts"]
    assert 'create index on bronze."crm__contacts" ("contact_id")' in load.indexes(
        table
    )
    (column,) = table.key
    long = replace(column, type=types.parse("varchar(4000)"))
    table = replace(
        table, columns=tuple(long if c == column else c for c in table.columns)
    )
    assert '(md5("contact_id"))' in load.indexes(table)


# Numbers at which a server would leave 64 bits, or turn a sign, if any did.
EXTREMES = [0, 1, -1, 2**31, -(2**31), 2**63 - 1, -(2**63), 2**63, 2**64 - 1]


def hashes(*found: tuple[int, ...]) -> list[int]:
    """The hashes of keys; an error where a step leaves 64 bits."""
    names = [f"k{n}" for n in range(len(found[0]))]
    template = statements._templates().get_template("key_hash.sql.jinja")
    # DuckDB reckons with the same signs.
    one = template.module.key_hash(names, "bigint")  # type: ignore[attr-defined]
    rows = ", ".join(f"({n}, {', '.join(map(str, k))})" for n, k in enumerate(found))
    told = duckdb.sql(
        f"select typeof(hash), hash from (select n, {one} as hash from "
        f"(values {rows}) as t(n, {', '.join(names)})) order by n"
    ).fetchall()
    assert {kind for kind, _ in told} == {"BIGINT"}
    return [value for _, value in told]


def test_the_hash_of_a_key_stays_within_64_bits_and_differs() -> None:
    pairs = [(a, b) for a in EXTREMES for b in EXTREMES]
    assert len({*hashes(*pairs)}) == len(pairs)
    single = [(a,) for a in {*EXTREMES, *range(-1000, 1000)}]
    assert len({*hashes(*single)}) == len(single)


@pytest.mark.parametrize("step", [1, 2, 10, 1000, 1024, 2**22, 2**32, -1])
@pytest.mark.parametrize("start", [0, 1, 10**9, -8, 2**62])
def test_sets_of_keys_in_a_row_are_told_apart(start: int, step: int) -> None:
    row = hashes(*((start + n * step,) for n in range(600)))
    told = [0]
    for one in row[:14]:  # each subset
        told += [one ^ other for other in told]
    assert len({*told}) == len(told)
    pairs = [*starmap(xor, combinations(row, 2))]
    assert len({*pairs}) == len(pairs)
    blocks = [reduce(xor, row[n : n + 8]) for n in range(len(row) - 8)]
    assert len({*blocks}) == len(blocks)


def test_columns_that_change_places_are_told_apart() -> None:
    grid = [(a, b) for a in range(25) for b in range(25)]
    row = hashes(*grid)
    pairs = [*starmap(xor, combinations(row, 2))]
    assert len({*row}) == len(row)
    assert len({*pairs}) == len(pairs)
