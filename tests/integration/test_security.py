"""Consumers see masked views and nothing else; a leak fails the run."""

import functools
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from ingest import control
from orchestration import build, probe
from sandbox.servers.postgres import Postgres
from sandbox.servers.service import Stack
from tests.clone import Clone, Row, quiet, seed

ANALYST, RESTRICTED = "seedbed_analyst", "seedbed_restricted_analyst"
CONSUMERS = (ANALYST, RESTRICTED)
FILTERED = ("customers", "customers_history", "dim_customer")
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


def leaks(clone: Clone) -> list[str]:
    """What `./seedbed security probe` tells."""
    with clone.inside(), control.connect() as connection:
        run_id = control.begin_run(connection, "security probe")
        found = probe.probe(connection, run_id)
        control.end_run(connection, run_id, "done")
    return [leak.message for leak in found]


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
    with clone.connected_as(role) as person:
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
    with clone.connected_as(role) as person:
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
    with clone.connected_as(RESTRICTED) as person:
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
# None of these is one: who is in a role, other applications, and who manages roles.
HARMLESS = [
    f"create role person in role {ANALYST}",
    f"create role team_fr in role {RESTRICTED}",
    "create role person_fr in role team_fr",
    "create role developer in role seedbed_transformer",
    "create role colleague",
    "create schema reports",
    "create table reports.of_others (id int)",
    "grant usage on schema reports to colleague, person",
    "grant select on reports.of_others to colleague, person",
    "create function reports.own() returns int language sql as 'select 1'",
]
PLANTED = {
    "a grant on a silver table": (
        f"grant select on silver.customers_history to {ANALYST}",
        f"{ANALYST} may select silver.customers_history,",
    ),
    "a grant on a table of gold to everyone": (
        "grant select on gold.dim_customer to public",
        "everybody may select gold.dim_customer",
    ),
    "a grant on a column": (
        f"grant select (email) on bronze.shop__customers to {RESTRICTED}",
        f"{RESTRICTED} may select bronze.shop__customers (email)",
    ),
    "a grant to write": (
        f"grant update, delete on serving.customers to {ANALYST}",
        f"{ANALYST} may delete, update serving.customers",
    ),
    "a schema": (
        f"grant usage on schema silver to {ANALYST}",
        f"{ANALYST} may use schema silver",
    ),
    "a plain view in the serving schema": (
        "create view serving.everything as select * from silver.customers",
        "serving.everything belongs to no model",
    ),
    "a plain view elsewhere": (
        "create view reports.people as select * from silver.customers; "
        f"grant select on reports.people to {ANALYST}",
        f"{ANALYST} may select reports.people",
    ),
    "a view of a view for somebody in no role": (
        "create view reports.some as select * from reports.people; "
        "grant select on reports.some to colleague",
        "colleague may select reports.some, which is not for it, as it is in none",
    ),
    "a materialized view": (
        "create materialized view reports.stored as select * from gold.dim_customer; "
        f"grant select on reports.stored to {RESTRICTED}",
        f"{RESTRICTED} may select reports.stored",
    ),
    "a schema that looks like an environment's": (
        "create schema place_serving; create view place_serving.x as "
        f"select email from silver.customers; grant usage on schema place_serving to "
        f"{ANALYST}; grant select on place_serving.x to {ANALYST}",
        f"{ANALYST} may select place_serving.x",
    ),
    "a function with its owner's rights": (
        "create schema tools; grant usage on schema tools to public; create function "
        "tools.people() returns setof silver.customers language sql security definer "
        "as 'select * from silver.customers'",
        "everybody may execute function tools.people()",
    ),
    "a function that a login may execute": (
        "create function tools.emails(n int) returns setof text language sql security "
        "definer as 'select email from silver.customers'; revoke all on function "
        "tools.emails from public; grant execute on function tools.emails to person",
        "person may execute function tools.emails(n integer)",
    ),
    "a sequence": (
        "create sequence silver.counter; "
        f"grant usage on sequence silver.counter to {ANALYST}",
        f"{ANALYST} may use sequence silver.counter",
    ),
    "what will be made in a schema": (
        "alter default privileges in schema silver grant select on tables to "
        f"{ANALYST}",
        f"{ANALYST} may select tables that seedbed will make in schema silver",
    ),
    "what will be made anywhere": (
        "alter default privileges grant select on tables to person",
        "person may select tables that seedbed will make, which",
    ),
    "a membership": (
        f"grant seedbed_transformer to {ANALYST}",
        f"{ANALYST} is a member of seedbed_transformer and so may",
    ),
    "a membership that is taken on": (
        f"grant seedbed_transformer to {RESTRICTED} with inherit false, set true",
        f"{RESTRICTED} is a member of seedbed_transformer and so may",
    ),
    "a role that inherits": (
        "create role team; grant select on gold.dim_customer to team; "
        "grant team to person",
        "team may select gold.dim_customer, which is not for it, as it is in none",
    ),
    "a login's direct grant": (
        "grant select on silver.customers to person_fr",
        "person_fr may select silver.customers",
    ),
    "a developer's grant to write": (
        "grant update on silver.customers to developer",
        "developer may update silver.customers",
    ),
    "a loader that reads gold": (
        "grant select on gold.dim_customer to seedbed_loader",
        "seedbed_loader may select gold.dim_customer",
    ),
    "a transformer that writes the log": (
        "grant delete on bronze.shop__customers to seedbed_transformer",
        "seedbed_transformer may delete bronze.shop__customers",
    ),
    "a role that no right binds": (
        f"alter role {ANALYST} createrole",
        f"{ANALYST} has createrole",
    ),
    "a consumer's view without its masks": (
        "create or replace view serving.customers with (security_barrier = true) as "
        f"{CUSTOMERS}",
        f"{RESTRICTED} sees serving.customers.email (email) unmasked",
    ),
    "a consumer's view without its barrier": (
        "alter view serving.orders set (security_barrier = false)",
        "serving.orders is no view with security_barrier",
    ),
    "rows that are not allowed": (
        "update audit.row_access set value = 'FR' where value = 'DE'",
        f"{RESTRICTED} sees rows of serving.customers_history that it may not see: "
        "those with country FR",
    ),
}
# What the owner of the database can't do.
PLANTED_BY_SUPERUSER = {
    "a foreign table": (
        "create foreign data wrapper nowhere; create server other foreign data wrapper "
        "nowhere; create foreign table reports.far (email text) server other; "
        f"grant select on reports.far to {ANALYST}",
        f"{ANALYST} may select reports.far",
    ),
    "a foreign server": (
        f"grant usage on foreign server other to {ANALYST}",
        f"{ANALYST} may use foreign server other",
    ),
    "a role of the server's": (
        f"grant pg_read_all_data to {RESTRICTED}",
        f"{RESTRICTED} is a member of pg_read_all_data and so may read every table",
    ),
    "a group of the owner's": (
        "create role team_of_owners; grant seedbed to team_of_owners; "
        f"create role person_too in role {ANALYST}, team_of_owners",
        "person_too is a member of team_of_owners and so may all that seedbed owns",
    ),
}


