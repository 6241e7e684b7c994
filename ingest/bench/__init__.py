"""Benchmarks: commands that measure the product, on servers of their own."""

import csv
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest import embedded, metadata, seedfile, settings

HOME = settings.ROOT / ".seedbed" / "bench"
# Downloaded once: the client of MariaDB, the other tools.
_KEPT = {".seedbed", "client", "peers"}
_SERVERS = {*embedded.SERVICES, "stack.json", "stack.lock"}


@contextmanager
def servers(
    report: Callable[[str], None], services: Iterable[str] = embedded.SERVICES
) -> Iterator[Path]:
    """Servers of the benchmark's own; yields their folder, which it may fill.

    The environment names them, as it does the product's. With the block goes all
    that it made.
    """
    before = dict(os.environ)
    HOME.mkdir(parents=True, exist_ok=True)
    _clear(lambda line: None)  # after one that was killed
    try:
        os.environ.update(embedded.up(HOME, report, services))
        os.environ["SEEDBED_SCHEMA"] = "prod"
        os.environ.pop("SEEDBED_EMBEDDED", None)
        yield HOME
    finally:
        _clear(report)
        os.environ.clear()
        os.environ.update(before)


def _clear(report: Callable[[str], None]) -> None:
    embedded.down(HOME, report)
    embedded.wipe(HOME, report)
    _empty(HOME, _KEPT)
    _empty(HOME / ".seedbed", _SERVERS)


def _empty(folder: Path, kept: set[str]) -> None:
    for path in folder.iterdir():
        if path.name in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def seed(root: Path, given: Path) -> None:
    """Write the metadata seed of a benchmark's own project.

    `given` holds CSV files with what rows and columns the benchmark needs; all that
    the product wants besides is there, and empty.
    """
    for name, header in metadata.HEADERS.items():
        path = root / metadata.FOLDER / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(",".join(header) + "\n", encoding="utf-8")
        if (given / path.name).exists():
            with (given / path.name).open(newline="", encoding="utf-8") as rows:
                seedfile.append(root, name, csv.DictReader(rows))
