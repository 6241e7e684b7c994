"""Bench discovery: from a database of many tables to a parsed dbt project.

Tables of ten columns that refer to each other, on a separate MariaDB, and a copy of the
project without the demo's tables. It times discovery, generation, and dbt's parse: of a
new project, and of an unchanged one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.seed import discover as discovery
from ingest.seed import generate, metadata
from sandbox import demo
from sandbox import servers as embedded
from sandbox.bench import HOME, Goal, Report, copy_project, servers
from sandbox.demo import leave

# Seconds for 500 tables.
LIMITS = {"discover": 20.0, "generate": 10.0, "parse": 120.0, "unchanged parse": 15.0}
_ROWS = 20


@dataclass
class Outcome:
    """Seconds of each step for a database of `tables` tables."""

    tables: int
    seconds: dict[str, float] = field(default_factory=dict)


def run(tables: int, report: Report) -> Outcome:
    """Measure each step for a database of `tables` tables."""
    with servers(report, ["mariadb"]) as home:
        report(f"creating {tables} tables")
        _create(tables)
        root = home / "project"
        root.mkdir()
        copy_project(root)
        leave.leave(root)
        outcome = Outcome(tables)
        _measure(root, outcome.seconds, report)
        assert len(metadata.load(root)) == tables
        return outcome


def lines(outcome: Outcome) -> Iterator[str]:
    """Figures and goals, for a person."""
    yield f"{outcome.tables} tables"
    for step, took in outcome.seconds.items():
        goal = Goal(step, took, LIMITS[step] * outcome.tables / 500)
        yield f"{step:16} {took:7.1f} s   {goal.verdict}: at most {goal.limit:.0f} s"


def as_json(outcome: Outcome) -> dict[str, Any]:
    """All figures, for a script."""
    return {**vars(outcome), "limits_at_500": LIMITS}


def _create(tables: int) -> None:
    with demo.connect(embedded.admin_url(HOME)) as cursor:
        cursor.execute("use shop")
        for number in range(tables):
            parent = f"t{number // 2:04}"
            reference = (
                f", foreign key (parent_id) references {parent} (id)" if number else ""
            )
            cursor.execute(
                f"create table t{number:04} ("
                "id bigint unsigned not null auto_increment primary key, "
                "parent_id bigint unsigned, name varchar(120) not null, "
                "email varchar(255), status enum('new', 'open', 'closed') not null, "
                "amount decimal(12, 2) not null, quantity int not null, "
                "active tinyint(1) not null default 1, created_at datetime not null, "
                "updated_at datetime(6) not null default current_timestamp(6) "
                f"on update current_timestamp(6){reference}) comment 'Table {number}'"
            )
            cursor.execute(
                f"insert into t{number:04} (parent_id, name, email, status, "
                "amount, quantity, created_at) select null, concat('name ', seq), "
                "concat('a', seq, '@example.org'), 'open', seq, seq, now() "
                f"from seq_1_to_{_ROWS}"
            )


def _measure(root: Path, seconds: dict[str, float], report: Report) -> None:
    def timed(step: str, action: Callable[[], object]) -> None:
        report(step)
        started = time.monotonic()
        action()
        seconds[step] = time.monotonic() - started

    timed("discover", lambda: discovery.discover(root, "shop", ()))
    timed("generate", lambda: _generate(root))
    timed("parse", lambda: _parse(root))
    timed("unchanged parse", lambda: _parse(root))


def _generate(root: Path) -> None:
    generate.apply(root, generate.plan(root, metadata.load(root)))


def _parse(root: Path) -> None:
    """`dbt parse` as a separate process; it connects to nothing."""
    nowhere = dict.fromkeys(("PGHOST", "PGUSER", "PGPASSWORD"), "nobody")
    done = subprocess.run(
        [Path(sys.executable).with_name("dbt"), "parse", "--target", "postgres"],
        cwd=root,
        env=os.environ | nowhere | {"PGDATABASE": "nothing", "PGPORT": "5432"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:])
