"""`dbt build` by itself proves that silver shows what is live in the log."""

import time

import pytest

from ingest.control import Connection, Released
from ingest.seed.metadata import Table
from orchestration import build, shown
from orchestration.shown import Shown
from tests.clone import quiet
from tests.foreign import Foreign

pytestmark = pytest.mark.up_to_silver

KINDS = ("full", "incremental", "scd1", "scd2", "cdc", "snapshot")
# Where a kind's rows are stored, which `by_<kind>` may only show.
STORED = {
    "scd2": "silver.by_scd2_history",
    "cdc": "silver.by_cdc_history",
    "snapshot": "silver.by_snapshot_snapshot",
}


def run(clone: Foreign) -> None:
    """A run that says done."""
    result = clone.run()
    faults = [str(o.error) for o in result.outcomes if o.error]
    built = result.built.failures if result.built else []
    assert result.state == "done", [*faults, *built]


def failures(clone: Foreign) -> set[str]:
    """The tests of live keys that `dbt test` fails, where nothing was built."""
    words = ["test", "--target", "postgres", "--select", build.BALANCED]
    with clone.inside():
        done = build.run_dbt(words, quiet)
    asked = done.counts.get("pass", 0) + done.counts.get("fail", 0)
    assert asked == len(KINDS) + 1
    return {line.partition(":")[0] for line in done.failures}


def create(foreign: Foreign) -> None:
    """A table of each kind with three rows, and one without a key."""
    foreign.create(
        "live",
        *(
            f"create table by_{kind} (id int primary key, v int, "
            "updated_at datetime not null)"
            for kind in KINDS
        ),
        "create table keyless (v int)",
        "insert into keyless values (1), (1), (2)",
        *(
            f"insert into by_{kind} values (1, 1, '2026-11-01'), "
            "(2, 2, '2026-11-01'), (3, 3, '2026-11-01')"
            for kind in KINDS
        ),
    )
    foreign.discover("live")
    for kind in KINDS:
        table = {"source": "live", "table": f"by_{kind}"}
        cells = {"load_type": kind, "delete_mode": "key_scan"}
        if kind == "full":
            cells |= {"watermark_column": "", "delete_mode": "none"}
        tracked = "true" if kind in ("scd2", "snapshot") else ""
        foreign.edit_all(
            ("tables", table, cells),
            ("columns", table | {"column": "v"}, {"tracked": tracked}),
            ("columns", table | {"column": "updated_at"}, {"tracked": ""}),
        )


def test_a_row_too_few_and_one_too_many_fail_a_test_of_dbt(foreign: Foreign) -> None:
    create(foreign)
    run(foreign)
    for kind in KINDS:
        foreign.ask(
            "live",
            f"update by_{kind} set v = 9, updated_at = '2026-11-02' where id = 1",
            f"delete from by_{kind} where id = 2",
        )
    run(foreign)
    # A key that is deleted comes again with a time before that.
    for kind in KINDS:
        foreign.ask("live", f"insert into by_{kind} values (2, 2, '2026-11-01')")
    run(foreign)
    assert failures(foreign) == set()

    stored = [STORED.get(kind, f"silver.by_{kind}") for kind in KINDS]
    everything = {f"by_{kind}__live_keys" for kind in KINDS} | {"keyless__live_keys"}
    for table in stored:
        kept = table.replace("silver.", "public.kept_")
        foreign.query(f"create table {kept} as table {table}")
        foreign.query(f"delete from {table} where id = 1")
    foreign.query("delete from silver.keyless where v = 2")
    assert failures(foreign) == everything, "a row is missing"

    for table in stored:
        kept = table.replace("silver.", "public.kept_")
        foreign.query(f"truncate {table}")
        foreign.query(f"insert into {table} select * from {kept}")
        foreign.query(
            f"insert into {table} select (jsonb_populate_record(null::{table}, "
            f"to_jsonb(kept) || '{{\"id\": 77}}')).* from {kept} as kept where id = 3"
        )
    foreign.query("insert into silver.keyless select * from silver.keyless")
    assert failures(foreign) == everything, "a row is another's"


@pytest.mark.long
def test_a_run_compares_again_what_changed_however_it_did(
    foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []
    compare = shown.compare

    def counted(connection: Connection, table: Table, released: Released) -> Shown:
        compared.append(table.name)
        return compare(connection, table, released)

    monkeypatch.setattr(shown, "compare", counted)
    create(foreign)
    run(foreign)
    assert {*compared} == {f"by_{kind}" for kind in KINDS} | {"keyless"}
    shows = "select table_id, left_rows, right_rows from audit.ledger where identity = "
    newest = " and run_id = (select max(run_id) from audit.run) order by 1"
    at_first = foreign.query(f"{shows}'{shown.IDENTITY}'{newest}")
    run(foreign)  # what was built may be counted a moment after its run
    compared.clear()
    run(foreign)
    assert compared == []
    assert foreign.query(f"{shows}'{shown.IDENTITY}'{newest}") == at_first

    foreign.ask("live", "update by_cdc set v = 9, updated_at = '2026-11-02'")
    run(foreign)
    assert compared == ["by_cdc"]

    for kind in KINDS:
        stored = STORED.get(kind, f"silver.by_{kind}")
        foreign.query(f"delete from {stored} where id = 1")
        time.sleep(1)  # as Postgres counts its sessions' changes
        for _ in range(2):  # it fails until it is mended
            compared.clear()
            with foreign.knowingly_different("a row is gone by hand", f"by_{kind}"):
                assert foreign.run().state == "failed"
            assert f"by_{kind}" in compared
        if kind == KINDS[-1]:
            break  # dbt's snapshots can't be rebuilt
        done = foreign.cli("rebuild", f"by_{kind}")
        assert done.returncode == 0, done.stdout + done.stderr
        run(foreign)
