"""As a login in each role: what docs/roles.md promises works, all else is refused."""

import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from tests.clone import Clone

LAYERS = ("staging", "silver", "gold", "quality", "serving")


@dataclass
class Developer:
    """A login in the transformer's role, with an environment's name."""

    clone: Clone
    name: str
    password: str

    @property
    def env(self) -> dict[str, str]:
        """The variables that such a person sets."""
        return {
            "SEEDBED_SCHEMA": f"dev_{self.name}",
            "PGUSER": self.name,
            "PGPASSWORD": self.password,
        }

    def dbt(self, *words: str) -> subprocess.CompletedProcess[str]:
        """dbt in that environment, a folder of its own for what it writes."""
        folder = f"target/{self.name}"
        done = self.clone.dbt(
            *words, "--target", "postgres", "--target-path", folder, **self.env
        )
        assert "Traceback" not in done.stdout
        return done

    def refused(self, statement: str) -> None:
        """The statement is refused, and not for its spelling."""
        with (
            psycopg.connect(
                host=self.clone.env["PGHOST"],
                port=self.clone.env["PGPORT"],
                user=self.name,
                password=self.password,
                dbname="seedbed",
            ) as own,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            own.execute(statement.encode())


@pytest.fixture(scope="module")
def demo(stack: Clone, played: object) -> Clone:
    """The demo after its first day; these tests change nothing of production."""
    stack.restore("day_1")
    return stack


@pytest.fixture(scope="module")
def ada(demo: Clone) -> Iterator[Developer]:
    """A developer who may create schemas."""
    developer = Developer(demo, f"ada_{secrets.token_hex(3)}", secrets.token_hex(8))
    demo.query(
        f"create role {developer.name} login password '{developer.password}' "
        "in role seedbed_transformer"
    )
    demo.query(f"grant create on database seedbed to {developer.name}")
    try:
        yield developer
    finally:
        name = developer.name
        demo.query(f"grant {name} to seedbed with inherit true, set true")
        demo.query(f"drop owned by {name} cascade")
        demo.query(f"drop role {name}")


def production(clone: Clone) -> dict[str, list[str]]:
    """All that production has, with the control tables that say what is built."""
    found = clone.contents((*LAYERS, "bronze"))
    for name in ("model_claim", "gold_claim", "built_table", "table_state"):
        rows = clone.query(f"select row::text from audit.{name} as row order by 1")
        found[f"audit.{name}"] = [text for (text,) in rows]
    return found


@pytest.mark.long
def test_a_developer_builds_an_environment_twice_and_production_stays(
    demo: Clone, ada: Developer
) -> None:
    before = production(demo)
    for _ in range(2):
        done = ada.dbt("build")
        assert done.returncode == 0, done.stdout[-3000:]
    assert production(demo) == before
    demo.query(f"grant {ada.name} to seedbed with inherit true, set true")
    for layer in ("silver", "gold"):
        own = demo.contents([f"dev_{ada.name}_{layer}"], any_observation=True)
        there = demo.contents([layer], any_observation=True)
        rows = {name.partition(".")[2]: len(texts) for name, texts in there.items()}
        assert {n.partition(".")[2]: len(t) for n, t in own.items()} == rows
    for name in ("model_claim", "gold_claim"):
        own_rows, rows = (
            demo.value(f"select count(*) from {schema}.{name}")
            for schema in (f"dev_{ada.name}_audit", "audit")
        )
        assert own_rows == rows > 5


# What a developer must not do to production, and how they might try.
REFUSED = {
    "a claim of production": "update audit.model_claim set done_seq = done_seq + 5",
    "a claim more": "insert into audit.model_claim select * from audit.model_claim",
    "a claim less": "delete from audit.model_claim",
    "a claim of gold": "update audit.gold_claim set done_seq = 99",
    "what is released": "update audit.table_state set released_through = 0",
    "what is built": "update audit.built_table set through_seq = 99",
    "a batch": "update audit.batch set state = 'released'",
    "a run": "insert into audit.run (run_id, command) values ('x', 'run')",
    "a lock of the platform": "insert into audit.lock (name) values ('build')",
    "the control tables' lock": "lock table audit.model_claim in share mode",
    "the version": "delete from audit.schema_version",
    "the allowed rows": "insert into audit.row_access values ('a', 'b', 'c')",
    "a row of the log": "delete from bronze.shop__customers",
    "a log's lock": "lock table bronze.shop__customers in share mode",
    "a row of silver": "update silver.customers_history set email = ''",
    "a row of gold": "delete from gold.dim_customer",
    "a table beside them": "create table silver.mine (id int)",
    "a table beside the control tables": "create table audit.mine (id int)",
    "a view for consumers": "create view serving.mine as select 1 as one",
    "another owner": "alter table silver.customers_history owner to current_user",
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_developer_changes_nothing_of_production(ada: Developer, what: str) -> None:
    ada.refused(REFUSED[what])


def test_a_developer_s_run_is_refused_with_what_to_type_instead(
    demo: Clone, ada: Developer
) -> None:
    variables = {k: v for k, v in demo.env.items() if k.startswith(("PG", "AWS_"))}
    variables |= {"SEEDBED_LAKE": demo.env["SEEDBED_LAKE"]}
    done = demo.cli("run", "--tables", "suppliers", **(variables | ada.env))
    told = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 3, told
    assert f"refused user {ada.name}" in told
    assert "dbt build --target postgres" in told
    assert "unexpected" not in told


@pytest.mark.long
def test_the_owner_builds_a_fresh_environment_twice(demo: Clone) -> None:
    """By plain dbt, unit tests and all."""
    before = production(demo)
    for _ in range(2):
        done = demo.dbt(
            "build",
            "--target",
            "postgres",
            "--target-path",
            "target/fresh",
            SEEDBED_SCHEMA="dev_fresh",
        )
        assert done.returncode == 0, done.stdout[-3000:]
    assert production(demo) == before
    for (schema,) in demo.query(
        "select nspname from pg_namespace where nspname ~ '^dev_fresh_'"
    ):
        demo.query(f"drop schema {schema} cascade")
