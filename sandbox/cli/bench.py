"""The benchmarks."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

import click

from ingest import settings
from orchestration import packages
from orchestration.cli.common import json_option, say


@click.group()
def bench() -> None:
    """Run benchmarks: the product beside what it replaces."""


def _number(
    name: str, default: int, text: str, least: int = 1, most: int | None = None
) -> Callable[..., Any]:
    kind = click.IntRange(least, most)
    return click.option(f"--{name}", type=kind, default=default, help=text)


def _measure(name: str, as_json: bool, **values: Any) -> Any:
    """Run the benchmark of that name, print its results and return them."""
    packages.install(settings.ROOT, say)
    module = importlib.import_module(f"sandbox.bench.{name}")
    outcome = module.run(report=say, **values)
    if as_json:
        click.echo(json.dumps(module.as_json(outcome), indent=2))
    else:
        for line in module.lines(outcome):
            click.echo(line)
    return outcome


@bench.command("history")
@_number("rows", 1_000_000, "Keys.", 100)
@_number("rounds", 3, "Runs of each method.")
@json_option
def bench_history(**values: Any) -> None:
    """A changed dimension: scd2, hand-written SQL and dbt's snapshot."""
    _measure("history", **values)


@bench.command("ingest")
@_number("rows", 1_000_000, "Orders.", 10)
@_number("rounds", 5, "Runs of each method.")
@click.option("--peers", is_flag=True, help="Also run dlt, ingestr and sling.")
@click.option("--memory", is_flag=True, help="Measure memory at 1M and 10M rows.")
@click.option("--reference", is_flag=True, help="Replay a published job of 9.6M rows.")
@click.option("--write", is_flag=True, help="Write docs/benchmarks.md.")
@json_option
def bench_ingest(
    peers: bool, memory: bool, reference: bool, write: bool, **values: Any
) -> None:
    """A first load, beside the servers' own clients and other tools."""
    parts = {"peers": peers, "memory": memory, "reference": reference}
    values |= {f"with_{part}": wanted for part, wanted in parts.items()}
    results = _measure("ingest", **values)
    if write:
        from sandbox.bench import ingest

        say(f"wrote {ingest.write(results)}")


@bench.command("storage")
@_number("rows", 10_000_000, "Rows.", 10_000)
@_number("rounds", 5, "Runs of each.", most=20)
@json_option
def bench_storage(**values: Any) -> None:
    """Tables in Postgres: fillfactor, indexes, BRIN and partitions."""
    _measure("storage", **values)


@bench.command("gate")
@_number("rows", 1_000_000, "Rows.", 1_000)
@_number("rounds", 5, "Runs of each method.")
@json_option
def bench_gate(**values: Any) -> None:
    """A batch at the gate: fifteen expectations on twelve columns."""
    _measure("gate", **values)


@bench.command("gold")
@click.option(
    "--lines",
    type=click.IntRange(1_000),
    multiple=True,
    default=(50_000, 500_000, 5_000_000),
    help="Order lines of a year.",
)
@_number("rounds", 3, "Changes of each.")
@json_option
def bench_gold(**values: Any) -> None:
    """A day's change: facts that go on, beside all of them again."""
    _measure("gold", **values)


@bench.command("discovery")
@_number("tables", 500, "Tables.", most=5000)
@json_option
def bench_discovery(**values: Any) -> None:
    """A database of many tables: discover, generate, and dbt's parse."""
    _measure("discovery", **values)


@bench.command("endpoints")
@_number("rows", 2_000, "Orders.", 200)
@_number("rounds", 5, "Runs of each method.")
@json_option
def bench_endpoints(**values: Any) -> None:
    """A run while lineage, alerts and mail are down, beside one without them."""
    _measure("endpoints", **values)


@bench.command("steady")
@click.option(
    "--rows",
    type=click.IntRange(200),
    multiple=True,
    default=(50_000, 1_000_000),
    help="Orders of the shop.",
)
@_number("rounds", 3, "Runs of each kind.")
@json_option
def bench_steady(**values: Any) -> None:
    """Runs with nothing new, one changed order and 1,000, over logs of two sizes."""
    _measure("steady", **values)
