"""What a table of the metadata seed must be in itself; each fault says how to fix it.

What an option needs of its table is in `ingest/seed/options.py`, what a rule does in
`ingest/seed/checks`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ingest.errors import meant
from ingest.seed.added import SCORE
from ingest.seed.load_types import LoadType, named
from ingest.seed.metadata.model import Column, Table
from ingest.seed.metadata.names import LONGEST_LOG, LONGEST_MODEL, OF_SNAPSHOTS
from ingest.seed.metadata.rows import HEADERS


def faults_of_column(column: Column, load_type: LoadType) -> Iterator[str]:
    """What is wrong with a column of a table of that load type."""
    if load_type.is_snapshot and column.name.startswith(OF_SNAPSHOTS):
        yield (
            f"name {column.name!r} begins as the columns that dbt adds to a snapshot; "
            f"try {'x_' + column.name!r}"
        )
    if column.key_position and column.nullable:
        yield "a key column can't be nullable; write nullable false"
    if column.key_position and column.cleanse:
        yield "a key is never cleansed; leave cleanse empty"
    if column.key_position and column.type.name == "json":
        yield "a key can't be json, which has no order; write data_type text"
    if column.cleanse and column.type.family != "text":
        yield f"cleanse works on text, not on {column.type.name}"
    if not column.description:
        yield "description is empty; say what the column holds"
    if column.tracked and not load_type.is_tracked:
        yield (
            f"tracked has a meaning for {named('is_tracked')} only, not for "
            f"{load_type.name}; leave it empty"
        )
    if column.tracked and column.key_position:
        yield "a key column can't be tracked: it names the row"


def faults_of_table(table: Table) -> Iterator[str]:
    """What is wrong with a table, whatever others there are."""
    yield from _faults_of_names(table)
    yield from _faults_of_watermark(table)
    yield from _faults_of_key(table)
    kind = table.load_type
    if kind.reads_whole and table.delete_mode != "none":
        yield f"load_type {kind.name} finds deletes by itself; write delete_mode none"
    if kind.is_tracked and not table.tracked:
        yield (
            f"load_type {kind.name} of {table.model} needs a tracked column; "
            "write tracked true in columns.csv for those whose change makes a new "
            "version"
        )
    if table.delete_mode == "soft_flag" and not table.options.soft_delete_column:
        yield "delete_mode soft_flag needs the option soft_delete_column in options.csv"
    phones = [c.name for c in table.columns if c.cleanse == "phone"]
    if phones and not table.options.phone_country:
        yield (
            f"cleanse phone of {table.id}.{phones[0]} needs the option phone_country "
            "in options.csv: the column that holds the country, or a country such as DE"
        )


def _faults_of_names(table: Table) -> Iterator[str]:
    if len(table.model) > LONGEST_MODEL:
        yield (
            f"model {table.model!r} is longer than {LONGEST_MODEL} characters, which "
            "leaves no room for what is generated around it; shorten it"
        )
    if table.model in HEADERS:
        yield f"model {table.model!r} is the name of a seed file; choose another"
    if len(table.bronze) > LONGEST_LOG:
        yield (
            f"its log would be called {table.bronze!r}, which is longer than "
            f"{LONGEST_LOG} characters; {other_log(table)}"
        )


def other_log(table: Table) -> str:
    """How its log gets another name."""
    return (
        "give it another name by the option log_name in options.csv: "
        f"{table.source.name},{table.name},log_name,NAME"
    )


def _faults_of_watermark(table: Table) -> Iterator[str]:
    kind = table.load_type
    column, names = table.window_column, [c.source_name for c in table.columns]
    name = table.watermark_column
    if name and column is None:
        yield (
            f"watermark_column {name!r} is not a column of {table.id}."
            f"{meant(name, names)}"
        )
    if column and column.type.name not in ("timestamp", "timestamptz"):
        yield (
            f"watermark_column {name!r} is {column.type.name}; a watermark is a "
            "timestamp or timestamptz"
        )
    if not name and not kind.reads_whole:
        yield (
            f"load_type {kind.name} needs a watermark_column: a timestamp that "
            f"grows with each change of a row of {table.id}. Without one, use "
            f"load_type {named('reads_whole')}"
        )
    if name and kind.reads_whole:
        yield f"load_type {kind.name} reads all rows; leave watermark_column empty"


def _faults_of_key(table: Table) -> Iterator[str]:
    positions = [c.key_position for c in table.key]
    if not positions and not table.load_type.reads_whole:
        yield (
            f"{table.id} has no key; give key_position 1 to the column of columns.csv "
            f"that names a row, or use load_type {named('reads_whole')}"
        )
    if positions != list(range(1, len(positions) + 1)):
        yield f"the key_positions of {table.id} are not 1, 2, …: {positions}"
    taken = {name for name, _, _ in SCORE if table.options.min_score}
    for name in (c.name for c in table.key):
        if name in taken:
            yield (
                f"{table.id}: key column {name!r} is called as a column of the table's "
                f"score; name it {name + '_value'!r} in columns.csv, or leave "
                "min_score out"
            )
