"""Commands about the second warehouse: publish there, and compare."""

from __future__ import annotations

import json

import click

from orchestration import publish as publishing
from orchestration.cli.common import escaped, json_option, out, say, start_services


@click.command()
@click.option("--everything", is_flag=True, help="Build all models, changed or not.")
def publish(everything: bool) -> int:
    """Copy released batches to Snowflake and build there.

    Without SNOWFLAKE_ACCOUNT it uses the emulator.
    """
    start_services((), target=publishing.TARGET)
    published = publishing.run(everything=everything, report=say)
    out.print(f"publish  {escaped(str(published))}", soft_wrap=True)
    for line in published.built.failures:
        out.print(f"         [red]failed[/] {escaped(line)}", soft_wrap=True)
    return 0 if published.ok else 1


@click.command()
@json_option
def parity(as_json: bool) -> int:
    """Compare silver and gold of both warehouses; exit 1 if they differ."""
    from orchestration import parity as comparing

    start_services((), target=publishing.TARGET)
    compared = comparing.run(say)
    if as_json:
        click.echo(json.dumps(comparing.as_json(compared), indent=2))
    else:
        comparing.show(compared, out)
    return 1 if any(found.differs for found in compared) else 0
