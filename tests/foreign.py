"""A project without the demo, over databases that a test makes on any server.

The server is the embedded MariaDB or, at night as well, a MySQL (tests/mysql.py).
Where MYSQL_TEST_SERVER names one (`mysql://USER:PASSWORD@HOST:PORT`), whose user may
create databases, it is that one alone.
"""

import csv
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pymysql
import pytest

from ingest.seed import discover, seedfile
from ingest.seed.discover import judge
from ingest.seed.metadata import HEADERS
from sandbox import servers as embedded
from tests.clone import Clone

NAMED = os.environ.get("MYSQL_TEST_SERVER", "").rstrip("/")
SERVERS = (
    ["mysql"] if NAMED else ["mariadb", pytest.param("mysql", marks=pytest.mark.long)]
)


class Foreign(Clone):
    """A clone without the demo, and databases of any name."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        # Another server than the clone's own.
        self.elsewhere = ""

    @property
    def server(self) -> str:
        """The server's URL, for a user who may do anything."""
        if self.elsewhere:
            return self.elsewhere
        place = urlsplit(embedded.admin_url(self.root))
        user = f"operator:{quote(self.operator, safe='')}"
        return f"mysql://{user}@{place.hostname}:{place.port}"

    @contextmanager
    def asking(self, schema: str = "") -> Iterator[pymysql.cursors.Cursor]:
        """A cursor of that user, in UTC and with any value allowed."""
        url = urlsplit(self.server)
        with (
            pymysql.connect(
                host=url.hostname,
                port=url.port or 3306,
                user=url.username,
                password=unquote(url.password or ""),
                database=schema or None,
                charset="utf8mb4",
                autocommit=True,
                init_command="set time_zone = '+00:00', sql_mode = ''",
            ) as connection,
            connection.cursor() as cursor,
        ):
            yield cursor

    def ask(self, schema: str, *statements: str) -> list[tuple[Any, ...]]:
        """Execute statements in a schema; the rows of the last one."""
        with self.asking(schema) as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if statements else []

    def create(self, schema: str, *statements: str) -> None:
        """Make the schema anew, execute statements in it, and name it as a source."""
        self.ask(
            "", f"drop database if exists `{schema}`", f"create database `{schema}`"
        )
        self.ask(schema, *statements)
        self.env[f"{schema.upper()}_URL"] = f"{self.server}/{schema}"

    def empty(self) -> None:
        """Forget all tables of the seed."""
        for name, header in HEADERS.items():
            path = self.root / "seeds" / "metadata" / f"{name}.csv"
            path.write_text(",".join(header) + "\n")
        self.generate()

    def restore_seed(self) -> None:
        """The seed is emptied anyway."""

    def discover(self, name: str, **options: Any) -> discover.Discovery:
        """`./seedbed discover NAME` and `./seedbed generate`."""
        # How busy this machine is does not decide what is proposed.
        with self.inside(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(judge, "SECONDS", judge.VIEW_SECONDS)
            found = discover.discover(self.root, name, **options)
        self.generate()
        return found

    def rows(self, file: str) -> list[dict[str, str]]:
        """The rows of a seed file."""
        path = self.root / "seeds" / "metadata" / f"{file}.csv"
        with path.open(newline="", encoding="utf-8") as text:
            return list(csv.DictReader(text))

    def edit(self, file: str, where: Mapping[str, str], **cells: str) -> None:
        """Change cells of the one row of a seed file in which `where` holds."""
        self.edit_all((file, where, cells))

    def edit_all(
        self, *changes: tuple[str, Mapping[str, str], Mapping[str, str]]
    ) -> None:
        """Such changes that are right together only: file, where, cells."""
        for file, where, cells in changes:
            seedfile.change(self.root, file, where, cells)
        self.generate()

    def add(self, file: str, *rows: Mapping[str, str]) -> None:
        """Add rows to a seed file."""
        seedfile.append(self.root, file, [dict(row) for row in rows])
        self.generate()

    def run_well(self, **options: Any) -> None:
        """`./seedbed run`, which is done and found right by the comparator."""
        result = self.run(**options)
        errors = [str(o.error) for o in result.outcomes if o.error]
        errors += self.query("select * from audit.dq_result where not passed")
        assert result.state == "done", errors or result

    def silver(self, model: str) -> list[dict[str, Any]]:
        """The live rows of a model."""
        return [r for r in self.relation("silver", model) if not r["is_deleted"]]
