"""Files of the lake that were changed, and files that come twice."""

import datetime as dt

import pytest

from ingest import ledger, load
from ingest.errors import SeedbedError
from tests.clone import Clone
from tests.faults.oracle import assert_heals, states


def extracted(clone: Clone, table: str) -> None:
    """Read the table's next batch into the lake, no further."""
    result = clone.run(table, steps=("extract",), with_build=False)
    assert [o.state for o in result.outcomes] == ["extracted"]


def bronze_object(clone: Clone, table: str) -> str:
    """The key of the one bronze object of a table."""
    folder = f"bronze/{table.replace('.', '/')}/"
    found = clone.s3().list_objects_v2(Bucket="lake", Prefix=folder)["Contents"]
    (key,) = [str(entry["Key"]) for entry in found]
    return key


@pytest.mark.fault(11)
def test_an_object_that_was_overwritten_after_its_manifest_is_refused(
    day_2_due: Clone,
) -> None:
    extracted(day_2_due, "suppliers")
    key, store = bronze_object(day_2_due, "shop.suppliers"), day_2_due.s3()
    sound = store.get_object(Bucket="lake", Key=key)["Body"].read()
    raw = key.replace("bronze/", "raw/", 1)  # Parquet as well, of other rows
    other = store.get_object(Bucket="lake", Key=raw)["Body"].read()
    store.put_object(Bucket="lake", Key=key, Body=other)
    local = day_2_due.root / ".seedbed" / "lake" / key
    local.unlink()
    result = day_2_due.run("suppliers", "customers", with_build=False)
    assert states(result) == {"shop.customers": "released", "shop.suppliers": "failed"}
    (error,) = [str(o.error) for o in result.outcomes if o.error]
    assert f"the file {key} is not the one that its batch's manifest names" in error
    assert not day_2_due.value(
        "select count(*) from bronze.shop__suppliers where _batch_seq = 2"
    )
    store.put_object(Bucket="lake", Key=key, Body=sound)
    local.unlink()
    assert_heals(day_2_due, "suppliers")


@pytest.mark.fault(12)
def test_a_file_that_is_loaded_twice_changes_nothing_the_second_time(
    day_2_due: Clone,
) -> None:
    extracted(day_2_due, "suppliers")
    (table,) = day_2_due.tables("suppliers")
    with day_2_due.inside(), ledger.connect() as connection:
        batch = ledger.pending(connection, table)
        assert batch
        load.load(connection, table, batch)
        once = day_2_due.contents(["bronze"])
        with pytest.raises(SeedbedError):
            load.load(connection, table, batch)
    assert day_2_due.contents(["bronze"]) == once
    assert_heals(day_2_due, "suppliers")


@pytest.mark.fault(12)
def test_rows_that_are_read_twice_change_nothing_the_second_time(day_4: Clone) -> None:
    before = day_4.contents()
    day_4.query(
        "update audit.table_state set released_high = released_high - %s",
        dt.timedelta(days=400),
    )
    result = day_4.run()
    assert result.state == "done"
    moved = {
        o.table.id: (o.batches[-1].rows_read, o.batches[-1].rows_loaded)
        for o in result.outcomes
    }
    held = {t: len(day_4.source_rows(t)) for t in moved}
    assert moved == {t: (rows, 0) for t, rows in held.items()}
    assert day_4.contents() == before
