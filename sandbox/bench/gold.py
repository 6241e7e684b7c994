"""Bench gold: a day's change, by facts that go on and by models made as a whole.

The project's own models are built by dbt over silver, which is filled here with a year
of a shop. Then a day's orders come as a batch, corrections of old ones among them: gold
is built as a run builds it, then as a whole. What is measured are the statements of its
models, data tests aside, and the processor time that Postgres spent on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest import control, load, settings
from ingest.control import Connection
from ingest.seed import metadata
from sandbox.bench import HOME, Bench, Case, Cost, sql
from sandbox.bench.project import Dbt, release, total

LIMIT = 0.5
_SILVER = (
    *("build", "--resource-type", "model", "--resource-type", "snapshot"),
    *("--select", "+path:models/gold", "--exclude", "path:models/gold"),
)
_CHANGED = ("run", "--select", "orders_history", "order_items", "payments")
_GOLD = ("run", "--threads", "1", "--select", "path:models/gold")
_FACTS = "path:models/gold,config.incremental_strategy:replace_changed"
_WHOLE = ("run", "--threads", "1", "--full-refresh", "--select", _FACTS)


def run(bench: Bench, lines: Sequence[int]) -> None:
    """Measure on a Postgres of the benchmark's own, after years of so many lines."""
    with bench.servers("postgres"), control.connect() as connection:
        gold = _Gold(bench, connection)
        for count in lines:
            case = gold.measure(count)
            ratio = case.ratio("facts", "facts, whole", "servers")
            name = f"{count:,} lines: facts' processor time, of the whole"
            bench.goal(name, ratio, LIMIT)


class _Gold:
    """The logs, and dbt over them; a batch of all tables for each change."""

    def __init__(self, bench: Bench, connection: Connection) -> None:
        self.bench = bench
        self.connection = connection
        # Not where the product looks for what it built.
        self.dbt = Dbt(bench, settings.ROOT, HOME)
        self.tables = metadata.enabled(metadata.load(settings.ROOT))
        self.batch = 0
        control.prepare(connection)
        for table in self.tables:
            load.prepare(connection, table)
        connection.execute(sql("gold_logs").encode())
        for table in self.tables:
            connection.execute(load.indexes(table).encode())
        self._release()
        self.dbt.run(*_SILVER)

    def _release(self) -> None:
        self.batch += 1
        release(self.connection, [table.id for table in self.tables], self.batch)

    def measure(self, lines: int) -> Case:
        """A day's change, and the facts as a whole, after so many lines of a year."""
        self.bench.report(f"{lines:,} lines: filling silver")
        self.connection.execute(sql("gold_silver", lines=lines).encode())
        self.connection.execute("vacuum analyze")
        self.dbt.run(*_GOLD, "--full-refresh")
        self.connection.execute("vacuum analyze")

        def day() -> Iterator[tuple[str, Cost]]:
            change = sql("gold_change", lines=lines, batch=self.batch + 1)
            self.connection.execute(change.encode())
            self._release()
            self.dbt.run(*_CHANGED)
            changed, whole = self.dbt.run(*_GOLD), self.dbt.run(*_WHOLE)
            facts = sorted(name for name in whole if "-on-run-" not in name)
            tables = sorted({*changed} - {*whole})
            yield "facts", total(changed[name] for name in facts)
            yield "facts, whole", total(whole[name] for name in facts)
            yield "other models", total(changed[name] for name in tables)
            for name in (*facts, *tables):
                yield name, changed[name]
                if name in facts:
                    yield f"{name}, whole", whole[name]

        return self.bench.compare(Case("gold", {"lines of a year": lines}), day)
