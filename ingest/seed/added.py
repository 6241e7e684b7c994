"""Columns that models have besides the table's own, each in its one place."""

from __future__ import annotations

# Name, canonical type, description.
Added = tuple[str, str, str]

_DELETED: Added = (
    "is_deleted",
    "boolean",
    "True when the row is deleted in the source",
)
_SEQUENCE: Added = ("_batch_seq", "bigint", "Batch the row came with")

# The log, and the staging view of it.
STAGING: tuple[Added, ...] = (
    ("_op", "varchar(1)", "U for a row as it is, D for a deleted one"),
    ("_source_ts", "timestamp", "The row's watermark in the source (UTC)"),
    ("_observed_at", "timestamp", "When the row was read (UTC)"),
    _SEQUENCE,
    ("_row_hash", "bigint", "Hash of all columns as they were read"),
)
# `<model>`
CURRENT: tuple[Added, ...] = (
    _DELETED,
    ("_source_ts", "timestamp", "When the row took effect (UTC)"),
    _SEQUENCE,
)
# `<model>_history`, of which some load types have more.
VERSION: tuple[Added, ...] = (
    ("valid_from", "timestamp", "When the version took effect (UTC)"),
    ("valid_to", "timestamp", "When the next version did; NULL while it holds"),
    ("is_current", "boolean", "True for the version that holds now"),
    ("is_deleted", "boolean", "True while the row is deleted in the source"),
    ("version", "integer", "Number of the version within its key, from 1"),
    _SEQUENCE,
)
CHANGE: tuple[Added, ...] = (
    ("op", "varchar(1)", "I inserted, U updated, D deleted"),
    *VERSION,
)
SEEN_VERSION: tuple[Added, ...] = (
    *VERSION[:-1],
    ("_source_ts", "timestamp", "When the version's last row took effect (UTC)"),
    _SEQUENCE,
)
# dbt's own snapshot; dbt chooses the types.
SNAPSHOT: tuple[Added, ...] = (
    ("dbt_scd_id", "text", "dbt's identifier of the version"),
    ("dbt_updated_at", "timestamp", "When the row took effect (UTC)"),
    ("dbt_valid_from", "timestamp", "When the version took effect (UTC)"),
    ("dbt_valid_to", "timestamp", "When the next version did; NULL while it holds"),
)
# `<model>_score`, which has the key as well.
SCORE: tuple[Added, ...] = (
    ("completeness", "double", "Share of the columns that have a value"),
    ("validity", "double", "Share of the rules about a value that the row keeps"),
    ("uniqueness", "double", "One over the number of rows that share its key"),
    (
        "consistency",
        "double",
        "Share of the rules about several columns or tables that it keeps",
    ),
    (
        "timeliness",
        "double",
        "1 while the data are as fresh as promised, then down to 0",
    ),
    ("score", "double", "Mean of the five"),
)
