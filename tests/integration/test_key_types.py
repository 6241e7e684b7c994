"""Every type that may be a key: what is deleted and what comes back, no more.

The server is the one of tests/foreign.py. Each type is a table's key, and the second
column of another's; one run takes them all.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from ingest import build, reconcile, seedfile
from ingest.pipeline import RunResult
from tests.clone import quiet
from tests.foreign import Foreign

NINES = "9" * 65
# A key's declaration and three values of it, as SQL; the second is deleted and comes
# back. A `+` begins what MariaDB alone knows.
KEYS: dict[str, tuple[str, str, str, str]] = {
    "flag": ("tinyint(1)", "0", "1", "null"),
    "tiny": ("tinyint", "-128", "0", "127"),
    "tiny_u": ("tinyint unsigned", "0", "128", "255"),
    "small_u": ("smallint unsigned", "0", "40000", "65535"),
    "medium_u": ("mediumint unsigned", "0", "1", "16777215"),
    "whole": ("int", "-2147483648", "0", "2147483647"),
    "whole_u": ("int unsigned", "0", "3000000000", "4294967295"),
    "padded": ("int(8) unsigned zerofill", "1", "42", "100000000"),
    "big": ("bigint", "-9223372036854775808", "0", "9223372036854775807"),
    "big_u": ("bigint unsigned", "0", "9223372036854775808", "18446744073709551615"),
    "money": ("decimal(12,2)", "-9999999999.99", "0.10", "1.00"),
    "money_u": ("decimal(10,0) unsigned", "9999999999", "0", "5"),
    "money_9": ("decimal(9,0)", "-999999999", "0", "999999999"),
    "whole_38": ("decimal(38,0)", NINES[:38], "0", "-" + NINES[:38]),
    "fine_38": ("decimal(38,30)", "99999999.1", "1e-30", "-1.5"),
    "whole_39": ("decimal(39,0)", NINES[:39], "0", "-" + NINES[:39]),
    "whole_39u": ("decimal(39,0) unsigned", NINES[:39], "0", "12"),
    "fine_50": ("decimal(50,10)", "1.5", "2.5", "3.5"),
    "whole_65": ("decimal(65,0)", NINES, NINES[:64], "-" + NINES),
    "fine_65": ("decimal(65,30)", f"{NINES[:35]}.{NINES[:30]}", "-1e-30", "0"),
    "single": ("float", "0.1", "16777216", "-1e30"),
    "precise": ("double", "0.1", "1.7976931348623157e308", "-2.5"),
    "bits_1": ("bit(1)", "b'0'", "b'1'", "null"),
    "bits_9": ("bit(9)", "0", "b'101010101'", "1"),
    "bits_40": ("bit(40)", "0", "1099511627775", "92"),
    "bits_64": ("bit(64)", "0", "18446744073709551615", "9223372036854775807"),
    "fixed": ("char(20)", "''", "'a  '", "'NULL'"),
    "varying": ("varchar(40)", r"''", r"' a''\"\\ '", "'😀€'"),
    "by_bytes": ("varchar(20) collate utf8mb4_bin", "'a'", "'A'", "'é'"),
    "any_case": ("varchar(20) collate utf8mb4_general_ci", "'Ab'", "'é'", "'x'"),
    "latin": ("varchar(20) character set latin1", "'é'", "'ÿ'", "'a'"),
    "latin_bin": (
        "char(9) character set latin1 collate latin1_bin",
        "'É'",
        "'é'",
        "'ß'",
    ),
    "wide_chars": ("varchar(20) character set utf16", "'é'", "'€'", "'a'"),
    "cyrillic": ("varchar(20) character set cp1251", "'Привет'", "'мир'", "'a'"),
    "long_text": ("text", "'a'", "'😀'", "'Z'"),
    "one_of": ("enum('a','B','ö,\"b\"')", "'a'", "'ö,\"b\"'", "'B'"),
    "one_of_bin": ("enum('a','A') collate utf8mb4_bin", "'a'", "'A'", "null"),
    "some_of": ("set('x','y','ö')", "''", "'x,ö'", "'y'"),
    "bytes_4": ("binary(4)", "'ab'", "unhex('00ff0000')", "''"),
    "bytes_any": ("varbinary(30)", "unhex('ff00')", "unhex('00')", "''"),
    "blob": ("blob", "unhex('ff00')", "unhex('00')", "''"),
    "day": ("date", "'1000-01-01'", "'2024-02-29'", "'9999-12-31'"),
    "moment": ("datetime", "'1000-01-01'", "'2026-03-29 02:30:00'", "'9999-12-31'"),
    "moment_3": (
        "datetime(3)",
        "'2024-02-29 12:00:00.001'",
        "'2024-02-29'",
        "'1999-1-1'",
    ),
    "moment_6": ("datetime(6)", "'2024-1-1 0:0:0.000001'", "'2024-1-1'", "'1999-1-1'"),
    "instant": (
        "timestamp",
        "'1970-01-01 00:00:01'",
        "'2026-03-29 01:30'",
        "'2038-1-1'",
    ),
    "instant_6": (
        "timestamp(6)",
        "'2026-03-29 1:30:0.000001'",
        "'2026-1-1'",
        "'2000-1-1'",
    ),
    "lasting": ("time", "'-838:59:59'", "'00:00:01'", "'838:59:59'"),
    "lasting_6": ("time(6)", "'-00:00:00.000001'", "'24:00:00'", "'1:2:3.4'"),
    "in_year": ("year", "1901", "2155", "2026"),
    "uuid": ("+uuid", "uuid()", "'ffffffff-ffff-ffff-ffff-ffffffffffff'", "uuid()"),
    "inet_6": ("+inet6", "'::'", "'ffff::1'", "'::ffff:1.2.3.4'"),
    "inet_4": ("+inet4", "'0.0.0.0'", "'255.255.255.255'", "'10.0.0.1'"),
}


def on_mariadb(foreign: Foreign) -> bool:
    """Whether the server is MariaDB."""
    return "MariaDB" in foreign.ask("", "select version()")[0][0]


def tables_of(foreign: Foreign) -> dict[str, list[str]]:
    """The tables: each kind of key alone, and several behind another column."""
    kinds = [k for k, v in KEYS.items() if on_mariadb(foreign) or v[0][0] != "+"]
    tables = {f"a_{kind}": [kind] for kind in kinds}
    short = [k for k in kinds if KEYS[k][0] not in ("text", "blob")]
    for number in range(0, len(short), 9):
        tables[f"b_{number}"] = short[number : number + 9]
    return tables


def value(kind: str, row: int) -> str:
    """The value of a kind in one of the three rows."""
    values = KEYS[kind][1:]
    return values[0] if values[row] == "null" else values[row]


def row_of(kinds: list[str], row: int, said: str) -> str:
    """A table's row as SQL."""
    values = [value(kind, row) for kind in kinds]
    number = [] if len(kinds) == 1 else [str(row // 2)]
    return f"({', '.join([*number, *values, repr(said)])}, '2026-11-01')"


def make(foreign: Foreign, schema: str, by_query: bool) -> dict[str, list[str]]:
    """The tables, described by discover, each with its key; their kinds by name."""
    tables = tables_of(foreign)
    statements = []
    for table, kinds in tables.items():
        number = [] if len(kinds) == 1 else ["n"]
        declared = ["n int not null"] * len(number) + [
            f"{kind} {KEYS[kind][0].lstrip('+')} not null" for kind in kinds
        ]
        length = "(12)" if KEYS[kinds[0]][0] in ("text", "blob") else ""
        statements.append(
            f"create table {table} ({', '.join(declared)}, v varchar(9), updated_at "
            f"datetime not null, primary key ({', '.join([*number, *kinds])}{length}))"
        )
        rows = [row_of(kinds, row, "v") for row in range(rows_of(kinds))]
        statements.append(f"insert into {table} values {', '.join(rows)}")
    foreign.create(schema, *statements)
    foreign.discover(schema)
    for row in foreign.rows("tables"):
        if row["load_type"] != "full":
            continue
        # Told by discover; a person may know better.
        here = {"source": schema, "table": row["table"]}
        cells = {"load_type": "scd1", "watermark_column": "updated_at"}
        cells |= {"delete_mode": "key_scan"}
        seedfile.change(foreign.root, "tables", here, cells)
        kinds = tables[row["table"]]
        names = kinds if len(kinds) == 1 else ["n", *kinds]
        for position, column in enumerate(names, 1):
            cells = {"key_position": str(position), "nullable": "false"}
            seedfile.change(foreign.root, "columns", here | {"column": column}, cells)
    if by_query:
        cells = {"source": schema, "option": "by_query", "value": "true"}
        rows = [cells | {"table": table} for table in tables]
        seedfile.append(foreign.root, "options", rows)
    foreign.generate()
    build.forget()
    return tables


def rows_of(kinds: list[str]) -> int:
    """How many rows a table has: of few values, two."""
    return 2 if len(kinds) == 1 and "null" in KEYS[kinds[0]] else 3


def counts(result: RunResult, *names: str) -> dict[str, tuple[int, ...]]:
    """What the last batch of each table counted, by table; reports errors first."""
    found = {}
    for outcome in result.outcomes:
        assert outcome.error is None, outcome.error
        batch = outcome.batches[-1]
        found[outcome.table.name] = tuple(getattr(batch, name) for name in names)
    return found


def normal(value: Any) -> Any:
    """A key's value in the words of either driver."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return value


def source_keys(foreign: Foreign, schema: str, table: str, kind: str) -> list[Any]:
    """The keys that the source has, in the warehouse's types."""
    declared = KEYS[kind][0]
    column = kind
    if declared.startswith("bit("):
        column = f"{kind} + 0"
    elif declared == "float":
        column = f"{kind} + 0e0"
    rows = foreign.ask(schema, f"select {column} from {table}")
    return sorted((normal(k) for (k,) in rows), key=repr)


@pytest.mark.parametrize("by_query", [False, True])
def test_a_key_of_any_type(foreign: Foreign, by_query: bool) -> None:
    schema = f"key_types_{'query' if by_query else 'scan'}"
    tables = make(foreign, schema, by_query)

    def run(**expected: Mapping[str, int] | int) -> None:
        found = counts(foreign.run(with_build=False), *expected)
        for n, (name, want) in enumerate(expected.items()):
            got = {t: values[n] for t, values in found.items()}
            wanted = dict.fromkeys(tables, want) if isinstance(want, int) else want
            assert got == wanted, name

    every = {table: rows_of(kinds) for table, kinds in tables.items()}
    run(rows_read=every, rows_written=every, rows_deleted=0, rows_rejected=0)
    run(rows_written=0, rows_deleted=0, rows_rejected=0)
    last = [f"{kinds[-1]} = {value(kinds[-1], 1)}" for kinds in tables.values()]
    foreign.ask(
        schema,
        *(f"delete from {t} where {w}" for t, w in zip(tables, last, strict=True)),
    )
    run(rows_written=0, rows_deleted=1)
    run(rows_written=0, rows_deleted=0)
    foreign.ask(
        schema,
        *(f"insert into {t} values {row_of(k, 1, 'w')}" for t, k in tables.items()),
    )
    run(rows_written=1, rows_deleted=0)

    with foreign.inside():
        findings = reconcile.run(foreign.tables(), quiet)
    equal = dict.fromkeys(tables, (None, 0))
    assert {f.table.name: (f.error, f.count) for f in findings} == equal
    assert foreign.run().state == "done"
    for table, kinds in tables.items():
        rows = foreign.silver(table)
        for kind in kinds:
            silver = sorted((normal(row[kind]) for row in rows), key=repr)
            assert silver == source_keys(foreign, schema, table, kind), (table, kind)
