"""Benchmarks: commands that measure the product, on separate servers.

A benchmark is a module of this package. `run` measures, with the options of its command
and a report; `as_json` and `lines` give its results to a script and a person.
"""

import csv
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest import settings
from ingest.control import Connection
from ingest.errors import SeedbedError
from ingest.seed import generate, metadata, seedfile
from orchestration import dbt_runner
from orchestration.watch import outbox
from sandbox import servers as embedded

Report = Callable[[str], None]
HOME = settings.ROOT / ".seedbed" / "bench"
# What the product needs of its project; the rest of the folder is the user's.
_PROJECT = (
    *("gx", "ingest", "orchestration", "sandbox", "macros", "models", "snapshots"),
    *(
        "seeds",
        "analyses",
        "tests",
        "docs",
        "dbt_packages",
        "dbt_project.yml",
        "packages.yml",
    ),
    *("package-lock.yml", "packages", "profiles.yml"),
)
# Downloaded once: the client of MariaDB, the other tools.
_KEPT = {".seedbed", "client", "peers"}
_ENDPOINTS = (*outbox.CHANNELS.values(), "OPENLINEAGE_URL")
_SERVERS = {*embedded.SERVICES, "stack.json", "stack.lock"}


@dataclass(frozen=True)
class Goal:
    """A goal for a figure, and the measured one."""

    name: str
    found: float
    limit: float
    at_least: bool = False

    @property
    def reached(self) -> bool:
        """Whether the goal is reached."""
        if self.at_least:
            return self.found >= self.limit
        return self.found <= self.limit

    @property
    def verdict(self) -> str:
        """The same as a word."""
        return "reached" if self.reached else "missed"

    def as_json(self) -> dict[str, Any]:
        """All figures, for a script."""
        return {**vars(self), "reached": self.reached}


class Timed:
    """Timings, round by round."""

    seconds: list[float]

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.seconds)


def turns(rounds: int) -> range:
    """The rounds from 1; before them 0, to warm up.

    A single round is a quick look, without a warm-up.
    """
    return range(0 if rounds > 1 else 1, rounds + 1)


@contextmanager
def servers(
    report: Report, services: Iterable[str] = embedded.SERVICES
) -> Iterator[Path]:
    """Separate servers for the benchmark; yields their folder, which it may use.

    Environment variables name them, as they do the product's. All of it is removed with
    the block.
    """
    before = dict(os.environ)
    HOME.mkdir(parents=True, exist_ok=True)
    _clear(lambda line: None)  # after one that was killed
    try:
        os.environ.update(embedded.up(HOME, report, services))
        os.environ["SEEDBED_SCHEMA"] = "prod"
        os.environ.pop("SEEDBED_EMBEDDED", None)
        yield HOME
    finally:
        _clear(report)
        os.environ.clear()
        os.environ.update(before)


def _clear(report: Report) -> None:
    embedded.down(HOME, report)
    embedded.wipe(HOME, report)
    _empty(HOME, _KEPT)
    _empty(HOME / ".seedbed", _SERVERS)


def _empty(folder: Path, kept: set[str]) -> None:
    for path in folder.iterdir():
        if path.name in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def copy_project(root: Path) -> None:
    """Copy what the product needs of this project."""
    for name in _PROJECT:
        source, target = settings.ROOT / name, root / name
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copy(source, target)


def own_project(root: Path, given: Path) -> list[metadata.Table]:
    """Write the seed of the benchmark's project, and generate it; its tables.

    `given` holds CSV files with what rows and columns the benchmark needs; all other
    files exist, and are empty.
    """
    for name, header in metadata.HEADERS.items():
        path = root / metadata.FOLDER / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(",".join(header) + "\n", encoding="utf-8")
        if (given / path.name).exists():
            with (given / path.name).open(newline="", encoding="utf-8") as rows:
                seedfile.append(root, name, csv.DictReader(rows))
    tables = metadata.load(root)
    generate.apply(root, generate.plan(root, tables))
    return tables


