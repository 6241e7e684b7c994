"""A database that nobody described: discover, generate, run, with no line by hand."""

import re
from collections import Counter

import pytest

from ingest.seed.metadata import HEADERS
from orchestration.runner import Run
from tests.foreign import Foreign
from tests.integration.test_security import ANALYST, CONSUMERS

LONG = "n" * 63
HOSTILE = "a\"b`c'd {{ 1/0 }} {% x %} {# --; /* \\ <script>alert(1)</script>\nend"
# Words that mean something to Postgres, Snowflake, DuckDB, Jinja or the project.
WORDS = (
    "select from table order group user column default all any end references limit "
    "row rows sample qualify minus regexp interval time timestamp values coalesce "
    "ctid xmin tableoid oid version op is_deleted is_current valid_from valid_to "
    "_op _source_ts _batch_seq _row_hash items keys get update name type this model"
).split()


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def assert_green(result: Run) -> None:
    told = [(o.table.id, o.state, str(o.error)) for o in result.outcomes if o.error]
    assert result.state == "done", (told, result.built and result.built.failures)
    assert result.balanced
    assert result.built is not None
    assert "warn" not in result.built.counts, result.built


def nasty() -> list[str]:
    """A schema with every trap."""
    words = ", ".join(f"`{word}` int" for word in WORDS)
    numbers = ", ".join(str(n) for n in range(len(WORDS)))
    many = ", ".join(f"c{n} varchar(4)" for n in range(400))
    hostile = HOSTILE.replace("\\", "\\\\").replace("'", "\\'")
    name = _quoted(HOSTILE.replace("/", "")[:60])
    return [
        # Names that differ by blanks or their last character only.
        "create table orders (id int primary key, w int, updated_at datetime not null, "
        "status enum('new', 'it''s', '{{ x }}', '1.10') not null default 'new')",
        "insert into orders values (2, 20, '2026-01-01', 'it''s'), "
        "(3, 30, '2026-01-02', '1.10'), (4, 40, '2026-01-02', '{{ x }}')",
        "create table orders_history (id int primary key)",
        "create table `order items` (id int primary key, `A b` int, `a-b` int)",
        "insert into `order items` values (1, 2, 3)",
        "create table order_items (id int primary key)",
        f"create table {LONG}a (id int primary key, {LONG}x int, {LONG}y int)",
        f"create table {LONG}b (id int primary key)",
        f"insert into {LONG}a values (1, 2, 3)",
        f"insert into {LONG}b values (1)",
        "create table `日本 é` (id int primary key, `ключ` int, ` blank` int, `9` int)",
        "insert into `日本 é` values (1, 2, 3, 4)",
        f"create table {name} (id int primary key, {name} int comment '{hostile}', "
        f"txt varchar(200)) comment '{hostile}'",
        f"insert into {name} values (1, 2, '{hostile}')",
        # Names of the seed's own files, and words of any language.
        "create table options (id int primary key)",
        "create table `select` (id int primary key)",
        f"create table words (id int primary key, {words})",
        f"insert into words values (-1, {numbers})",
        # More columns than are aggregated at once.
        f"create table wide (id int primary key, {many})",
        "insert into wide (id, c0, c399) values (1, 'a', 'z')",
        # Keys.
        "create table no_key (a int, b varchar(9))",
        "insert into no_key values (1, 'x'), (1, 'x'), (null, null)",
        "create table null_key (a int unique, b int)",
        "insert into null_key values (1, 1), (null, 2), (null, 3)",
        "create table late_key (a int unique, b int not null unique, c int)",
        "insert into late_key values (null, 7, 1), (2, 8, 2)",
        "create table pair (a int, b varchar(20), c int, primary key (b, a))",
        "insert into pair values (1, 'x', 1), (1, 'y', 2), (2, 'x', 3)",
        "create table text_key (code varchar(20) collate utf8mb4_bin primary key)",
        "insert into text_key values ('a'), ('A'), ('ä')",
        # Times that are no watermark.
        "create table sometimes (id int primary key, updated_at datetime)",
        "insert into sometimes values (1, null), (2, '2026-01-01')",
        "create table ahead (id int primary key, updated_at datetime not null)",
        "insert into ahead values (1, '2099-01-01'), (2, '2026-01-01')",
        "create table zero (id int primary key, d date not null, t datetime not null, "
        "updated_at timestamp not null default '0000-00-00')",
        "insert into zero values (1, '0000-00-00', '0000-00-00', '0000-00-00'), "
        "(2, '2026-02-30', '2026-01-00', '2026-01-01')",
        # Types.
        "create table types (id bigint unsigned primary key, b tinyint(1), f bool, "
        "u bigint unsigned, d decimal(65,30), bits bit(9), y year, tm time, j json, "
        "g geometry, s set('a', 'b|c', 'd.e'), e enum('x|y', ''), "
        "uid uuid, ip inet6, raw varbinary(20), lt longtext, hid int invisible, "
        "gen int generated always as (b * 2) stored, fl float, c char(3))",
        "insert into types (id, b, f, u, d, bits, y, tm, j, g, s, e, uid, ip, raw, lt, "
        "fl, c) values (18446744073709551615, 7, 1, 18446744073709551615, "
        "repeat('9', 35), b'101', 2026, '-838:59:59', '{\"a\": 1}', "
        "ST_GeomFromText('POINT(1 2)'), 'a,d.e', 'x|y', "
        "'123e4567-e89b-12d3-a456-426655440000', '::1', x'00ff', 'text', 0.1, 'é')",
        # Relations.
        "create table parent (id int primary key, boss int, name varchar(40), "
        "updated_at timestamp not null default current_timestamp "
        "on update current_timestamp, deleted_at datetime, "
        "foreign key (boss) references parent (id))",
        "create table child (id int primary key, parent int, "
        "modified datetime not null, foreign key (parent) references parent (id))",
        "insert into parent (id, boss, name) values (1, null, 'a'), (2, 1, 'b')",
        "insert into child values (1, 2, '2026-01-01')",
        "create table versioned (id int primary key, v int) with system versioning",
        "insert into versioned values (1, 1)",
        "create sequence counter",
        "create view seen as select id, w from orders",
        "create table gone (id int primary key)",
        "create view broken as select id from gone",
        "drop table gone",
        # The same names in another schema, and names that differ by case only.
        "use twins",
        "create table Orders (id int primary key, v varchar(9))",
        "create table orders (id int primary key, w int)",
        "create table no_key (id int primary key, j json)",
        "insert into Orders values (1, 'upper')",
        "insert into orders values (1, 1), (2, 2)",
        "insert into no_key values (1, '[1]')",
    ]


