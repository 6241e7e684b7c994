"""What an account refuses and no emulator does: told once, with what to do.

The connector is the real one. The account is played by a server that gives the
answers which Snowflake documents; how a real one words them was not tried.
"""

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from ingest.errors import ServiceError
from orchestration import snowflake

WELCOME = {
    "success": True,
    "code": None,
    "message": None,
    "data": {
        "token": "t",
        "masterToken": "m",
        "validityInSeconds": 3600,
        "masterValidityInSeconds": 14400,
        "sessionId": 1,
        "parameters": [],
        "sessionInfo": {},
    },
}


def refusal(code: str, state: str, message: str) -> dict[str, Any]:
    """An answer of Snowflake's that says no."""
    data = {"sqlState": state, "queryId": "01b2c3d4-0000-1111-0000-000000000001"}
    return {"success": False, "code": code, "message": message, "data": data}


class Account(ThreadingHTTPServer):
    """An account that answers log-ins and statements as told, and counts them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.login: dict[str, Any] = WELCOME
        self.statement: dict[str, Any] = {}
        self.asked: list[str] = []


class Answers(BaseHTTPRequestHandler):
    """One request of the connector's."""

    server: Account

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            sent = gzip.decompress(sent)
        path = self.path.split("?")[0]
        answer: dict[str, Any] = {"success": True, "data": None}
        if path == "/session/v1/login-request":
            answer = self.server.login
            self.server.asked.append("log in")
        elif path == "/queries/v1/query-request":
            answer = self.server.statement
            self.server.asked.append(json.loads(sent)["sqlText"])
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with Account() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for name, value in {
            "SNOWFLAKE_ACCOUNT": "myorg-mine",
            "SNOWFLAKE_USER": "ada",
            "SNOWFLAKE_PASSWORD": "a secret of hers",
            "SNOWFLAKE_HOST": "127.0.0.1",
            "SNOWFLAKE_PORT": str(server.server_port),
            "SNOWFLAKE_PROTOCOL": "http",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("SNOWFLAKE_PRIVATE_KEY_PATH", "SNOWFLAKE_ROLE"):
            monkeypatch.delenv(name, raising=False)
        yield server
        server.shutdown()


def told(account: Account, what: str) -> str:
    """What a person reads; what was refused was asked once."""
    with pytest.raises(ServiceError) as caught, snowflake.connect() as there:
        there.cursor().execute("select 1")
    assert account.asked.count(what) == 1, account.asked
    # The connector itself takes back what a session left open.
    assert {*account.asked} <= {"log in", "select 1", "ROLLBACK"}
    assert caught.value.exit_code == 3
    text = str(caught.value)
    assert "\n" not in text
    assert "snowflake, account myorg-mine, refused user ada: " in text
    assert "a secret of hers" not in text
    assert "`./seedbed publish` goes on from there." in text
    return text


@pytest.mark.parametrize(
    ("code", "message", "remedy"),
    [
        ("390100", "Incorrect username or password was specified.", "_PASSWORD"),
        ("390106", "Specified password has expired.", "log in to Snowflake's web page"),
        ("390144", "JWT token is invalid.", "RSA_PUBLIC_KEY_FP"),
        ("390189", "Role 'NOBODY' specified in the connect string is not granted to "
         "this user.", "Check SNOWFLAKE_ROLE"),
    ],
)  # fmt: skip
def test_a_log_in_that_is_refused_is_reported_once(
    account: Account, code: str, message: str, remedy: str
) -> None:
    account.login = refusal(code, "08001", message)
    text = told(account, "log in")
    assert message.rstrip(".") in text
    assert remedy in text


@pytest.mark.parametrize(
    ("code", "state", "message", "remedy"),
    [
        ("003001", "42501", "SQL access control error:\nInsufficient privileges to "
         "operate on schema 'AUDIT'.", "lacks a right; `./seedbed snowflake plan`"),
        ("002003", "02000", "SQL compilation error:\nDatabase 'SEEDBED' does not exist "
         "or not authorized.", "Check SNOWFLAKE_DATABASE and the rights"),
        ("000606", "57P03", "No active warehouse selected in the current session.  "
         "Select an active warehouse with the 'use warehouse' command.\n",
         "ALTER WAREHOUSE … RESUME"),
        ("090073", "22000", "Warehouse 'SEEDBED_LOAD' cannot be resumed because "
         "resource monitor 'SEEDBED' has exceeded its quota.",
         "raise its resource monitor's limit"),
    ],
)  # fmt: skip
def test_a_statement_that_is_refused_is_reported_whole_and_once(
    account: Account, code: str, state: str, message: str, remedy: str
) -> None:
    account.statement = refusal(code, state, message)
    text = told(account, "select 1")
    assert " ".join(message.split()).rstrip(".") in text
    assert remedy in text


def test_what_dbt_passes_on_has_the_same_remedy() -> None:
    told = "Database Error 000606 (57P03): No active warehouse selected"
    assert "ALTER WAREHOUSE … RESUME" in snowflake.remedy(told)
    assert snowflake.remedy("Compilation Error in macro 0") == "Fix the cause"
