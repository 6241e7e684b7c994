"""Endpoints on this machine, which take what the channels send and keep it."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """What came: JSON bodies by path, and mails as text."""

    posts: list[tuple[str, Any]] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)


@contextmanager
def listening(status: int = 200) -> Iterator[tuple[Received, dict[str, str]]]:
    """Listen as Slack, PagerDuty and a mail server; with the variables for them.

    HTTP requests are answered with `status`.
    """
    received = Received()

    class Web(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.posts.append((self.path, json.loads(body)))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *words: object) -> None:
            """Not logged: what came is in `received`."""

    class Mail(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                word = line[:4].upper().strip()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    text = b""
                    while (line := self.rfile.readline()) != b".\r\n":
                        text += line
                    received.mails.append(text.decode())
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
                if word == b"QUIT":
                    return

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Web) as web,
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail) as mail,
    ):
        for server in (web, mail):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{web.server_address[1]}"
        try:
            yield (
                received,
                {
                    "SEEDBED_SLACK_WEBHOOK_URL": f"{here}/slack",
                    "SEEDBED_PAGERDUTY_URL": f"{here}/pagerduty",
                    "SEEDBED_PAGERDUTY_KEY": "test",
                    "SEEDBED_MAIL_URL": f"smtp://127.0.0.1:{mail.server_address[1]}",
                    "SEEDBED_MAIL_TO": "you@localhost",
                },
            )
        finally:
            web.shutdown()
            mail.shutdown()
