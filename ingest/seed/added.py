"""Columns that models have besides the table's own: `added.yml`, in their order."""

from __future__ import annotations

from ingest.seed import beside

# Name, canonical type, description.
Added = tuple[str, str, str]

_FILE: dict[str, list[Added]] = beside.facts(__file__)


def _of(name: str) -> tuple[Added, ...]:
    return tuple((column, kind, text) for column, kind, text in _FILE[name])


STAGING = _of("staging")
CURRENT = _of("current")
VERSION = _of("version")
CHANGE = _of("change")
SEEN_VERSION = _of("seen_version")
SNAPSHOT = _of("snapshot")
SCORE = _of("score")
