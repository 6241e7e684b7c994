"""Consumers see masked views and nothing else; a leak fails the run."""

import functools
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from ingest import build, ledger, probe
from tests.clone import Clone, Row, quiet, seed

ANALYST, RESTRICTED = "seedbed_analyst", "seedbed_restricted_analyst"
CONSUMERS = (ANALYST, RESTRICTED)
# Of gold a person says what is personal data; here it is said once more.
GOLD = {("dim_customer", "customer_name"): "name", ("dim_customer", "email"): "email"}


def personal_data() -> list[tuple[str, str, str]]:
    """Each consumer view's columns of personal data: view, column, class."""
    models = {(t["source"], t["table"]): t for t in seed("tables")}
    found = []
    for column in seed("columns"):
        table = models[column["source"], column["table"]]
        if column["pii"]:
            names = [table["model"]]
            if table["load_type"] in ("scd2", "cdc", "snapshot"):
                names.append(f"{table['model']}_history")
            found += [(name, column["name"], column["pii"]) for name in names]
    return found + [(*place, pii) for place, pii in GOLD.items()]


def masked(value: Any, pii: str) -> Any:
    """What an analyst may see of a value."""
    if value is None:
        return None
    match pii:
        case "name":
            return f"{value[:1]}***"
        case "email":
            return "***@" + value.partition("@")[2].partition("@")[0]
        case "phone":
            return f"***{value[-2:]}"
        case "birth_date":
            return value.replace(month=1, day=1)
    return None


@contextmanager
def connected_as(clone: Clone, role: str) -> Iterator[psycopg.Connection[Row]]:
    """A person in the role, with a password."""
    user, password = f"person_{secrets.token_hex(4)}", secrets.token_hex(8)
    clone.query(f"create role {user} login password '{password}' in role {role}")
    try:
        with psycopg.connect(
            host=clone.env["PGHOST"],
            port=clone.env["PGPORT"],
            user=user,
            password=password,
            dbname="seedbed",
            autocommit=True,
        ) as connection:
            yield connection
    finally:
        clone.query(f"drop role {user}")


def leaks(clone: Clone) -> list[str]:
    """What `./seedbed security probe` tells."""
    with clone.inside(), ledger.connect() as connection:
        run_id = ledger.begin_run(connection, "security probe")
        found = probe.probe(connection, run_id)
        ledger.end_run(connection, run_id, "done", {})
    return [leak.told for leak in found]


@functools.cache
def manifest(clone: Clone) -> str:
    """What dbt makes of the project as it is: the views that there have to be."""
    with clone.inside():
        build.run_dbt(["parse", "--target", "postgres"], quiet)
    return (clone.root / "target" / "manifest.json").read_text()


@pytest.fixture
def clone(day_4: Clone) -> Clone:
    """The demo after its last day, and the project as it is parsed."""
    (day_4.root / "target" / "manifest.json").write_text(manifest(day_4))
    return day_4


@pytest.mark.parametrize("role", CONSUMERS)
def test_each_column_of_personal_data_is_masked_for_each_role_in_every_row(
    clone: Clone, role: str
) -> None:
    kinds: dict[str, dict[str, str]] = {}
    for view, column, pii in personal_data():
        kinds.setdefault(view, {})[column] = pii
    assert len(kinds) == 8
    with connected_as(clone, role) as person:
        for view, classes in kinds.items():
            schema = "gold" if view.startswith("dim_") else "silver"
            rows = clone.relation(schema, view)
            cursor = person.execute(f"select * from serving.{view}")  # type: ignore[arg-type]
            assert cursor.description
            names = [c.name for c in cursor.description]
            seen = [dict(zip(names, row, strict=True)) for row in cursor]
            for row in rows:
                for column, pii in classes.items():
                    clear = row[column]
                    row[column] = masked(clear, pii) if role == ANALYST else None
            if role == RESTRICTED and "customer" in view:
                rows = [row for row in rows if row["country"] == "DE"]
                assert rows
            assert sorted(map(repr, seen)) == sorted(map(repr, rows)), view
            assert len({*names}) == len(names)
            if role == ANALYST:
                for column, pii in classes.items():
                    if pii not in ("free_text",):
                        assert any(r[column] for r in seen), (view, column)


