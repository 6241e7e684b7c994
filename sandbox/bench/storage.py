"""Bench storage: layouts of a table in Postgres, side by side.

Each part fills one table in several designs with the same rows, then runs the same
statements on all of them in turn. It does not use dbt; the statements are those that
the generated models run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from ingest.control import Connection
from sandbox.bench import Report, servers

# What a run of a part keeps; everything else is rolled back.
KEPT = ("merge",)
BATCHES = 200
DAYS = 1095

Figures = dict[str, list[float]]


@dataclass(frozen=True)
class Design:
    """A layout of a table: its DDL, and the statements that differ."""

    name: str
    create: str
    own: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A table's rows (`source`), its designs and the statements for all of them.

    `changes` creates what the statements of a round read. In all SQL `{table}` is the
    design's table, `{rows}` the rows of the source, `{round}` counts from 0.
    """

    name: str
    source: str
    designs: tuple[Design, ...]
    statements: Mapping[str, str]
    changes: str = "select"


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


_PLAIN = "create table {table} (like bench.source); "
_LOOK_UP = (
    "select sum(found.{column}) from bench.probe cross join lateral "
    "(select {column} from {{table}} where {key} = probe.id offset 0) as found"
)


def _current() -> Part:
    """The current state of a dimension; each round changes a tenth of its rows."""
    update = (
        "email full_name phone country city points is_deleted _source_ts _batch_seq"
    )

    def filled(percent: int, *indexes: str) -> str:
        more = "".join(f"create index on {{table}} ({column}); " for column in indexes)
        return (
            f"create table {{table}} (like bench.source) with (fillfactor={percent}); "
            f"create unique index on {{table}} (customer_id); {more}"
        )

    return Part(
        "current state, a tenth of the rows changed",
        "create table bench.source as select id as customer_id, "
        "'customer' || id || '@example.com' as email, 'Customer ' || id as full_name, "
        "'+31 20 ' || lpad((id % 10000000)::text, 7, '0') as phone, "
        "(array['NL', 'DE', 'FR', 'BE', 'GB'])[1 + id % 5] as country, "
        "'City ' || id * 7 % 5000 as city, 0 as points, false as is_deleted, "
        "timestamp '2026-01-01' + id % 86400 * interval '1 second' as _source_ts, "
        "1::bigint as _batch_seq from generate_series(1, {rows}::bigint) as id; "
        "create table bench.probe as select 1 + n * ({rows}::bigint / 1000) as id "
        "from generate_series(0, 999) as n",
        (
            Design("fillfactor 100", filled(100)),
            Design("fillfactor 90", filled(90)),
            Design("fillfactor 70", filled(70)),
            Design("100, index on a stable column", filled(100, "country")),
            Design("100, index on a changed column", filled(100, "city")),
            Design("90, index on a changed column", filled(90, "city")),
        ),
        {
            "merge": "merge into {table} as dest using changes as source "
            "on dest.customer_id = source.customer_id when matched then update set "
            + ", ".join(f"{name} = source.{name}" for name in update.split())
            + " when not matched then insert values (source.*)",
            "scan": "select sum(points) from {table}",
            "1,000 keys": _LOOK_UP.format(column="points", key="customer_id"),
            "one city": "select count(*) from {table} where city = 'City 42'",
        },
        "create temp table changes as select customer_id, email, full_name, phone, "
        "country, 'City ' || customer_id * (7 + {round}) % 5000 as city, "
        "{round} as points, is_deleted, _source_ts + ({round} + 1) * interval '1 day' "
        "as _source_ts, {round} + 2::bigint as _batch_seq from bench.source "
        "where abs(hashint8(customer_id + {round} * 1000003)) % 10 = 0 "
        "order by md5(customer_id::text)",
    )


