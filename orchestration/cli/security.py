"""Commands about roles and masking."""

from __future__ import annotations

import json

import click

from ingest import control
from orchestration import build as building
from orchestration import probe, runs, summary
from orchestration.cli.common import json_option, out, say, start_services


@click.group()
def security() -> None:
    """Check what each role sees, or print the SQL of the roles."""


@security.command("probe")
@json_option
def probe_(as_json: bool) -> int:
    """Connect as each role and check what it sees; exit 1 on a leak."""
    start_services()
    with control.connect() as connection:
        control.prepare(connection)
        building.run_dbt(["parse", "--target", "postgres"], say)
        with runs.opened(connection, "security probe") as run_id:
            with runs.timed(run_id, "probe"):
                leaks = probe.probe(connection, run_id)
            runs.close(connection, run_id, "failed" if leaks else "done")
        outcome = summary.read(connection, run_id)
    if as_json:
        click.echo(json.dumps(outcome.probe, default=str, indent=2))
    else:
        summary.show_probe(outcome, out)
        summary.show_rows(outcome, out)
    return 1 if leaks else 0


@security.command()
def plan() -> int:
    """Print the SQL of roles, rights and views on Postgres; change nothing."""
    start_services()
    with control.connect() as connection:
        control.prepare(connection)
    click.echo(building.rendered("secure", "postgres", say))
    return 0
