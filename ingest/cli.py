"""The command line: reads arguments, calls the pipeline, tells the outcome."""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import click
from rich.console import Console

from ingest import (
    embedded,
    generate,
    ledger,
    metadata,
    packages,
    pipeline,
    stop,
    summary,
)
from ingest.errors import ConfigurationError, SeedbedError, ServiceError
from ingest.metadata import Table
from ingest.settings import ROOT
from ingest.window import Request

# A pipe has no width of its own; a table that is cut would be useless there.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
_FIRST = ("demo", "test", "run", "status", "doctor")


class _Commands(click.Group):
    """Help that shows the five commands to start with, then the rest."""

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        rest = sorted(set(self.commands) - set(_FIRST))
        for title, names in (("Start here", _FIRST), ("All the rest", rest)):
            with formatter.section(title):
                formatter.write_dl(
                    [(n, self.commands[n].get_short_help_str(80)) for n in names]
                )


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option("0.1.0", prog_name="seedbed")
def cli(debug: bool) -> None:
    """Seedbed: from a few CSV rows to tested tables with history."""


def main() -> None:
    """Run the command line; errors become one paragraph and an exit code."""
    debug = "--debug" in sys.argv
    stop.listen()
    try:
        code = cli.main(prog_name="./seedbed", standalone_mode=False)
    except click.exceptions.Abort as error:
        if isinstance(error.__cause__, stop.Stopped):
            click.echo(str(error.__cause__), err=True)
            sys.stdout.flush()
            os._exit(error.__cause__.exit_code)  # some thread may not end by itself
        code = 130
    except click.ClickException as error:
        error.show()
        code = ConfigurationError.exit_code
    except SeedbedError as error:
        if debug:
            raise
        Console(stderr=True, highlight=False).print(
            f"[red]error[/]: {_escaped(str(error))}", soft_wrap=True
        )
        code = error.exit_code
    except Exception as error:
        if debug:
            raise
        Console(stderr=True, highlight=False).print(
            f"[red]error[/]: this should not have happened: {type(error).__name__}: "
            f"{_escaped(str(error))}. The same command after `./seedbed --debug` shows "
            "where; please report it.",
            soft_wrap=True,
        )
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")


def _say(line: str) -> None:
    """A line of progress, on standard error so that output stays clean."""
    click.echo(line, err=True)


def _services(read: Sequence[Table] | None = None) -> None:
    """Bring up the embedded servers that the environment doesn't replace.

    `read` are the tables whose sources are read: only their URLs must be there.
    """
    # What an earlier `env` exported is ours to bring up to date.
    known = os.environ.get("SEEDBED_EMBEDDED", "").split()
    urls = {t.source.url_env for t in (_tables(()) if read is None else read)}
    missing = {u for u in urls if not os.environ.get(u)}
    own = sorted(missing - {"SHOP_URL", "CRM_URL"})
    if own and read is not None:
        raise ConfigurationError(
            f"{own[0]} is not set: seeds/metadata/sources.csv names it as the URL of "
            "a source. Set it to mysql://USER:PASSWORD@HOST:PORT/ and run again."
        )
    needed = {
        "postgres": not os.environ.get("PGHOST"),
        "mariadb": bool(missing - {*own}),
        "s3": not os.environ.get("SEEDBED_LAKE"),
    }
    names = [n for n in embedded.SERVICES if needed[n] or n in known]
    if names:
        embedded.up(ROOT, _say, names)
        for name in names:
            for variable, value in embedded.environment(ROOT, [name]).items():
                # One source may be the person's own, and the other embedded.
                if name != "mariadb" or name in known or variable in missing:
                    os.environ[variable] = value
        os.environ["SEEDBED_EMBEDDED"] = " ".join(names)
        exempt = os.environ.get("NO_PROXY", "").split(",")
        if "127.0.0.1" not in exempt:
            os.environ["NO_PROXY"] = ",".join(filter(None, [*exempt, "127.0.0.1"]))
    packages.install(ROOT, _say)


def _tables(patterns: Sequence[str]) -> list[Table]:
    return metadata.enabled(metadata.load(ROOT), patterns)


def tables_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option --tables."""
    return click.option(
        "--tables",
        "patterns",
        multiple=True,
        metavar="NAME",
        help="source.table or a model's name, with * allowed; may be repeated.",
    )(command)


def target_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option --target."""
    return click.option(
        "--target",
        type=click.Choice(["postgres"]),
        default="postgres",
        show_default=True,
        help="The warehouse to build in.",
    )(command)


