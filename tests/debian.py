"""Programs that tests need and a machine may lack, out of its package sources."""

import fcntl
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from ingest.errors import ServiceError
from sandbox.servers.debian import Packages
from tests.clone import REPOSITORY

# Where Debian has the keys of all its suites.
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class OfSuite(Packages):
    """Packages of another suite than the system's own, such as sid.

    It is on the Debian mirror that the system uses; where it uses none (on Ubuntu,
    say) the system's own packages are asked.
    """

    def __init__(self, work: Path, what: str, ways_out: str, suite: str) -> None:
        self._suite = suite
        super().__init__(work, what, ways_out)

    def _configure(self) -> None:
        super()._configure()
        if line := self._on_mirror():
            sources = self.work / "sources.list"
            sources.write_text(line)
            with (self.work / "apt.conf").open("a") as configuration:
                configuration.write(f'Dir::Etc::SourceList "{sources}";\n')
                configuration.write('Dir::Etc::SourceParts "/dev/null";\n')

    def _on_mirror(self) -> str:
        """The line of a sources.list for the suite, on the system's Debian mirror."""
        told = self.ask(
            *("apt-get", "indextargets", "--no-release-info"),
            *("--format", "$(REPO_URI)", "Created-By: Packages"),
        )
        mirrors = (n for n in told.splitlines() if n.rstrip("/").endswith("/debian"))
        signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
        return next((f"deb {signed}{uri} {self._suite} main\n" for uri in mirrors), "")


def unpacked(
    name: str,
    wish: str,
    wanted: Callable[[Packages], Iterable[str]],
    suite: str = "",
) -> Path:
    """Where packages are unpacked below `.seedbed/`, once a clone; nothing installed.

    `wanted` says which. Where they can't be had the test is skipped, and `wish` told;
    in CI, where nothing may be left out, it fails. `suite` is one of Debian's.
    """
    root = REPOSITORY / ".seedbed" / name.lower() / "root"
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_name("lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        if root.exists():
            return root
        try:
            work = root.with_name("download")
            packages = (
                OfSuite(work, name, wish, suite)
                if suite
                else Packages(work, name, wish)
            )
            packages.unpack(wanted(packages), root)
        except ServiceError as error:
            told = f"{name} is missing: {error}"
            if os.environ.get("CI"):
                pytest.fail(told)
            pytest.skip(told)
    return root
