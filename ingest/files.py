"""Query results as Parquet files of the lake."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from ingest.duck import Engine, literal, one_thread, scalar
from ingest.lake import Lake, Part

FILE_BYTES = 128 << 20
# Readers and writers hold a whole row group: it is limited in bytes as well, since a
# row may have any length.
GROUP_BYTES = 16 << 20
PARQUET = (
    "format parquet, compression zstd, row_group_size 122880, "
    f"row_group_size_bytes {GROUP_BYTES}"
)


def write_all(
    engine: Engine, lake: Lake, queries: Sequence[str], key: str, name: str
) -> tuple[Part, ...]:
    """Write the rows of all queries, one after the other, each to separate files."""
    if len(queries) == 1:
        return write(engine, lake, queries[0], key, name)
    parts: tuple[Part, ...] = ()
    with one_thread(engine):  # each one would hold a piece's rows
        for number, rows in enumerate(queries):
            parts += write(engine, lake, rows, key, f"{name}-piece-{number:05d}")
    return parts


def write(
    engine: Engine, lake: Lake, rows: str, key: str, name: str
) -> tuple[Part, ...]:
    """Write query `rows` as `key/name-0000.parquet`, … of about 128 MB each."""
    folder = lake.local(key)
    draft = folder / f".{name}"
    shutil.rmtree(draft, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{name}-*.parquet"):
        old.unlink()
    engine.execute(
        f"copy ({rows}) to {literal(draft)} ({PARQUET}, per_thread_output false, "
        f"file_size_bytes {FILE_BYTES}, filename_pattern '{name}-{{i}}')"
    )
    parts = []
    number = len(name) + 1
    files = sorted(draft.glob("*.parquet"), key=lambda p: int(p.stem[number:]))
    for count, file in enumerate(files):
        target = f"{key}/{name}-{count:04d}.parquet"
        file.rename(lake.local(target))
        rows_there = scalar(
            engine,
            "select sum(num_rows)::bigint from parquet_file_metadata("
            f"{literal(lake.local(target))})",
        )
        parts.append(lake.describe(target, rows_there))
    shutil.rmtree(draft, ignore_errors=True)
    return tuple(parts)
