"""Every type that may be a key: what is deleted and what comes back, no more.

The server is the one of tests/foreign.py. Each type is a table's key, and the second
column of another's; one run takes them all.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from ingest.seed import seedfile
from orchestration import reconcile
from orchestration.runner import Run
from tests.clone import quiet
from tests.foreign import Foreign

pytestmark = pytest.mark.long

NINES = "9" * 65
# A key's declaration and three values of it, as SQL; the second is deleted and comes
# back. A `+` begins what MariaDB alone knows.
KEYS: dict[str, tuple[str, str, str, str]] = {
    "k_flag": ("tinyint(1)", "0", "1", "null"),
    "k_tiny": ("tinyint", "-128", "0", "127"),
    "k_tiny_u": ("tinyint unsigned", "0", "128", "255"),
    "k_small_u": ("smallint unsigned", "0", "40000", "65535"),
    "k_medium_u": ("mediumint unsigned", "0", "1", "16777215"),
    "k_whole": ("int", "-2147483648", "0", "2147483647"),
    "k_whole_u": ("int unsigned", "0", "3000000000", "4294967295"),
    "k_padded": ("int(8) unsigned zerofill", "1", "42", "100000000"),
    "k_big": ("bigint", "-9223372036854775808", "0", "9223372036854775807"),
    "k_big_u": ("bigint unsigned", "0", "9223372036854775808", "18446744073709551615"),
    "k_money": ("decimal(12,2)", "-9999999999.99", "0.10", "1.00"),
    "k_money_u": ("decimal(10,0) unsigned", "9999999999", "0", "5"),
    "k_money_9": ("decimal(9,0)", "-999999999", "0", "999999999"),
    "k_whole_38": ("decimal(38,0)", NINES[:38], "0", "-" + NINES[:38]),
    "k_fine_38": ("decimal(38,30)", "99999999.1", "1e-30", "-1.5"),
    "k_whole_39": ("decimal(39,0)", NINES[:39], "0", "-" + NINES[:39]),
    "k_whole_39u": ("decimal(39,0) unsigned", NINES[:39], "0", "12"),
    "k_fine_50": ("decimal(50,10)", "1.5", "2.5", "3.5"),
    "k_whole_65": ("decimal(65,0)", NINES, NINES[:64], "-" + NINES),
    "k_fine_65": ("decimal(65,30)", f"{NINES[:35]}.{NINES[:30]}", "-1e-30", "0"),
    "k_single": ("float", "0.1", "16777216", "-1e30"),
    "k_precise": ("double", "0.1", "1.7976931348623157e308", "-2.5"),
    "k_bits_1": ("bit(1)", "b'0'", "b'1'", "null"),
    "k_bits_9": ("bit(9)", "0", "b'101010101'", "1"),
    "k_bits_40": ("bit(40)", "0", "1099511627775", "92"),
    "k_bits_64": ("bit(64)", "0", "18446744073709551615", "9223372036854775807"),
    "k_fixed": ("char(20)", "''", "'a  '", "'NULL'"),
    "k_varying": ("varchar(40)", r"''", r"' a''\"\\ '", "'😀€'"),
    "k_by_bytes": ("varchar(20) collate utf8mb4_bin", "'a'", "'A'", "'é'"),
    "k_any_case": ("varchar(20) collate utf8mb4_general_ci", "'Ab'", "'é'", "'x'"),
    "k_latin": ("varchar(20) character set latin1", "'é'", "'ÿ'", "'a'"),
    "k_latin_bin": (
        "char(9) character set latin1 collate latin1_bin",
        "'É'",
        "'é'",
        "'ß'",
    ),
    "k_wide_chars": ("varchar(20) character set utf16", "'é'", "'€'", "'a'"),
    "k_cyrillic": ("varchar(20) character set cp1251", "'Привет'", "'мир'", "'a'"),
    "k_long_text": ("text", "'a'", "'😀'", "'Z'"),
    "k_one_of": ("enum('a','B','ö,\"b\"')", "'a'", "'ö,\"b\"'", "'B'"),
    "k_one_of_bin": ("enum('a','A') collate utf8mb4_bin", "'a'", "'A'", "null"),
    "k_some_of": ("set('x','y','ö')", "''", "'x,ö'", "'y'"),
    "k_bytes_4": ("binary(4)", "'ab'", "unhex('00ff0000')", "''"),
    "k_bytes_any": ("varbinary(30)", "unhex('ff00')", "unhex('00')", "''"),
    "k_blob": ("blob", "unhex('ff00')", "unhex('00')", "''"),
    "k_day": ("date", "'1000-01-01'", "'2024-02-29'", "'9999-12-31'"),
    "k_moment": ("datetime", "'1000-01-01'", "'2026-03-29 02:30:00'", "'9999-12-31'"),
    "k_moment_3": (
        "datetime(3)",
        "'2024-02-29 12:00:00.001'",
        "'2024-02-29'",
        "'1999-1-1'",
    ),
    "k_moment_6": (
        "datetime(6)",
        "'2024-1-1 0:0:0.000001'",
        "'2024-1-1'",
        "'1999-1-1'",
    ),
    "k_instant": (
        "timestamp",
        "'1970-01-01 00:00:01'",
        "'2026-03-29 01:30'",
        "'2038-1-1'",
    ),
    "k_instant_6": (
        "timestamp(6)",
        "'2026-03-29 1:30:0.000001'",
        "'2026-1-1'",
        "'2000-1-1'",
    ),
    "k_lasting": ("time", "'-838:59:59'", "'00:00:01'", "'838:59:59'"),
    "k_lasting_6": ("time(6)", "'-00:00:00.000001'", "'24:00:00'", "'1:2:3.4'"),
    "k_in_year": ("year", "1901", "2155", "2026"),
    "k_uuid": ("+uuid", "uuid()", "'ffffffff-ffff-ffff-ffff-ffffffffffff'", "uuid()"),
    "k_inet_6": ("+inet6", "'::'", "'ffff::1'", "'::ffff:1.2.3.4'"),
    "k_inet_4": ("+inet4", "'0.0.0.0'", "'255.255.255.255'", "'10.0.0.1'"),
}

ALONE = "tiny_u big_u big whole_u bits_40 bits_64 in_year fine_50 long_text".split()


def on_mariadb(foreign: Foreign) -> bool:
    """Whether the server is MariaDB."""
    return "MariaDB" in foreign.ask("", "select version()")[0][0]


def tables_of(foreign: Foreign, nightly: bool) -> dict[str, list[str]]:
    """The tables: several kinds of key behind another column, and each alone.

    By day only those are alone whose ranges are compared before their keys are.
    """
    kinds = [k for k, v in KEYS.items() if on_mariadb(foreign) or v[0][0] != "+"]
    alone = [k for k in kinds if nightly or k[2:] in ALONE]
    tables = {f"only_{kind}": [kind] for kind in alone}
    short = [k for k in kinds if KEYS[k][0] not in ("text", "blob")]
    for number in range(0, len(short), 9):
        tables[f"second_{number}"] = short[number : number + 9]
    return tables


def value(kind: str, row: int) -> str:
    """The value of a kind in one of the three rows."""
    values = KEYS[kind][1:]
    return values[0] if values[row] == "null" else values[row]


def held(kind: str, row: int) -> str:
    """That value as the source keeps it: CHAR has no blanks at its end."""
    found = value(kind, row)
    return f"rtrim({found})" if KEYS[kind][0].startswith("char") else found


def row_of(kinds: list[str], row: int, said: str) -> str:
    """A table's row as SQL."""
    values = [value(kind, row) for kind in kinds]
    number = [] if len(kinds) == 1 else [str(row // 2)]
    return f"({', '.join([*number, *values, repr(said)])}, '2026-11-01')"


def make(
    foreign: Foreign, schema: str, by_query: bool, nightly: bool
) -> dict[str, list[str]]:
    """The tables, described by discover, each with its key; their kinds by name."""
    tables = tables_of(foreign, nightly)
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
    return tables


def rows_of(kinds: list[str]) -> int:
    """How many rows a table has: of few values, two."""
    return 2 if len(kinds) == 1 and "null" in KEYS[kinds[0]] else 3


def counts(result: Run, *names: str) -> dict[str, tuple[int, ...]]:
    """What the last batch of each table counted, by table; reports errors first."""
    found = {}
    assert [str(o.error) for o in result.outcomes if o.error] == []
    for outcome in result.outcomes:
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
def test_a_key_of_any_type(foreign: Foreign, by_query: bool, nightly: bool) -> None:
    schema = f"key_types_{'query' if by_query else 'scan'}"
    tables = make(foreign, schema, by_query, nightly)

    def run(**expected: Mapping[str, int] | int) -> None:
        found = counts(foreign.run(with_build=False), *expected)
        for n, (name, want) in enumerate(expected.items()):
            got = {t: values[n] for t, values in found.items()}
            wanted = dict.fromkeys(tables, want) if isinstance(want, int) else want
            assert got == wanted, name

    every = {table: rows_of(kinds) for table, kinds in tables.items()}
    run(rows_read=every, rows_written=every, rows_deleted=0, rows_rejected=0)
    run(rows_written=0, rows_deleted=0, rows_rejected=0)
    last = [f"{kinds[-1]} = {held(kinds[-1], 1)}" for kinds in tables.values()]
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
