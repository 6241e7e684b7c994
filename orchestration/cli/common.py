"""What the commands share: options, starting servers, choosing tables."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from ingest import control, sources
from ingest.errors import ConfigurationError
from ingest.seed import metadata
from ingest.seed.metadata import Table
from ingest.settings import ROOT
from orchestration import local, packages, runner, snowflake, summary

# A pipe has no width; a truncated table would be useless there.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 100)


FILE = click.Path(dir_okay=False, path_type=Path)


def escaped(text: str) -> str:
    """The text, with rich's markup escaped."""
    return text.replace("[", "\\[")


def tell(line: str | Text) -> None:
    """A line of the result, in one piece however long it is."""
    out.print(line, soft_wrap=True)


def say(line: str) -> None:
    """A line of progress, on standard error so that output stays clean."""
    click.echo(line, err=True)


def start_services(
    read: Sequence[Table] | None = None, target: str | None = None
) -> None:
    """Make sure that the servers run and dbt's packages are installed.

    `read` are the tables whose sources are read: only their URLs must be set. A server
    that no variable names is one of the sandbox, if the folder exists.
    """
    urls = {t.source.url_env for t in (chosen_tables(()) if read is None else read)}
    missing = {u for u in urls if not os.environ.get(u)}
    services = local.services()
    own = sorted(missing - services.SOURCES if services else missing)
    if own and read is not None:
        source = next(t.source for t in read if t.source.url_env == own[0])
        raise ConfigurationError(
            f"{own[0]} is not set: seeds/metadata/sources.csv names it as the URL of "
            "a source.",
            f"Set it to {sources.of(source).url}.",
        )
    if services:
        services.start(missing - {*own}, target, say)
    elif target == "snowflake" and not snowflake.is_configured():
        raise ConfigurationError(
            "SNOWFLAKE_ACCOUNT is not set, and the emulator is in the folder sandbox/, "
            "which is not here.",
            "Set it; .env.example lists all variables.",
        )
    packages.install(ROOT, say)


def start_source(name: str) -> None:
    """Start the sandbox's server where the source is the demo's."""
    url = f"{name.upper()}_URL"
    services = local.services()
    if services and url in services.SOURCES and not os.environ.get(url):
        services.start_source(say)


def chosen_tables(patterns: Sequence[str]) -> list[Table]:
    """The enabled tables that the patterns name; all of them without any."""
    return metadata.enabled(metadata.load(ROOT), patterns)


def some_tables(patterns: Sequence[str]) -> list[Table]:
    """The chosen tables; ConfigurationError where the seed has none."""
    tables = chosen_tables(patterns)
    if not tables:
        raise ConfigurationError(
            "the metadata seed has no enabled table, so there is nothing to do.",
            "Add the tables of a database with `./seedbed discover SOURCE`.",
        )
    return tables


tables_option = click.option(
    "--tables",
    "patterns",
    multiple=True,
    metavar="NAME",
    help="source.table or a model's name; * is allowed. May be repeated.",
)
target_option = click.option(
    "--target",
    type=click.Choice(["postgres", "snowflake"]),
    help="Build on postgres only, or on snowflake as well. Default: snowflake if "
    "SNOWFLAKE_ACCOUNT is set.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON."
)


def print_json(result: Any) -> None:
    """Print a result as JSON."""
    click.echo(json.dumps(result, default=str, indent=2))


def finish(result: runner.Run, as_json: bool) -> int:
    """Print the result of a run; return its exit code."""
    with control.connect() as connection:
        outcome = summary.read(connection, result.run_id)
    if as_json:
        print_json(outcome.as_json())
        return result.exit_code
    summary.show(outcome, out)
    if result.built is not None:
        out.print(f"dbt      {result.built}")
    if result.published is not None:
        tell(f"publish  {escaped(str(result.published))}")
    return result.exit_code


def next_steps(relation: str) -> None:
    """Print what to look at after a run, of which `relation` is a part."""
    tell(
        "next     ./seedbed status   ./seedbed docs   "
        '[bold]eval "$(./seedbed env)"[/] && psql -c '
        f"'select * from {relation} limit 5'"
    )


def run_pipeline(
    command: str, patterns: Sequence[str], as_json: bool = False, **options: Any
) -> int:
    """Run the pipeline with its `options` and print the result; the exit code."""
    tables = some_tables(patterns)
    read = tables if "extract" in options.get("steps", runner.STEPS) else ()
    start_services(read, options.get("target"))
    result = runner.run(tables, command=command, report=say, **options)
    code = finish(result, as_json)
    if not as_json:
        next_steps(f"silver.{tables[0].model}")
    return code
