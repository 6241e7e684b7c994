"""The faults that the tests of this folder inject, and what must come of each.

The one place that describes them: marks (`@pytest.mark.fault(7)`) refer to the
numbers, `docs/reliability.md` is made of the texts.
"""

from typing import NamedTuple


class Fault(NamedTuple):
    """What goes wrong, and what must come of it."""

    what: str
    outcome: str


FAULTS = {
    1: Fault(
        "A row is committed late, with a time within the overlap",
        "The next run loads it",
    ),
    2: Fault(
        "A row is committed later than the overlap",
        "`reconcile` finds it, `reconcile --repair` loads it",
    ),
    3: Fault(
        "Rows share the watermark's time, some committed after the run",
        "None is lost",
    ),
    4: Fault(
        "The watermark's column rounds to whole seconds, so a time may lie ahead",
        "None is lost: a row ahead of the clock waits for the next run",
    ),
    5: Fault(
        "The watermark is NULL",
        "Rejected, or loaded where the seed says so; counted either way",
    ),
    6: Fault(
        "The source's clock goes back, or daylight saving time ends",
        "The watermark never goes back; no row of the overlap, or of the hour that "
        "comes twice, is lost",
    ),
    7: Fault(
        "SIGKILL, or a cut connection, while a table is read",
        "What was written is never read; the next run reads the same window",
    ),
    8: Fault(
        "SIGKILL after the upload, before the manifest",
        "The next run writes the same objects again",
    ),
    9: Fault(
        "SIGKILL, or a cut connection, while a batch is loaded",
        "Rows, counts and state are one transaction: all or none",
    ),
    10: Fault(
        "A Parquet file is truncated or empty",
        "Refused; its table keeps its state, the others go on",
    ),
    11: Fault(
        "An object is overwritten after its manifest was written",
        "The checksum differs: refused",
    ),
    12: Fault("The same file or the same rows come twice", "No row changes"),
    13: Fault(
        "The S3 store answers 503, is slow, or drops connections",
        "Retried within a budget; beyond it, a clear error and no partial state",
    ),
    14: Fault(
        "Credentials expire in mid-run",
        "A clear error and no partial state; the next run goes on from there",
    ),
    15: Fault(
        "The source is a replica that lags",
        "The watermark is capped at the replica's time",
    ),
    16: Fault(
        "A lock is held for long, or a deadlock",
        "Time-out and retry; then an error that says so, and nothing is lost",
    ),
    17: Fault(
        "A column is added at the source",
        "Evolve, freeze or ignore, as the seed says",
    ),
    18: Fault(
        "A column is dropped or renamed at the source",
        "The table is blocked, its last good state is served",
    ),
    19: Fault(
        "A column's type changes",
        "Widened where all values fit; else the table waits or, under ignore, rows "
        "that don't fit are rejected",
    ),
    20: Fault(
        "Rows are deleted at the source",
        "Deletes are applied; beyond the limit the gate blocks the batch",
    ),
    21: Fault(
        "A key is used again, or updated",
        "The history's intervals are right and do not overlap",
    ),
    22: Fault(
        "Two runs of one table at once",
        "The second leaves the table alone and says so",
    ),
    23: Fault(
        "A worker dies, or wakes up late, holding a table's lock",
        "The lock goes with its session; who lost it can change nothing",
    ),
    24: Fault(
        "Postgres can't write: its files may not grow any more, as on a full disk",
        "Rolled back; what was built stays as it was",
    ),
    25: Fault(
        "The gate's process dies, or can't check a table",
        "That table waits with what follows from it; the others are released",
    ),
    26: Fault("The source is empty and was not before", "The gate blocks the batch"),
    27: Fault(
        "Rows come late by days, within `late_days` and beyond",
        "Within: merged. Beyond: found by `reconcile`",
    ),
    28: Fault(
        "A backfill beside an incremental run",
        "The same rows as those of a full load",
    ),
}

# The failpoints of ingest/failpoints.py by the runs that reach them; test_kills.py
# has a test for each, tests/snowflake/test_publish.py those of a publish.
IN_ANY_RUN = (
    "after_plan",
    "before_upload",
    "before_manifest",
    "after_manifest",
    "after_extract",
    "in_load",
    "after_load",
    "after_gate",
    "after_build",
)
IN_RANGES = ("after_range",)
IN_A_PUBLISH = ("in_publish",)
