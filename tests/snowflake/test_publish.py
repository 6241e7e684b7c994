"""Snowflake, emulated, shows what Postgres shows: first, changed, after a kill."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from ingest import control
from ingest.errors import ServiceError
from orchestration import orchestrated, parity, publish, runner, snowflake
from orchestration.parity import Comparison
from orchestration.publish import Published
from sandbox import demo
from tests.clone import Clone, neutral_environment, quiet
from tests.conftest import DAYS
from tests.faults.child import Run, run
from tests.faults.proxy import Proxy, refusal
from tests.integration.test_gold import as_values, dividends, exact, quotient
from tests.lineage import assert_chain, checked, lineage_of
from tests.snowflake.test_golden import compared

TARGET = "snowflake (emulated)"
SUPPLIERS = "seedbed.silver.suppliers"
Contents = dict[str, list[str]]


@dataclass
class Story:
    """The demo's first two days; the publish of the second is killed and resumed."""

    first: runner.Run
    parity_1: list[Comparison]
    before_kill: Contents
    after_kill: Contents
    resumed: Published
    parity_2: list[Comparison]
    published: Contents = field(default_factory=dict)


def contents(*schemas: str) -> Contents:
    """Every relation of these schemas on Snowflake: its rows as sorted texts."""
    found = {}
    listed = ", ".join(f"'{schema}'" for schema in schemas)
    with snowflake.connect() as there:
        cursor = there.cursor()
        cursor.execute(
            "select distinct lower(table_schema), lower(table_name) "
            f"from {snowflake.database()}.information_schema.columns "
            f"where lower(table_schema) in ({listed}) order by 1, 2"
        )
        for schema, name in cursor.fetchall():
            cursor.execute(f"select * from {snowflake.database()}.{schema}.{name}")
            found[f"{schema}.{name}"] = sorted(map(str, cursor.fetchall()))
    return found


def empty(stack: Clone, emulated: dict[str, str]) -> None:
    """Have the servers as new, and nothing on Snowflake."""
    stack.restore("empty")
    with stack.inside(**emulated), snowflake.connect() as there:
        cursor = there.cursor()
        cursor.execute(
            f"select schema_name from {snowflake.database()}.information_schema."
            "schemata where schema_name <> 'INFORMATION_SCHEMA'"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'drop schema {snowflake.database()}."{name}" cascade')


@pytest.fixture(scope="module")
def story(stack: Clone, emulated: dict[str, str]) -> Story:
    """The clone after two days, on both warehouses."""
    stack.restore("empty")
    stack.day(1)
    first = run(stack, emulated)
    with stack.inside(**emulated):
        parity_1 = parity.run()
        before_kill = contents("silver", "gold")
    stack.day(2)
    killed = Run(stack, env=emulated | {"SEEDBED_FAILPOINT": "in_publish"})
    killed.wait(600)  # it parses the project for both warehouses
    killed.assert_killed()
    with stack.inside(**emulated):
        after_kill = contents("silver", "gold")
        resumed = publish.run()
        parity_2 = parity.run()
        logs = contents("bronze", "silver", "gold")
    return Story(first, parity_1, before_kill, after_kill, resumed, parity_2, logs)


@pytest.fixture
def there(stack: Clone, emulated: dict[str, str], story: Story) -> Iterator[None]:
    """Let this process be a ./seedbed of the clone, after the story."""
    with stack.inside(**emulated):
        yield


def assert_alike(found: list[Comparison]) -> None:
    """Nothing differs, and there is something of each layer to compare."""
    assert [(c.name, c.faults, c.differing) for c in found if c.differs] == []
    assert {c.layer for c in found if c.rows[1]} == {"silver", "gold"}
    assert sum(c.rows[1] for c in found) > 1000


def test_a_first_run_publishes_and_both_warehouses_show_the_same(story: Story) -> None:
    assert (story.first.state, story.first.exit_code) == ("done", 0)
    assert str(story.first.published).startswith(f"{TARGET}: 8 batches, ")
    assert_alike(story.parity_1)


def test_a_killed_publish_leaves_nothing_half_visible(story: Story) -> None:
    # Views of the log, which show a table's batches once they are released.
    views = {"silver.products_latest", "gold.int_order_changes"}
    names = {*story.before_kill} - views
    for name in names:
        assert story.before_kill[name] == story.after_kill[name], name
    assert story.before_kill["gold.fct_orders"], "there was something to see"


def test_the_next_publish_goes_on_from_there_and_both_show_the_changes(
    story: Story,
) -> None:
    assert (story.resumed.ok, story.resumed.target) == (True, TARGET)
    assert_alike(story.parity_2)
    # New rows, changed ones, late ones, and those that the source deleted.
    assert story.published["silver.orders"] != story.before_kill["silver.orders"]
    assert len(story.published["silver.orders_history"]) > len(
        story.before_kill["silver.orders_history"]
    )


