"""What a person decides about rejected batches."""

from __future__ import annotations

import click

from ingest import control
from ingest.errors import ConfigurationError
from orchestration.cli.common import escaped, out, start_services


@click.command()
@click.argument("batch")
@click.option("--reason", required=True, help="Why; it is kept with the batch.")
@click.option("--quarantine", is_flag=True, help="Leave out the rows that fail a rule.")
def release(batch: str, reason: str, quarantine: bool) -> int:
    """Release a rejected BATCH: its id, or its table's name.

    As it is, or without the rows that fail a rule, which become rejects. The next
    run builds what follows from it.
    """
    from orchestration import decisions

    if not reason.strip():
        raise ConfigurationError(
            "--reason is empty.",
            "Say why the batch may be released, for those who read it later.",
        )
    start_services(())
    with control.connect() as connection:
        control.prepare(connection)
        done = decisions.release(connection, batch, reason.strip(), quarantine)
    found = done.batch
    told = f"{found.batch_id} is released, {found.rows_loaded or 0:,} rows"
    if quarantine:
        told += (
            f"; {done.left_out:,} rows that fail a rule were left out: select rule_id, "
            f"row from audit.quarantine where table_id = '{found.table_id}' and "
            f"batch_seq = {found.batch_seq}"
        )
    out.print(escaped(f"{told}. Next: ./seedbed run builds what follows from it."))
    return 0 if done.balanced else 1
