"""Processes that start with everything imported.

They are forked from a process that has imported all and does nothing else, so that
one costs no more than what it does: no second for Python, no six for dbt.
"""

import functools
import multiprocessing
import os
import socket
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

from gx import process as gate_process

REPOSITORY = Path(__file__).resolve().parents[1]
_context = multiprocessing.get_context("forkserver")
_kept: list[Any] = []  # what lives as long as this process


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
    process = _context.Process(target=_begin, args=(gate(), target, *arguments))
    process.start()
    return process


def _begin(gate: Sequence[str], target: Callable[..., None], *arguments: Any) -> None:
    gate_process.PROGRAM = tuple(gate)
    target(*arguments)


@functools.cache
def gate() -> tuple[str, str, str]:
    """The program of a gate's process, as of `gx.process.PROGRAM`: see tests/gate.py.

    The process that it is forked from ends with this one.
    """
    folder = TemporaryDirectory(prefix="seedbed-gate-")
    path = f"{folder.name}/socket"
    serve = "import socket, sys; from tests import gate; "
    serve += "gate.serve(socket.socket(fileno=int(sys.argv[1])))"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        server = subprocess.Popen(
            [sys.executable, "-c", serve, str(listener.fileno())],
            cwd=REPOSITORY,
            env=os.environ | {"GX_ANALYTICS_ENABLED": "false"},
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    _kept.append((server, folder))
    return ("-IS", str(REPOSITORY / "tests" / "gate.py"), path)


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
