"""Files as a source: found, read, followed and compared, value by value.

Each run that says done is held against the files by tests/comparator.py, which reads
them on its own.
"""

import gzip
import os
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from ingest import duck, sources
from ingest.errors import SourceError
from ingest.pieces import KeyRange
from orchestration import reconcile
from tests.clone import quiet
from tests.faults.child import Run
from tests.foreign import Foreign

HEAD = "id,name,amount,day,at\n"
FIRST = HEAD + '1,"a ""q"", x",1.50,2026-01-01,2026-01-01 10:00:00\n2,,,,\n3,b,2,,\n'
SECOND = HEAD + '4,"several\nlines",-3.25,2026-01-02,2026-01-02 11:00:00\n5,ü€𝄞,,,\n'


class Source:
    """A folder that is read, and the project that reads it."""

    def __init__(self, foreign: Foreign, path: Path) -> None:
        self.foreign, self.path = foreign, path
        self.age = 1000
        foreign.env["INBOX_URL"] = f"file://{path}"

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file, later than all before it."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.age -= 10
        moment = time.time() - self.age
        os.utime(path, (moment, moment))
        return path

    def write_parquet(self, name: str, rows: str) -> None:
        """Write the rows of a query."""
        path = self.write(name, b"")
        times = path.stat().st_mtime
        with duckdb.connect() as engine:
            engine.execute(f"copy ({rows}) to '{path}' (format parquet)")
        os.utime(path, (times, times))

    def errors(self) -> dict[str, str]:
        """A run's errors by table."""
        result = self.foreign.run(with_build=False)
        return {o.table.name: str(o.error) for o in result.outcomes if o.error}


@pytest.fixture
def source(abroad: Foreign, tmp_path: Path) -> Source:
    abroad.restore("empty")
    abroad.empty()
    folder = tmp_path / "exports"
    folder.mkdir()
    return Source(abroad, folder)


def test_files_are_found_and_followed_with_their_changes(source: Source) -> None:
    source.write("orders/2026-01-01.csv", FIRST)
    source.write("orders/2026-01-02.csv", SECOND)
    source.write("people.csv", "code;name\n007;James\n012;Ann\n")
    source.write(
        "events_1.ndjson",
        '{"id": 1, "ok": true, "tags": ["a", {"b": 2.5}]}\n{"id": 2, "x": "0.5"}\n',
    )
    source.write_parquet(
        "sales/year=2026/month=01/part.parquet",
        "select n as id, n * 1.25::decimal(9,2) as total, 'é' as text, [n, 2] as list, "
        "timestamp '2026-01-01' + to_days(n::int) as made, n % 2 = 0 as even "
        "from range(3000) as r(n)",
    )
    source.write("notes.txt", "nothing to read")
    found = source.foreign.discover("inbox")
    chosen = {p.table.name: p.choice for p in found.proposals}
    assert {*chosen} == {
        "orders/*.csv",
        "people.csv",
        "events_*.ndjson",
        "sales/**/*.parquet",
    }
    assert {c.watermark for c in chosen.values()} == {"_modified"}
    assert {c.delete_mode for c in chosen.values()} == {"key_scan"}
    columns = source.foreign.rows("columns")
    kinds = {(r["table"], r["column"]): r["data_type"] for r in columns}
    assert [kinds["orders/*.csv", n] for n in ("id", "amount", "day", "at")] == [
        "bigint",
        "decimal(38,10)",
        "date",
        "timestamp",
    ]
    assert kinds["people.csv", "code"] == "text", "zeros in front are part of it"
    assert kinds["sales/**/*.parquet", "list"] == "json"
    (option,) = (
        r for r in source.foreign.rows("options") if r["table"] == "people.csv"
    )
    assert option["value"].startswith("delimiter=; ")
    source.foreign.run_well()
    source.foreign.run_well()
    source.write("orders/2026-01-01.csv", FIRST.replace("3,b", "33,bb"))
    source.write("orders/2026-01-02.csv", HEAD + "4,one,1,,\n")
    source.write("orders/2026-01-03.csv", HEAD + "6,new,,,\n")
    source.write("events_2.ndjson", '{"id": 3}\n')
    source.foreign.run_well()
    rows = source.foreign.silver("orders_csv")
    assert {r["id"] for r in rows} == {1, 2, 33, 4, 6}
    assert {(r["file"], r["line"]) for r in rows if r["id"] == 33} == {
        ("orders/2026-01-01.csv", 3)
    }
    (source.path / "orders/2026-01-01.csv").unlink()
    source.foreign.run_well()
    assert {r["id"] for r in source.foreign.silver("orders_csv")} == {4, 6}
    with source.foreign.inside():
        for finding in reconcile.run(source.foreign.tables("inbox.*"), quiet):
            assert finding.is_equal, finding


