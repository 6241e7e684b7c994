"""Commands about the servers of the sandbox."""

from __future__ import annotations

import os
import shlex

import click

from ingest.settings import ROOT
from orchestration.cli.common import escaped, out, say, start_services
from sandbox import servers as embedded


@click.command()
def up() -> int:
    """Start the embedded servers."""
    embedded.up(ROOT, say)
    running = (s for s in embedded.status(ROOT) if s.running)
    out.print("up: " + ", ".join(f"{s.name} on port {s.port}" for s in running))
    return 0


@click.command()
@click.option("--wipe", is_flag=True, help="Delete their data, the lake included.")
def down(wipe: bool) -> int:
    """Stop the embedded servers; their data stay."""
    embedded.down(ROOT, say)
    if wipe:
        embedded.wipe(ROOT, say)
    return 0


@click.command()
@click.option(
    "--target",
    type=click.Choice(["postgres", "snowflake"]),
    help="With snowflake, the emulator's as well if SNOWFLAKE_ACCOUNT is not set.",
)
def env(target: str | None) -> int:
    """Print the settings for a shell: eval "$(./seedbed env)"."""
    own = dict(os.environ)
    start_services(target=target)
    for name, value in os.environ.items():
        if own.get(name) != value:
            click.echo(f"export {name}={shlex.quote(value)}")
    from sandbox.servers.postgres import binaries

    tools = f"{ROOT / '.venv/bin'}:{binaries()}"
    click.echo(f"export PATH={shlex.quote(tools)}:$PATH")
    return 0


@click.command()
def doctor() -> int:
    """Check this machine and its servers."""
    findings = embedded.doctor(ROOT)
    for finding in findings:
        mark = "[green]ok[/]  " if finding.ok else "[red]no[/]  "
        out.print(f"{mark}{escaped(finding.what)}", soft_wrap=True)
        if not finding.ok and finding.fix:
            out.print(f"    {escaped(finding.fix)}", soft_wrap=True)
    return 0 if all(f.ok for f in findings) else 1
