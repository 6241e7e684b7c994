"""Files of the lake that were changed, and files that come twice."""

import datetime as dt
import time

import pytest

from ingest import control, load
from ingest.errors import SeedbedError
from ingest.lake import Lake
from tests.clone import Clone
from tests.faults.oracle import assert_heals, states

pytestmark = pytest.mark.lean


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
    with day_2_due.inside(), control.connect() as connection:
        batch = control.pending(connection, table)
        assert batch
        with load.Loading(table) as loading:
            load.load(connection, table, batch, loading)
        once = day_2_due.contents(["bronze"])
        with pytest.raises(SeedbedError), load.Loading(table) as loading:
            load.load(connection, table, batch, loading)
    assert day_2_due.contents(["bronze"]) == once
    assert_heals(day_2_due, "suppliers")


@pytest.mark.fault(9)
@pytest.mark.parametrize("what", ["nothing", "the connection", "the files"])
def test_rows_that_are_loaded_while_others_are_read_are_seen_once_and_at_the_end(
    day_2_due: Clone, what: str
) -> None:
    """However the load ends that began early: `what` is not as it was then."""
    extracted(day_2_due, "suppliers")
    (table,) = day_2_due.tables("suppliers")
    rows = "select count(*) from bronze.shop__suppliers where _batch_seq = 2"
    early = "from pg_stat_activity where state = 'idle in transaction'"
    with (
        day_2_due.inside(),
        control.connect() as connection,
        load.Loading(table) as loading,
    ):
        batch = control.pending(connection, table)
        assert batch
        manifest = Lake(day_2_due.root).manifest(batch.manifest_key)
        assert manifest
        loading.add(manifest.bronze)
        deadline = time.monotonic() + 60
        while not day_2_due.value(f"select count(*) {early}"):
            assert time.monotonic() < deadline
        assert day_2_due.value(rows) == 0
        if what == "the files":
            loading.add(manifest.bronze)  # more than the manifest will name
        if what == "the connection":
            day_2_due.query(f"select pg_terminate_backend(pid) {early}")
            with pytest.raises(SeedbedError, match="rolled back"):
                load.load(connection, table, batch, loading)
            assert day_2_due.value(rows) == 0
        else:
            assert load.load(connection, table, batch, loading).state == "loaded"
            assert day_2_due.value(rows) == sum(p.rows for p in manifest.bronze) > 0
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
