"""SQL of more than a few lines: templates of Jinja in `ingest/sql/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ingest.duck import literal, quoted


@cache
def _environment() -> Environment:
    # What is rendered is SQL, where each value passes through one of the filters.
    found = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("sql")),
        undefined=StrictUndefined,
        autoescape=False,
    )
    found.filters |= {"literal": literal, "quoted": quoted}
    return found


def render(template: str, /, **values: object) -> str:
    """The SQL of a template: a file, named without its ending."""
    return _environment().get_template(f"{template}.sql.jinja").render(values)
