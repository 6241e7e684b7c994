"""Postgres as a source: found, read, followed and compared, value by value.

Each run that says done is held against the source by tests/comparator.py, which reads
both sides on its own.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from ingest import duck, retry, sources
from ingest.errors import SourceError
from ingest.pieces import KeyRange
from orchestration import reconcile
from sandbox.servers.postgres import Postgres
from tests.clone import quiet
from tests.faults.child import Run
from tests.faults.matrix import IN_ANY_RUN, IN_RANGES
from tests.foreign import Foreign
from tests.service import running

SCHEMA = "src"
# A type's column, and values at its ends: those that are read, as literals.
TYPES: dict[str, tuple[str, list[str]]] = {
    "bool": ("boolean", ["true", "false"]),
    "small": ("smallint", ["-32768", "32767"]),
    "int": ("integer", ["-2147483648", "2147483647"]),
    "big": ("bigint", ["-9223372036854775808", "9223372036854775807"]),
    "num": ("numeric(12,2)", ["-9999999999.99", "0.01", "'NaN'"]),
    "num38": ("numeric(38,10)", ["-" + "9" * 28 + "." + "9" * 10, "0.0000000001"]),
    "num60": ("numeric(60,20)", ["-" + "9" * 40 + "." + "9" * 20, "1.10"]),
    "num_round": ("numeric(3,-2)", ["-99900", "100"]),
    "num_small": ("numeric(2,5)", ["0.00099", "-0.00001"]),
    "num_free": ("numeric", ["12345678901234567890.123456789", "-0.5"]),
    "num_wild": ("numeric", ["'NaN'", "1e40", "1e-30"]),
    "real": ("real", ["3.4028235e38", "1e-45", "0.1", "'NaN'", "'-Infinity'"]),
    "double": ("double precision", ["1.7976931348623157e308", "'NaN'", "'Infinity'"]),
    "money": ("money", ["'-92233720368547758.08'", "'12.5'"]),
    "char": ("char(5)", ["'ab'", "''", "'äöü€𝄞'"]),
    "varchar": ("varchar(5)", ["'äöü€𝄞'", "''", "' a '"]),
    "varchar_free": ("varchar", ["'text'", "''"]),
    "text": ("text", ["''", "'a''b\\c\nd'", "repeat('€', 5000)"]),
    "name": ("name", ["'a name'"]),
    "bytea": ("bytea", ["'\\x'", "'\\x00ff275c'"]),
    "date": ("date", ["'0001-01-01'", "'9999-12-31'", "'infinity'", "'0044-03-15 BC'"]),
    "time": ("time", ["'00:00'", "'23:59:59.999999'"]),
    "timetz": ("timetz", ["'23:59:59.5+05:30'"]),
    "ts": (
        "timestamp",
        [
            "'0001-01-01'",
            "'9999-12-31 23:59:59.999999'",
            "'-infinity'",
            "'10000-01-01'",
        ],
    ),
    "tstz": (
        "timestamptz",
        ["'0001-01-01 00:00Z'", "'2026-07-01 12:00+02'", "'infinity'"],
    ),
    "interval": ("interval", ["'1 mon -2 days 03:04:05.6'", "'-838:59:59'"]),
    "uuid": ("uuid", ["'6f9619ff-8b86-d011-b42d-00c04fc964ff'"]),
    "inet": ("inet", ["'10.0.0.1/8'", "'::1'"]),
    "cidr": ("cidr", ["'10.0.0.0/8'"]),
    "macaddr": ("macaddr", ["'08:00:2b:01:02:03'"]),
    "bit": ("bit(3)", ["B'101'"]),
    "varbit": ("varbit", ["B''", "B'10011'"]),
    "json": ("json", ["'{\"a\": [1, 2.50, null]}'", "'1'", "'\"x\"'"]),
    "jsonb": ("jsonb", ["'{\"b\": 1e3}'", "'[]'"]),
    "ints": ("int[]", ["'{1,NULL,3}'", "'{}'", "'{{1,2},{3,4}}'"]),
    "texts": ("text[]", ["array['a,b', '\"', 'ü']"]),
    "range": ("int4range", ["'[1,5)'", "'empty'"]),
    "mood": ("mood", ["'so so'", "'it''s'"]),
    "pair": ("pair", ["row(1, 'x')::pair"]),
    "domain": ("amount", ["1.25"]),
    "point": ("point", ["'(1,2)'"]),
    "tsvector": ("tsvector", ["'a fat cat'"]),
    "oid": ("oid", ["4294967295"]),
    "computed": ("int generated always as (id * 2) stored", []),
    'Mixed Case "Q"': ("text", ["'x'"]),
}
MADE = (
    "create type mood as enum ('sad', 'so so', 'it''s')",
    "create type pair as (a int, b text)",
    "create domain amount as numeric(9,2) check (value > 0)",
)


USUAL = ("after_range", "before_manifest", "in_load")
POINTS = [
    pytest.param(point, marks=[] if point in USUAL else pytest.mark.long)
    for point in (*IN_RANGES, *IN_ANY_RUN)
    if point != "after_build"
]


class Source:
    """A database that is read, and the project that reads it."""

    def __init__(self, foreign: Foreign, url: str) -> None:
        self.foreign, self.url = foreign, url
        self.connection = psycopg.connect(url, autocommit=True)

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        """Execute statements in the schema; the rows of the last one."""
        found: list[tuple[Any, ...]] = []
        for statement in statements:
            cursor = self.connection.execute(statement.encode())
            found = cursor.fetchall() if cursor.description else []
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running(Postgres) as found:
        url = "postgres://{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/{PGDATABASE}"
        yield url.format(**found.environment())


@pytest.fixture
def source(abroad: Foreign, server: str) -> Iterator[Source]:
    abroad.restore("empty")
    abroad.empty()
    made = Source(abroad, server)
    user = made.connection.info.user
    made.ask(
        f"drop schema if exists {SCHEMA} cascade",
        f"create schema {SCHEMA}",
        f"alter role {user} set search_path to {SCHEMA}",
        f"set search_path to {SCHEMA}",
    )
    abroad.env["PG_URL"] = server
    yield made
    made.connection.close()


def make_types(source: Source) -> None:
    """A table of all types, a row for each of its values and one of NULLs."""
    columns = ", ".join(
        '"' + name.replace('"', '""') + f'" {kind}' for name, (kind, _) in TYPES.items()
    )
    source.ask(
        *MADE,
        "create table types (id int generated always as identity primary key, "
        f"updated_at timestamptz not null default now(), {columns})",
        "insert into types default values",
    )
    for name, (_, values) in TYPES.items():
        quoted = '"' + name.replace('"', '""') + '"'
        for value in values:
            source.ask(f"insert into types ({quoted}) values ({value})")


def test_each_type_at_its_ends_is_the_source_s_or_reported(source: Source) -> None:
    make_types(source)
    found = source.foreign.discover("pg")
    (proposal,) = found.proposals
    assert proposal.choice.watermark == "updated_at", proposal.warnings
    kinds = {r["column"]: r["data_type"] for r in source.foreign.rows("columns")}
    assert kinds["num_wild"] == "text", "a value has no place in a decimal"
    source.foreign.run_well()
    assert source.foreign.query("select reason, source_row from audit.reject") == []
    there = {n for (n,) in source.ask("select id from types")}
    assert {row["id"] for row in source.foreign.silver("types")} == there
    source.ask("update types set text = 'changed', updated_at = clock_timestamp()")
    source.foreign.run_well()


CHANGING = """
create table customers (
    id bigint generated always as identity primary key,
    name text not null,
    updated_at timestamp not null default localtimestamp
);
create table orders (
    id int primary key,
    customer_id bigint not null references customers,
    amount numeric(10, 2),
    modified_at timestamptz not null default clock_timestamp()
) partition by range (id);
create table orders_1 partition of orders for values from (minvalue) to (500);
create table orders_2 partition of orders for values from (500) to (maxvalue);
create index on orders (modified_at);
create table order_tags (
    order_id int references orders, tag varchar(20), changed_at timestamptz not null,
    primary key (order_id, tag)
);
create view totals as select customer_id, sum(amount) as total from orders group by 1;
create materialized view counts as select count(*) as count from orders;
insert into customers (name) select 'c' || n from generate_series(1, 50) as n;
insert into orders select n, n % 50 + 1, n * 1.5 from generate_series(1, 1000) as n;
insert into order_tags select n, t, now() from generate_series(1, 100) as n,
    unnest(array['new', 'Größe']) as t;
