"""Who may read what Seedbed writes: its owner alone, but for the project's own files.

Rows are in many places on this machine: the lake's local files, drafts, backups,
reports, the gate's pages, logs of the servers. So nothing is for others unless it says
so, from its first byte.
"""

from __future__ import annotations

import os
from pathlib import Path

# What this process was started with; a clone may be shared.
_callers = 0o022


def begin() -> int:
    """From here on all that this process and its children write is its owner's.

    Returns the mask that was there.
    """
    global _callers
    before = os.umask(0o077)
    if before != 0o077:
        _callers = before
    return before


def share(path: Path) -> None:
    """Let others read a file that is meant for them, as far as the caller's mask does.

    Such as one of the project, with the folders that were made for it.
    """
    path.chmod(0o666 & ~_callers)


def folder(path: Path) -> None:
    """Make a folder of the project, with those above it."""
    for made in (*reversed(path.parents), path):
        if not made.exists():
            made.mkdir()
            made.chmod(0o777 & ~_callers)
