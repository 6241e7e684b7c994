"""A clean stop: a signal ends what is under way, and the run is closed."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

requested = threading.Event()
_number = signal.SIGINT


class Stopped(KeyboardInterrupt):
    """SIGINT or SIGTERM came. A KeyboardInterrupt, because dbt ends well on that."""

    def __str__(self) -> str:
        return (
            f"stopped by signal {_number.name}. What was under way was rolled back; "
            "run again, nothing was lost."
        )

    @property
    def exit_code(self) -> int:
        """128 + the signal's number, as in a shell."""
        return 128 + _number


def listen() -> None:
    """From now on SIGINT and SIGTERM raise Stopped in the main thread, once.

    A second signal ends the process at once, as SIGKILL would.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def check() -> None:
    """Raise Stopped if a signal came: where a library may have swallowed it."""
    if requested.is_set():
        raise Stopped


def _stop(number: int, frame: FrameType | None) -> None:
    global _number
    if requested.is_set():
        os._exit(128 + number)
    _number = signal.Signals(number)
    requested.set()
    raise Stopped
