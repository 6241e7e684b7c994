"""Benchmarks: commands that measure the product, on separate servers.

A benchmark is a module of this package, whose `run(bench, …)` sets up servers and data,
has `Bench.compare` measure the ways of each case, and sets goals.
"""

import datetime as dt
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from click import unstyle

from ingest import settings
from ingest.errors import SeedbedError
from sandbox import servers as embedded

Report = Callable[[str], None]
HERE = Path(__file__).parent
HOME = settings.ROOT / ".seedbed" / "bench"
# The servers, and what is downloaded once: MariaDB's client, the other tools.
_KEPT = {".seedbed", "client", "peers"}
_KEPT |= {*embedded.SERVICES, "stack.json", "stack.lock"}
_TITLES = {"mariadb": "MariaDB", "postgres": "Postgres", "s3": "S3 store"}


def sql(name: str, **values: object) -> str:
    """The statements of a file of this folder; a value stands for its `{name}`."""
    text = (HERE / f"{name}.sql").read_text("utf-8")
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", str(value))
    return text


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

    def cells(self) -> tuple[str, ...]:
        """A line of the table of goals."""
        limit = f"{'≥' if self.at_least else '≤'} {self.limit:g}"
        verdict = "reached" if self.reached else "missed"
        return self.name, f"{self.found:.2f}", limit, verdict


@dataclass
class Cost:
    """What a way took, once; None was not measured.

    Wall seconds; processor seconds of the processes that did it, and of the servers;
    peak memory in MB. `rows` is how many arrived, `came` what else must be the same.
    """

    seconds: float = 0.0
    cpu: float | None = None
    servers: float | None = None
    peak_mb: float | None = None
    rows: int | None = None
    came: object = None


FIGURES = ("seconds", "cpu", "servers", "peak_mb")
# A way of doing what others do as well, under its name; some have parts with a name.
Way = Callable[[], Iterable[tuple[str, Cost]]]


