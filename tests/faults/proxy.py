"""A TCP proxy before one server, which cuts, slows or answers when told."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.clone import Clone

HOST = "127.0.0.1"
VARIABLES = {
    "shop": "SHOP_URL",
    "crm": "CRM_URL",
    "warehouse": "PGPORT",
    "lake": "AWS_ENDPOINT_URL_S3",
}


def refusal(status: str, code: str) -> bytes:
    """An S3 store's answer of that HTTP status and error code, as bytes."""
    body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\n"
    return (
        f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
    )


@dataclass
class _Trigger:
    """What happens once so many more bytes have gone one way."""

    sent: bool
    left: int
    action: Callable[[], None]


class Proxy:
    """Passes connections on to a server of this machine, until told otherwise.

    `env` are the variables that lead a run through the proxy; `sent` and `received`
    count the bytes to and from the server, `connections` those that were opened.
    `delay` seconds pass before each piece.
    """

    def __init__(self, port: int, variable: str, value: str) -> None:
        self._target = port
        self._listener = socket.create_server((HOST, 0))
        own = str(self._listener.getsockname()[1])
        self.env = {variable: re.sub(rf"(?<!\d){port}(?!\d)", own, value)}
        self.delay = 0.0
        self.sent = 0
        self.received = 0
        self.connections = 0
        self._answers: list[bytes] = []
        self._for_ever = b""
        self._trigger: _Trigger | None = None
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    # -- what a test tells it --------------------------------------------------
    def after(
        self, action: Callable[[], None], *, sent: int = 0, received: int = 0
    ) -> None:
        """Do `action` once, when so many more bytes have gone to or from the server.

        It happens before the piece that holds the last of them is passed on.
        """
        self._trigger = _Trigger(bool(sent), sent or received, action)

    def die(self) -> None:
        """Reset all connections and refuse new ones."""
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Reset all connections that are open."""
        with self._guard:
            for end in self._open:
                # Zero seconds to linger: a reset instead of a goodbye.
                with suppress(OSError):
                    end.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            self._open.clear()

    def answer(self, what: bytes, times: int | None = None) -> None:
        """Answer new connections with `what` in the server's place; None: all."""
        if times is None:
            self._for_ever = what
        else:
            self._answers += [what] * times

    @property
    def unanswered(self) -> int:
        """How many of the answers nobody asked for yet."""
        return len(self._answers)

    # -- how it does so --------------------------------------------------------
    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._guard:
            answer = self._answers.pop() if self._answers else self._for_ever
        if answer:
            with client, suppress(OSError):
                _read_request(client)
                client.sendall(answer)
            return
        try:
            server = socket.create_connection((HOST, self._target))
        except OSError:
            client.close()
            return
        with self._guard:
            self._open |= {client, server}
        for ends in ((client, server, False), (server, client, True)):
            threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(
        self, source: socket.socket, target: socket.socket, from_server: bool
    ) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                if self.delay:
                    time.sleep(self.delay)
                self._count(len(piece), sent=not from_server)
                target.sendall(piece)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _count(self, size: int, sent: bool) -> None:
        action = None
        with self._guard:
            if sent:
                self.sent += size
            else:
                self.received += size
            if self._trigger and self._trigger.sent == sent:
                self._trigger.left -= size
                if self._trigger.left <= 0:
                    action, self._trigger = self._trigger.action, None
        if action:
            action()


def _read_request(client: socket.socket) -> None:
    """Take in one HTTP request, so that its sender reads the answer."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = client.recv(65536)
        if not piece:
            return
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    if b"100-continue" in head.lower():
        return  # the body waits for leave, which is not given
    length = re.search(rb"content-length: *(\d+)", head.lower())
    missing = (int(length[1]) if length else 0) - len(body)
    while missing > 0 and (piece := client.recv(65536)):
        missing -= len(piece)


@contextmanager
def before(clone: Clone, server: str) -> Iterator[Proxy]:
    """A proxy before the clone's shop, crm, warehouse or lake."""
    variable = VARIABLES[server]
    value = clone.env[variable]
    found = re.search(r"(?:^|127\.0\.0\.1:)(\d+)", value)
    assert found, variable
    proxy = Proxy(int(found[1]), variable, value)
    try:
        yield proxy
    finally:
        proxy.die()
