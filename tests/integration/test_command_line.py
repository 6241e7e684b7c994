"""The command line as people and scripts use it: in processes of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from orchestration import summary
from tests.clone import LAYERS, Clone, columns_of, neutral_environment
from tests.conftest import Played


def shell(clone: Clone, script: str) -> subprocess.CompletedProcess[str]:
    """A script in a shell in the clone's folder, nothing exported."""
    return subprocess.run(
        ["sh", "-euc", script],
        cwd=clone.root,
        env=neutral_environment() | {"SEEDBED": f"{sys.executable} -m orchestration"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_plain_dbt_build_works_in_a_shell_with_the_exports(day_4: Clone) -> None:
    before = day_4.contents(LAYERS)
    done = shell(day_4, 'eval "$($SEEDBED env)"; dbt build --target postgres')
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "ERROR=0" in done.stdout
    assert day_4.contents(LAYERS) == before
    assert day_4.value("select count(*) from metadata.tables") == 8


def test_plain_dbt_build_moves_what_gold_has_consumed(day_2_due: Clone) -> None:
    day_2_due.run(with_build=False)
    done = shell(day_2_due, 'eval "$($SEEDBED env)"; dbt build --target postgres')
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    behind = (
        "select count(*) from audit.gold_claim "
        "inner join audit.table_state using (table_id) "
        "where model = 'gold.fct_orders' and done_seq < released_through"
    )
    assert day_2_due.value(behind) == 0
    built = day_2_due.contents(["gold"])
    since = day_2_due.value("select txid_current()")
    assert day_2_due.run().state == "done"
    assert day_2_due.contents(["gold"]) == built
    for fact in ("int_orders", "fct_order_items", "fct_payments", "fct_orders"):
        written = f"select count(*) from gold.{fact} where xmin::text::bigint > {since}"
        assert day_2_due.value(written) == 0, fact


def test_env_exports_what_psql_and_scripts_need_and_nothing_else(
    stack: Clone,
) -> None:
    done = stack.cli("env")
    assert done.returncode == 0
    names = {
        line.split("=")[0].removeprefix("export ")
        for line in done.stdout.split("\n")
        if line
    }
    assert names >= set(stack.env)
    assert names - set(stack.env) <= {
        "PATH",
        "SEEDBED_EMBEDDED",
        "NO_PROXY",
        "no_proxy",
    }
    asked = shell(
        stack, 'eval "$($SEEDBED env)"; psql -At -c "select current_database()"'
    )
    assert asked.stdout.strip() == "seedbed", asked.stderr


def test_a_login_set_after_the_exports_is_the_one_that_acts(stack: Clone) -> None:
    own = "PGUSER=somebody PGPASSWORD=wrong"
    done = shell(stack, f'eval "$($SEEDBED env)"; {own} $SEEDBED status')
    assert done.returncode != 0
    assert "somebody" in done.stderr


@pytest.mark.parametrize("target", ["postgres", "snowflake"])
def test_the_project_parses_without_a_warning(stack: Clone, target: str) -> None:
    done = stack.dbt(
        "--warn-error", "--show-all-deprecations", "parse", "--no-partial-parse",
        "--target", target,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_status_shows_what_the_run_showed(day_2_due: Clone) -> None:
    ran = day_2_due.cli("run", "--json", "--tables", "suppliers")
    assert ran.returncode == 0, ran.stderr
    asked = day_2_due.cli("status", "--json")
    assert asked.returncode == 0
    told = json.loads(ran.stdout)
    assert json.loads(asked.stdout) == told
    assert (told["state"], told["balanced"], told["command"]) == ("done", True, "run")
    line = told["tables"][0]
    assert line["table_id"] == "shop.suppliers"
    with day_2_due.source() as cursor:
        cursor.execute("select count(*) from shop.suppliers")
        assert cursor.fetchone() == (line["silver_rows"],)


def test_status_of_an_older_run_is_not_that_of_a_newer_one(
    stack: Clone, played: object
) -> None:
    stack.restore("day_4")
    with stack.connect() as connection:
        runs = [r[0] for r in stack.query("select run_id from audit.run order by 1")]
        told = [summary.read(connection, run) for run in runs]
    assert [t.run_id for t in told] == runs
    assert [t.state for t in told] == ["done", "done", "blocked", "done"]
    orders = [
        next(t.silver_rows or 0 for t in day.tables if t.table_id == "shop.orders")
        for day in told
    ]
    assert orders[0] == 400
    assert orders[1] == orders[2] < orders[3]


def test_plan_shows_what_the_next_run_reads(day_2_due: Clone) -> None:
    told = day_2_due.cli("plan")
    assert told.returncode == 0, told.stderr
    assert "whole table" in told.stdout
    planned = {
        p["table"]: p for p in json.loads(day_2_due.cli("plan", "--json").stdout)
    }
    batches = "select count(*) from audit.batch"
    before = day_2_due.value(batches)
    day_2_due.run(with_build=False)
    assert day_2_due.value(batches) == before + len(planned)
    # What has a watermark is counted, in the very window that is read.
    assert {t: p["rows"] for t, p in planned.items() if p["what"] == "window"} == dict(
        day_2_due.query(
            "select distinct on (table_id) table_id, rows_read from audit.batch "
            "where window_high is not null order by table_id, batch_seq desc"
        )
    )


def test_status_before_any_run_says_what_to_type(fresh: Clone) -> None:
    done = fresh.cli("status")
    assert done.returncode == 1
    assert "there has been no run yet.\nhint: Type `./seedbed run`" in done.stderr


@pytest.mark.long
def test_the_steps_one_by_one_come_to_what_a_run_comes_to(
    day_2_due: Clone, played: Played
) -> None:
    names = ["--tables", "suppliers", "--tables", "customers"]
    states: dict[str, str] = {}
    for step, state in (
        ("extract", "extracted"), ("load", "loaded"), ("validate", "released"),
    ):  # fmt: skip
        done = day_2_due.cli(step, *names)
        assert done.returncode == 0, done.stdout + done.stderr
        states = dict(
            day_2_due.query(
                "select table_id, state from audit.batch where batch_seq = 2"
            )
        )
        assert states == {"shop.suppliers": state, "shop.customers": state}
    assert day_2_due.run("suppliers", "customers").state == "done"
    expected = played.contents[2]
    found = day_2_due.contents(without=["_batch_seq"], any_observation=True)
    for name in (
        "silver.suppliers",
        "silver.customers_history",
        "bronze.shop__customers",
    ):
        assert found[name] == expected[name]


def test_generate_check_is_clean_on_the_clone(stack: Clone) -> None:
    done = stack.cli("generate", "--check")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "--tables", "shop.order"], "Did you mean 'shop.orders'?"),
        (["run", "--tables", "nothing*"], "there are crm.contacts"),
        (["run", "--target", "oracle"], "is not"),
        (["run", "--jobs", "many"], "is not a valid integer"),
        (["rebuild"], "Missing argument"),
        (["rebuild", "products_history"], "dbt's snapshots can't be rebuilt"),
        (["rebuild", "nothing"], "is no model that is derived from the log"),
        (["demo", "--rows", "10"], "200"),
        (["nonsense"], "No such command"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_a_hint(
    stack: Clone, words: list[str], told: str
) -> None:
    done = stack.cli(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_models_that_are_not_generated_exit_with_2(day_2_due: Clone) -> None:
    path = Path("models/silver/generated/suppliers.sql")
    file = day_2_due.root / path
    before = file.read_text()
    file.write_text(before + "-- mine\n")
    try:
        done = day_2_due.cli("run", "--tables", "suppliers")
    finally:
        file.write_text(before)
    assert done.returncode == 2
    assert "Type `./seedbed generate`" in done.stderr
    assert day_2_due.value("select count(*) from audit.run") == 1, "no run was opened"


def test_a_debug_flag_shows_where_an_error_came_from(stack: Clone) -> None:
    done = stack.cli("--debug", "run", "--tables", "nothing")
    assert "Traceback" in done.stderr


def test_help_starts_with_the_five_commands(stack: Clone) -> None:
    done = stack.cli("--help")
    first = done.stdout.partition("A database of your own")[0]
    names = [
        line.split()[0]
        for line in first.partition("Start here")[2].split("\n")[1:]
        if line.strip()
    ]
    assert names == ["demo", "test", "doctor", "run", "status"]


def test_a_contract_is_shown_and_what_breaks_it_fails_until_it_has_a_new_version(
    stack: Clone,
) -> None:
    shown = stack.cli("contract", "show", "shop.customers")
    assert shown.returncode == 0, shown.stderr
    contract = yaml.safe_load(shown.stdout)
    assert contract["kind"] == "DataContract"
    tables = {table["name"]: table for table in contract["schema"]}
    named = [column["name"] for column in tables["customers"]["properties"]]
    assert set(named) > set(columns_of("shop.customers"))
    agreed = stack.root / "agreed.yaml"
    agreed.write_text(shown.stdout)
    try:
        same = stack.cli("contract", "diff", "--base", agreed.name)
        assert same.returncode == 0, same.stdout + same.stderr
        old = "shop,customers,city,city,varchar(80),true,,true,trim,"
        new = old.replace("varchar(80)", "varchar(20)")
        with stack.edited("columns", old, f"{new},City of residence"):
            broken = stack.cli("contract", "diff", "--base", agreed.name)
            assert broken.returncode == 1
            assert "breaking" in broken.stdout
            assert "city" in broken.stdout
            with stack.options("shop,customers,contract_version,2.0.0"):
                renewed = stack.cli("contract", "diff", "--base", agreed.name)
        assert renewed.returncode == 0, renewed.stdout + renewed.stderr
    finally:
        agreed.unlink()
    unknown = stack.cli("contract", "show", "shop.nothing")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "shop.nothing" in unknown.stderr


def test_a_rule_that_fails_is_reported_once_with_the_way_out(day_1: Clone) -> None:
    day_1.change(
        "insert into shop.payments select 999999, 888888, kind, method, amount, "
        "'2026-03-20' from shop.payments limit 1"
    )
    done = day_1.cli("run", "--tables", "payments")
    assert done.returncode == 1
    lines = [n for n in done.stdout.split("\n") if n.startswith("block")]
    (told,) = [n for n in lines if "orders.order_id" in n]
    assert "`./seedbed run` reads that one as well" in told
