"""A first load in ranges: one file for raw and bronze where rows are as in the log."""

import pytest

from ingest import control
from ingest.lake import Lake, Manifest
from orchestration import replay
from tests.clone import quiet
from tests.foreign import Foreign

ROWS = 12
AS_READ = (
    "id bigint unsigned primary key, small smallint, tiny tinyint unsigned, "
    "flag tinyint(1), large bigint unsigned, wide bigint unsigned, "
    "amount decimal(38,4), ratio double, word varchar(20), body text, day date, "
    "at datetime(6), moment timestamp(6) null, bytes varbinary(9), "
    "updated_at datetime not null, key (updated_at)"
)
VALUES = (
    "select n, -n, n, if(n = 5, null, n % 2), 18446744073709551615 - n, "
    "9223372036854775000 + n, n / 7, -0e0, if(n % 3, concat('w', n), null), "
    "repeat('é', n), date('2026-01-01') + interval n day, "
    "timestamp('2026-01-01 00:00:00.000001') + interval n second, "
    "timestamp('2026-03-29 02:30:00'), unhex(hex(n)), "
    "timestamp('2026-01-01') + interval n minute from numbers"
)


def load(foreign: Foreign, columns: str, values: str) -> Manifest:
    """A first load of the table in ranges of three rows or less: its manifest."""
    numbers = " union all ".join(f"select {n} as n" for n in range(1, ROWS + 1))
    foreign.create(
        "once",
        f"create table numbers as {numbers}",
        f"create table readings ({columns})",
        f"insert into readings {values}",
        "drop table numbers",
    )
    foreign.discover("once")
    here = {"source": "once", "table": "readings"}
    if "wide" in columns:  # the types that people give an unsigned key, and a flag
        foreign.edit("columns", here | {"column": "wide"}, data_type="bigint")
        foreign.edit("columns", here | {"column": "flag"}, data_type="boolean")
    foreign.edit("tables", here, load_type="scd1", watermark_column="updated_at")
    foreign.add("options", here | {"option": "range_rows", "value": "3"})
    result = foreign.run(with_build=False)
    assert result.state == "done", [o.error for o in result.outcomes]
    (table,) = foreign.tables("once.readings")
    with foreign.inside(), control.connect() as connection:
        batch = control.batch(connection, table.id, 1)
        manifest = Lake(foreign.root).manifest(batch.manifest_key)
    assert manifest
    return manifest


def test_a_row_that_is_read_as_it_is_in_the_log_is_written_once(
    foreign: Foreign,
) -> None:
    manifest = load(foreign, AS_READ, VALUES)
    assert len(manifest.raw) > 3
    assert [p.sha256 for p in manifest.raw] == [p.sha256 for p in manifest.bronze]
    assert {p.key for p in manifest.raw}.isdisjoint(p.key for p in manifest.bronze)
    assert manifest.source_rows == manifest.rows_written == ROWS
    indexes = "select indexdef from pg_indexes where tablename = 'once__readings'"
    kinds = [text.partition(" USING ")[2] for (text,) in foreign.query(indexes)]
    assert sorted(kinds)[1:] == ["btree (id)"]
    assert sorted(kinds)[0].startswith("brin (_batch_seq, _source_ts)")
    foreign.assert_as_sources(in_log=True)
    # And the log made again from such raw files is the same.
    before = foreign.query('select * from bronze."once__readings" order by id')
    with foreign.inside(), control.connect() as connection:
        replay.replay(connection, *foreign.tables("once.readings"), quiet)
    assert foreign.query('select * from bronze."once__readings" order by id') == before
    # A second run finds no row changed.
    foreign.ask("once", "update readings set updated_at = '2026-01-02' where id = 3")
    assert foreign.run(with_build=False).state == "done"
    foreign.assert_as_sources(in_log=True)


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("repeat('é', n)", "if(n = 8, concat('a', char(0)), 'b')"),
        ("if(n = 5, null, n % 2)", "if(n = 8, 2, n % 2)"),
        ("9223372036854775000 + n", "9223372036854775799 + cast(n as unsigned)"),
    ],
    ids=["a text", "a flag", "a number"],
)
def test_from_the_first_rejected_row_on_raw_and_bronze_are_two(
    foreign: Foreign, there: str, instead: str
) -> None:
    assert there in VALUES
    manifest = load(foreign, AS_READ, VALUES.replace(there, instead))
    # One row, or those of which the number is larger than a bigint holds.
    rejected = ROWS - 8 if "799" in instead else 1
    same = [
        raw.sha256 == bronze.sha256
        for raw, bronze in zip(manifest.raw, manifest.bronze, strict=True)
    ]
    assert same == sorted(same, reverse=True), "first once, then apart"
    assert same[0]
    assert not same[-1]
    assert manifest.rows_written == ROWS - rejected
    assert manifest.rows_rejected == rejected
    assert sum(part.rows for part in manifest.raw) == ROWS
    log = "select * from bronze.once__readings order by id"
    rejects = (
        "select reason, source_row ->> 'id', source_row ->> 'flag', "
        "source_row ->> 'wide', source_row ->> 'large' from audit.reject "
        "where table_id = 'once.readings' order by (source_row ->> 'id')::integer"
    )
    before = foreign.query(log), foreign.query(rejects)
    with foreign.inside(), control.connect() as connection:
        replay.replay(connection, *foreign.tables("once.readings"), quiet)
        batch = control.batch(connection, "once.readings", 1)
    assert (batch.rows_written, batch.rows_rejected) == (ROWS - rejected, rejected)
    assert (foreign.query(log), foreign.query(rejects)) == before


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Word char(3)", "'a'"),
        ("share float", "n / 7"),
        ("document json", "json_array(n, null)"),
    ],
)
def test_other_names_and_other_types_are_written_twice(
    foreign: Foreign, column: str, value: str
) -> None:
    """Else raw would not have what the source has, and what is rejected is lost."""
    columns = f"id int primary key, {column}, updated_at datetime not null"
    values = f"select n, {value}, timestamp('2026-01-01') from numbers"
    manifest = load(foreign, columns, values)
    assert len(manifest.raw) > 3
    shas = {part.sha256 for part in manifest.raw}
    assert shas.isdisjoint(part.sha256 for part in manifest.bronze)
    foreign.assert_as_sources(in_log=True)
