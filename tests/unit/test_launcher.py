"""The launcher `seedbed`, run for real with a lock of one small package."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROGRAM = """
import sys
try:
    import iniconfig
except ImportError:
    iniconfig = None
print("ran", sys.argv[1:], "pluggy" if __import__("importlib").util.find_spec(
    "pluggy") else "plain", iniconfig is not None)
"""


def lock_of(package: str) -> str:
    """The lines of one package, hashes included, out of the committed lock."""
    text = (REPOSITORY / "requirements-dev.lock").read_text()
    found = re.search(rf"^{package}==.*\n(?:    --hash.*\n)+", text, re.MULTILINE)
    assert found
    return found[0]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in a path with spaces, whose locks have a package each."""
    clone = tmp_path / "a clone"
    (clone / "orchestration").mkdir(parents=True)
    shutil.copy(REPOSITORY / "seedbed", clone)
    (clone / "requirements.lock").write_text(lock_of("iniconfig"))
    (clone / "requirements-airflow.lock").write_text(lock_of("packaging"))
    (clone / "requirements-dev.lock").write_text(lock_of("pluggy"))
    (clone / "orchestration" / "__main__.py").write_text(PROGRAM)
    return clone


@pytest.fixture
def bare_path(tmp_path: Path) -> str:
    """A PATH with a system's basic tools and Python, but no uv."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in "sh readlink dirname cksum cat mkdir rm ln flock chmod".split():
        if found := shutil.which(tool):
            (tools / tool).symlink_to(found)
    (tools / "python3").symlink_to(Path(sys.executable).resolve())
    return str(tools)


def uv_folder() -> Path:
    """Where uv itself is, not a shim that needs its own surroundings."""
    own = REPOSITORY / ".seedbed" / "bin" / "uv"
    uv = shutil.which("uv") or str(own)
    command = [uv, "run", "--no-project", "--quiet", "sh", "-c", 'echo "$UV"']
    return Path(subprocess.check_output(command, text=True, cwd="/").strip()).parent


def call(clone: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the launcher from a foreign folder; uv is at hand unless PATH is given."""
    kept = {k: v for k, v in os.environ.items() if k != "SEEDBED_DEV"}
    kept["PATH"] = f"{uv_folder()}:{kept['PATH']}"
    return subprocess.run(
        [clone / "seedbed", *words],
        cwd="/",
        env=kept | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_first_call_sets_up_and_hands_over_the_arguments(clone: Path) -> None:
    done = call(clone, "status", "two words", "*")
    assert done.stdout == "ran ['status', 'two words', '*'] plain True\n", done.stderr
    assert "315 MB" in done.stderr


def test_a_warm_call_needs_no_uv_and_says_nothing(clone: Path, bare_path: str) -> None:
    call(clone, "status")
    done = call(clone, "status", PATH=bare_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (clone / ".seedbed" / "bootstrap").exists()


def test_tests_get_their_tools_and_later_calls_keep_them(clone: Path) -> None:
    assert "plain" in call(clone, "status").stdout
    assert "pluggy" in call(clone, "test", "-q").stdout
    assert call(clone, "status").stderr == ""
    assert call(clone, "status", SEEDBED_DEV="1").stderr == ""


def test_a_changed_lock_is_installed(clone: Path) -> None:
    call(clone, "status")
    with (clone / "requirements.lock").open("a") as lock:
        lock.write(lock_of("pluggy"))
    assert "pluggy True" in call(clone, "status").stdout


def test_a_killed_set_up_heals(clone: Path) -> None:
    call(clone, "status")
    # As a kill in the middle leaves it: the package is known, its code is not there.
    (clone / ".venv" / ".seedbed-stamp").unlink()
    (clone / ".venv" / ".seedbed-unfinished").touch()
    for module in clone.glob(".venv/lib/*/site-packages/iniconfig"):
        shutil.rmtree(module)
    assert "plain True" in call(clone, "status").stdout


def test_a_package_with_a_wrong_hash_is_refused(clone: Path) -> None:
    lock = clone / "requirements.lock"
    lock.write_text(re.sub(r"sha256:\w{8}", "sha256:00000000", lock.read_text()))
    done = call(clone, "status")
    assert done.returncode == 3
    assert "ran" not in done.stdout
    assert "seedbed: the packages could not be installed" in done.stderr


def test_a_second_call_waits_for_a_set_up_that_is_at_work(clone: Path) -> None:
    (clone / ".seedbed").mkdir()
    with (clone / ".seedbed" / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = subprocess.Popen(
            [clone / "seedbed"],
            env=os.environ | {"PATH": f"{uv_folder()}:{os.environ['PATH']}"},
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert waiting.stderr
        assert b"waiting for another set-up" in waiting.stderr.readline()
        assert not (clone / ".venv").exists()
    out, _ = waiting.communicate(timeout=120)
    assert b"plain True" in out


def test_without_a_fitting_python_it_says_what_to_install(
    clone: Path, bare_path: str
) -> None:
    tools = Path(bare_path)
    (tools / "python3").unlink()
    (tools / "uv").symlink_to(uv_folder() / "uv")
    done = call(clone, "status", PATH=bare_path, UV_PYTHON_INSTALL_DIR=bare_path)
    assert done.returncode == 2
    assert "Python 3.11 or 3.12 and found neither" in " ".join(done.stderr.split())


def test_uv_is_installed_into_the_clone_when_there_is_none(
    clone: Path, bare_path: str
) -> None:
    done = call(clone, "status", PATH=bare_path)
    assert "plain True" in done.stdout, done.stderr
    assert (clone / ".seedbed" / "bin" / "uv").exists()
    assert (clone / ".seedbed" / "cache" / "uv").is_dir()
    assert "installer uv" in done.stderr