@pytest.mark.parametrize("role", [*CONSUMERS, "seedbed_loader"])
def test_nothing_but_what_is_a_role_s_own_can_be_read_or_written(
    clone: Clone, role: str
) -> None:
    own = ("bronze", "audit") if role == "seedbed_loader" else ("serving",)
    relations = clone.query(
        "select relnamespace::regnamespace::text, relname from pg_class "
        "where relkind in ('r', 'v') and relnamespace::regnamespace::text = "
        "any(array['bronze', 'audit', 'staging', 'silver', 'gold', 'serving'])"
    )
    assert len(relations) > 60
    with connected_as(clone, role) as person:
        for schema, name in relations:
            if schema in own:
                person.execute(f"select from {schema}.{name} limit 1")  # type: ignore[arg-type]
                continue
            for statement in ("select from", "delete from"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    person.execute(f"{statement} {schema}.{name}")  # type: ignore[arg-type]
        if role in CONSUMERS:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                person.execute("delete from serving.dim_date")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                person.execute("create table serving.mine (id int)")


def test_a_function_of_a_restricted_analyst_sees_no_row_that_is_hidden(
    clone: Clone,
) -> None:
    told: list[str] = []
    with connected_as(clone, RESTRICTED) as person:
        person.add_notice_handler(lambda n: told.append(n.message_primary or ""))
        person.execute(
            "create function pg_temp.spy(text) returns boolean language plpgsql "
            "cost 0.0001 as $$ begin raise notice '%', $1; return true; end $$"
        )
        person.execute("select from serving.customers where pg_temp.spy(country)")
        person.execute("drop function pg_temp.spy(text)")
    assert {*told} == {"DE"}


# -- planted leaks: what is done, what the probe tells -------------------------

CUSTOMERS = (
    "select customer_id, email, full_name, phone, country, city, marketing_opt_in, "
    "loyalty_points, preferences, created_at, updated_at, deleted_at, is_deleted, "
    "_source_ts, _batch_seq from silver.customers"
)
PLANTED = {
    "a grant on a silver table": (
        f"grant select on silver.customers_history to {ANALYST}",
        f"{ANALYST} may select silver.customers_history",
        f"revoke all on silver.customers_history from {ANALYST}",
    ),
    "a grant on a table of gold to everyone": (
        "grant select on gold.dim_customer to public",
        f"{RESTRICTED} may select gold.dim_customer",
        "revoke all on gold.dim_customer from public",
    ),
    "a grant on a column of the log": (
        f"grant select (email) on bronze.shop__customers to {RESTRICTED}",
        f"{RESTRICTED} may select bronze.shop__customers",
        f"revoke select (email) on bronze.shop__customers from {RESTRICTED}",
    ),
    "a grant to write": (
        f"grant update on serving.customers to {ANALYST}",
        f"{ANALYST} may update serving.customers",
        f"revoke update on serving.customers from {ANALYST}",
    ),
    "a schema": (
        f"grant usage on schema silver to {ANALYST}",
        f"{ANALYST} may usage schema silver",
        f"revoke all on schema silver from {ANALYST}",
    ),
    "a plain view in the serving schema": (
        "create view serving.everything as select * from silver.customers",
        "serving.everything is none of the views",
        "drop view serving.everything",
    ),
    "a plain view elsewhere": (
        "create schema reports; create view reports.people as select * from "
        f"silver.customers; grant usage on schema reports to {ANALYST}; "
        f"grant select on reports.people to {ANALYST}",
        f"{ANALYST} may select reports.people",
        "drop schema reports cascade",
    ),
    "a consumer's view without its masks": (
        "create or replace view serving.customers with (security_barrier = true) as "
        f"{CUSTOMERS}",
        f"{RESTRICTED} sees serving.customers.email (email) unmasked",
        "",
    ),
    "a consumer's view without its barrier": (
        "alter view serving.customers set (security_barrier = false)",
        "serving.customers is no view with security_barrier",
        "alter view serving.customers set (security_barrier = true)",
    ),
    "rows that are not allowed": (
        "update audit.row_access set value = 'FR' where value = 'DE'",
        f"{RESTRICTED} sees rows of serving.customers that it may not see: "
        "those with country FR",
        "update audit.row_access set value = 'DE' where value = 'FR'",
    ),
    "a function with its owner's rights": (
        "create schema tools; grant usage on schema tools to public; create function "
        "tools.people() returns setof silver.customers language sql security definer "
        "as 'select * from silver.customers'",
        f"{ANALYST} may execute function tools.people()",
        "drop schema tools cascade",
    ),
    "a membership": (
        f"grant seedbed_transformer to {ANALYST}",
        f"{ANALYST} may select silver.customers",
        f"revoke seedbed_transformer from {ANALYST}",
    ),
    "a loader that reads gold": (
        "grant select on gold.dim_customer to seedbed_loader",
        "seedbed_loader may select gold.dim_customer",
        "revoke all on gold.dim_customer from seedbed_loader",
    ),
    "a transformer that writes the log": (
        "grant delete on bronze.shop__customers to seedbed_transformer",
        "seedbed_transformer may delete bronze.shop__customers",
        "revoke delete on bronze.shop__customers from seedbed_transformer",
    ),
}


@pytest.fixture(scope="module")
def planted(stack: Clone, played: object) -> Clone:
    """A clone for leaks that are planted and pulled out again."""
    stack.restore("day_4")
    with stack.inside():
        build.run_dbt(["parse", "--target", "postgres"], quiet)
    assert leaks(stack) == []
    return stack


@pytest.mark.parametrize("leak", PLANTED)
def test_a_planted_leak_is_found_and_told(planted: Clone, leak: str) -> None:
    plant, told, pull = PLANTED[leak]
    for statement in plant.split("; "):
        planted.query(statement)
    try:
        found = leaks(planted)
        assert [text for text in found if told in text], found
        assert all("Type" in text for text in found)
    finally:
        if pull:
            planted.query(pull)
        else:
            # What the paragraph says.
            done = planted.dbt("run", "--select", "customers")
            assert done.returncode == 0, done.stdout
    assert leaks(planted) == []


def test_a_leak_fails_the_run_with_a_paragraph_and_its_exit_code(clone: Clone) -> None:
    clone.query(f"grant select on silver.customers_history to {ANALYST}")
    result = clone.run("suppliers")
    assert (result.state, result.exit_code) == ("failed", 1)
    shown = clone.cli("status").stdout
    paragraph = f"revoke all on silver.customers_history from {ANALYST}"
    assert paragraph in " ".join(shown.split())
    clone.query(paragraph)
    result = clone.run("suppliers")
    assert (result.state, result.exit_code) == ("done", 0)
    asserted = clone.query(
        "select role_name, relation, column_name from audit.probe "
        "where run_id = %s and pii <> '' and holds",
        result.run_id,
    )
    assert {*asserted} == {
        (role, f"serving.{view}", column)
        for role in CONSUMERS
        for view, column, _ in personal_data()
    }


def test_a_table_that_is_rebuilt_with_a_grant_fails_the_run(clone: Clone) -> None:
    model = clone.root / "models" / "gold" / "dim_customer.sql"
    text = model.read_text()
    kind = "materialized='incremental',"
    assert kind in text
    grants = f"{kind}\n    grants={{'select': ['{ANALYST}']}},"
    model.write_text(text.replace(kind, grants, 1))
    build.forget()
    try:
        result = clone.run("suppliers")
    finally:
        model.write_text(text)
        build.forget()
    assert result.state == "failed"
    assert f"{ANALYST} may select gold.dim_customer" in result.leaks[0].told


def test_a_column_that_becomes_personal_data_is_masked_before_its_model_is_built(
    clone: Clone,
) -> None:
    line = "shop,customers,city,city,varchar(80),true,,true,trim"
    with clone.edited("columns", f"{line},,City", f"{line},address,City of residence"):
        done = clone.dbt("run", "--select", "dim_date")
        assert done.returncode == 0, done.stdout
        with connected_as(clone, ANALYST) as person:
            for view in ("customers", "customers_history"):
                query = f"select count(*), count(city) from serving.{view}"
                rows, cities = person.execute(query).fetchone()  # type: ignore
                assert rows
                assert not cities
        # Gold copies it, and nobody has said so.
        (told, _) = leaks(clone)
        assert "clear values of silver.customers" in told
        assert "serving.dim_customer.city" in told


def test_readers_see_masked_rows_all_the_time_while_a_table_is_rebuilt(
    clone: Clone,
) -> None:
    wrong: list[str] = []
    looked = 0
    done = threading.Event()

    def read() -> None:
        nonlocal looked
        with connected_as(clone, ANALYST) as person:
            while not done.is_set():
                try:
                    row = person.execute(
                        "select count(*), count(*) filter (where email not like "
                        "'***@%') from serving.dim_customer"
                    ).fetchone()
                    looked += 1
                    if row is None or row[0] == 0 or row[1]:
                        wrong.append(str(row))
                except psycopg.Error as error:
                    wrong.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    with clone.inside():
        for _ in range(3):
            words = ["run", "--target", "postgres", "--select", "dim_customer"]
            assert build.run_dbt(words, quiet).ok
    done.set()
    reader.join()
    assert looked > 20
    assert wrong == []


def test_a_view_that_is_as_it_should_be_is_left_alone(clone: Clone) -> None:
    query = (
        "select relname, xmin::text from pg_class "
        "where relnamespace = 'serving'::regnamespace order by 1"
    )
    before = clone.query(query)
    assert len(before) == 32
    assert clone.dbt("run", "--select", "orders_history").returncode == 0
    changed = {*clone.query(query)} ^ {*before}
    assert changed == set()


def test_without_its_roles_a_run_goes_on_and_says_what_was_not_asserted(
    clone: Clone,
) -> None:
    with clone.inside(SEEDBED_ROLES="absent"), ledger.connect() as connection:
        run_id = ledger.begin_run(connection, "security probe")
        assert probe.probe(connection, run_id) == []
    told = clone.query(
        "select told from audit.probe where run_id = %s and holds", run_id
    )
    assert len(told) == 4
    assert "there is no role absent_loader" in told[0][0]


def test_a_transformer_builds_a_place_of_its_own_and_changes_no_log(
    clone: Clone,
) -> None:
    clone.query("create role ada login password 'ada' in role seedbed_transformer")
    ada = {"SEEDBED_SCHEMA": "dev_ada", "PGUSER": "ada", "PGPASSWORD": "ada"}
    try:
        clone.query("grant create on database seedbed to ada")
        done = clone.dbt("run", "--select", "+customers", **ada)
        assert done.returncode == 0, done.stdout
        clone.query("grant ada to seedbed with inherit true, set true")
        built, own = (
            clone.value(f"select count(*) from {schema}.customers")
            for schema in ("silver", "dev_ada_silver")
        )
        assert built == own
        assert leaks(clone) == []
    finally:
        clone.query("grant ada to seedbed with inherit true, set true")
        clone.query("drop owned by ada cascade")
        clone.query("drop role ada")
