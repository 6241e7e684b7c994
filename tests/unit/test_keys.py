"""Keys that were found, and rows that are asked for by them."""

from dataclasses import replace

import duckdb
import pytest

from ingest import keys, load
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
