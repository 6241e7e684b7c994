"""The command that takes the demo out of a project."""

from __future__ import annotations

import click

from ingest.errors import ConfigurationError
from ingest.settings import ROOT
from orchestration.cli.common import out
from sandbox import demo
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
            "`./seedbed init` would delete it or parts of it; nothing was changed.",
            "Commit it, or run `./seedbed init --yes`.",
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
