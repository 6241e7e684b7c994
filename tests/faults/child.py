"""Runs in processes of their own, which a test may kill.

They are forked from a process that has everything imported and does nothing else,
so that one costs no more than what it does: no second for Python, no six for dbt.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from orchestration import runner
from tests.clone import REPOSITORY, Clone

_context = multiprocessing.get_context("forkserver")


def run(
    clone: Clone, env: Mapping[str, str], *patterns: str, **options: Any
) -> runner.Run:
    """`./seedbed run` in this process, with `env` in place of the clone's own."""
    with clone.inside(**env):
        return runner.run(clone.tables(*patterns), command="run", **options)


class Run:
    """A run that goes on in a process of its own, whose pid is known."""

    def __init__(
        self,
        clone: Clone,
        *patterns: str,
        env: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        _start_the_forkserver()
        number, name = tempfile.mkstemp(".log", "run-", clone.root / ".seedbed" / "log")
        os.close(number)
        self._log = Path(name)
        self._process = _context.Process(
            target=_main,
            args=(
                *(clone.root, clone.env, clone.gold),
                *(dict(env or {}), patterns, options, self._log),
            ),
        )
        self._process.start()
        assert self._process.pid
        self.pid = self._process.pid

    def wait(self, seconds: float = 120) -> int | None:
        """The exit code, negative for a signal; None when it runs on."""
        self._process.join(seconds)
        return self._process.exitcode

    def kill(self) -> None:
        """SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)

    def sleep(self) -> None:
        """Stop it where it is, as a machine does that is out of memory."""
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def finish(self) -> int:
        """The exit code of a run that ends by itself."""
        code = self.wait()
        if code is None:
            self.kill()
        assert code is not None, f"it hangs:\n{self.told}"
        return code

    def assert_killed(self) -> None:
        """It ends, by SIGKILL."""
        assert self.finish() == -signal.SIGKILL, self.told

    @property
    def told(self) -> str:
        """What it wrote."""
        return self._log.read_text(errors="replace")


def _start_the_forkserver() -> None:
    with pytest.MonkeyPatch.context() as patch:
        # Not every Python hands its own path on to what is imported beforehand.
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        # Who is killed leaves semaphores behind, which is then told at length.
        told = "ignore::UserWarning:multiprocessing.resource_tracker"
        patch.setenv("PYTHONWARNINGS", told)
        imported = ["tests.faults.child", "boto3.s3.transfer"]
        imported += ["dbt.cli.main", "dbt.adapters.postgres"]
        _context.set_forkserver_preload(imported)
        forkserver.ensure_running()


def _main(
    root: Path,
    found: dict[str, str],
    gold: bool,
    env: dict[str, str],
    patterns: tuple[str, ...],
    options: dict[str, Any],
    log: Path,
) -> None:
    output = os.open(log, os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    clone = Clone(root)
    clone.env, clone.gold = found, gold
    code = 1
    try:
        result = run(clone, env, *patterns, **options)
        print(*(f"{o.table.id} {o.state} {o.error or ''}" for o in result.outcomes))
        code = result.exit_code
    except BaseException as error:
        print(f"{type(error).__name__}: {error}")
        code = getattr(error, "exit_code", 1)
    finally:
        sys.stdout.flush()
        os._exit(code)
