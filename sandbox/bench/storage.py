"""Bench storage: layouts of a table in Postgres, side by side.

Each part fills one table in several designs with the same rows, then runs the same
statements on all of them in turn. It does not use dbt; the statements are those that
the generated models run.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from ingest.control import Connection
from sandbox.bench import Report, servers

# What a run of a part keeps; everything else is rolled back.
KEPT = ("merge",)
LAYOUTS = Path(__file__).with_name("layouts")
_HEADING = re.compile(r"^-- (rows|changes|design|measure) ?(.*)\n", re.MULTILINE)

Figures = dict[str, list[float]]


@dataclass(frozen=True)
class Part:
    """A table's rows, its designs and the statements that all of them get.

    Read from a file of `layouts/`. `changes` creates what the statements of a round
    read. In all SQL `{table}` is the design's table, `{rows}` the rows of the source,
    `{round}` counts from 0.
    """

    name: str
    rows: str
    changes: str
    designs: Mapping[str, str]
    # The statement of a measure, or of a measure `of` one design.
    measures: Mapping[str, str]

    @classmethod
    def read(cls, file: str, name: str) -> Part:
        """The part of a file; its comments `-- design NAME` and such head its SQL.

        Of several such lines each heads the SQL below them.
        """
        _, *pieces = _HEADING.split((LAYOUTS / file).read_text())
        parts, sql = [], ""
        for kind, title, text in reversed([*zip(*[iter(pieces)] * 3, strict=True)]):
            sql = text.strip().rstrip(";") or sql
            parts.append((kind, title, sql))
        found: dict[str, dict[str, str]] = {}
        for kind, title, sql in reversed(parts):
            found.setdefault(kind, {})[title] = sql
        rows, changes = found["rows"][""], found["changes"][""]
        return cls(name, rows, changes, found["design"], found["measure"])

    @property
    def shared(self) -> Iterator[str]:
        """The measures of all designs."""
        others = [f" of {design}" for design in self.designs]
        return (m for m in self.measures if not m.endswith(tuple(others)))

    def statement(self, measure: str, design: str) -> str:
        """What is measured of a design."""
        own = self.measures.get(f"{measure} of {design}")
        return own or self.measures[measure]


@dataclass
class Outcome:
    """Figures of each design by statement: seconds, MB and percents."""

    part: str
    rows: int
    figures: dict[str, Figures]

    @property
    def medians(self) -> dict[str, dict[str, float]]:
        """The medians of the rounds: by design, then by measure."""
        return {
            design: {m: statistics.median(values) for m, values in figures.items()}
            for design, figures in self.figures.items()
        }


def run(rows: int, rounds: int, report: Report) -> list[Outcome]:
    """Measure all parts on a separate Postgres, then remove it.

    The current state has a tenth of the rows.
    """
    parts = [
        (Part.read("current_state.sql", "current state, a tenth changed"), rows // 10),
        (Part.read("fact.sql", "fact of three years"), rows),
        (Part.read("log.sql", "log of 200 batches"), rows),
    ]
    with (
        servers(report, ["postgres"]),
        psycopg.connect(autocommit=True) as connection,
    ):
        return [
            _measure(connection, part, count, rounds, report) for part, count in parts
        ]


def as_json(outcomes: list[Outcome]) -> dict[str, Any]:
    """All figures and their medians, for a script."""
    return {"parts": [{**vars(o), "medians": o.medians} for o in outcomes]}


def lines(outcomes: list[Outcome]) -> Iterator[str]:
    """Medians, for a person: of each design, and their ratio to the first's."""
    for outcome in outcomes:
        yield f"{outcome.part}: {outcome.rows:,} rows"
        first, *_ = outcome.figures.values()
        yield f"{'':32}" + "".join(f"{measure:>20}" for measure in first)
        for design, figures in outcome.figures.items():
            cells = []
            for measure, values in figures.items():
                # Round by round: the machine's other load is much the same within a
                # round.
                pairs = zip(values, first[measure], strict=True)
                ratios = [value / base for value, base in pairs if base]
                ratio = f" ({statistics.median(ratios):.2f})" if ratios else ""
                cells.append(f"{statistics.median(values):.3f}{ratio}")
            yield f"{design:32}" + "".join(f"{cell:>20}" for cell in cells)


