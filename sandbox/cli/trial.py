"""Commands to try Seedbed: the demo and the tests."""

from __future__ import annotations

import subprocess
import sys
import time

import click

from ingest.settings import ROOT
from orchestration import packages
from orchestration.cli.common import (
    next_steps,
    out,
    say,
    start_services,
    target_option,
)
from orchestration.cli.pages import write_report
from sandbox import servers as embedded
from sandbox.demo import leave


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> int:
    """Run the tests on real servers; arguments go to pytest.

    Where they name no file or folder, on two cores, each with its own servers.
    """
    leave.refuse_without(ROOT, "test")
    packages.install(ROOT, say)
    names_some = any((ROOT / one.partition("::")[0]).exists() for one in arguments)
    spread = () if names_some else ("-n", "2")
    command = [sys.executable, "-m", "pytest", *spread, *arguments]
    return subprocess.call(command, cwd=ROOT)


@click.command()
@click.option(
    "--rows",
    type=click.IntRange(200, 10_000_000),
    help="Orders on the first day (50,000); everything else scales with them.",
)
@click.option("--keep", is_flag=True, help="Leave the servers running afterwards.")
@target_option
def demo(rows: int | None, keep: bool, target: str | None) -> int:
    """Play the whole pipeline on real servers, over three days of changes."""
    from sandbox.demo import show

    leave.refuse_without(ROOT, "demo")
    started = time.monotonic()
    start_services(target=target)
    say(f"started the servers in {time.monotonic() - started:.1f} s")
    try:
        code = show.play(rows, target)
        next_steps("gold.agg_daily_sales order by 1 desc")
        out.print(f"report   {write_report()}", soft_wrap=True)
    finally:
        if not keep:
            embedded.down(ROOT, say)
    return code
