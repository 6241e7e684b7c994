"""Bench discovery: from a database of many tables to a parsed dbt project.

Tables of ten columns that refer to each other, on a MariaDB of the benchmark's own,
and a copy of the project without the demo's tables. What is timed are discovery,
generation, and dbt's parse: of a new project, and of one that has not changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ingest import demo, embedded, generate, metadata, settings
from ingest import discover as discovery
from ingest.bench import HOME, servers
from ingest.demo import leave

Report = Callable[[str], None]
# Seconds for 500 tables.
LIMITS = {"discover": 20.0, "generate": 10.0, "parse": 120.0, "unchanged parse": 15.0}
_ROWS = 20
_COPIED = (
    "analyses",
    "dbt_packages",
    "ingest",
    "macros",
    "models",
    "packages",
    "seeds",
    "snapshots",
    "tests/data",
    "dbt_project.yml",
    "packages.yml",
    "package-lock.yml",
    "profiles.yml",
)


def run(tables: int, report: Report) -> dict[str, float]:
    """Seconds of each step for a database of so many tables."""
    with servers(report, ["mariadb"]) as home:
        report(f"creating {tables} tables")
        _create(tables)
        root = home / "project"
        _copy(root)
        seconds = _measure(root, report)
        assert len(metadata.load(root)) == tables
        return seconds


def lines(tables: int, seconds: dict[str, float]) -> Iterator[str]:
    """Figures and goals, for a person."""
    yield f"{tables} tables"
    for step, took in seconds.items():
        goal = LIMITS[step] * tables / 500
        verdict = "reached" if took <= goal else "missed"
        yield f"{step:16} {took:7.1f} s   {verdict}: at most {goal:.0f} s"


def as_json(tables: int, seconds: dict[str, float]) -> dict[str, Any]:
    """All figures, for a script."""
    return {"tables": tables, "seconds": seconds, "limits_at_500": LIMITS}


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


def _copy(root: Path) -> None:
    """The project without the demo's tables and what stands on them."""
    for name in _COPIED:
        source, target = settings.ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    leave.leave(root)


def _measure(root: Path, report: Report) -> dict[str, float]:
    seconds: dict[str, float] = {}

    def timed(step: str, action: Callable[[], object]) -> None:
        report(step)
        started = time.monotonic()
        action()
        seconds[step] = time.monotonic() - started

    timed("discover", lambda: discovery.discover(root, "shop", ()))
    timed("generate", lambda: _generate(root))
    timed("parse", lambda: _parse(root))
    timed("unchanged parse", lambda: _parse(root))
    return seconds


def _generate(root: Path) -> None:
    generate.apply(root, generate.plan(root, metadata.load(root)))


def _parse(root: Path) -> None:
    """`dbt parse` as a process of its own; it connects to nothing."""
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
