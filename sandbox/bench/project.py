"""What benchmarks measure: a copy of the project, one of their own, or dbt over it."""

import csv
import itertools
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ingest import settings
from ingest.control import Connection
from ingest.errors import SeedbedError
from ingest.seed import generate, metadata, seedfile
from orchestration import dbt_runner
from orchestration.watch import outbox
from sandbox import demo
from sandbox import servers as embedded
from sandbox.bench import HERE, Bench, Cost, sql

# What the product needs of its project; the rest of the folder is the user's.
_PROJECT = (
    "gx ingest orchestration sandbox macros models snapshots seeds analyses tests docs "
    "dbt_packages dbt_project.yml packages.yml package-lock.yml packages profiles.yml"
).split()
_ENDPOINTS = (*outbox.CHANNELS.values(), "OPENLINEAGE_URL")


def copy_project(root: Path) -> None:
    """Copy what the product needs of this project."""
    for name in _PROJECT:
        source, target = settings.ROOT / name, root / name
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copy(source, target)


def own_project(root: Path, given: Path) -> list[metadata.Table]:
    """Write a dbt project of the benchmark's own, and generate it; its tables.

    `given` holds CSV files of the seed with what rows and columns the benchmark needs;
    all other files exist, and are empty.
    """
    root.mkdir(exist_ok=True)
    shutil.copy(HERE / "project" / "dbt_project.yml", root)
    # No link: one of the macros is generated.
    shutil.copytree(settings.ROOT / "macros", root / "macros")
    for name, header in metadata.HEADERS.items():
        path = root / metadata.FOLDER / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(",".join(header) + "\n", encoding="utf-8")
        if (given / path.name).exists():
            with (given / path.name).open(newline="", encoding="utf-8") as rows:
                seedfile.append(root, name, csv.DictReader(rows))
    tables = metadata.load(root)
    generate.apply(root, generate.plan(root, tables))
    return tables


def release(connection: Connection, tables: Iterable[str], through: int) -> None:
    """Note batches of the tables as released, as a run does."""
    with connection.cursor() as cursor:
        cursor.executemany(
            sql("release"), [{"table": table, "through": through} for table in tables]
        )


class Shop:
    """The demo's shop, loaded and built in a copy of the project."""

    def __init__(self, bench: Bench, home: Path, orders: int) -> None:
        self.bench = bench
        self.home = home
        self.orders = orders
        self.admin = embedded.admin_url(home)
        self.turns = itertools.count(1)
        copy_project(home)
        bench.report(f"{orders:,} orders: the first load, and a change after it")
        demo.apply_day(self.admin, 1, orders)
        self.run()
        # Only from now on each run finds in the time that it reads again what the
        # change before it left.
        self.run(100)

    def run(self, changed: int = 0, variables: Mapping[str, str] | None = None) -> Cost:
        """What `./seedbed run` takes after a change of so many orders, of all years.

        No endpoint is configured but those of `variables`.
        """
        step = max(self.orders // max(changed, 1), 2)
        turn = next(self.turns)
        with demo.connect(self.admin) as cursor:
            cursor.execute(sql("change", turn=turn, orders=changed, step=step))
        others = {k: v for k, v in os.environ.items() if k not in _ENDPOINTS}
        command = (sys.executable, "-m", "orchestration", "run")
        environment = others | {**(variables or {})}
        _, cost = self.bench.process(*command, cwd=self.home, env=environment)
        cost.peak_mb = None  # less than that of this process, which made the shop
        return cost


class Dbt:
    """dbt over a project; what it writes goes to `folder`."""

    def __init__(self, bench: Bench, project: Path, folder: Path) -> None:
        self._bench = bench
        self._place = ["--project-dir", str(project), "--log-level", "none"]
        self._place += ["--profiles-dir", str(settings.ROOT), "--target", "postgres"]
        self._place += ["--target-path", str(folder / "target")]
        self._place += ["--log-path", str(folder / "log")]
        self._manifest: Any = None

    def run(self, *words: str) -> dict[str, Cost]:
        """Run a command; what the statements of each node took.

        dbt's adapter times each statement from sending it to its answer, as one that
        is sent by hand is timed, COMMITs included. The server's own clock
        (pg_stat_statements) would leave out the commit and the way there. The servers'
        processor seconds are a node's own if one thread builds all of them.
        """
        from dbt_common.events.base_types import EventMsg

        nodes: dict[str, Cost] = {}
        before: dict[str, float] = {}

        def follow(event: EventMsg) -> None:
            data: Any = event.data
            name = event.info.name
            if name not in ("NodeStart", "SQLQueryStatus", "NodeFinished"):
                return
            node = data.node_info
            if not node.unique_id:
                return
            cost = nodes.setdefault(node.node_name, Cost(servers=0.0))
            if name == "SQLQueryStatus":
                cost.seconds += data.elapsed
            elif name == "NodeStart":
                before[node.unique_id] = self._bench.processor()
            else:
                assert cost.servers is not None
                cost.servers += self._bench.processor() - before[node.unique_id]

        runner = dbt_runner.runner(self._manifest, follow)
        answer = runner.invoke([*words, *self._place])
        if not answer.success:
            found = getattr(answer.result, "results", [])
            why = [str(r.message) for r in found if str(r.status) != "success"]
            why = why[:3] or [str(answer.exception)]
            raise SeedbedError(f"dbt could not build the benchmark's models: {why}")
        self._manifest = runner.manifest or self._manifest
        return nodes


def total(costs: Iterable[Cost]) -> Cost:
    """What nodes of dbt took together."""
    seconds, servers = zip(*((c.seconds, c.servers or 0.0) for c in costs), strict=True)
    return Cost(sum(seconds), servers=sum(servers))