def test_an_empty_field_is_null_and_one_in_quotes_an_empty_text(
    source: Source,
) -> None:
    source.write("t.csv", 'id,text\n1,\n2,""\n')
    source.foreign.discover("inbox")
    with source.foreign.knowingly_different("Python's reader can't tell them apart"):
        source.foreign.run_well()
    rows = source.foreign.silver("t_csv")
    assert {r["id"]: r["text"] for r in rows} == {1: None, 2: ""}


def test_a_header_that_changes_is_followed_or_stops_the_table(source: Source) -> None:
    source.write("t_1.csv", "id,name,size\n1,a,b\n")
    source.write("u.csv", "id\n1\n")
    source.foreign.discover("inbox")
    source.foreign.run_well(with_build=False)
    source.write("t_2.csv", "name,id,size,more\nc,2,d,e\n")
    source.foreign.run_well(with_build=False)
    names = [
        r["name"] for r in source.foreign.rows("columns") if r["table"] == "t_*.csv"
    ]
    assert "more" in names
    source.write("t_3.csv", "id,size,more\n3,d,e\n")
    source.write("u.csv", "id\n1\n2\n")
    errors = source.errors()
    assert [*errors] == ["t_*.csv"]
    assert "column name is no longer in the source" in errors["t_*.csv"]
    assert source.foreign.value("select count(*) from bronze.inbox__u_csv") == 3
    source.write("t_3.csv", "id,name,size,more\n3,,d,e\n")
    source.foreign.run_well(with_build=False)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t_2.csv", "id,name\n2,b\n3,c,d\n", "file t_2.csv, line 3, can't be read"),
        ("t_2.csv", "id,name\n2,b\n3\n", "file t_2.csv, line 3, can't be read"),
        ("t_2.csv", b"id,name\n2,b\xff\n", "file t_2.csv, line 2, can't be read"),
        ("t_2.csv", b"%PDF-1.4\n%\xe2\xe3\n1 0 obj\n", "file t_2.csv has none of"),
    ],
)
def test_a_bad_file_is_one_clear_error_and_loses_nothing(
    source: Source, name: str, content: str | bytes, words: str
) -> None:
    source.write("t_1.csv", "id,name\n1,a\n")
    source.write("u.csv", "id\n1\n")
    source.foreign.discover("inbox")
    source.foreign.run_well(with_build=False)
    bad = source.write(name, content)
    source.write("u.csv", "id\n1\n2\n")
    errors = source.errors()
    assert [*errors] == ["t_*.csv"], errors
    told = errors["t_*.csv"]
    assert words in told
    assert "hint: " in told
    assert source.foreign.value("select count(*) from bronze.inbox__t__csv") == 1
    assert source.foreign.value("select count(*) from bronze.inbox__u_csv") == 3
    bad.unlink()
    source.foreign.run_well(with_build=False)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t_2.ndjson", '{"id": 2}\n{"id":\n', "file t_2.ndjson, line"),
        ("t_2.parquet", "no Parquet at all", "file t_2.parquet can't be read"),
    ],
)
def test_a_file_of_no_such_format_is_one_clear_error(
    source: Source, name: str, content: str, words: str
) -> None:
    ending = name.partition(".")[2]
    if ending == "ndjson":
        source.write("t_1.ndjson", '{"id": 1}\n')
    else:
        source.write_parquet("t_1.parquet", "select 1 as id")
    source.foreign.discover("inbox")
    source.foreign.run_well(with_build=False)
    bad = source.write(name, content)
    (told,) = source.errors().values()
    assert words in told
    bad.unlink()
    source.foreign.run_well(with_build=False)


def test_what_is_not_there_is_one_clear_error_and_loses_nothing(
    source: Source,
) -> None:
    path = source.write("t.csv", "id,name\n1,a\n")
    source.write("u.csv", "id\n1\n")
    source.foreign.discover("inbox")
    source.foreign.run_well(with_build=False)
    source.foreign.env["SEEDBED_RETRY_SECONDS"] = "0"
    path.rename(path.with_suffix(".part"))
    errors = source.errors()
    assert [*errors] == ["t.csv"]
    assert "there is no table 't.csv' in schema exports" in errors["t.csv"]
    path.with_suffix(".part").rename(path)
    source.path.rename(source.path.with_name("away"))
    assert all("there is no folder" in e for e in source.errors().values())
    source.path.with_name("away").rename(source.path)
    source.foreign.run_well(with_build=False)


