"""Reads a file of proposals as DataHub does; prints what it made of them as JSON.

Run by the Python of `.venv/datahub`: `check.py FILE`.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from datahub.ingestion.run.pipeline import Pipeline


def main(file: Path) -> None:
    """Take the proposals through DataHub's source `file` into another file."""
    sunk = file.with_suffix(".sunk")
    pipeline = Pipeline.create(
        {
            "source": {"type": "file", "config": {"path": str(file)}},
            "sink": {"type": "file", "config": {"filename": str(sunk)}},
        }
    )
    pipeline.run()
    report = pipeline.source.get_report()
    read = Counter(one["aspectName"] for one in json.loads(sunk.read_text()))
    failures = [str(one) for one in (*report.failures, *report.warnings)]
    print("found:" + json.dumps({"read": read, "failures": failures}))


main(Path(sys.argv[1]))
