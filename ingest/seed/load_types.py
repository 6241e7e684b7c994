"""Load types: what the batches of a table hold, and what is derived of its log.

A load type is an entry of `LOAD_TYPES` and a macro of its name in `macros/load/`; all
others ask for its properties. `docs/load-types.md` says when to choose which.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingest.seed.added import CHANGE, SEEN_VERSION, VERSION, Added


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
            history=SEEN_VERSION,
            is_tracked=True,
        ),
        LoadType("cdc", history=CHANGE, row="change", has_ties=True),
        LoadType(
            "snapshot",
            history=VERSION,
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
