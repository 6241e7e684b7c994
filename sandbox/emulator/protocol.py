"""The connector's protocol: who may log in, and errors that are not retried.

fakesnow accepts every login, and answers what it can't do with HTTP 500, which the
connector retries for minutes; here that is an error of the statement.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

from fakesnow import server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.emulator import session

_WRONG_PASSWORD = {
    "data": {"nextAction": "RETRY_LOGIN"},
    "code": "390100",
    "message": "Incorrect username or password was specified.",
    "success": False,
}


def app(password: str) -> Starlette:
    """fakesnow's server, which asks for that password."""

    async def login(request: Request) -> Response:
        body = await request.body()
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if not _may_enter(json.loads(body)["data"], password):
            return JSONResponse(_WRONG_PASSWORD)
        entered = json.loads((await server.login_request(request)).body)
        # Without it the connector takes the session for one that has ended.
        entered["data"]["masterToken"] = entered["data"]["token"]
        return JSONResponse(entered)

    async def end(request: Request) -> Response:
        if request.query_params.get("delete"):
            session.end(server.to_conn(server.to_token(request)))
        ended: Response = await server.session(request)
        return ended

    ours = [
        Route("/session", end, methods=["POST"]),
        Route("/session/v1/login-request", login, methods=["POST"]),
        Route("/queries/v1/query-request", _query, methods=["POST"]),
    ]
    return Starlette(routes=[*ours, *server.routes])


async def _query(request: Request) -> Response:
    try:
        response: Response = await server.query_request(request)
    except Exception as error:
        return _failed(f"{type(error).__name__}: {error}")
    if response.status_code < 500:
        return response
    return _failed(json.loads(bytes(response.body))["message"])


def _may_enter(login: dict[str, Any], password: str) -> bool:
    # The signature of a key pair is not checked.
    if login.get("AUTHENTICATOR") == "SNOWFLAKE_JWT":
        return bool(login.get("TOKEN"))
    return bool(login.get("PASSWORD") == password)


def _failed(message: str) -> Response:
    return JSONResponse(
        {
            "data": {"errorCode": "000603", "sqlState": "XX000"},
            "code": "000603",
            "message": f"emulator: {message}",
            "success": False,
        }
    )