def _finish(result: pipeline.RunResult, as_json: bool) -> int:
    with ledger.connect() as connection:
        told = summary.read(connection, result.run_id)
    if as_json:
        click.echo(json.dumps(told.as_json(), default=str, indent=2))
        return result.exit_code
    summary.show(told, out)
    if result.built is not None:
        out.print(f"dbt      {result.built}")
        for line in result.built.failures:
            out.print(f"         [red]failed[/] {_escaped(line)}", soft_wrap=True)
        for line in result.built.warnings:
            out.print(f"         [yellow]warning[/] {_escaped(line)}", soft_wrap=True)
    return result.exit_code


def _next_steps() -> None:
    out.print(
        "next     ./seedbed status   ./seedbed docs   "
        '[bold]eval "$(./seedbed env)"[/] && psql -c '
        "'select * from gold.agg_daily_sales order by 1 desc limit 5'",
        soft_wrap=True,
    )


def _run(
    command: str,
    patterns: Sequence[str],
    as_json: bool = False,
    **options: Any,
) -> int:
    tables = _tables(patterns)
    _services(tables if "extract" in options.get("steps", pipeline.STEPS) else ())
    result = pipeline.run(tables, command=command, report=_say, **options)
    code = _finish(result, as_json)
    if not as_json:
        _next_steps()
    return code


@cli.command()
@tables_option
@target_option
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.option("--jobs", default=2, show_default=True, help="Tables moved at once.")
@click.option("--everything", is_flag=True, help="Build all models, changed or not.")
def run(
    patterns: tuple[str, ...], target: str, as_json: bool, jobs: int, everything: bool
) -> int:
    """Extract, load, validate and build; failures stay with their table."""
    return _run(
        "run", patterns, as_json, target=target, jobs=jobs, everything=everything
    )


def _step(name: str, help_text: str) -> None:
    @cli.command(name, help=help_text)
    @tables_option
    @functools.wraps(_step)
    def step(patterns: tuple[str, ...]) -> int:
        return _run(name, patterns, steps=(name,), with_build=False)


_step("extract", "Read each table's next window into the lake.")
_step("load", "Load extracted batches into their logs.")
_step("validate", "Let loaded batches pass the gate, or reject them.")


@cli.command()
@target_option
def build(target: str) -> int:
    """Build and test all models with dbt, over what is released."""
    return _run("build", (), steps=(), everything=True, target=target)


@cli.command()
@tables_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def plan(patterns: tuple[str, ...], as_json: bool) -> int:
    """What the next run would read: windows, rows, sizes; nothing is changed."""
    from ingest import preview

    tables = _tables(patterns)
    _services(tables)
    with ledger.connect() as connection:
        ledger.prepare(connection)
        previews = preview.preview(connection, tables)
    if as_json:
        told = [p.as_json() for p in previews]
        click.echo(json.dumps(told, default=str, indent=2))
    else:
        preview.show(previews, out)
    errors = [p for p in previews if p.error]
    return ServiceError.exit_code if errors and len(errors) == len(previews) else 0


_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])


@cli.command()
@tables_option
@click.option("--from", "start", type=_DAY, required=True, help="The first moment.")
@click.option("--to", "end", type=_DAY, required=True, help="The moment after it.")
@target_option
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def backfill(
    patterns: tuple[str, ...],
    start: dt.datetime,
    end: dt.datetime,
    target: str,
    as_json: bool,
) -> int:
    """Read a range of watermarks again and add what the log lacks.

    In the source's time. What is new meanwhile comes with the next run, which this
    may run beside.
    """
    if not patterns:
        raise ConfigurationError("say which tables: `--tables shop.orders`, or `*`.")
    if start >= end:
        raise ConfigurationError(f"--from {start} is not before --to {end}.")
    request = Request("backfill", start, end)
    return _run("backfill", patterns, as_json, target=target, request=request)


@cli.command()
@click.option("--table", required=True, metavar="NAME", help="source.table or model.")
@click.option("--date", type=_DAY, required=True, help="In the source's time.")
@target_option
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def reload(table: str, date: dt.datetime, target: str, as_json: bool) -> int:
    """Replace one date of a table by what the source has of it now.

    Rows of that date which are gone from the source are deleted.
    """
    request = Request("reload", date, date + dt.timedelta(days=1))
    return _run("reload", (table,), as_json, target=target, request=request)


