"""Commands about lineage."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ingest import control
from ingest.errors import ConfigurationError
from ingest.settings import ROOT
from orchestration import artifacts
from orchestration.cli.common import out, start_services
from orchestration.watch import datahub
from orchestration.watch import lineage as events


@click.group()
def lineage() -> None:
    """Show or export lineage: a run's events, or all of it for DataHub."""


@lineage.command("events")
@click.argument("run_id", metavar="[RUN]", required=False)
def lineage_events(run_id: str | None) -> int:
    """Print the OpenLineage events of a RUN (default: the last) as JSON lines."""
    start_services(())
    with control.connect() as connection:
        control.look(connection)
        click.echo(events.text(connection, run_id), nl=False)
    return 0


@lineage.command("export")
@click.option(
    "--format", "kind", type=click.Choice(["datahub"]), default="datahub",
    show_default=True, help="The catalogue to write for.",
)  # fmt: skip
@click.option(
    "--to",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write (default: .seedbed/lineage/datahub.json).",
)
@click.option(
    "--environment",
    type=click.Choice(datahub.ENVIRONMENTS),
    default="PROD",
    show_default=True,
    help="DataHub's environment of the data.",
)
def lineage_export(kind: str, file: Path | None, environment: str) -> int:
    """Write sources, lake and models with their columns for DataHub's source `file`."""
    manifest = artifacts.manifest(artifacts.folder("postgres"))
    if not manifest:
        raise ConfigurationError(
            "dbt has left no manifest in target/.",
            "Build first: `./seedbed run`, or `./seedbed demo --keep`.",
        )
    start_services(())  # says where the lake is
    found = datahub.proposals(manifest, environment)
    file = file or ROOT / ".seedbed" / "lineage" / f"{kind}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n")
    datasets = {p["entityUrn"] for p in found if p["entityType"] == "dataset"}
    fine = sum(len(p["aspect"]["json"].get("fineGrainedLineages", ())) for p in found)
    out.print(
        f"wrote    {file}\n         {len(datasets)} datasets, {fine} columns with "
        f"their origin, {len(found)} proposals",
        soft_wrap=True,
    )
    return 0
