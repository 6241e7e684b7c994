"""The program of the gate's process: suites of expectations, on one batch at a time.

Run as `python -m gx.checks`. It reads one request per line from its input and writes
one reply per line, as JSON. Great Expectations is imported by `engine` alone.

A request has the batch's measures, so no server and no file of a batch is read here.
Everything is in memory except the data docs. No value of a row is in a result.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from gx import light
from ingest import roomy


def main() -> None:
    """Answer requests until there are no more."""
    with light.imports():
        from gx import engine
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library's output is not a reply
    checks = engine.Checks()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply: dict[str, Any] = {}
            match request["do"]:
                case "check":
                    reply = checks.check(request)
                case "document":
                    checks.document(request["folder"])
                    checks = engine.Checks()
        except Exception as error:
            said = str(error).strip().splitlines() or [""]
            reply = {"error": f"{type(error).__name__}: {said[0]}"}
        replies.write(json.dumps(reply, default=str) + "\n")
        replies.flush()


if __name__ == "__main__":
    roomy.run(main)
