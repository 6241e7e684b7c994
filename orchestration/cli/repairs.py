"""Commands that release, read again, compare, rebuild and clean up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from fnmatch import fnmatch
from typing import Any

import click

from ingest import control, load
from ingest.errors import ConfigurationError
from ingest.statements import query
from ingest.window import Request
from orchestration import build, decisions, publish, replay, runner, runs, snowflake
from orchestration import reconcile as reconciling
from orchestration.build import HERE
from orchestration.cli.common import (
    chosen_tables,
    escaped,
    json_option,
    out,
    print_json,
    run_pipeline,
    say,
    start_services,
    tables_option,
    target_option,
    tell,
)

_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])


@click.command()
@click.argument("batch")
@click.option("--reason", required=True, help="Why; it is kept with the batch.")
@click.option("--quarantine", is_flag=True, help="Leave out the rows that fail a rule.")
def release(batch: str, reason: str, quarantine: bool) -> int:
    """Release a rejected BATCH: its id, or its table's name.

    As it is, or without the rows that fail a rule, which become rejects. The next
    run builds the models that depend on it.
    """
    if not reason.strip():
        raise ConfigurationError(
            "--reason is empty.",
            "Say why the batch may be released; it is kept with the batch.",
        )
    start_services(())
    with control.connect() as connection:
        control.prepare(connection)
        done = decisions.release(connection, batch, reason.strip(), quarantine)
    found = done.batch
    text = f"released {found.batch_id}: {found.rows_loaded or 0:,} rows"
    if quarantine:
        text += (
            f"; {done.left_out:,} rows that fail a rule were left out: select rule_id, "
            f"row from audit.quarantine where table_id = '{found.table_id}' and "
            f"batch_seq = {found.batch_seq}"
        )
    out.print(escaped(f"{text}. Next: `./seedbed run` builds what depends on it."))
    return 0 if done.balanced else 1


@click.command()
@tables_option
@click.option("--from", "start", type=_DAY, required=True, help="The range's start.")
@click.option("--to", "end", type=_DAY, required=True, help="Its end (exclusive).")
@target_option
@json_option
def backfill(
    patterns: tuple[str, ...], start: dt.datetime, end: dt.datetime, **options: Any
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
    return run_pipeline("backfill", patterns, request=request, **options)


@click.command()
@click.option("--table", required=True, metavar="NAME", help="source.table or model.")
@click.option("--date", type=_DAY, required=True, help="In the source's time zone.")
@target_option
@json_option
def reload(table: str, date: dt.datetime, **options: Any) -> int:
    """Replace one date of a table by the source's present rows.

    Rows of that date that are gone from the source are deleted.
    """
    request = Request("reload", date, date + dt.timedelta(days=1))
    return run_pipeline("reload", (table,), request=request, **options)


@click.command()
@tables_option
@click.option("--repair", is_flag=True, help="Read the rows that differ, and build.")
@target_option
@json_option
def reconcile(
    patterns: tuple[str, ...], repair: bool, as_json: bool, **options: Any
) -> int:
    """Compare source, log and silver; exit 1 if a row differs.

    A table without a watermark is compared by all its rows; what changed in the source
    since its last run differs, and a run reads it whole.
    """
    tables = chosen_tables(patterns)
    start_services(tables)
    found = reconciling.run(tables, say)
    wrong = [f.table for f in found if f.count or f.error]
    if repair and wrong:
        by_key = [t.id for t in wrong if t.watermark_column]
        whole = [t.id for t in wrong if not t.watermark_column]
        again = [("repair", by_key, Request("repair")), ("run", whole, None)]
        return max(
            run_pipeline(command, names, as_json, request=request, **options)
            for command, names, request in again
            if names
        )
    if as_json:
        print_json([f.as_json() for f in found])
    else:
        reconciling.show(found, out)
    return 0 if all(f.is_equal for f in found) else 1


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
    tables = chosen_tables(names) if from_raw else []
    models = _rebuildable([t.model for t in tables] if from_raw else names)
    start_services(target=target)
    everyone = runner.check()
    with control.connect() as connection:
        control.prepare(connection)
        for table in everyone:
            if table.derived in models and not from_raw:
                load.assert_whole(connection, table)
        with runs.opened(connection, "rebuild") as run_id:
            with runs.timed(run_id, "build"):
                for table in tables:
                    rows = replay.replay(connection, table, say)
                    out.print(f"{table.id}: rebuilt its log from raw, {rows:,} rows")
                began = dt.datetime.now(dt.UTC)
                built = build.rebuild(models, HERE, say)
                runner.Run(run_id, everyone, [], say).look(connection, began)
                if built.ok and target != HERE and snowflake.is_configured():
                    # What was made from raw is copied again first.
                    published = publish.publish(connection, run_id, report=say)
                    if published.ok:
                        published.built = build.rebuild(models, publish.TARGET, say)
                    tell(f"publish  {escaped(str(published))}")
                    built.failures += published.built.failures
            state = "done" if built.ok else "failed"
            runs.close(connection, run_id, state, "\n".join(built.failures))
    out.print(f"rebuilt {', '.join(models)}: {built}")
    for line in built.failures:
        tell(f"[red]failed[/] {escaped(line)}")
    return 0 if built.ok else 1


def _rebuildable(patterns: Sequence[str]) -> list[str]:
    """The models that are derived from the log and fit the patterns."""
    tables = [t for t in chosen_tables(()) if not t.load_type.is_snapshot]
    names: dict[str, None] = {}
    for pattern in patterns:
        fitting = [
            t.derived
            for t in tables
            if fnmatch(t.derived, pattern) or t.model == pattern
        ]
        if not fitting:
            raise ConfigurationError(
                f"{pattern!r} is no model that is derived from the log; dbt's "
                "snapshots can't be rebuilt.",
                f"The models are: {', '.join(t.derived for t in tables)}.",
            )
        names |= dict.fromkeys(fitting)
    return [*names]


@click.command()
@click.option("--drop", is_flag=True, help="Drop the relations.")
def prune(drop: bool) -> int:
    """Show, or drop, the relations of removed models.

    Logs in bronze and files in the lake stay: a table that comes back continues where
    it stopped.
    """
    start_services()
    statements = build.rendered("retired_relations", HERE, say)
    with control.connect() as connection:
        if drop and statements:
            connection.execute(statements.encode())
        known = {"known": [table.bronze for table in chosen_tables(())]}
        logs = connection.execute(query(__file__), known).fetchall()
    click.echo(statements or "No relation of a retired model is left.")
    if logs:
        say(f"kept the logs of retired tables: {', '.join(n for (n,) in logs)}")
    if statements and drop:
        say("dropped")
    elif statements:
        say("nothing was dropped; `./seedbed prune --drop` runs these statements")
    return 0
