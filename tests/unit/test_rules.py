"""The arguments of rules: what is read, what is refused, and what becomes SQL."""

import re

import duckdb
import pytest
from sqlglot import Tokenizer

from ingest import settings
from ingest.seed import metadata, predicate, types
from ingest.seed.checks import CHECKS, LAYERS

COLUMNS = {
    "id": types.parse("bigint"),
    "price": types.parse("decimal(12,2)"),
    "name": types.parse("varchar(20)"),
    "paid": types.parse("boolean"),
    "ordered_at": types.parse("timestamp"),
    "shipped_at": types.parse("timestamp"),
    "note": types.parse("json"),
}
WHOLE = types.parse("bigint")


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
def test_what_is_no_predicate_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        predicate.parse(text, COLUMNS)


def test_a_column_may_be_called_like_any_word_of_sql() -> None:
    words = sorted({w.lower() for w in Tokenizer.KEYWORDS if w.isalpha()})
    assert {"call", "show", "date", "interval"} <= {*words}
    own = ("and", "or", "not", "is", "in", "between", "null", "true", "false")
    for word in (w for w in words if w not in own):
        found = predicate.parse(f"{word} = 1 and id > {word}", {**COLUMNS, word: WHOLE})
        assert predicate.columns_of(found) == [word, "id"]


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
    pattern = CHECKS["date_format"](format_, "name", COLUMNS).parsed
    assert re.search(pattern, good)
    assert not re.search(pattern, bad)
    assert not re.search(pattern, f"{good} ")


def test_rules_are_called_by_column_and_check_and_numbered_where_needed() -> None:
    assert CHECKS["matches"]("^a", "name", COLUMNS).id == "name:matches"
    assert CHECKS["row_count"]("1..", "", COLUMNS).id == "row_count"
    assert CHECKS["unique"]("id|name", "", COLUMNS).id == "id+name:unique"
    for table in metadata.load(settings.ROOT):
        for layer in LAYERS:
            ids = [r.id for r in table.rules if r.layer == layer]
            assert len({*ids}) == len(ids), table.id


# A good argument of each check with its column, and what dbt and the score make of it.
GOOD = {
    "between": ("0..", "price"),
    "date_format": ("%Y-%m-%d", "name"),
    "equals": ("sum(lines.amount) by order_id", "price"),
    "fresh": ("2d", "ordered_at"),
    "length": ("2..20", "name"),
    "matches": ("^a", "name"),
    "not_null": ("0.05", "name"),
    "one_of": ("a|b", "name"),
    "references": ("orders.id", "id"),
    "row_count": ("1..", ""),
    "satisfies": ("price > 0", ""),
    "unique": ("id|name", ""),
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_answers_to_each_layer_that_it_has(name: str) -> None:
    check = CHECKS[name](*GOOD[name], COLUMNS)
    if "gate" in check.layers:
        kind, expected, _ = check.expectation()
        assert kind.endswith("expectation") == (name == "satisfies")
        assert expected
    if "model" in check.layers:
        test, _ = check.dbt_test()
        assert f"`{test}`" in check.tests, "docs/rules.md names the test"
    scored = {"conformity", "uniqueness", "consistency"}
    if check.score() or name == "unique":
        assert check.dimension in scored, "docs/rules.md names the dimension"
    else:
        assert check.dimension not in scored
    assert check == CHECKS[name](*GOOD[name], COLUMNS)


@pytest.mark.parametrize(
    ("name", "was", "stricter", "weaker"),
    [
        ("between", "0..10", "1..9.5", "0.."),
        ("between", "2020-01-01..", "2020-01-01..2021-01-01", "..2021-01-01"),
        ("equals", "sum(a.b)", "", "count(a.b)"),
        ("fresh", "1d", "23h", "25h"),
        ("length", "2..20", "2..19", "1..20"),
        ("matches", "^a", "", "^[ab]"),
        ("not_null", "0.05", "", "0.06"),
        ("one_of", "a|b", "b", "a|b|c"),
        ("row_count", "10..", "10..20", "9.."),
        ("satisfies", "price > 0", "", "price > -1"),
    ],
)
def test_a_check_knows_what_allows_no_more(
    name: str, was: str, stricter: str, weaker: str
) -> None:
    if stricter or name == "not_null":
        assert CHECKS[name].is_as_strict(stricter, was)
    assert not CHECKS[name].is_as_strict(weaker, was)


@pytest.mark.parametrize(
    ("argument", "failing", "condition"),
    [
        (
            "2..20",
            'not (length("name") >= 2 and length("name") <= 20)',
            "length(name) >= 2 and length(name) <= 20",
        ),
        ("..20", 'not (length("name") <= 20)', "length(name) <= 20"),
    ],
)
def test_a_length_is_sql_of_what_fails_and_of_what_holds(
    argument: str, failing: str, condition: str
) -> None:
    check = CHECKS["length"](argument, "name", COLUMNS)
    assert check.failing() == failing
    values = "(values ('a'), ('ab'), (repeat('é', 20)), (repeat('x', 21)), (null))"
    kept, lost = (
        duckdb.sql(f"select count(*) from {values} as t (name) where {sql}").fetchone()
        for sql in (condition, failing)
    )
    assert kept
    assert lost
    assert kept[0] + lost[0] == 4


@pytest.mark.parametrize(
    ("argument", "parts"),
    [
        ("sum(lines.amount) by order_id", ("sum", "lines", "amount", ("order_id",))),
        ("max(lines.at) by a|b", ("max", "lines", "at", ("a", "b"))),
        ("count(lines.id)", ("count", "lines", "id", ())),
    ],
)
def test_an_aggregate_is_read(argument: str, parts: tuple[object, ...]) -> None:
    check = CHECKS["equals"](argument, "price", COLUMNS, ("id",), 60)
    found = check.parsed
    assert (found.function, found.model, found.column, found.by) == parts
    _, arguments = check.dbt_test()
    assert arguments.get("grace_minutes", 0) == (60 if found.by else 0)


@pytest.mark.parametrize(
    ("name", "argument", "column"),
    [
        ("length", "٣..", "name"),
        ("between", "٣..", "price"),
        ("one_of", "٣|٤", "price"),
        ("between", "2024-01-01 10:00..", "day"),
    ],
)
def test_bounds_are_read_as_both_the_gate_and_the_warehouse_read_them(
    name: str, argument: str, column: str
) -> None:
    with pytest.raises(ValueError, match=name):
        CHECKS[name](argument, column, {**COLUMNS, "day": types.parse("date")})
