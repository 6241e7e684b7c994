"""What the servers have in common: their state, start, and stop."""

import json
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from ingest.errors import ConfigurationError, ServiceError
from sandbox.servers.process import Report, Runtime, alive, log_tail, shorten, wait

HOST = "127.0.0.1"
_START_SECONDS = 90
_telling = threading.Lock()


class Stack:
    """The folder `.seedbed` of a clone and the one file that holds its state.

    `stack.json` (0600) maps each service to its port, passwords and version.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.home = self.root / ".seedbed"
        self._file = self.home / "stack.json"
        self._guard = threading.Lock()

    def prepare(self) -> None:
        """Make the folders; root's may be passed through, for the servers' account."""
        try:
            for folder in (self.home, self.home / "log", self.home / "run"):
                folder.mkdir(mode=0o700, exist_ok=True)
            self.home.chmod(0o711 if os.geteuid() == 0 else 0o700)
        except PermissionError as error:
            raise self._foreign() from error

    def read(self) -> dict[str, dict[str, Any]]:
        """The whole state, by service; empty before the first start."""
        try:
            content: dict[str, dict[str, Any]] = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        except PermissionError as error:
            raise self._foreign() from error
        except ValueError as error:
            raise ConfigurationError(
                f"{self._file} is damaged: {error}.",
                "Run `./seedbed down`, delete that file and run `./seedbed up`: the "
                "data stays, and new passwords are made.",
            ) from error
        return content

    def update(self, service: str, **values: Any) -> None:
        """Store values of a service; the file is replaced as a whole."""
        with self._guard:
            content = self.read()
            content.setdefault(service, {}).update(values)
            new = self._file.with_suffix(".new")
            new.unlink(missing_ok=True)
            with open(new, "x", opener=lambda p, f: os.open(p, f, 0o600)) as out:
                json.dump(content, out, indent=2)
            new.replace(self._file)

    @contextmanager
    def locked(self, report: Report) -> Iterator[None]:
        """Only one process at a time starts or stops servers."""
        self.prepare()
        with (self.home / "stack.lock").open("w") as lock:
            try:
                flock(lock, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                report("waiting for another ./seedbed that starts or stops servers")
                flock(lock, LOCK_EX)
            yield

    def _foreign(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self.home} belongs to another user.",
            "Use Seedbed as that user, or clone it again, or take the folder over: "
            f"sudo chown -R $(id -un) {self.home}",
        )


class Service:
    """One embedded server. Subclasses say how it is prepared and started."""

    name: ClassVar[str]
    title: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_seconds: ClassVar[float] = 30.0
    passwords: ClassVar[Sequence[str]] = ("password",)
    as_caller: ClassVar[bool] = False  # a child of ours, no server to harden

    def __init__(self, stack: Stack, report: Report = lambda line: None) -> None:
        self.stack = stack
        self._report = report
        self.folder = stack.home / self.name
        self.data = self.folder / "data"
        self.log = stack.home / "log" / f"{self.name}.log"
        self.pid_file = stack.home / "run" / f"{self.name}.pid"

    # -- for subclasses ------------------------------------------------------
    def needs(self) -> Sequence[Path]:
        """Folders with programs that the server's account must be able to read."""
        return ()

    def environment(self) -> dict[str, str]:
        """The variables that name this server."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Install what is missing; idempotent, and safe to be killed in."""
        raise NotImplementedError

    def set_passwords(self, state: dict[str, Any]) -> None:
        """Set new passwords in the data; called while the server is down."""

    def command(self, port: int) -> tuple[list[str], dict[str, str]]:
        """The server's command line (no secrets) and what to add to its environment."""
        raise NotImplementedError

    def program_version(self) -> str:
        """The version of its program; asked once a start."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether this server listens on its port, and works."""
        return True

    def is_current(self) -> bool:
        """Whether the running server is the one that would be started now."""
        return True

    def started(self) -> None:
        """Called once the server answers and before it counts as up."""

    # -- shared ----------------------------------------------------------------
    @cached_property
    def runtime(self) -> Runtime:
        """What runs its programs."""
        return Runtime(self.folder, self.needs(), self.as_caller)

    def report(self, line: str) -> None:
        """Tell the caller; servers start at once, their lines one after another."""
        with _telling:
            self._report(line)

    def state(self) -> dict[str, Any]:
        """The stored state of this service."""
        return self.stack.read().get(self.name, {})

    @property
    def pid(self) -> int | None:
        """Its process, if there is one."""
        return alive(self.pid_file)

    @property
    def port(self) -> int | None:
        """Its port of the last start; None before the first."""
        port: int | None = self.state().get("port")
        return port

    @property
    def version(self) -> str | None:
        """Its version at the last start; None before the first."""
        version: str | None = self.state().get("version")
        return version

    @property
    def running(self) -> bool:
        """Whether it runs, answers, and was started to the end."""
        port = self.port if self.state().get("up") and self.pid else None
        return port is not None and answers(port)

    def start(self) -> None:
        """Start it unless it runs; ServiceError with its log's tail if it dies."""
        if self.running:
            if self.is_current():
                shorten(self.log)
                return
            self.report(f"{self.title} runs as {self.version}: renewing it")
            self.stop()
        elif self.pid:
            self.report(f"{self.title} runs but does not answer: stopping it first")
            self.stop()
        elif self.pid_file.exists():
            end = log_tail(self.log)
            self.report(
                f"{self.title} was not stopped by ./seedbed down; its log ends:\n{end}"
            )
            self.pid_file.unlink()
        self.prepare()
        self.make_passwords()
        port = self._port()
        version = self.program_version()
        self.stack.update(self.name, port=port, up=False, version=version)
        self.report(f"starting {self.title} on port {port}")
        self._launch(port)
        self.started()
        self.stack.update(self.name, up=True)

    def stop(self) -> None:
        """Stop it cleanly; nothing happens when it does not run."""
        if self.pid:
            self.report(f"stopping {self.title}")
            self.stack.update(self.name, up=False)
        for number, seconds in (
            (self.stop_signal, self.stop_seconds),
            (signal.SIGKILL, 10.0),
        ):
            if pid := self.pid:
                if number == signal.SIGKILL:
                    self.report(
                        f"{self.title} did not stop within {self.stop_seconds:.0f} s: "
                        "killing it"
                    )
                os.kill(pid, number)
                wait(lambda: not self.pid, seconds)
        if pid := self.pid:
            raise ServiceError(
                f"{self.title} (pid {pid}) can't be stopped, even by SIGKILL."
            )
        self.pid_file.unlink(missing_ok=True)

    @contextmanager
    def new_data(self) -> Iterator[Path]:
        """A folder to make, which then is the data; without a password yet."""
        self.report(f"creating the {self.title} data folder")
        new = self.folder / "new"
        self.runtime.run(["rm", "-rf", str(new)])
        yield new
        self.stack.update(self.name, passwords_set=False)
        new.rename(self.data)

    def make_passwords(self) -> None:
        """Set the passwords unless they are set and known."""
        state = self.state()
        if state.get("passwords_set") and {*self.passwords} <= state.keys():
            return
        state |= {name: secrets.token_urlsafe(24) for name in self.passwords}
        self.set_passwords(state)
        self.stack.update(self.name, **state | {"passwords_set": True})

    def _port(self) -> int:
        if (port := self.port) and is_free(port):
            return port
        with socket.create_server((HOST, 0)) as probe:
            return int(probe.getsockname()[1])

    def _launch(self, port: int) -> None:
        argv, environment = self.command(port)
        child = self.runtime.spawn(argv, self.pid_file, self.log, **environment)

        def settled() -> bool:
            return child.poll() is not None or (answers(port) and self.ready())

        in_time = wait(settled, _START_SECONDS)
        if in_time and child.poll() is None:
            return
        self.stop()
        how = (
            f"ended while it started on port {port} (exit code {child.returncode})"
            if in_time
            else f"was not ready {_START_SECONDS} s after it started on port {port}"
        )
        raise ServiceError(
            f"{self.title} {how}. Its log, {self.log}, ends:\n{log_tail(self.log)}",
            "Fix that and run `./seedbed up`; `./seedbed doctor` looks for known "
            "causes.",
        )


def answers(port: int) -> bool:
    """Whether a program accepts connections on that port of the loopback."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0):
            return True
    except OSError:
        return False


def is_free(port: int) -> bool:
    """Whether that port of the loopback can be listened on."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True
