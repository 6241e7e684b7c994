"""The arguments of rules: what is read, what is refused, and what becomes SQL."""

import re

import duckdb
import pytest

from ingest import metadata, predicate, rules, settings, types

COLUMNS = {
    "id": types.parse("bigint"),
    "price": types.parse("decimal(12,2)"),
    "name": types.parse("varchar(20)"),
    "paid": types.parse("boolean"),
    "ordered_at": types.parse("timestamp"),
    "shipped_at": types.parse("timestamp"),
    "note": types.parse("json"),
}


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("price > 0", '("price" > 0)'),
        ("shipped_at >= ordered_at", '("shipped_at" >= "ordered_at")'),
        (
            "not paid = true or shipped_at is not null and id in (1, 2)",
            '((not ("paid" = true)) or (("shipped_at" is not null) '
            'and ("id" in (1, 2))))',
        ),
        (
            "(name = 'it''s' or price <= -1.5) and note is null",
            """((("name" = 'it''s') or ("price" <= -1.5)) and ("note" is null))""",
        ),
        ("ordered_at < '2024-12-31'", """("ordered_at" < '2024-12-31')"""),
        ("'2024-12-31 10:00' < ordered_at", """('2024-12-31 10:00' < "ordered_at")"""),
        ("name NOT IN ('a','b')", """("name" not in ('a', 'b'))"""),
        ("price between -1 and 9.5", '("price" between -1 and 9.5)'),
        (
            "ordered_at not between '2024-01-01' and shipped_at",
            """("ordered_at" not between '2024-01-01' and "shipped_at")""",
        ),
    ],
)
def test_a_predicate_becomes_sql_that_runs(text: str, sql: str) -> None:
    found = predicate.parse(text, COLUMNS)
    assert predicate.to_sql(found) == sql
    names = ", ".join(
        f"null::{kind.duckdb} as {name}" for name, kind in COLUMNS.items()
    )
    duckdb.sql(f"select {sql} from (select {names})").fetchall()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is empty"),
        ("price", "is no comparison: one of = <>"),
        ("price >", "an operand of '>' is missing near '>' at character 7"),
        ("price > 0 id = 1", "'id' at character 11 was not expected; comparisons are"),
        ("(price > 0", "')' was expected after '0' at character 10"),
        ("prise > 0", "Did you mean 'price'?"),
        ("price > 'a'", "price (number) can't be compared with the text 'a'"),
        ("name = 1", "can't be compared"),
        ("ordered_at > 'soon'", "'soon' is no date"),
        ("ordered_at > '2024-13-01'", "is no date"),
        ("note = 'x'", "only `is null` can be asked"),
        ("1 = 1", "two literals says nothing"),
        ("price > 0; drop table x", "';' at character 10 has no meaning"),
        ("price > 0 -- x", "'-' at character 11"),
        ("name = 'a\\'", "a backslash"),
        ("name = 'open", "has no meaning"),
        ("lower(name) = 'a'", "'lower' is not a column"),
        ("id in (select)", "not a column"),
        ("id in (price)", "in takes literals"),
        ("and", "an operand of 'and' is missing near 'and' at character 1"),
        ("is not null", "an operand was expected instead of 'is'"),
        ("id in (1,, 2)", "',' at character 10 was not expected"),
        ("id in (1, 2,)", "',' at character 12 was not expected"),
        ("id == 1", "'=' at character 5 was not expected"),
        ("id != 1", "'!' at character 4 has no meaning"),
        ("id = (1)", "(1) is neither a column nor a literal"),
        ("id between symmetric 2 and 1", "'symmetric' is not a column"),
        ("id between 1 and 'a'", "can't be compared with the text 'a'"),
    ],
)
def test_what_is_no_predicate_is_told(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        predicate.parse(text, COLUMNS)


@pytest.mark.parametrize(
    ("format_", "good", "bad"),
    [
        ("%Y-%m-%d", "2024-12-31", "2024-13-01"),
        ("%d.%m.%Y", "31.12.2024", "31-12-2024"),
        ("%Y%m%d%H%M%S", "20241231235959", "20241231245959"),
        ("%Y-%m-%dT%H:%M:%S.%f%z", "2024-12-31T23:59:59.5Z", "2024-12-31T23:59:59.5"),
    ],
)
def test_a_date_format_is_a_pattern(format_: str, good: str, bad: str) -> None:
    pattern = rules.date_pattern(format_)
    assert re.search(pattern, good)
    assert not re.search(pattern, bad)
    assert not re.search(pattern, f"{good} ")


def test_rules_are_called_by_column_and_check_and_numbered_where_needed() -> None:
    assert rules.rule_id("matches", "^a", "email") == "email:matches"
    assert rules.rule_id("row_count", "1..", "") == "row_count"
    assert rules.rule_id("unique", "sku|warehouse", "") == "sku+warehouse:unique"
    for table in metadata.load(settings.ROOT):
        for layer in rules.LAYERS:
            ids = [r.id for r in table.rules if r.layer == layer]
            assert len({*ids}) == len(ids), table.id
