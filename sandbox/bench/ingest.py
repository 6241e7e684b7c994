"""Bench ingest: the byte path, beside the servers' own clients and other tools.

Each leg is the product's code in a separate process, on separate servers.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import boto3
import duckdb
import psycopg

from ingest import control, duck, load, settings
from ingest.errors import SeedbedError
from ingest.seed import metadata
from sandbox import demo
from sandbox import servers as embedded
from sandbox.bench import HERE, Bench, Case, Cost, error_line, sql
from sandbox.bench.peers import PEERS, SCHEMA, Peer, environment, install
from sandbox.bench.project import own_project
from sandbox.servers import mariadb

MILLION = 1_000_000
AT_ONCE = MILLION  # rows of an insert at the source
LABELS = {
    "mariadb": "`mariadb --quick -B` to /dev/null",
    "psql": "`psql \\copy` to /dev/null",
    "extract": "Seedbed: extract to closed local Parquet",
    "raw": "of it: raw, the exact dump",
    "bronze": "of it: bronze from raw",
    "load": "Seedbed: load",
    "copy": "`psql \\copy` of the same rows as CSV",
    "seedbed": "Seedbed: the whole",
    "seedbed: extract": "of it: extract",
    "seedbed: standardise": "of the extract: bronze from raw",
    "seedbed: upload": "of the extract: upload",
    "seedbed: load": "of it: load",
    "seedbed: validate": "of it: the gate",
    **{peer.name: f"{peer.name} ({peer.version})" for peer in PEERS},
}
BESIDE = {
    "mariadb": "raw",
    "psql": "seedbed",
    "copy": "load",
    **{p.name: "seedbed" for p in PEERS},
}

Costs = Iterator[tuple[str, Cost]]


def run(bench: Bench, rows: int, peers: bool, memory: bool, reference: bool) -> None:
    """Measure orders, a fifth as many customers, and what else is wanted."""
    with bench.servers() as home:
        legs = Legs(bench, home)
        sizes = {"orders": rows, "customers": max(rows // 5, 1)}
        for table, count in sizes.items():
            legs.fill(table, count)
        for table, count in sizes.items():
            goals(bench, legs.measure(table, count, PEERS if peers else ()))
        if reference:
            legs.reference()
        if memory:
            small, large = (legs.peak(count) for count in (MILLION, 10 * MILLION))
            bench.goal("peak memory in MB", max(small, large), 700)
            bench.goal("memory, 10M to 1M rows", large / small, 1.1)


def goals(bench: Bench, case: Case) -> None:
    """Set a table's goals; what was not measured has none."""
    for name, way, other, limit in (
        ("extract, raw, to the client's read", "raw", "mariadb", 1.3),
        ("extract, raw and bronze, to it", "extract", "mariadb", 1.3),
        ("load to \\copy", "load", "copy", 0.8),
    ):
        bench.goal(f"{case.name}: {name}", case.ratio(way, other), limit)
    peers = {
        p.name: case.ratio(p.name, "seedbed") for p in PEERS if p.name in case.ways
    }
    for name in ("dlt, connectorx", "dlt, connectorx, unasked"):
        if name in peers and case.name == "orders":
            bench.goal(f"orders: to {name}", peers[name], 1.5, at_least=True)
    # A tool counts once, at its fastest.
    fastest = [ratio for name, ratio in peers.items() if not name.endswith("unasked")]
    if fastest:
        found = statistics.median(fastest)
        bench.goal(f"{case.name}: to the median peer", found, 4, at_least=True)