def _fact() -> Part:
    """Three years of a fact; each round brings a day and corrects as many rows."""
    plain = _PLAIN + "create unique index on {table} (order_id); "
    months = (
        "create table {table} (like bench.source) partition by range (ordered_on); "
        "do $$ begin for n in 0..37 loop execute format('create table {table}_%s "
        "partition of {table} for values from (%L) to (%L)', n, "
        "date '2024-01-01' + n * interval '1 month', "
        "date '2024-01-01' + (n + 1) * interval '1 month'); end loop; end $$; "
        "create unique index on {table} (order_id, ordered_on); "
    )
    merge = (
        "merge into {table} as dest using changes as source "
        "on dest.order_id = source.order_id when matched then update set "
        "status = source.status, _source_ts = source._source_ts, "
        "_batch_seq = source._batch_seq "
        "when not matched then insert values (source.*)"
    )
    both = merge.replace("when", "and dest.ordered_on = source.ordered_on when", 1)
    drop = {"drop a month": "drop table {table}_0"}
    return Part(
        "fact of three years",
        "create table bench.source as select id as order_id, "
        f"date '2024-01-01' + (id * {DAYS} / {{rows}})::int as ordered_on, "
        "id % 500000 as customer_id, 'shipped' as status, "
        "(id % 10000 / 100.0)::numeric(12, 2) as amount, false as is_deleted, "
        f"timestamp '2024-01-01' + (id * {DAYS} / {{rows}})::int * interval '1 day' "
        "as _source_ts, 1::bigint as _batch_seq "
        "from generate_series(0, {rows}::bigint - 1) as id; "
        "create table bench.probe as select n * ({rows}::bigint / 1000) as id "
        "from generate_series(0, 999) as n",
        (
            Design("key", plain),
            Design(
                "key, BRIN on the date",
                plain + "create index on {table} using brin (ordered_on) "
                "with (pages_per_range = 16, autosummarize = on)",
            ),
            Design(
                "key, B-tree on the date",
                plain + "create index on {table} (ordered_on)",
            ),
            Design("months, merge by key", months, drop),
            Design("months, merge by key and date", months, drop | {"merge": both}),
        ),
        {
            "merge": merge,
            "a month": "select sum(amount) from {table} where ordered_on >= "
            "'2025-06-01' and ordered_on < '2025-07-01'",
            "a day": "select sum(amount) from {table} where ordered_on = '2025-06-15'",
            "last day": "select sum(amount) from {table} "
            "where ordered_on = '2026-12-30'",
            "1,000 keys": _LOOK_UP.format(column="amount", key="order_id"),
            "drop a month": "delete from {table} where ordered_on < '2024-02-01'",
        },
        "create temp table changes as "
        f"select {{rows}} + {{round}} * ({{rows}} / {DAYS}) + n as order_id, "
        f"date '2024-01-01' + {DAYS} + {{round}} as ordered_on, n % 500000 as "
        "customer_id, 'new' as status, 1.00::numeric(12, 2) as amount, "
        "false as is_deleted, localtimestamp as _source_ts, {round} + 2::bigint as "
        f"_batch_seq from generate_series(0, {{rows}}::bigint / {DAYS} - 1) as n "
        "union all select order_id, ordered_on, customer_id, 'paid', amount, "
        "is_deleted, localtimestamp, {round} + 2 from bench.source "
        # Nine of ten in the last two months, one at any time.
        f"where order_id in (select (case when n % 10 = 0 then {{rows}} * random() "
        f"else {{rows}} * (1 - 60.0 / {DAYS} * random()) end)::bigint "
        f"from generate_series(1, {{rows}}::bigint / {DAYS}) as n)",
    )