def _measure(
    connection: Connection, part: Part, rows: int, rounds: int, report: Report
) -> Outcome:
    """Fill every design, then run all statements in turn, `rounds` times."""
    tables = {f"bench.design_{n}": d for n, d in enumerate(part.designs)}
    figures: dict[str, Figures] = {design: {} for design in part.designs}

    def send(text: str, table: str = "", number: int = 0) -> float:
        named = {"table": table, "rows": rows, "round": number}
        for name, value in named.items():
            text = text.replace(f"{{{name}}}", str(value))
        started = time.perf_counter()
        connection.execute(text)
        return time.perf_counter() - started

    send("drop schema if exists bench cascade; create schema bench")
    send(part.rows)
    for table, design in tables.items():
        report(f"{part.name}: filling {rows:,} rows, {design}")
        send(part.designs[design], table)
        # The run itself vacuums, so that chance does not.
        for leaf in _leaves(connection, table):
            send(f"alter table {leaf} set (autovacuum_enabled = off)")
        figures[design]["fill"] = [
            send("insert into {table} table bench.source", table)
        ]
        send("vacuum analyze {table}", table)
    connection.prepare_threshold = None  # plan again, as for dbt's statements
    for number in range(rounds + 1):
        send("drop table if exists changes; " + part.changes, number=number)
        send("checkpoint")
        first = number % len(tables)  # no design is always the first one
        order = [*tables.items()][first:] + [*tables.items()][:first]
        for name in part.shared:
            for table, design in order:
                before = _updates(connection, table)
                send("begin")
                statement = part.statement(name, design)
                seconds = send(statement, table, number)
                seconds += send("commit" if name in KEPT else "rollback")
                after = _updates(connection, table)
                found = figures[design]
                if number:
                    found.setdefault(name, []).append(seconds)
                    if name == "merge":
                        hot = 100 * (after[1] - before[1]) / (after[0] - before[0])
                        found.setdefault("HOT %", []).append(hot)
                if name not in KEPT and not statement.startswith("select"):
                    send("vacuum {table}", table)
        for table in tables:
            if "merge" in part.measures:
                send("vacuum {table}", table)
        report(f"{part.name}: round {number} of {rounds}")
    for table, design in tables.items():
        for name, value in zip(
            ("table MB", "index MB"), _sizes(connection, table), strict=True
        ):
            figures[design][name] = [value]
    return Outcome(part.name, rows, figures)


def _leaves(connection: Connection, table: str) -> list[str]:
    """The table, or its partitions where it has any."""
    return [
        name
        for (name,) in connection.execute(
            "select oid::regclass::text from pg_class where relkind = 'r' "
            "and oid::regclass::text ~ %s",
            (f"^{table}(_|$)",),
        )
    ]


def _updates(connection: Connection, table: str) -> tuple[int, int]:
    """Rows of the table, or its partitions, that were updated so far; HOT ones."""
    connection.execute("select pg_stat_force_next_flush()")
    row = connection.execute(
        "select sum(n_tup_upd)::bigint, sum(n_tup_hot_upd)::bigint "
        "from pg_stat_user_tables where relid = any(%s::regclass[])",
        (_leaves(connection, table),),
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def _sizes(connection: Connection, table: str) -> tuple[float, float]:
    """MB of the table, or its partitions, and of their indexes."""
    row = connection.execute(
        "select sum(pg_table_size(oid)) / 1e6, sum(pg_indexes_size(oid)) / 1e6 "
        "from unnest(%s::regclass[]) as oid",
        (_leaves(connection, table),),
    ).fetchone()
    assert row is not None
    return float(row[0]), float(row[1])
