"""The sandbox's commands, which exist if the folder does."""

import click

from sandbox.cli import bench, leaving, servers, trial

# By their group in the help, before the product's own.
GROUPS: dict[str, tuple[click.Command, ...]] = {
    "Start here": (trial.demo, trial.test, servers.doctor),
    "A database of your own": (leaving.init,),
    "Servers and pages": (servers.up, servers.down, servers.env),
    "Benchmarks": (bench.bench,),
}
