"""The files of the metadata seed as rows, each with its line; faults are collected."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingest.errors import ConfigurationError, meant
from ingest.seed.metadata.names import faults_of_name

FOLDER = Path("seeds/metadata")

HEADERS = {
    "sources": "source kind url_env schema timezone owner description".split(),
    "tables": (
        "source table model load_type watermark_column delete_mode "
        "on_schema_change owner enabled description"
    ).split(),
    "columns": (
        "source table column name data_type nullable key_position tracked "
        "cleanse pii description"
    ).split(),
    "rules": "source table column check argument severity layer description".split(),
    "options": "source table option value".split(),
    "row_access": "role column value description".split(),
}


# A file, a line of it, and what is wrong there.
Fault = tuple[str, int, str]


class MetadataError(ConfigurationError):
    """The metadata seed has faults; `faults` has a line for each."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(
            f"the metadata seed has {count}; nothing was written.\n" + "\n".join(faults)
        )


@dataclass
class Row:
    """One line of a file, with the faults that were found in any file so far."""

    file: str
    line: int
    values: dict[str, str]
    faults: list[Fault] = field(repr=False)

    def __getitem__(self, column: str) -> str:
        return self.values[column]

    @property
    def table(self) -> tuple[str, str]:
        """The source and the table that it is about."""
        return self["source"], self["table"]

    def fault(self, *texts: str) -> None:
        """Note what is wrong in the row, and how to fix it."""
        self.faults.extend((self.file, self.line, text) for text in texts)

    def choice(self, column: str, known: Collection[str]) -> str:
        """The cell, which is one of the known words."""
        value = self[column]
        if value not in known:
            self.fault(
                f"{column} {value!r} is not known.{meant(value, known)} "
                f"One of: {', '.join(known)}"
            )
        return value

    def flag(self, column: str, default: bool) -> bool:
        """The cell, which is true, false or empty."""
        if self[column] not in ("", "true", "false"):
            self.fault(f"{column} is {self[column]!r}; write true or false")
        return self[column] == "true" if self[column] else default

    def identifier(self, column: str) -> None:
        """The cell is a name in the warehouses."""
        self.fault(*faults_of_name(column, self[column]))


def raise_any(faults: list[Fault]) -> None:
    """Raise them in the order in which the files refer to each other."""
    files = [str(FOLDER / f"{name}.csv") for name in HEADERS]
    ordered = sorted(faults, key=lambda f: (files.index(f[0]), f[1]))
    if ordered:
        raise MetadataError([f"{f}:{n}: {text}" for f, n, text in ordered])


def read_rows(root: Path, name: str, faults: list[Fault]) -> list[Row]:
    """The rows of a file below `root`; none if it is missing or has another header.

    `faults` gets what is wrong with the file, and later what is wrong in its rows.
    """
    path, header = FOLDER / f"{name}.csv", HEADERS[name]

    def fault(line: int, text: str) -> None:
        faults.append((str(path), line, text))

    try:
        text = (root / path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        fault(1, "the file is missing")
        return []
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        fault(line, "not UTF-8; save the file as UTF-8")
        return []
    reader = csv.reader(io.StringIO(text, newline=""))
    if next(reader, []) != header:
        fault(1, f"the header is not {','.join(header)}")
        return []
    rows = []
    line = reader.line_num + 1
    for values in reader:
        if len(values) == len(header):
            cells = {
                # A name of the source may begin with a blank.
                k: v if k in ("table", "column") else v.strip()
                for k, v in zip(header, values, strict=True)
            }
            rows.append(Row(str(path), line, cells, faults))
        elif values:
            fault(
                line,
                f"{len(values)} cells where the header has {len(header)}; "
                "quote a cell that holds a comma",
            )
        line = reader.line_num + 1
    return rows


def check_unique(rows: Iterable[Row], what: str, *columns: str) -> None:
    """No two rows have the same values in all `columns`."""
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        name = tuple(row[column] for column in columns)
        first = seen.setdefault(name, row.line)
        if first != row.line:
            row.fault(
                f"{what} {'.'.join(name)} is there already, in line {first}; "
                "remove one of the two"
            )


def check_known(
    rows: Iterable[Row],
    columns: Sequence[str],
    known: Collection[str],
    what: str,
    file: str,
) -> None:
    """What `columns` name is known, or a fault for each, at its first line."""
    strangers: dict[str, list[Row]] = {}
    for row in rows:
        name = ".".join(row[column] for column in columns)
        if name not in known:
            strangers.setdefault(name, []).append(row)
    for name, lines in strangers.items():
        lines_too = f", which {len(lines)} lines name" if len(lines) > 1 else ""
        lines[0].fault(
            f"{what} {name!r} is not in {file}{lines_too}.{meant(name, known)}"
        )
