"""The command line: reads arguments, calls the pipeline, reports the outcome."""

from __future__ import annotations

import functools
import os
import sys
from itertools import chain

import click
import psycopg
from rich.console import Console

from ingest import control, private, stop
from ingest.errors import ConfigurationError, SeedbedError, ServiceError, ordinary
from orchestration import local
from orchestration.cli import access, airflow, operations, pages, repairs, seed, steps
from orchestration.display import fault

# The help in groups, those to start with first.
GROUPS: dict[str, tuple[click.Command, ...]] = {
    "Start here": (steps.run, steps.status),
    "A database of your own": (seed.discover, seed.generate_, seed.contracts),
    "Step by step": (
        steps.plan,
        steps.extract,
        steps.load,
        steps.validate,
        steps.build,
        steps.publish,
        steps.parity,
    ),
    "A blocked table": (repairs.release,),
    "Repair": (
        repairs.backfill,
        repairs.reload,
        repairs.rebuild,
        repairs.reconcile,
        repairs.prune,
    ),
    "Servers and pages": (operations.lake, pages.docs, pages.report),
    "Access and accounts": (access.security, access.snowflake),
    "On a schedule": (airflow.airflow,),
    "Operations": (
        operations.alerts,
        operations.deliver,
        operations.metrics,
        operations.lineage,
        operations.backup,
        operations.drill,
    ),
}


@functools.cache
def groups() -> dict[str, tuple[click.Command, ...]]:
    """All commands by their group; those of the sandbox, if it is installed, first."""
    found = dict(GROUPS)
    for title, more in local.commands().items():
        found[title] = (*more, *found.get(title, ()))
    return found


class _Commands(click.Group):
    """The commands of `groups`, which the help lists in theirs."""

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        for title, commands in groups().items():
            with formatter.section(title):
                formatter.write_dl(
                    [(c.name or "", c.get_short_help_str(80)) for c in commands]
                )


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option("0.1.0", prog_name="seedbed")
def cli(debug: bool) -> None:
    """Seedbed: from a few CSV rows to tested tables with history."""


def main() -> None:
    """Run the command line; an error becomes what, a hint and an exit code."""
    debug = "--debug" in sys.argv
    # A process that a signal ends leaves semaphores to this tracker, which frees them.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
    private.begin()
    stop.listen()
    try:
        for command in chain(*groups().values()):
            cli.add_command(command)
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
    except Exception as error:
        if debug:
            raise
        known = _locked(error) or ordinary(error) or _unexpected(error)
        Console(stderr=True).print(fault(str(known)), soft_wrap=True)
        code = known.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def _locked(error: Exception) -> SeedbedError | None:
    """A lock that was not free in time, and which session holds it."""
    if not isinstance(error, psycopg.errors.LockNotAvailable):
        return None
    who = control.locked_by(error) or "The session that held it has ended"
    return ServiceError(
        f"the warehouse waited too long for a lock. {who}. What was under way was "
        "rolled back.",
        "Run the command again.",
    )


def _unexpected(error: Exception) -> SeedbedError:
    return SeedbedError(
        f"unexpected {type(error).__name__}: {error}",
        "Run the command again with `./seedbed --debug` for the traceback, and please "
        "report it.",
    )
