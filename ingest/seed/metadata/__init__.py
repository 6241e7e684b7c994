"""The metadata seed: its one reader and its one validator.

`load()` reads the files of `seeds/metadata/`, checks them as a whole and
returns typed tables, or raises `MetadataError` with all faults but those that
follow from others. No later step sees a name or a value that was not checked here.
`names` are safe in both warehouses, `model` is what all others work with, `rows` are
those of the files, `reader` makes the model of them, `checks` are about whole tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ingest.errors import ConfigurationError, meant
from ingest.seed.metadata.model import (
    HARMLESS,
    PII_CLASSES,
    UNDECIDED,
    Column,
    RowAccess,
    Rule,
    Source,
    Table,
)
from ingest.seed.metadata.names import (
    LONGEST_LOG,
    LONGEST_MODEL,
    OF_SNAPSHOTS,
    RESERVED,
    faults_of_source,
    target_name,
    words,
)
from ingest.seed.metadata.reader import load, load_row_access, load_sources
from ingest.seed.metadata.rows import FOLDER, HEADERS, MetadataError

__all__ = [
    "FOLDER",
    "HARMLESS",
    "HEADERS",
    "LONGEST_LOG",
    "LONGEST_MODEL",
    "OF_SNAPSHOTS",
    "PII_CLASSES",
    "RESERVED",
    "UNDECIDED",
    "Column",
    "MetadataError",
    "RowAccess",
    "Rule",
    "Source",
    "Table",
    "enabled",
    "faults_of_source",
    "load",
    "load_row_access",
    "load_sources",
    "target_name",
    "words",
]


def enabled(tables: Iterable[Table], patterns: Iterable[str] = ()) -> list[Table]:
    """The enabled tables, or those of them that `patterns` name.

    A pattern is `source.table`, a model's name, or either with `*`. A pattern
    that fits no table is a ConfigurationError naming what there is.
    """
    live = [t for t in tables if t.enabled]
    wanted = [p for pattern in patterns for p in pattern.split(",") if p]
    if not wanted:
        return live
    chosen: list[Table] = []
    for pattern in wanted:
        glob = re.compile(re.escape(pattern).replace(r"\*", ".*"))
        found = [t for t in live if glob.fullmatch(t.id) or glob.fullmatch(t.model)]
        if not found:
            names = [t.id for t in live]
            raise ConfigurationError(
                f"--tables {pattern}: no enabled table of the metadata seed has "
                f"that name.{meant(pattern, [*names, *(t.model for t in live)])}",
                f"there are {', '.join(names)}",
            )
        chosen += [t for t in found if t not in chosen]
    return sorted(chosen, key=lambda t: t.id)
