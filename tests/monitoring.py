"""promtool and amtool, from PATH or unpacked from the system's package sources.

And the names of the metrics that they are to know.
"""

import re
import shutil
import subprocess
from pathlib import Path

from tests.clone import REPOSITORY
from tests.debian import unpacked

FOLDER = REPOSITORY / "docker" / "monitoring"
PACKAGES = ("prometheus", "prometheus-alertmanager")


def run(tool: str, *words: str | Path) -> str:
    """What the tool says; its failure is the test's."""
    program = shutil.which(tool) or unpacked(
        "Prometheus",
        "Install promtool and amtool to have its rules tested.",
        lambda _: PACKAGES,
    ).joinpath("usr", "bin", tool)
    done = subprocess.run(
        [program, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def metrics() -> set[str]:
    """The names of the metrics that the exporter has."""
    watch = REPOSITORY / "orchestration" / "watch"
    query, rest = ((watch / f"metrics.{kind}").read_text() for kind in ("sql", "py"))
    return {*re.findall(r"""['"](seedbed_\w+)['"]""", query + rest)}
