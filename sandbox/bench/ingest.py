"""Bench ingest: the byte path, beside the servers' own clients and other tools.

Each leg is the product's code in a separate process, on separate servers. Methods take
turns within a round; medians and ratios are compared.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import duckdb
import psycopg
import pymysql

from ingest import duck, load, settings
from ingest.errors import SeedbedError
from ingest.seed import metadata
from sandbox import servers as embedded
from sandbox.bench import Goal, Report, Timed, own_project, peers, servers, turns
from sandbox.servers import mariadb
from sandbox.servers.postgres import binaries

TABLES = Path(__file__).parent / "tables"
MILLION = 1_000_000
AT_ONCE = MILLION  # rows of an insert at the source
PAGE = settings.ROOT / "docs" / "benchmarks.md"


@dataclass
class Way(Timed):
    """The cost of one method, round by round: wall and CPU seconds, peak memory in MB.

    CPU and memory are those of the process that was started, not of the servers. `rows`
    is what it moved, counted where they arrived; a part has no count.
    """

    rows: int = 0
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)
    failure: str = ""


@dataclass
class Measured:
    """The methods of one table, by name."""

    table: str
    rows: int
    ways: dict[str, Way] = field(default_factory=dict)

    def ratio(self, way: str, other: str) -> float:
        """The ratio of their medians."""
        return self.ways[way].median / self.ways[other].median

    def peers(self) -> list[tuple[str, Way]]:
        """Other tools that moved the table, with their cost."""
        names = [p.name for p in peers.PEERS]
        return [(n, w) for n, w in self.ways.items() if n in names and not w.failure]


@dataclass
class Results:
    """All that one run of the benchmark measured."""

    command: str
    rounds: int
    machine: dict[str, str]
    measured: list[Measured]
    memory: dict[int, float] = field(default_factory=dict)
    reference: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def goals(self) -> list[Goal]:
        """Their goals; those that were not measured are left out."""
        goals = []
        for m in self.measured:
            goals += [
                Goal(
                    f"{m.table}: extract, raw, to the client's read",
                    m.ratio("raw", "mariadb"),
                    1.3,
                ),
                Goal(
                    f"{m.table}: extract, raw and bronze, to it",
                    m.ratio("extract", "mariadb"),
                    1.3,
                ),
                Goal(f"{m.table}: load to \\copy", m.ratio("load", "copy"), 0.8),
            ]
        for m in self.measured:
            others = dict(m.peers())
            own = m.ways["seedbed"].median
            for name in ("dlt, connectorx", "dlt, connectorx, unasked"):
                if name in others and m.table == "orders":
                    found = others[name].median / own
                    goals.append(Goal(f"orders: to {name}", found, 1.5, True))
            # A tool counts once, at its fastest.
            fastest = [w for n, w in others.items() if not n.endswith("unasked")]
            if fastest:
                found = statistics.median(w.median for w in fastest) / own
                goals.append(Goal(f"{m.table}: to the median peer", found, 4, True))
        if self.memory:
            small, *_, large = self.memory.values()
            goals.append(Goal("peak memory in MB", max(small, large), 700))
            goals.append(Goal("memory, 10M to 1M rows", large / small, 1.1))
        return goals


def run(
    rows: int,
    rounds: int,
    report: Report,
    *,
    with_peers: bool = False,
    with_memory: bool = False,
    with_reference: bool = False,
) -> Results:
    """Measure on separate servers, then remove them."""
    command = f"./seedbed bench ingest --rows {rows} --rounds {rounds}"
    for name, wanted in (
        ("peers", with_peers),
        ("memory", with_memory),
        ("reference", with_reference),
    ):
        command += f" --{name}" if wanted else ""
    with servers(report) as home:
        machine = _machine(home)
        bench = _Bench(home, report)
        bench.fill("customers", max(rows // 5, 1))
        bench.fill("orders", rows)
        results = Results(command, rounds, machine, [])
        for table, count in (("orders", rows), ("customers", max(rows // 5, 1))):
            measured = Measured(table, count)
            bench.measure(measured, rounds, with_peers)
            results.measured.append(measured)
        if with_reference:
            results.reference = bench.reference()
        if with_memory:
            for count in (MILLION, 10 * MILLION):
                bench.fill("orders", count)
                results.memory[count] = bench.peak("orders", count)
    return results


def _machine(home: Path) -> dict[str, str]:
    """What the figures depend on."""
    cpu = platform.processor() or platform.machine()
    with Path("/proc/cpuinfo").open() as file:
        names = [x.partition(": ")[2].strip() for x in file if x.startswith("model na")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = {s.name: s.version or "?" for s in embedded.status(home)}
    return {
        "CPU": f"{os.cpu_count()} of {names[0] if names else cpu}",
        "memory": f"{memory:.0f} GiB",
        "load before": f"{os.getloadavg()[1]:.1f}",
        "system": f"{platform.system()} {platform.release()}",
        "MariaDB": found["mariadb"],
        "Postgres": found["postgres"],
        "S3 store": found["s3"],
        "Python": platform.python_version(),
        "DuckDB": version("duckdb"),
    }


class _Bench:
    def __init__(self, home: Path, report: Report) -> None:
        self.home = home
        self.report = report
        self.client: list[str] = []
        self.read: dict[str, int] = {}
        own = own_project(home, TABLES / metadata.FOLDER)
        self.tables = {t.name: t for t in own}

    # -- the source ------------------------------------------------------------
    def fill(self, table: str, rows: int) -> None:
        """Create the table again with `rows` rows."""
        self.report(f"filling shop.{table}: {rows:,} rows")
        url = urlsplit(embedded.admin_url(self.home))
        text = (TABLES / f"{table}.sql").read_text()
        drop, create, insert, index = text.strip().removesuffix(";").split(";\n")
        with (
            pymysql.connect(
                host=url.hostname,
                port=url.port or 3306,
                user=unquote(url.username or ""),
                password=unquote(url.password or ""),
                database="shop",
                autocommit=True,
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(drop)
            cursor.execute(create)
            for low in range(1, rows + 1, AT_ONCE):
                high = min(low + AT_ONCE - 1, rows)
                cursor.execute(insert.format(low=low, high=high))
            cursor.execute(index)
            cursor.execute(f"analyze table shop.{table}")

    # -- the legs --------------------------------------------------------------
    def measure(self, measured: Measured, rounds: int, with_peers: bool) -> None:
        """Run the methods in turn, `rounds` times, after a warm-up round."""
        ways: dict[str, Callable[[Measured], None]] = {
            "mariadb": self._mariadb,
            "legs": self._legs,
            "seedbed": self._whole,
        }
        for number in turns(rounds):
            measured.ways = measured.ways if number > 1 else {}
            for way in ways.values():
                way(measured)
            if with_peers and number:
                for peer in peers.PEERS:
                    self._peer(measured, peer)
            took = [
                f"{n} {w.seconds[-1]:.1f}"
                for n, w in measured.ways.items()
                if w.seconds
            ]
            self.report(f"{measured.table}, round {number}: {', '.join(took)} s")

    def _mariadb(self, measured: Measured) -> None:
        """The client's read, discarded; counted in the warm-up round."""
        columns = ", ".join(
            f"`{c.source_name}`" for c in self.tables[measured.table].columns
        )
        url = urlsplit(os.environ["SHOP_URL"])
        command = [*self._client(), "--no-defaults", "--default-character-set=utf8mb4"]
        command += [f"--host={url.hostname}", f"--port={url.port}"]
        command += [f"--user={url.username}", "--quick", "--batch", "--execute"]
        command += [f"select {columns} from shop.{measured.table}"]
        environment = dict(os.environ) | {"MYSQL_PWD": unquote(url.password or "")}
        if measured.table not in self.read:  # its first line is the columns' names
            count = ["sh", "-c", '"$@" | wc -l', "sh", *command]
            self.read[measured.table] = int(_process(count, environment).out) - 1
        done = _process(command, environment, quiet=True)
        _note(measured, "mariadb", done, self.read[measured.table])

    def _client(self) -> list[str]:
        """The program mariadb: an installed one, or that of the package sources."""
        if not self.client:
            if found := shutil.which("mariadb"):
                self.client = [found]
            else:
                root = self.home / "client"
                if not root.exists():
                    mariadb.unpack(root, self.report, "client")
                libraries = ":".join(map(str, root.glob("**/*-linux-gnu")))
                program = str(root / "usr/bin/mariadb")
                self.client = ["env", f"LD_LIBRARY_PATH={libraries}", program]
        return self.client

    def _legs(self, measured: Measured) -> None:
        """Extract to closed local files, and load from them, each apart; \\copy."""
        self._clear()
        log = f"bronze.{self.tables[measured.table].bronze}"
        for name, steps in (("extract", "extract-local"), ("load", "load")):
            done = self._leg(steps, measured.table)
            seconds = json.loads(done.out)
            done.seconds = seconds[name]
            if name == "extract":
                _part(measured, "raw", seconds["extract"] - seconds["standardise"])
                _part(measured, "bronze", seconds["standardise"])
                _note(measured, name, done, self._files("raw")[1])
            else:
                _note(measured, name, done, self._count(log))
        self._copy(measured)

    def _files(self, layer: str) -> tuple[str, int]:
        """The lake's local files of a layer, as a relation of DuckDB's; their rows."""
        lake = self.home / ".seedbed" / "lake"
        found = [str(path) for path in lake.glob(f"{layer}/**/*.parquet")]
        relation = f"read_parquet({found}, hive_partitioning = false)"
        with duckdb.connect() as engine:
            return relation, duck.scalar(engine, f"select count(*) from {relation}")

    def _copy(self, measured: Measured) -> None:
        """The same rows by psql, into a table of the same columns and indexes."""
        table = self.tables[measured.table]
        file = self.home / "copy.csv"
        rows, _ = self._files("bronze")
        columns = ", ".join(f'"{c.name}"' for c in table.columns)
        columns += ", " + ", ".join(load.LOG_COLUMNS)
        # In another process: a child's peak memory is never reported below that of its
        # parent.
        how = "(format csv, header false)"
        copy = f"copy (select {columns} from {rows}) to '{file}' {how}"
        script = "import duckdb, sys; duckdb.execute(sys.argv[1])"
        _process([sys.executable, "-c", script, copy])
        log = f"bronze.{table.bronze}"
        with psycopg.connect(autocommit=True) as connection:
            connection.execute("drop schema if exists bench cascade")
            connection.execute("create schema bench")
            connection.execute(f"create table bench.copied (like {log} including all)")
            connection.execute("checkpoint")
        command = [str(binaries() / "psql"), "--no-psqlrc", "--quiet"]
        command += ["--set=ON_ERROR_STOP=1", "--command"]
        command += [f"\\copy bench.copied ({columns}) from '{file}' with (format csv)"]
        done = _process(command)
        _note(measured, "copy", done, self._count("bench.copied"))
        file.unlink()

    def _whole(self, measured: Measured) -> None:
        """The product's whole path, as a process: extract, lake, load, gate, ledger."""
        self._clear()
        done = self._leg("extract,load,validate", measured.table)
        log = f"bronze.{self.tables[measured.table].bronze}"
        _note(measured, "seedbed", done, self._count(log))
        for name, seconds in json.loads(done.out).items():
            _part(measured, f"seedbed: {name}", seconds)

    def _peer(self, measured: Measured, peer: peers.Peer) -> None:
        """Another tool; its failure is a result and is not retried."""
        way = measured.ways.setdefault(peer.name, Way())
        if way.failure:
            return
        try:
            self._clear()
            place = peers.install(peer, self.home / "peers")
            with tempfile.TemporaryDirectory(dir=self.home) as own:
                environment = peers.environment(Path(own), os.environ)
                done = _process(peer.command(place, measured.table), environment)
            rows = self._count(f"{peers.SCHEMA}.{measured.table}")
            _note(measured, peer.name, done, rows)
        except (SeedbedError, psycopg.Error) as error:
            way.failure = peers.error_line(str(error))
            self.report(f"{peer.name} failed: {way.failure}")

    # -- memory and the published reference ------------------------------------
    def peak(self, table: str, rows: int) -> float:
        """Peak memory in MB of a process that moves the table all the way."""
        self.report(f"memory: {rows:,} rows")
        measured = Measured(table, rows)
        self._whole(measured)
        return measured.ways["seedbed"].peak_mb[0]

    def reference(self) -> list[tuple[str, float, float]]:
        """A published job: what it moved, its seconds there, the product's here."""
        found = []

        def take(what: str, rows: int, theirs: float, *tables: str) -> None:
            self._clear()
            self.report(f"the published reference: {what}")
            done = self._leg("extract,load,validate", *tables)
            logs = [f"bronze.{self.tables[table].bronze}" for table in tables]
            _note(Measured(what, rows), what, done, sum(map(self._count, logs)))
            found.append((what, theirs, done.seconds))

        self.fill("customers", MILLION)
        self.fill("orders", 2 * MILLION)
        take("ERP, 2M rows", 2 * MILLION, 140, "orders")
        take("CRM, 1M rows", MILLION, 258, "customers")
        found.append(("silver, 1M customers", 147, self._silver()))
        self.fill("orders", 8_600_000)
        take("bronze, 9.6M rows", 9_600_000, 398, "orders", "customers")
        return found

    def _silver(self) -> float:
        """Seconds of `dbt build` of the customers, its start among them."""
        shutil.copy(TABLES.parent / "project" / "dbt_project.yml", self.home)
        macros = self.home / "macros"
        shutil.copytree(settings.ROOT / "macros", macros, dirs_exist_ok=True)
        words = ["run", "--select", "+customers", "--target", "postgres"]
        words += ["--project-dir", str(self.home), "--log-path", str(self.home / "log")]
        words += ["--profiles-dir", str(settings.ROOT)]
        done = _process([sys.executable, "-m", "dbt.cli.main", *words])
        silver = Measured("customers", MILLION)
        _note(silver, "silver", done, self._count("silver.customers"))
        return done.seconds

    # -- helpers ---------------------------------------------------------------
    def _leg(self, steps: str, *tables: str) -> _Process:
        patterns = [f"shop.{table}" for table in tables]
        module = ["-m", "sandbox.bench.leg", str(self.home), steps, *patterns]
        return _process([sys.executable, *module])

    def _clear(self) -> None:
        """Delete what was moved; the next method finds the servers empty and idle."""
        with psycopg.connect(autocommit=True) as connection:
            for schema in ("bronze", "staging", "silver", "audit", "bench", "peer"):
                connection.execute(f"drop schema if exists {schema} cascade")
            connection.execute("checkpoint")
        bucket = urlsplit(os.environ["SEEDBED_LAKE"]).netloc
        boto3.Session().resource("s3").Bucket(bucket).objects.delete()
        shutil.rmtree(self.home / ".seedbed" / "lake", ignore_errors=True)

    def _count(self, relation: str) -> int:
        with psycopg.connect() as connection:
            row = connection.execute(f"select count(*) from {relation}").fetchone()
        assert row is not None
        return int(row[0])


