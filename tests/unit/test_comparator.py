"""The comparator of the tests sees each difference, and none where there is none."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests import comparator
from tests.comparator import BLANK, SourceType, Unfit, canonical, same, shown

POINT = bytes.fromhex("0101000000000000000000f03f00000000000000c0")
SRID = (3857).to_bytes(4, "little")
EWKB = POINT[:4] + b"\x20" + SRID + POINT[5:]

# A source's type, what its server says, the type in the seed; what a warehouse may
# show of it, and what it may not.
VALUES: list[tuple[str, Any, str, list[Any], list[Any]]] = [
    ("tinyint", "1", "boolean", [True], [False, None, 1]),
    ("bit", b"\x00", "boolean", [False], [True, None, 0]),
    ("tinyint", "-128", "integer", [-128], [128, -127, True, Decimal(-128)]),
    ("int", "0", "integer", [0], [False, None, 1]),
    ("bigint", "9223372036854775807", "bigint", [2**63 - 1], [2**63 - 2, float(2**63)]),
    (
        "bigint",
        "18446744073709551615",
        "decimal(20,0)",
        [Decimal(2**64 - 1)],
        [Decimal(2**64 - 2), Decimal(-1), None],
    ),
    (
        "decimal",
        "9" * 35 + "." + "9" * 30,
        "decimal(65,30)",
        [Decimal("9" * 35 + "." + "9" * 30)],
        [Decimal(10**35), Decimal("9" * 35 + "." + "9" * 29)],
    ),
    ("decimal", "-0.00", "decimal(12,2)", [Decimal(0)], [Decimal("0.01"), None]),
    (
        "float",
        "0.10000000149011612",
        "double",
        [0.10000000149011612],
        [0.1, None],
    ),
    ("double", "1e308", "double", [1e308], [1.0000000000000002e308, float("inf")]),
    ("bit", b"\x01\x55", "integer", [341], [340, 0x5501]),
    ("bit", b"\xff" * 8, "decimal(20,0)", [Decimal(2**64 - 1)], [Decimal(-1)]),
    ("varchar", " a  ", "varchar(9)", [" a  "], [" a", "a", "", None, " A  "]),
    ("text", "", "text", [""], [None, " "]),
    ("char", "é😀", "text", ["é😀"], ["é", "e\u0301😀", "?"]),
    ("enum", "ö", "text", ["ö"], ["o", "", None]),
    ("set", "x,y", "text", ["x,y"], ["y,x", "x"]),
    ("uuid", "a-b", "varchar(36)", ["a-b"], ["A-B"]),
    ("binary", b"ab\0\0", "binary", [b"ab\0\0"], [b"ab", b"", None, b"ab\0\1"]),
    ("blob", b"", "binary", [b""], [None, b"\0"]),
    ("date", "0001-01-01", "date", [date(1, 1, 1)], [date(1, 1, 2), None]),
    ("date", "2024-12-00", "date", [None], [date(2024, 12, 1)]),
    ("datetime", "0000-00-00 00:00:00", "timestamp", [None], [datetime(1, 1, 1)]),
    (
        "datetime",
        "9999-12-31 23:59:59.999999",
        "timestamp",
        [datetime(9999, 12, 31, 23, 59, 59, 999999)],
        [datetime(9999, 12, 31, 23, 59, 59), None],
    ),
    (
        "timestamp",
        "2026-03-29 01:30:00.000001",
        "timestamptz",
        [datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=UTC)],
        [
            datetime(2026, 3, 29, 2, 30, 0, 1, tzinfo=UTC),
            datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        ],
    ),
    (
        "time",
        "-838:59:58.999999",
        "duration",
        [-timedelta(hours=838, minutes=59, seconds=58, microseconds=999999)],
        [timedelta(hours=838, minutes=59, seconds=58, microseconds=999999), None],
    ),
    ("time", "23:59:59", "time", [time(23, 59, 59)], [time(23, 59), None]),
    ("year", "2155", "integer", [2155], [1955]),
    (
        "json",
        '{"b": [1, 2.50, null], "a": "\\u00fc", "c": 12345678901234567890123}',
        "json",
        ['{"a":"ü","c":12345678901234567890123,"b":[1.0,2.5,null]}'],
        [
            '{"a":"ü","c":12345678901234567890123,"b":[1,2.5]}',
            '{"a":"ü","c":12345678901234567890124,"b":[1,2.5,null]}',
            '{"a":"ü","b":[1,2.5,null]}',
            "null",
            None,
        ],
    ),
    ("json", "null", "json", ["null"], [None, '"null"', "0"]),
    ("point", b"\0\0\0\0" + POINT, "geometry", [POINT], [POINT[:-1] + b"\1", EWKB]),
    ("point", SRID + POINT, "geometry", [EWKB], [POINT, EWKB[:-1] + b"\1"]),
]


def expected(kind: str, raw: Any, seed: str) -> Any:
    """The source's value as the seed has it."""
    value = canonical(SourceType(kind).read(raw), seed)
    return None if value is BLANK else value


