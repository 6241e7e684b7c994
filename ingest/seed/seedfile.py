"""Write rows of the metadata seed; all that is there stays as a person wrote it."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ingest.seed.metadata import FOLDER, HEADERS

Row = Mapping[str, str]


def append(root: Path, file: str, rows: Iterable[Row]) -> None:
    """Add rows at the end of `file` (tables, columns, …) below `root`."""
    if new := [_line(file, row) for row in rows]:
        path = _path(root, file)
        text = path.read_bytes().decode()
        ending = "" if text.endswith("\n") or not text else "\n"
        put(path, (text + ending + "".join(new)).encode())


def change(root: Path, file: str, row: Row, cells: Row) -> bool:
    """Set `cells` in the rows that have all values of `row`; whether one did."""

    def changed(old: Row) -> Row:
        is_meant = all(old.get(k) == v for k, v in row.items())
        return {**old, **cells} if is_meant else old

    return _rewrite(root, file, changed)


def remove(root: Path, file: str, is_meant: Callable[[Row], bool]) -> None:
    """Take out the rows that are meant."""
    _rewrite(root, file, lambda row: None if is_meant(row) else row)


def _rewrite(root: Path, file: str, new: Callable[[Row], Row | None]) -> bool:
    """Put what `new` makes of each row in its place; whether that is not the row.

    Other lines stay as they are, byte for byte.
    """
    path = _path(root, file)
    lines = io.StringIO(path.read_bytes().decode(), newline="").readlines()
    reader = csv.reader(lines)
    out: list[str] = []
    start, found = 0, False
    for values in reader:
        old: Row = dict(zip(HEADERS[file], values, strict=False))
        now = new(old) if start and values else old
        if now is old:
            out += lines[start : reader.line_num]
        else:
            found = True
            out += [_line(file, now)] if now else []
        start = reader.line_num
    if found:
        put(path, "".join(out).encode())
    return found


def put(path: Path, content: bytes) -> None:
    """Write a file by a rename: a reader sees the old one or the new one."""
    path = path.resolve()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        if path.exists():
            shutil.copymode(path, draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _line(file: str, row: Row) -> str:
    out = io.StringIO()
    cells = [row.get(name, "") for name in HEADERS[file]]
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _path(root: Path, file: str) -> Path:
    return root / FOLDER / f"{file}.csv"
