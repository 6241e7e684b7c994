"""Commands of the pipeline: a run, its single steps, its preview, its status."""

from __future__ import annotations

import json

import click

from ingest import control
from ingest.errors import ServiceError
from orchestration import summary
from orchestration.cli.common import (
    json_option,
    out,
    run_pipeline,
    some_tables,
    start_services,
    tables_option,
    target_option,
)


@click.command()
@tables_option
@target_option
@json_option
@click.option("--jobs", default=2, show_default=True, help="Tables to move at once.")
@click.option("--everything", is_flag=True, help="Build all models, changed or not.")
def run(
    patterns: tuple[str, ...],
    target: str | None,
    as_json: bool,
    jobs: int,
    everything: bool,
) -> int:
    """Extract, load, validate, build and publish the tables."""
    return run_pipeline(
        "run", patterns, as_json, target=target, jobs=jobs, everything=everything
    )


def _step(name: str, help_text: str) -> click.Command:
    @click.command(name, help=help_text)
    @tables_option
    def step(patterns: tuple[str, ...]) -> int:
        return run_pipeline(name, patterns, steps=(name,), with_build=False)

    return step


extract = _step("extract", "Read each table's next window into the lake.")
load = _step("load", "Load extracted batches into their logs.")
validate = _step("validate", "Check loaded batches at the gate: release or reject.")


@click.command()
@target_option
def build(target: str | None) -> int:
    """Build and test all models with dbt, from released batches."""
    return run_pipeline("build", (), steps=(), everything=True, target=target)


@click.command()
@tables_option
@json_option
def plan(patterns: tuple[str, ...], as_json: bool) -> int:
    """Show what the next run would read: windows, rows, sizes."""
    from orchestration import preview

    tables = some_tables(patterns)
    start_services(tables)
    with control.connect() as connection:
        previews = preview.preview(connection, tables)
    if as_json:
        rows = [p.as_json() for p in previews]
        click.echo(json.dumps(rows, default=str, indent=2))
    else:
        preview.show(previews, out)
    errors = [p for p in previews if p.error]
    return ServiceError.exit_code if errors and len(errors) == len(previews) else 0


@click.command()
@json_option
def status(as_json: bool) -> int:
    """Show the last run: tables, rows, failed rules, ledger."""
    start_services()
    with control.connect() as connection:
        control.look(connection)
        outcome = summary.read(connection)
    if as_json:
        click.echo(json.dumps(outcome.as_json(), default=str, indent=2))
    else:
        summary.show(outcome, out)
    return 0
