"""Programs out of the system's package sources, without rights and without installing.

apt keeps its lists beside what is unpacked, so an ordinary user may do this.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from ingest.embedded.process import tail
from ingest.embedded.service import fresh
from ingest.errors import ServiceError


class Packages:
    """The package sources, asked from a working folder that is made anew.

    `what` and `ways_out` are told in the ServiceError where there is no apt, no
    network or no such package.
    """

    def __init__(self, work: Path, what: str, ways_out: str) -> None:
        self.work = fresh(work)
        self._what, self._ways_out = what, ways_out
        if not (shutil.which("apt-get") and shutil.which("dpkg")):
            raise ServiceError(
                f"{what} is not installed and there is no apt. {ways_out}"
            )
        for folder in ("lists/partial", "cache/archives/partial"):
            (self.work / folder).mkdir(parents=True)
        options = [
            f"Dir::State::lists={self.work}/lists",
            f"Dir::Cache={self.work}/cache",
            "Debug::NoLocking=1",
            "APT::Sandbox::User=",
        ]
        # The folder's name may hold characters that mean something to apt's options.
        (self.work / "apt.conf").write_text(
            "".join('{} "{}";\n'.format(*option.split("=", 1)) for option in options)
        )
        self.ask("apt-get", "-q", "update")

    def ask(self, *words: str) -> str:
        """What a program of apt or dpkg says."""
        done = subprocess.run(
            words,
            check=False,
            cwd=self.work,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"APT_CONFIG": "apt.conf", "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        )
        if done.returncode != 0:
            raise ServiceError(
                f"{self._what} could not be downloaded: {' '.join(words[:2])} failed "
                f"with\n{tail(done.stdout, 4)}\n{self._ways_out}"
            )
        return done.stdout

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