NASTY_CHANGES = [
    "use twins",
    "insert into Orders values (9, 'later')",
    "use nasty",
    "update orders set w = 21, status = 'new', updated_at = '2026-02-01' where id = 2",
    "delete from orders where id = 3",
    "insert into no_key values (2, 'y'), (2, 'y')",
    "delete from no_key where a = 1",
    "insert into pair values (3, 'z', 4)",
    "update late_key set c = 5",
    "update parent set name = 'c' where id = 2",
    "update parent set deleted_at = '2026-03-01', updated_at = now() where id = 1",
    "insert into child values (3, 2, '2026-04-01')",
    "delete from child where id = 1",
    "delete from text_key where code = 'a'",
]


@pytest.mark.long
@pytest.mark.mariadb("has UUID, INET6, sequences and system versioning")
def test_a_schema_with_every_trap_comes_through_whole(
    foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign.create("twins")
    foreign.create("nasty", *nasty())
    found = foreign.discover("nasty")
    foreign.discover("twins")
    choices = {p.table.name: p.choice.name for p in found.proposals}
    assert choices["orders"] == "cdc"
    assert choices["parent"] == "scd2"
    assert choices["child"] == "incremental"
    told = {p.table.name: " ".join(p.warnings) for p in found.proposals}
    assert "no key" in told["no_key"]
    assert "holds NULL" in told["null_key"]
    assert "not shown: View 'nasty.broken' references invalid" in told["broken"]
    assert_green(foreign.run())
    foreign.ask("nasty", *NASTY_CHANGES)
    assert_green(foreign.run())
    before = foreign.contents(without=("_batch_seq",))
    monkeypatch.setattr(foreign, "left_out", "resource_type:test")  # they have passed
    assert_green(foreign.run(everything=True))
    assert foreign.contents(without=("_batch_seq",)) == before


def many(count: int) -> list[str]:
    """Tables that refer to each other: places, things that move, and their lines."""
    out = []
    for n in range(count):
        kind = n % 4
        columns = [
            "id int unsigned auto_increment primary key",
            "name varchar(60) not null comment 'What it is called'",
            "amount decimal(12,2)",
            "is_active bool not null default 1",
            "created_at datetime not null default current_timestamp",
        ]
        if kind == 1:
            columns.append("state enum('new', 'done') not null default 'new'")
        if kind != 3:
            columns.append(
                "updated_at datetime(6) not null default current_timestamp(6) "
                "on update current_timestamp(6)"
            )
        if n:
            columns.append(
                f"other int unsigned, foreign key (other) references t{n // 2:02d} (id)"
            )
        out += [
            f"create table t{n:02d} ({', '.join(columns)})",
            f"insert into t{n:02d} (name, amount{', other' if n else ''}) values "
            f"('a', 1.50{', 1' if n else ''}), ('b', null{', null' if n else ''})",
        ]
    return out


MANY_CHANGES = [
    "update t01 set name = 'changed', state = 'done' where id = 1",
    "update t04 set amount = 7 where id = 2",
    "insert into t59 (name) values ('c')",
    "delete from t58 where id = 2",
    "update t03 set name = 'changed' where id = 2",
    "alter table t08 add colour varchar(9)",
    "alter table t12 modify name varchar(90) not null",
    "update t12 set name = repeat('x', 80) where id = 1",
]


@pytest.mark.long
def test_a_schema_of_sixty_related_tables_comes_through_whole(foreign: Foreign) -> None:
    foreign.create("many", *many(60))
    found = foreign.discover("many")
    assert len(found.proposals) == 60
    kinds = Counter(p.choice.name for p in found.proposals)
    assert {"scd2", "cdc", "incremental", "full"} <= {*kinds}
    references = [r for r in foreign.rows("rules") if r["check"] == "references"]
    assert len(references) == 59
    assert_green(foreign.run())
    foreign.ask("many", *MANY_CHANGES)
    assert_green(foreign.run())


def test_a_reference_is_held_against_a_row_only_after_its_grace(
    foreign: Foreign,
) -> None:
    foreign.create("many", *many(2))
    foreign.discover("many")
    assert {r["table"]: r["value"] for r in foreign.rows("options")} == {"t01": "5"}
    orphan = "insert into t01 (name, other, updated_at) values ('x', {}, '{}')"
    foreign.ask(
        "many",
        "set foreign_key_checks = 0",
        "update t01 set updated_at = '2026-06-01 12:00:00'",
        orphan.format(901, "2026-01-01 00:00:00"),
        orphan.format(902, "2026-06-01 11:55:00"),
        orphan.format(903, "2026-06-01 11:55:00.000001"),
        orphan.format(904, "2026-06-01 12:00:00"),
    )
    assert foreign.run().state == "done"
    failed = "select rule_id, observed from audit.dq_result where not passed"
    assert foreign.query(failed) == [("other:references", "2 rows fail")]


def logs() -> list[str]:
    """Wide tables that only grow."""
    kinds = ("text", "bigint", "double", "varchar(20)")
    wide = ", ".join(f"field_{n} {kinds[n % 4]}" for n in range(100))
    rows = ", ".join(
        f"('2026-01-01 00:{n // 60:02d}:{n % 60:02d}.5', 'ada{n}@example.com')"
        for n in range(300)
    )
    out = []
    for name in ("page_event", "access_log", "measurement"):
        out += [
            f"create table {name} (id bigint auto_increment primary key, "
            f"occurred_at datetime(3) not null, who varchar(80), {wide})",
            f"insert into {name} (occurred_at, who) values {rows}",
        ]
    # One whose times are not in the order of its keys.
    return [*out, "update access_log set occurred_at = '2026-02-01' where id = 7"]


LOG_CHANGES = [
    "insert into page_event (occurred_at, who) values ('2026-01-02', 'later')",
    "insert into access_log (occurred_at, who) values ('2026-01-02', 'later')",
    "update measurement set who = 'changed' where id = 5",
]


def test_a_log_of_wide_tables_is_read_by_what_is_new(foreign: Foreign) -> None:
    foreign.create("logs", *logs())
    found = foreign.discover("logs")
    assert {p.table.name: p.choice.name for p in found.proposals} == {
        "page_event": "incremental, append only",
        "access_log": "full",
        "measurement": "full",
    }
    pii = {(r["table"], r["column"]): r["pii"] for r in foreign.rows("columns")}
    assert pii["page_event", "who"] == "email", "by a sample"
    assert_green(foreign.run())
    foreign.ask("logs", *LOG_CHANGES)
    assert_green(foreign.run())


def test_a_copy_of_personal_data_gets_its_class_under_any_name(
    foreign: Foreign,
) -> None:
    foreign.create(
        "many",
        "create table staff (id int primary key, name varchar(40), post varchar(40))",
        "insert into staff values (1, 'Ada Lovelace', 'engineer'), "
        "(2, 'Grace Hopper', 'engineer'), (3, 'Alan Turing', 'mathematician')",
        "create view sales as select post, max(name) manager from staff group by post",
        "create table post (post varchar(40) primary key)",
        "insert into post values ('engineer'), ('mathematician')",
    )
    foreign.discover("many")
    assert {
        (row["table"], row["column"]) for row in foreign.rows("columns") if row["pii"]
    } == {("staff", "name"), ("sales", "manager")}


PEOPLE = [
    "create table staff (staff_id int primary key, `first name` varchar(40), "
    "`Pass-Wort` varchar(40), api_token varbinary(32), picture blob, "
    "`zip code` varchar(10), place point, cv text, post varchar(40), salary int)",
    "insert into staff values (1, 'Ada', '8cb2237d0679ca88', x'00ff', x'01', '1050', "
    "ST_GeomFromText('POINT(1 2)'), 'She wrote the first program of all', 'head', 9)",
    "create table film (film_id int primary key, plot text, poster blob)",
    "insert into film values (1, 'A man and a woman meet', x'01')",
    "create table rental (id int primary key, staff_id int, report text, "
    "foreign key (staff_id) references staff (staff_id))",
    "insert into rental values (1, 1, 'was brought back too late again')",
]


def test_secrets_and_what_may_be_personal_are_shown_to_nobody_until_it_is_answered(
    foreign: Foreign,
) -> None:
    foreign.create("people", *PEOPLE)
    found = foreign.discover("people")
    pii = {(r["table"], r["column"]): r["pii"] for r in foreign.rows("columns")}
    assert {place: label for place, label in pii.items() if label} == {
        ("staff", "first name"): "name",
        ("staff", "Pass-Wort"): "secret",
        ("staff", "api_token"): "secret",
        ("staff", "picture"): "undecided",
        ("staff", "zip code"): "address",
        ("staff", "place"): "undecided",
        ("staff", "cv"): "undecided",
        ("staff", "salary"): "undecided",
        ("rental", "report"): "undecided",
    }
    questions = {
        "rental": ["report"],
        "staff": ["picture", "place", "cv", "salary"],
    }
    assert found.questions == questions
    url = {"PEOPLE_URL": foreign.env["PEOPLE_URL"]}
    shown = foreign.cli("discover", "people", **url).stdout
    assert "5 columns may hold personal data" in shown, "asked again"
    assert "staff: picture, place, cv, salary" in shown
    assert_green(foreign.run())
    staff = "first_name, pass_wort, api_token, picture, zip_code, place, cv, salary"
    query = f"select {staff}, post from serving.staff"
    for role in CONSUMERS:
        with foreign.connected_as(role) as person:
            (row,) = person.execute(query).fetchall()  # type: ignore[arg-type]
            name = "A***" if role == ANALYST else None
            assert row == (name, *[None] * 7, "head")
            assert person.execute("select report from serving.rental").fetchall() == [
                (None,)
            ]
    for column, label in {"picture": "none", "cv": "", "salary": "none"}.items():
        foreign.edit("columns", {"table": "staff", "column": column}, pii=label)
    foreign.edit("columns", {"table": "rental", "column": "report"}, pii="free_text")
    assert foreign.discover("people").questions == {"staff": ["place"]}


def test_discovering_again_adds_what_is_new_and_keeps_every_edit(
    foreign: Foreign,
) -> None:
    foreign.create("many", *many(4))
    foreign.discover("many")
    folder = foreign.root / "seeds" / "metadata"
    edited = (folder / "tables.csv").read_text()
    edited = edited.replace("many,t00,t00,scd2", "many,t00,places,scd2")
    edited = edited.replace(",true,T01", ",false,A person's  words")
    (folder / "tables.csv").write_text(edited)
    lines = (folder / "columns.csv").read_text().splitlines(keepends=True)
    columns = "".join(n for n in lines if not n.startswith("many,t02,amount"))
    (folder / "columns.csv").write_text(columns)
    rules = (folder / "rules.csv").read_text().replace("t00.id", "places.id")
    (folder / "rules.csv").write_text(rules.replace("t01.id", "places.id"))
    foreign.ask(
        "many",
        "create table t09 (id int primary key)",
        "alter table t02 add colour int, modify name int",
        "drop table t03",
    )
    found = foreign.discover("many")
    assert [p.table.name for p in found.proposals] == ["t09"]
    assert found.columns_added == 0
    assert (folder / "tables.csv").read_text().startswith(edited)
    assert (
        folder / "columns.csv"
    ).read_text() == columns + "many,t09,id,id,integer,false,1,,,,Id\n"
    told = "\n".join(found.differences)
    assert "t02: column amount" in told
    kind = r"int(\(11\))?"
    assert re.search(rf"t02: column colour \({kind}\) is not read", told)
    assert re.search(
        rf"t02: column name is {kind}; values that varchar\(60\) does", told
    )
    assert "t03: there is no table" in told
    assert foreign.discover("many", new_columns=True).columns_added == 2


def test_a_source_that_is_not_known_says_what_to_set(foreign: Foreign) -> None:
    foreign.create("many")
    done = foreign.cli("discover", "shopfloor")
    assert done.returncode == 2
    assert "SHOPFLOOR_URL" in done.stderr
    done = foreign.cli("discover", "many", MANY_URL=foreign.env["MANY_URL"])
    assert done.returncode == 2
    assert "has no table" in done.stderr
    foreign.ask("many", *many(2))
    done = foreign.cli(
        "discover", "floor", "--url-env", "MANY", MANY=foreign.env["MANY_URL"]
    )
    assert done.returncode == 0, done.stderr
    assert "others refer to it" in done.stdout
    assert "added    2 tables, 0 columns of known tables" in done.stdout
    assert foreign.rows("sources") == [
        dict(
            zip(
                HEADERS["sources"],
                ("floor", "mysql", "MANY", "many", "UTC", "", "Database many"),
                strict=True,
            )
        )
    ]
