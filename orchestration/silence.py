"""A read time-out for DuckDB, which has none for a source.

A source that accepts connections and then stays silent, because it is stopped or its
host vanished, would block forever. So the sockets of this process to sources are
checked from time to time, and those that received nothing for too long are shut: the
read fails as on any lost connection.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct
import termios
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ingest import settings
from ingest.seed.metadata import Source

# Where struct tcp_info has the milliseconds since data were sent, acknowledged and
# received.
_LAST = 44


@contextmanager
def bounded(sources: Iterable[Source]) -> Iterator[None]:
    """Within the block no source may stay silent for longer than `timeout_seconds`."""
    limit = settings.timeout_seconds()
    urls = [settings.source_url(source) for source in sources]
    places = {
        place for url in urls if url.port for place in _places(url.host, url.port)
    }
    # A long statement of the warehouse is silent, and its server may be a source, too.
    warehouse = settings.warehouse()
    places -= _places(warehouse["host"], warehouse["port"])
    over = threading.Event()

    def watch() -> None:
        while not over.wait(min(limit / 4, 5.0) or 1.0):
            _shut_silent(places, limit)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _places(host: str, port: int | str) -> set[tuple[Any, ...]]:
    """The addresses of a server; none where its name has none."""
    with suppress(OSError):
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return {entry[4][:2] for entry in found}
    return set()


def _shut_silent(places: set[tuple[Any, ...]], limit: float) -> None:
    for name in os.listdir("/proc/self/fd"):
        # A socket without a peer, or one that was closed meanwhile, raises.
        with suppress(OSError), _own(int(name)) as end:
            if end.getpeername()[:2] in places and _silent_seconds(end) > limit:
                end.shutdown(socket.SHUT_RDWR)


def _own(number: int) -> socket.socket:
    """A socket object for that descriptor; OSError if it is not a socket."""
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
    copy = os.dup(number)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def _silent_seconds(end: socket.socket) -> float:
    """For how long a connection whose data are all read has been silent."""
    if any(fcntl.ioctl(end, termios.FIONREAD, bytes(4))):
        return 0.0
    info = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 56)
    sent, _, received = struct.unpack_from("=3I", info, _LAST)
    return float(min(sent, received)) / 1000
