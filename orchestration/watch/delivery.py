"""Delivery: something is posted, tried again, and noted in audit.delivery."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence

from ingest.control import Connection
from ingest.errors import SeedbedError, ServiceError
from ingest.statements import query

# How long a request may take.
SECONDS = 10
# Pauses before an endpoint is tried again, in seconds; then the next run tries.
PAUSES = (1, 5)


def post(name: str, url: str, body: str, token: str = "") -> None:
    """Send JSON; ServiceError where the other side, called `name`, refuses."""
    headers = {"Content-Type": "application/json", "User-Agent": "seedbed"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        request = urllib.request.Request(url, body.encode(), headers)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        raise ServiceError(f"{name} answered {error.code}") from None
    except (OSError, ValueError) as error:
        # Their texts may hold the address, which is a secret.
        raise ServiceError(f"{name} is out of reach: {type(error).__name__}") from None


def attempt(send: Callable[[], None], pauses: Sequence[float]) -> str | None:
    """Send, once more after each of the pauses; the fault of the last try."""
    for pause in (*pauses, None):
        try:
            send()
        except SeedbedError as error:
            if pause is None:
                return str(error)
            time.sleep(pause)
        else:
            return None
    return None


def note(
    connection: Connection,
    channel: str,
    subject: str,
    fault: str | None,
    *,
    is_sent: bool,
    tries: int = 1,
    parts: int = 0,
) -> None:
    """Note what came of it; `parts` are those that were sent of a subject with some."""
    values = {
        "channel": channel,
        "subject": subject,
        "is_sent": is_sent,
        "tries": tries,
        "fault": fault,
        "parts": parts,
    }
    connection.execute(query(__file__), values)
