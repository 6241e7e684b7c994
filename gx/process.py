"""The process that runs Great Expectations: started early, asked table by table.

It is one process for all tables, kept for the next run of this one. Great Expectations
takes seconds to import, so the process is started when the first rows are read, and is
ready by the time that they are loaded. If it dies or falls silent, the table that it
was asked about fails, and the next one gets a new process.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ingest import settings, stop
from ingest.errors import SeedbedError

# A module, so that it finds the same code as this one.
PROGRAM = ("-m", "gx.checks")


class GateError(SeedbedError):
    """The gate could not check a batch."""


class _Process:
    """A running program and its output, one JSON object per line."""

    def __init__(self) -> None:
        log = settings.ROOT / ".seedbed" / "log"
        log.mkdir(parents=True, exist_ok=True)
        self.log = log / "gate.log"
        with self.log.open("w") as errors:
            self.program = subprocess.Popen(
                [sys.executable, *PROGRAM],
                cwd=Path(__file__).parents[1],
                env=os.environ | {"GX_ANALYTICS_ENABLED": "false"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                # A signal from the terminal is handled by this process.
                start_new_session=True,
            )
        self.replies: queue.Queue[str] = queue.Queue()
        self.asked = 0
        self.unread = 0  # replies that are not waited for
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.program.stdout
        with contextlib.suppress(ValueError, OSError):
            for line in self.program.stdout:
                self.replies.put(line)
        self.replies.put("")

    def send(self, request: dict[str, Any]) -> None:
        assert self.program.stdin
        self.asked += 1
        try:
            self.program.stdin.write(json.dumps(request) + "\n")
            self.program.stdin.flush()
        except (OSError, ValueError):
            raise GateError(self._ended()) from None

    def reply(self, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            stop.check()
            try:
                line = self.replies.get(timeout=0.2)
            except queue.Empty:
                continue
            if not line:
                raise GateError(self._ended())
            if self.unread:
                self.unread -= 1
                continue
            found: dict[str, Any] = json.loads(line)
            return found
        raise GateError(f"its checks took longer than {seconds:,.0f} seconds")

    def _ended(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.program.wait(5)
        code = self.program.returncode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit {code}"
        return f"the gate's process ended ({how}), see {self.log}"

    def end(self) -> None:
        if self.program.stdin:
            with contextlib.suppress(OSError):
                self.program.stdin.close()
        self.program.kill()
        self.program.wait()


_lock = threading.Lock()
_running: _Process | None = None


def start() -> None:
    """Start the process unless it runs, and don't wait for it."""
    global _running
    with _lock:
        if _running is None or _running.program.poll() is not None:
            _running = _Process()


def is_starting() -> bool:
    """Whether it runs and had no request yet."""
    return _running is not None and _running.asked == 0


def pid() -> int:
    """The number of the process, which runs."""
    assert _running
    return _running.program.pid


def ask(request: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Its reply to a request; GateError if it dies, or is silent for that long."""
    start()
    process = _running
    assert process
    try:
        process.send(request)
        return process.reply(seconds)
    except BaseException:
        end()
        raise


def tell(request: dict[str, Any]) -> None:
    """Send a request without waiting for the reply, if it runs."""
    process = _running
    if process and process.asked:
        with contextlib.suppress(GateError):
            process.send(request)
            process.unread += 1


def finish(seconds: float) -> None:
    """Wait until it has done all requests, if it runs; GateError as of `ask`."""
    if _running and _running.unread:
        ask({"do": "nothing"}, seconds)


@atexit.register
def end() -> None:
    """End it; no batch depends on it."""
    global _running
    if _running:
        _running.end()
        _running = None
