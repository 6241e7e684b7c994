"""Reading: relations of the rows of files, with their virtual columns.

A file is read from its beginning by one thread, so that its rows are counted in order.
"""

from __future__ import annotations

from collections.abc import Mapping

from ingest.duck import literal, quoted
from ingest.seed.types import CanonicalType
from ingest.sources.files.listing import FILE, LINE, MODIFIED, Dialect, File

# A relation is of about so many bytes and files at most.
_BYTES = 64 << 20
_FILES = 50
# What folders say is read from the names themselves.
_PLAINLY = "hive_partitioning = false"
# Types of Parquet that are read as they are.
_PLAIN = (
    "BOOLEAN TINYINT SMALLINT INTEGER BIGINT UTINYINT USMALLINT UINTEGER UBIGINT FLOAT "
    "DOUBLE VARCHAR BLOB DATE TIME TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS"
).split()


def relations(
    files: Mapping[File, Mapping[str, str]],
    kinds: Mapping[str, CanonicalType],
    dialect: Dialect,
) -> list[str]:
    """Relations of columns, each for the type it is to become.

    `files` have their columns and their types. A column that a file lacks is NULL.
    """
    parts: list[list[str]] = []
    room = 0
    for file, header in files.items():
        if file.format == "csv" and not header:
            continue  # an empty file
        if not parts or room < file.size or len(parts[-1]) == _FILES:
            parts.append([])
            room = _BYTES
        room -= file.size
        parts[-1].append(_one(file, header, kinds, dialect))
    if not parts:
        nothing = ", ".join(f"null as {quoted(name)}" for name in kinds)
        parts = [[f"select {nothing} where false"]]
    return [f"({' union all '.join(part)})" for part in parts]


def _one(
    file: File,
    header: Mapping[str, str],
    kinds: Mapping[str, CanonicalType],
    dialect: Dialect,
) -> str:
    own = {
        FILE: literal(file.name),
        LINE: quoted(LINE),
        MODIFIED: f"timestamp {literal(file.modified)}",
    } | {name: _literal(value) for name, value in file.partitions.items()}
    values = ", ".join(
        f"{own.get(name) or _value(file, name, header)} as {quoted(name)}"
        for name in kinds
    )
    scan = f"select *, {_number(file)} from {_scan(file, header, dialect)}"
    return f"select {values} from ({scan})"


def _literal(value: str | None) -> str:
    return "null::varchar" if value is None else literal(value)


def _number(file: File) -> str:
    number = (
        "file_row_number + 1" if file.format == "parquet" else "row_number() over ()"
    )
    return f"{number} as {quoted(LINE)}"


def _scan(file: File, header: Mapping[str, str], dialect: Dialect) -> str:
    path = literal(file.path)
    if file.format == "parquet":
        return f"read_parquet({path}, file_row_number = true, {_PLAINLY})"
    if file.format == "json":
        return f"read_json_objects({path}, format = 'auto', {_PLAINLY})"
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    # Nothing is guessed. An empty field is NULL, one in quotes an empty text.
    return (
        f"read_csv({path}, auto_detect = false, columns = {{{columns}}}, "
        f"header = {str(dialect.header).lower()}, "
        f"delim = {literal(dialect.delimiter)}, "
        f"quote = {literal(dialect.quote)}, escape = {literal(dialect.escape)}, "
        "allow_quoted_nulls = false, null_padding = false, strict_mode = true, "
        f"parallel = false, {_PLAINLY})"
    )


def _value(file: File, name: str, header: Mapping[str, str]) -> str:
    """A column's value in a type that a raw file can hold."""
    if file.format == "json":
        key = name.replace("~", "~0").replace("/", "~1")
        return f"json ->> {literal(f'/{key}')}"
    if name not in header:
        return "null" if file.format == "parquet" else "null::varchar"
    kind = header[name]
    if kind.startswith(("STRUCT", "MAP", "UNION")) or kind.endswith("]"):
        return f"to_json({quoted(name)})::varchar"
    if kind.startswith(("DECIMAL", "TIMESTAMP WITH")) or kind in _PLAIN:
        return quoted(name)
    return f"{quoted(name)}::varchar"
