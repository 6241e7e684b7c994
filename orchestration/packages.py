"""The dbt packages this project builds on: the hub's, else its own stand-ins.

`dbt_packages/` is replaced as a whole, by a rename: it always holds one kind of
package, and an install that is killed leaves it as it was, or absent.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml

from ingest.errors import ConfigurationError, ServiceError

INSTALLED = "dbt_packages"
STAND_INS = "packages"
LOCK = "package-lock.yml"
SCRATCH = ".dbt_packages.tmp"
STAMP = ".installed"
PUBLIC_HUB = "https://hub.getdbt.com/"
PROBE_SECONDS = 3
DEPS_SECONDS = 120

Kind = Literal["hub", "stand-in"]


def which(root: Path) -> Kind | Literal["missing"]:
    """The kind of packages the project at `root` would build with now.

    "missing" also where they are incomplete, or not those of the present lock.
    """
    installed = root / INSTALLED
    found = {
        file.parent.name: file.read_text()
        for file in installed.glob("*/dbt_project.yml")
    }
    names = {path.name for path in installed.glob("*/")}
    if not found.keys() == names == {package["name"] for package in _locked(root)}:
        return "missing"
    is_ours = any("-standin" in text for text in found.values())
    kind: Kind = "stand-in" if is_ours else "hub"
    stamp = installed / STAMP
    if not stamp.exists():  # Somebody typed `dbt deps`, which is as good.
        return "missing" if is_ours else kind
    return kind if stamp.read_text() == _fingerprint(root, kind) else "missing"


def install(root: Path, report: Callable[[str], None]) -> None:
    """Put the packages that the lock names into `root/dbt_packages`.

    Does nothing when they are there. What it did goes to `report` in one line.
    Where the hub is out of reach it installs the stand-ins; raises ServiceError
    when the lock names a package that has none.
    """
    scratch = root / SCRATCH
    with _alone(root):
        shutil.rmtree(scratch, ignore_errors=True)  # A killed install's.
        if which(root) != "missing":
            return
        try:
            if trouble := _from_hub(root, scratch):
                _from_stand_ins(root, scratch, trouble)
            _swap(root, scratch, "stand-in" if trouble else "hub")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    if trouble:
        what = f"{trouble} Installed this project's own stand-ins for the few macros"
        report(f"{what} it uses.")
    else:
        names = ", ".join(f"{p['name']} {p['version']}" for p in _locked(root))
        report(f"Installed from the dbt package hub: {names}.")


def _from_hub(root: Path, scratch: Path) -> str:
    """Fill `scratch/dbt_packages` by `dbt deps`; what went wrong, or ''.

    It runs in a project of its own, so that nothing in `root` is touched
    before all of it has arrived, and no profile is needed.
    """
    url = (os.environ.get("DBT_PACKAGE_HUB_URL") or PUBLIC_HUB).rstrip("/") + "/"
    host = urlsplit(url).hostname or "?"
    if problem := _probe(f"{url}api/v1/{_locked(root)[0]['package']}.json"):
        return f"The dbt package hub {host} can't be reached ({problem})."
    scratch.mkdir()
    (scratch / "dbt_project.yml").write_text("name: scratch\n")
    for name in ("packages.yml", LOCK):
        shutil.copyfile(root / name, scratch / name)
    command = [sys.executable, "-W", "ignore", "-m", "dbt.cli.main", "deps"]
    command += ["--no-use-colors", "--no-send-anonymous-usage-stats"]
    for option in ("--project-dir", "--profiles-dir", "--log-path"):
        command += [option, str(scratch)]
    try:
        deps = subprocess.run(
            command,
            check=False,
            cwd=scratch,
            env=os.environ | {"DBT_PACKAGE_HUB_URL": url},
            capture_output=True,
            text=True,
            timeout=DEPS_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"`dbt deps` had not finished with {host} after {DEPS_SECONDS} s."
    if deps.returncode:
        lines = [line for line in (deps.stderr + deps.stdout).splitlines() if line]
        last = re.sub(r"^[\d:]+ +", "", lines[-1]) if lines else "no output"
        last = re.sub(r"//[^/@\s]+@", "//", last)  # The address may hold a password.
        return f"`dbt deps` failed on the package hub {host}: {last.strip(' .')}."
    if (scratch / LOCK).read_bytes() != (root / LOCK).read_bytes():
        raise ConfigurationError(
            f"{LOCK} was not written for this packages.yml",
            "type `dbt deps --lock` and commit the lock",
        )
    return ""


def _probe(url: str) -> str:
    """Why `url` gives no answer, or ''; knows after PROBE_SECONDS at most.

    In a thread, because looking up a name has no time-out of its own. By
    requests, because dbt uses it: the same proxies and certificates count.
    """
    import requests

    outcome = [f"no answer in {PROBE_SECONDS} s"]

    def ask() -> None:
        try:
            status = requests.get(url, stream=True, timeout=PROBE_SECONDS).status_code
            outcome.append("" if status < 400 else f"it answers {status}")
        except requests.RequestException as error:
            outcome.append(type(error).__name__)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return outcome[-1]


def _from_stand_ins(root: Path, scratch: Path, trouble: str) -> None:
    """Fill `scratch/dbt_packages` with copies; dbt's own way are symlinks."""
    shutil.rmtree(scratch, ignore_errors=True)  # What `dbt deps` left.
    for package in _locked(root):
        source = root / STAND_INS / package["name"]
        if not source.is_dir():
            raise ServiceError(
                f"{trouble} {LOCK} names {package['package']}, for which there is no "
                f"stand-in in {STAND_INS}/",
                "set DBT_PACKAGE_HUB_URL to a mirror of the hub, or run this where the "
                "hub can be reached",
            )
        shutil.copytree(source, scratch / INSTALLED / package["name"])


def _swap(root: Path, scratch: Path, kind: Kind) -> None:
    (scratch / INSTALLED / STAMP).write_text(_fingerprint(root, kind))
    if (root / INSTALLED).exists():
        (root / INSTALLED).rename(scratch / "former")
    (scratch / INSTALLED).rename(root / INSTALLED)


def _fingerprint(root: Path, kind: Kind) -> str:
    """Changes with the lock and, for stand-ins, with any of their files."""
    digest = hashlib.sha256((root / LOCK).read_bytes())
    if kind == "stand-in":
        for path in sorted((root / STAND_INS).rglob("*")):
            if path.is_file():
                digest.update(str(path.relative_to(root)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _locked(root: Path) -> list[dict[str, Any]]:
    """The lock's entries: name (the directory), package (on the hub), version."""
    try:
        lock = yaml.safe_load((root / LOCK).read_text())
    except FileNotFoundError:
        raise ConfigurationError(
            f"{root / LOCK} is missing",
            "restore it from git, or type `dbt deps --lock`",
        ) from None
    packages: list[dict[str, Any]] = lock["packages"]
    return packages


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One install at a time; the kernel releases the lock of a killed one."""
    _locked(root)  # Says what to do when the file isn't there.
    with (root / LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
