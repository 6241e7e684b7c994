"""Checks of this machine and this clone, and what to type."""

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import SeedbedError
from sandbox.servers.mariadb import WAYS_OUT, MariaDB, on_path
from sandbox.servers.postgres import Postgres, binaries
from sandbox.servers.process import log_tail
from sandbox.servers.service import Service, Stack
from sandbox.servers.store import Store

_DISK_GB = 3


@dataclass(frozen=True)
class Finding:
    """One check: whether it passed, what was found, what to type if not."""

    ok: bool
    what: str
    fix: str = ""


def doctor(root: Path) -> list[Finding]:
    """Run all checks; changes nothing but the folder `.seedbed` itself."""
    stack = Stack(root)
    found = [*_machine(stack), *_packages(stack.root)]
    try:
        stack.prepare()
        found += map(_health, (Postgres(stack), MariaDB(stack), Store(stack)))
        found += _folders(stack)
    except (SeedbedError, OSError) as error:
        found.append(_unusable(f"the folder {stack.home} is unusable", error))
    return found


def _unusable(what: str, error: Exception) -> Finding:
    return Finding(False, what, str(error).replace("\nhint: ", " "))


def _machine(stack: Stack) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] < (3, 13)
    yield Finding(fits, f"Python {version}", "install Python 3.12, delete .venv")
    uv = shutil.which("uv") or shutil.which(stack.home / "bin" / "uv")
    yield Finding(True, f"uv: {uv or 'none; ./seedbed installs it when it needs it'}")
    free = shutil.disk_usage(stack.root).free / 1e9
    what = f"{free:.0f} GB of disk free, {_DISK_GB} wanted"
    fix = f"free some space on the disk of {stack.root}"
    yield Finding(free >= _DISK_GB, what, fix)
    try:
        version = Postgres(stack).program_version()
        yield Finding(True, f"Postgres {version} in {binaries()}")
    except (SeedbedError, OSError) as error:
        yield _unusable("the Postgres programs do not run", error)
    server = MariaDB(stack).server()
    apt = shutil.which("apt-get") and shutil.which("dpkg")
    source = "from apt, on the first ./seedbed up" if apt else "not available"
    found = server.exists()
    what = f"MariaDB: {server if found else source}"
    yield Finding(found or bool(apt), what, WAYS_OUT)
    docker = shutil.which("docker")
    note = f"{docker} (docker compose up works, too)" if docker else "none, not needed"
    yield Finding(True, f"docker: {note}")


def _packages(root: Path) -> Iterator[Finding]:
    lock = root / "package-lock.yml"
    if not lock.exists():
        return
    wanted = len(re.findall(r"^\s*- ", lock.read_text(), re.MULTILINE))
    folder = root / "dbt_packages"
    have = sum(p.is_dir() for p in folder.iterdir()) if folder.is_dir() else 0
    what = f"{have} of {wanted} dbt packages"
    yield Finding(have == wanted, what, ".venv/bin/dbt deps")


def _health(service: Service) -> Finding:
    pid = service.pid
    if service.running:
        name = f"{service.title} {service.version}"
        return Finding(True, f"{name} runs on port {service.port} (pid {pid})")
    if pid:
        what = f"{service.title} (pid {pid}) does not answer; see {service.log}"
        return Finding(False, what, "./seedbed down, then ./seedbed up")
    if service.pid_file.exists():
        what = f"{service.title} died; its log ends:\n{log_tail(service.log)}"
        return Finding(False, what, "./seedbed up")
    return Finding(True, f"{service.title} is not started (./seedbed up)")


def _folders(stack: Stack) -> Iterator[Finding]:
    for service in (Postgres(stack), MariaDB(stack), Store(stack)):
        runtime = service.runtime
        who = runtime.account.pw_name if runtime.account else "you"
        how = ", through a private mount" if runtime.shown else ""
        yield Finding(True, f"{service.title} runs as {who} in {service.folder}{how}")
    leftover = stack.home / "mariadb" / "download"
    if on_path() is None and leftover.exists():
        yield Finding(False, f"an unfinished download in {leftover}", "./seedbed up")
