"""The runner goes on where that makes sense, gives up where not, and stops cleanly."""

import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ingest import control, load, retry
from ingest.seed.metadata import Table, reader
from orchestration import artifacts, runner
from tests.clone import Clone, neutral_environment

pytestmark = pytest.mark.lean

SHOP_TABLES = ("customers", "suppliers", "products", "inventory")


@contextmanager
def gate(
    port: int, refuses: Callable[[int], bool], *, silently: bool = False
) -> Iterator[tuple[int, list[int]]]:
    """A port that leads to `port`; connections (1, 2, …) that it refuses are closed.

    `silently`: they stay open, and nothing comes. Gives the port, and the numbers
    of those that were refused so far.
    """
    held: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", 0))
    refused: list[int] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        number = 0
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                number += 1
                if refuses(number):
                    refused.append(number)
                    if silently:
                        held.append(client)
                    else:
                        client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", port))
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1], refused
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        for end in (listener, *held):
            end.close()


def through(clone: Clone, port: int) -> str:
    """The shop's URL by way of that port."""
    return re.sub(r":\d+/", f":{port}/", clone.env["SHOP_URL"])


def port_of(clone: Clone) -> int:
    """The port of the shop."""
    found = re.search(r":(\d+)/", clone.env["SHOP_URL"])
    assert found
    return int(found[1])


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries take no time."""
    monkeypatch.setattr(retry, "_FIRST_PAUSE", 0.01)


def test_connections_that_break_are_made_again_reported_and_counted(
    day_2_due: Clone, impatient: None
) -> None:
    told: list[str] = []
    # The check of the catalogue, planning, and the read each fail once.
    with gate(port_of(day_2_due), lambda n: n in (1, 3, 5)) as (port, refused):
        day_2_due.env["SHOP_URL"] = through(day_2_due, port)
        result = day_2_due.run("suppliers", with_build=False, report=told.append)
    day_2_due.start()
    assert refused == [1, 3, 5]
    assert result.state == "done", [o.error for o in result.outcomes]
    tries = [line.partition(" in ")[0] for line in told if " of 5 in " in line]
    assert tries == [
        "source shop: try 2 of 5",
        "shop.suppliers: try 2 of 5",
        "shop.suppliers: try 3 of 5",
    ]
    batches = day_2_due.query(
        "select batch_seq, state from audit.batch where table_id = 'shop.suppliers'"
    )
    assert batches == [(1, "released"), (2, "released")], "one window, read again"
    assert day_2_due.value(
        "select retries from audit.run order by started_at desc limit 1"
    ) == len(refused)
    assert day_2_due.released("shop.suppliers") == day_2_due.held("shop.suppliers")


def test_a_source_that_falls_silent_is_given_up_and_asked_again(
    day_2_due: Clone, impatient: None
) -> None:
    # Connections of the check, of planning, and of DuckDB.
    with (
        gate(port_of(day_2_due), lambda n: n == 3, silently=True) as (port, silent),
        day_2_due.inside(
            SHOP_URL=through(day_2_due, port), SEEDBED_TIMEOUT_SECONDS="2"
        ),
    ):
        began = time.monotonic()
        result = runner.run(
            day_2_due.tables("suppliers"), command="run", with_build=False
        )
    assert silent == [3]
    assert result.state == "done", [o.error for o in result.outcomes]
    assert result.outcomes[0].retries == 1
    assert time.monotonic() - began > 2
    assert day_2_due.released("shop.suppliers") == day_2_due.held("shop.suppliers")


def test_a_source_that_went_down_fails_what_is_left_of_it_at_once(
    day_2_due: Clone, impatient: None
) -> None:
    told: list[str] = []
    # The check succeeds; then nobody answers any more.
    with gate(port_of(day_2_due), lambda n: n > 1) as (port, refused):
        day_2_due.env["SHOP_URL"] = through(day_2_due, port)
        result = day_2_due.run(
            *SHOP_TABLES, "crm_contacts", jobs=1, with_build=False, report=told.append
        )
    day_2_due.start()
    assert len(refused) == retry.ATTEMPTS, "only the first table tried"
    states = {o.table.id: o.state for o in result.outcomes}
    assert states.pop("crm.contacts") == "released"
    assert set(states.values()) == {"failed"}
    given_up = [o for o in result.outcomes if "was given up" in str(o.error)]
    assert len(given_up) == len(SHOP_TABLES) - 1
    assert day_2_due.run(*SHOP_TABLES, with_build=False).state == "done"


def test_a_parent_is_planned_after_its_children_were_read(day_2_due: Clone) -> None:
    assert day_2_due.run(jobs=2, with_build=False).state == "done"
    times = {
        table: (planned, observed)
        for table, planned, observed in day_2_due.query(
            "select table_id, planned_at at time zone 'UTC', observed_at "
            "from audit.batch where batch_seq = 2"
        )
    }
    for child, parent in (
        ("shop.order_items", "shop.orders"),
        ("shop.order_items", "shop.products"),
        ("shop.payments", "shop.orders"),
        ("shop.orders", "shop.customers"),
        ("shop.inventory", "shop.products"),
    ):
        assert times[child][1] < times[parent][0], (child, parent)


def test_a_log_that_can_t_be_fitted_fails_its_table_alone(
    day_2_due: Clone, impatient: None
) -> None:
    """The warehouse's own refusal, not one of ours, and before the table moves."""
    wider = "shop,suppliers,name,name,varchar(9120),false,,,trim,,Name of the company"
    with (
        day_2_due.edited("columns", "shop,suppliers,name,", wider),
        day_2_due.connect() as other,
    ):
        other.autocommit = False
        other.execute("lock table bronze.shop__suppliers in share mode")
        with day_2_due.inside(
            PGOPTIONS="-c lock_timeout=50ms", SEEDBED_RETRY_SECONDS="0"
        ):
            result = runner.run(
                day_2_due.tables("suppliers", "customers"),
                command="run",
                with_build=False,
            )
    outcomes = {o.table.id: o for o in result.outcomes}
    assert outcomes["shop.customers"].state == "released"
    assert outcomes["shop.suppliers"].state == "failed"
    assert "lock timeout" in str(outcomes["shop.suppliers"].error)