@contextmanager
def superuser(clone: Clone) -> Iterator[psycopg.Connection[Row]]:
    """The superuser of the clone's server, whom its configuration lets in for once."""
    data = Postgres(Stack(clone.root)).data
    access = data / "pg_hba.conf"
    before = access.read_text()
    pid = int((data / "postmaster.pid").read_text().splitlines()[0])

    def reload(text: str) -> None:
        access.write_text(text)
        os.kill(pid, signal.SIGHUP)
        time.sleep(0.5)

    reload(f"host all postgres 127.0.0.1/32 trust\n{before}")
    try:
        with psycopg.connect(
            host=clone.env["PGHOST"],
            port=clone.env["PGPORT"],
            user="postgres",
            dbname="seedbed",
            autocommit=True,
        ) as connection:
            yield connection
    finally:
        reload(before)


@pytest.fixture(scope="module")
def planted(stack: Clone, played: object) -> Clone:
    """A clone for leaks that are planted and pulled out again."""
    stack.restore("day_4")
    with stack.inside():
        build.run_dbt(["parse", "--target", "postgres"], quiet)
    return stack


def test_each_planted_leak_is_found_and_closed_by_the_statement_that_is_shown(
    planted: Clone,
) -> None:
    for statement in HARMLESS:
        planted.query(statement)
    assert leaks(planted) == []
    with superuser(planted) as admin:
        for plant, _ in PLANTED.values():
            for statement in plant.split("; "):
                planted.query(statement)
        for plant, _ in PLANTED_BY_SUPERUSER.values():
            for statement in plant.split("; "):
                admin.execute(statement)  # type: ignore[arg-type]
        found = leaks(planted)
        for leak, (_, told) in (PLANTED | PLANTED_BY_SUPERUSER).items():
            assert [text for text in found if told in text], (leak, found)
        built: set[str] = set()
        for text in found:
            (typed,) = re.findall(r"Type:? (.*?)(?:;|$|, which)", text)
            if model := re.match("`dbt run --select (.*)`", typed):
                built.add(model[1])
            else:
                admin.execute(typed)  # type: ignore[arg-type]
                built |= {*re.findall("and `dbt run --select (.*?)`", text)}
        done = planted.dbt("run", "--select", *sorted(built))
        assert done.returncode == 0, done.stdout
        left = leaks(planted)
        assert left == []


