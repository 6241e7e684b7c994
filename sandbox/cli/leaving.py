"""The command that removes the demo from a project."""

from __future__ import annotations

import click

from ingest.errors import ConfigurationError
from ingest.settings import ROOT
from orchestration.cli.common import out
from sandbox import demo
from sandbox.demo import leave


@click.command()
@click.option("--yes", is_flag=True, help="Even if git does not keep all of it.")
def init(yes: bool) -> int:
    """Remove the demo from this project; your own tables stay."""
    if not leave.is_here(ROOT):
        out.print("The demo is not in this project.")
        return 0
    if not yes and (lost := leave.unsaved(ROOT)):
        raise ConfigurationError(
            f"git does not keep {', '.join(lost[:5])}{' …' if lost[5:] else ''}, and "
            "`./seedbed init` would delete it or parts of it; nothing was changed.",
            "Commit it, or run `./seedbed init --yes`.",
        )
    own = len(leave.leave(ROOT))
    stays = f" {own} {'table of your own stays' if own == 1 else 'of your own stay'}."
    out.print(
        f"Removed the demo's {len(demo.TABLES)} tables, the gold layer and its tests."
        f"{stays if own else ''} Git has the files."
    )
    out.print("Delete the demo's data:  ./seedbed down --wipe")
    out.print("Add a database:          ./seedbed discover SOURCE")
    return 0
