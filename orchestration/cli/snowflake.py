"""Commands about a Snowflake account."""

from __future__ import annotations

import click

from ingest.errors import SeedbedError
from ingest.settings import ROOT
from orchestration import build as building
from orchestration import packages
from orchestration.cli.common import out, say


@click.group()
def snowflake() -> None:
    """Set up a Snowflake account: warehouses, roles, policies."""


@snowflake.command()
def plan() -> int:
    """Print the SQL that `apply` would run; needs no connection."""
    packages.install(ROOT, say)
    click.echo(building.rendered("account_plan", "snowflake", say))
    return 0


@snowflake.command()
def apply() -> int:
    """Set up the account, as an administrator; may be repeated."""
    packages.install(ROOT, say)
    words = ["run-operation", "apply_sql", "--args", "{macro: account}"]
    done = building.run_dbt([*words, "--target", "snowflake"], say)
    if not done.ok:
        raise SeedbedError(
            f"the account was not set up: {'; '.join(done.failures)}",
            "It takes the role ACCOUNTADMIN (SNOWFLAKE_ROLE), and Enterprise edition "
            "for policies. What was done before stays; run `./seedbed snowflake apply` "
            "again to continue.",
        )
    out.print(
        "The account is set up. Set SNOWFLAKE_SERVING=true and SNOWFLAKE_ROLE to the "
        "transformer's role, then run `./seedbed publish`.",
        soft_wrap=True,
    )
    return 0
