"""Commands about the lake."""

from __future__ import annotations

import click

from orchestration.cli.common import chosen_tables, out, start_services


@click.command("lake")
@click.option("--plan", is_flag=True, help="Only show what would change.")
def lake_(plan: bool) -> int:
    """Set up the bucket's versioning and retention rules."""
    from ingest import retention

    tables = chosen_tables(())
    start_services()
    changes = retention.apply(tables, out.print, write=not plan)
    if not changes:
        out.print("The bucket is as the seed says.")
    elif plan:
        out.print("Nothing was changed. Apply the changes with `./seedbed lake`.")
    return 0
