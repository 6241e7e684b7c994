"""Commands for those who keep it running."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import click

from ingest.cli.common import out, say, start_services
from ingest.settings import ROOT


@click.command()
@click.option("--serve", "port", type=int, metavar="PORT", help="Serve over HTTP.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where to serve them."
)
@click.option(
    "--textfile",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a file for the node exporter.",
)
def metrics(port: int | None, host: str, textfile: Path | None) -> int:
    """Print the metrics of runs, tables and quality for Prometheus."""
    from prometheus_client import start_http_server

    from ingest import stop
    from ingest.errors import ConfigurationError
    from ingest.operations import metrics as exporter

    start_services(())
    if textfile:
        exporter.write(textfile)
    elif port is None:
        click.echo(exporter.text(), nl=False)
    if port is None:
        return 0
    try:
        start_http_server(port, host, exporter.registry())
    except OSError as error:
        raise ConfigurationError(
            f"metrics can't be served at {host}:{port}: {error.strerror}. Name another "
            "port with --serve."
        ) from None
    say(f"metrics are served at http://{host}:{port}/metrics; Ctrl-C ends it")
    with suppress(stop.Stopped):
        while True:
            time.sleep(60)
    return 0


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if they differ.")
def dashboards(check: bool) -> int:
    """Write Grafana's dashboards from their code."""
    from ingest.operations import dashboards as pages

    changed = [
        (ROOT / path, text)
        for path, text in pages.files().items()
        if not (ROOT / path).exists() or (ROOT / path).read_text() != text
    ]
    for path, text in () if check else changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = "differ" if check else "written"
    out.print(f"dashboards: {len(changed)} of {len(pages.PAGES)} {done}")
    return 1 if check and changed else 0