refresh materialized view counts;
"""


def test_tables_are_found_and_followed_with_their_deletes(source: Source) -> None:
    source.ask(*filter(str.strip, CHANGING.split(";")))
    found = source.foreign.discover("pg")
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
        "update customers set name = 'other', updated_at = localtimestamp where id < 9",
        "delete from order_tags where order_id = 7",
        "delete from order_tags where order_id = 600 or order_id < 3",
        "delete from orders where id in (1, 2, 999)",
        "insert into orders values (5000, 3, null), (-5, 4, 'NaN')",
        "update orders set amount = -1, modified_at = clock_timestamp() where id = 499",
        "refresh materialized view counts",
    )
    source.foreign.run_well()
    assert len(source.foreign.silver("orders")) == 999
    with source.foreign.inside():
        for finding in reconcile.run(source.foreign.tables("pg.*"), quiet):
            assert finding.is_equal, finding


def test_columns_that_come_go_or_widen_are_followed_or_stop_the_table(
    source: Source,
) -> None:
    source.ask(
        "create type colour as enum ('red', 'blue')",
        "create table gadgets (id int primary key, size varchar(5), kind colour, "
        "updated_at timestamptz not null default now())",
        "insert into gadgets values (1, 'big', 'red')",
    )
    source.foreign.discover("pg")
    source.foreign.run_well()
    source.ask(
        "alter type colour add value 'green' before 'blue'",
        "alter table gadgets alter size type varchar(9), alter id type bigint",
        "alter table gadgets add added numeric(5, 1)",
        "insert into gadgets values (3000000000, 'biggest', 'green', now(), 1.5)",
    )
    source.foreign.run_well()
    row = next(r for r in source.foreign.silver("gadgets") if r["id"] == 3000000000)
    assert (row["size"], row["added"]) == ("biggest", Decimal("1.5"))
    source.ask("alter table gadgets drop size")
    result = source.foreign.run()
    (outcome,) = result.outcomes
    assert "column size is no longer in the source" in str(outcome.error)


def test_rows_that_change_while_they_are_read_are_of_one_moment(source: Source) -> None:
    """A sum over two tables that a writer keeps at zero is zero in each snapshot."""
    source.ask(
        "create table accounts (id int primary key, amount int not null, "
        "updated_at timestamptz not null default now())",
        "insert into accounts select n, 0 from generate_series(1, 2000) as n",
    )
    source.foreign.discover("pg")
    (table,) = source.foreign.tables("pg.accounts")
    kind = sources.of(table.source)
    with source.foreign.inside(), duck.attached(table.source) as engine:
        with kind.snapshot(engine):
            asked = kind.asked(f"select count(*) as n from {SCHEMA}.accounts")
            count = f"from {asked}"
            before = duck.scalar(engine, count)
            source.ask(
                "insert into accounts values (0, 1)", "update accounts set amount = 5"
            )
            (rows,) = kind.rows(engine, table, KeyRange().within(table))
            found = duck.one(engine, f"select count(*), sum(amount) from ({rows})")
            assert (before, found) == (2000, (2000, 0))
            assert duck.scalar(engine, count) == 2000


LONG = 2_000_000


def test_long_rows_are_read_in_pieces(source: Source) -> None:
    source.ask(
        "create table documents (part varchar(20), id numeric(9, 1), body text, "
        "updated_at timestamptz not null default now(), primary key (part, id))",
        "insert into documents select case when n % 2 = 0 then 'ä''\\' else 'b' end, "
        f"n, repeat(md5(n::text), {LONG // 32}) from generate_series(1, 60) as n",
    )
    source.foreign.discover("pg")
    (table,) = source.foreign.tables("pg.documents")
    kind = sources.of(table.source)
    with source.foreign.inside(), duck.attached(table.source) as engine:
        with kind.snapshot(engine):
            pieces = kind.rows(engine, table, KeyRange().within(table))
            assert len(pieces) > 5
            ids = [
                duck.one(engine, f"select list(id order by id) from ({piece})")[0] or []
                for piece in pieces
            ]
    assert sorted(int(n) for found in ids for n in found) == [*range(1, 61)]
    source.foreign.run_well()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "wrong"}, "refused user"),
        ({"port": "1"}, "can't be read"),
        ({"database": "nothing"}, "refused user"),
    ],
)
def test_a_source_that_is_not_reached_is_one_clear_error_and_loses_nothing(
    source: Source, change: dict[str, str], words: str
) -> None:
    source.ask(
        "create table t (id int primary key, updated_at timestamptz not null)",
        "insert into t values (1, now())",
    )
    source.foreign.discover("pg")
    source.foreign.run_well()
    url = urlsplit(source.url)
    port = change.get("port", str(url.port))
    password = change.get("password", url.password)
    database = change.get("database", url.path.strip("/"))
    bad = f"postgres://{url.username}:{password}@{url.hostname}:{port}/{database}"
    source.foreign.env |= {"PG_URL": bad, "SEEDBED_RETRY_SECONDS": "0"}
    result = source.foreign.run()
    (outcome,) = result.outcomes
    told = str(outcome.error)
    assert words in told
    assert "hint: " in told
    assert password not in told or password == url.password
    source.foreign.env["PG_URL"] = source.url
    source.foreign.run_well()


def test_unusual_tables_are_read_or_said_to_be_left_out(source: Source) -> None:
    source.ask(
        "create type odd as enum (E'a\\\\b', 'it''s', 'c')",
        'create table twins (id int primary key, "Name" text, name text, '
        "updated_at timestamptz not null default now())",
        "insert into twins values (1, 'left', 'right')",
        "create table nans (id int primary key, amount numeric(9, 2) not null, "
        "updated_at timestamptz not null default now())",
        "insert into nans values (1, 'NaN'), (2, 1.50)",
        "create table oids (id oid primary key, "
        "updated_at timestamptz not null default now())",
        "insert into oids values (1), (4294967295)",
        "create table numbers (id numeric(20, 0) primary key, "
        "updated_at timestamptz not null default now())",
        "insert into numbers values (-99999999999999999999), (1), "
        "(18446744073709551616)",
        "create table words (id text primary key, label odd, "
        "updated_at timestamptz not null default now())",
        "insert into words values ('A', E'a\\\\b'), ('a', 'it''s'), ('ä''\\', 'c')",
        "create table parents (id int primary key, name text)",
        "create table children () inherits (parents)",
        "insert into parents values (1, 'parent')",
        "insert into children values (1, 'child')",
    )
    found = source.foreign.discover("pg")
    chosen = {p.table.name: p for p in found.proposals}
    assert "differs from another's by case only" in str(chosen["twins"].warnings)
    assert chosen["words"].choice.delete_mode == "key_scan"
    assert chosen["parents"].choice.load_type == "full"
    kinds = {
        (r["table"], r["column"]): r["data_type"]
        for r in source.foreign.rows("columns")
    }
    assert kinds["nans", "amount"] == "text"
    assert kinds["words", "id"] == "varchar(2704)"
    source.foreign.run_well()
    source.ask(
        "delete from oids where id = 1",
        "delete from numbers where id = 1",
        "delete from words where id = 'a'",
        "insert into children values (1, 'another')",
    )
    source.foreign.run_well()
    assert [r["id"] for r in source.foreign.silver("oids")] == [4294967295]


def test_a_table_that_is_emptied_and_filled_meanwhile_is_not_read_as_empty(
    source: Source,
) -> None:
    """TRUNCATE is seen by snapshots of before: its table seems empty to them."""
    source.ask(
        "create table t (id int, name text) partition by range (id)",
        "create table t_1 partition of t for values from (0) to (10)",
        "create table t_2 partition of t for values from (10) to (20)",
        "insert into t select n, 'x' from generate_series(0, 19) as n",
    )
    source.foreign.discover("pg")
    (table,) = source.foreign.tables("pg.t")
    kind = sources.of(table.source)
    read = f"select count(*) as n from {SCHEMA}.t"

    def emptied_meanwhile(engine: duck.Engine) -> None:
        with kind.snapshot(engine):
            duck.scalar(engine, f"from {kind.asked('select 1 as one')}")
            source.ask("truncate t_2", "insert into t values (11, 'y')")
            assert duck.scalar(engine, f"from {kind.asked(read)}") == 10

    with source.foreign.inside(), duck.attached(table.source) as engine:
        with pytest.raises(SourceError, match="t_2 was truncated") as caught:
            emptied_meanwhile(engine)
    assert retry.is_transient(caught.value)
    source.foreign.run_well()


def test_rows_that_a_policy_hides_are_an_error_and_not_deleted(source: Source) -> None:
    source.ask(
        "create table t (id int primary key, "
        "updated_at timestamptz not null default now())",
        "insert into t values (1), (2)",
    )
    source.foreign.discover("pg")
    source.foreign.run_well()
    source.ask(
        "create policy few on t using (id < 2)",
        "alter table t enable row level security",
        "alter table t force row level security",
    )
    (outcome,) = source.foreign.run().outcomes
    assert "hides rows from user" in str(outcome.error)
    assert len(source.foreign.silver("t")) == 2


def test_no_date_and_no_number_are_counted_or_reject_their_row(source: Source) -> None:
    source.ask(
        "create table t (id int primary key, day date, amount numeric(9, 2), "
        "updated_at timestamptz not null default now())",
        "insert into t values (1, 'infinity', 1), (2, '2026-01-01', 'NaN'), "
        "(3, null, null), (4, '0044-03-15 BC', 'NaN')",
    )
    source.foreign.discover("pg")
    source.foreign.edit(
        "columns",
        {"table": "t", "column": "amount"},
        data_type="decimal(9,2)",
        nullable="true",
    )
    source.foreign.run_well()
    assert source.foreign.query(
        "select failing_rows from audit.dq_result where rule_id = 'dates_complete'"
    ) == [(4,)]
    here = {"source": "pg", "table": "t", "option": "zero_date"}
    source.foreign.add("options", here | {"value": "reject"})
    source.ask("update t set updated_at = clock_timestamp()")
    assert source.foreign.run().state == "done"
    rejects = source.foreign.query("select source_row from audit.reject order by 1")
    assert len(rejects) == 3


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.fault(7, 8, 9)
def test_killed_at_a_point_the_next_run_heals(source: Source, point: str) -> None:
    source.ask(
        "create table t (id int primary key, name text, "
        "updated_at timestamptz not null default now())",
        "insert into t select n, 'first' from generate_series(1, 5000) as n",
        "create index on t (updated_at)",
        "analyze t",
    )
    source.foreign.discover("pg")
    if point not in IN_RANGES:
        source.foreign.run_well(with_build=False)
    else:
        here = {"source": "pg", "table": "t", "option": "range_rows"}
        source.foreign.add("options", here | {"value": "1000"})
    source.ask(
        "update t set name = 'other', updated_at = clock_timestamp() where id < 100",
        "delete from t where id between 200 and 210",
    )
    Run(
        source.foreign, env={"SEEDBED_FAILPOINT": point}, with_build=False
    ).assert_killed()
    source.foreign.run_well(with_build=False)
    source.foreign.run_well(with_build=False)
