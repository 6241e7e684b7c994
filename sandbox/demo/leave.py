"""Remove the demo from a project, which keeps its owner's tables and models."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ingest.errors import ConfigurationError
from ingest.seed import generate, metadata, seedfile
from sandbox import demo

# The hand-written files about the demo's tables.
BUSINESS = tuple(Path(p) for p in ("models/gold", "tests/data/gold", "analyses"))


def is_here(root: Path) -> bool:
    """Whether the seed has all tables of the demo."""
    return {*demo.TABLES} <= {table.id for table in metadata.load(root)}


def refuse_without(root: Path, command: str) -> None:
    """Raise ConfigurationError unless the seed has the demo's tables."""
    if not is_here(root):
        raise ConfigurationError(
            f"`./seedbed {command}` needs the demo's shop, which this project's seed "
            "does not have.",
            "Run it in a new clone of Seedbed.",
        )


def unsaved(root: Path) -> list[str]:
    """The paths of seed and models whose state git does not keep."""
    done = subprocess.run(
        [
            *("git", "status", "--porcelain", "--untracked-files=all", "--"),
            *map(str, (metadata.FOLDER, *BUSINESS, *generate.FOLDERS)),
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return ["the whole project, as there is no git repository"]
    return [line[3:] for line in done.stdout.splitlines()]


def leave(root: Path) -> list[metadata.Table]:
    """Delete the demo's rows of the seed and all that depends on them.

    Returns the tables that stay. Data in lake and warehouse are not touched.
    """
    tables = [t for t in metadata.load(root) if t.source.name not in demo.SOURCES]
    names = {column.name for table in tables for column in table.columns}
    for folder in BUSINESS:
        shutil.rmtree(root / folder, ignore_errors=True)
    seedfile.remove(root, "row_access", lambda row: row["column"] not in names)
    # Raises if the owner's SQL reads a table of the demo; the seed is as it was then.
    changes = generate.plan(root, tables)
    for file in ("sources", "tables", "columns", "rules", "options"):
        seedfile.remove(root, file, lambda row: row["source"] in demo.SOURCES)
    generate.apply(root, changes)
    return tables
