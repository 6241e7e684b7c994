"""What a backup and the lake give back is what the warehouse had."""

import pytest

from orchestration.watch import backup, drill
from tests.clone import Clone, quiet


@pytest.mark.long
def test_a_restored_warehouse_and_the_lake_come_to_the_same_tables(
    fresh: Clone,
) -> None:
    fresh.day(1)
    fresh.run(with_build=False)
    with fresh.inside():
        file = backup.write(fresh.root / "day_1.dump")
    for day in (2, 3):
        fresh.day(day)
        fresh.run(with_build=False)  # day 3's orders are rejected
    released = fresh.cli("release", "shop.orders", "--quarantine", "--reason", "test")
    assert released.returncode == 0, released.stderr
    fresh.day(4)
    assert fresh.run().state == "done"
    with fresh.inside():
        done = drill.drill(file, quiet)
    assert done.different == []
    assert done.compared > 25
    assert done.batches == 3 * len(fresh.tables())
    ((compared, different, seconds),) = fresh.query(
        "select tables_compared, tables_different, "
        "extract(epoch from ended_at - started_at) from audit.drill_result"
    )
    assert (compared, different) == (done.compared, 0)
    assert seconds > 0
    assert not (fresh.root / ".seedbed" / "drill").exists()
    # A checksum that can't tell two tables apart would find them the same.
    with fresh.inside(), fresh.connect() as connection:
        before = drill.checksums(connection, fresh.tables())
        fresh.query(
            "update gold.dim_date set month_number = 13 "
            "where date_day = (select min(date_day) from gold.dim_date)"
        )
        after = drill.checksums(connection, fresh.tables())
    assert {n for n in before if before[n] != after[n]} == {"gold.dim_date"}


def test_a_drill_without_its_backup_says_so(stack: Clone) -> None:
    done = stack.cli("drill", "--backup", "nowhere.dump")
    assert done.returncode == 1
    assert "./seedbed backup" in done.stderr
