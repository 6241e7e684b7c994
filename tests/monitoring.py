"""promtool and amtool, from PATH or unpacked from the system's package sources."""

import functools
import shutil
import subprocess
from pathlib import Path

import pytest

from ingest.embedded.debian import Packages
from ingest.errors import ServiceError
from tests.clone import REPOSITORY

FOLDER = REPOSITORY / "docker" / "monitoring"
PACKAGES = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}


@functools.cache
def unpacked() -> Path:
    """The folder with both programs, filled once a clone."""
    root = REPOSITORY / ".seedbed" / "monitoring" / "root"
    if not root.exists():
        root.parent.mkdir(parents=True, exist_ok=True)
        try:
            packages = Packages(
                root.with_name("download"),
                "Prometheus",
                "Install promtool and amtool to have its rules tested.",
            )
            packages.unpack(PACKAGES.values(), root)
        except ServiceError as error:
            pytest.skip(f"the rules were not tested: {error}")
    return root / "usr" / "bin"


def run(tool: str, *words: str | Path) -> str:
    """What the tool says; its failure is the test's."""
    program = shutil.which(tool) or str(unpacked() / tool)
    done = subprocess.run(
        [program, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
