"""Listing: which files a glob names, and what columns each of them has."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

import duckdb

from ingest import settings
from ingest.duck import literal
from ingest.errors import SourceError
from ingest.seed.metadata import Source
from ingest.sources.kind import Session

FILE, LINE, MODIFIED = "_file", "_line", "_modified"
# Formats by the end of a name; what is compressed has .gz or .zst behind it.
FORMATS = {
    "csv": "csv",
    "tsv": "csv",
    "json": "json",
    "ndjson": "json",
    "jsonl": "json",
    "parquet": "parquet",
}
_ENDING = re.compile(r"\.(\w+?)(?:\.(?:gz|zst))?$")
# Rows whose keys say which columns a file of JSON has.
_KEYS_IN = 1_000


@dataclass(frozen=True)
class File:
    """A file: its path, its name below the source's URL, bytes and time, in UTC."""

    path: str
    name: str
    size: int
    modified: dt.datetime

    @property
    def format(self) -> str:
        """How it is read; '' if it is not known."""
        return format_of(self.name)

    @property
    def partitions(self) -> dict[str, str | None]:
        """The values that folders such as `year=2026` give, by column."""
        pairs = (part.partition("=") for part in self.name.split("/")[:-1])
        return {
            unquote(name): None if "HIVE_DEFAULT" in value else unquote(value)
            for name, mark, value in pairs
            if mark and name
        }


class Dialect(NamedTuple):
    """How a CSV file is written."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    header: bool = True

    def __str__(self) -> str:
        delimiter = self.delimiter.replace("\t", "\\t")
        return (
            f"delimiter={delimiter} quote={self.quote} escape={self.escape} "
            f"header={'true' if self.header else 'false'}"
        )


def dialect(text: str) -> Dialect:
    """The dialect that the option `csv_dialect` says; the usual one for ''."""
    if not text:
        return Dialect()
    said = dict(part.split("=", 1) for part in text.split(" "))
    return Dialect(
        said["delimiter"].replace("\\t", "\t"),
        said["quote"],
        said["escape"],
        said["header"] == "true",
    )


def format_of(name: str) -> str:
    """The format of a file's name, or of a glob; '' if it is not known."""
    found = _ENDING.search(name.lower())
    return FORMATS.get(found[1], "") if found else ""


def base(source: Source) -> str:
    """What stands before the names of the source's files."""
    url = settings.source_url(source)
    place = f"s3://{url.host}/{url.path}" if url.host else url.path
    return place.rstrip("/")


def listed(session: Session, source: Source, glob: str) -> list[File]:
    """The files of a glob, the oldest first; hidden ones are none.

    Raises SourceError for a glob that leaves the source's folder.
    """
    if ".." in glob.split("/") or glob.startswith("/"):
        raise SourceError(
            f"{source.name}: table {glob!r} leaves the folder of {source.url_env}.",
            "Name files below it in seeds/metadata/tables.csv, such as orders/*.csv.",
            may_pass=False,
        )
    before = base(source)
    try:
        found = session.rows(
            "select filename, size, last_modified at time zone 'utc' "
            f"from read_blob({literal(f'{before}/{glob}')})"
        )
    except duckdb.HTTPException as error:
        if "404" not in str(error):
            raise
        found = []  # a bucket's answer to a name without a sign of a glob
    files = [
        File(path, path.removeprefix(f"{before}/"), size, modified)
        for path, size, modified in found
    ]
    shown = [f for f in files if not any(p[:1] == "." for p in f.name.split("/"))]
    return sorted(shown, key=lambda f: (f.modified, f.name))


_headers: dict[tuple[File, Dialect], dict[str, str]] = {}


def header(session: Session, file: File, dialect: Dialect) -> Mapping[str, str]:
    """A file's columns in their order, with DuckDB's types; {} for an empty one."""
    if (file, dialect) not in _headers:
        read = {"csv": _of_csv, "json": _of_json, "parquet": _of_parquet}[file.format]
        _headers[file, dialect] = read(session, file, dialect)
    return _headers[file, dialect]


def first_line(session: Session, file: File) -> str:
    """The first line of a file of text."""
    lines = session.rows(
        f"select line from read_csv({literal(file.path)}, delim = '\x01', quote = '', "
        "escape = '', header = false, columns = {'line': 'VARCHAR'}, "
        "auto_detect = false, strict_mode = false, ignore_errors = true) limit 1"
    )
    return lines[0][0] or "" if lines else ""


def _of_csv(session: Session, file: File, dialect: Dialect) -> dict[str, str]:
    names = first_fields(first_line(session, file), dialect)
    if not dialect.header:
        names = [f"column{n}" for n in range(len(names))]
    found: dict[str, str] = {}
    for number, name in enumerate(names):
        # A name that is there already, or none, gets its place behind it.
        free = (f"{name or 'column'}_{n}" for n in itertools.count(number))
        unique = name if name and name not in found else next(free)
        found[unique] = "VARCHAR"
    return found


def first_fields(line: str, dialect: Dialect) -> list[str]:
    """The fields of a line."""
    quote = dialect.quote or None
    fields = csv.reader(
        [line],
        delimiter=dialect.delimiter,
        quotechar=quote,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )
    return [field.strip() for field in next(fields, [])]


def _of_json(session: Session, file: File, dialect: Dialect) -> dict[str, str]:
    rows = session.rows(
        "select distinct unnest(json_keys(json)) from (select json "
        f"from read_json_objects({literal(file.path)}, format = 'auto') "
        f"limit {_KEYS_IN})"
    )
    return {name: "VARCHAR" for (name,) in sorted(rows)}


def _of_parquet(session: Session, file: File, dialect: Dialect) -> dict[str, str]:
    rows = session.rows(
        f"describe from read_parquet({literal(file.path)}, hive_partitioning = false)"
    )
    return {name: kind for name, kind, *_ in rows}
