"""Commands of the pipeline: a run, its single steps, its preview, its status."""

from __future__ import annotations

from typing import Any

import click

from ingest import control
from ingest.errors import ServiceError
from orchestration import preview, summary
from orchestration import publish as publishing
from orchestration.cli.common import (
    escaped,
    json_option,
    out,
    print_json,
    run_pipeline,
    say,
    some_tables,
    start_services,
    tables_option,
    target_option,
    tell,
)


@click.command()
@tables_option
@target_option
@json_option
@click.option("--jobs", default=2, show_default=True, help="Tables to move at once.")
@click.option("--everything", is_flag=True, help="Build all models, changed or not.")
def run(patterns: tuple[str, ...], **options: Any) -> int:
    """Extract, load, validate, build and publish the tables."""
    return run_pipeline("run", patterns, **options)


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
@click.option("--everything", is_flag=True, help="Build all models, changed or not.")
def publish(everything: bool) -> int:
    """Copy released batches to Snowflake and build there.

    Without SNOWFLAKE_ACCOUNT it uses the emulator.
    """
    start_services((), target=publishing.TARGET)
    published = publishing.run(everything=everything, report=say)
    tell(f"publish  {escaped(str(published))}")
    for line in published.built.failures:
        tell(f"         [red]failed[/] {escaped(line)}")
    return 0 if published.ok else 1


@click.command()
@json_option
def parity(as_json: bool) -> int:
    """Compare silver and gold of both warehouses; exit 1 if they differ."""
    from orchestration import parity as comparing

    start_services((), target=publishing.TARGET)
    compared = comparing.run(say)
    if as_json:
        print_json(comparing.as_json(compared))
    else:
        comparing.show(compared, out)
    return 1 if any(found.differs for found in compared) else 0


@click.command()
@tables_option
@json_option
def plan(patterns: tuple[str, ...], as_json: bool) -> int:
    """Show what the next run would read: windows, rows, sizes."""
    tables = some_tables(patterns)
    start_services(tables)
    with control.connect() as connection:
        previews = preview.preview(connection, tables)
    if as_json:
        print_json([vars(p) for p in previews])
    else:
        preview.show(previews, out)
    return ServiceError.exit_code if all(p.error for p in previews) else 0


@click.command()
@json_option
def status(as_json: bool) -> int:
    """Show the last run: tables, rows, failed rules, ledger."""
    start_services()
    with control.connect() as connection:
        control.look(connection)
        outcome = summary.read(connection)
    if as_json:
        print_json(outcome.as_json())
    else:
        summary.show(outcome, out)
    return 0
