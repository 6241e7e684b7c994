"""Bench sources: the byte path from a Postgres, beside psql and other tools.

Source and warehouse are two schemas of one server, so its CPU seconds are of both.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ingest import control
from ingest.seed import generate, metadata, seedfile
from sandbox import servers as embedded
from sandbox.bench import Bench, Case, sql
from sandbox.bench.ingest import AT_ONCE, Costs, Legs
from sandbox.bench.peers import PEERS


def run(bench: Bench, rows: int, peers: bool) -> None:
    """Measure orders that come from a Postgres."""
    with bench.servers("postgres", "s3") as home:
        legs = _OfPostgres(bench, home)
        legs.fill("orders", rows)
        case = legs.measure("orders", rows, PEERS if peers else ())
        found = {name: case.ratio(name, "seedbed") for name in case.ways}
        dlt = [ratio for name, ratio in found.items() if name.startswith("dlt")]
        if dlt:
            bench.goal("to dlt's fastest way", min(dlt), 1.3, at_least=True)
        if "sling" in found:
            bench.goal("to sling", found["sling"], 2, at_least=True)
        bench.goal("peak memory in MB", max(case.figures("seedbed", "peak_mb")), 400)


class _OfPostgres(Legs):
    """The same ways where the source is a schema of the warehouse's server."""

    def __init__(self, bench: Bench, home: Path) -> None:
        super().__init__(bench, home)
        seedfile.change(home, "sources", {"source": "shop"}, {"kind": "postgres"})
        tables = metadata.load(home)
        generate.apply(home, generate.plan(home, tables))
        self.tables = {table.name: table for table in tables}
        login = "{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/{PGDATABASE}"
        os.environ["SHOP_URL"] = "postgres://" + login.format(**os.environ)

    @property
    def ways(self) -> list[Callable[[Case], Costs]]:
        return [self._psql, self._whole]

    def fill(self, table: str, rows: int) -> None:
        self.bench.report(f"filling shop.{table}: {rows:,} rows")
        text = sql(f"tables/{table}_of_postgres")
        drop, create, insert, index = text.strip().removesuffix(";").split(";\n")
        with control.connect() as connection:
            connection.execute("create schema if not exists shop")
            connection.execute(drop.encode())
            connection.execute(create.encode())
            for low in range(1, rows + 1, AT_ONCE):
                high = min(low + AT_ONCE - 1, rows)
                connection.execute(insert.format(low=low, high=high).encode())
            connection.execute(index.encode())
            connection.execute(f"vacuum analyze shop.{table}".encode())

    def _psql(self, case: Case) -> Costs:
        """The client's read, discarded."""
        psql = (embedded.binaries() / "psql", "--no-psqlrc", "--quiet")
        copy = f"\\copy shop.{case.name} to '/dev/null'"
        _, cost = self.bench.process(*psql, "--command", copy)
        cost.peak_mb = None  # less than that of the process that started it
        cost.rows = case.sizes["rows"]
        yield "psql", cost
