"""MariaDB, from PATH or unpacked from the system's package sources."""

import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ingest.errors import ServiceError
from sandbox.servers.debian import Packages, libraries
from sandbox.servers.process import wait
from sandbox.servers.service import HOST, Service

DATABASES = ("shop", "crm")
WAYS_OUT = (
    "Install MariaDB (apt install mariadb-server, dnf install mariadb-server, brew "
    "install mariadb); or run docker compose up mysql; or set SHOP_URL and CRM_URL to "
    "databases of your own (mysql://user:password@host:port/database)."
)
SETTINGS = (
    f"--bind-address={HOST}",
    "--socket=",  # none: a deep folder would exceed the length of a socket's path
    "--skip-name-resolve",
    "--server-id=1",
    "--log-bin=binlog",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--expire-logs-days=1",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_unicode_ci",
    "--default-time-zone=+00:00",
    "--max-connections=50",
    "--log-warnings=1",
    "--innodb-buffer-pool-size=256M",
    # Each commit is handed to the system: it outlives the server's death.
    "--innodb-flush-log-at-trx-commit=2",
    "--local-infile=1",
)
_SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/usr/libexec:/opt/homebrew/bin"


def on_path() -> Path | None:
    """An installed mariadbd; it is often outside an ordinary user's PATH."""
    found = shutil.which("mariadbd") or shutil.which("mariadbd", path=_SYSTEM_FOLDERS)
    return Path(found).resolve() if found else None


class MariaDB(Service):
    """The demo's sources: databases shop and crm, a reader and a writer."""

    name = "mariadb"
    title = "MariaDB"
    passwords = ("reader_password", "demo_password")

    @property
    def unpacked(self) -> Path:
        """Where the packages are unpacked when MariaDB is not installed."""
        return self.folder / "root"

    def server(self) -> Path:
        """The program mariadbd."""
        return on_path() or self.unpacked / "usr" / "sbin" / "mariadbd"

    def environment(self) -> dict[str, str]:
        return {
            f"{database.upper()}_URL": self._url("reader", database)
            for database in DATABASES
        }

    def admin_url(self) -> str:
        """The demo's writer, who may do anything in shop and crm."""
        return self._url("demo", "shop")

    def _url(self, who: str, database: str) -> str:
        state = self.state()
        login = f"seedbed_{who}:{state[f'{who}_password']}"
        return f"mysql://{login}@{HOST}:{state['port']}/{database}"

    def prepare(self) -> None:
        runtime = self.runtime  # makes the folder
        if not self.server().exists():
            unpack(self.unpacked, self.report)
        if self.data.exists():
            return
        scripts = [
            "create database mysql;",
            "use mysql;",
            "set @skip_auth_anonymous = 1;",
            "set @auth_root_socket = null;",
        ]
        for part in ("system_tables", "performance_tables", "system_tables_data"):
            path = next(self._share().glob(f"m*_{part}.sql"))
            scripts.append(path.read_text(encoding="utf-8"))
        with self.new_data() as new:
            runtime.run(["mkdir", "-p", str(new / "tmp")])
            self.alone("\n".join(scripts), new)

    def set_passwords(self, state: dict[str, Any]) -> None:
        statements = [
            "use mysql;",
            "flush privileges;",
            f"alter user root@localhost identified by '{secrets.token_urlsafe(24)}';",
        ]
        statements += [f"create database if not exists {name};" for name in DATABASES]
        for who, rights in (("reader", "select"), ("demo", "all")):
            account, password = f"seedbed_{who}@{HOST}", state[f"{who}_password"]
            statements.append(f"create user if not exists {account};")
            statements.append(f"alter user {account} identified by '{password}';")
            statements += [f"grant {rights} on {d}.* to {account};" for d in DATABASES]
        self.alone("\n".join(statements), self.data)

    def alone(self, sql: str, data: Path) -> None:
        """Run SQL without logins or network, the server being down."""
        self.runtime.run([*self._argv(data), "--bootstrap"], stdin=sql)

    def command(self, port: int) -> tuple[list[str], dict[str, str]]:
        return [*self._argv(self.data), *SETTINGS, f"--port={port}"], {}

    def program_version(self) -> str:
        argv = [*self._program(), "--no-defaults", "--version"]
        words = subprocess.check_output(argv, text=True).split("Ver", 1)[1].split()
        return words[0]

    def ready(self) -> bool:
        if self.state().get("up"):
            return True  # its log may have been rotated since
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "ready for connections" in text

    def stop(self) -> None:
        # A SIGTERM between listening and being ready makes it hang for good.
        wait(lambda: not self.pid or self.ready(), self.stop_seconds)
        super().stop()

    def _share(self) -> Path:
        """The folder with the server's messages and its system tables' SQL."""
        share = self.server().parents[1] / "share"
        for folder in (share / "mysql", share / "mariadb", share):
            if any(folder.glob("m*_system_tables.sql")):
                return folder
        raise ServiceError(
            f"{self.server()} has no system tables' SQL under {share}: the "
            "installation is not complete.",
            WAYS_OUT,
        )

    def _program(self) -> list[str]:
        if found := on_path():
            return [str(found)]
        folders = ":".join(map(str, libraries(self.unpacked)))
        return ["env", f"LD_LIBRARY_PATH={folders}", str(self.server())]

    def _argv(self, data: Path) -> list[str]:
        share = self._share()
        return [
            *self._program(),
            "--no-defaults",
            f"--basedir={self.server().parents[1]}",
            f"--lc-messages-dir={share}",
            f"--character-sets-dir={share / 'charsets'}",
            f"--datadir={data}",
            f"--tmpdir={data / 'tmp'}",
        ]


def unpack(target: Path, report: Any, part: str = "server") -> None:
    """Download a part of MariaDB and the libraries this system lacks; unpack them.

    Needs no rights and installs nothing. Raises ServiceError, with a hint, if there is
    no apt or no network.
    """
    report(f"downloading MariaDB's {part} from the system's package sources (17 MB)")
    packages = Packages(target.with_name("download"), "MariaDB", WAYS_OUT)
    name = f"^mariadb-{part}-core(-[0-9.]+)?$"
    known = packages.ask("apt-cache", "search", "--names-only", name).split("\n")
    if not known[0]:
        raise ServiceError(f"the package sources have no MariaDB {part}.", WAYS_OUT)
    core = min((line.split()[0] for line in known if line), key=len)
    packages.unpack((n for n in packages.missing(core) if n != "libc6"), target)
