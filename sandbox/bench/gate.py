"""Bench gate: what checking one batch costs, in seconds and in CPU seconds.

A batch of twelve columns in one file and a suite of fifteen expectations; its log is on
a separate Postgres. Checked as it is, and with every hundredth row damaged; CPU seconds
are those of the runner and the gate's process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from gx import gate, measuring, process
from ingest import control, duck, settings
from ingest.seed import metadata, suites
from ingest.seed.checks import CHECKS
from ingest.seed.metadata import Rule, Table
from sandbox.bench import Bench, Case, Cost, processor, sql

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


def run(bench: Bench, rows: int) -> None:
    """Check a batch of `rows` rows."""
    table, expected = _table()
    entries = suites.entries(table, expected)
    suite = {"name": "bench", "expectations": entries}
    sizes = {"rows": rows, "columns": 12, "expectations": len(expected)}
    case = Case("a batch", sizes)

    def checked(way: str, file: Path, wrong: set[str]) -> Iterator[tuple[str, Cost]]:
        with bench.timed(_cpu) as cost:
            found = measuring.of_files(table, [file], measuring.wanted(table, suite))
            given = {suites.ROWS: rows}
            reply = gate.check(connection, table, "bench", suite, found, given)
        results = reply["results"].items()
        failed = {rule for rule, result in results if not result["passed"]}
        assert failed == wrong, (failed, reply)
        yield way, cost

    with bench.servers("postgres") as home, control.connect() as connection:
        bench.report(f"writing {rows:,} rows")
        connection.execute(sql("gate", rows=rows).encode())
        with bench.timed() as ready:
            process.ask({"do": "nothing"}, settings.gate_seconds())
        ready.cpu = processor([process.pid()])
        case.ways["start and import"] = [ready]
        control.prepare(connection)
        good, bad = _written(home, "good"), _written(home, "bad")
        bench.compare(
            case,
            partial(checked, "good batch", good, set()),
            partial(checked, "bad batch", bad, {"country:matches", "country:one_of"}),
        )
        process.end()


def _table() -> tuple[Table, list[suites.Expectation]]:
    """The demo's customers, and what is expected of them here."""
    tables = metadata.load(settings.ROOT)
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
    return time.process_time() + processor([process.pid()])
