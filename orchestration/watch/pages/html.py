"""What is common to the pages that Seedbed writes.

Texts are escaped by the templates, data by `json_in_html`; should anything get past
them, the page's policy lets no script run but its own.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"

# Within <script>, HTML ends the element at `</script` and knows `<!--`; the other two
# are line ends to old JavaScript and not to JSON.
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_ESCAPES |= {"\u2028": "\\u2028", "\u2029": "\\u2029"}
_TABLE = str.maketrans(_ESCAPES)


def escape_json(text: str) -> str:
    """JSON as it may stand within a script element; it means the same."""
    return text.translate(_TABLE)


def json_in_html(value: Any) -> str:
    """The value as JSON that may stand within a script element."""
    return escape_json(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: object) -> object:
    match value:
        case Decimal():
            return float(value)
        case dt.datetime() | dt.date():
            return value.isoformat()
    return str(value)


def policy(scripts: Sequence[str], *, eval_too: bool = False) -> str:
    """A content security policy: these scripts, and nothing from elsewhere.

    With `eval_too` they may compile text to code.
    """
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = [f"'sha256-{base64.b64encode(d).decode()}'" for d in digests]
    if eval_too:
        allowed.append("'unsafe-eval'")
    said = " ".join(allowed) or "'none'"
    return (
        f"default-src 'none'; script-src {said}; "
        "style-src 'unsafe-inline'; img-src data:; font-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def write(path: Path, text: str) -> None:
    """Write a page whole: who looks at it meanwhile sees the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}")
    draft.write_text(text, encoding="utf-8", newline="\n")
    draft.replace(path)


def render(template: str, scripts: Sequence[str] = (), **values: Any) -> str:
    """A page from a template, with the scripts that may run in it."""
    return (
        _templates()
        .get_template(template)
        .render(scripts=scripts, policy=policy(scripts), style=style(), **values)
    )


def style() -> str:
    """The style sheet of all pages."""
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")


def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {show.__name__: show for show in (age, count, moment, took)}
    return environment


def count(number: int | Decimal | None) -> str:
    """A whole number, or a dash where there is none."""
    return "—" if number is None else f"{number:,}"


def took(seconds: float) -> str:
    """A duration."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def age(minutes: float) -> str:
    """How long ago something was."""
    if minutes < 1:
        return "under a minute"
    if minutes < 90:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:,.0f} days"


def moment(when: dt.datetime | None) -> str:
    """An instant in UTC, to the minute."""
    if when is None:
        return "—"
    if when.tzinfo is not None:
        when = when.astimezone(dt.UTC)
    return f"{when:%Y-%m-%d %H:%M}"
