"""Real servers for a machine without Docker: Postgres, MariaDB and an S3 store.

All on loopback, with their own passwords and ports, under `.seedbed/`.
"""

import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ingest.errors import ConfigurationError, SeedbedError, ServiceError
from sandbox.servers.doctor import Finding, doctor
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.postgres import Postgres, binaries
from sandbox.servers.process import Report
from sandbox.servers.service import Service, Stack
from sandbox.servers.snowflake import Snowflake
from sandbox.servers.store import Store

__all__ = [
    "Finding",
    "admin_url",
    "binaries",
    "doctor",
    "down",
    "environment",
    "status",
    "up",
    "wipe",
]

_KINDS: tuple[type[Service], ...] = (Postgres, MariaDB, Store, Snowflake)
_SERVICES = {kind.name: kind for kind in _KINDS}
# The emulator is started on request only, after the store that it reads.
SERVICES = tuple(_SERVICES)[:3]


def up(
    root: Path, report: Report, services: Iterable[str] = SERVICES
) -> dict[str, str]:
    """Start the servers that do not run, and return their variables.

    May be called at any time, also concurrently. If one server fails, the others stay
    up. Raises ServiceError with what failed.
    """
    stack = Stack(root)
    chosen = [*services]
    if unknown := sorted({*chosen} - _SERVICES.keys()):
        raise ConfigurationError(
            f"there is no embedded service {unknown[0]!r}.",
            f"The services are: {', '.join(_SERVICES)}.",
        )
    with stack.locked(report):
        _all([_SERVICES[name](stack, report).start for name in chosen])
    return environment(root)


def down(root: Path, report: Report) -> None:
    """Stop all servers cleanly; those that do not run are skipped."""
    stack = Stack(root)
    if not stack.home.exists():
        return
    with stack.locked(report):
        _all([kind(stack, report).stop for kind in _KINDS])


def _all(actions: list[Callable[[], None]]) -> None:
    """Do all of them at once, then raise what went wrong."""
    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(action) for action in actions]
    faults = [fault for future in futures if (fault := future.exception())]
    if len(faults) > 1 and all(isinstance(fault, SeedbedError) for fault in faults):
        raise ServiceError("\n".join(map(str, faults)))
    if faults:
        raise faults[0]


def environment(root: Path, services: Iterable[str] = SERVICES) -> dict[str, str]:
    """The variables of the servers that run; none for those that do not."""
    stack = Stack(root)
    variables: dict[str, str] = {}
    for service in (_SERVICES[name](stack) for name in services):
        if service.running:
            variables |= service.environment()
    return variables


def status(root: Path) -> list[Service]:
    """Each server, in the order of their start."""
    stack = Stack(root)
    return [kind(stack) for kind in _KINDS]


def admin_url(root: Path) -> str:
    """mysql:// URL of the demo's writer, with all rights on shop and crm."""
    server = MariaDB(Stack(root))
    if not server.running:
        raise ServiceError("MariaDB does not run.", "Start it with `./seedbed up`.")
    return server.admin_url()


def wipe(root: Path, report: Report) -> None:
    """Delete the servers' data, the lake and their state."""
    stack = Stack(root)
    with stack.locked(report):
        for service in status(root):
            if service.pid:
                raise ServiceError(
                    f"{service.title} still runs.", "Stop it with `./seedbed down`."
                )
        of_servers = (f"{name}/data" for name in _SERVICES)
        for folder in (*of_servers, "lake", "state", "spill"):
            shutil.rmtree(stack.home / folder, ignore_errors=True)
    report("deleted the data of the embedded servers")
