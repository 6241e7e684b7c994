"""What the commands share: options, the servers, the tables that are meant."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from ingest import ledger
from ingest.errors import ConfigurationError
from ingest.seed import metadata
from ingest.seed.metadata import Table
from ingest.settings import ROOT
from orchestration import packages, pipeline, snowflake, summary
from sandbox import servers as embedded

# A pipe has no width of its own; a table that is cut would be useless there.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 100)


def escaped(text: str) -> str:
    """The text with what rich would take for markup made plain."""
    return text.replace("[", "\\[")


def say(line: str) -> None:
    """A line of progress, on standard error so that output stays clean."""
    click.echo(line, err=True)


def start_services(
    read: Sequence[Table] | None = None, target: str | None = None
) -> None:
    """Bring up the embedded servers that the environment doesn't replace.

    `read` are the tables whose sources are read: only their URLs must be there.
    Target snowflake without an account gets the emulator.
    """
    # What an earlier `env` exported is ours to bring up to date; what differs from
    # it is a person's own since.
    told = os.environ.get("SEEDBED_EMBEDDED", "").split()
    marks = dict(word.split(":", 1) for word in told if ":" in word)
    own_values = {
        name
        for name, mark in marks.items()
        if (value := os.environ.get(name)) and _mark(name, value) != mark
    }
    known = [name for name in told if _is_ours(name, own_values)]
    urls = {t.source.url_env for t in (chosen_tables(()) if read is None else read)}
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
    emulated = "snowflake" in known or (
        target == "snowflake" and not snowflake.is_configured()
    )
    if names:
        embedded.up(ROOT, say, names)
        for name in names:
            # One source may be the person's own, and the other embedded.
            only = missing if name == "mariadb" and name not in known else None
            _take(embedded.environment(ROOT, [name]), own_values, marks, only)
    if emulated:  # it reads the store, which is there now
        names.append("snowflake")
        embedded.up(ROOT, say, ["snowflake"])
        _take(embedded.environment(ROOT, ["snowflake"]), own_values, marks)
    if names or told:
        words = (f"{variable}:{mark}" for variable, mark in marks.items())
        os.environ["SEEDBED_EMBEDDED"] = " ".join([*names, *words])
        exempt = os.environ.get("NO_PROXY", "").split(",")
        if "127.0.0.1" not in exempt:
            os.environ["NO_PROXY"] = ",".join(filter(None, [*exempt, "127.0.0.1"]))
    packages.install(ROOT, say)


# The variable of each server that says where it is: with one of a person's own the
# whole server is another.
_PLACES = {
    "postgres": {"PGHOST"},
    "mariadb": {"SHOP_URL", "CRM_URL"},
    "s3": {"SEEDBED_LAKE"},
    "snowflake": {"SNOWFLAKE_ACCOUNT"},
}


def _is_ours(name: str, own_values: set[str]) -> bool:
    return name in _PLACES and not _PLACES[name] <= own_values


def _mark(name: str, value: str) -> str:
    """By which a value is known again that `env` printed."""
    return hashlib.sha256(f"{name}={value}".encode()).hexdigest()[:16]


def _take(
    variables: Mapping[str, str],
    own_values: set[str],
    marks: dict[str, str],
    only: Collection[str] | None = None,
) -> None:
    """Set a server's variables but for a person's own, and mark what was set.

    Where there are such, what the person took away (a password, say) stays away.
    """
    has_own = not own_values.isdisjoint(variables)
    for name, value in variables.items():
        if only is not None and name not in only:
            continue
        gone = has_own and name in marks and not os.environ.get(name)
        marks[name] = _mark(name, value)
        if name not in own_values and not gone:
            os.environ[name] = value


def chosen_tables(patterns: Sequence[str]) -> list[Table]:
    """The enabled tables that the patterns name; all of them without any."""
    return metadata.enabled(metadata.load(ROOT), patterns)


def some_tables(patterns: Sequence[str]) -> list[Table]:
    """The tables that are meant; ConfigurationError where the seed has none."""
    tables = chosen_tables(patterns)
    if not tables:
        raise ConfigurationError(
            "the metadata seed has no enabled table, so there is nothing to do. Add "
            "those of a database with `./seedbed discover SOURCE`."
        )
    return tables


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
    """The option --target of commands that build."""
    return click.option(
        "--target",
        type=click.Choice(["postgres", "snowflake"]),
        help="The last warehouse to build in: postgres, or snowflake as well. Without "
        "it, snowflake where SNOWFLAKE_ACCOUNT is set.",
    )(command)


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the outcome as JSON."
)


def finish(result: pipeline.RunResult, as_json: bool) -> int:
    """Tell what a run came to; return its exit code."""
    with ledger.connect() as connection:
        told = summary.read(connection, result.run_id)
    if as_json:
        click.echo(json.dumps(told.as_json(), default=str, indent=2))
        return result.exit_code
    summary.show(told, out)
    if result.built is not None:
        out.print(f"dbt      {result.built}")
        for line in result.built.failures:
            out.print(f"         [red]failed[/] {escaped(line)}", soft_wrap=True)
    if result.published is not None:
        out.print(f"publish  {escaped(str(result.published))}", soft_wrap=True)
        for line in result.published.built.failures:
            out.print(f"         [red]failed[/] {escaped(line)}", soft_wrap=True)
    return result.exit_code


def next_steps(relation: str) -> None:
    """Tell what to look at after a run, of which `relation` is a part."""
    out.print(
        "next     ./seedbed status   ./seedbed docs   "
        '[bold]eval "$(./seedbed env)"[/] && psql -c '
        f"'select * from {relation} limit 5'",
        soft_wrap=True,
    )


def run_pipeline(
    command: str,
    patterns: Sequence[str],
    as_json: bool = False,
    **options: Any,
) -> int:
    """Run the pipeline with its `options` and tell the outcome; the exit code."""
    tables = some_tables(patterns)
    read = tables if "extract" in options.get("steps", pipeline.STEPS) else ()
    start_services(read, options.get("target"))
    result = pipeline.run(tables, command=command, report=say, **options)
    code = finish(result, as_json)
    if not as_json:
        next_steps(f"silver.{tables[0].model}")
    return code
