"""Backups of the warehouse with its control tables, by Postgres' own programs."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
from pathlib import Path

from ingest import settings
from ingest.errors import ServiceError
from ingest.runlog import Report
from orchestration import local

# Those that are named by the time at which they were made.
_NAMES = "2???????T??????Z.dump"


def _folder() -> Path:
    return settings.ROOT / ".seedbed" / "backups"


def newest() -> Path | None:
    """The newest backup below .seedbed/backups, if there is one."""
    return max(_folder().glob("*.dump"), default=None)


def write(
    file: Path | None = None, keep: int = 0, report: Report = lambda line: None
) -> Path:
    """Write the warehouse with its control tables to a file, as of one moment.

    Without a `file` it goes to .seedbed/backups, where only the newest `keep` stay if
    that is not 0.
    """
    is_ours = file is None
    if file is None:
        _folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        file = _folder() / f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}.dump"
    draft = file.with_name(file.name + ".draft")
    draft.unlink(missing_ok=True)
    draft.touch(0o600)  # which pg_dump writes into
    try:
        _run("pg_dump", "--format=custom", "--compress=1", f"--file={draft}")
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)
    if is_ours and keep:
        for old in sorted(_folder().glob(_NAMES))[:-keep]:
            old.unlink(missing_ok=True)
            report(f"removed {old.name}, as {keep} newer ones are kept (--keep)")
    return file


def restore(file: Path) -> None:
    """Restore a backup into the warehouse that the environment names, an empty one."""
    database = f"--dbname={settings.warehouse()['dbname']}"
    words = ("--no-owner", "--no-acl", "--exit-on-error", database)
    _run("pg_restore", *words, str(file))


def _run(program: str, *words: str) -> None:
    """Run one of Postgres' programs on the warehouse that the environment names."""
    found = shutil.which(program)
    if local.services():
        own = local.servers().binaries() / program
        found = str(own) if own.exists() else found
    if not found:
        raise ServiceError(
            f"{program} is not installed", "install the client programs of Postgres"
        )
    warehouse = settings.warehouse()
    names = {"user": "PGUSER", "host": "PGHOST", "port": "PGPORT"}
    names |= {"dbname": "PGDATABASE", "password": "PGPASSWORD"}
    given = {v: str(warehouse[k]) for k, v in names.items() if k in warehouse}
    done = subprocess.run(
        [found, "--no-password", *words],
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no reason"])[0]
        raise ServiceError(
            f"{program} failed: {said}. Nothing was changed",
            "if its version is older than the server's, install a newer one",
        )
