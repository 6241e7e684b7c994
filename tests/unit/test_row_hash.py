"""A row's hash: other for other rows, the same for rows of before, wherever made."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import duckdb
import pytest

from ingest import duck, settings
from ingest.errors import ConfigurationError
from ingest.seed import metadata, types
from ingest.seed.metadata import Column
from ingest.standardise import row_hash

# Values of each type that are easily taken for one another.
ALIKE = {
    "boolean": ["true", "false"],
    "integer": ["0", "1", "-1", "256", "65536"],
    "bigint": ["0", "1", "-1", "4294967296", "9223372036854775807"],
    "double": ["0", "'-0.0'", "1", "0.1", "1e300", "1e-300"],
    "decimal(12,2)": ["0", "0.01", "1", "-1", "9999999999.99"],
    "decimal(38,2)": ["0", "0.01", "1", "-1", "123456789012345678901234567890.12"],
    "decimal(45,2)": ["'0.00'", "'0.01'", f"'{10**42}.00'", f"'{10**42}.01'"],
    "varchar(20)": ["''", "' '", "'a'", "'A'", "'a '", "'ä'", "'a' || chr(0)"],
    "text": ["''", "'a'", "'b'", "'a' || chr(31) || 'b'", "repeat('a', 5000)"],
    "date": ["'1970-01-01'", "'1970-01-02'", "'0001-01-01'"],
    "time": ["'00:00:00'", "'00:00:01'", "'00:00:00.000001'"],
    "timestamp": ["'1970-01-01'", "'1970-01-01 00:00:00.000001'"],
    "timestamptz": ["'1970-01-01 00:00:00+00'", "'1970-01-01 00:00:00+01'"],
    "json": ["'{}'", "'[]'", "'null'", "'0'"],
    "binary": [r"''", r"'\x00'", r"'a'", r"'\x00 of more bytes'"],
}
# The hashes of the second and the last of each.
IN_LOGS = {
    "boolean": (104471286280644947, 104471286280644947),
    "integer": (3241555106850024321, 8698476210350550387),
    "bigint": (3241555106850024321, 8846807342066554679),
    "double": (6912555042472136904, 6617297358113967811),
    "decimal(12,2)": (5138798375817998545, 9163613515151905082),
    "decimal(38,2)": (5138798375817998545, 8942958153102616105),
    "decimal(45,2)": (5138798375817998545, 5291914349956414900),
    "varchar(20)": (3102399722228423816, 7741580550549770101),
    "text": (4606342147816532673, 3781596026282573012),
    "date": (3241555106850024321, 1170716603670915507),
    "time": (1048049476514314848, 3241555106850024321),
    "timestamp": (3241555106850024321, 3241555106850024321),
    "timestamptz": (4270666185584106413, 4270666185584106413),
    "json": (8052826408180521878, 4624819095372368977),
    "binary": (6101128299674888874, 7908662611686927705),
}


def column(name: str, kind: str) -> Column:
    like = metadata.load(settings.ROOT)[0].columns[0]
    return replace(like, name=name, source_name=name, type=types.parse(kind))


def hashes(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """The hash of each row of values, which are SQL."""
    kinds = [c.type.duckdb for c in columns]
    values = ", ".join(
        f"({', '.join(f'({v})::{k}' for k, v in zip(kinds, row, strict=True))})"
        for row in rows
    )
    names = ", ".join(duck.quoted(c.name) for c in columns)
    with duckdb.connect() as engine:
        engine.execute("set timezone = 'UTC'")
        query = f"select {row_hash(columns)} from (values {values}) as t ({names})"
        return [row[0] for row in engine.execute(query).fetchall()]


@pytest.mark.parametrize("kind", ALIKE)
def test_no_two_rows_are_hashed_alike(kind: str) -> None:
    """Nor where two columns have the same, or each other's, values."""
    columns = [column(name, kind) for name in ("a", "b", "c")]
    values = ["null", *ALIKE[kind]][:6]
    rows = list(itertools.product(values, repeat=3))
    assert len({*hashes(columns, rows)}) == len(rows)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("integer", "bigint"),
        ("decimal(12,2)", "decimal(20,2)"),
        ("decimal(12,2)", "decimal(38,2)"),
        ("decimal(12,2)", "decimal(45,2)"),
        ("decimal(38,2)", "decimal(45,2)"),
        ("varchar(20)", "text"),
    ],
)
def test_a_wider_type_and_a_column_without_values_change_no_hash(
    old: str, new: str
) -> None:
    rows = [[value] for value in ALIKE[old]]
    before = hashes([column("a", old)], rows)
    if new == "decimal(45,2)":  # a text of just as many digits behind the point
        rows = [[f"({value})::{old}::varchar"] for (value,) in rows]
    wider = hashes([column("a", new)], rows)
    longer = hashes(
        [column("new", "text"), column("a", new)], [["null", *row] for row in rows]
    )
    assert before == wider == longer


def test_a_row_of_many_columns_has_a_hash() -> None:
    columns = [column(f"c{n}", "integer") for n in range(3000)]
    one, other = ["1"] * 3000, ["1"] * 2999 + ["2"]
    assert len({*hashes(columns, [one, other])}) == 2


@pytest.mark.parametrize("kind", ALIKE)
def test_hashes_are_those_that_logs_have(kind: str) -> None:
    """A version of DuckDB that fails this must not be taken as it is."""
    rows = [[ALIKE[kind][n]] for n in (1, -1)]
    assert tuple(hashes([column("a", kind)], rows)) == IN_LOGS[kind]


def test_a_duckdb_of_other_hashes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duck, "_HASH", 1)
    with duckdb.connect() as engine, pytest.raises(ConfigurationError, match="hashes"):
        duck._assert_hash(engine)
