"""Commands about what roles may see."""

from __future__ import annotations

import json

import click

from ingest import control
from orchestration import build as building
from orchestration import probe, runs, summary
from orchestration.cli.common import json_option, out, say, start_services


@click.group()
def security() -> None:
    """Roles, masked views for consumers, and what each role sees."""


@security.command("probe")
@json_option
def probe_(as_json: bool) -> int:
    """Connect as each role and assert what it sees of what is built."""
    start_services()
    with control.connect() as connection:
        control.prepare(connection)
        building.run_dbt(["parse", "--target", "postgres"], say)
        with runs.opened(connection, "security probe") as run_id:
            with runs.timed(run_id, "probe"):
                leaks = probe.probe(connection, run_id)
            runs.close(connection, run_id, "failed" if leaks else "done")
        told = summary.read(connection, run_id)
    if as_json:
        click.echo(json.dumps(told.probe, default=str, indent=2))
    else:
        summary.show_probe(told, out)
        summary.show_rows(told, out)
    return 1 if leaks else 0


@security.command()
def plan() -> int:
    """Print the SQL that makes roles, rights and views on Postgres; change nothing."""
    start_services()
    with control.connect() as connection:
        control.prepare(connection)
    click.echo(building.rendered("secure", "postgres", say))
    return 0
