"""Limits of Postgres: long keys are loaded, what can't be says why and what to do."""

import random
import re
from typing import Any

import pytest

from ingest import limits
from ingest.seed import seedfile, types
from tests.foreign import Foreign

pytestmark = pytest.mark.long

CHANGED = "updated_at datetime not null default '2026-11-01'"
# Some collations take all rare characters for the same.
BIN = "collate utf8mb4_bin"
ALPHABETS = {
    "ascii": [chr(n) for n in range(33, 127)],
    "latin": [chr(n) for n in range(192, 255)],
    "four_bytes": [chr(n) for n in range(0x20000, 0x2A000)],
}
# Type of the key's columns, what their values are made of, and how long they are.
KEYS: dict[str, tuple[tuple[str, str, int], ...]] = {
    "short": ((f"varchar(500) {BIN}", "four_bytes", 500),),
    "longest_there": ((f"varchar(768) {BIN}", "four_bytes", 768),),
    "at_the_limit": (("varchar(3000) charset latin1", "ascii", 2690),),
    "past_the_limit": (("varchar(3000) charset latin1", "ascii", 2720),),
    "doubled": (("varchar(3000) charset latin1", "latin", 3000),),
    "repeated": (("varchar(3000) charset latin1", "", 3000),),
    "raw": (("varbinary(3000)", "bytes", 3000),),
    "two": (
        (f"varchar(500) {BIN}", "four_bytes", 500),
        (f"varchar(255) {BIN}", "four_bytes", 255),
    ),
    "mixed": (("int", "int", 0), (f"varchar(700) {BIN}", "four_bytes", 700)),
}
LOAD_TYPES = ("scd1", "cdc", "scd2", "incremental", "snapshot")


def value(chance: random.Random, alphabet: str, length: int) -> Any:
    """A value that does not compress, unless it has no alphabet."""
    if alphabet == "int":
        return chance.randrange(2**31)
    if alphabet == "bytes":
        return chance.randbytes(length)
    if not alphabet:
        return chance.choice("abcdefgh") * length
    return "".join(chance.choices(ALPHABETS[alphabet], k=length))


def quoted(found: Any) -> str:
    if isinstance(found, bytes):
        return f"x'{found.hex()}'"
    return (
        str(found)
        if isinstance(found, int)
        else "'" + found.translate({ord("\\"): "\\\\", ord("'"): "''"}) + "'"
    )


def assert_whole(foreign: Foreign, schema: str) -> None:
    """Each row of the source is in silver with its key, and no other."""
    for name, key in KEYS.items():
        columns = ", ".join(f"k{n}" for n in range(len(key)))
        there = foreign.ask(schema, f"select {columns}, v from `{name}`")
        here = foreign.query(
            f"select {columns}, v from silver.{name} where not is_deleted"
        )
        assert sorted(map(repr, there)) == sorted(map(repr, here)), name


