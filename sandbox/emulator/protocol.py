"""The connector's protocol: who may log in, and errors that are not retried."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_WRONG_PASSWORD = {
    "data": {"nextAction": "RETRY_LOGIN"},
    "code": "390100",
    "message": "Incorrect username or password was specified.",
    "success": False,
}


class Protocol:
    """Middleware of fakesnow's server.

    fakesnow accepts every login, and answers what it can't do with HTTP 500, which the
    connector retries for minutes; here that is an error of the statement.
    """

    def __init__(self, app: Any, password: str) -> None:
        self._app = app
        self._password = password

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"].endswith("/login-request"):
            body = await _body(receive)
            if not self._may_enter(scope, body):
                await _answer(send, 200, _WRONG_PASSWORD)
                return
            receive = _again(body, receive)
        status: Message = {}
        content = bytearray()

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                status.update(message)
                return
            content.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            if status["status"] >= 500:
                await _answer(send, 200, _failed(bytes(content)))
            else:
                await send(status)
                await send({"type": "http.response.body", "body": bytes(content)})

        try:
            await self._app(scope, receive, collect)
        except Exception:
            # Starlette raises again what it has answered.
            if not content:
                raise

    def _may_enter(self, scope: Message, body: bytes) -> bool:
        if not self._password:
            return True
        if (b"content-encoding", b"gzip") in scope["headers"]:
            body = gzip.decompress(body)
        data = json.loads(body)["data"]
        # The signature of a key pair is not checked.
        if data.get("AUTHENTICATOR") == "SNOWFLAKE_JWT":
            return bool(data.get("TOKEN"))
        return bool(data.get("PASSWORD") == self._password)


def _failed(content: bytes) -> Message:
    try:
        said = json.loads(content).get("message")
    except ValueError:
        said = content.decode(errors="replace")[:2000]
    return {
        "data": {"errorCode": "000603", "sqlState": "XX000"},
        "code": "000603",
        "message": f"emulator: {said}",
        "success": False,
    }


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body.extend(message.get("body", b""))
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read already."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _answer(send: Send, status: int, content: Message) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})
