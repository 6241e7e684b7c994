"""Rows of any length, in any number: whole in the log, within a bounded memory."""

import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from tests.clone import neutral_environment
from tests.foreign import Foreign

KB, MB = 1 << 10, 1 << 20
# What a process without rows takes, and three engines each of two tables beside.
BASE = 200 * MB

RUN = """
from pathlib import Path
from ingest import settings, window
from ingest.seed import metadata
from orchestration import runner

tables = metadata.enabled(metadata.load(settings.ROOT))
request = {request}
result = runner.run(tables, command="run", with_build=False, request=request)
for outcome in result.outcomes:
    print(outcome.table.id, outcome.state, outcome.error or "")
# What rusage says begins with the most that the process had that started this one.
(peak,) = (n for n in Path("/proc/self/status").open() if n.startswith("VmHWM"))
print(peak.split()[1])
"""


@dataclass(frozen=True)
class Shape:
    """A table: how its rows are told apart, and how many of which length it has."""

    name: str
    rows: int
    length: int
    kind: str = "longtext"
    columns: int = 1
    key: str = "id int"
    number: str = "n"

    @property
    def names(self) -> list[str]:
        return [f"c{n}" for n in range(self.columns)]

    @property
    def keys(self) -> list[str]:
        return [part.split()[0] for part in self.key.split(", ")]

    @property
    def statements(self) -> list[str]:
        """Declares and fills the table; no two of its values are alike."""
        columns = ", ".join(f"{name} {self.kind}" for name in self.names)
        value = f"repeat(sha2(concat(n, '{{}}'), 256), {-(-self.length // 64)})"
        if self.kind == "json":
            value = f"""concat('["', {value}, '", ', n, ']')"""
        if self.kind.startswith("decimal"):
            value = "concat(n, '.', n, '{}')"
        values = ", ".join(value.format(name) for name in self.names)
        return [
            f"create table {self.name} ({self.key}, {columns}, "
            "updated_at datetime not null, "
            f"primary key ({', '.join(self.keys)}), key (updated_at))",
            f"insert into {self.name} select {self.number}, {values}, '2026-11-01' "
            f"from numbers where n <= {self.rows}",
        ]


