"""The comparator that runs after each run can fail: one changed value is seen.

Of each type, in a table read whole; and of each load type a row that is missing, one
that is too many, and one that is not the newest.
"""

from collections.abc import Mapping

import pytest

from tests.foreign import Foreign
from tests.integration.test_sweep import HISTORIES, kinds

pytestmark = pytest.mark.long

# Another value than the column's, by its type in Postgres.
OTHERS = {
    "boolean": "not {0}",
    "smallint": "{0} # 1",
    "integer": "{0} # 1",
    "bigint": "{0} # 1",
    "numeric": "case when {0} = 0 then {0} + power(10::numeric, -scale({0})) else -{0} "
    "end",
    "double precision": "case when {0} = 0 then 1e-300 else {0} * (1 + 1e-15) end",
    "text": "{0} || ' '",
    "character varying": "left({0}, -1) || chr(ascii(right({0} || 'a', 1)) + 1)",
    "bytea": "set_byte({0} || '\\x00'::bytea, length({0}), 1)",
    "date": "case when {0} < date '2000-01-01' then {0} + 1 else {0} - 1 end",
    "timestamp without time zone": "{0} - interval '1 microsecond'",
    "timestamp with time zone": "{0} - interval '1 microsecond'",
    "interval": "{0} - interval '1 microsecond'",
    "jsonb": "jsonb_build_array({0})",
}
GEOMETRY = "set_byte({0}, length({0}) - 1, get_byte({0}, length({0}) - 1) # 1)"


def told(foreign: Foreign) -> set[tuple[str, str]]:
    """Keys and columns of the differences."""
    return {(found.key, found.column) for found in foreign.differences()}


def test_one_changed_value_of_each_type_is_seen(foreign: Foreign) -> None:
    some = kinds(foreign)
    names = ", ".join(f"c_{kind.name}" for kind in some)
    columns = ", ".join(f"c_{kind.name} {kind.declaration} null" for kind in some)
    rows = [
        f"insert into t (id, {names}) values ({number}, "
        + ", ".join(kind.values[number % len(kind.values)] for kind in some)
        + ")"
        for number in range(8)
    ]
    nulls = "insert into t (id, c_unseen) values (8, null)"
    foreign.create(
        "compared", f"create table t (id int primary key, {columns})", *rows, nulls
    )
    foreign.discover("compared")
    assert foreign.run().state == "done"
    assert foreign.differences() == []
    types: Mapping[str, str] = dict(
        foreign.query(
            "select column_name, data_type from information_schema.columns "
            "where table_schema = 'silver' and table_name = 't'"
        )
    )
    shapes = {r["column"] for r in foreign.rows("columns") if "geom" in r["data_type"]}
    for kind in some:
        column = f"c_{kind.name}"
        other = GEOMETRY if column in shapes else OTHERS[types[column]]
        for key, value in (
            (1, other.format(f'"{column}"')),
            (2, "null"),
            (8, f'(select "{column}" from silver.t where id = 1)'),
        ):
            row = f"from silver.t where id = {key}"
            change = f"update silver.t set {column} = {{}} where id = {key}"
            foreign.query(f"create table kept as select {column} {row}")
            foreign.query(change.format(value))
            found = told(foreign)
            foreign.query(change.format(f"(select {column} from kept)"))
            foreign.query("drop table kept")
            assert found == {(f"({key},)", column)}, (column, key, value)
    assert foreign.differences() == []


@pytest.mark.parametrize("load_type", ["full", *HISTORIES])
def test_a_row_of_each_load_type_that_is_gone_or_too_many_or_old_is_seen(
    foreign: Foreign, load_type: str
) -> None:
    has_history = load_type in ("cdc", "scd2")
    foreign.create(
        "compared",
        "create table t (id int primary key, v int, updated_at datetime not null)",
        "insert into t values (1, 1, '2026-11-01'), (2, 2, '2026-11-01')",
    )
    foreign.discover("compared")
    clock, mode = ("", "none") if load_type == "full" else ("updated_at", "key_scan")
    cells = {"watermark_column": clock, "delete_mode": mode}
    tracked = ("v", "updated_at") if load_type in ("scd2", "snapshot") else ()
    foreign.edit_all(
        ("tables", {"table": "t"}, {"load_type": load_type, **cells}),
        *(
            ("columns", {"table": "t", "column": column}, {"tracked": "true"})
            for column in tracked
        ),
    )
    assert foreign.run().state == "done"
    assert foreign.differences() == []
    foreign.ask("compared", "update t set v = 7 where id = 1")
    assert told(foreign) == {("(1,)", "v")}
    foreign.ask("compared", "delete from t where id = 1")
    assert told(foreign) == {("(1,)", "")}
    foreign.ask("compared", "insert into t values (3, 1, '2026-11-01')")
    assert told(foreign) == {("(1,)", ""), ("(3,)", "")}
    foreign.ask("compared", "insert into t values (1, 1, '2026-11-01')")
    foreign.ask("compared", "delete from t where id = 3")
    assert foreign.differences() == []
    place = f"silver.t{'_history' if has_history else ''}"
    if load_type != "snapshot":  # whose rows are dbt's own
        foreign.query(f"delete from {place} where id = 2")
        assert told(foreign) == {("(2,)", "")}
    # Rows of the log, where nothing was built.
    foreign.query("update bronze.compared__t set v = 9 where id = 1")
    assert {
        (found.key, found.column) for found in foreign.differences(in_log=True)
    } == {("(1,)", "v")}


def test_what_was_reported_is_no_difference(foreign: Foreign) -> None:
    foreign.create(
        "compared",
        "create table t (id int primary key, v varchar(9), w varchar(9), "
        "updated_at datetime)",
        "insert into t values (1, '1', 'a', '2026-11-01'), (2, 'x', 'b', '2026-11-01'),"
        " (3, '3', 'c', null), (4, '4', 'd', '2026-11-01')",
    )
    foreign.discover("compared")
    foreign.edit(
        "tables",
        {"table": "t"},
        load_type="scd1",
        watermark_column="updated_at",
        delete_mode="key_scan",
    )
    foreign.edit("columns", {"table": "t", "column": "v"}, data_type="integer")
    foreign.edit("columns", {"table": "t", "column": "id"}, nullable="false")
    assert foreign.run().state == "done"
    assert {row["id"] for row in foreign.silver("t")} == {1, 4}
    assert foreign.differences() == []
    foreign.query("delete from audit.reject where source_row ->> 'id' = '2'")
    assert told(foreign) == {("(2,)", "")}
    foreign.query("delete from audit.reject")
    assert told(foreign) == {("(2,)", ""), ("(3,)", "")}


def test_a_run_that_says_done_and_differs_fails_its_test(foreign: Foreign) -> None:
    foreign.create(
        "compared",
        "create table t (id int primary key, updated_at datetime not null)",
        "insert into t values (1, '2026-11-01')",
    )
    foreign.discover("compared")
    foreign.edit("tables", {"table": "t"}, load_type="scd1", delete_mode="none")
    assert foreign.run().state == "done"
    # Nobody scans the keys, and no window reaches so far.
    foreign.ask("compared", "insert into t values (2, '2020-01-01')")
    with pytest.raises(AssertionError, match=r"compared\.t \(2,\).*no live row"):
        foreign.run()
    with foreign.knowingly_different("later than any window", "compared.t"):
        assert foreign.run().state == "done"
