"""References: both ends have types that can be compared, or it is told."""

import pytest

from ingest.seed import metadata
from tests.foreign import Foreign

CHANGED = "updated_at datetime not null"


def kinds(foreign: Foreign) -> dict[str, str]:
    """The type of each column, by `table.column`."""
    return {
        f"{r['table']}.{r['column']}": r["data_type"] for r in foreign.rows("columns")
    }


def silver(foreign: Foreign, model: str, column: str) -> list[object]:
    return sorted(row[column] for row in foreign.silver(model))


@pytest.mark.up_to_silver
def test_a_tinyint_that_refers_to_numbers_is_a_number_and_passes_it_on(
    foreign: Foreign,
) -> None:
    name = "refs_tiny"
    foreign.create(
        name,
        "create table pay_way (id tinyint primary key, name varchar(20))",
        "insert into pay_way values (0, 'cash'), (1, 'card'), (4, 'voucher')",
        f"create table payment (id int primary key, pay_way tinyint(1) not null, "
        f"{CHANGED}, key (pay_way), foreign key (pay_way) references pay_way (id))",
        "insert into payment values (1, 0, '2026-11-01'), (2, 1, '2026-11-01')",
        # Through a column in between, and at the other end of two. A key that is not
        # unique may be referred to where MySQL, not MariaDB, is asked to allow it.
        "set @_ = 0 /*!80400 , session restrict_fk_on_non_standard_key = off */",
        "create table refund (id int primary key, way tinyint(1), "
        f"{CHANGED}, foreign key (way) references payment (pay_way))",
        "insert into refund values (1, 1, '2026-11-01'), (2, null, '2026-11-01')",
        "create table flag (id tinyint(1) primary key)",
        "insert into flag values (0), (1)",
        "create table flagged (id int primary key, a tinyint(1), b tinyint(4), "
        f"{CHANGED}, foreign key (a) references flag (id), "
        "foreign key (b) references flag (id))",
        "insert into flagged values (1, 1, 0, '2026-11-01')",
        # Flags that refer to flags alone stay what they are.
        "create table yes (id tinyint(1) primary key, boss tinyint(1), "
        "foreign key (boss) references yes (id))",
        "insert into yes values (1, null), (0, 1)",
    )
    foreign.discover(name)
    found = kinds(foreign)
    numbers = ("payment.pay_way", "refund.way", "flag.id", "flagged.a", "flagged.b")
    assert {found[column] for column in numbers} == {"integer"}
    assert (found["yes.id"], found["yes.boss"]) == ("boolean", "boolean")
    assert len([r for r in foreign.rows("rules") if r["check"] == "references"]) == 5
    result = foreign.run()
    assert (result.state, result.balanced) == ("done", True)
    assert silver(foreign, "payment", "pay_way") == [0, 1]
    foreign.ask(name, "insert into payment values (3, 4, '2026-11-02')")
    assert foreign.run().state == "done"
    assert silver(foreign, "payment", "pay_way") == [0, 1, 4]


@pytest.mark.up_to_silver
@pytest.mark.parametrize(
    ("known", "child", "expected"),
    [
        ("integer", "tinyint(1)", "integer"),
        pytest.param("bigint", "tinyint(1)", "integer", marks=pytest.mark.long),
        ("boolean", "tinyint(1)", "boolean"),
        pytest.param(
            "varchar(20)", "tinyint(1)", "varchar(20)", marks=pytest.mark.long
        ),
        pytest.param("boolean", "tinyint(4)", "integer", marks=pytest.mark.long),
    ],
)
def test_what_refers_to_a_table_of_the_seed_follows_it(
    foreign: Foreign, known: str, child: str, expected: str
) -> None:
    name = "refs_seed"
    parent, _ = child.split("(")
    foreign.create(
        name,
        f"create table a (id {parent}(1) primary key, name varchar(9), {CHANGED})",
        "insert into a values (0, 'x', '2026-11-01'), (1, 'y', '2026-11-01')",
    )
    foreign.discover(name)
    foreign.edit("columns", {"table": "a", "column": "id"}, data_type=known)
    foreign.ask(
        name,
        f"create table b (id int primary key, a {child}, {CHANGED}, "
        "foreign key (a) references a (id))",
        "insert into b values (1, 1, '2026-11-01'), (2, 0, '2026-11-01')",
    )
    found = foreign.discover(name)
    assert kinds(foreign)["b.a"] == expected
    rules = [r for r in foreign.rows("rules") if r["check"] == "references"]
    if known == "boolean" and expected == "integer":
        assert rules == []
        assert any("can't be compared" in w for w in found.proposals[0].warnings)
    else:
        assert len(rules) == 1
    assert foreign.run().state == "done"


