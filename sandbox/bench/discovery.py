"""Bench discovery: from a database of many tables to a parsed dbt project.

Tables of ten columns that refer to each other, on a separate MariaDB, and a copy of the
project without the demo's tables. It times discovery, generation, and dbt's parse: of a
new project, and of an unchanged one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ingest.seed import discover as discovery
from ingest.seed import generate, metadata
from sandbox import demo
from sandbox import servers as embedded
from sandbox.bench import Bench, Case, Cost, sql
from sandbox.bench.project import copy_project
from sandbox.demo import leave

# Seconds for 500 tables.
LIMITS = {"discover": 20.0, "generate": 10.0, "parse": 120.0, "unchanged parse": 15.0}


def run(bench: Bench, tables: int) -> None:
    """Measure each step for a database of `tables` tables."""
    with bench.servers("mariadb") as home:
        bench.report(f"creating {tables} tables")
        _create(home, tables)
        root = home / "project"
        root.mkdir()
        copy_project(root)
        leave.leave(root)
        case = Case("a database", {"tables": tables})
        bench.compare(case, partial(_steps, bench, root))
        assert len(metadata.load(root)) == tables
    for step, limit in LIMITS.items():
        bench.goal(f"{step}, seconds", case.median(step), limit * tables / 500)


def _create(home: Path, tables: int) -> None:
    reference = ""
    with demo.connect(embedded.admin_url(home)) as cursor:
        cursor.execute("use shop")
        for number in range(tables):
            if number:
                parent = f"shop.t{number // 2:04}"
                reference = f",\n    foreign key (parent_id) references {parent} (id)"
            table = f"t{number:04}"
            script = sql("discovery", table=table, number=number, reference=reference)
            for statement in script.split(";\n"):
                cursor.execute(statement)


def _steps(bench: Bench, root: Path) -> Iterator[tuple[str, Cost]]:
    bench.report("discover")
    with bench.timed() as cost:
        discovery.discover(root, "shop", ())
    yield "discover", cost
    bench.report("generate")
    with bench.timed() as cost:
        generate.apply(root, generate.plan(root, metadata.load(root)))
    yield "generate", cost
    # It connects to nothing.
    nowhere = dict.fromkeys(("PGHOST", "PGUSER", "PGPASSWORD"), "nobody")
    nowhere |= {"PGDATABASE": "nothing", "PGPORT": "5432"}
    dbt = Path(sys.executable).with_name("dbt")
    for step in ("parse", "unchanged parse"):
        bench.report(step)
        command = (dbt, "parse", "--target", "postgres")
        _, cost = bench.process(*command, cwd=root, env=os.environ | nowhere)
        yield step, cost