WORDS = "concat(if(n % 2, 'é', 'E'), n div 7), n"
QUICK = (
    Shape("articles", 8_000, 6 * KB, "text"),
    Shape("books", 24, 5 * MB // 2),
    Shape("pictures", 16, 5 * MB // 2, "longblob"),
    Shape("one_book", 1, 20 * MB),
    Shape("one_film", 1, 20 * MB, "longblob"),
    Shape("documents", 20, MB, "json"),
    Shape("many_columns", 300, 2 * KB, "text", columns=60),
    Shape("by_words", 40, MB, key="word varchar(20), id int", number=WORDS),
    Shape("by_bytes", 40, MB, key="id varbinary(9)", number="unhex(hex(n))"),
    Shape(
        "by_kind",
        3,
        9 * MB,
        key="id enum('z','a','m')",
        number="elt(n, 'z', 'a', 'm')",
    ),
    Shape("by_day", 30, MB, key="id datetime", number="'2026-01-01' + interval n day"),
    Shape("by_size", 30, MB, key="id decimal(20,3)", number="n * 1.125"),
    Shape("answers", 20_000, 40, "decimal(60,20)", columns=3),
)
LONG = (
    Shape("articles", 50_000, 6 * KB, "text"),
    Shape("more_articles", 130_000, 6 * KB, "text"),
    Shape("books", 500, 5 * MB // 2),
    Shape("one_book", 1, 100 * MB),
    Shape("one_film", 1, 100 * MB, "longblob"),
    Shape("many_columns", 3_000, 2 * KB, "text", columns=60),
)


def fill(clone: Foreign, schema: str, shapes: tuple[Shape, ...]) -> None:
    """Make a schema with a table of each shape, and describe it in the seed."""
    # The server refuses what is longer, and cuts what a function would make of it.
    clone.ask("", f"set global max_allowed_packet = {1 << 30}")
    digits = " union all ".join(f"select {n} as d" for n in range(10))
    powers = " + ".join(f"t{p}.d * {10**p}" for p in range(6))
    tables = ", ".join(f"digits t{p}" for p in range(6))
    most = max(shape.rows for shape in shapes)
    clone.create(
        schema,
        f"create table digits as {digits}",
        "create table numbers (n int primary key) as "
        f"select {powers} + 1 as n from {tables} having n <= {most}",
        *(line for shape in shapes for line in shape.statements),
        "drop table digits, numbers",
    )
    clone.discover(schema)


def run(clone: Foreign, memory: str, request: str = "None") -> tuple[str, int]:
    """Run without a build in a process of its own: what it said, and its peak."""
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(request=request)],
        cwd=clone.root,
        env=neutral_environment()
        | clone.env
        | {"SEEDBED_EMBEDDED": "postgres mariadb s3", "SEEDBED_MEMORY": memory},
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said, _, peak = done.stdout.strip().rpartition("\n")
    return said, int(peak) * KB


def assert_whole(clone: Foreign, schema: str, shape: Shape) -> None:
    """Each byte of the source is in the newest rows of the log."""
    there = {}
    key = ", ".join(f"cast({name} as char)" for name in shape.keys)
    number = shape.kind.startswith("decimal")
    for found in clone.ask(
        schema,
        f"select concat_ws('|', {key}), "
        + ", ".join(
            f"cast({n} as char)" if number else f"sha2({n}, 256)" for n in shape.names
        )
        + f" from {shape.name}",
    ):
        there[str(found[0])] = found[1:]
    text = "convert_to({}::text, 'UTF8')"
    value = f"encode(sha256({'{}' if shape.kind == 'longblob' else text}), 'hex')"
    if number:
        value = "{}::text"
    keys = ", ".join(
        f"convert_from({name}, 'UTF8')" if "binary" in shape.key else f"{name}::text"
        for name in shape.keys
    )
    values = ", ".join(value.format(name) for name in shape.names)
    here = {
        str(found[0]): tuple(found[1:])
        for found in clone.query(
            f"select concat_ws('|', {keys}), {values} from ("
            f"select distinct on ({', '.join(shape.keys)}) * "
            f"from bronze.{schema}__{shape.name} "
            f"order by {', '.join(shape.keys)}, _batch_seq desc) as newest "
            "where _op = 'U'"
        )
    }
    assert here == there, shape.name


def assert_bounded(
    clone: Foreign, schema: str, shapes: tuple[Shape, ...], memory: str, most: int
) -> None:
    requests = ("None", "None", 'window.Request.read("backfill", "2026-11-01")')
    for number, request in enumerate(requests):
        if number == 1:
            for shape in shapes:
                change(clone, schema, shape)
        said, peak = run(clone, memory, request)
        released = [f"{schema}.{shape.name} released" in said for shape in shapes]
        assert all(released), said
        for shape in shapes:
            assert_whole(clone, schema, shape)
        assert peak < most, f"{peak / MB:,.0f} MB in run {number + 1}"


def change(clone: Foreign, schema: str, shape: Shape) -> None:
    """Delete rows at both ends of the table, and change every other one."""
    order = ", ".join(shape.keys)
    rows = max(shape.rows // 5, 1)
    clone.ask(
        schema,
        f"delete from {shape.name} order by {order} limit {rows // 2}",
        f"delete from {shape.name} order by {order} desc limit {rows // 2}",
        f"update {shape.name} set c0 = {changed(shape)}, updated_at = '2026-11-02' "
        f"order by {order} limit {rows}",
    )


def changed(shape: Shape) -> str:
    """SQL for another value of the first column."""
    if shape.kind.startswith("decimal"):
        return "c0 + 1"
    return "concat(' ', c0)" if shape.kind == "json" else "concat(c0, 'x')"


@pytest.mark.long
def test_rows_of_any_length_are_read_within_a_small_memory(foreign: Foreign) -> None:
    fill(foreign, "long_rows_quick", QUICK)
    assert_bounded(foreign, "long_rows_quick", QUICK, "256MB", BASE + 600 * MB)


@pytest.mark.long
def test_tables_of_a_gigabyte_are_read_within_the_usual_memory(
    foreign: Foreign,
) -> None:
    fill(foreign, "long_rows_long", LONG)
    assert_bounded(foreign, "long_rows_long", LONG, "", BASE + 1800 * MB)


def test_where_the_memory_is_too_small_the_setting_is_named(foreign: Foreign) -> None:
    fill(foreign, "long_rows_small", (Shape("one_book", 1, 20 * MB),))
    said, _ = run(foreign, "24MB")
    assert "more than the memory of an engine, 24MB" in said
    assert "Set SEEDBED_MEMORY to" in said
    assert "long_rows_small.one_book failed" in said
    said, _ = run(foreign, os.environ.get("SEEDBED_MEMORY", "512MB"))
    assert "long_rows_small.one_book released" in said
