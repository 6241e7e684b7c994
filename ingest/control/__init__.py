"""The control tables: runs, batches, what is released, and the account of rows.

`connect` opens connections, `runs` and `batches` write what their names say,
`account` holds the ledger's identities, and `schema` makes the tables: each imports
those before it. Statements stand in the `.sql` file beside each.
"""

from __future__ import annotations

from ingest.control.account import balance, batch_identities, identities
from ingest.control.batches import (
    Batch,
    Range,
    Released,
    Window,
    adopt,
    batch,
    count_loaded,
    decide,
    discard,
    extracted,
    mark_released,
    pending,
    plan,
    range_read,
    ranges,
    reject,
    release,
    released,
    released_batches,
    replayed,
)
from ingest.control.connect import Connection, cancel, connect, count, locked_by
from ingest.control.runs import (
    Busy,
    add_seconds,
    begin_orchestrated_run,
    begin_run,
    build_lock,
    end_run,
    is_settled,
    know,
    note_table,
    noted_tables,
    table_lock,
)
from ingest.control.schema import NO_RUN, Unready, look, prepare
