"""Commands of the metadata seed and of what is generated from it."""

from __future__ import annotations

import click

from ingest.seed import generate, metadata
from ingest.settings import ROOT
from orchestration.cli.common import out, start_source


@click.command()
@click.argument("source")
@click.option(
    "--tables",
    "patterns",
    multiple=True,
    metavar="GLOB",
    help="Tables of the source, with * allowed; may be repeated.",
)
@click.option(
    "--url-env",
    metavar="NAME",
    default="",
    help="Variable with the URL of a source that is new (SOURCE_URL).",
)
@click.option(
    "--new-columns",
    is_flag=True,
    help="Also add columns that the seed's tables lack.",
)
def discover(
    source: str, patterns: tuple[str, ...], url_env: str, new_columns: bool
) -> int:
    """Add the tables of SOURCE to the metadata seed, as proposals to edit."""
    from ingest.seed import discover as discovery
    from orchestration.cli import discovered

    start_source(source)
    found = discovery.discover(
        ROOT, source, patterns, url_env=url_env, new_columns=new_columns
    )
    discovered.show(found, out)
    return 0


@click.command("generate")
@click.option("--check", is_flag=True, help="Only compare; exit 1 if files differ.")
def generate_(check: bool) -> int:
    """Write the models that the metadata seed describes."""
    tables = metadata.load(ROOT)
    changes = generate.plan(ROOT, tables)
    if changes.is_empty:
        out.print(f"{len(tables)} tables: the generated files are as the seed says.")
        return 0
    for line in generate.describe(changes):
        out.print(line)
    if check:
        out.print("The files differ from the seed: run `./seedbed generate`.")
        return 1
    generate.apply(ROOT, changes)
    return 0