@pytest.mark.up_to_silver
def test_a_rule_that_only_warns_and_can_t_be_asked_is_reported_and_fails_nothing(
    foreign: Foreign,
) -> None:
    name = "refs_unasked"
    foreign.create(
        name,
        f"create table a (id int primary key, v varchar(9), {CHANGED})",
        "insert into a values (1, 'x', '2026-11-01')",
        f"create table b (id int primary key, v varchar(9), {CHANGED})",
        "insert into b values (1, 'x', '2026-11-01')",
    )
    foreign.discover(name)
    test = foreign.root / "tests" / "data" / "quality" / "unasked.sql"
    test.write_text(
        "{{ config(severity='warn') }}\nselect 1 as x from {{ ref('a') }} "
        "where v::integer > 0\n"
    )
    try:
        for _ in range(2):
            result = foreign.run(everything=True)
            assert (result.state, result.balanced) == ("done", True)
            assert result.built is not None
            assert result.built.counts["error"] == 1
            held = foreign.query(
                "select table_id from audit.ledger where run_id = %s "
                "and identity like 'live keys%%' order by 1",
                result.run_id,
            )
            assert held == [(f"{name}.a",), (f"{name}.b",)]
        told = foreign.cli("status").stdout
        assert "unasked: it could not be asked" in told
        # Where it blocks, it is a failure; the ledger looks at what was built.
        test.write_text(test.read_text().replace("'warn'", "'error'"))
        result = foreign.run(everything=True)
        assert (result.state, result.balanced) == ("failed", True)
    finally:
        test.unlink()


@pytest.mark.up_to_silver
def test_a_table_that_was_left_behind_is_named_as_the_cause_where_it_was(
    foreign: Foreign,
) -> None:
    name = "refs_orphans"
    foreign.create(
        name,
        f"create table a (id int primary key, {CHANGED})",
        f"create table b (id int primary key, a int, {CHANGED}, "
        "foreign key (a) references a (id))",
        "insert into a values (1, '2026-11-01')",
        "insert into b values (1, 1, '2026-11-01')",
    )
    foreign.discover(name)
    foreign.edit("options", {"option": "reference_grace_minutes"}, value="0")
    assert foreign.run().state == "done"
    foreign.ask(
        name,
        "set foreign_key_checks = 0",
        "insert into b values (2, 2, '2026-11-02')",
    )
    hint = "If the table was moved without the one it refers to"
    assert foreign.run().state == "done"
    told = foreign.cli("status").stdout
    assert "a:references: 1 rows fail" in told
    assert hint not in told
    foreign.ask(name, "update b set updated_at = '2026-11-03' where id = 2")
    assert foreign.run("b").state == "done"
    assert hint in foreign.cli("status").stdout


@pytest.mark.up_to_silver
def test_the_ledger_leaves_out_only_the_table_whose_model_failed(
    foreign: Foreign,
) -> None:
    name = "refs_partial"
    foreign.create(
        name,
        f"create table a (id int primary key, v varchar(9), {CHANGED})",
        "insert into a values (1, 'x', '2026-11-01')",
        f"create table b (id int primary key, v varchar(9), {CHANGED})",
        "insert into b values (1, 'x', '2026-11-01')",
    )
    foreign.discover(name)
    assert foreign.run().state == "done"
    with foreign.connect() as connection:
        connection.execute("alter table silver.a add constraint no check (id < 2)")
    foreign.ask(
        name,
        "insert into a values (2, 'y', '2026-11-02')",
        "insert into b values (2, 'y', '2026-11-02')",
    )
    result = foreign.run()
    assert result.state == "failed"
    held = foreign.query(
        "select table_id, holds from audit.ledger where run_id = %s "
        "and identity like 'live keys%%'",
        result.run_id,
    )
    assert held == [(f"{name}.b", True)]


def test_a_reference_between_types_that_can_t_be_compared_is_a_fault_of_the_seed(
    foreign: Foreign,
) -> None:
    name = "refs_fault"
    foreign.create(
        name,
        "create table a (id tinyint primary key)",
        "create table b (id int primary key, a tinyint, "
        "foreign key (a) references a (id))",
    )
    foreign.discover(name)
    path = foreign.root / "seeds" / "metadata" / "columns.csv"
    path.write_text(path.read_text().replace("b,a,a,integer", "b,a,a,boolean"))
    with foreign.inside(), pytest.raises(metadata.MetadataError) as caught:
        metadata.load(foreign.root)
    (fault,) = caught.value.faults
    assert fault.startswith("seeds/metadata/rules.csv:2: a is boolean and a.id is int")
    assert "write in columns.csv" in fault
