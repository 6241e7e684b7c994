"""Airflow beside the clone that all tests share, with a home made once."""

import json
import os
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestration.cli import airflow as command
from sandbox import servers as embedded
from tests.clone import Clone, neutral_environment

# Where Airflow writes when it is imported here, rather than beneath the person's home.
_HOME = tempfile.TemporaryDirectory(prefix="seedbed-airflow-")
os.environ["AIRFLOW_HOME"] = _HOME.name

# Seconds before a task that failed is tried again. Long enough, doubled twice, for
# a table that another run works on to be free.
PAUSE = 5


class Airflow:
    """`airflow` as `./seedbed airflow` starts it, on the servers of a clone."""

    def __init__(self, clone: Clone) -> None:
        self.clone = clone
        own = neutral_environment() | clone.env
        own |= {"SEEDBED_EMBEDDED": " ".join(embedded.SERVICES)}
        retry = {"AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": str(PAUSE)}
        self.env = own | command.environment(clone.root) | retry
        self.home = Path(self.env["AIRFLOW_HOME"])

    def start(self, *words: str, log: Path, **env: str) -> subprocess.Popen[bytes]:
        """`airflow WORDS`, its output in `log`."""
        program = self.clone.root / ".venv" / "bin" / "airflow"
        with log.open("w") as out:
            return subprocess.Popen(
                [str(program), *words],
                cwd=self.clone.root,
                env=os.environ | self.env | env,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def call(self, *words: str) -> tuple[int, str]:
        """Exit code and output of `airflow WORDS`."""
        log = self.home / "call.log"
        code = self.start(*words, log=log).wait(timeout=600)
        return code, log.read_text(errors="replace")

    def run(self, dag: str, **conf: str) -> tuple[int, str]:
        """`airflow dags test`: each task of the DAG, for real, in one process."""
        words = ("--conf", json.dumps(conf)) if conf else ()
        return self.call("dags", "test", dag, *words)

    def query(self, text: str, *values: object) -> list[Any]:
        """Rows of Airflow's own database."""
        with sqlite3.connect(self.home / "airflow.db") as connection:
            return connection.execute(text, values).fetchall()

    def change(self, text: str) -> None:
        """Change Airflow's own database."""
        with sqlite3.connect(self.home / "airflow.db", timeout=30) as connection:
            connection.execute(text)

    def states(self, dag: str) -> dict[str, set[str]]:
        """States of the newest run's tasks: `task` or `task table`."""
        rows = self.query(
            "select task_id, rendered_map_index, state from task_instance "
            "where dag_id = ? and run_id = (select run_id from dag_run "
            "where dag_id = ? order by id desc limit 1)",
            dag,
            dag,
        )
        found: dict[str, set[str]] = {}
        for task, rendered, state in rows:
            found.setdefault(f"{task} {rendered or ''}".strip(), set()).add(state)
        return found


def until(condition: Callable[[], bool], seconds: float = 240) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)


@pytest.fixture(scope="session")
def airflow(stack: Clone) -> Airflow:
    """Airflow with a database that knows the DAGs, and no run."""
    found = Airflow(stack)
    found.home.mkdir(parents=True)
    for words in (("db", "migrate"), ("dags", "reserialize")):
        code, said = found.call(*words)
        assert code == 0, said
    return found