@dataclass
class _Process:
    """A process that succeeded: its output, wall and CPU seconds, peak MB."""

    out: str
    seconds: float
    cpu: float
    peak_mb: float


def _process(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    quiet: bool = False,
) -> _Process:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        child = subprocess.Popen(
            command,
            cwd=settings.ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else output,
            stderr=errors,
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    if child.returncode:
        label = peers.error_line(texts[1] + texts[0])
        # The program's name alone: its arguments may hold a password.
        name = Path(command[0]).name
        raise SeedbedError(f"{name} ended with {child.returncode}: {label}")
    cpu = usage.ru_utime + usage.ru_stime
    return _Process(texts[0], seconds, cpu, usage.ru_maxrss / 1024)


def _note(measured: Measured, name: str, done: _Process, rows: int) -> None:
    """Record a round of a method; it must have moved all rows."""
    if rows != measured.rows:
        raise SeedbedError(f"{name} moved {rows:,} of {measured.rows:,} rows")
    way = measured.ways.setdefault(name, Way())
    way.rows = rows
    way.seconds.append(done.seconds)
    way.cpu.append(done.cpu)
    way.peak_mb.append(done.peak_mb)


def _part(measured: Measured, name: str, seconds: float) -> None:
    """Record a part of a method, timed within its process."""
    measured.ways.setdefault(name, Way()).seconds.append(seconds)


# -- output ------------------------------------------------------------------------
def as_json(results: Results) -> dict[str, Any]:
    """Everything, for a script."""
    return {**asdict(results), "goals": [g.as_json() for g in results.goals]}


def lines(results: Results) -> Iterator[str]:
    """Medians and goals, for a person: Markdown, as docs/benchmarks.md has it."""
    for measured in results.measured:
        yield f"### {measured.table}, {measured.rows:,} rows"
        yield ""
        yield from _table(measured)
        yield ""
    if results.memory:
        yield "### Peak memory of the runner"
        yield ""
        yield "| rows | MB |"
        yield "|---:|---:|"
        for rows, peak in results.memory.items():
            yield f"| {rows:,} | {peak:.0f} |"
        yield ""
    if results.reference:
        yield "### A published reference"
        yield ""
        yield "| what | published s | here s | times as fast |"
        yield "|---|---:|---:|---:|"
        for what, theirs, ours in results.reference:
            yield f"| {what} | {theirs:.0f} | {ours:.1f} | {theirs / ours:.0f} |"
        yield ""
    yield "### Goals"
    yield ""
    yield "| ratio | found | goal | |"
    yield "|---|---:|---:|---|"
    for goal in results.goals:
        limit = f"{'≥' if goal.at_least else '≤'} {goal.limit:g}"
        yield f"| {goal.name} | {goal.found:.2f} | {limit} | {goal.verdict} |"


_NAMES = {
    "mariadb": "`mariadb --quick -B` to /dev/null",
    "extract": "Seedbed: extract to closed local Parquet",
    "raw": "of it: raw, the exact dump",
    "bronze": "of it: bronze from raw",
    "copy": "`psql \\copy` of the same rows as CSV",
    "load": "Seedbed: load",
    "seedbed": "Seedbed: the whole",
    "seedbed: extract": "of it: extract",
    "seedbed: standardise": "of the extract: bronze from raw",
    "seedbed: upload": "of the extract: upload",
    "seedbed: load": "of it: load",
    "seedbed: validate": "of it: the gate",
}
_BESIDE = {"mariadb": "raw", "copy": "load"}


def _table(measured: Measured) -> Iterator[str]:
    versions = {p.name: p.version for p in peers.PEERS}
    yield "| | s | single runs | CPU s | peak MB | times Seedbed's |"
    yield "|---|---:|---|---:|---:|---:|"
    order = [*_NAMES, *versions]
    for name in sorted(measured.ways, key=order.index):
        way = measured.ways[name]
        label = _NAMES.get(name, name)
        if name in versions:
            label += f" ({versions[name]})"
        if way.failure:
            yield f"| {label} | | failed: {way.failure} | | | |"
            continue
        single = ", ".join(f"{s:.2f}" for s in way.seconds)
        cpu = f"{statistics.median(way.cpu):.2f}" if way.cpu else ""
        # A client needs less than the process that started it, so it has no figure.
        is_client = name in _BESIDE or not way.peak_mb
        peak = "" if is_client else f"{max(way.peak_mb):.0f}"
        own = _BESIDE.get(name, "seedbed" if name in versions else "")
        ratio = f"{measured.ratio(name, own):.2f}" if own else ""
        yield f"| {label} | {way.median:.2f} | {single} | {cpu} | {peak} | {ratio} |"


def write(results: Results) -> Path:
    """Write docs/benchmarks.md from the results; the page is that of one run."""
    machine = [f"| {name} | {value} |" for name, value in results.machine.items()]
    text = (TABLES.parent / "page.md").read_text()
    text = text.replace("{command}", results.command)
    text = text.replace("{date}", dt.date.today().isoformat())
    text = text.replace("{machine}", "\n".join(machine))
    PAGE.write_text(text.replace("{results}", "\n".join(lines(results))))
    return PAGE