def release(connection: Connection, tables: Iterable[str], through: int) -> None:
    """Note batches of the tables as released, as a run does."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.table_state (table_id, released_through, snapshot_seq, "
            "observed_at) values (%s, %s, 1, now()) on conflict (table_id) do update "
            "set released_through = excluded.released_through",
            [(table, through) for table in tables],
        )


def timed_run(
    home: Path, variables: Mapping[str, str] | None = None
) -> tuple[float, float]:
    """Seconds of a `./seedbed run` in a copy of the project, and the processor's.

    No endpoint is configured but those of `variables`.
    """
    others = {k: v for k, v in os.environ.items() if k not in _ENDPOINTS}
    with tempfile.TemporaryFile() as said:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "orchestration", "run"],
            cwd=home,
            env=others | {**(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
        )
        seconds = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            said.seek(0)
            raise SeedbedError(
                f"the benchmark's run ended with {done.returncode}:\n"
                f"{said.read().decode(errors='replace')[-2000:]}"
            )
    spent = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return seconds, spent


def processor(servers: Iterable[int]) -> float:
    """The seconds of processors that servers, by their pids, have spent until now.

    Those of their processes are among them, whether they still run or not.
    """
    pids, total = {*servers}, 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            text = (path / "stat").read_text(encoding="utf-8")
        except OSError:  # it has just ended
            continue
        fields = text.rpartition(")")[2].split()
        own, of_ended = map(int, fields[11:13]), map(int, fields[13:15])
        if int(path.name) in pids:
            total += sum(own) + sum(of_ended)
        elif int(fields[1]) in pids:
            total += sum(own)
    return total / os.sysconf("SC_CLK_TCK")


class Dbt:
    """dbt over a project; what it writes goes to `folder`."""

    def __init__(self, project: Path, folder: Path) -> None:
        self._place = ["--project-dir", str(project), "--log-level", "none"]
        self._place += ["--profiles-dir", str(settings.ROOT), "--target", "postgres"]
        self._place += ["--target-path", str(folder / "target")]
        self._place += ["--log-path", str(folder / "log")]
        self._manifest: Any = None

    def run(self, *words: str) -> float:
        """Run a command; seconds of the statements its nodes sent."""
        return sum(seconds for seconds, _ in self.costs(*words).values())

    def costs(
        self, *words: str, processor: Callable[[], float] = lambda: 0.0
    ) -> dict[str, list[float]]:
        """Run a command; seconds of each node's statements, and of `processor`.

        dbt's adapter times each statement from sending it to its answer, as one that
        is sent by hand is timed, COMMITs included. The server's own clock
        (pg_stat_statements) would leave out the commit and the way there. `processor`
        is asked before and after a node, so one thread is to build them.
        """
        from dbt_common.events.base_types import EventMsg

        nodes: dict[str, list[float]] = {}
        before: dict[str, float] = {}

        def follow(event: EventMsg) -> None:
            data: Any = event.data
            name = event.info.name
            if name not in ("NodeStart", "SQLQueryStatus", "NodeFinished"):
                return
            node = data.node_info
            if not node.unique_id:
                return
            cost = nodes.setdefault(node.node_name, [0.0, 0.0])
            if name == "SQLQueryStatus":
                cost[0] += data.elapsed
            elif name == "NodeStart":
                before[node.unique_id] = processor()
            else:
                cost[1] += processor() - before[node.unique_id]

        runner = dbt_runner.runner(self._manifest, follow)
        answer = runner.invoke([*words, *self._place])
        if not answer.success:
            found = getattr(answer.result, "results", [])
            why = [str(r.message) for r in found if str(r.status) != "success"]
            why = why[:3] or [str(answer.exception)]
            raise SeedbedError(f"dbt could not build the benchmark's models: {why}")
        self._manifest = runner.manifest or self._manifest
        return nodes
