"""Bench gate: what checking one batch costs, in seconds and in CPU seconds.

A batch of twelve columns in one file and a suite of fifteen expectations; its log is on
a separate Postgres. Checked once as it is, and once with every hundredth row damaged.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gx import gate, process
from ingest import control, duck, settings
from ingest.seed import metadata, suites
from ingest.seed.checks import CHECKS
from ingest.seed.metadata import Rule, Table
from sandbox.bench import Report, servers

_RULES = (
    ("email", "matches", "^[^@ ]+@[^@ ]+[.][^@ ]+$"),
    ("email", "not_null", "0.25"),
    ("country", "matches", "^[A-Z]{2}$"),
    ("country", "one_of", "NL|DE|FR|BE|GB"),
    ("loyalty_points", "between", "0.."),
    ("created_at", "between", "2000-01-01.."),
    ("updated_at", "satisfies", "updated_at >= created_at"),
)
_OWN = (
    "schema",
    "rows_as_in_source",
    "customer_id:unique",
    "customer_id:not_null",
    "full_name:not_null",
    "country:not_null",
    "created_at:not_null",
    "updated_at:not_null",
)


@dataclass
class Outcome:
    """Seconds of each method by round; `ready` is the process's start and import.

    CPU seconds are those of the runner and the gate's process.
    """

    rows: int
    expectations: int
    ready: float = 0.0
    ready_cpu: float = 0.0
    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu_seconds: dict[str, list[float]] = field(default_factory=dict)


def _table() -> tuple[Table, list[suites.Expectation]]:
    """The demo's customers, and what is expected of them here."""
    tables = metadata.load(Path(__file__).parents[2])
    (table,) = (t for t in tables if t.id == "shop.customers")
    kinds = {c.name: c.type for c in table.columns}
    rules = tuple(
        Rule(check.id, check, "block", "gate", "")
        for check in (
            CHECKS[name](text, column, kinds) for column, name, text in _RULES
        )
    )
    table = replace(table, rules=rules)
    wanted = {*_OWN, *(r.id for r in rules)}
    return table, [e for e in suites.expectations(table) if e.rule_id in wanted]


def run(rows: int, rounds: int, report: Report) -> Outcome:
    """Check a batch of `rows` rows, `rounds` times for each method."""
    table, expected = _table()
    outcome = Outcome(rows, len(expected))
    with servers(report, ["postgres"]) as home, control.connect() as connection:
        report(f"writing {rows:,} rows")
        script = Path(__file__).with_name("customers_batch.sql").read_text()
        for statement in script.split(";\n"):
            if statement.strip():
                values = {"rows": rows} if "%(rows)s" in statement else None
                connection.execute(statement, values)
        entries = suites.entries(table, expected)
        suite = {"name": "bench", "expectations": entries}
        started = time.monotonic()
        process.ask({"do": "nothing"}, settings.gate_seconds())
        outcome.ready = time.monotonic() - started
        outcome.ready_cpu = _cpu_of_process()
        control.prepare(connection)
        for way in ("good", "bad"):
            file = _written(home, way)
            for number in range(rounds):
                report(f"{way} batch, round {number + 1} of {rounds}")
                started, cpu = time.monotonic(), _cpu()
                reply = gate.check(
                    connection, table, "bench", [file], suite, {suites.ROWS: rows}
                )
                outcome.seconds.setdefault(way, []).append(time.monotonic() - started)
                outcome.cpu_seconds.setdefault(way, []).append(_cpu() - cpu)
                wrong = {
                    r for r, result in reply["results"].items() if not result["passed"]
                }
                assert wrong == _wrong(way), (wrong, reply)
        process.end()
    return outcome


def _written(home: Path, way: str) -> Path:
    """The log's rows as a file of a batch, damaged for the way `bad`."""
    file = home / f"{way}.parquet"
    country = "if(customer_id % 100 = 0, 'xx', country)" if way == "bad" else "country"
    with duck.engine(home) as engine:
        duck.attach_warehouse(engine, settings.warehouse())
        engine.execute(
            f"copy (select * replace ({country} as country) "
            "from warehouse.bronze.shop__customers) "
            f"to {duck.literal(file)} (format parquet, compression zstd)"
        )
    return file


def _cpu() -> float:
    """CPU seconds of this process and of the gate's."""
    return time.process_time() + _cpu_of_process()


def _cpu_of_process() -> float:
    fields = Path(f"/proc/{process.pid()}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wrong(way: str) -> set[str]:
    return {"country:matches", "country:one_of"} if way == "bad" else set()


def as_json(outcome: Outcome) -> dict[str, Any]:
    """All figures, for a script."""
    return vars(outcome)


def lines(outcome: Outcome) -> Iterator[str]:
    """Medians, for a person."""
    yield f"{outcome.rows:,} rows, 12 columns, {outcome.expectations} expectations"
    ready, cpu = outcome.ready, outcome.ready_cpu
    yield f"start and import  {ready:6.2f} s   {cpu:.2f} CPU s"
    for way, seconds in outcome.seconds.items():
        median, worst = statistics.median(seconds), max(seconds)
        cpu = statistics.median(outcome.cpu_seconds[way])
        yield (
            f"a {way + ' batch':15} {median:6.2f} s   {cpu:.2f} CPU s   "
            f"(worst {worst:.2f} s)"
        )
