"""The DAGs, run for real, leave what the command line leaves."""

import json
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ingest import control
from orchestration import decisions, runner
from tests.airflow.conftest import PAUSE, Airflow, until
from tests.clone import Clone

DAGS = {"source_to_lake", "lake_to_warehouses", "backfill", "reload"}
TABLES = {
    "crm.contacts",
    "shop.customers",
    "shop.inventory",
    "shop.order_items",
    "shop.orders",
    "shop.payments",
    "shop.products",
    "shop.suppliers",
}
# Ids and times, which no two runs share.
_OTHER = (
    *("run_id", "orchestrated_by", "batch_id", "manifest_key", "invocation_id"),
    *("started_at", "ended_at", "planned_at", "decided_at", "released_at"),
    *("checked_at", "scored_at", "probed_at", "claimed_at", "changed_at"),
    *(
        "step_id",
        "seen_at",
        "profiled_at",
        "observed_at",
        "keys_scanned_at",
        "seconds",
    ),
)
_TIME = re.compile(r"20\d\d-\d\d-\d\d[T ][\d:.]+(\+00:00)?")
# A part of a run that took more than no time.
_STATE = re.compile(r'"state": "[^"]+"')
_TOOK = re.compile(r'(?<=": )(?=[\d.]*[1-9])[\d.]+(e-\d+)?(?=[,}])')
_LOOK = """
import json, os, sys, time, warnings
from pathlib import Path
warnings.simplefilter("error")
from airflow.dag_processing.dagbag import DagBag
files, graphs = {}, {}
for file in sys.argv[1:]:
    began = time.process_time()
    bag = DagBag(file)
    files[file] = [sorted(bag.dag_ids), str(bag.import_errors or ""),
        len(bag.captured_warnings), time.process_time() - began]
(file,) = [file for file in files if "lake_to_warehouses" in files[file][0]]
for account in ("", "emulated"):
    os.environ["SNOWFLAKE_ACCOUNT"] = account
    dag = DagBag(file).dags["lake_to_warehouses"]
    graphs[account] = {
        task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
warnings.simplefilter("default")
seed = Path("seeds/metadata/tables.csv")
before = seed.read_text()
seed.write_text(before.replace(",scd2,", ",bogus,"))
os.environ["SEEDBED_SCHEDULE"] = ""
kept = {}
for file in sys.argv[1:]:
    bag = DagBag(file)
    kept[file] = [sorted(bag.dag_ids), "".join(d.doc_md for d in bag.dags.values())]
seed.write_text(before)
from airflow.providers.celery.executors.celery_executor import app
print("found:" + json.dumps([files, graphs, kept, type(app).__name__]))
"""

DEADLINES = """
select run.orchestrated_by, alert.message
from audit.alert
inner join audit.run on run.run_id = alert.run_id
where alert.kind = 'deadline_missed'
"""


class Looked(NamedTuple):
    """By file: DAGs, errors, number of warnings, seconds of the processor.

    By Snowflake's account: what comes after each task of the DAG that builds.
    By file: DAGs and their pages while a line of the seed is wrong.
    """

    files: dict[str, tuple[list[str], str, int, float]]
    graphs: dict[str, dict[str, list[str]]]
    kept: dict[str, tuple[list[str], str]]
    executor: str


def audit(clone: Clone) -> dict[str, list[str]]:
    """All control tables, with ids and times masked."""
    tables = clone.contents(["audit"], without=_OTHER)
    # A first run and the two DAGs' runs both lie there; how good data are depends on
    # how old they are as well.
    del tables["audit.quality_score"]
    # Airflow builds in two steps.
    tables["audit.step"] = sorted({*tables["audit.step"]})
    # Each part of a run, and each step, takes some time.
    tables["audit.run"] = [_TOOK.sub("some", row) for row in tables["audit.run"]]
    # The state that was looked at is another one in each copy of a database.
    for name in ("audit.seen", "audit.alike", "audit.key_sums"):
        tables[name] = [_STATE.sub("some", row) for row in tables[name]]
    assert not clone.query("select * from audit.step where ended_at <= started_at")
    return {
        name: sorted(_TIME.sub("then", row) for row in rows)
        for name, rows in tables.items()
    }


