"""Commands that write pages for a browser."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from ingest import control, stop
from orchestration.cli.common import FILE, out, say, start_services, tell


@click.command()
@click.option(
    "--run", "run_id", metavar="RUN", help="A run's id (default: the newest)."
)
@click.option("--out", "path", type=FILE, help="The file to write.")
def report(run_id: str | None, path: Path | None) -> int:
    """Write a report on a run, as one self-contained HTML page."""
    start_services()
    tell(f"report   {write_report(path, run_id)}")
    return 0


@click.command()
@click.option("--serve", is_flag=True, help="Serve the pages until stopped.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="a free one",
    help="The port to serve on, at 127.0.0.1.",
)
def docs(serve: bool, port: int) -> int:
    """Write the run report, dbt's docs and the gate's pages as a site."""
    from orchestration.watch.pages import site

    start_services()
    with control.connect() as connection:
        control.look(connection)
        index = site.write(connection, say)
    tell(f"docs     {index}")
    if serve:
        server = site.serve(port)
        out.print(f"serving  http://127.0.0.1:{server.server_port}/  (stop: Ctrl-C)")
        with suppress(stop.Stopped):
            server.serve_forever()
    return 0


def write_report(path: Path | None = None, run_id: str | None = None) -> Path:
    """Write the report on a run, by default where the site has it; its path."""
    from orchestration.watch.pages import report as run_report
    from orchestration.watch.pages import site

    with control.connect() as connection:
        control.look(connection)
        target = path or site.folder() / "report.html"
        return run_report.write(connection, target, run_id)
