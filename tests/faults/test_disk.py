"""A warehouse that can't write any more."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandbox.servers.postgres import Postgres
from sandbox.servers.service import Stack
from tests.clone import Clone
from tests.faults.oracle import assert_nothing_open

MEGABYTES = 20


@contextmanager
def full(clone: Clone) -> Iterator[None]:
    """No file of Postgres grows beyond 20 MB: writes fail as on a full disk.

    The limit is the operating system's, for a process and those it starts; it needs
    no rights and no disk of its own. Files of the write-ahead log, 16 MB, still fit.
    """
    server = Postgres(Stack(clone.root))
    pid = server.pid

    def limit(size: str) -> None:
        # As the server's own user, who alone may do so besides root.
        server.runtime.run(["prlimit", f"--pid={pid}", f"--fsize={size}:"])

    limit(str(MEGABYTES << 20))
    try:
        yield
    finally:
        limit("unlimited")


def built_rows(clone: Clone) -> dict[str, list[str]]:
    """What builds have made; a view of the log shows what is released."""
    found = clone.contents(["silver", "gold"])
    del found["gold.int_order_changes"]
    return found


@pytest.mark.long
@pytest.mark.fault(24)
def test_a_full_disk_rolls_back_and_what_was_built_stays(day_1: Clone) -> None:
    day_1.change(
        "insert into shop.payments select 1000000 + seq, 1, 'payment', 'card', 1, "
        "'2026-03-01 23:00:00' from shop.seq_1_to_250000"
    )
    served = built_rows(day_1)
    with full(day_1):
        loaded = day_1.run("payments", with_build=False)
    assert (loaded.state, loaded.exit_code) == ("failed", 1)
    told = str(loaded.outcomes[0].error)
    assert "File too large" in told
    assert "Traceback" not in told
    assert day_1.query(
        "select state, (select count(*) from bronze.shop__payments "
        "where _batch_seq = 2) from audit.batch "
        "where table_id = 'shop.payments' and batch_seq = 2"
    ) == [("extracted", 0)]

    assert day_1.run("payments", with_build=False).state == "done"
    with full(day_1):
        built = day_1.run("payments")
    assert (built.state, built.exit_code) == ("failed", 1)
    assert built.built
    assert "File too large" in "\n".join(built.built.failures)
    assert built_rows(day_1) == served

    assert day_1.run("payments").state == "done"
    assert_nothing_open(day_1)
    totals = "select count(*), sum(payment_id), sum(amount), max(paid_at) from "
    with day_1.source() as cursor:
        cursor.execute(totals + "shop.payments")
        held = [tuple(cursor.fetchone() or ())]
    assert day_1.query(totals + "silver.payments") == held