@dataclass
class Case:
    """Ways that do the same, and the costs of each, round by round.

    `sizes` say how large the case is. `beside` has the way that a way is compared with,
    `labels` what a person reads for its name, `failures` why it can't be measured.
    """

    name: str
    sizes: dict[str, int]
    beside: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ways: dict[str, list[Cost]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def figures(self, way: str, figure: str = "seconds") -> list[float]:
        """A figure of each round."""
        found = (getattr(cost, figure) for cost in self.ways[way])
        return [value for value in found if value is not None]

    def median(self, way: str, figure: str = "seconds") -> float:
        """The median of the rounds."""
        return statistics.median(self.figures(way, figure))

    def ratio(self, way: str, other: str, figure: str = "seconds") -> float:
        """How many times as much a way takes as another; 0 if that took nothing."""
        return self.median(way, figure) / (self.median(other, figure) or float("inf"))

    def as_json(self) -> dict[str, Any]:
        """All figures, for a script."""
        ways: dict[str, dict[str, Any]] = {}
        for way, costs in self.ways.items():
            figures = {figure: self.figures(way, figure) for figure in FIGURES}
            ways[way] = {"rows": costs[0].rows, **figures}
        ways |= {way: {"failure": why} for way, why in self.failures.items()}
        return {"name": self.name, **self.sizes, "ways": ways}

    def lines(self) -> Iterator[str]:
        """Medians and single runs as Markdown, for a person."""
        sizes = (f"{count:,} {what}" for what, count in self.sizes.items())
        yield from (f"### {', '.join([self.name, *sizes])}", "")
        head = ("", "s", "single runs", "CPU s", "servers' CPU s", "peak MB", "ratio")
        yield from _table(head, map(self._cells, self.ways))
        for way, why in self.failures.items():
            yield from ("", f"{self.labels.get(way, way)} failed: {why}")
        yield ""

    def _cells(self, way: str) -> tuple[str, ...]:
        medians = [
            _digits(self.median(way, figure)) if self.figures(way, figure) else ""
            for figure in ("seconds", "cpu", "servers")
        ]
        single = ", ".join(map(_digits, self.figures(way)))
        peaks = self.figures(way, "peak_mb")
        peak = f"{max(peaks):.0f}" if peaks else ""
        other = self.beside.get(way)
        ratio = f"{self.ratio(way, other):.2f} of {other}" if other else ""
        label = self.labels.get(way, way)
        return label, medians[0], single, *medians[1:], peak, ratio


def _digits(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds >= 1 else f"{seconds:.3f}"


def _table(head: Sequence[str], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """An aligned table of Markdown, without its empty columns."""
    columns = [column for column in zip(head, *rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    rule = [f"{'-' * (width - 1)}:" for width in widths]
    rule[0] = "-" * widths[0]
    first, *others = zip(*columns, strict=True)
    for row in (first, rule, *others):
        numbers = map(str.rjust, row[1:], widths[1:])
        yield f"| {' | '.join([row[0].ljust(widths[0]), *numbers])} |"


class Bench:
    """A benchmark: its servers, what it measures, and how that is told."""

    def __init__(self, command: str, report: Report, rounds: int = 1) -> None:
        self.command = command
        self.report = report
        self.rounds = rounds
        self.machine: dict[str, str] = {}
        self.cases: list[Case] = []
        self.goals: list[Goal] = []
        self._pids: set[int] = set()

    @contextmanager
    def servers(self, *services: str) -> Iterator[Path]:
        """Separate servers, all without a name; yields their folder, which is ours.

        Environment variables name them, as they do the product's. All of it is removed
        with the block.
        """
        before = dict(os.environ)
        load = os.getloadavg()[1]
        HOME.mkdir(parents=True, exist_ok=True)
        _clear(lambda line: None)  # after one that was killed
        try:
            wanted = services or embedded.SERVICES
            os.environ.update(embedded.up(HOME, self.report, wanted))
            os.environ["SEEDBED_SCHEMA"] = "prod"
            os.environ.pop("SEEDBED_EMBEDDED", None)
            running = [s for s in embedded.status(HOME) if s.running]
            self._pids = {s.pid for s in running if s.pid}
            self.machine = _machine(load)
            self.machine |= {_TITLES[s.name]: s.version or "?" for s in running}
            yield HOME
        finally:
            _clear(self.report)
            os.environ.clear()
            os.environ.update(before)

    def goal(
        self, name: str, found: float, limit: float, at_least: bool = False
    ) -> None:
        """Set a goal for a figure, which is to be `limit` at most."""
        self.goals.append(Goal(name, found, limit, at_least))

    def compare(self, case: Case, *ways: Way, hint: str = "") -> Case:
        """Run the ways in turn, round by round, after a round to warm up.

        A single round is a quick look, without a warm-up. Raises SeedbedError, with
        the hint, where what came of two ways is not the same.
        """
        self.cases.append(case)
        first: tuple[str, object] | None = None
        for number in range(0 if self.rounds > 1 else 1, self.rounds + 1):
            place = (number - 1) % len(ways)  # so that no way is always the first
            for way in ways[place:] + ways[:place]:
                took = [*way()]
                for name, cost in took:
                    if number:
                        case.ways.setdefault(name, []).append(cost)
                    if cost.came is None:
                        continue
                    first = first or (name, cost.came)
                    if cost.came != first[1]:
                        raise SeedbedError(
                            f"{case.name}: {name} gives another result than "
                            f"{first[0]}, so their times can't be compared.",
                            hint,
                        )
                said = ", ".join(f"{name} {cost.seconds:.2f} s" for name, cost in took)
                self.report(f"{case.name}, round {number}: {said or 'nothing'}")
        return case

    def processor(self) -> float:
        """Processor seconds of the servers until now."""
        # A process that ends while the list is read is in the next reading only.
        return max(processor(self._pids) for _ in range(2))

    @contextmanager
    def timed(self, cpu: Callable[[], float] | None = None) -> Iterator[Cost]:
        """What the block takes; `cpu` tells the processor seconds of what does it."""
        cost = Cost()
        own, theirs = cpu() if cpu else 0.0, self.processor()
        started = time.perf_counter()
        yield cost
        cost.seconds = time.perf_counter() - started
        cost.servers = self.processor() - theirs
        cost.cpu = cpu() - own if cpu else None

    def process(
        self,
        *command: str | Path,
        quiet: bool = False,
        cwd: Path = settings.ROOT,
        env: Mapping[str, str] | None = None,
    ) -> tuple[str, Cost]:
        """Run a program to its end: its output, unless `quiet`, and what it took.

        The processes that it started count as well. Raises SeedbedError.
        """
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            with self.timed() as cost:
                child = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL if quiet else output,
                    stderr=errors,
                )
                _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            for file in (output, errors):
                file.seek(0)
            said = output.read().decode(errors="replace")
            wrong = errors.read().decode(errors="replace")
        if child.returncode:
            # The program's name alone: its arguments may hold a password.
            raise SeedbedError(
                f"{Path(command[0]).name} ended with {child.returncode}: "
                f"{error_line(wrong + said)}",
                f"It said at its end:\n{(said + wrong)[-2000:].strip()}",
            )
        cost.cpu = usage.ru_utime + usage.ru_stime
        cost.peak_mb = usage.ru_maxrss / 1024
        return said, cost

    def as_json(self) -> dict[str, Any]:
        """Everything, for a script."""
        return {
            "command": self.command,
            "rounds": self.rounds,
            "machine": self.machine,
            "measured": [case.as_json() for case in self.cases],
            "goals": [{**vars(goal), "reached": goal.reached} for goal in self.goals],
        }

    def lines(self) -> Iterator[str]:
        """Medians and goals as Markdown, for a person."""
        for case in self.cases:
            yield from case.lines()
        if self.goals:
            yield from ("### Goals", "")
            head = ("goal", "found", "limit", "")
            yield from _table(head, (goal.cells() for goal in self.goals))

    def write(self) -> Path:
        """Write docs/benchmarks.md, which is then that of this run."""
        machine = [f"| {name} | {value} |" for name, value in self.machine.items()]
        text = (HERE / "page.md").read_text("utf-8")
        text = text.replace("{command}", self.command)
        text = text.replace("{date}", dt.date.today().isoformat())
        text = text.replace("{machine}", "\n".join(machine))
        page = settings.ROOT / "docs" / "benchmarks.md"
        page.write_text(text.replace("{results}", "\n".join(self.lines())), "utf-8")
        return page


def _machine(load: float) -> dict[str, str]:
    """What the figures depend on, beside the servers."""
    cpu = platform.processor() or platform.machine()
    with Path("/proc/cpuinfo").open() as file:
        names = [x.partition(": ")[2].strip() for x in file if x.startswith("model na")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "CPU": f"{os.cpu_count()} of {names[0] if names else cpu}",
        "memory": f"{memory:.0f} GiB",
        "load before": f"{load:.1f}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "DuckDB": version("duckdb"),
    }


def _clear(report: Report) -> None:
    embedded.down(HOME, report)
    embedded.wipe(HOME, report)
    for path in (*HOME.iterdir(), *(HOME / ".seedbed").iterdir()):
        if path.name in _KEPT:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def processor(pids: Iterable[int]) -> float:
    """The processor seconds that programs have spent until now.

    Those of their processes are among them, whether they still run or not.
    """
    programs, total = {*pids}, 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            text = (path / "stat").read_text(encoding="utf-8")
        except OSError:  # it has just ended
            continue
        fields = text.rpartition(")")[2].split()
        own, of_ended = map(int, fields[11:13]), map(int, fields[13:15])
        if int(path.name) in programs:
            total += sum(own) + sum(of_ended)
        elif int(fields[1]) in programs:
            total += sum(own)
    return total / os.sysconf("SC_CLK_TCK")


def error_line(text: str) -> str:
    """The line of a program's output that names its error: the first that does so."""
    lines = [line.strip() for line in unstyle(text).splitlines() if line.strip()]
    named = [line for line in lines if "error" in line.lower()]
    return (named or lines or ["no message"])[0][:200]