def test_a_leak_fails_the_run_with_a_paragraph_and_its_exit_code(clone: Clone) -> None:
    clone.query(f"grant select on silver.customers_history to {ANALYST}")
    result = clone.run("suppliers")
    assert (result.state, result.exit_code) == ("failed", 1)
    shown = clone.cli("status").stdout
    paragraph = f"revoke select on silver.customers_history from {ANALYST}"
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
    # Rows are filtered where a filter is named, and nowhere else.
    rows = clone.query(
        "select relation, column_name from audit.probe where run_id = %s and holds "
        "and role_name = %s and pii = '' and column_name <> ''",
        result.run_id,
        RESTRICTED,
    )
    filtered = {relation for relation, column in rows if column != probe.ALL_ROWS}
    assert filtered == {f"serving.{view}" for view in FILTERED}
    assert {relation for relation, _ in rows} == {
        f"serving.{name}"
        for (name,) in clone.query(
            "select relname from pg_class where relnamespace = 'serving'::regnamespace"
        )
    }


def test_a_table_that_is_rebuilt_with_a_grant_fails_the_run(clone: Clone) -> None:
    model = clone.root / "models" / "gold" / "dim_customer.sql"
    text = model.read_text()
    kind = "materialized='table',"
    assert kind in text
    grants = f"{kind}\n    grants={{'select': ['{ANALYST}']}},"
    model.write_text(text.replace(kind, grants, 1))
    try:
        result = clone.run("suppliers")
    finally:
        model.write_text(text)
    assert result.state == "failed"
    assert f"{ANALYST} may select gold.dim_customer" in result.leaks[0].message


def test_a_column_that_becomes_personal_data_is_masked_before_its_model_is_built(
    clone: Clone,
) -> None:
    line = "shop,customers,city,city,varchar(80),true,,true,trim"
    with clone.edited("columns", f"{line},,City", f"{line},address,City of residence"):
        done = clone.dbt("run", "--select", "dim_date")
        assert done.returncode == 0, done.stdout
        with clone.connected_as(ANALYST) as person:
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
        with clone.connected_as(ANALYST) as person:
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
    assert len(before) == 33
    assert clone.dbt("run", "--select", "orders_history").returncode == 0
    changed = {*clone.query(query)} ^ {*before}
    assert changed == set()