def test_a_moved_table_s_log_is_prepared_once(
    day_2_due: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[str] = []
    real = load.prepare

    def prepare(connection: control.Connection, table: Table) -> None:
        prepared.append(table.id)
        real(connection, table)

    monkeypatch.setattr(load, "prepare", prepare)
    day_2_due.run("suppliers", "customers", with_build=False)
    assert sorted(prepared) == [t.id for t in day_2_due.tables()]


class Noted(dict[Path, Any]):
    """A cache, and what was put there, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.put: list[Path] = []

    def __setitem__(self, path: Path, value: Any) -> None:
        self.put.append(path)
        super().__setitem__(path, value)


def test_a_run_reads_seed_and_manifest_once(
    day_2_due: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds, files = Noted(), Noted()
    monkeypatch.setattr(reader, "_loaded", seeds)
    monkeypatch.setattr(artifacts, "_parsed", files)
    result = day_2_due.run()
    assert (result.state, result.exit_code) == ("done", 0)
    assert seeds.put == [day_2_due.root]
    assert [file.name for file in files.put].count("manifest.json") == 1
    assert {*result.seconds} == {"move", "gate", "build", "ledger"}
    assert min(result.seconds.values()) > 0


def start(clone: Clone) -> "subprocess.Popen[str]":
    """A run in a process of its own."""
    return subprocess.Popen(
        clone.command("run", "--tables", "suppliers", "--tables", "customers"),
        cwd=clone.root,
        env=neutral_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(clone: Clone, query: str) -> None:
    """Wait until the query's value is true."""
    deadline = time.monotonic() + 90
    while not clone.value(query):
        assert time.monotonic() < deadline, query
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("number", "schema"),
    [(signal.SIGTERM, "bronze"), (signal.SIGINT, "silver")],
    ids=["while it moves rows", "while it builds"],
)
def test_a_signal_stops_the_run_cleanly_and_the_next_one_heals(
    day_2_due: Clone, number: signal.Signals, schema: str
) -> None:
    relation = f"{schema}.{'shop__' if schema == 'bronze' else ''}suppliers"
    with day_2_due.connect() as other:
        other.autocommit = False
        other.execute(f"lock table {relation} in access exclusive mode")
        process = start(day_2_due)
        # Suppliers' rows, or its model, wait for the lock.
        wait_for(
            day_2_due,
            "select exists (select from pg_locks where not granted "
            f"and relation = '{relation}'::regclass)",
        )
        began = time.monotonic()
        process.send_signal(number)
        told, _ = process.communicate(timeout=60)
        took = time.monotonic() - began
    assert process.returncode == 128 + number, told
    assert took < 15
    assert "Traceback" not in told
    assert f"stopped by signal {number.name}" in told
    state, error = day_2_due.query(
        "select state, error from audit.run order by started_at desc limit 1"
    )[0]
    assert state == "failed"
    assert f"stopped by signal {number.name}" in error
    wait_for(
        day_2_due,
        "select count(*) = 0 from audit.lock where audit.is_alive(pid, session_start)",
    )
    result = day_2_due.run("suppliers", "customers")
    assert (result.state, result.balanced) == ("done", True)
    for table in ("shop.suppliers", "shop.customers"):
        assert day_2_due.released(table) == day_2_due.held(table)
