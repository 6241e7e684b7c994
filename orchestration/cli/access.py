"""Commands about who sees what, and about a Snowflake account."""

from __future__ import annotations

import click

from ingest import control
from ingest.errors import SeedbedError
from ingest.settings import ROOT
from orchestration import build, packages, probe, runs, summary
from orchestration.build import HERE
from orchestration.cli.common import (
    json_option,
    out,
    print_json,
    say,
    start_services,
    tell,
)
from orchestration.publish import TARGET


@click.group()
def security() -> None:
    """Check what each role sees, or print the SQL of the roles."""


@security.command("probe")
@json_option
def probe_(as_json: bool) -> int:
    """Connect as each role and check what it sees; exit 1 on a leak."""
    start_services()
    with control.connect() as connection:
        control.prepare(connection)
        build.run_dbt(["parse", "--target", HERE], say)
        with runs.opened(connection, "security probe") as run_id:
            with runs.timed(run_id, "probe"):
                leaks = probe.probe(connection, run_id)
            runs.close(connection, run_id, "failed" if leaks else "done")
        outcome = summary.read(connection, run_id)
    if as_json:
        print_json(outcome.probe)
    else:
        summary.show_probe(outcome, out)
        summary.show_rows(outcome, out)
    return 1 if leaks else 0


@security.command("plan")
def plan_security() -> int:
    """Print the SQL of roles, rights and views on Postgres; change nothing."""
    start_services()
    with control.connect() as connection:
        control.prepare(connection)
    click.echo(build.rendered("secure", HERE, say))
    return 0


@click.group()
def snowflake() -> None:
    """Set up a Snowflake account: warehouses, roles, policies."""


@snowflake.command("plan")
def plan_account() -> int:
    """Print the SQL that `apply` would run; needs no connection."""
    packages.install(ROOT, say)
    click.echo(build.rendered("account_plan", TARGET, say))
    return 0


@snowflake.command()
def apply() -> int:
    """Set up the account, as an administrator; may be repeated."""
    packages.install(ROOT, say)
    words = ["run-operation", "apply_sql", "--args", "{macro: account}"]
    done = build.run_dbt([*words, "--target", TARGET], say)
    if not done.ok:
        raise SeedbedError(
            f"the account was not set up: {'; '.join(done.failures)}",
            "It takes the role ACCOUNTADMIN (SNOWFLAKE_ROLE), and Enterprise edition "
            "for policies. What was done before stays; run `./seedbed snowflake apply` "
            "again to continue.",
        )
    tell(
        "The account is set up. Set SNOWFLAKE_SERVING=true and SNOWFLAKE_ROLE to the "
        "transformer's role, then run `./seedbed publish`."
    )
    return 0