# What decides what consumers see, and what undoes it.
CHANGES = {
    "a row": ("update silver.customers_history set city = city", ""),
    "a view": (
        "do $$ begin execute 'create or replace view silver.customers as ' || "
        "pg_get_viewdef('silver.customers'); end $$",
        "",
    ),
    "a relation": (
        "create table gold.of_somebody as select 1 as id",
        "drop table gold.of_somebody",
    ),
    "a row filter": (
        f"insert into audit.row_access values ('{RESTRICTED}', 'country', 'XX')",
        "delete from audit.row_access where value = 'XX'",
    ),
}


def test_views_are_read_again_where_something_was_built_or_changed(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    look = probe._look

    def counted(own: Any, role: str, model: Any, clear: Any) -> Any:
        reads.append(model.view)
        return look(own, role, model, clear)

    monkeypatch.setattr(probe, "_look", counted)

    def is_read(*, is_built: bool = False) -> bool:
        reads.clear()
        with clone.inside(), control.connect() as connection:
            run_id = control.begin_run(connection, "security probe")
            assert probe.probe(connection, run_id, is_built=is_built) == []
            control.end_run(connection, run_id, "done")
            masked = connection.execute(
                "select count(*) from audit.probe where run_id = %s and pii <> ''",
                (run_id,),
            ).fetchone()
        assert masked == (2 * len(personal_data()),)
        return bool(reads)

    def is_read_soon() -> bool:
        """Postgres counts a session's changes a moment after its end."""
        return any(is_read() or time.sleep(0.1) for _ in range(50))

    assert is_read(is_built=True)
    for name, (change, undone) in CHANGES.items():
        while is_read():
            pass
        clone.query(change)
        assert is_read_soon(), name
        if undone:
            clone.query(undone)
    while is_read():
        pass
    assert is_read(is_built=True)


def test_a_right_is_seen_where_no_view_is_read(clone: Clone) -> None:
    with clone.inside(), control.connect() as connection:
        run_id = control.begin_run(connection, "security probe")
        assert probe.probe(connection, run_id) == []
        connection.execute(f"grant select on silver.customers_history to {ANALYST}")
        found = probe.probe(connection, run_id, is_built=False)
        connection.execute(f"revoke select on silver.customers_history from {ANALYST}")
    assert [leak.role_name for leak in found] == [ANALYST]


def test_without_its_roles_it_says_what_was_not_asserted_and_who_else_has_rights(
    clone: Clone,
) -> None:
    with clone.inside(SEEDBED_ROLES="absent"), control.connect() as connection:
        run_id = control.begin_run(connection, "security probe")
        found = probe.probe(connection, run_id)
    # Whose roles have another beginning are nobody here.
    assert {leak.role_name for leak in found} == {
        *CONSUMERS,
        "seedbed_loader",
        "seedbed_transformer",
    }
    assert all("in none of the roles. Type: " in leak.message for leak in found)
    told = clone.query(
        "select message from audit.probe where run_id = %s and holds and message <> ''",
        run_id,
    )
    assert len(told) == 4
    assert "there is no role absent_loader" in told[0][0]


def test_a_transformer_builds_an_environment_of_its_own_and_changes_no_log(
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
        # As production has it; what ada's command parsed is of another environment.
        (clone.root / "target" / "manifest.json").write_text(manifest(clone))
        assert leaks(clone) == []
        # What is served there is looked at as well, whatever it is called.
        clone.query(
            "create view dev_ada_serving.extra as "
            "select email as contact from dev_ada_silver.customers"
        )
        clone.query(f"grant select on dev_ada_serving.extra to {ANALYST}")
        clone.query(
            "create or replace view dev_ada_serving.customers "
            f"with (security_barrier = true) as {CUSTOMERS}"
        )
        found = " ".join(leaks(clone))
        for told in (
            "dev_ada_serving.extra is no view that a build has made",
            "dev_ada_serving.customers is no view that a build has made",
            "customers.email in dev_ada_serving.extra.contact",
            f"{RESTRICTED} sees dev_ada_serving.customers.email (email) unmasked",
            "Type: drop view dev_ada_serving.customers;",
        ):
            assert told in found
    finally:
        clone.query("grant ada to seedbed with inherit true, set true")
        clone.query("drop owned by ada cascade")
        clone.query("drop role ada")
