"""A shell that has what `./seedbed env` printed, and what a person sets there since."""

import itertools
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from orchestration import packages
from orchestration.cli import common
from sandbox import servers as embedded

SERVERS = {
    "postgres": ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"),
    "mariadb": ("SHOP_URL", "CRM_URL"),
    "s3": (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"),
        *("AWS_ENDPOINT_URL_S3", "SEEDBED_LAKE"),
    ),
}
VARIABLES = [name for names in SERVERS.values() for name in names]
PLACES = {"PGHOST": "postgres", "SEEDBED_LAKE": "s3"}


class Servers:
    """The embedded servers; each start may give their variables other values."""

    def __init__(self) -> None:
        self.starts = 0
        self.asked: set[str] = set()

    def up(self, root: Path, report: object, services: Iterable[str]) -> None:
        self.asked |= {*services}

    def environment(self, root: Path, services: Iterable[str]) -> dict[str, str]:
        return {v: f"{v} {self.starts}" for name in services for v in SERVERS[name]}


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    """The servers, and a shell after `eval "$(./seedbed env)"`, restarted since."""
    servers = Servers()
    monkeypatch.setattr(embedded, "up", servers.up)
    monkeypatch.setattr(embedded, "environment", servers.environment)
    monkeypatch.setattr(packages, "install", lambda *arguments: None)
    for name in ("SEEDBED_EMBEDDED", "NO_PROXY", "SNOWFLAKE_ACCOUNT", *VARIABLES):
        monkeypatch.setenv(name, "")  # so that all are put back
        monkeypatch.delenv(name)
    common.start_services()
    servers.starts, servers.asked = 1, set()
    return servers


def shell() -> dict[str, str | None]:
    """The variables as they are now."""
    return {name: os.environ.get(name) for name in VARIABLES}


def test_what_env_printed_follows_the_servers(servers: Servers) -> None:
    common.start_services()
    assert shell() == {name: f"{name} 1" for name in VARIABLES}
    assert servers.asked == {*SERVERS}


@pytest.mark.parametrize(
    "own", [*itertools.combinations(VARIABLES, 1), ("PGUSER", "PGPASSWORD")], ids=str
)
def test_a_variable_of_one_s_own_wins(servers: Servers, own: tuple[str, ...]) -> None:
    for name in own:
        os.environ[name] = "my own"
    elsewhere = {PLACES[name] for name in own if name in PLACES}
    # What a command starts (dbt, a task) has that shell's variables, and so on.
    for _ in range(3):
        common.start_services()
        servers.starts += 1
    assert {os.environ[name] for name in own} == {"my own"}
    for server, names in SERVERS.items():
        value = 0 if server in elsewhere else 3
        for name in {*names} - {*own}:
            assert os.environ[name] == f"{name} {value}"
    # A place of one's own is another server: the embedded one is left alone.
    assert servers.asked == SERVERS.keys() - elsewhere
    embedded_now = os.environ["SEEDBED_EMBEDDED"].split()
    assert {name for name in embedded_now if name in SERVERS} == servers.asked


def test_a_password_that_was_taken_away_stays_away_from_another_user(
    servers: Servers,
) -> None:
    os.environ["PGUSER"] = "developer"
    del os.environ["PGPASSWORD"]
    common.start_services()
    assert os.environ["PGUSER"] == "developer"
    assert "PGPASSWORD" not in os.environ
    assert os.environ["PGPORT"] == "PGPORT 1"


def test_a_shell_that_never_asked_gets_the_owner_s(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEEDBED_EMBEDDED")
    for name in VARIABLES:
        monkeypatch.delenv(name)
    # Keys of another S3 are in many a shell.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of another store")
    common.start_services()
    assert shell() == {name: f"{name} 1" for name in VARIABLES}
