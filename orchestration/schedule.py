"""The order of tables: several at once, children before their parents.

A parent waits until its children were read. Its snapshot is then the later one, so that
it holds every row that theirs refer to. It does not wait for their result: a failed
child does not stop its parents.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from graphlib import CycleError, TopologicalSorter
from queue import SimpleQueue

from ingest import stop
from ingest.seed.checks.others import References
from ingest.seed.metadata import Table

_STOP_SECONDS = 10.0


def each(
    tables: Sequence[Table],
    work: Callable[[Table, Callable[[], None]], None],
    jobs: int,
    cancel: Callable[[], None],
) -> None:
    """Do `work` for each table, `jobs` of them at once; raise its errors.

    `work` gets the table and a function to call once the table is read. When the caller
    is interrupted, `cancel` ends what is under way; what still runs after some seconds
    is abandoned.
    """
    by_id = {table.id: table for table in tables}
    order = _order(tables)
    read: SimpleQueue[str] = SimpleQueue()

    def one(table: Table) -> None:
        # Cached, so that it is said once.
        is_read = functools.cache(functools.partial(read.put, table.id))
        try:
            work(table, is_read)
        finally:
            is_read()

    pool = ThreadPoolExecutor(jobs)
    futures: list[Future[None]] = []
    try:
        while order.is_active():
            futures += [pool.submit(one, by_id[name]) for name in order.get_ready()]
            order.done(read.get())
        wait(futures)
    except BaseException:
        stop.requested.set()
        pool.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + _STOP_SECONDS
        while wait(futures, 0.2).not_done and time.monotonic() < deadline:
            cancel()
        raise
    pool.shutdown()
    for future in futures:
        future.result()


def levels(tables: Sequence[Table]) -> list[list[Table]]:
    """The tables in groups, children before their parents; each by its id.

    The tables of a group may be read at once, after the groups before it.
    """
    by_id = {table.id: table for table in tables}
    order = _order(tables)
    found = []
    while order.is_active():
        ready = sorted(order.get_ready())
        found.append([by_id[name] for name in ready])
        order.done(*ready)
    return found


def _order(tables: Sequence[Table]) -> TopologicalSorter[str]:
    """The tables' ids, children first; a cycle is broken at one of its tables."""
    by_model = {table.model: table.id for table in tables}
    children: dict[str, list[str]] = {table.id: [] for table in tables}
    for table in tables:
        for rule in table.rules:
            if isinstance(rule.check, References):
                parent = by_model.get(rule.check.model, table.id)
                if parent != table.id and table.id not in children[parent]:
                    children[parent].append(table.id)
    while True:
        order = TopologicalSorter(children)
        try:
            order.prepare()
            return order
        except CycleError as error:
            child, parent = error.args[1][:2]
            children[parent].remove(child)
