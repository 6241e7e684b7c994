"""Commands for operations: lake, metrics, alerts, lineage, backup and restore."""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import click

from ingest import control, private, retention, stop
from ingest.errors import ConfigurationError, SeedbedError, ServiceError
from orchestration.cli.common import (
    FILE,
    chosen_tables,
    escaped,
    out,
    say,
    start_services,
    tell,
)
from orchestration.watch import lineage as runs_lineage
from orchestration.watch import outbox


@click.command()
@click.option("--plan", is_flag=True, help="Only show what would change.")
def lake(plan: bool) -> int:
    """Set up the bucket's versioning and retention rules."""
    tables = chosen_tables(())
    start_services()
    changes = retention.apply(tables, out.print, write=not plan)
    if not changes:
        out.print("The bucket is as the seed says.")
    elif plan:
        out.print("Nothing was changed. Apply the changes with `./seedbed lake`.")
    return 0


@click.command()
@click.option("--serve", "port", type=int, metavar="PORT", help="Serve over HTTP.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to serve at."
)
@click.option(
    "--textfile", type=FILE, help="Write a file for Prometheus' node exporter."
)
def metrics(port: int | None, host: str, textfile: Path | None) -> int:
    """Print the metrics of runs, tables and quality for Prometheus."""
    from prometheus_client import start_http_server

    from orchestration.watch import metrics as exporter

    start_services(())
    if textfile:
        exporter.write(textfile)
        private.share(textfile)  # the node exporter runs as another user
    elif port is None:
        click.echo(exporter.text(), nl=False)
    if port is None:
        return 0
    try:
        start_http_server(port, host, exporter.registry())
    except OSError as error:
        raise ConfigurationError(
            f"metrics can't be served at {host}:{port}: {error.strerror}",
            "name another port with --serve",
        ) from None
    say(f"serving metrics at http://{host}:{port}/metrics (stop: Ctrl-C)")
    with suppress(stop.Stopped):
        while True:
            time.sleep(60)
    return 0


@click.group(invoke_without_command=True)
@click.pass_context
def alerts(context: click.Context) -> int:
    """What is wrong now, and the channels that get a message of it."""
    from orchestration.watch import alerts as open_alerts

    if context.invoked_subcommand:
        return 0
    start_services(())
    with control.connect() as connection:
        control.prepare(connection)
        connection.execute("select audit.refresh_alerts()")
        found = open_alerts.still_open(connection)
    outbox.send_later()
    for severity, kind, table, since, message in found:
        colour = "red" if severity == "block" else "yellow"
        page = f"docs/runbooks/{kind.replace('_', '-')}.md"
        when = f"since {since:%Y-%m-%d %H:%M} UTC"
        tell(
            f"[{colour}]{severity:<6}[/] {kind}  {table}  {when}\n"
            f"       {escaped(message)}\n       see {page}"
        )
    if not found:
        out.print("No alert is open.")
    return 1 if found else 0


@click.command()
def deliver() -> int:
    """Send waiting alerts and lineage events; a run does so by itself."""
    from orchestration.watch import alerts as open_alerts

    with control.connect() as connection:
        connection.execute("select audit.refresh_alerts()")
        faults = open_alerts.send(connection)
        if fault := runs_lineage.send(connection):
            faults["lineage"] = fault
    for channel, fault in faults.items():
        out.print(f"{channel}: {escaped(fault)}; the next run tries again")
    return ServiceError.exit_code if faults else 0


@alerts.command("test")
@click.option("--local", is_flag=True, help="Send to local endpoints and print it.")
def alerts_test(local: bool) -> int:
    """Send one opened alert, one that is over and one notice to each channel."""
    from orchestration.watch import channels, endpoints

    faults = 0
    with ExitStack() as stack:
        received = endpoints.Received()
        if local:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            received, variables = stack.enter_context(endpoints.listening())
            os.environ |= variables | {"SEEDBED_ALERT_FILE": f"{folder}/alerts.jsonl"}
        configured = channels.configured()
        for channel in configured:
            try:
                channel.send(channels.samples(channel))
                out.print(f"{channel.name:<10} [green]sent[/]")
            except SeedbedError as error:
                faults += 1
                out.print(f"{channel.name:<10} [red]failed[/]: {escaped(error.what)}")
                if error.hint:
                    out.print(f"{'':<10} [cyan]hint[/]: {escaped(error.hint)}")
        for path, body in received.posts:
            tell(f"{path}: {escaped(json.dumps(body))}")
        for mail in received.mails:
            tell(escaped(mail))
    if not configured:
        raise ConfigurationError(
            "no channel has an address",
            f"set one of {', '.join(outbox.CHANNELS.values())} (see .env.example)",
        )
    return ServiceError.exit_code if faults else 0


@click.group()
def lineage() -> None:
    """Where data come from: a run's events."""


@lineage.command()
@click.argument("run_id", metavar="[RUN]", required=False)
def events(run_id: str | None) -> int:
    """Print the OpenLineage events of a RUN (default: the last) as JSON lines."""
    start_services(())
    with control.connect() as connection:
        control.look(connection)
        click.echo(runs_lineage.text(connection, run_id), nl=False)
    return 0


@click.command()
@click.option("--to", "file", type=FILE, help="Default: in .seedbed/backups.")
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    help="Keep this many of the newest in .seedbed/backups; 0 keeps all.",
)
def backup(file: Path | None, keep: int) -> int:
    """Write the warehouse with its control tables to a file."""
    from orchestration.watch import backup as backups

    start_services(())
    made = backups.write(file, keep, say)
    tell(f"backup   {made}  {made.stat().st_size / 1e6:,.1f} MB")
    out.print(
        "next     ./seedbed drill (restores it beside the warehouse and compares)"
    )
    return 0


@click.command()
@click.option("--backup", "file", type=FILE, help="The backup (default: the newest).")
def drill(file: Path | None) -> int:
    """Restore a backup and compare; exit 1 if a table differs.

    It is restored beside the warehouse, which is only read, and the lake's later
    batches are replayed. The result is in audit.drill_result.
    """
    from orchestration.watch import drill as drills

    start_services(())
    done = drills.drill(file, say)
    took = ", ".join(f"{name} {spent:.1f} s" for name, spent in done.seconds.items())
    out.print(
        f"drill    {done.backup.name}, {done.batches} batches replayed from the lake\n"
        f"recovery {sum(done.seconds.values()):.1f} s ({took})"
    )
    if done.left_out:
        tell(f"left out {', '.join(done.left_out)}: dbt's snapshots")
    if not done.different:
        out.print(f"same     [green]all {done.compared} tables[/], by checksum")
        return 0
    tell(f"[red]different[/] {', '.join(done.different)}")
    out.print("see docs/runbooks/drill-due.md")
    return 1
