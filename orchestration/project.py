"""dbt's project: whether it has changed, and what dbt parsed of it.

dbt takes seconds to find that nothing has changed. So what it parsed is kept, in a
process and, by dbt itself, on disk, with a checksum of all that this depends on.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from ingest import settings
from orchestration import artifacts

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_FILES = ("dbt_project.yml", "profiles.yml", "packages.yml", "package-lock.yml")
_VARIABLE = re.compile(r"""env_var\(\s*['"](\w+)['"]""")
# What is secret, and what differs by run, decides nothing that is parsed.
_UNPARSED = re.compile("KEY|PASS|SECRET|TOKEN|RUN_ID")
_parsed: dict[tuple[Path, str], tuple[str, Manifest]] = {}


def checksum(target: str) -> str:
    """A checksum of the project for a target, as hexadecimal digits.

    It holds the files, the variables of the environment that they name (the schemas
    are one), and dbt.
    """
    found = hashlib.sha256()
    names: set[str] = set()
    for path in _files(settings.ROOT):
        text = path.read_bytes()
        head = f"{path.relative_to(settings.ROOT)} {len(text)}\n"
        found.update(head.encode() + text)
        names.update(_VARIABLE.findall(text.decode(errors="replace")))
    names = {name for name in names if not _UNPARSED.search(name)}
    values = {name: os.environ.get(name) for name in sorted(names)}
    dbt = [version("dbt-core"), version(f"dbt-{target}")]
    found.update(json.dumps([target, values, dbt]).encode())
    return found.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    yield from (root / name for name in _FILES if (root / name).exists())
    settled = yaml.safe_load((root / "dbt_project.yml").read_text())
    folders = {
        folder
        for key, paths in settled.items()
        if key.endswith("-paths") and isinstance(paths, list)
        for folder in paths
    }
    for folder in sorted({*folders, "dbt_packages"}):
        yield from sorted(path for path in (root / folder).rglob("*") if path.is_file())


def manifest(target: str, parse: Callable[[], Manifest]) -> Manifest:
    """The project as dbt parsed it, by `parse` if it has changed since."""
    key, now = (settings.ROOT, target), checksum(target)
    before, parsed = _parsed.pop(key, ("", None))
    if before != now or parsed is None:
        gc.unfreeze()
        parsed = _kept(target, now) or parse()
        if _file(target, "msgpack").exists():
            _file(target, "checksum").write_text(_of(target, now))
        # It stays, so the collector need not look through it again and again.
        gc.collect()
        gc.freeze()
    _parsed[key] = now, parsed
    return parsed


def _kept(target: str, now: str) -> Manifest | None:
    """What dbt parsed last, if it was this project."""
    from dbt.contracts.graph.manifest import Manifest

    try:
        is_same = _file(target, "checksum").read_text() == _of(target, now)
        if not is_same or not (artifacts.folder(target) / "manifest.json").exists():
            return None
        kept = Manifest.from_msgpack(_file(target, "msgpack").read_bytes())
    except (OSError, ValueError):
        return None
    # As dbt does where it finds that nothing has changed.
    kept.build_parent_and_child_maps()  # type: ignore[no-untyped-call]
    kept.build_flat_graph()  # type: ignore[no-untyped-call]
    return kept


def _of(target: str, now: str) -> str:
    """A checksum, and which file dbt wrote: another command writes another one."""
    stat = _file(target, "msgpack").stat()
    return f"{now} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns}\n"


def _file(target: str, ending: str) -> Path:
    """What dbt has parsed, `msgpack`, or what it was parsed from, `checksum`."""
    return artifacts.folder(target) / f"partial_parse.{ending}"
