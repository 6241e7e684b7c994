"""What the source shows now is what silver shows, whatever the watermark says."""

import random

import pytest

from ingest import bronze_log
from ingest.seed import metadata, seedfile
from orchestration import build, reconcile
from tests.foreign import Foreign

pytestmark = pytest.mark.lean

KINDS = ("incremental", "scd1", "scd2", "cdc", "snapshot")
IDS = range(1, 9)
# All within the overlap, so that each run reads all that was written.
MOMENTS = ("2026-11-20 00:00:00", "2026-11-20 00:00:01", "2026-11-20 00:00:02")
CONTENTS = ("open", "held", None)


def _declare(foreign: Foreign, schema: str) -> None:
    foreign.create(
        schema,
        *(
            f"create table {schema}_{kind} (id int primary key, status varchar(10), "
            "updated_at datetime not null)"
            for kind in KINDS
        ),
        # Keeps the watermark where it is, whatever becomes of the others.
        *(
            f"insert into {schema}_{kind} values (99, 'last', '{MOMENTS[-1]}')"
            for kind in KINDS
        ),
    )
    foreign.discover(schema)
    for kind in KINDS:
        place = {"source": schema, "table": f"{schema}_{kind}"}
        cells = {
            "load_type": kind,
            "watermark_column": "updated_at",
            "delete_mode": "key_scan",
        }
        seedfile.change(foreign.root, "tables", place, cells)
        for column in ("status", "updated_at"):
            tracked = "true" if kind in ("scd2", "snapshot") else ""
            where = place | {"column": column}
            seedfile.change(foreign.root, "columns", where, {"tracked": tracked})
    foreign.generate()


def _check(foreign: Foreign, schema: str) -> None:
    """Silver, the log and the source agree."""
    for table in foreign.tables(f"{schema}.*"):
        source = set(foreign.ask(schema, f"select * from {table.name}"))
        silver = {
            (row["id"], row["status"], row["updated_at"])
            for row in foreign.silver(table.model)
        }
        assert silver == source, table.id
        live = bronze_log.live_rows(table, 2**62, "id, status, updated_at")
        assert set(foreign.query(live)) == source, table.id
        if table.has_history:
            name = f"{table.model}_history"
            current = [
                (row["id"], row["status"], row["updated_at"])
                for row in foreign.relation("silver", name)
                if row["is_current"] and not row["is_deleted"]
            ]
            assert sorted(current, key=str) == sorted(source, key=str), table.id


def _check_for_good(foreign: Foreign, schema: str) -> None:
    """Nothing differs from the source, and a rebuild changes nothing."""
    tables = foreign.tables(f"{schema}.*")
    names = [t.derived for t in tables if not t.load_type.is_snapshot]
    before = foreign.contents(("silver",))
    with foreign.inside():
        found = reconcile.run(tables, lambda line: None)
        assert not [f for f in found if f.count or f.error]
        built = build.rebuild(names, "postgres", lambda line: None)
    assert built.ok, built.failures
    assert foreign.contents(("silver",)) == before


def _write(
    foreign: Foreign, schema: str, number: int, content: str | None, moment: str
) -> None:
    value = "null" if content is None else f"'{content}'"
    for kind in KINDS:
        foreign.ask(
            schema,
            f"replace into {schema}_{kind} values ({number}, {value}, '{moment}')",
        )


@pytest.mark.long
def test_back_to_an_earlier_content_under_one_watermark(foreign: Foreign) -> None:
    schema = "again_states"
    _declare(foreign, schema)
    for content in ("open", "held", "open", "held", "open"):
        _write(foreign, schema, 1, content, MOMENTS[0])
        assert foreign.run(f"{schema}.*").state == "done"
        _check(foreign, schema)
    changes = foreign.query(
        f"select status, op from silver.{schema}_cdc_history where id = 1 "
        "order by version"
    )
    assert changes == [
        ("open", "I"),
        ("held", "U"),
        ("open", "U"),
        ("held", "U"),
        ("open", "U"),
    ]
    # An older row of the source's takes the newer one's place.
    _write(foreign, schema, 1, "held", MOMENTS[1])
    assert foreign.run(f"{schema}.*").state == "done"
    _write(foreign, schema, 1, "open", MOMENTS[0])
    assert foreign.run(f"{schema}.*").state == "done"
    _check(foreign, schema)
    # So does one that is deleted, and one that comes again with its old time.
    for kind in KINDS:
        foreign.ask(schema, f"delete from {schema}_{kind} where id = 1")
    assert foreign.run(f"{schema}.*").state == "done"
    _check(foreign, schema)
    _write(foreign, schema, 1, "open", MOMENTS[0])
    assert foreign.run(f"{schema}.*").state == "done"
    _check(foreign, schema)
    assert foreign.run(f"{schema}.*").state == "done"
    _check_for_good(foreign, schema)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_random_states_of_the_source(foreign: Foreign, seed: int) -> None:
    schema = f"again_random{seed}"
    _declare(foreign, schema)
    chance = random.Random(seed)
    there: set[int] = set()
    for _ in range(6):
        for number in IDS:
            what = chance.choice(("write", "write", "write", "delete", "leave"))
            if what == "write":
                content, moment = chance.choice(CONTENTS), chance.choice(MOMENTS)
                _write(foreign, schema, number, content, moment)
                there.add(number)
            elif what == "delete" and number in there:
                for kind in KINDS:
                    foreign.ask(
                        schema, f"delete from {schema}_{kind} where id={number}"
                    )
                there.discard(number)
        assert foreign.run(f"{schema}.*").state == "done"
        _check(foreign, schema)
    _check_for_good(foreign, schema)


@pytest.mark.parametrize(
    "kind", ["backfill", pytest.param("reload", marks=pytest.mark.long)]
)
def test_a_range_that_is_read_again_shows_what_the_source_shows(
    foreign: Foreign, kind: str
) -> None:
    from ingest.window import Request
    from orchestration import runner

    schema = f"again_{kind}"
    _declare(foreign, schema)
    _write(foreign, schema, 1, "open", "2026-11-02 00:00:00")
    assert foreign.run(f"{schema}.*").state == "done"
    _write(foreign, schema, 1, "held", "2026-11-20 00:00:00")
    assert foreign.run(f"{schema}.*").state == "done"
    # Older than any window reaches back.
    _write(foreign, schema, 1, "open", "2026-11-02 00:00:00")
    with foreign.inside():
        tables = metadata.enabled(metadata.load(foreign.root), [f"{schema}.*"])
        result = runner.run(
            tables, command=kind, request=Request.read(kind, "2026-11-02")
        )
    assert result.state == "done"
    _check(foreign, schema)
    _check_for_good(foreign, schema)