@pytest.mark.parametrize(("kind", "raw", "seed", "equal", "others"), VALUES)
def test_a_value_is_itself_and_no_other(
    kind: str, raw: Any, seed: str, equal: list[Any], others: list[Any]
) -> None:
    wanted = expected(kind, raw, seed)
    for value in equal:
        assert same(wanted, shown(value, seed)), value
    for value in others:
        assert not same(wanted, shown(value, seed)), value


@pytest.mark.parametrize(("kind", "raw", "seed", "equal", "others"), VALUES)
def test_null_is_null_alone(
    kind: str, raw: Any, seed: str, equal: list[Any], others: list[Any]
) -> None:
    assert same(expected(kind, None, seed), shown(None, seed))
    for value in equal:
        assert value is None or not same(None, shown(value, seed))


@pytest.mark.parametrize(
    ("kind", "raw", "seed"),
    [
        ("tinyint", "2", "boolean"),
        ("bigint", "2147483648", "integer"),
        ("bigint", "-2147483649", "integer"),
        ("decimal", "1.5", "integer"),
        ("decimal", "1.255", "decimal(20,2)"),
        ("decimal", "100000", "decimal(5,0)"),
        ("varchar", "12.7", "integer"),
        ("varchar", "", "integer"),
        ("varchar", "maybe", "boolean"),
        ("varchar", "abcd", "varchar(3)"),
        ("text", "a\0", "text"),
        ("varbinary", b"\xff", "text"),
        ("datetime", "2024-01-01 00:00:01", "date"),
        ("time", "24:00:00", "time"),
        ("time", "-00:00:01", "time"),
        ("text", "[NaN]", "json"),
        ("text", "[1e999999]", "json"),
        ("text", '{"a": ["\\u0000"]}', "json"),
        ("text", "[1,]", "json"),
        ("text", "", "json"),
        ("varbinary", b"x", "geometry"),
    ],
)
def test_a_value_that_its_type_has_no_place_for_must_be_rejected(
    kind: str, raw: Any, seed: str
) -> None:
    with pytest.raises(Unfit):
        canonical(SourceType(kind).read(raw), seed)


def test_what_a_reject_shows_finds_its_row() -> None:
    shown_as = {
        "2026-01-02 03:04:05": datetime(2026, 1, 2, 3, 4, 5),
        "2026-01-02T03:04:05.670000": datetime(2026, 1, 2, 3, 4, 5, 670000),
        "a␀b": "a\0b",
        "1.50": Decimal("1.5"),
        "true": True,
        "-838:59:59": -timedelta(hours=838, minutes=59, seconds=59),
        "\\x00A": b"\0A",
    }
    for text, value in shown_as.items():
        told: Any = True if text == "true" else text
        assert comparator._plain_text(told) == comparator._plain_text(value)