def test_keys_of_any_length_are_loaded_changed_and_deleted(foreign: Foreign) -> None:
    schema, chance = "limit_keys", random.Random(7)
    statements = []
    for name, key in KEYS.items():
        columns = ", ".join(f"k{n} {kind} not null" for n, (kind, *_) in enumerate(key))
        names = ", ".join(f"k{n}" for n in range(len(key)))
        statements.append(
            f"create table `{name}` ({columns}, v int, {CHANGED}, "
            f"primary key ({names}))"
        )
        rows = [[quoted(value(chance, a, n)) for _, a, n in key] for _ in range(4)]
        statements += [
            f"insert ignore into `{name}` ({names}, v) values ({', '.join(row)}, {n})"
            for n, row in enumerate(rows)
        ]
    foreign.create(schema, *statements)
    found = foreign.discover(schema)
    told = {p.table.name: " ".join(p.warnings) for p in found.proposals}
    long = {name for name, line in told.items() if "holds hashes" in line}
    assert long == {*KEYS} - {"short"}
    for name, load_type in zip(KEYS, LOAD_TYPES * 2, strict=False):
        is_tracked = load_type in ("scd2", "snapshot")
        column = {"table": name, "column": "v"}
        kind = {"load_type": load_type, "delete_mode": "key_scan"}
        tracked = {"tracked": "true" if is_tracked else ""}
        seedfile.change(foreign.root, "columns", column, tracked)
        seedfile.change(foreign.root, "tables", {"table": name}, kind)
    foreign.generate()
    for number in range(3):
        result = foreign.run()
        assert (result.state, result.balanced) == ("done", True), [
            (o.table.id, str(o.error)) for o in result.outcomes
        ]
        deleted = {o.table.name: o.batches[-1].rows_deleted for o in result.outcomes}
        assert set(deleted.values()) == {1 if number == 2 else 0}, deleted
        assert_whole(foreign, schema)
        if number == 1:
            for name in KEYS:
                foreign.ask(
                    schema,
                    f"update `{name}` set v = 9, updated_at = '2026-11-02' where v = 1",
                    f"delete from `{name}` where v = 2",
                )
    indexes = dict(
        foreign.query(
            "select tablename, string_agg(indexdef, '; ') from pg_indexes "
            "where schemaname = 'silver' and indexdef like '%%md5%%' group by 1"
        )
    )
    histories = ("cdc", "scd2")
    expected = {
        f"{name}_history" if kind in histories else name
        for name, kind in zip(KEYS, LOAD_TYPES * 2, strict=False)
        if name in long and kind != "snapshot"
    }
    assert {*indexes} == expected


def test_a_key_that_grows_past_the_limit_gets_another_index(foreign: Foreign) -> None:
    schema, chance = "limit_grows", random.Random(8)
    foreign.create(
        schema,
        f"create table t (k varchar(100) primary key, v int, {CHANGED})",
        "insert into t (k, v) values ('a', 1)",
    )
    foreign.discover(schema)
    assert foreign.run().state == "done"
    long = quoted(value(chance, "four_bytes", 760))
    foreign.ask(
        schema,
        "alter table t modify k varchar(768) not null",
        f"insert into t values ({long}, 2, '2026-11-02')",
    )
    result = foreign.run()
    assert result.state == "done", [str(o.error) for o in result.outcomes]
    assert len(foreign.silver("t")) == 2
    assert foreign.run(everything=True).state == "done"


def test_a_key_that_nobody_said_is_long_says_what_to_write(foreign: Foreign) -> None:
    schema, chance = "limit_unsaid", random.Random(9)
    foreign.create(
        schema,
        f"create table t (k varbinary(3000) primary key, v int, {CHANGED})",
        f"insert into t (k, v) values ({quoted(chance.randbytes(2900))}, 1)",
    )
    foreign.discover(schema)
    said = [r for r in foreign.rows("options") if r["option"] == "long_key"]
    assert len(said) == 1
    path = foreign.root / "seeds" / "metadata" / "options.csv"
    path.write_text("source,table,option,value\n")
    foreign.generate()
    (outcome,) = foreign.run(with_build=False).outcomes
    told = str(outcome.error)
    assert "long_key,true" in told
    assert "run again" not in told.lower()
    foreign.add("options", *said)
    assert foreign.run().state == "done"
    assert len(foreign.silver("t")) == 1


# How many columns of which type and value, whether discover says that a row may not
# fit, and whether this one does.
WIDE = {
    "money": (1000, "decimal(9,2)", "1234567.89", True, False),
    "coins": (1000, "decimal(9,2)", "1.00", True, True),
    "numbers": (1020, "bigint", "7", True, False),
    "texts": (150, "varchar(100)", "repeat('x', 100)", False, True),
    "times": (500, "time", "'-12:34:56'", True, True),
}