@cli.command()
@tables_option
@click.option("--repair", is_flag=True, help="Read the rows that differ and build.")
@target_option
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def reconcile(
    patterns: tuple[str, ...], repair: bool, target: str, as_json: bool
) -> int:
    """Compare the tables with their source, row by row; exit 1 if they differ."""
    from ingest import reconcile as reconciling

    tables = [t for t in _tables(patterns) if t.watermark_column]
    _services(tables)
    found = reconciling.run(tables, _say)
    wrong = [f.table for f in found if f.count or f.error]
    if repair and wrong:
        request = Request("repair")
        return _run(
            "repair", [t.id for t in wrong], as_json, target=target, request=request
        )
    if as_json:
        click.echo(json.dumps([f.as_json() for f in found], indent=2))
    else:
        reconciling.show(found, out)
    return 1 if wrong else 0


@cli.command()
@click.argument("names", nargs=-1, required=True, metavar="MODEL…")
@click.option(
    "--from-raw",
    is_flag=True,
    help="First make the log of each named TABLE anew from its raw files.",
)
@target_option
def rebuild(names: tuple[str, ...], from_raw: bool, target: str) -> int:
    """Rebuild models from the log, by name, and what follows from them."""
    from ingest import build as building
    from ingest import replay

    tables = _tables(names) if from_raw else []
    names = tuple(_rebuildable([t.model for t in tables] if from_raw else names))
    _services()
    pipeline.assert_generated()
    with ledger.connect() as connection:
        ledger.prepare(connection)
        run_id = ledger.begin_run(connection, "rebuild")
        started = time.monotonic()
        for table in tables:
            rows = replay.replay(connection, table, _say)
            out.print(f"{table.id}: its log was made from raw, {rows:,} rows")
        built = building.rebuild(names, target, _say)
        state = "done" if built.ok else "failed"
        seconds = {"build": time.monotonic() - started}
        ledger.end_run(connection, run_id, state, seconds, "\n".join(built.failures))
    out.print(f"rebuilt {', '.join(names)}: {built}")
    for line in built.failures:
        out.print(f"[red]failed[/] {_escaped(line)}", soft_wrap=True)
    return 0 if built.ok else 1


def _rebuildable(patterns: Sequence[str]) -> list[str]:
    """The models that are derived from the log and fit the patterns."""
    from fnmatch import fnmatch

    derived = {
        f"{t.model}_history" if t.has_history else t.model: t.model
        for t in _tables(())
        if t.load_type != "snapshot"
    }
    names = []
    for pattern in patterns:
        fitting = [n for n in derived if fnmatch(n, pattern) or derived[n] == pattern]
        if not fitting:
            raise ConfigurationError(
                f"{pattern!r} is no model that is derived from the log. There are: "
                f"{', '.join(derived)}. (dbt's snapshots can't be rebuilt.)"
            )
        names += fitting
    return list(dict.fromkeys(names))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(as_json: bool) -> int:
    """The last run: rows, states and the ledger's verdict."""
    _services()
    with ledger.connect() as connection:
        ledger.prepare(connection)
        told = summary.read(connection)
    if as_json:
        click.echo(json.dumps(told.as_json(), default=str, indent=2))
    else:
        summary.show(told, out)
    return 0


@cli.command()
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
    from ingest import discover as discovery

    if source in ("shop", "crm") and not os.environ.get(f"{source.upper()}_URL"):
        os.environ |= embedded.up(ROOT, _say, ["mariadb"])
    found = discovery.discover(
        ROOT, source, patterns, url_env=url_env, new_columns=new_columns
    )
    discovery.show(found, out)
    return 0


@cli.command("generate")
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


@cli.command()
def up() -> int:
    """Start the embedded servers."""
    embedded.up(ROOT, _say)
    out.print("up: " + ", ".join(f"{s.name} on port {s.port}" for s in _running()))
    return 0


def _running() -> list[embedded.ServiceStatus]:
    return [s for s in embedded.status(ROOT) if s.running]


@cli.command()
@click.option("--wipe", is_flag=True, help="Delete their data, the lake included.")
def down(wipe: bool) -> int:
    """Stop the embedded servers; their data are kept."""
    embedded.down(ROOT, _say)
    if wipe:
        embedded.wipe(ROOT, _say)
    return 0


@cli.command()
def env() -> int:
    """Print exports for this shell: eval "$(./seedbed env)"."""
    own = dict(os.environ)
    _services()
    for name, value in os.environ.items():
        if own.get(name) != value:
            click.echo(f"export {name}={shlex.quote(value)}")
    from ingest.embedded.postgres import binaries

    tools = f"{ROOT / '.venv/bin'}:{binaries()}"
    click.echo(f"export PATH={shlex.quote(tools)}:$PATH")
    return 0


@cli.command("lake")
@click.option("--plan", is_flag=True, help="Only say what would change.")
def lake_(plan: bool) -> int:
    """Set the bucket's versioning and how long it keeps what."""
    from ingest import retention

    tables = _tables(())
    _services()
    changes = retention.apply(tables, out.print, write=not plan)
    if not changes:
        out.print("the bucket is as the seed says.")
    elif plan:
        out.print("Nothing was changed: run `./seedbed lake`.")
    return 0


