"""Commands about lineage."""

from __future__ import annotations

import click

from ingest import control
from orchestration.cli.common import start_services
from orchestration.watch import lineage as events


@click.group()
def lineage() -> None:
    """Where data come from: a run's events."""


@lineage.command("events")
@click.argument("run_id", metavar="[RUN]", required=False)
def lineage_events(run_id: str | None) -> int:
    """Print the OpenLineage events of a RUN (default: the last) as JSON lines."""
    start_services(())
    with control.connect() as connection:
        control.look(connection)
        click.echo(events.text(connection, run_id), nl=False)
    return 0
