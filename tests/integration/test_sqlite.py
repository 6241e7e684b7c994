"""SQLite as a source: found, read, followed and compared, value by value.

Each run that says done is held against the source by tests/comparator.py, which reads
the file by Python's own client.
"""

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ingest import duck, sources
from ingest.pieces import KeyRange
from orchestration import reconcile
from tests.clone import quiet
from tests.faults.child import Run
from tests.foreign import Foreign

# A type's column, and values at its ends, as literals.
TYPES: dict[str, tuple[str, list[str]]] = {
    "whole": ("integer", ["-9223372036854775808", "9223372036854775807"]),
    "tiny": ("tinyint", ["1"]),
    "amount": ("decimal(12,2)", ["-9999999999.99", "0.01", "5", "12.34"]),
    "small": ("numeric(10,6)", ["0.000001", "-0.1"]),
    "free": ("numeric", ["12345.6789", "7"]),
    "wild": ("numeric(9,2)", ["'no number'", "1234567890.5", "0.125"]),
    "real": ("real", ["1.7976931348623157e308", "5e-324", "0.1", "0.1 + 0.2", "1e999"]),
    "double": ("double precision", ["-1.1545580616824966e+232", "1"]),
    "text": ("text", ["''", "'a''b\\c\nd'", "'äöü€𝄞'"]),
    "varchar": ("varchar(5)", ["'äöü€𝄞'", "''"]),
    "long": ("varchar(2)", ["'longer than it says'"]),
    "flag": ("boolean", ["0", "1", "true"]),
    "day": ("date", ["'0001-01-01'", "'9999-12-31'"]),
    "moment": ("datetime", ["'2026-07-01 12:00:00.123'", "'2026-07-01T12:00:00Z'"]),
    "epoch": ("datetime", ["1767225600"]),
    "clock": ("time", ["'23:59:59'"]),
    "bytes": ("blob", ["x''", "x'00ff275c'", "'a text'"]),
    "document": ("json", ["'{\"a\": [1, 2.50, null]}'", "'\"x\"'"]),
    "uuid": ("uuid", ["'6f9619ff-8b86-d011-b42d-00c04fc964ff'"]),
    "untyped": ("", ["'x'", "5"]),
    'Mixed Case "Q`': ("text", ["'x'"]),
}


