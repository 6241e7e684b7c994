"""The catalogue of files: the globs that name tables, and the tables' columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import duckdb

from ingest.duck import literal
from ingest.errors import SeedbedError, first_line
from ingest.seed import types
from ingest.seed.metadata import Source, Table
from ingest.sources.files import listing, reading
from ingest.sources.files.faults import fault_of
from ingest.sources.files.listing import FILE, LINE, MODIFIED, Dialect, File
from ingest.sources.inside import canonical, settled
from ingest.sources.kind import Column, Key, Proposal, Session, SourceTable

_NUMBER = r"regexp_full_match($raw, '-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?')"
_OFFSET = r"regexp_matches($raw, ':.*(Z|[+-]\d\d(:?\d\d)?)$')"
# The types that a text may be of, by the first whose condition all values meet.
_OF_TEXTS = (
    ("text", "$raw is null"),
    ("boolean", "regexp_full_match($raw, '(?i)true|false')"),
    ("bigint", _NUMBER),
    ("decimal(38,10)", _NUMBER),
    ("double", _NUMBER),
    ("date", "not contains($raw, ':')"),
    ("timestamp", f"not {_OFFSET}"),
    ("timestamptz", _OFFSET),
    ("json", r"regexp_matches($raw, '^\s*[\[{]')"),
    ("text", ""),
)
_OF_PARQUET = {
    "BOOLEAN": "boolean",
    "FLOAT": "double",
    "DOUBLE": "double",
    "BLOB": "binary",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "UUID": "varchar(36)",
    "UBIGINT": "decimal(20,0)",
    "BIGINT": "bigint",
    "UINTEGER": "bigint",
}
_INTEGERS = "TINYINT SMALLINT INTEGER UTINYINT USMALLINT".split()
# Numbers, dates and identifiers in names, which differ from file to file.
_VARIES = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+(?:[-_.T]\d+)*")
# Files whose columns are compared, the newest ones.
_MOST = 100


@dataclass
class FileTable(SourceTable):
    """A table of files, with the columns of each that was looked at."""

    files: dict[File, Mapping[str, str]] = field(default_factory=dict)
    dialect: Dialect = field(default_factory=Dialect)


def read(
    session: Session, source: Source, tables: Sequence[Table]
) -> dict[str, SourceTable]:
    """The tables, or all that the files' names suggest; without files there is none."""
    dialects = {t.name: listing.dialect(t.options.csv_dialect) for t in tables}
    known = {t.name: {c.source_name for c in t.columns} for t in tables}
    globs = dialects or dict.fromkeys(_globs(listing.listed(session, source, "**")))
    found: dict[str, SourceTable] = {}
    for glob, dialect in globs.items():
        files = listing.listed(session, source, glob)
        if not files:
            continue
        table = FileTable(glob, False, 0, "")
        found[glob] = table
        try:
            _describe(session, source, table, files, dialect)
            _assert_alike(table, known.get(glob, set()))
        except (duckdb.Error, SeedbedError) as error:
            table.columns, table.fault = {}, _fault(source, glob, error)
    return found


def _globs(files: Sequence[File]) -> list[str]:
    """Globs that name all files of a known format, alike ones together."""
    globs = set()
    for file in files:
        if not file.format:
            continue
        *folders, name = file.name.split("/")
        while folders and "=" in folders[-1]:
            folders.pop()
        stem, _, ending = name.partition(".")
        stem = re.sub(r"\*[*_.-]*\*", "*", _VARIES.sub("*", stem))
        path = [*folders, "**"] if file.partitions else folders
        globs.add("/".join([*path, f"{'*' if file.partitions else stem}.{ending}"]))
    return sorted(globs)


def _fault(source: Source, glob: str, error: Exception) -> SeedbedError:
    if isinstance(error, SeedbedError):
        return error
    place = f"{source.name}.{glob}"
    return fault_of(str(error), listing.base(source), place) or SeedbedError(
        f"{place} can't be read: {first_line(error)}"
    )


def _describe(
    session: Session,
    source: Source,
    table: FileTable,
    files: Sequence[File],
    dialect: Dialect | None,
) -> None:
    """Give the table its columns; their types by a look, unless its seed is known."""
    place = f"{source.name}: table {table.name!r}"
    formats = {file.format for file in files}
    if len(formats) > 1 or "" in formats:
        raise SeedbedError(
            f"{place} has files of other formats than one of CSV, JSON and Parquet.",
            "Name files of one format in seeds/metadata/tables.csv, such as "
            "orders/*.csv.",
        )
    if odd := [f.name for f in files if re.search(r"[*?\[]", f.path)]:
        raise SeedbedError(
            f"{place}: the name of file {odd[0]} has a sign that globs use.",
            "Rename it, or its folder, without *, ? and [.",
        )
    filled = [file for file in files if file.size] or files
    table.dialect = dialect or _sniffed(session, filled[-1])
    if dialect is None and table.dialect != Dialect():
        table.options["csv_dialect"] = str(table.dialect)
    newest = files[-_MOST:]
    table.files = {f: listing.header(session, f, table.dialect) for f in newest}
    columns = _columns(table.files)
    if taken := {FILE, LINE, MODIFIED} & columns.keys():
        raise SeedbedError(
            f"{place} has a column {min(taken)}, which is a name of Seedbed's own.",
            "Give it another name where the files are written.",
        )
    table.columns = {
        name: _column(name, kind, "text" if kind == "VARCHAR" else _of_parquet(kind))
        for name, kind in columns.items()
    }
    if dialect is None:
        _look(session, table)
    table.columns |= {c.name: c for c in _virtual()}
    table.keys = [Key("file and line", (FILE, LINE), True)]


