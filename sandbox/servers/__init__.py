"""Real servers for a machine without Docker: Postgres, MariaDB and an S3 store.

All on loopback, with their own passwords and ports, under `.seedbed/`.
"""

import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ingest.errors import ConfigurationError, SeedbedError, ServiceError
from sandbox.servers.doctor import Finding, doctor
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.postgres import Postgres, binaries
from sandbox.servers.process import Report, alive
from sandbox.servers.service import Service, ServiceStatus, Stack
from sandbox.servers.snowflake import Snowflake
from sandbox.servers.store import Store

__all__ = [
    "Finding",
    "ServiceStatus",
    "admin_url",
    "binaries",
    "doctor",
    "down",
    "environment",
    "status",
    "up",
    "wipe",
]

SERVICES = tuple(s.name for s in (Postgres, MariaDB, Store))
# The emulator is started on request only, after the store that it reads.
_SERVICES: dict[str, type[Service]] = {
    s.name: s for s in (Postgres, MariaDB, Store, Snowflake)
}


def up(
    root: Path, report: Report, services: Iterable[str] = SERVICES
) -> dict[str, str]:
    """Start the servers that do not run, and return their variables.

    May be called at any time, also concurrently. If one server fails, the others stay
    up. Raises ServiceError with what failed.
    """
    stack = Stack(root)
    chosen = list(services)
    if unknown := sorted(set(chosen) - set(_SERVICES)):
        raise ConfigurationError(
            f"there is no embedded service {unknown[0]!r}.",
            f"The services are: {', '.join(_SERVICES)}.",
        )
    with stack.locked(report):
        servers = [_SERVICES[name](stack, report) for name in chosen]
        _all(servers, "start")
    return environment(root)


def down(root: Path, report: Report) -> None:
    """Stop all servers cleanly; those that do not run are skipped."""
    stack = Stack(root)
    if not stack.home.exists():
        return
    with stack.locked(report):
        _all([service(stack, report) for service in _SERVICES.values()], "stop")


def _all(servers: list[Service], action: str) -> None:
    """Do the action for all servers at once, then raise what went wrong."""
    with ThreadPoolExecutor(len(SERVICES)) as pool:
        futures = [pool.submit(getattr(server, action)) for server in servers]
    faults = [f.exception() for f in futures if f.exception() is not None]
    if not faults:
        return
    if len(faults) > 1 and all(isinstance(fault, SeedbedError) for fault in faults):
        raise ServiceError("\n".join(map(str, faults)))
    raise faults[0] or RuntimeError(action)


def environment(root: Path, services: Iterable[str] = SERVICES) -> dict[str, str]:
    """The variables of the servers that run; none for those that do not."""
    stack = Stack(root)
    variables: dict[str, str] = {}
    for service in (_SERVICES[name](stack) for name in services):
        if service.running():
            variables |= service.environment(service.state())
    return variables


def status(root: Path) -> list[ServiceStatus]:
    """Each server as it is now, in the order of their start."""
    stack = Stack(root)
    return [service(stack).status() for service in _SERVICES.values()]


def admin_url(root: Path) -> str:
    """mysql:// URL of the demo's writer, with all rights on shop and crm."""
    server = MariaDB(Stack(root))
    if not server.running():
        raise ServiceError("MariaDB does not run.", "Start it with `./seedbed up`.")
    return server.admin_url()


def wipe(root: Path, report: Report) -> None:
    """Delete the servers' data, the lake and their state."""
    stack = Stack(root)
    with stack.locked(report):
        for service in (kind(stack) for kind in _SERVICES.values()):
            if alive(service.pid_file):
                raise ServiceError(
                    f"{service.title} still runs.", "Stop it with `./seedbed down`."
                )
        for folder in (
            *(f"{name}/data" for name in _SERVICES),
            *("lake", "state", "spill"),
        ):
            shutil.rmtree(stack.home / folder, ignore_errors=True)
    report("deleted the data of the embedded servers")
