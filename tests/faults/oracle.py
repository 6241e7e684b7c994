"""What must be there afterwards, read from the source without the product."""

from ingest.seed.metadata import Table
from orchestration.runner import Run
from tests.clone import Clone, by_key, columns_of, key_of
from tests.conftest import Played


def states(result: Run) -> dict[str, str]:
    """How far each table of a run came."""
    return {o.table.id: o.state for o in result.outcomes}


def assert_heals(clone: Clone, *tables: str, with_build: bool = False) -> None:
    """A run as usual succeeds, and what it releases is the source's."""
    result = clone.run(*tables, with_build=with_build)
    assert (result.state, result.balanced) == ("done", True), (
        [(o.table.id, o.state, str(o.error)) for o in result.outcomes if not o.is_good],
        [o.batches[-1].reason for o in result.outcomes if o.state == "rejected"],
        result.built and (result.built.counts, result.built.failures),
        clone.query("select * from audit.ledger where not holds"),
    )
    for outcome in result.outcomes:
        if (
            not outcome.table.load_type.reads_whole
        ):  # staging shows earlier snapshots, too
            name = outcome.table.id
            assert clone.released(name) == clone.held(name), name
            assert_nothing_twice(clone, name)
        if with_build:
            assert_source(clone, outcome.table.id, outcome.table.model)
    assert_nothing_open(clone)


def assert_source(clone: Clone, table: str, model: str) -> None:
    """Silver's live rows are the source's."""
    rows = [r for r in clone.relation("silver", model) if not r["is_deleted"]]
    names = columns_of(table)
    found = {k: {n: r[n] for n in names} for k, r in by_key(table, rows).items()}
    assert found == clone.held(table), table


def assert_nothing_twice(clone: Clone, table: str) -> None:
    """No row of a key that was never deleted is in the log twice."""
    log = f"bronze.{table.replace('.', '__')}"
    keys = ", ".join(key_of(table))
    doubles = clone.query(
        f"select {keys} from {log} where ({keys}) not in "
        f"(select {keys} from {log} where _op = 'D') "
        f"group by {keys}, _source_ts, _row_hash having count(*) > 1"
    )
    assert doubles == [], table


def assert_nothing_open(clone: Clone) -> None:
    """No batch is left half done."""
    assert (
        clone.query(
            "select table_id, state from audit.batch "
            "where state in ('planned', 'extracted', 'loaded')"
        )
        == []
    )


def assert_undisturbed(clone: Clone, played: Played) -> None:
    """One more run, and all is as if nothing had happened on day 2.

    Of a clone whose runs are of few tables, what is of the others is as after day 1.
    """
    result = clone.run()
    assert result.state == "done", [o.error for o in result.outcomes]
    assert result.balanced
    contents = clone.contents(without=["_batch_seq"], any_observation=True)
    expected = {
        name: rows
        for name, rows in played.contents[1 if clone.few else 2].items()
        if clone.gold or not name.startswith("gold.")
    }
    if clone.few:
        names = {n for o in result.outcomes for n in relations(o.table)}
        expected |= {n: played.contents[2][n] for n in names if n in expected}
    assert contents.keys() == expected.keys()
    for name in expected:
        assert contents[name] == expected[name], name
    assert_nothing_open(clone)


def relations(table: Table) -> set[str]:
    """The relations of all layers up to silver that hold a table's rows."""
    suffixes = ("", "_history", "_latest", "_score")
    return {
        f"bronze.{table.bronze}",
        f"staging.stg_{table.bronze}",
        *(f"silver.{table.model}{suffix}" for suffix in suffixes),
    }