def test_a_file_that_changes_while_it_is_read_fails_its_batch(source: Source) -> None:
    source.write("t.csv", "id\n" + "".join(f"{n}\n" for n in range(5000)))
    source.foreign.discover("inbox")
    (table,) = source.foreign.tables("inbox.t_csv")
    kind = sources.of(table.source)
    with source.foreign.inside(), duck.attached(table.source) as engine:

        def read() -> None:
            with kind.snapshot(engine):
                (rows,) = kind.rows(engine, table, KeyRange().within(table))
                assert duck.scalar(engine, f"select count(*) from ({rows})") == 5000
                source.write("other.csv", "id\n1\n")
                source.write("t.csv", "id\n1\n")

        with pytest.raises(SourceError, match=r"t\.csv was changed while it was read"):
            read()


def test_rows_have_their_number_in_the_file_whatever_its_size(source: Source) -> None:
    lines = "".join(f"{n},{'x' * 50}\n" for n in range(1, 60_001))
    source.write("t.csv", "id,text\n" + lines)
    source.write("u.csv.gz", gzip.compress(("id,text\n" + lines).encode()))
    source.foreign.discover("inbox")
    with source.foreign.knowingly_different("they are compared here"):
        source.foreign.run_well(with_build=False)
    for log in ("inbox__t_csv", "inbox__u_csv_gz"):
        assert source.foreign.query(
            f"select count(*), count(distinct line) from bronze.{log} where id = line"
        ) == [(60_000, 60_000)]


def test_a_key_and_a_watermark_of_the_data_s_own(source: Source) -> None:
    head = "id,name,updated_at\n"
    source.write("t_1.csv", f"{head}1,a,2026-01-01 00:00:00\n2,b,2026-01-02 00:00:00\n")
    source.foreign.discover("inbox")
    here = {"source": "inbox", "table": "t_*.csv"}
    off = {"key_position": ""}
    source.foreign.edit_all(
        ("columns", here | {"column": "_file"}, off),
        ("columns", here | {"column": "_line"}, off),
        (
            "columns",
            here | {"column": "id"},
            {"key_position": "1", "nullable": "false"},
        ),
        ("tables", here, {"watermark_column": "updated_at"}),
    )
    source.foreign.run_well(with_build=False)
    (source.path / "t_1.csv").unlink()
    source.write("t_2.csv", f"{head}2,c,2026-01-03 00:00:00\n3,d,2025-01-01 00:00:00\n")
    source.foreign.run_well(with_build=False)
    source.foreign.run_well(with_build=False)


@pytest.mark.parametrize("point", ["before_manifest", "in_load"])
@pytest.mark.fault(7, 8, 9)
def test_killed_at_a_point_the_next_run_heals(source: Source, point: str) -> None:
    lines = "".join(f"{n},first\n" for n in range(1, 5001))
    source.write("t_1.csv", "id,name\n" + lines)
    source.write("t_2.csv", "id,name\n" + lines)
    source.foreign.discover("inbox")
    source.foreign.run_well(with_build=False)
    source.write("t_1.csv", "id,name\n" + lines.replace("7,first\n", "7,other\n"))
    source.write("t_2.csv", "id,name\n1,first\n")
    here = {"source": "inbox", "table": "t_*.csv", "option": "max_delete_ratio"}
    source.foreign.add("options", here | {"value": "1"})
    Run(
        source.foreign, env={"SEEDBED_FAILPOINT": point}, with_build=False
    ).assert_killed()
    source.foreign.run_well(with_build=False)
    source.foreign.run_well(with_build=False)


def test_files_of_a_bucket_are_read_by_the_settings_of_the_lake(
    source: Source,
) -> None:
    client = source.foreign.s3()
    for name, text in (("a", FIRST), ("b", SECOND)):
        key = f"inbox/orders/{name}.csv"
        client.put_object(Bucket="lake", Key=key, Body=text.encode())
    source.foreign.env["INBOX_URL"] = "s3://lake/inbox"
    found = source.foreign.discover("inbox")
    assert {p.table.name for p in found.proposals} == {"orders/a.csv", "orders/b.csv"}
    with source.foreign.knowingly_different("the comparator reads no bucket"):
        source.foreign.run_well()
    rows = {r["line"]: r for r in source.foreign.silver("orders_a_csv")}
    assert (len(rows), rows[1]["id"], rows[1]["amount"]) == (3, 1, Decimal("1.5"))
    assert rows[1]["at"] == datetime(2026, 1, 1, 10)
    client.delete_object(Bucket="lake", Key="inbox/orders/a.csv")
    with source.foreign.knowingly_different("the comparator reads no bucket"):
        errors = source.errors()
    assert [*errors] == ["orders/a.csv"], errors
    assert "there is no table 'orders/a.csv'" in errors["orders/a.csv"]
