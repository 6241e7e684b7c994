"""Load types: what the batches of a table hold, and what is derived of its log.

A load type is an entry of `LOAD_TYPES` and a macro of its name in `macros/load/`; all
others ask for its properties. `docs/load-types.md` says when to choose which.
"""

from __future__ import annotations

from dataclasses import dataclass

# A column that a model has besides its own: name, canonical type, description.
Added = tuple[str, str, str]

SEQUENCE: Added = ("_batch_seq", "bigint", "Batch the row came with")
_OPERATION: Added = ("op", "varchar(1)", "I inserted, U updated, D deleted")
_SEEN: Added = (
    "_source_ts",
    "timestamp",
    "When the version's last row took effect (UTC)",
)
_VERSION: tuple[Added, ...] = (
    ("valid_from", "timestamp", "When the version took effect (UTC)"),
    ("valid_to", "timestamp", "When the next version did; NULL while it holds"),
    ("is_current", "boolean", "True for the version that holds now"),
    ("is_deleted", "boolean", "True while the row is deleted in the source"),
    ("version", "integer", "Number of the version within its key, from 1"),
)


@dataclass(frozen=True)
class LoadType:
    """What a table's batches hold, and what its macro makes of the log.

    Without `history` the macro makes `<model>`; with one it makes `<model>_history`,
    which has these columns besides its own, and `<model>` is the open versions.
    """

    name: str
    # What the macro is given of the table: its staging view, key, columns, ….
    arguments: tuple[str, ...] = ("source", "key", "columns")
    # Each batch is the whole table: no watermark, no key needed, deletes show.
    reads_whole: bool = False
    # Rows may be said to be written once, by the option append_only.
    may_append: bool = False
    history: tuple[Added, ...] = ()
    # What a row of the history is, in a person's words.
    row: str = "version"
    # A version begins where a tracked column changes.
    is_tracked: bool = False
    # A version may end at the instant at which it begins.
    has_ties: bool = False
    # dbt's own snapshot keeps the history, which can't be derived again.
    is_snapshot: bool = False


LOAD_TYPES = {
    kind.name: kind
    for kind in (
        LoadType("full", ("source", "columns"), reads_whole=True),
        LoadType(
            "incremental",
            ("source", "key", "columns", "append_only"),
            may_append=True,
        ),
        LoadType("scd1"),
        LoadType(
            "scd2",
            ("source", "key", "columns", "tracked"),
            history=(*_VERSION, _SEEN, SEQUENCE),
            is_tracked=True,
        ),
        LoadType(
            "cdc",
            history=(_OPERATION, *_VERSION, SEQUENCE),
            row="change",
            has_ties=True,
        ),
        LoadType(
            "snapshot",
            history=(*_VERSION, SEQUENCE),
            is_tracked=True,
            # One of before may have a version that ends as it begins.
            has_ties=True,
            is_snapshot=True,
        ),
    )
}


def named(property_: str) -> str:
    """The load types that have a property, as a person reads them."""
    return " and ".join(k.name for k in LOAD_TYPES.values() if getattr(k, property_))
