"""A server of a test's own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from sandbox.servers.service import Service, Stack

S = TypeVar("S", bound=Service)


@contextmanager
def running(kind: Callable[[Stack], S]) -> Iterator[S]:
    """A server that is stopped in the end, and its data deleted."""
    with TemporaryDirectory(prefix="seedbed-server-") as folder:
        Path(folder).chmod(0o755)
        stack = Stack(Path(folder))
        with stack.locked(lambda line: None):
            server = kind(stack)
            server.start()
        try:
            yield server
        finally:
            server.stop()
