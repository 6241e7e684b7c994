"""The benchmarks."""

from __future__ import annotations

import json

import click

from ingest.cli.common import json_option, say


@click.group()
def bench() -> None:
    """Measure the product against what it replaces."""


@bench.command("history")
@click.option("--rows", type=click.IntRange(100), default=1_000_000, help="Keys.")
@click.option("--rounds", type=click.IntRange(1), default=3, help="Runs of each way.")
@json_option
def bench_history(rows: int, rounds: int, as_json: bool) -> int:
    """A changed dimension: scd2, hand-written SQL and dbt's snapshot."""
    from ingest.bench import history

    outcomes = history.run(rows, rounds, say)
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
@json_option
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
        say,
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
        say(f"wrote {ingest.write(results)}")
    return 0


@bench.command("storage")
@click.option("--rows", type=click.IntRange(10_000), default=10_000_000, help="Rows.")
@click.option("--rounds", type=click.IntRange(1, 20), default=5, help="Runs of each.")
@json_option
def bench_storage(rows: int, rounds: int, as_json: bool) -> int:
    """Tables in Postgres: fillfactor, indexes, BRIN and partitions."""
    from ingest.bench import storage

    outcomes = storage.run(rows, rounds, say)
    if as_json:
        click.echo(json.dumps(storage.as_json(outcomes), indent=2))
    else:
        for line in storage.lines(outcomes):
            click.echo(line)
    return 0


@bench.command("gate")
@click.option("--rows", type=click.IntRange(1_000), default=1_000_000, help="Rows.")
@click.option("--rounds", type=click.IntRange(1), default=5, help="Runs of each way.")
@json_option
def bench_gate(rows: int, rounds: int, as_json: bool) -> int:
    """A batch at the gate: fifteen expectations on twelve columns."""
    from ingest.bench import gate

    outcome = gate.run(rows, rounds, say)
    if as_json:
        click.echo(json.dumps(gate.as_json(outcome), indent=2))
    else:
        for line in gate.lines(outcome):
            click.echo(line)
    return 0


@bench.command("gold")
@click.option("--orders", type=click.IntRange(50), default=400, help="Orders a day.")
@click.option("--rounds", type=click.IntRange(1), default=3, help="Changes of each.")
@json_option
def bench_gold(orders: int, rounds: int, as_json: bool) -> int:
    """The same change after 30 and 300 days of history."""
    from ingest.bench import gold

    outcomes = gold.run(orders, rounds, say)
    if as_json:
        click.echo(json.dumps(gold.as_json(outcomes), indent=2))
    else:
        for line in gold.lines(outcomes):
            click.echo(line)
    return 0


@bench.command("discovery")
@click.option("--tables", type=click.IntRange(1, 5000), default=500, help="Tables.")
@json_option
def bench_discovery(tables: int, as_json: bool) -> int:
    """A database of many tables: discover, generate, and dbt's parse."""
    from ingest.bench import discovery

    seconds = discovery.run(tables, say)
    if as_json:
        click.echo(json.dumps(discovery.as_json(tables, seconds), indent=2))
    else:
        for line in discovery.lines(tables, seconds):
            click.echo(line)
    return 0


@bench.command("endpoints")
@click.option("--rows", type=click.IntRange(200), default=2_000, help="Orders.")
@click.option("--rounds", type=click.IntRange(1), default=5, help="Runs of each way.")
@json_option
def bench_endpoints(rows: int, rounds: int, as_json: bool) -> int:
    """A run while lineage, alerts and mail are down, beside one without them."""
    from ingest.bench import endpoints

    outcomes = endpoints.run(rows, rounds, say)
    if as_json:
        click.echo(json.dumps(endpoints.as_json(outcomes), indent=2))
    else:
        for line in endpoints.lines(outcomes):
            click.echo(line)
    return 0
