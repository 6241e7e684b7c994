"""Other tools that move a table to Postgres, each in a temporary environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import SeedbedError
from sandbox.bench import HERE, error_line

SCHEMA = "peer"


@dataclass(frozen=True)
class Peer:
    """A tool: what is installed for it, its program there, and the words after it."""

    name: str
    packages: tuple[str, ...]
    program: str
    words: str = ""

    @property
    def version(self) -> str:
        """The version of the tool's own package, which is the first one."""
        return self.packages[0].partition("==")[2]

    def command(self, home: Path, table: str) -> list[str]:
        """How the tool, installed in `home`, moves a table of shop."""
        (program,) = home.glob(self.program)
        if not os.access(program, os.X_OK):  # as a wheel may have it
            program.chmod(0o755)
        words = [word.format(table=table, here=HERE) for word in self.words.split()]
        return [str(program), *words]


def _dlt(backend: str, file_format: str, asked: str = "") -> Peer:
    packages = (
        "dlt[sql_database,postgres]==1.31.0",
        "connectorx==0.4.6",
        "pyarrow==26.0.1",
        "pymysql==1.2.4",
        "adbc-driver-postgresql==1.13.0",
    )
    words = f"{{here}}/dlt_peer.py {backend} {{table}} {file_format}"
    return Peer(f"dlt, {backend}{asked}", packages, "bin/python", words)


# Versions whose wheels hold the whole tool; later ones of the last two fetch a
# program from elsewhere when they first run. dlt uses its fastest method for Postgres,
# ADBC, if its driver is installed and Parquet is requested; `unasked` is its default.
PEERS = (
    _dlt("connectorx", "parquet"),
    _dlt("connectorx", "", ", unasked"),
    _dlt("pyarrow", "parquet"),
    Peer(
        "ingestr",
        ("ingestr==0.15.9",),
        "bin/ingestr",
        "ingest --yes --progress=log --source-table=shop.{table} "
        f"--dest-table={SCHEMA}.{{table}}",
    ),
    Peer(
        "sling",
        ("sling-linux-amd64==1.4.11",),
        "lib/*/site-packages/sling_linux_amd64/bin/sling-*",
        "run --src-conn BENCH_SOURCE --mode full-refresh --src-stream shop.{table} "
        f"--tgt-conn BENCH_WAREHOUSE --tgt-object {SCHEMA}.{{table}}",
    ),
)


def install(peer: Peer, folder: Path) -> Path:
    """The peer's virtual environment; SeedbedError says why it can't be made."""
    home = folder / re.sub(r"\W+", "-", peer.packages[0])
    ready = home / "ready"
    if ready.exists():
        return home
    uv = shutil.which("uv") or str(HERE.parents[1] / ".seedbed" / "bin" / "uv")
    pip = ["pip", "install", "--quiet", "--compile-bytecode", "--python", str(home)]
    for words in (
        ["venv", "--quiet", "--clear", "--python", sys.executable, str(home)],
        [*pip, *peer.packages],
    ):
        try:
            done = subprocess.run(
                [uv, *words], check=False, capture_output=True, text=True
            )
        except OSError as error:
            raise SeedbedError(f"not installed: {error}") from None
        if done.returncode:
            raise SeedbedError(f"not installed: {error_line(done.stderr)}")
    ready.touch()
    return home


def environment(home: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """What a peer is started with: the URLs; its own files stay in `home`."""
    source = variables["SHOP_URL"].replace("postgres:", "postgresql:")
    login = "{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/{PGDATABASE}".format(**variables)
    warehouse = f"postgresql://{login}"
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "NO_PROXY": "127.0.0.1",
        "BENCH_SOURCE": source,
        "BENCH_WAREHOUSE": f"{warehouse}?sslmode=disable",
        "SOURCE_URI": source.replace("mysql:", "mysql+pymysql:"),
        "DESTINATION_URI": f"{warehouse}?sslmode=disable",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DISABLE_TELEMETRY": "true",
        "INGESTR_DISABLE_TELEMETRY": "true",
        "SLING_DISABLE_TELEMETRY": "true",
    }