def _log() -> Part:
    """The log of 200 batches; three of them are new."""
    key = "create index on {table} (order_id); "
    brin = (
        "create index on {{table}} using brin ({}) "
        "with (pages_per_range = 16, autosummarize = on)"
    )
    sequence, both = brin.format("_batch_seq"), brin.format("_batch_seq, _source_ts")
    parts = (
        "create table {table} (like bench.source) partition by range (_batch_seq); "
        f"do $$ begin for n in 0..{BATCHES // 10} loop execute format("
        "'create table {table}_%s partition of {table} for values from (%s) to (%s)', "
        "n, n * 10 + 1, n * 10 + 11); end loop; end $$; "
    )
    claim = "select {bound} from bench.claim"
    after, through = (claim.format(bound=b) for b in ("after_seq", "through_seq"))
    return Part(
        f"log of {BATCHES} batches",
        "create table bench.source as select id * 7919 % ({rows} / 4) as order_id, "
        "id % 500000 as customer_id, 'shipped' as status, "
        "(id % 10000 / 100.0)::numeric(12, 2) as amount, 'U'::char(1) as _op, "
        f"timestamp '2026-01-01' + id * {BATCHES} * interval '1 day' / {{rows}} "
        "as _source_ts, "
        f"localtimestamp as _observed_at, 1 + id * {BATCHES} / {{rows}} as _batch_seq, "
        "decode(md5(id::text), 'hex') as _row_hash "
        "from generate_series(0, {rows}::bigint - 1) as id; "
        "create table bench.probe as select n * ({rows}::bigint / 4000) as id "
        "from generate_series(0, 999) as n; "
        f"create table bench.claim as select {BATCHES - 3} as after_seq, {BATCHES} as "
        "through_seq; create table bench.batch as select * from bench.source "
        f"where _batch_seq = {BATCHES}; update bench.batch set _batch_seq = "
        f"{BATCHES + 1}",
        (
            Design("key, BRIN on sequence and time", _PLAIN + key + both),
            Design("key, BRIN on the sequence", _PLAIN + key + sequence),
            Design("key", _PLAIN + key),
            Design(
                "key, B-tree on the sequence",
                _PLAIN + key + "create index on {table} (_batch_seq)",
            ),
            Design("partitions of 10 batches, key", parts + key),
        ),
        {
            "read 3 batches": "select sum(length(_row_hash)) from {table} where "
            f"_batch_seq > ({after}) and _batch_seq <= ({through})",
            # What extraction compares a window with that reaches back 5 minutes.
            "5 minutes": "select count(*) from {table} where _batch_seq <= "
            f"{BATCHES} and _source_ts >= timestamp '2026-01-01' + {BATCHES} * "
            "interval '1 day' - interval '5 minutes'",
            "1,000 keys": _LOOK_UP.format(column="amount", key="order_id"),
            "load a batch": "insert into {table} table bench.batch",
            "delete a batch": f"delete from {{table}} where _batch_seq = {BATCHES}",
        },
    )


def run(rows: int, rounds: int, report: Report) -> list[Outcome]:
    """Measure all parts on a separate Postgres, then remove it.

    The current state has a tenth of the rows.
    """
    parts = [(_current, rows // 10), (_fact, rows), (_log, rows)]
    with (
        servers(report, ["postgres"]),
        psycopg.connect(autocommit=True) as connection,
    ):
        return [
            _measure(connection, part(), count, rounds, report) for part, count in parts
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
    figures: dict[str, Figures] = {d.name: {} for d in part.designs}

    def send(text: str, table: str = "", number: int = 0) -> float:
        named = {"table": table, "rows": rows, "round": number}
        for name, value in named.items():
            text = text.replace(f"{{{name}}}", str(value))
        started = time.perf_counter()
        connection.execute(text)
        return time.perf_counter() - started

    send("drop schema if exists bench cascade; create schema bench")
    send(part.source)
    for table, design in tables.items():
        report(f"{part.name}: filling {rows:,} rows, {design.name}")
        send(design.create, table)
        # The run vacuums, so that autovacuum does not.
        for leaf in _leaves(connection, table):
            send(f"alter table {leaf} set (autovacuum_enabled = off)")
        figures[design.name]["fill"] = [
            send("insert into {table} table bench.source", table)
        ]
        send("vacuum analyze {table}", table)
    connection.prepare_threshold = None  # plan again, as for dbt's statements
    for number in range(rounds + 1):
        send("drop table if exists changes; " + part.changes, number=number)
        send("checkpoint")
        first = number % len(tables)  # no design is always the first one
        order = [*tables.items()][first:] + [*tables.items()][:first]
        for name, statement in part.statements.items():
            for table, design in order:
                before = _updates(connection, table)
                send("begin")
                seconds = send(design.own.get(name, statement), table, number)
                seconds += send("commit" if name in KEPT else "rollback")
                after = _updates(connection, table)
                found = figures[design.name]
                if number:
                    found.setdefault(name, []).append(seconds)
                    if name == "merge":
                        hot = 100 * (after[1] - before[1]) / (after[0] - before[0])
                        found.setdefault("HOT %", []).append(hot)
                if name not in KEPT and not statement.startswith("select"):
                    send("vacuum {table}", table)
        for table in tables:
            if "merge" in part.statements:
                send("vacuum {table}", table)
        report(f"{part.name}: round {number} of {rounds}")
    for table, design in tables.items():
        for name, value in zip(
            ("table MB", "index MB"), _sizes(connection, table), strict=True
        ):
            figures[design.name][name] = [value]
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
