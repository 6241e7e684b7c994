"""The benchmarks."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import click

from ingest import settings
from orchestration import packages
from orchestration.cli.common import json_option, say

Option = Callable[..., Any]


@click.group()
def bench() -> None:
    """Run benchmarks: the product beside what it replaces."""


def _number(
    name: str, default: Any, text: str, least: int = 1, most: int | None = None
) -> Option:
    kind = click.IntRange(least, most)
    several = isinstance(default, tuple)
    return click.option(
        f"--{name}", type=kind, multiple=several, default=default, help=text
    )


def _flag(name: str, text: str) -> Option:
    return click.option(f"--{name}", is_flag=True, help=text)


def _add(name: str, text: str, *options: Option) -> None:
    """Add the command of the benchmark that is the module of that name."""

    def measure(as_json: bool, write: bool = False, **values: Any) -> None:
        from sandbox.bench import Bench

        packages.install(settings.ROOT, say)
        module = importlib.import_module(f"sandbox.bench.{name}")
        command = " ".join(["./seedbed bench", name, *_words(values)])
        measured = Bench(command, say, values.pop("rounds", 1))
        module.run(measured, **values)
        if as_json:
            click.echo(json.dumps(measured.as_json(), indent=2))
        else:
            click.echo("\n".join(measured.lines()))
        if write:
            say(f"wrote {measured.write()}")

    decorators: tuple[Option, ...] = (json_option, *reversed(options))
    for decorate in decorators:
        decorate(measure)
    bench.command(name, help=text)(measure)


def _words(values: dict[str, Any]) -> Iterator[str]:
    """The options, as they are typed."""
    for option, value in values.items():
        for one in value if isinstance(value, tuple) else (value,):
            if one is not False:
                yield f"--{option}" if one is True else f"--{option} {one}"


_add(
    "history",
    "A changed dimension: scd2, hand-written SQL and dbt's snapshot.",
    _number("rows", 1_000_000, "Keys.", 100),
    _number("rounds", 3, "Runs of each method."),
)
_add(
    "ingest",
    "A first load, beside the servers' own clients and other tools.",
    _number("rows", 1_000_000, "Orders.", 10),
    _number("rounds", 5, "Runs of each method."),
    _flag("peers", "Also run dlt, ingestr and sling."),
    _flag("memory", "Measure memory at 1M and 10M rows."),
    _flag("reference", "Replay a published job of 9.6M rows."),
    _flag("write", "Write docs/benchmarks.md."),
)
_add(
    "sources",
    "A first load from Postgres, beside psql and other tools.",
    _number("rows", 1_000_000, "Orders.", 10),
    _number("rounds", 3, "Runs of each method."),
    _flag("peers", "Also run dlt, ingestr and sling."),
)
_add(
    "gate",
    "A batch at the gate: fifteen expectations on twelve columns.",
    _number("rows", 1_000_000, "Rows.", 1_000),
    _number("rounds", 5, "Runs of each method."),
)
_add(
    "gold",
    "A day's change: facts that go on, beside all of them again.",
    _number("lines", (50_000, 500_000, 5_000_000), "Order lines of a year.", 1_000),
    _number("rounds", 3, "Changes of each."),
)
_add(
    "discovery",
    "A database of many tables: discover, generate, and dbt's parse.",
    _number("tables", 500, "Tables.", most=5000),
)
_add(
    "endpoints",
    "A run while lineage, alerts and mail are down, beside one without them.",
    _number("rows", 2_000, "Orders.", 200),
    _number("rounds", 5, "Runs of each method."),
)
_add(
    "steady",
    "Runs with nothing new, one changed order and 1,000, over logs of two sizes.",
    _number("rows", (50_000, 1_000_000), "Orders of the shop.", 200),
    _number("rounds", 3, "Runs of each kind."),
)
