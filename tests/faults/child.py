"""Runs in processes of their own, which a test may kill."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration import runner
from tests import forked
from tests.clone import Clone


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
        number, name = tempfile.mkstemp(".log", "run-", clone.root / ".seedbed" / "log")
        os.close(number)
        self._log = Path(name)
        self._process = forked.start(
            _main,
            *(clone.root, clone.env, clone.left_out, clone.few),
            *(dict(env or {}), patterns, options, self._log),
        )
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


def _main(
    root: Path,
    found: dict[str, str],
    left_out: str,
    few: tuple[str, ...],
    env: dict[str, str],
    patterns: tuple[str, ...],
    options: dict[str, Any],
    log: Path,
) -> None:
    forked.write_to(log)
    clone = Clone(root)
    clone.env, clone.left_out, clone.few = found, left_out, few
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
