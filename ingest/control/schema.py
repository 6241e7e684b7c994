"""The schema of the control tables: numbered migrations, each of which runs once.

`migrations/NNNN_what.sql` run in the order of their numbers. A file that was applied
somewhere is never changed: a change is a new file with the next number. `derived/` has
the views and functions, each a `create or replace`: they run when their text differs
from what was applied, and after each migration. `audit.schema_version` notes what was
applied, and is all that a command reads where there is nothing to do.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ingest import locks
from ingest.control import runs
from ingest.control.connect import Connection
from ingest.errors import ConfigurationError, SeedbedError, ServiceError, first_line
from ingest.statements import Statements

NO_RUN = ("there has been no run yet.", "Type `./seedbed run`.")
FOLDER = Path(__file__).parent
_SQL = Statements(__file__)


class Unready(SeedbedError):
    """There are no control tables yet, or those of an older version."""


@dataclass(frozen=True)
class Script:
    """A file of SQL: a migration with its number, or a derived one, which has 0."""

    name: str
    version: int
    checksum: str
    text: str = ""


def _scripts() -> list[Script]:
    """What this Seedbed applies, in order."""
    found = []
    for kind in ("migrations", "derived"):
        for path in sorted((FOLDER / kind).glob("*.sql")):
            text = path.read_text(encoding="utf-8")
            version = int(path.name[:4]) if kind == "migrations" else 0
            checksum = hashlib.sha256(text.encode()).hexdigest()
            found.append(Script(path.name, version, checksum, text))
    return found


def _newest(scripts: list[Script]) -> int:
    return max((s.version for s in scripts), default=0)


def _applied(connection: Connection, scripts: list[Script]) -> list[Script]:
    """What was applied to the database; raises where a newer Seedbed did it."""
    try:
        applied = _SQL.rows(connection, Script, "applied")
    except psycopg.errors.UndefinedTable:
        return []
    except psycopg.errors.UndefinedColumn:
        raise _unknown(connection) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise _refused(connection, error) from error
    known = _newest(scripts)
    if _newest(applied) > known:
        raise ConfigurationError(
            f"the control tables are of version {_newest(applied)}, made by a newer "
            f"Seedbed than this one, which knows version {known}. Nothing was changed.",
            "Update this project and run again.",
        )
    return applied


def _due(scripts: list[Script], applied: list[Script]) -> list[Script]:
    """What is still to be applied; raises where the numbers or files disagree."""
    next_number = f"{_newest(scripts) + 1:04d}"
    by_version = {s.version: s for s in applied if s.version}
    migrations = []
    for script in (s for s in scripts if s.version):
        here = by_version.get(script.version)
        if here is None:
            migrations.append(script)
        elif here.checksum != script.checksum:
            raise ConfigurationError(
                f"migration {script.version} of the control tables was applied to "
                f"this database as {here.name}, and {_shown(script)} differs from it. "
                "Nothing was changed.",
                "Restore the file as it was applied, and put the change into a new "
                f"migration with the number {next_number}.",
            )
    if migrations and migrations[0].version < _newest(applied):
        raise ConfigurationError(
            f"{_shown(migrations[0])} comes before version {_newest(applied)} of the "
            "control tables, which this database has already. Nothing was changed.",
            f"Give it the number {next_number}.",
        )
    derived = [s for s in scripts if not s.version]
    checksums = {s.name: s.checksum for s in applied}
    return migrations + [
        s for s in derived if migrations or checksums.get(s.name) != s.checksum
    ]


def look(connection: Connection) -> None:
    """Make sure that the control tables can be read; nothing is made or altered.

    Raises Unready where the next run has to make them first.
    """
    scripts = _scripts()
    applied, wanted = _newest(_applied(connection, scripts)), _newest(scripts)
    if not applied:
        raise Unready(*NO_RUN)
    if applied < wanted:
        raise Unready(
            f"the control tables are of version {applied}, and this Seedbed reads "
            f"version {wanted}.",
            "Type `./seedbed run`, which brings them up to date.",
        )
    # A user who may only read sees such a run as running.
    with suppress(
        psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction
    ):
        runs.close_dead(connection)


def prepare(connection: Connection) -> None:
    """Bring the control tables up to date; close runs that died.

    Where nothing is due nothing is altered, so that no session that reads them, such
    as a backup, is waited for.
    """
    scripts = _scripts()
    try:
        if _due(scripts, _applied(connection, scripts)):
            _migrate(connection, scripts)
        runs.close_dead(connection)
    except psycopg.errors.InsufficientPrivilege as error:
        raise _refused(connection, error) from error


def _migrate(connection: Connection, scripts: list[Script]) -> None:
    """Apply what is due in one transaction, in turn with other sessions.

    It waits for a lock one second at a time: readers would wait behind it.
    """
    patience = _SQL.value(connection, "patience")
    deadline = time.monotonic() + float(patience)
    while True:
        try:
            with connection.transaction():
                _SQL.run(connection, "begin")
                for script in _due(scripts, _applied(connection, scripts)):
                    _apply(connection, script)
            return
        except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable):
            continue  # of two first runs at once, the other one has committed
        except psycopg.errors.LockNotAvailable as error:
            if time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            who = locks.held_by(connection, ("audit", "bronze"))
            raise ServiceError(
                f"the control tables have to be brought to version "
                f"{_newest(scripts)}, and another session has locked them. Nothing "
                "was changed.",
                f"{who or first_line(error)}; then run again.",
            ) from error


def _apply(connection: Connection, script: Script) -> None:
    try:
        connection.execute(script.text)
    except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege):
        raise
    except psycopg.errors.DuplicateTable:
        raise _unknown(connection) from None
    except psycopg.Error as error:
        raise ServiceError(
            f"{_shown(script)} can't be applied to the control tables: "
            f"{first_line(error)}. Nothing was changed.",
            "If nobody has changed the schema audit by hand, please report it.",
        ) from error
    _SQL.run(connection, "note", **vars(script))


def _shown(script: Script) -> str:
    kind = "migrations" if script.version else "derived"
    return f"ingest/control/{kind}/{script.name}"


def _unknown(connection: Connection) -> ConfigurationError:
    return ConfigurationError(
        f"schema audit of database {connection.info.dbname} has control tables that no "
        "release of Seedbed has made, and its migrations can't start from them. "
        "Nothing was changed.",
        "Name another database (PGDATABASE); `./seedbed down --wipe` deletes the one "
        "of the embedded servers.",
    )


def _refused(connection: Connection, error: psycopg.Error) -> ServiceError:
    user, database = connection.info.user, connection.info.dbname
    return ServiceError(
        f"the warehouse refused user {user}: {first_line(error)}.",
        "Seedbed runs as the user that owns the schemas audit and bronze, or in the "
        "loader's role (docs/roles.md); a developer builds with `dbt build --target "
        "postgres`. The owner needs no more than this, from the database's owner: "
        f"grant connect, create, temporary on database {database} to {user}.",
    )
