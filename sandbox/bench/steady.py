"""Bench steady: the runs of a shop's day, over logs of different sizes.

The demo's shop is loaded and built in a copy of the project with separate servers. Then
`./seedbed run` follows nothing new, one changed order, and a thousand that are spread
over all years; in turn. What a run costs is to follow from what changed, and not from
what is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import psycopg

from sandbox.bench import Bench, Case, Cost
from sandbox.bench.project import Shop

CHANGES = {"nothing new": 0, "one order": 1, "1,000 orders": 1000}
# Seconds of each, at 50,000 orders (240,000 rows in the logs) and at a million.
LIMITS = {"nothing new": (4.0, 6.0), "one order": (9.0, 9.0), "1,000 orders": (25, 25)}
LONGER = 1.3
_SMALL = 50_000


def run(bench: Bench, rows: Sequence[int]) -> None:
    """Measure each kind of run over a shop of each size."""
    for orders in rows:
        case = _measure(bench, orders)
        for change, limits in LIMITS.items():
            name = f"{orders:,} orders, {change}: seconds"
            bench.goal(name, case.median(change), limits[orders > _SMALL])
    if len(rows) > 1:
        small, *_, large = (case.median("1,000 orders") for case in bench.cases)
        bench.goal("1,000 orders, longest to shortest log", large / small, LONGER)


def _measure(bench: Bench, orders: int) -> Case:
    case = Case("a shop", {"orders": orders})

    def changed(change: str) -> Iterator[tuple[str, Cost]]:
        yield change, shop.run(CHANGES[change])

    with bench.servers() as home:
        shop = Shop(bench, home, orders)
        bench.compare(case, *(partial(changed, change) for change in CHANGES))
        with psycopg.connect() as connection:
            logged = "select sum(rows_loaded)::bigint from audit.batch"
            row = connection.execute(logged).fetchone()
            assert row
            case.sizes["rows in the logs"] = row[0]
    return case
