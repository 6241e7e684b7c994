"""The product without its sandbox: against servers that the environment names."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clone import Clone, copy_project, neutral_environment


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """The project without the folder."""
    root = tmp_path / "alone"
    root.mkdir()
    copy_project(root)
    shutil.rmtree(root / "sandbox")
    return root


def call(root: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestration", *words],
        cwd=root,
        env=neutral_environment() | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_needs_nothing_of_the_sandbox(day_2_due: Clone, alone: Path) -> None:
    done = call(alone, "run", "--tables", "suppliers", **day_2_due.env)
    assert done.returncode == 0, done.stdout + done.stderr
    day_2_due.assert_newest_run_is_as_sources()


def test_the_help_has_the_product_s_commands_only(alone: Path) -> None:
    shown = call(alone, "--help").stdout
    commands = set(re.findall(r"^  ([a-z]\w*)  ", shown, re.MULTILINE))
    assert {"run", "discover", "release"} <= commands
    assert not {"demo", "bench", "init", "up"} & commands


def test_what_the_environment_does_not_name_is_reported(alone: Path) -> None:
    told = call(alone, "status").stderr
    assert told.startswith("error: PGHOST is not set")
    told = call(alone, "run", PGHOST="nowhere").stderr
    assert told.startswith("error: CRM_URL is not set")