@cli.command()
def doctor() -> int:
    """Say what is wrong on this machine and what to type."""
    findings = embedded.doctor(ROOT)
    for finding in findings:
        mark = "[green]ok[/]  " if finding.ok else "[red]no[/]  "
        out.print(f"{mark}{_escaped(finding.what)}", soft_wrap=True)
        if not finding.ok and finding.fix:
            out.print(f"    {_escaped(finding.fix)}", soft_wrap=True)
    return 0 if all(f.ok for f in findings) else 1


@cli.command()
def docs() -> int:
    """Write dbt's documentation as one page and say where it is."""
    from ingest import build as building

    _services()
    target = ["--target", "postgres"]
    building.run_dbt(["docs", "generate", "--static", *target], _say)
    out.print(f"docs: {ROOT / 'target' / 'static_index.html'}")
    return 0


@cli.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> int:
    """Run the tests, on real servers; arguments go to pytest."""
    packages.install(ROOT, _say)
    # All of them on two cores, each with servers of its own.
    parallel = ("-n", "2", "--dist", "loadfile")
    command = [sys.executable, "-m", "pytest", *(arguments or parallel)]
    return subprocess.call(command, cwd=ROOT)


@cli.command()
@click.option(
    "--rows",
    type=click.IntRange(200, 10_000_000),
    help="Orders on the first day (50,000); everything else scales with them.",
)
@click.option("--keep", is_flag=True, help="Leave the servers running afterwards.")
@target_option
def demo(rows: int | None, keep: bool, target: str) -> int:
    """The whole pipeline on real servers, over three days of changes."""
    from ingest.demo import show

    started = time.monotonic()
    _services()
    _say(f"the servers took {time.monotonic() - started:.1f} s")
    try:
        code = show.play(ROOT, rows, target, out, _say, _finish)
        _next_steps()
    finally:
        if not keep:
            embedded.down(ROOT, _say)
    return code


@cli.group()
def bench() -> None:
    """Measure the product against what it replaces."""


@bench.command("history")
@click.option("--rows", type=click.IntRange(10_000), default=1_000_000, help="Keys.")
@click.option("--rounds", type=click.IntRange(1), default=3, help="Runs of each way.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def bench_history(rows: int, rounds: int, as_json: bool) -> int:
    """A changed dimension: scd2, hand-written SQL and dbt's snapshot."""
    from ingest.bench import history

    outcomes = history.run(rows, rounds, _say)
    if as_json:
        click.echo(json.dumps(history.as_json(outcomes), indent=2))
    else:
        for line in history.lines(outcomes):
            click.echo(line)
    return 0


@bench.command("ingest")
@click.option("--rows", type=click.IntRange(10), default=1_000_000, help="Orders.")
@click.option("--rounds", type=click.IntRange(1), default=5, help="Runs of each way.")
@click.option("--peers", is_flag=True, help="Beside dlt, ingestr and sling.")
@click.option("--memory", is_flag=True, help="Peak memory at 1M and 10M rows.")
@click.option("--reference", is_flag=True, help="Replay a published job of 9.6M rows.")
@click.option("--write", is_flag=True, help="Write docs/benchmarks.md.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def bench_ingest(
    rows: int,
    rounds: int,
    peers: bool,
    memory: bool,
    reference: bool,
    write: bool,
    as_json: bool,
) -> int:
    """A first load: beside the servers' own clients and other tools."""
    from ingest.bench import ingest

    results = ingest.run(
        rows,
        rounds,
        _say,
        with_peers=peers,
        with_memory=memory,
        with_reference=reference,
    )
    if as_json:
        click.echo(json.dumps(ingest.as_json(results), indent=2))
    else:
        for line in ingest.lines(results):
            click.echo(line)
    if write:
        _say(f"wrote {ingest.write(results)}")
    return 0


@bench.command("storage")
@click.option("--rows", type=click.IntRange(100_000), default=10_000_000, help="Rows.")
@click.option("--rounds", type=click.IntRange(1, 20), default=5, help="Runs of each.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def bench_storage(rows: int, rounds: int, as_json: bool) -> int:
    """Tables in Postgres: fillfactor, indexes, BRIN and partitions."""
    from ingest.bench import storage

    outcomes = storage.run(rows, rounds, _say)
    if as_json:
        click.echo(json.dumps(storage.as_json(outcomes), indent=2))
    else:
        for line in storage.lines(outcomes):
            click.echo(line)
    return 0
