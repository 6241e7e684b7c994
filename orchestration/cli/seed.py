"""Commands of the metadata seed and of what is generated from it."""

from __future__ import annotations

import os

import click

from ingest.errors import ConfigurationError
from ingest.seed import generate, metadata
from ingest.settings import ROOT
from orchestration.cli.common import out, say
from sandbox import demo
from sandbox import servers as embedded
from sandbox.demo import leave


@click.command()
@click.option("--yes", is_flag=True, help="Also where git would not keep it.")
def init(yes: bool) -> int:
    """Take the demo out of this project; tables of your own stay."""
    if not leave.is_here(ROOT):
        out.print("The demo is not in this project.")
        return 0
    if not yes and (lost := leave.unsaved(ROOT)):
        raise ConfigurationError(
            f"git does not keep {', '.join(lost[:5])}{' …' if lost[5:] else ''}, and "
            "`./seedbed init` would delete it or parts of it; nothing was changed. "
            "Commit it, or type `./seedbed init --yes`."
        )
    own = len(leave.leave(ROOT))
    stays = f" {own} {'table of your own stays' if own == 1 else 'of your own stay'}."
    out.print(
        f"The demo's {len(demo.TABLES)} tables, the gold layer and its tests have left "
        f"the project.{stays if own else ''} Git has what is gone."
    )
    out.print("Forget the demo's data:  ./seedbed down --wipe")
    out.print("Add a database:          ./seedbed discover SOURCE")
    return 0


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

    if source in ("shop", "crm") and not os.environ.get(f"{source.upper()}_URL"):
        os.environ |= embedded.up(ROOT, say, ["mariadb"])
    found = discovery.discover(
        ROOT, source, patterns, url_env=url_env, new_columns=new_columns
    )
    discovery.show(found, out)
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
