"""Keys that were found, and rows that are asked for by them."""

import duckdb
import pytest

from ingest import keys
from ingest.errors import SeedbedError
from ingest.seed import metadata
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
