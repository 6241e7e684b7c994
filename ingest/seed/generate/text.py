"""How values of the seed are written into SQL, Jinja and YAML: as text, never code."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ingest.seed import beside
from ingest.seed.checks import Model, Sql
from ingest.seed.metadata import Table
from ingest.seed.suites import NOTICE

Node = dict[str, Any]
# The C one writes the same five times as fast, and each run compares all files.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def as_model(body: str) -> str:
    """A model's file."""
    return f"-- {NOTICE}\n{body}\n"


def as_yaml(data: Node) -> str:
    """A file of YAML."""
    text = yaml.dump(
        data, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=88
    )
    return f"# {NOTICE}\n{text}"


# What is written is Jinja itself, so here it is `<% %>`, `<< >>` and `<# #>`.
_TEMPLATES = Environment(
    block_start_string="<%",
    block_end_string="%>",
    variable_start_string="<<",
    variable_end_string=">>",
    comment_start_string="<#",
    comment_end_string="#>",
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=StrictUndefined,
    loader=FileSystemLoader(Path(__file__).parent),
)


def render(template: str, **values: Any) -> str:
    """A template of this folder with the values, whose filter `literal` is below."""
    return _TEMPLATES.get_template(template).render(values)


_SHAPES = beside.facts(str(Path(__file__).with_name("shapes")))


def node(shape: str, table: Table, **values: Any) -> Node:
    """A shape of `shapes.yml` with facts of the table, and with the values, in it."""
    facts = {
        "id": table.id,
        "model": table.model,
        "derived": table.derived,
        "log": table.bronze,
        "owner": shown(table.owner),
        "description": shown(table.description),
        "key": [c.name for c in table.key],
        "row_filter": table.options.row_filter_column or None,
        "warn_minutes": table.options.freshness_warn_minutes,
        "error_minutes": table.options.freshness_error_minutes,
        "on_schema_change": table.on_schema_change,
    }
    return filled(shape, facts | values)


def filled(shape: str, values: dict[str, Any]) -> Node:
    """A shape of `shapes.yml` with the values in it."""
    found: Node = beside.filled(_SHAPES[shape], values)
    return found


def shown(text: str) -> str:
    """`text` for a place where dbt renders Jinja and a page shows HTML."""
    return re.sub(r"\{(?=[{%#])", "{{ '{' }}", text).replace("<", "&lt;")


def argument(text: str, *, quoted: bool = True) -> str:
    """`text` as a test's argument, which dbt renders and puts between quotes.

    dbt takes a text that reads as a number or a list for one, unless it is marked as
    a text.
    Not `quoted`: the test takes it as it is.
    """
    text = text.replace("'", "''") if quoted else text
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        if not re.search(r"\{[{%#]", text):
            return text
    return f"{{{{ {literal(text)} | as_text }}}}"


def as_argument(value: Any) -> Any:
    """A value as an argument of a test, whose texts are values, SQL or models."""
    match value:
        case dict():
            return {name: as_argument(one) for name, one in value.items()}
        case list():
            return [as_argument(one) for one in value]
        case Model():
            return str(ref(value))
        case str():
            return argument(str(value), quoted=not isinstance(value, Sql))
    return value


def call(macro: str, **arguments: Any) -> str:
    """A macro call with one literal argument a line; `Raw` text stays as it is."""
    lines = []
    for name, value in arguments.items():
        line = f"    {name}={literal(value)},\n"
        is_list = isinstance(value, list) and bool(value)
        if is_list and (isinstance(value[0], dict) or len(line) > 80):
            items = "".join(f"        {literal(item)},\n" for item in value)
            lines.append(f"    {name}=[\n{items}    ],\n")
        else:
            lines.append(line)
    return f"{{{{ {macro}(\n{''.join(lines)}) }}}}"


class Raw(str):
    """Jinja that is written as it is."""


def literal(value: Any) -> str:
    """A value as Jinja writes it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Model):
        value = ref(value)
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(literal(v) for v in value) + "]"
    if isinstance(value, dict):
        inner = ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items())
        return "{" + inner + "}"
    # JSON's quoting is Jinja's; single quotes as everywhere in the project.
    return "'" + json.dumps(value, ensure_ascii=False)[1:-1].replace("'", "\\'") + "'"


def ref(name: str) -> Raw:
    """A reference to another model."""
    return Raw(f"ref('{name}')")


_TEMPLATES.filters["literal"] = literal