def _columns(files: Mapping[File, Mapping[str, str]]) -> dict[str, str]:
    """The columns of files, the oldest first.

    One that a later file no longer has is gone; a key of JSON may be in some rows only.
    """
    found: dict[str, str] = {}
    gone: set[str] = set()
    for file, header in files.items():
        if file.format == "csv" and not header:
            continue  # an empty file
        names = {**header, **dict.fromkeys(file.partitions, "VARCHAR")}
        if file.format != "json":
            gone |= found.keys() - names.keys()
        found |= names
    return {name: kind for name, kind in found.items() if name not in gone}


def _assert_alike(table: FileTable, known: set[str]) -> None:
    """Raise SeedbedError for a file of another kind than the table's."""
    for file, header in table.files.items():
        known = known or {*header}
        if header and file.format == "csv" and not known & header.keys():
            raise SeedbedError(
                f"table {table.name!r}: file {file.name} has none of the table's "
                "columns in its first line. Nothing of the table was read.",
                "Mend the file, or take it away; or write in csv_dialect in "
                "seeds/metadata/options.csv how it is written.",
            )


def _column(name: str, kind: str, proposed: str) -> Column:
    return Column(name, kind.lower(), kind, proposal=Proposal(proposed))


def _virtual() -> list[Column]:
    return [
        Column(
            FILE,
            "varchar",
            "varchar(512)",
            nullable=False,
            length=512,
            comment="File that has the row, below the source's folder",
            proposal=Proposal("varchar(512)"),
        ),
        Column(
            LINE,
            "bigint",
            "bigint",
            nullable=False,
            comment="Number of the row in the file, from 1",
            proposal=Proposal("bigint"),
        ),
        Column(
            MODIFIED,
            "timestamp",
            "timestamp",
            nullable=False,
            comment="Time at which the file was last modified, in UTC",
            proposal=Proposal("timestamp"),
            is_touched=True,
        ),
    ]


def _of_parquet(kind: str) -> str:
    if kind.startswith("DECIMAL"):
        return kind.lower()
    if kind.startswith(("STRUCT", "MAP", "UNION")) or kind.endswith("]"):
        return "json"
    if kind.startswith("TIMESTAMP") and kind not in _OF_PARQUET:
        return "timestamp"
    return "integer" if kind in _INTEGERS else _OF_PARQUET.get(kind, "text")


def _look(session: Session, table: FileTable) -> None:
    """Judge by their values what type texts are of."""
    texts = [n for n, c in table.columns.items() if c.column_type == "VARCHAR"]
    is_typed = any(f.format == "parquet" for f in table.files)
    names = [n for n in texts if not is_typed or n in _partitions(table)]
    if not names:
        return
    rows = _relation(table, dict.fromkeys(names, "text"))
    for name, kind in settled(session, rows, dict.fromkeys(names, _OF_TEXTS)).items():
        table.columns[name] = replace(table.columns[name], proposal=Proposal(kind))


def _partitions(table: FileTable) -> set[str]:
    return {name for file in table.files for name in file.partitions}


def look(table: FileTable) -> str:
    """The table with values of the proposed types, for a look at its rows."""
    kinds = {name: column.proposal.type for name, column in table.columns.items()}
    return canonical(table, _relation(table, kinds))


def _relation(table: FileTable, kinds: Mapping[str, str]) -> str:
    parsed = {name: types.parse(kind) for name, kind in kinds.items()}
    return reading.relations(table.files, parsed, table.dialect)[-1]


def _sniffed(session: Session, file: File) -> Dialect:
    """How a CSV file is written; the first line is a header if its fields are names."""
    if file.format != "csv" or not file.size:
        return Dialect()
    delimiter, quote, escape = session.one(
        f"select Delimiter, Quote, Escape from sniff_csv({literal(file.path)})"
    )
    usual = Dialect()
    found = Dialect(
        delimiter,
        usual.quote if quote == "(empty)" else quote,
        usual.escape if escape == "(empty)" else escape,
        header=False,
    )
    line = listing.first_line(session, file)
    names = listing.first_fields(line, found)
    is_named = all(re.search("[^\\W\\d]", n) for n in names)
    return found._replace(header=is_named and len({*names}) == len(names))