class Legs:
    """The ways of moving a table of the source, each from empty servers."""

    def __init__(self, bench: Bench, home: Path) -> None:
        self.bench = bench
        self.home = home
        tables = own_project(home, HERE / "tables" / metadata.FOLDER)
        self.tables = {table.name: table for table in tables}
        self.client = cache(self._client)
        self.read = cache(self._read)

    def fill(self, table: str, rows: int) -> None:
        """Create the source's table again with so many rows."""
        self.bench.report(f"filling shop.{table}: {rows:,} rows")
        text = sql(f"tables/{table}")
        drop, create, insert, index = text.strip().removesuffix(";").split(";\n")
        with demo.connect(embedded.admin_url(self.home)) as cursor:
            cursor.execute("use shop")
            cursor.execute(drop)
            cursor.execute(create)
            for low in range(1, rows + 1, AT_ONCE):
                high = min(low + AT_ONCE - 1, rows)
                cursor.execute(insert.format(low=low, high=high))
            cursor.execute(index)
            cursor.execute(f"analyze table shop.{table}")

    def measure(self, table: str, rows: int, peers: Sequence[Peer]) -> Case:
        """Compare all ways of moving the table."""
        case = Case(table, {"rows": rows}, BESIDE, LABELS)
        others = (partial(self._peer, case, peer) for peer in peers)
        ways = (partial(way, case) for way in self.ways)
        return self.bench.compare(case, *ways, *others)

    @property
    def ways(self) -> list[Callable[[Case], Costs]]:
        """The ways of this machine's own programs."""
        return [self._mariadb, self._parts, self._whole]

    # -- the ways --------------------------------------------------------------
    def _mariadb(self, case: Case) -> Costs:
        """The client's read, discarded."""
        command, env = self._reading(case.name)
        _, cost = self.bench.process(*command, quiet=True, env=env)
        cost.peak_mb = None  # less than that of the process that started it
        yield (
            "mariadb",
            _moved("mariadb", cost, self.read(case.name), case.sizes["rows"]),
        )

    def _reading(self, table: str) -> tuple[list[str], dict[str, str]]:
        """The client's command for a table, and its environment."""
        columns = ", ".join(f"`{c.source_name}`" for c in self.tables[table].columns)
        url = urlsplit(os.environ["SHOP_URL"])
        command = [*self.client(), "--no-defaults", "--default-character-set=utf8mb4"]
        command += [f"--host={url.hostname}", f"--port={url.port}"]
        command += [f"--user={url.username}", "--quick", "--batch", "--execute"]
        command += [f"select {columns} from shop.{table}"]
        return command, os.environ | {"MYSQL_PWD": unquote(url.password or "")}

    def _read(self, table: str) -> int:
        """How many rows the client reads; its first line is the columns' names."""
        command, env = self._reading(table)
        count = ("sh", "-c", '"$@" | wc -l', "sh")
        return int(self.bench.process(*count, *command, env=env)[0]) - 1

    def _client(self) -> list[str]:
        """The program mariadb: an installed one, or that of the package sources."""
        if found := shutil.which("mariadb"):
            return [found]
        root = self.home / "client"
        if not root.exists():
            mariadb.unpack(root, self.bench.report, "client")
        libraries = ":".join(map(str, root.glob("**/*-linux-gnu")))
        return ["env", f"LD_LIBRARY_PATH={libraries}", str(root / "usr/bin/mariadb")]

    def _parts(self, case: Case) -> Costs:
        """Extract to closed local files, and load from them, each apart; \\copy."""
        self._clear()
        steps, cost = self._leg("extract-local", case.name)
        # Nothing to make of raw files that serve as bronze as well.
        cost.seconds, bronze = steps["extract"], steps.get("standardise", 0.0)
        yield (
            "extract",
            _moved("extract", cost, self._files("raw")[1], case.sizes["rows"]),
        )
        yield "raw", Cost(cost.seconds - bronze)
        yield "bronze", Cost(bronze)
        steps, cost = self._leg("load", case.name)
        cost.seconds = steps["load"]
        yield "load", _moved("load", cost, self._logged(case.name), case.sizes["rows"])
        yield "copy", self._copy(case)

    def _files(self, layer: str) -> tuple[str, int]:
        """The lake's local files of a layer, as a relation of DuckDB's; their rows."""
        lake = self.home / ".seedbed" / "lake"
        found = [str(path) for path in lake.glob(f"{layer}/**/*.parquet")]
        relation = f"read_parquet({found}, hive_partitioning = false)"
        with duckdb.connect() as engine:
            return relation, duck.scalar(engine, f"select count(*) from {relation}")

    def _copy(self, case: Case) -> Cost:
        """The same rows by psql, into a table of the same columns and indexes."""
        table = self.tables[case.name]
        file = self.home / "copy.csv"
        columns = ", ".join(f'"{c.name}"' for c in table.columns)
        columns += ", " + ", ".join(load.LOG_COLUMNS)
        rows = f"select {columns} from {self._files('bronze')[0]}"
        # In another process: a child's peak memory is never reported below that of its
        # parent.
        write = f"copy ({rows}) to '{file}' (format csv, header false)"
        script = "import duckdb, sys; duckdb.execute(sys.argv[1])"
        self.bench.process(sys.executable, "-c", script, write)
        with control.connect() as connection:
            connection.execute("drop schema if exists bench cascade")
            connection.execute("create schema bench")
            log = f"bronze.{table.bronze}"
            create = f"create table bench.copied (like {log} including all)"
            connection.execute(create.encode())
            connection.execute("checkpoint")
        psql = (embedded.binaries() / "psql", "--no-psqlrc", "--quiet")
        copy = f"\\copy bench.copied ({columns}) from '{file}' with (format csv)"
        command = (*psql, "--set=ON_ERROR_STOP=1", "--command", copy)
        _, cost = self.bench.process(*command)
        cost.peak_mb = None  # less than that of the process that started it
        file.unlink()
        return _moved("copy", cost, _count("bench.copied"), case.sizes["rows"])

    def _whole(self, case: Case) -> Costs:
        """The product's whole path, as a process: extract, lake, load, gate, ledger."""
        self._clear()
        steps, cost = self._leg("extract,load,validate", case.name)
        yield (
            "seedbed",
            _moved("seedbed", cost, self._logged(case.name), case.sizes["rows"]),
        )
        for name, seconds in steps.items():
            yield f"seedbed: {name}", Cost(seconds)

    def _peer(self, case: Case, peer: Peer) -> Costs:
        """Another tool; its failure is a result and is not retried."""
        if peer.name in case.failures:
            return
        try:
            self._clear()
            place = install(peer, self.home / "peers")
            with tempfile.TemporaryDirectory(dir=self.home) as own:
                env = environment(Path(own), os.environ)
                command = peer.command(place, case.name)
                _, cost = self.bench.process(*command, env=env)
            rows = _count(f"{SCHEMA}.{case.name}")
            yield peer.name, _moved(peer.name, cost, rows, case.sizes["rows"])
        except (SeedbedError, psycopg.Error) as error:
            case.failures[peer.name] = error_line(getattr(error, "what", str(error)))
            self.bench.report(f"{peer.name} failed: {case.failures[peer.name]}")

    # -- memory and the published reference ------------------------------------
    def peak(self, rows: int) -> float:
        """Peak memory in MB of a process that moves so many orders all the way."""
        self.fill("orders", rows)
        case = Case("orders: memory", {"rows": rows}, labels=LABELS)
        self.bench.cases.append(case)
        self._clear()
        _, cost = self._leg("extract,load,validate", "orders")
        case.ways["seedbed"] = [
            _moved("seedbed", cost, self._logged("orders"), case.sizes["rows"])
        ]
        return max(case.figures("seedbed", "peak_mb"))

    def reference(self) -> None:
        """A published job: its seconds there, beside the product's here."""
        parts = {"ERP": 140, "CRM": 258, "silver, customers": 147, "bronze": 398}
        published = {part: f"{part}, published" for part in parts}
        case = Case("a published reference", {}, {p: w for w, p in published.items()})
        self.bench.cases.append(case)

        def note(part: str, cost: Cost, found: int, wanted: int) -> None:
            case.ways[part] = [_moved(part, cost, found, wanted)]
            case.ways[published[part]] = [Cost(parts[part])]

        def move(part: str, wanted: int, *tables: str) -> None:
            self._clear()
            self.bench.report(f"the published reference: {part}")
            _, cost = self._leg("extract,load,validate", *tables)
            note(part, cost, sum(map(self._logged, tables)), wanted)

        self.fill("customers", MILLION)
        self.fill("orders", 2 * MILLION)
        move("ERP", 2 * MILLION, "orders")
        move("CRM", MILLION, "customers")
        cost = self._silver()
        note("silver, customers", cost, _count("silver.customers"), MILLION)
        self.fill("orders", 8_600_000)
        move("bronze", 9_600_000, "orders", "customers")

    def _silver(self) -> Cost:
        """`dbt run` of the customers, its start among it."""
        words = ["run", "--select", "+customers", "--target", "postgres"]
        words += ["--project-dir", str(self.home), "--log-path", str(self.home / "log")]
        words += ["--profiles-dir", str(settings.ROOT)]
        return self.bench.process(sys.executable, "-m", "dbt.cli.main", *words)[1]

    # -- helpers ---------------------------------------------------------------
    def _leg(self, steps: str, *tables: str) -> tuple[dict[str, float], Cost]:
        """The product's steps for the tables: seconds of each, and of all of it."""
        patterns = [f"shop.{table}" for table in tables]
        command = (sys.executable, "-m", "sandbox.bench.leg", self.home, steps)
        out, cost = self.bench.process(*command, *patterns)
        return json.loads(out), cost

    def _clear(self) -> None:
        """Delete what was moved; the next way finds the servers empty and idle."""
        with control.connect() as connection:
            for schema in ("bronze", "staging", "silver", "audit", "bench", SCHEMA):
                connection.execute(f"drop schema if exists {schema} cascade".encode())
            connection.execute("checkpoint")
        bucket = urlsplit(os.environ["SEEDBED_LAKE"]).netloc
        boto3.Session().resource("s3").Bucket(bucket).objects.delete()
        shutil.rmtree(self.home / ".seedbed" / "lake", ignore_errors=True)

    def _logged(self, table: str) -> int:
        return _count(f"bronze.{self.tables[table].bronze}")


def _count(relation: str) -> int:
    with control.connect() as connection:
        row = connection.execute(f"select count(*) from {relation}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def _moved(name: str, cost: Cost, found: int, wanted: int) -> Cost:
    """The cost of a way; it must have moved all rows."""
    if found != wanted:
        raise SeedbedError(f"{name} moved {found:,} of {wanted:,} rows")
    cost.rows = found
    return cost
