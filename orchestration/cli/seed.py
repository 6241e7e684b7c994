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
    help="Tables of the source; * is allowed. May be repeated.",
)
@click.option(
    "--url-env",
    metavar="NAME",
    default="",
    help="The variable with a new source's URL (default: SOURCE_URL).",
)
@click.option(
    "--new-columns",
    is_flag=True,
    help="Also add columns that tables of the seed lack.",
)
def discover(
    source: str, patterns: tuple[str, ...], url_env: str, new_columns: bool
) -> int:
    """Add the tables of SOURCE to the metadata seed.

    The rows are proposals: edit them, then run `./seedbed generate`.
    """
    from ingest.seed import discover as discovery
    from orchestration.cli import discovered

    start_source(source)
    found = discovery.discover(
        ROOT, source, patterns, url_env=url_env, new_columns=new_columns
    )
    discovered.show(found, out)
    return 0


@click.command("generate")
@click.option("--check", is_flag=True, help="Only compare; exit 1 if a file differs.")
def generate_(check: bool) -> int:
    """Generate models, tests and docs from the metadata seed."""
    tables = metadata.load(ROOT)
    changes = generate.plan(ROOT, tables)
    if changes.is_empty:
        out.print(f"The generated files of {len(tables)} tables are as the seed says.")
        return 0
    for line in generate.describe(changes):
        out.print(line)
    if check:
        out.print(
            "The files differ from the seed. Write them with `./seedbed generate`."
        )
        return 1
    generate.apply(ROOT, changes)
    return 0
