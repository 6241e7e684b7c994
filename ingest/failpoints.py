"""Failpoints: named points between two steps at which the tests kill the process.

They are part of the product, so that the tests run the same code; without the variable
`SEEDBED_FAILPOINT` a point costs one look-up.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    "after_plan",
    "after_range",
    "before_upload",
    "before_manifest",
    "after_manifest",
    "after_extract",
    "in_load",
    "after_load",
    "after_gate",
    "after_build",
    "in_publish",
)


def reach(point: str) -> None:
    """Pass a failpoint; the process ends here when the environment asks for it."""
    assert point in POINTS, point
    if os.environ.get("SEEDBED_FAILPOINT") == point:
        os.kill(os.getpid(), signal.SIGKILL)
