"""Oracle's MySQL out of Debian's packages, for what MariaDB does in another way.

It is unpacked below `.seedbed/`, once, as the demo's MariaDB is, and runs on its own
libraries: no rights needed, nothing installed, no Docker.
"""

import re
import secrets
from pathlib import Path
from typing import Any

from sandbox.servers.debian import Packages, libraries
from sandbox.servers.service import HOST, Service, Stack
from tests.debian import unpacked

WISH = "Name a server of your own in MYSQL_TEST_SERVER to have sources read from it."
# The newest is in Debian's unstable suite.
SUITE = "sid"
SETTINGS = (
    f"--bind-address={HOST}",
    "--mysqlx=OFF",
    "--secure-file-priv=NULL",
    "--server-id=1",
    "--log-bin=binlog",
    "--default-time-zone=+00:00",
    "--max-connections=50",
    "--local-infile=ON",
    "--innodb-flush-log-at-trx-commit=2",
    "--sync-binlog=0",
)


def _packages(packages: Packages) -> list[str]:
    """The server and all its libraries: it must not meet the system's own."""
    known = packages.ask(
        "apt-cache", "search", "--names-only", "^mysql-server-core(-[0-9.]+)?$"
    )
    core = sorted(line.split()[0] for line in known.splitlines() if line)
    # Without a number it is the newest.
    server = core[0] if core[:1] == ["mysql-server-core"] else core[-1]
    needed = packages.ask(
        *("apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests"),
        *("--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances", server),
    )
    programs = rf"{server}|lib(?!perl).*|zlib.*|gcc-.*"
    names = {n for n in needed.splitlines() if re.fullmatch(programs, n)}
    return sorted(names)


class MySQL(Service):
    """A server with a user `operator`, who may do anything."""

    name = "mysql"
    title = "MySQL"

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.root = unpacked("MySQL", WISH, _packages, SUITE)

    def url(self) -> str:
        """The server's URL, without a database."""
        state = self.state()
        return f"mysql://operator:{state['password']}@{HOST}:{state['port']}"

    def needs(self) -> list[Path]:
        return [self.root]

    def prepare(self) -> None:
        if not self.data.exists():
            with self.new_data() as new:
                self.runtime.run([*self._argv(new), "--initialize-insecure"])

    def set_passwords(self, state: dict[str, Any]) -> None:
        account = f"operator@{HOST}"
        script = (
            f"alter user root@localhost identified by '{secrets.token_urlsafe(24)}';\n"
            f"create user if not exists {account};\n"
            f"alter user {account} identified by '{state['password']}';\n"
            f"grant all on *.* to {account} with grant option;\n"
        )
        self.runtime.write(self._script, script)

    def command(self, port: int) -> tuple[list[str], dict[str, str]]:
        return [
            *self._argv(self.data),
            *SETTINGS,
            f"--port={port}",
            f"--socket={self.folder / 'socket'}",
            f"--init-file={self._script}",
        ], {}

    def program_version(self) -> str:
        told = self.runtime.run([*self._program(), "--version"])
        return told.split("Ver", 1)[1].split()[0]

    def ready(self) -> bool:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "ready for connections" in text

    @property
    def _script(self) -> Path:
        return self.folder / "users.sql"

    def _program(self) -> list[str]:
        (loader,) = sorted(self.root.glob("usr/lib/**/ld-linux-*.so.*"))[:1]
        folders = ":".join(str(folder) for folder in libraries(self.root))
        return [
            *(str(loader), "--library-path", folders),
            str(self.root / "usr" / "sbin" / "mysqld"),
        ]

    def _argv(self, data: Path) -> list[str]:
        share = self.root / "usr" / "share" / "mysql"
        return [
            *self._program(),
            "--no-defaults",
            f"--basedir={self.root / 'usr'}",
            f"--lc-messages-dir={share}",
            f"--character-sets-dir={share / 'charsets'}",
            f"--datadir={data}",
        ]
