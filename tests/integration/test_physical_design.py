"""What the seed asks of the tables in Postgres is there, whenever it was asked."""

import pytest

from orchestration import build
from tests.clone import Clone, quiet

pytestmark = pytest.mark.up_to_silver

# Any line of the options will do: the new one goes below it.
LINE = "shop,payments,append_only,true"


def indexed(clone: Clone, model: str) -> list[str]:
    """The first column of each index of a silver table, sorted."""
    return [
        column
        for (column,) in clone.query(
            "select attname from pg_index join pg_attribute on attrelid = indrelid "
            "and attnum = indkey[0] where indrelid = %s::regclass order by 1",
            f"silver.{model}",
        )
    ]


def test_the_seed_s_index_is_there_once_after_some_days(
    played: object, stack: Clone
) -> None:
    stack.restore("day_4")
    assert indexed(stack, "order_items") == [
        "order_id",
        "order_item_id",
        "product_id",
    ]


@pytest.mark.long
@pytest.mark.parametrize(
    ("table", "model", "key"),
    [
        ("inventory", "inventory", "product_id"),
        ("suppliers", "suppliers", "supplier_id"),
    ],
)
def test_an_index_that_is_asked_for_later_comes_with_an_increment_and_a_rebuild(
    played: object, stack: Clone, table: str, model: str, key: str
) -> None:
    stack.restore("day_4")
    wanted = {"inventory": "counted_at|quantity", "suppliers": "country"}[table]
    option = f"shop,{table},index_columns,{wanted}"
    expected = sorted([key, *wanted.split("|")])
    with stack.edited("options", LINE, f"{LINE}\n{option}"):
        assert indexed(stack, model) == [key]
        for _ in range(2):
            done = stack.dbt("run", "--select", model)
            assert done.returncode == 0, done.stdout
            assert indexed(stack, model) == expected
        with stack.inside():
            assert build.rebuild([model], "postgres", quiet).failures == []
        assert indexed(stack, model) == expected
