"""Commands that write pages for a browser."""

from __future__ import annotations

from pathlib import Path

import click

from ingest import ledger
from ingest.cli.common import chosen_tables, out, start_services


@click.command()
@click.option("--run", "run_id", metavar="RUN", help="A run's id; else the newest.")
@click.option(
    "--out",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.",
)
def report(run_id: str | None, path: Path | None) -> int:
    """Write a run as one HTML page, complete in itself."""
    start_services()
    out.print(f"report   {write_report(path, run_id)}", soft_wrap=True)
    return 0


def write_report(path: Path | None = None, run_id: str | None = None) -> Path:
    """Write the report on a run, by default where the site has it; its path."""
    from ingest.pages import report as run_report
    from ingest.pages import site

    with ledger.connect() as connection:
        ledger.prepare(connection)
        target = path or site.folder() / "report.html"
        return run_report.write(connection, chosen_tables(()), target, run_id)