def test_a_row_that_is_wider_than_a_page_is_reported_with_the_way_out(
    foreign: Foreign,
) -> None:
    schema = "limit_width"
    statements = []
    for name, (count, kind, value, *_) in WIDE.items():
        columns = ", ".join(f"c{n} {kind}" for n in range(count))
        values = ", ".join([value] * count)
        statements += [
            # InnoDB has a narrower limit of its own.
            f"create table {name} (id int primary key, {columns}) engine = myisam",
            f"insert into {name} values (1, {values})",
        ]
    foreign.create(schema, *statements)
    told = {p.table.name: p.warnings for p in foreign.discover(schema).proposals}
    fitting = {name for name, (*_, fits) in WIDE.items() if fits}
    for name, (*_, is_told, _) in WIDE.items():
        assert ("a row may need" in " ".join(told[name])) == is_told, name
    for table in WIDE:
        option = {"source": schema, "table": table, "option": "profile"}
        seedfile.append(foreign.root, "options", [option | {"value": "false"}])
    foreign.generate()
    result = foreign.run()
    assert result.state == "failed"
    errors = {o.table.name: str(o.error) for o in result.outcomes if o.error}
    assert {*errors} == {*WIDE} - fitting
    for error in errors.values():
        assert "Remove columns that are not needed from" in error
        assert "run again" not in error.lower()
    for name in fitting:
        assert len(foreign.silver(name)) == 1
    path = foreign.root / "seeds" / "metadata" / "columns.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(n for n in lines if not re.search(",c[2-9][0-9]*,", n)))
    foreign.generate()
    assert foreign.run().state == "done"
    for name in errors:
        assert len(foreign.silver(name)) == 1


@pytest.mark.parametrize(
    ("kinds", "is_too_wide"),
    [
        (["decimal(9,2)"] * 850, False),
        (["decimal(9,2)"] * 900, True),
        (["integer"] * 1500, False),
        (["date"] * 1500, False),
        (["bigint"] * 980, False),
        (["bigint"] * 1000, True),
        (["boolean", "bigint"] * 480, False),
        (["boolean", "bigint"] * 500, True),
        (["varchar(5)"] * 300, False),
        (["varchar(255)"] * 340, True),
        (["text", "json", "binary"] * 100, False),
    ],
)
def test_the_widest_row_is_known_by_its_types(
    kinds: list[str], is_too_wide: bool
) -> None:
    found = limits.widest(map(types.parse, kinds))
    assert (found > limits.ROW_BYTES) == is_too_wide, found


def test_an_index_of_a_long_text_finds_equal_values(foreign: Foreign) -> None:
    schema = "limit_index"
    long = quoted(value(random.Random(10), "ascii", 9000))
    foreign.create(
        schema,
        "create table t (id int primary key, a text, b varchar(2000), c text, "
        f"{CHANGED})",
        f"insert into t (id, a, b, c) values (1, {long}, 'short', 'short')",
    )
    foreign.discover(schema)
    foreign.edit("tables", {"table": "t"}, load_type="scd1")
    foreign.add(
        "options",
        {"source": schema, "table": "t", "option": "index_columns", "value": "a|b|c"},
    )
    assert foreign.run().state == "done"
    found = foreign.query(
        "select a.attname, am.amname from pg_index i join pg_class c "
        "on c.oid = i.indexrelid join pg_am am on am.oid = c.relam "
        "join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0] "
        "where i.indrelid = 'silver.t'::regclass order by 1"
    )
    assert found == [("a", "hash"), ("b", "hash"), ("c", "btree"), ("id", "btree")]


@pytest.mark.parametrize(
    ("key", "is_long"),
    [
        (["varchar(500)"], False),
        (["varchar(670)"], False),
        (["varchar(680)"], True),
        (["varchar(500)", "varchar(255)"], True),
        (["varchar(330)", "varchar(330)"], False),
        (["integer"] * 16, False),
        (["text"], False),
        (["binary", "text", "text"], False),
        (["decimal(38,10)", "varchar(660)"], False),
    ],
)
def test_a_key_is_long_by_the_lengths_that_its_types_allow(
    key: list[str], is_long: bool
) -> None:
    assert limits.is_too_long(map(types.parse, key)) == is_long