def test_what_is_published_is_not_copied_again(there: None, story: Story) -> None:
    again = publish.run()
    assert (again.batches, again.rows, again.ok) == (0, 0, True)
    assert contents("bronze", "silver", "gold") == story.published


@pytest.mark.long
def test_a_batch_that_is_copied_again_replaces_itself(
    stack: Clone, there: None, story: Story
) -> None:
    stack.query("delete from audit.publication where table_id = 'shop.suppliers'")
    again = publish.run()
    assert again.ok
    assert again.batches == 2
    assert contents("bronze", "silver", "gold") == story.published


def test_each_step_of_it_is_in_the_control_tables(stack: Clone, story: Story) -> None:
    steps = stack.query(
        "select distinct state from audit.step where name = 'publish' order by 1"
    )
    assert steps == [("done",), ("failed",)]  # the killed one is failed
    assert stack.value("select count(*) from audit.publication") == stack.value(
        "select count(*) from audit.batch where state = 'released'"
    )
    assert stack.query("select distinct target from audit.publication") == [(TARGET,)]


def test_the_lineage_of_a_run_goes_on_into_every_model_of_snowflake(
    stack: Clone, story: Story
) -> None:
    events = lineage_of(stack, story.first.run_id)
    assert_chain([events])
    checked(events)
    (copied,) = [
        event
        for event in events
        if (event["job"]["name"], event["eventType"]) == ("publish", "COMPLETE")
    ]
    assert len(copied["inputs"]) == len(copied["outputs"]) == 8
    there = {
        dataset["name"].partition(".")[2]
        for event in events
        for dataset in event["outputs"]
        if dataset["namespace"].startswith("snowflake://")
    }
    assert {*story.before_kill} <= there


def supplier() -> int:
    """The first supplier that Snowflake has."""
    with snowflake.connect() as account:
        cursor = account.cursor()
        cursor.execute(f"select min(supplier_id) from {SUPPLIERS}")
        row = cursor.fetchone()
        assert row
        return int(row[0])


@contextmanager
def planted(change: str, undo: str) -> Iterator[None]:
    """Snowflake's suppliers with a change that Postgres has not."""
    with snowflake.connect() as account:
        cursor = account.cursor()
        cursor.execute(change.format(SUPPLIERS))
        try:
            yield
        finally:
            cursor.execute(undo.format(SUPPLIERS))


def test_another_value_is_found_and_reported_by_its_key(
    there: None, story: Story
) -> None:
    key = supplier()
    change = f"update {{}} set name = {{}} where supplier_id = {key}"
    with planted(
        change.format("{}", "concat(name, '!')"),
        change.format("{}", "left(name, length(name) - 1)"),
    ):
        (wrong,) = [found for found in parity.run() if found.differs]
    assert (wrong.name, wrong.columns) == ("suppliers", ["name"])
    assert wrong.faults == ["other values in name"]
    assert wrong.differing == [f"supplier_id={key} (name)"]


def test_a_row_that_is_not_there_fails_the_command(
    stack: Clone, emulated: dict[str, str], there: None, story: Story
) -> None:
    key = supplier()
    with planted(
        f"update {{}} set supplier_id = -supplier_id where supplier_id = {key}",
        f"update {{}} set supplier_id = {key} where supplier_id = -{key}",
    ):
        done = stack.cli("parity", "--json", **emulated)
    assert done.returncode == 1, done.stderr
    (wrong,) = [found for found in json.loads(done.stdout) if found["differs"]]
    assert (wrong["name"], wrong["target"]) == ("suppliers", TARGET)
    assert {*wrong["differing"]} == {
        f"supplier_id={key} (not on {TARGET})",
        f"supplier_id=-{key} (not on postgres)",
    }


def assert_refused(error: ServiceError, user: str) -> None:
    """One clear paragraph, and the exit code of a service out of reach."""
    assert error.exit_code == 3
    text = str(error)
    assert "\n" not in text
    assert TARGET in text
    assert user in text
    assert "`./seedbed publish` goes on from there" in text


@contextmanager
def watched(port: str) -> Iterator[Proxy]:
    """A proxy before the emulator."""
    proxy = Proxy(int(port), "SNOWFLAKE_PORT", port)
    try:
        yield proxy
    finally:
        proxy.die()


def test_a_wrong_password_is_reported_once_and_not_tried_again(
    stack: Clone, emulated: dict[str, str], story: Story
) -> None:
    wrong = {"SNOWFLAKE_PASSWORD": "not the one"}
    with watched(emulated["SNOWFLAKE_PORT"]) as proxy:
        with (
            stack.inside(**emulated | wrong | proxy.env),
            pytest.raises(ServiceError) as caught,
        ):
            publish.run()
        assert proxy.connections == 1
    assert_refused(caught.value, "seedbed")
    assert "SNOWFLAKE_PASSWORD" in str(caught.value)
    assert "not the one" not in str(caught.value)


