"""dbt's artifacts: the files that its last command for a target has left.

Each is parsed once, however many ask for it, until dbt writes it again.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from ingest import settings
from ingest.errors import SeedbedError

Json = dict[str, Any]
_parsed: dict[Path, tuple[tuple[int, ...], Json]] = {}


def folder(target: str) -> Path:
    """Where dbt keeps what it parsed and compiled for a target.

    Each has a folder of its own, as dbt parses everything again for another target.
    """
    found = settings.ROOT / "target"
    return found if target == "postgres" else found / target


def manifest(place: Path) -> Json:
    """The manifest in a folder; empty before dbt's first command."""
    return _read(place / "manifest.json") or {}


def nodes(place: Path) -> dict[str, Json]:
    """The manifest's models, tests, snapshots and seeds, by their unique ids.

    SeedbedError if dbt has left none, which is not the same as an empty one.
    """
    found: dict[str, Json] | None = manifest(place).get("nodes")
    if found is None:
        raise SeedbedError(
            f"dbt has left no manifest in {place}.", "Build with `./seedbed build`."
        )
    return found


def written(file: Path, since: dt.datetime) -> Json | None:
    """A file of results, unless a command before `since` has written it."""
    found = _read(file)
    if found is None:
        return None
    at = dt.datetime.fromisoformat(found["metadata"]["generated_at"])
    return found if at >= since else None


def _read(file: Path) -> Json | None:
    try:
        stat = file.stat()
        is_of = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if file not in _parsed or _parsed[file][0] != is_of:
            _parsed[file] = is_of, json.loads(file.read_text())
    except FileNotFoundError:
        return None
    return _parsed[file][1]
