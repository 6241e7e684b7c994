"""Programs from the system's package sources, without root and without installing.

apt keeps its lists beside what is unpacked, so an ordinary user may do this.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from ingest.errors import ServiceError
from sandbox.servers.process import tail

# How long one program may take; apt itself may wait for a silent server forever.
SECONDS = 300
# In a file: a folder's name may hold characters that mean something to apt's options.
_CONFIGURATION = """\
Dir::State::lists "{work}/lists";
Dir::Cache "{work}/cache";
Debug::NoLocking "1";
APT::Sandbox::User "";
Acquire::Retries "1";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
"""
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


class Packages:
    """The package sources, asked from a new working folder.

    The ServiceError where there is no apt, no network or no such package names `what`,
    with the hint `ways_out`.
    """

    def __init__(self, work: Path, what: str, ways_out: str) -> None:
        self.work = work
        self._what, self._ways_out = what, ways_out
        if not (shutil.which("apt-get") and shutil.which("dpkg")):
            raise ServiceError(
                f"{what} is not installed and there is no apt.", ways_out
            )
        shutil.rmtree(work, ignore_errors=True)  # what a killed run left
        for folder in ("lists/partial", "cache/archives/partial"):
            (work / folder).mkdir(parents=True)
        work.chmod(0o755)
        self._configure()
        self.ask("apt-get", "-q", "update")

    def _configure(self) -> None:
        (self.work / "apt.conf").write_text(_CONFIGURATION.format(work=self.work))

    def ask(self, *words: str) -> str:
        """What a program of apt or dpkg says; it is ended after SECONDS."""
        try:
            done = subprocess.run(
                words,
                check=False,
                cwd=self.work,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={n: os.environ[n] for n in _PROXIES if n in os.environ}
                | {"APT_CONFIG": "apt.conf", "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                timeout=SECONDS,
                umask=0o022,  # the servers' account reads the programs
            )
        except subprocess.TimeoutExpired:
            fault = (
                f"was not done after {SECONDS} seconds. Is a package source out of "
                "reach, or a proxy missing (http_proxy)?"
            )
        else:
            if done.returncode == 0:
                return done.stdout
            fault = f"failed with\n{tail(done.stdout, 4)}"
        raise ServiceError(
            f"{self._what} could not be downloaded: {' '.join(words[:2])} {fault}",
            self._ways_out,
        )

    def missing(self, name: str) -> list[str]:
        """A package and what it needs, without what this system has already."""
        plan = self.ask("apt-get", "-s", "--no-install-recommends", "install", name)
        return re.findall(r"^Inst (\S+) ", plan, re.MULTILINE)

    def unpack(self, names: Iterable[str], target: Path) -> None:
        """Download packages and unpack them into `target`, without their manuals."""
        self.ask("apt-get", "-q", "download", *names)
        root = self.work / "root"
        for package in sorted(self.work.glob("*.deb")):
            self.ask("dpkg", "-x", package.name, str(root))
        for unused in ("usr/share/doc", "usr/share/man"):
            shutil.rmtree(root / unused, ignore_errors=True)
        root.rename(target)
        shutil.rmtree(self.work)


def libraries(root: Path) -> list[Path]:
    """The folders of what is unpacked below `root` in which libraries are."""
    return [*root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu")]