def test_an_account_that_does_not_exist_is_reported_once(
    stack: Clone, emulated: dict[str, str], story: Story
) -> None:
    with watched(emulated["SNOWFLAKE_PORT"]) as proxy:
        # What Snowflake's front door says of an account it does not know.
        proxy.answer(refusal("403 Forbidden", "Forbidden"))
        with stack.inside(**emulated | proxy.env), pytest.raises(ServiceError) as told:
            publish.run()
        assert proxy.connections == 1
    assert_refused(told.value, "seedbed")
    assert "SNOWFLAKE_ACCOUNT" in str(told.value)


def as_airflow_does(stack: Clone) -> str:
    """Publish step by step, in a run of an orchestrator's that reads nothing."""
    run_id = orchestrated.begin(
        "load", "lake_to_warehouses", "by hand", ["*"], quiet, is_reading=False
    )
    for table in stack.tables():
        orchestrated.move(run_id, table.id, ["load"], quiet)
    found = runner.Run.resume(run_id, quiet)
    found.publish()
    with control.connect() as connection:
        control.end_run(connection, run_id, "done")
    return str(found.published)


@pytest.mark.lean("shop.suppliers")
def test_a_run_that_snowflake_refuses_leaves_postgres_done(
    stack: Clone, emulated: dict[str, str], story: Story
) -> None:
    stack.change(
        "update shop.suppliers set name = concat(name, ' & Co'), "
        "updated_at = '2026-03-05'"
    )
    result = run(stack, emulated | {"SNOWFLAKE_PASSWORD": "not the one"})
    assert (result.state, result.exit_code) == ("failed", 3)
    assert isinstance(result.publish_error, ServiceError)
    assert {o.state for o in result.outcomes} == {"released"}
    here = stack.query(
        "select right(name, 5) from silver.suppliers where not is_deleted"
    )
    assert {*here} == {(" & Co",)}
    with stack.inside(**emulated):
        assert (
            contents("silver")["silver.suppliers"]
            == (story.published["silver.suppliers"])
        )
        assert as_airflow_does(stack).startswith(f"{TARGET}: 1 batches, {len(here)} ")
        assert_alike(parity.run())


def test_what_the_emulator_waves_through_is_what_is_meant(
    stack: Clone, story: Story
) -> None:
    log = stack.root / ".seedbed" / "snowflake" / "data" / "accepted.jsonl"
    told = {json.loads(line) for line in log.read_text().splitlines()}
    plain = {re.sub(r'"(run_id|model)": "[^"]*"', r'"\1": "…"', line) for line in told}
    # Other tests have databases of their own.
    ours = sorted(line for line in plain if not re.search("(histories|types)[.]", line))
    compared("accepted.txt", "".join(f"{line}\n" for line in ours))


@pytest.mark.parametrize(
    ("type_", "kind"), [("bigint", int), ("numeric(18, 2)", Decimal)]
)
def test_a_quotient_is_exact(
    stack: Clone, emulated: dict[str, str], type_: str, kind: type
) -> None:
    pairs = [pair for pair in dividends() if isinstance(pair[1], kind)]
    shown = ", ".join(quotient("a", "b", scale) for scale in (2, 4))
    with stack.inside(**emulated), snowflake.connect() as there:
        cursor = there.cursor()
        cursor.execute(
            f"select {shown} from ({as_values(pairs, type_)}) as v order by place"
        )
        found = cursor.fetchall()
    assert found == [(exact(a, b, 2), exact(a, b, 4)) for a, b in pairs]


@pytest.mark.long
def test_the_whole_demo_is_the_same_on_both(
    stack: Clone, emulated: dict[str, str]
) -> None:
    """As the README has it, with the rows that the demo has by default."""
    empty(stack, emulated)
    for words in (("demo", "--target", "snowflake", "--keep"), ("parity",)):
        done = subprocess.run(
            stack.command(*words),
            cwd=stack.root,
            env=neutral_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert stack.value("select count(*) from gold.fct_orders") > demo.DEFAULT_ROWS


@pytest.mark.long
def test_each_day_of_the_demo_built_twice_is_the_same_on_both(
    stack: Clone, emulated: dict[str, str], story: Story
) -> None:
    empty(stack, emulated)
    for day in DAYS:
        stack.day(day)
        result = run(stack, emulated)
        # Day 3 has a batch that is held back, with all that stands on it.
        assert result.state == ("blocked" if day == 3 else "done")
        with stack.inside(**emulated):
            assert_alike(parity.run())
            once = contents("bronze", "silver", "gold")
            assert publish.run(everything=True).ok
            assert contents("bronze", "silver", "gold") == once