def by_command_line(clone: Clone) -> None:
    """What the two DAGs do, as the command line calls it."""
    with clone.inside():
        options: dict[str, Any] = {"command": "extract", "with_build": False}
        runner.run(clone.tables(), steps=("extract",), **options)
        runner.run(clone.tables(), command="load", steps=("load", "validate"))


@pytest.fixture(scope="module")
def built(airflow: Airflow) -> Clone:
    """The clone after the first day, which the command line has read and built.

    What it left is in the checkpoint's control tables and layers.
    """
    clone = airflow.clone
    clone.restore("empty")
    clone.day(1)
    clone.save("airflow_due")
    by_command_line(clone)
    clone.save("airflow_built")
    return clone


@pytest.fixture(scope="module")
def looked(airflow: Airflow) -> Looked:
    """What Python finds where Airflow looks; one process has it all."""
    folder = airflow.clone.root / "orchestration" / "dags"
    files = sorted(str(path) for path in folder.glob("*.py"))
    python = str(airflow.clone.root / ".venv" / "bin" / "python")
    patient = {"AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600"}
    done = subprocess.run(
        [python, "-c", _LOOK, *files],
        env=airflow.env | patient,
        cwd=airflow.clone.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [n for n in done.stdout.splitlines() if n.startswith("found:")]
    return Looked(*json.loads(line.removeprefix("found:")))


def test_every_dag_is_imported_quickly_and_without_a_word(
    looked: Looked,
) -> None:
    assert {dag for dags, *_ in looked.files.values() for dag in dags} == DAGS
    for file, (_, errors, warnings, seconds) in looked.files.items():
        assert (errors, warnings) == ("", 0), file
        # Of the processor's time, so that a busy machine decides nothing.
        assert seconds < 5, file


def test_a_wrong_line_of_the_seed_takes_no_dag_off_the_list(looked: Looked) -> None:
    assert {dag for dags, _ in looked.kept.values() for dag in dags} == DAGS
    for file, (_, page) in looked.kept.items():
        is_daily = Path(file).stem in ("source_to_lake", "lake_to_warehouses")
        assert ("seeds/metadata/tables.csv:" in page) == is_daily, file


def test_a_run_publishes_what_is_proven_where_snowflake_is_configured(
    looked: Looked,
) -> None:
    without, configured = looked.graphs[""], looked.graphs["emulated"]
    assert (without["gold"], without["prove"]) == (["prove"], ["end"])
    assert (configured["gold"], configured["prove"]) == (["prove"], ["publish"])
    assert configured["publish"] == ["end"]


def test_the_workers_of_the_compose_file_find_their_executor(looked: Looked) -> None:
    assert looked.executor == "Celery"


def test_every_task_pauses_before_another_try_as_long_as_configured(
    airflow: Airflow,
) -> None:
    pauses = {}
    for dag, data in airflow.query("select dag_id, data from serialized_dag"):
        for task in json.loads(data)["dag"]["tasks"]:
            told = task["__var"]
            pause = told.get("retry_delay")
            tries = told.get("retries")
            if "partial_kwargs" in told:  # a mapped task
                pause = told["partial_kwargs"].get("retry_delay", {}).get("__var")
                tries = told["partial_kwargs"].get("retries")
            pauses[dag, told["task_id"]] = pause
            # A process that is killed is tried again, whatever it did.
            assert (tries or 0) == (0 if told["task_id"] == "manifest" else 3), told
    assert {dag for dag, _ in pauses} == DAGS
    assert {name: pause for name, pause in pauses.items() if pause != PAUSE} == {}


@pytest.mark.long
def test_a_missed_deadline_raises_an_alert(built: Clone, airflow: Airflow) -> None:
    built.restore("airflow_built")
    airflow.change("update dag set is_paused = 1")  # no task is to start
    for dag in ("backfill", "source_to_lake"):
        code, said = airflow.call("dags", "trigger", dag, "--run-id", "late")
        assert code == 0, said
    due = airflow.query(
        "select dag_id, strftime('%H:%M', deadline_time) from deadline "
        "join dag_run on dag_run.id = dagrun_id order by dag_id"
    )
    assert [dag for dag, _ in due] == ["backfill", "source_to_lake", "source_to_lake"]
    assert ("source_to_lake", "06:00") in due
    airflow.change(
        "update deadline set deadline_time = '2026-01-01 00:00:00' "
        "where dagrun_id in (select id from dag_run where dag_id = 'backfill')"
    )
    programs = [
        airflow.start(name, log=airflow.home / f"{name}.log")
        for name in ("scheduler", "triggerer")
    ]
    try:
        until(lambda: bool(built.query(DEADLINES)))
    finally:
        for program in programs:
            program.terminate()
        for program in programs:
            program.wait(60)
    assert built.query(DEADLINES) == [
        (
            "backfill/late",
            "backfill has missed its deadline: it is not done after 4 hours (late)",
        )
    ]


def test_a_wrong_password_fails_at_once_and_raises_an_alert(
    airflow: Airflow, tmp_path: Path
) -> None:
    log, alerts = tmp_path / "log", tmp_path / "alerts.jsonl"
    wrong = {"PGPASSWORD": "wrong", "SEEDBED_ALERT_FILE": str(alerts)}
    code = airflow.start("dags", "test", "source_to_lake", log=log, **wrong).wait(600)
    assert code == 1, log.read_text()
    tries = airflow.query(
        "select task_id, try_number from task_instance where state = 'failed' "
        "and run_id = (select run_id from dag_run order by id desc limit 1)"
    )
    assert sorted(tries) == [("begin", 1), ("end", 1)]
    (message,) = [json.loads(line) for line in alerts.read_text().splitlines()]
    assert message["kind"] == "warehouse_down"
    for part in ("source_to_lake", "manual__", "password authentication failed"):
        assert part in message["text"]
    assert "/tasks/begin" in message["text"]


def test_the_dags_leave_what_the_command_line_leaves(
    built: Clone, airflow: Airflow
) -> None:
    built.restore("airflow_built")
    expected, rows = audit(built), built.contents(any_observation=True)
    built.restore("airflow_due")
    code, said = airflow.run("source_to_lake")
    assert code == 0, said
    states = airflow.states("source_to_lake")
    # Nothing is left for the last one.
    assert states.pop("read.left") == {"skipped"}
    moved = {n.split()[1] for n in states if n.startswith("read.") and " " in n}
    assert moved == TABLES
    assert set().union(*states.values()) == {"success"}
    events = airflow.query(
        "select a.name from asset_event e join asset a on a.id = e.asset_id"
    )
    assert {name for (name,) in events} == {f"lake/{table}" for table in TABLES}

    # One manifest comes later than the sensor that waits for it.
    (key,) = built.query(
        "select manifest_key from audit.batch where table_id = 'shop.orders'"
    )[0]
    store = built.s3()
    body = store.get_object(Bucket="lake", Key=key)["Body"].read()
    store.delete_object(Bucket="lake", Key=key)
    log = airflow.home / "call.log"
    log.unlink()
    lines: list[str] = []

    def deliver() -> None:
        until(lambda: log.exists() and "DEFER" in log.read_text(errors="replace"))
        lines.extend(log.read_text(errors="replace").splitlines())
        store.put_object(Bucket="lake", Key=key, Body=body)

    delivery = threading.Thread(target=deliver)
    delivery.start()
    code, said = airflow.run("lake_to_warehouses")
    delivery.join()
    assert code == 0, said
    assert not any("shop.orders loaded" in line for line in lines)
    states = airflow.states("lake_to_warehouses")
    assert set().union(*states.values()) == {"success"}
    compiled = airflow.query(
        "select rendered_fields from rendered_task_instance_fields "
        "where dag_id = 'lake_to_warehouses' and task_id = 'gold'"
    )
    assert "daily_sales" in str(compiled), "of the SQL there is room for its beginning"

    assert built.contents(any_observation=True) == rows
    assert audit(built) == expected


@pytest.mark.long
def test_a_failure_stays_with_its_table(built: Clone, airflow: Airflow) -> None:
    built.restore("airflow_built")
    built.day(2)
    built.change(
        "rename table shop.suppliers to shop.gone",
        "update shop.payments set kind = 'gift', paid_at = '2026-03-02 23:59:00' "
        "order by payment_id limit 3",
    )
    code, said = airflow.run("source_to_lake")
    assert code == 1, said
    states = airflow.states("source_to_lake")
    failed = {name for name, state in states.items() if "failed" in state}
    assert {name.rpartition(" ")[2] for name in failed} == {"shop.suppliers", "end"}
    noted = dict(
        built.query(
            "select table_id, state from audit.run_table "
            "where run_id = (select max(run_id) from audit.run)"
        )
    )
    assert noted == dict.fromkeys(TABLES, "extracted") | {"shop.suppliers": "failed"}
    assert (
        built.value("select state from audit.run order by run_id desc limit 1")
        == "failed"
    )

    before = built.relation("silver", "payments")
    code, said = airflow.run("lake_to_warehouses")
    assert code == 1, said
    states = airflow.states("lake_to_warehouses")
    failed = {name for name, state in states.items() if "failed" in state}
    assert failed == {"end"}
    assert (
        built.value("select state from audit.run order by run_id desc limit 1")
        == "blocked"
    )
    # Who has no more than the log reads rule and rows there.
    reason = built.value(
        "select reason from audit.batch where table_id = 'shop.payments' "
        "order by batch_seq desc limit 1"
    )
    assert said.count(f"shop.payments is blocked: {reason}") >= 2
    assert built.relation("silver", "payments") == before
    held = built.held("shop.orders")
    silver = built.relation("silver", "orders")
    assert {row["order_id"] for row in silver if not row["is_deleted"]} == {
        key[0] for key in held
    }


@contextmanager
def changed(file: Path, old: str, new: str) -> Iterator[None]:
    """Have another text in a file for a while."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    try:
        yield
    finally:
        file.write_text(text)


def state_of(clone: Clone) -> dict[str, list[str]]:
    """What consumers see, but for the numbers of batches and the times of reads."""
    found = clone.contents(
        ("silver", "gold"), without=("_batch_seq",), any_observation=True
    )
    # How good data were when is another matter than what they are.
    told = re.compile("_score|quality")
    return {name: rows for name, rows in found.items() if not told.search(name)}


@pytest.mark.long
def test_a_backfill_beside_the_next_read_mends_what_was_read_damaged(
    built: Clone, airflow: Airflow
) -> None:
    # What comes next refers to nothing that is still to be read.
    news = (
        "update shop.orders set note = 'seen', updated_at = '2026-03-02 10:00:00' "
        "where order_id <= 5",
        "insert into shop.payments (payment_id, order_id, kind, method, amount, "
        "paid_at) select 900001, min(order_id), 'payment', 'card', 1, "
        "'2026-03-02 10:00:00' from shop.orders",
    )
    built.restore("airflow_built")
    built.change(*news)
    by_command_line(built)
    undisturbed = state_of(built)

    # On three dates payments are wrong when they are read: some with a value that
    # passes, some in quarantine. Then the source is mended, without a new watermark.
    built.restore("airflow_due")
    right = "paid_at between '2026-02-25' and '2026-02-28'"
    built.change(
        "create table shop.kept select * from shop.payments",
        f"update shop.payments set method = 'damaged' where {right}",
        f"update shop.payments set kind = 'gift' where {right} "
        "order by payment_id limit 3",
    )
    with built.inside():
        runner.run(built.tables(), command="run", with_build=False)
        with control.connect() as connection:
            decisions.release(connection, "shop.payments", "known", True)
        runner.run([], command="build", steps=())
    assert built.value("select count(*) from audit.quarantine") == 3
    damaged = built.relation("silver", "payments")
    assert any(row["method"] == "damaged" for row in damaged)
    built.change(
        "update shop.payments join shop.kept using (payment_id) "
        "set payments.method = kept.method, payments.kind = kept.kind",
        "drop table shop.kept",
        *news,
    )

    log = airflow.home / "beside.log"
    beside = airflow.start("dags", "test", "source_to_lake", log=log)
    code, said = airflow.run(
        "backfill",
        **{
            "tables": "shop.orders, shop.payments",
            "from": "2026-02-25",
            "to": "2026-02-28",
        },
    )
    assert beside.wait(600) == 0, log.read_text(errors="replace")
    assert code == 0, said
    assert built.query(
        "select table_id, kind, state from audit.batch where kind <> 'window' "
        "order by table_id"
    ) == [
        ("shop.orders", "backfill", "released"),
        ("shop.payments", "backfill", "released"),
    ]
    by_command_line(built)
    assert state_of(built) == undisturbed


@pytest.mark.long
def test_a_reload_makes_one_date_what_the_source_has(
    built: Clone, airflow: Airflow
) -> None:
    built.restore("airflow_built")
    suppliers = {r["supplier_id"]: r for r in built.source_rows("shop.suppliers")}
    first, last = min(suppliers), max(suppliers)
    (day,) = {suppliers[key]["updated_at"].date() for key in (first, last)}
    # Both without a new watermark, so that no later run would see it.
    built.change(
        f"delete from shop.suppliers where supplier_id = {last}",
        f"update shop.suppliers set name = 'Renamed' where supplier_id = {first}",
    )
    # Nobody has installed dbt's packages, and the first build installs them.
    shutil.rmtree(built.root / "dbt_packages")
    # A model was changed since the project was parsed last.
    with changed(
        built.root / "models" / "gold" / "dim_supplier.sql",
        "coalesce(products_by_supplier.product_count, 0)",
        "coalesce(products_by_supplier.product_count, 0) + 1000",
    ):
        code, said = airflow.run("reload", table="suppliers", date=str(day))
    assert code == 0, said
    assert built.query(
        "select kind, state, rows_deleted from audit.batch "
        "where table_id = 'shop.suppliers' order by batch_seq desc limit 1"
    ) == [("reload", "released", 1)]
    assert built.released("shop.suppliers") == built.held("shop.suppliers")
    silver = {row["supplier_id"]: row for row in built.relation("silver", "suppliers")}
    assert silver[last]["is_deleted"]
    assert silver[first]["name"] == "Renamed"
    dim = {r["supplier_id"]: r for r in built.relation("gold", "dim_supplier")}
    assert dim[first]["supplier_name"] == "Renamed"
    assert min(row["product_count"] for row in dim.values()) >= 1000


@pytest.mark.long
@pytest.mark.up_to_silver
def test_what_a_killed_task_has_left_is_made_good_by_the_next_try(
    built: Clone, airflow: Airflow
) -> None:
    built.restore("airflow_built")
    expected = built.contents(any_observation=True)
    built.restore("airflow_due")
    log = airflow.home / "killed.log"
    killed = airflow.start(
        "dags", "test", "source_to_lake", log=log, SEEDBED_FAILPOINT="before_manifest"
    )
    assert killed.wait(600) == -signal.SIGKILL, log.read_text(errors="replace")
    states = "select state, count(*) from audit.batch group by state"
    assert built.query(states) == [("planned", 1)]
    code, said = airflow.run("source_to_lake")
    assert code == 0, said
    runs = "select state, error from audit.run where command = 'extract' order by 1"
    assert [state for state, _ in built.query(runs)] == ["done", "failed"]
    assert built.query(states) == [("extracted", len(TABLES))]
    with built.inside():
        runner.run(built.tables(), command="load", steps=("load", "validate"))
    assert built.contents(any_observation=True) == expected
