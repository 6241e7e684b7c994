"""Benchmarks: commands that measure the product, on servers of their own."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest import embedded, settings

HOME = settings.ROOT / ".seedbed" / "bench"


@contextmanager
def servers(
    report: Callable[[str], None], services: Iterable[str] = embedded.SERVICES
) -> Iterator[Path]:
    """Servers of the benchmark's own, removed with the block; yields their folder.

    The environment names them, as it does the product's.
    """
    before = dict(os.environ)
    HOME.mkdir(parents=True, exist_ok=True)
    try:
        os.environ.update(embedded.up(HOME, report, services))
        os.environ["SEEDBED_SCHEMA"] = "prod"
        os.environ.pop("SEEDBED_EMBEDDED", None)
        yield HOME
    finally:
        embedded.down(HOME, report)
        embedded.wipe(HOME, report)
        os.environ.clear()
        os.environ.update(before)
