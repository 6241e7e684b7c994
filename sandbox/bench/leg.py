"""One leg of `./seedbed bench ingest`, in a separate process.

Its peak memory and CPU time are then the leg's. Prints seconds by step as JSON:
`python -m sandbox.bench.leg PROJECT STEPS TABLE…`, STEPS joined by commas;
`extract-local` stands for an extract that ends with closed local files.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from pathlib import Path
from typing import Any

from gx import gate
from ingest import extract, load, settings
from ingest.errors import SeedbedError
from ingest.lake import Lake
from ingest.seed import metadata
from ingest.standardise import Standardisation
from orchestration import runner


def main(project: str, names: str, *patterns: str) -> None:
    """Run the steps for the tables as the product does, and print the seconds."""
    settings.ROOT = Path(project)
    seconds: dict[str, float] = {}

    def time_calls(owner: Any, name: str, label: str = "") -> None:
        function = getattr(owner, name)

        @functools.wraps(function)
        def timed(*arguments: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                spent = time.perf_counter() - started
                seconds[label or name] = seconds.get(label or name, 0.0) + spent

        setattr(owner, name, timed)

    steps = names.split(",")
    if steps == ["extract-local"]:
        steps = ["extract"]
        Lake.upload = lambda *_: None  # type: ignore[method-assign]
        Lake.copy = Lake.link  # type: ignore[method-assign]
    time_calls(extract, "extract")
    time_calls(load, "load")
    time_calls(gate, "decide", "validate")
    time_calls(Lake, "upload")
    time_calls(Standardisation, "run", "standardise")
    tables = metadata.enabled(metadata.load(settings.ROOT), patterns)
    result = runner.run(tables, command="bench", steps=steps, with_build=False)
    for outcome in result.outcomes:
        if outcome.error:
            raise outcome.error
    if result.state != "done":
        raise SeedbedError(f"the benchmark's run is {result.state}, not done")
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
