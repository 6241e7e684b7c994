"""Processes that start with everything imported.

They are forked from a process that has imported all and does nothing else, so that
one costs no more than what it does: no second for Python, no six for dbt.
"""

import multiprocessing
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
_context = multiprocessing.get_context("forkserver")


def start(target: Callable[..., None], *arguments: Any) -> ForkServerProcess:
    """Begin a process in which `target` runs."""
    with pytest.MonkeyPatch.context() as patch:
        # Not every Python hands its own path on to what is imported beforehand.
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        # Who is killed leaves semaphores behind, which is then told at length.
        told = "ignore::UserWarning:multiprocessing.resource_tracker"
        patch.setenv("PYTHONWARNINGS", told)
        imported = ["tests.faults.child", "orchestration.cli", "boto3.s3.transfer"]
        imported += ["dbt.cli.main", "dbt.adapters.postgres"]
        _context.set_forkserver_preload(imported)
        forkserver.ensure_running()
    process = _context.Process(target=target, args=arguments)
    process.start()
    return process


def seedbed(
    root: Path,
    words: Sequence[str],
    env: Mapping[str, str],
    *,
    left_out: str = "",
    timeout: float = 180,
) -> subprocess.CompletedProcess[str]:
    """`./seedbed WORDS` of the clone in `root`, with `env` alone as its environment.

    `left_out` are dbt's selectors of what it is not to build.
    """
    with TemporaryDirectory(prefix="seedbed-said-") as folder:
        said = [Path(folder) / name for name in ("stdout", "stderr")]
        process = start(_seedbed, root, tuple(words), dict(env), left_out, said)
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(words), timeout)
        told = [file.read_text(errors="replace") for file in said]
    return subprocess.CompletedProcess(list(words), process.exitcode, *told)


def write_to(*files: Path) -> None:
    """Let what this process prints, and then its errors, go to files."""
    for number, file in zip((1, 2), (*files, files[-1]), strict=False):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)


def _seedbed(
    root: Path,
    words: tuple[str, ...],
    env: dict[str, str],
    left_out: str,
    said: list[Path],
) -> None:
    from orchestration import build, cli

    write_to(*said)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(root)
    for module in list(sys.modules.values()):
        if getattr(module, "ROOT", None) == REPOSITORY:
            vars(module)["ROOT"] = root
    build.NEVER = f"{build.NEVER} {left_out}".strip()
    sys.argv = ["seedbed", *words]
    code: object = 0
    try:
        cli.main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        code = 1
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else bool(code))
