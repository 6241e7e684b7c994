"""The outbox: alerts and lineage are sent by a process of its own.

What waits is in the control tables, so nothing is lost while an endpoint is down, and
no run waits for one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

from ingest import settings

# Where a message can go to; without any of them nothing is started.
CHANNELS = {
    "slack": "SEEDBED_SLACK_WEBHOOK_URL",
    "pagerduty": "SEEDBED_PAGERDUTY_KEY",
    "mail": "SEEDBED_MAIL_URL",
    "file": "SEEDBED_ALERT_FILE",
}

# Python warns when it forgets a child that still runs; these run on by intent.
_children: list[subprocess.Popen[bytes]] = []


def send_later() -> None:
    """Let what waits be sent; returns at once, and never fails."""
    variables = (*CHANNELS.values(), "OPENLINEAGE_URL")
    if not any(os.environ.get(variable) for variable in variables):
        return
    with suppress(OSError):
        _children.append(
            subprocess.Popen(
                [sys.executable, "-m", "orchestration", "deliver"],
                cwd=settings.ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
