"""Modes of the files that Seedbed writes: their owner's only, except the project's.

Rows are in many places on this machine: the lake's local files, drafts, backups,
reports, the gate's pages, logs of the servers. So no file is readable by others unless
`share` is called, from its first byte.
"""

from __future__ import annotations

import os
from pathlib import Path

# The mask that this process was started with; a clone may be shared.
_callers = 0o022


def begin() -> int:
    """From here on, files of this process and its children are their owner's only.

    Returns the mask before.
    """
    global _callers
    before = os.umask(0o077)
    if before != 0o077:
        _callers = before
    return before


def share(path: Path) -> None:
    """Let others read a file, as far as the caller's mask allows.

    Such as one of the project, with the folders that were made for it.
    """
    path.chmod(0o666 & ~_callers)


def folder(path: Path) -> None:
    """Make a folder of the project, with those above it."""
    for made in (*reversed(path.parents), path):
        if not made.exists():
            made.mkdir()
            made.chmod(0o777 & ~_callers)
