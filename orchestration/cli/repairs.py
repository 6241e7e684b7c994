"""Commands that read again, compare, rebuild and clean up."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence

import click

from ingest import control, load
from ingest.errors import ConfigurationError
from ingest.window import Request
from orchestration import artifacts, prove, runner, runs
from orchestration.build import HERE
from orchestration.cli.common import (
    chosen_tables,
    escaped,
    json_option,
    out,
    run_pipeline,
    say,
    start_services,
    tables_option,
    target_option,
)

_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])


@click.command()
@tables_option
@click.option("--from", "start", type=_DAY, required=True, help="The range's start.")
@click.option("--to", "end", type=_DAY, required=True, help="Its end (exclusive).")
@target_option
@json_option
def backfill(
    patterns: tuple[str, ...],
    start: dt.datetime,
    end: dt.datetime,
    target: str | None,
    as_json: bool,
) -> int:
    """Read a range of watermarks again.

    Adds the rows that the log lacks. Times are in the source's time zone. New rows
    come with the next run, which may run at the same time.
    """
    if not patterns:
        raise ConfigurationError(
            "no table is named.", "Name them: `--tables shop.orders`, or `*` for all."
        )
    if start >= end:
        raise ConfigurationError(f"--from {start} is not before --to {end}.")
    request = Request("backfill", start, end)
    return run_pipeline("backfill", patterns, as_json, target=target, request=request)


@click.command()
@click.option("--table", required=True, metavar="NAME", help="source.table or model.")
@click.option("--date", type=_DAY, required=True, help="In the source's time zone.")
@target_option
@json_option
def reload(table: str, date: dt.datetime, target: str | None, as_json: bool) -> int:
    """Replace one date of a table by the source's present rows.

    Rows of that date that are gone from the source are deleted.
    """
    request = Request("reload", date, date + dt.timedelta(days=1))
    return run_pipeline("reload", (table,), as_json, target=target, request=request)


@click.command()
@tables_option
@click.option("--repair", is_flag=True, help="Read the rows that differ, and build.")
@target_option
@json_option
def reconcile(
    patterns: tuple[str, ...], repair: bool, target: str | None, as_json: bool
) -> int:
    """Compare source, log and silver; exit 1 if a row differs.

    A table without a watermark is compared by all its rows; what changed in the source
    since its last run differs, and a run reads it whole.
    """
    from orchestration import reconcile as reconciling

    tables = chosen_tables(patterns)
    start_services(tables)
    found = reconciling.run(tables, say)
    is_equal = all(f.is_equal for f in found)
    wrong = [f.table for f in found if f.count or f.error]
    if repair and wrong:
        request = Request("repair")
        by_key = [t.id for t in wrong if t.watermark_column]
        whole = [t.id for t in wrong if not t.watermark_column]
        codes = [0]
        if by_key:
            codes.append(
                run_pipeline("repair", by_key, as_json, target=target, request=request)
            )
        if whole:
            codes.append(run_pipeline("run", whole, as_json, target=target))
        return max(codes)
    if as_json:
        click.echo(json.dumps([f.as_json() for f in found], indent=2))
    else:
        reconciling.show(found, out)
    return 0 if is_equal else 1


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="MODEL…")
@click.option(
    "--from-raw",
    is_flag=True,
    help="First rebuild the log of each named TABLE from its raw files.",
)
@target_option
def rebuild(names: tuple[str, ...], from_raw: bool, target: str | None) -> int:
    """Rebuild models from the log, by name, and what depends on them."""
    from orchestration import build as building
    from orchestration import publish, replay, snowflake

    tables = chosen_tables(names) if from_raw else []
    names = tuple(_rebuildable([t.model for t in tables] if from_raw else names))
    start_services(target=target)
    everyone = runner.check()
    with control.connect() as connection:
        control.prepare(connection)
        for table in [] if from_raw else chosen_tables(()):
            if {table.model, f"{table.model}_history"} & {*names}:
                load.assert_whole(connection, table)
        with runs.opened(connection, "rebuild") as run_id:
            with runs.timed(run_id, "build"):
                for table in tables:
                    rows = replay.replay(connection, table, say)
                    out.print(f"{table.id}: rebuilt its log from raw, {rows:,} rows")
                began = dt.datetime.now(dt.UTC)
                built = building.rebuild(names, HERE, say)
                folder = artifacts.folder(HERE)
                prove.look(connection, run_id, everyone, folder, began, say)
                if built.ok and target != HERE and snowflake.is_configured():
                    # What was made from raw is copied again first.
                    published = publish.publish(connection, run_id, report=say)
                    if published.ok:
                        published.built = building.rebuild(names, publish.TARGET, say)
                    out.print(f"publish  {escaped(str(published))}", soft_wrap=True)
                    built.failures += published.built.failures
            state = "done" if built.ok else "failed"
            runs.close(connection, run_id, state, "\n".join(built.failures))
    out.print(f"rebuilt {', '.join(names)}: {built}")
    for line in built.failures:
        out.print(f"[red]failed[/] {escaped(line)}", soft_wrap=True)
    return 0 if built.ok else 1


def _rebuildable(patterns: Sequence[str]) -> list[str]:
    """The models that are derived from the log and fit the patterns."""
    from fnmatch import fnmatch

    derived = {
        t.derived: t.model for t in chosen_tables(()) if not t.load_type.is_snapshot
    }
    names = []
    for pattern in patterns:
        fitting = [n for n in derived if fnmatch(n, pattern) or derived[n] == pattern]
        if not fitting:
            raise ConfigurationError(
                f"{pattern!r} is no model that is derived from the log; dbt's "
                "snapshots can't be rebuilt.",
                f"The models are: {', '.join(derived)}.",
            )
        names += fitting
    return list(dict.fromkeys(names))


@click.command()
@click.option("--drop", is_flag=True, help="Drop the relations.")
def prune(drop: bool) -> int:
    """Show, or drop, the relations of removed models.

    Logs in bronze and files in the lake stay: a table that comes back continues where
    it stopped.
    """
    from orchestration import build as building

    start_services()
    statements = building.rendered("retired_relations", HERE, say)
    with control.connect() as connection:
        if drop and statements:
            connection.execute(statements.encode())
        logs = connection.execute(
            "select 'bronze.' || quote_ident(table_name) "
            "from information_schema.tables "
            "where table_schema = 'bronze' and not table_name = any(%s) order by 1",
            ([table.bronze for table in chosen_tables(())],),
        ).fetchall()
    click.echo(statements or "No relation of a retired model is left.")
    if logs:
        say(f"kept the logs of retired tables: {', '.join(n for (n,) in logs)}")
    if statements and drop:
        say("dropped")
    elif statements:
        say("nothing was dropped; `./seedbed prune --drop` runs these statements")
    return 0
