"""Sources: a folder for each kind, whose name the seed's `kind` column takes.

A kind is what its folder's `KIND` answers, an object of `kind.Kind`; no other module
knows the name of one.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.seed.metadata import Source
    from ingest.sources.kind import Kind

NAMES = tuple(
    sorted(p.parent.name for p in Path(__file__).parent.glob("*/__init__.py"))
)


def of(source: Source) -> Kind:
    """What answers for the source."""
    return named(source.kind)


@cache
def named(kind: str) -> Kind:
    """The kind of that name; it is imported when it is first asked for."""
    found: Kind = import_module(f"ingest.sources.{kind}").KIND
    return found
