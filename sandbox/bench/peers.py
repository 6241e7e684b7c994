"""Other tools that move a MySQL table to Postgres, each in a temporary environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from click import unstyle

from ingest.errors import SeedbedError

SCHEMA = "peer"
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """A tool: what is installed for it, and its command for a table of shop."""

    name: str
    packages: tuple[str, ...]
    command: Callable[[Path, str], list[str]]

    @property
    def version(self) -> str:
        """The version of the tool's own package, which is the first one."""
        return self.packages[0].partition("==")[2]


def _dlt(backend: str, *, unasked: bool = False) -> Peer:
    # dlt uses its fastest method for Postgres, ADBC, if its driver is installed and
    # Parquet is requested; `unasked` is its default.
    packages = (
        "dlt[sql_database,postgres]==1.31.0",
        "connectorx==0.4.6",
        "pyarrow==26.0.1",
        "pymysql==1.2.4",
        "adbc-driver-postgresql==1.13.0",
    )
    return Peer(
        f"dlt, {backend}, unasked" if unasked else f"dlt, {backend}",
        packages,
        lambda home, table: [
            str(home / "bin" / "python"),
            str(_HERE / "dlt_peer.py"),
            backend,
            table,
            *(() if unasked else ("parquet",)),
        ],
    )


def _ingestr(home: Path, table: str) -> list[str]:
    return [
        str(home / "bin" / "ingestr"),
        "ingest",
        "--yes",
        "--progress=log",
        f"--source-table=shop.{table}",
        f"--dest-table={SCHEMA}.{table}",
    ]


def _sling(home: Path, table: str) -> list[str]:
    (program,) = home.glob("lib/*/site-packages/sling_linux_amd64/bin/sling-*")
    program.chmod(0o755)
    command = [str(program), "run", "--src-conn", "BENCH_SOURCE", "--mode"]
    command += ["full-refresh", "--src-stream", f"shop.{table}"]
    return [
        *command,
        "--tgt-conn",
        "BENCH_WAREHOUSE",
        "--tgt-object",
        f"{SCHEMA}.{table}",
    ]


# Versions whose wheels hold the whole tool; later ones of the last two fetch a
# program from elsewhere when they first run.
PEERS = (
    _dlt("connectorx"),
    _dlt("connectorx", unasked=True),
    _dlt("pyarrow"),
    Peer("ingestr", ("ingestr==0.15.9",), _ingestr),
    Peer("sling", ("sling-linux-amd64==1.4.11",), _sling),
)


def install(peer: Peer, folder: Path) -> Path:
    """The peer's virtual environment; SeedbedError says why it can't be made."""
    home = folder / re.sub(r"\W+", "-", peer.packages[0])
    ready = home / "ready"
    if ready.exists():
        return home
    uv = shutil.which("uv") or str(_HERE.parents[1] / ".seedbed" / "bin" / "uv")
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
    source = variables["SHOP_URL"]
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


def error_line(text: str) -> str:
    """The line of a program's output that names its error: the first that does so."""
    lines = [line.strip() for line in unstyle(text).splitlines() if line.strip()]
    named = [line for line in lines if "error" in line.lower()]
    return (named or lines or ["no message"])[0][:200]
