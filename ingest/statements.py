"""Statements of SQL in files.

A file beside a module has one statement, which `query` reads, or several, each below a
line with its name: `runs.sql` beside `runs.py` has those that `Statements(__file__)` of
that module runs. Values are sent apart from the text, as `%(name)s`. Where names of
tables and columns vary, the file is a template in `ingest/sql/`, or that of a kind
of source beside it, which `render` fills.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.rows import class_row, dict_row

if TYPE_CHECKING:
    from jinja2 import Environment

Row = TypeVar("Row")
Connection = psycopg.Connection[Any]


@cache
def query(module: str, name: str = "") -> str:
    """The text of the `.sql` file beside a module: of its own name, or another."""
    path = Path(module)
    return path.with_name(f"{name or path.stem}.sql").read_text(encoding="utf-8")


def render(template: str, /, **values: object) -> str:
    """The SQL of a template of Jinja in `ingest/sql/`, named without its ending.

    Those in `ingest/sources/` are named with their folder.
    """
    return _templates().get_template(f"{template}.sql.jinja").render(values)


@cache
def _templates() -> Environment:
    # Imported here, as most commands render none.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from ingest.quoting import literal, quoted

    here = Path(__file__).parent
    # What is rendered is SQL, where each value passes through one of the filters.
    found = Environment(
        loader=FileSystemLoader([here / "sql", here / "sources"]),
        undefined=StrictUndefined,
        autoescape=False,
    )
    found.filters |= {f.__name__: f for f in (literal, quoted)}
    return found


class Statements:
    """The statements of a module, by the names that `-- name:` lines give them."""

    def __init__(self, module: str) -> None:
        _, *parts = re.split(r"^-- name: (\w+)\n", query(module), flags=re.MULTILINE)
        self.texts = dict(zip(parts[::2], parts[1::2], strict=True))

    def run(
        self, connection: Connection, name: str, /, **values: object
    ) -> psycopg.Cursor[Any]:
        """Run a statement; several at once where they take no values."""
        return connection.execute(self.texts[name], values or None)

    def value(self, connection: Connection, name: str, /, **values: object) -> Any:
        """The first value of the one row that a statement returns."""
        row = self.run(connection, name, **values).fetchone()
        assert row is not None
        return row[0]

    def rows(
        self, connection: Connection, kind: type[Row], name: str, /, **values: object
    ) -> list[Row]:
        """The rows that a statement returns, as objects of a dataclass."""
        with connection.cursor(row_factory=class_row(kind)) as cursor:
            return cursor.execute(self.texts[name], values).fetchall()

    def dicts(
        self, connection: Connection, name: str, /, **values: object
    ) -> list[dict[str, Any]]:
        """The rows that a statement returns, by the names of their columns."""
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(self.texts[name], values).fetchall()
