"""Writes docs/reliability.md: the faults, their tests, and what these came to.

A pytest plugin: `./seedbed test tests/faults --nightly --reliability`.
"""

from __future__ import annotations

import ast
import textwrap
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from ingest.failpoints import POINTS
from tests.faults.matrix import FAULTS

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs" / "reliability.md"
COMMAND = "./seedbed test tests/faults --nightly --reliability"

INTRO = """\
# Reliability

The promise: *at-least-once extraction, effectively-once tables.* Whatever dies,
whenever it dies: the next run loses no row, and makes none twice.

What makes it hold: a window is stored before it is read; a batch counts once its
manifest is in the lake, written last and only once; its rows, its counts and its
state reach the log in one transaction; a release is one number; a silver table's
rows commit together with the range that they were made of. See
[architecture](architecture.md).

Each fault below is made to happen, on real servers: processes are killed with
SIGKILL, connections are cut by a proxy, files are damaged, clocks are moved, disks
fill up. Afterwards the tables are compared, row by row, with what the source holds,
read without the product (the *oracle*). This page is written by
`{command}`.

{kills}

| # | fault | what comes of it | tests | result |
|---|---|---|---|---|
"""


class Test(NamedTuple):
    """A test function of this folder."""

    file: str
    name: str

    @property
    def link(self) -> str:
        """The test as the page shows it."""
        words = self.name.removeprefix("test_").replace("_", " ")
        return f"[{words}](../tests/faults/{self.file})"


def tests() -> dict[int, list[Test]]:
    """The tests of each fault, as their marks in the code say."""
    found: dict[int, list[Test]] = defaultdict(list)
    for path in sorted(FOLDER.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                for number in _numbers(node):
                    found[number].append(Test(path.name, node.name))
    return found


def _numbers(function: ast.FunctionDef) -> list[int]:
    return [
        ast.literal_eval(argument)
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Call)
        and ast.unparse(decorator.func) == "pytest.mark.fault"
        for argument in decorator.args
    ]


def page(results: Mapping[Test, Counter[str]], kills: int) -> str:
    """The page; `results` are the outcomes of each test's cases."""
    points = ", ".join(f"`{point}`" for point in POINTS)
    killed = (
        f"Failpoints, at which a run is killed on purpose: {points}. Besides, the "
        f"tests killed {kills} runs at random moments."
    )
    lines = [INTRO.format(command=COMMAND, kills=textwrap.fill(killed, 88))]
    proofs = tests()
    for number, fault in FAULTS.items():
        links = "; ".join(test.link for test in proofs[number])
        total: Counter[str] = Counter()
        for test in proofs[number]:
            total += results.get(test, Counter(["not run"]))
        result = ", ".join(f"{n} {outcome}" for outcome, n in sorted(total.items()))
        lines.append(
            f"| {number} | {fault.what} | {fault.outcome} | {links} | {result} |\n"
        )
    return "".join(lines)


# -- the plugin ----------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the fault tests."""
    group = parser.getgroup("faults")
    group.addoption(
        "--nightly",
        action="store_true",
        help="All of it: what is marked long as well, 60 kills at random moments.",
    )
    group.addoption(
        "--reliability",
        action="store_true",
        help="Write docs/reliability.md from the results of tests/faults.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark; at night nothing is left out."""
    config.addinivalue_line(
        "markers", "fault(*numbers): the faults of tests/faults/matrix.py it proves"
    )
    if config.getoption("nightly") and config.option.markexpr == "not long":
        config.option.markexpr = ""


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Write the page, when asked."""
    if not config.getoption("reliability"):
        return
    results: dict[Test, Counter[str]] = defaultdict(Counter)
    kills = 0
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if not isinstance(report, pytest.TestReport):
                continue
            if report.when != "call" and outcome not in ("error", "skipped"):
                continue
            file, _, name = report.nodeid.partition("::")
            test = Test(Path(file).name, name.partition("[")[0])
            results[test][outcome] += 1
            kills += sum(int(n) for key, n in report.user_properties if key == "kills")
    PAGE.write_text(page(results, kills))
    terminalreporter.write_line(f"wrote {PAGE}")