class Source:
    """A file that is read, and the project that reads it."""

    def __init__(self, foreign: Foreign, path: Path) -> None:
        self.foreign, self.path = foreign, path
        foreign.env["LITE_URL"] = f"sqlite://{path}"

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        """Execute statements; the rows of the last one."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            found: list[tuple[Any, ...]] = []
            for statement in statements:
                found = connection.execute(statement).fetchall()
            return found
        finally:
            connection.close()

    def ask_elsewhere(self, statement: str) -> str:
        """Execute a statement in another process; the error, if there is one.

        Two libraries in one process don't see each other's locks.
        """
        program = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=0.2); "
            "c.execute(sys.argv[2]); c.commit()"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(self.path), statement],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stderr


@pytest.fixture
def source(abroad: Foreign, tmp_path: Path) -> Source:
    abroad.restore("empty")
    abroad.empty()
    return Source(abroad, tmp_path / "shop.db")


NOW = "strftime('%Y-%m-%d %H:%M:%f', 'now')"


def test_each_type_at_its_ends_is_the_source_s_or_reported(source: Source) -> None:
    columns = ", ".join(
        '"' + name.replace('"', '""') + f'" {kind}' for name, (kind, _) in TYPES.items()
    )
    source.ask(
        "create table types (id integer primary key, "
        f"updated_at timestamp not null default ({NOW}), {columns})",
        "insert into types default values",
    )
    for name, (_, values) in TYPES.items():
        quoted = '"' + name.replace('"', '""') + '"'
        for value in values:
            source.ask(f"insert into types ({quoted}) values ({value})")
    found = source.foreign.discover("lite")
    (proposal,) = found.proposals
    assert proposal.choice.watermark == "updated_at", proposal.warnings
    kinds = {r["column"]: r["data_type"] for r in source.foreign.rows("columns")}
    assert kinds["wild"] == kinds["epoch"] == kinds["long"] == "text"
    assert (kinds["amount"], kinds["whole"]) == ("decimal(12,2)", "bigint")
    source.foreign.run_well()
    assert source.foreign.query("select reason, source_row from audit.reject") == []
    # What does not fit is rejected, and no value is cut.
    source.ask(
        "insert into types (amount) values (12.345)",
        "insert into types (whole) values ('no number')",
        "insert into types (day) values ('yesterday')",
        "insert into types (text) values (cast(x'ff41' as text))",
        f"update types set text = 'changed', updated_at = {NOW} where id < 9",
    )
    source.foreign.run_well()
    assert source.foreign.value("select count(*) from audit.reject") == 4


CHANGING = f"""
create table customers (
    id integer primary key, name text not null,
    updated_at datetime not null default ({NOW})
);
create table orders (
    id int primary key not null,
    customer_id integer not null references customers,
    amount numeric(10, 2),
    modified_at timestamp not null default ({NOW})
);
create table order_tags (
    order_id int references orders, tag varchar(20), changed_at timestamp not null,
    primary key (order_id, tag)
) without rowid;
create view totals as select customer_id, count(*) as n from orders group by 1;
create table counts (what text, n integer);
insert into counts values ('orders', 1000), ('orders', 1000);
with recursive s(n) as (select 1 union all select n + 1 from s where n < 50)
insert into customers (name) select 'c' || n from s;
with recursive s(n) as (select 1 union all select n + 1 from s where n < 1000)
insert into orders select n, n % 50 + 1, n * 1.5, {NOW} from s;
insert into order_tags select id, 'new', {NOW} from orders where id <= 100;
insert into order_tags select id, 'Größe', {NOW} from orders where id <= 100
"""


def test_tables_are_found_and_followed_with_their_deletes(source: Source) -> None:
    source.ask(*CHANGING.split(";"))
    found = source.foreign.discover("lite")
    chosen = {p.table.name: p.choice for p in found.proposals}
    assert {*chosen} == {"customers", "orders", "order_tags", "totals", "counts"}
    assert chosen["orders"].delete_mode == "key_scan"
    assert chosen["totals"].load_type == chosen["counts"].load_type == "full"
    rules = {
        (r["table"], r["column"]): r["argument"] for r in source.foreign.rows("rules")
    }
    assert rules["orders", "customer_id"] == "customers.id"
    source.foreign.run_well()
    source.foreign.run_well()
    source.ask(
        f"update customers set name = 'other', updated_at = {NOW} where id < 9",
        "delete from order_tags where order_id = 7 or order_id < 3",
        "delete from orders where id in (1, 2, 999)",
        f"insert into orders values (5000, 3, null, {NOW}), (-5, 4, 0.01, {NOW})",
        "insert into orders values (-17, 4, 0.01, '2020-01-01')",
        f"update orders set amount = -1, modified_at = {NOW} where id = 499",
        "delete from counts where rowid = 1",
    )
    source.foreign.run_well()
    assert len(source.foreign.silver("orders")) == 1000
    assert {r["id"] for r in source.foreign.silver("orders")} >= {5000, -5, -17}
    with source.foreign.inside():
        for finding in reconcile.run(source.foreign.tables("lite.*"), quiet):
            assert finding.is_equal, finding


def test_columns_that_come_or_go_are_followed_or_stop_the_table(
    source: Source,
) -> None:
    source.ask(
        "create table gadgets (id integer primary key, size varchar(5), "
        "updated_at datetime not null)",
        f"insert into gadgets values (1, 'big', {NOW})",
        "create table others (id integer primary key, updated_at datetime not null)",
        f"insert into others values (1, {NOW})",
    )
    source.foreign.discover("lite")
    source.foreign.run_well(with_build=False)
    source.ask(
        "alter table gadgets add column added numeric(5, 1)",
        f"insert into gadgets values (2, 'small', {NOW}, 1.5)",
    )
    source.foreign.run_well(with_build=False)
    source.ask(
        "alter table gadgets drop column size", f"insert into others values (2, {NOW})"
    )
    result = source.foreign.run(with_build=False)
    errors = {o.table.name: str(o.error or "") for o in result.outcomes}
    assert "column size is no longer in the source" in errors["gadgets"]
    assert not errors["others"]
    assert source.foreign.value("select count(*) from bronze.lite__others") == 2


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_rows_that_change_while_they_are_read_are_of_one_moment(
    source: Source, mode: str
) -> None:
    source.ask(
        f"pragma journal_mode = {mode}",
        "create table accounts (id integer primary key, amount int not null, "
        "updated_at datetime not null)",
        "with recursive s(n) as (select 1 union all select n + 1 from s where n < 2000)"
        f"insert into accounts select n, 0, {NOW} from s",
    )
    source.foreign.discover("lite")
    (table,) = source.foreign.tables("lite.accounts")
    kind = sources.of(table.source)
    with source.foreign.inside(), duck.attached(table.source) as engine:
        with kind.snapshot(engine):
            count = (
                f"from {kind.asked(f'select count(*) as n from {kind.named(table)}')}"
            )
            before = duck.scalar(engine, count)
            refused = source.ask_elsewhere("update accounts set amount = 5")
            assert ("locked" in refused) == (mode == "delete"), refused
            source_rows = kind.rows(engine, table, KeyRange().within(table))
            (rows,) = source_rows
            total = f"select count(*), sum(amount::int) from ({rows})"
            assert (before, duck.one(engine, total)) == (2000, (2000, 0))
            assert duck.scalar(engine, count) == 2000
    assert not source.ask_elsewhere("update accounts set amount = 7")


def test_a_file_that_is_locked_is_read_again(source: Source) -> None:
    source.ask(
        "create table t (id integer primary key, updated_at datetime not null)",
        f"insert into t values (1, {NOW})",
    )
    source.foreign.discover("lite")
    program = (
        "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1]); "
        "c.execute('begin exclusive'); print('held', flush=True); time.sleep(3)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(source.path)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        source.foreign.run_well(with_build=False)


def test_a_source_that_is_not_reached_is_one_clear_error_and_loses_nothing(
    source: Source,
) -> None:
    source.ask(
        "create table t (id integer primary key, updated_at datetime not null)",
        f"insert into t values (1, {NOW})",
    )
    source.foreign.discover("lite")
    source.foreign.run_well(with_build=False)
    source.foreign.env["SEEDBED_RETRY_SECONDS"] = "0"
    there = source.foreign.env["LITE_URL"]
    text = source.path.with_name("text.db")
    text.write_text("This is no database. " * 100)
    for url, words in (
        (f"sqlite://{source.path}.gone", "is not there"),
        (f"sqlite://{text}", "file is not a database"),
        (f"sqlite://{source.path.parent}", "can't be read"),
    ):
        source.foreign.env["LITE_URL"] = url
        (outcome,) = source.foreign.run(with_build=False).outcomes
        told = str(outcome.error)
        assert words in told
        assert told.count("hint: ") == 1
        assert len(told.splitlines()) == 2
    source.foreign.env["LITE_URL"] = there
    source.ask("alter table t rename to other")
    (outcome,) = source.foreign.run(with_build=False).outcomes
    assert "there is no table 't' in schema main" in str(outcome.error)
    source.ask("alter table other rename to t")
    source.foreign.run_well(with_build=False)


@pytest.mark.parametrize("point", ["before_manifest", "in_load"])
@pytest.mark.fault(7, 8, 9)
def test_killed_at_a_point_the_next_run_heals(source: Source, point: str) -> None:
    source.ask(
        "create table t (id integer primary key, name text, "
        "updated_at datetime not null)",
        "with recursive s(n) as (select 1 union all select n + 1 from s where n < 5000)"
        f"insert into t select n, 'first', {NOW} from s",
    )
    source.foreign.discover("lite")
    source.foreign.run_well(with_build=False)
    source.ask(
        f"update t set name = 'other', updated_at = {NOW} where id < 100",
        "delete from t where id between 200 and 210",
    )
    Run(
        source.foreign, env={"SEEDBED_FAILPOINT": point}, with_build=False
    ).assert_killed()
    source.foreign.run_well(with_build=False)
    source.foreign.run_well(with_build=False)
