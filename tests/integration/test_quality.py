"""What is known of the data: profiles, anomalies, results of dbt's tests, scores."""

import json
import random
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg import sql

from gx import profile
from ingest import control, settings
from ingest.seed import metadata
from ingest.statements import query
from tests.clone import Clone, seed
from tests.conftest import Played
from tests.foreign import Foreign

SHOP = datetime(2026, 3, 1)


# -- profiles ----------------------------------------------------------------------


def aggregates(column: metadata.Column) -> sql.Composed:
    """What a profile must say of a column, asked of the log."""
    name = sql.Identifier(column.name)
    family = column.type.family
    shown = family in ("number", "text", "time") and not column.pii
    edge = sql.SQL("left({}({}), 100)" if family == "text" else "{}({})::text")
    mean = family in ("number", "boolean") and not column.pii
    value = sql.SQL("{}::int" if family == "boolean" else "{}").format(name)
    null = sql.SQL("null")
    # Like DuckDB's, and unlike those of Postgres's locale.
    plain = sql.SQL('{} collate "C"').format(name) if family == "text" else name
    return sql.SQL(", ").join(
        [
            sql.SQL("count(*) - count({})").format(name),
            sql.SQL("count(distinct {})").format(plain) if family else null,
            edge.format(sql.SQL("min"), plain) if shown else null,
            edge.format(sql.SQL("max"), plain) if shown else null,
            sql.SQL("avg({})::double precision").format(value) if mean else null,
            sql.SQL("min(length({}))").format(name) if family == "text" else null,
            sql.SQL("max(length({}))").format(name) if family == "text" else null,
        ]
    )


@pytest.mark.parametrize(
    "table", [f"{t['source']}.{t['table']}" for t in seed("tables")]
)
def test_profiles_are_what_the_log_says(table: str, day_4: Clone) -> None:
    (found,) = day_4.tables(table)
    rows = "true" if found.options.soft_delete_column else "_op = 'U'"
    compared = 0
    with day_4.connect() as connection:
        for column in found.columns:
            query = sql.SQL(
                "select _batch_seq, count(*), {} from {} where {} group by 1 order by 1"
            ).format(
                aggregates(column),
                sql.Identifier("bronze", found.bronze),
                sql.SQL(rows),
            )
            expected = connection.execute(query).fetchall()
            told = connection.execute(
                "select batch_seq, rows, nulls, distinct_count, least, greatest, mean, "
                "shortest, longest from audit.column_profile inner join audit.batch "
                "using (table_id, batch_seq) where table_id = %s and column_name = %s "
                "and state = 'released' order by 1",
                (table, column.name),
            ).fetchall()
            batches = {row[0] for row in told}
            expected = [row for row in expected if row[0] in batches]
            assert [row[:4] for row in told] == [row[:4] for row in expected]
            for one, other in zip(told, expected, strict=True):
                for edge, wanted in zip(one[4:6], other[4:6], strict=True):
                    assert edge == wanted, column.name
                assert (one[6] is None) == (other[6] is None)
                assert one[6] is None or one[6] == pytest.approx(other[6], rel=1e-9)
                assert one[7:] == other[7:]
                compared += 1
    assert compared >= len(found.columns)


def test_no_value_of_personal_data_is_in_a_profile(day_4: Clone) -> None:
    personal = {
        (f"{c['source']}.{c['table']}", c["name"]) for c in seed("columns") if c["pii"]
    }
    rows = day_4.query(
        "select table_id, column_name, least, greatest, quantiles, mean, deviation, "
        "rows, nulls from audit.column_profile"
    )
    of_people = [row for row in rows if row[:2] in personal]
    assert {row[:2] for row in of_people} == personal
    assert {row[2:7] for row in of_people} == {(None,) * 5}
    assert all(row[8] <= row[7] for row in of_people)


def test_a_profile_s_quantiles_are_near_those_of_the_log(day_4: Clone) -> None:
    (told,) = day_4.query(
        "select quantiles from audit.column_profile "
        "where table_id = 'shop.order_items' and column_name = 'unit_price' "
        "and batch_seq = 1"
    )
    (found,) = day_4.query(
        "select percentile_cont(%s::double precision[]) within group "
        "(order by unit_price::double precision) from bronze.shop__order_items "
        "where _batch_seq = 1 and _op = 'U'",
        list(profile.QUANTILES),
    )
    assert told[0] == pytest.approx(found[0], rel=0.1)


def test_of_a_large_batch_a_sample_is_measured(tmp_path: Path) -> None:
    (table,) = [t for t in metadata.load(settings.ROOT) if t.id == "shop.order_items"]
    columns = [c for c in table.columns if c.name in ("quantity", "unit_price")]
    file = tmp_path / "batch.parquet"
    with duckdb.connect() as engine:
        engine.execute(
            "copy (select (n % 97)::integer as quantity, "
            "if(n % 10 = 0, null, n * 31 % 10007 / 100)::decimal(12, 2) as unit_price, "
            "'U' as _op, (hash(n) >> 1)::bigint as _row_hash from range(50000) r (n)) "
            f"to '{file}' (format parquet)"
        )
        whole, sample = (
            engine.execute(profile._query(table, columns, [file], share)).fetchone()
            or ()
            for share in (0, 5)
        )
    assert whole[0] == sample[0] == 50_000
    for exact, near in zip(whole[1], sample[1], strict=True):
        for name in ("nulls", "least", "greatest", "shortest", "longest"):
            assert exact[name] == near[name]
        assert near["distinct_count"] == pytest.approx(exact["distinct_count"], rel=0.3)
        for name in ("mean", "deviation"):
            assert near[name] == pytest.approx(exact[name], rel=0.1)
        assert near["quantiles"] == pytest.approx(exact["quantiles"], rel=0.1)
        assert near["mean"] != exact["mean"]


# -- anomalies ---------------------------------------------------------------------


class Past:
    """Batches of a table that exist in the control tables only."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.through = 0
        connection.execute("drop schema if exists audit cascade")
        control.prepare(connection)
        connection.execute("insert into audit.run (run_id, command) values ('1', 'x')")

    def add(
        self,
        rows: int = 1000,
        nulls: int = 20,
        mean: float = 50.0,
        lag: float = 10.0,
        state: str = "released",
    ) -> None:
        """One more batch, an hour after the last."""
        self.through += 1
        at = SHOP + timedelta(hours=self.through)
        self.connection.execute(
            "insert into audit.batch (table_id, batch_seq, batch_id, run_id, state, "
            "fingerprint, manifest_key, rows_read, window_high, observed_at) "
            "values ('a.b', %(seq)s, %(seq)s::text, '1', %(state)s, '', '', %(rows)s, "
            "%(high)s, %(at)s)",
            {
                "seq": self.through,
                "state": state,
                "rows": rows,
                "high": at - timedelta(minutes=lag),
                "at": at,
            },
        )
        if rows:
            self.connection.execute(
                "insert into audit.column_profile (table_id, batch_seq, column_name, "
                "rows, nulls, mean, deviation) values ('a.b', %s, 'c', %s, %s, %s, 20)",
                (self.through, rows, nulls, mean),
            )

    def judge(self, **batch: Any) -> dict[str, tuple[bool, str]]:
        """Add a batch; whether each kind of anomaly passed, and what was seen."""
        self.add(**batch, state="loaded")
        rows = self.connection.execute(
            query(profile.__file__, "anomalies"),
            {
                "table_id": "a.b",
                "batch_seq": self.through,
                "most": 6.0,
                "least": 8,
                "severity": "warn",
                "seconds": 0.0,
            },
        ).fetchall()
        return {row[0].removeprefix("anomaly:"): (row[2], row[3]) for row in rows}

    def good(self, days: int, draw: random.Random) -> None:
        """Batches as a healthy source brings them."""
        for _ in range(days):
            self.add(**self.day(draw))

    @staticmethod
    def day(draw: random.Random) -> dict[str, Any]:
        rows = max(1, round(draw.gauss(1000, 150)))
        return {
            "rows": rows,
            "nulls": sum(draw.random() < 0.02 for _ in range(rows)),
            "mean": draw.gauss(50, 20 / rows**0.5),
            "lag": draw.uniform(5, 15),
        }


@pytest.fixture(scope="module")
def connection(
    stack: Clone, warehouse: dict[str, str]
) -> Iterator[psycopg.Connection[Any]]:
    with stack.connect(warehouse["PGDATABASE"]) as found:
        yield found


@pytest.mark.parametrize(
    ("batch", "unusual"),
    [
        ({"rows": 10_000, "nulls": 200}, "volume"),
        ({"rows": 50, "nulls": 1}, "volume"),
        ({"rows": 0}, "volume"),
        ({"nulls": 300}, "nulls"),
        ({"mean": 80.0}, "distribution"),
        ({"mean": 20.0}, "distribution"),
        ({"lag": 900.0}, "freshness"),
    ],
)
def test_what_is_unlike_the_table_s_past_is_reported(
    batch: dict[str, Any], unusual: str, connection: psycopg.Connection[Any]
) -> None:
    past = Past(connection)
    past.good(20, random.Random(1))
    found = past.judge(**batch)
    assert not found[unusual][0], found
    others = {kind for kind, (passed, _) in found.items() if not passed} - {unusual}
    assert not others, found


def test_one_bad_batch_in_the_past_hides_no_other(
    connection: psycopg.Connection[Any],
) -> None:
    past = Past(connection)
    past.good(10, random.Random(2))
    past.add(rows=10_000, nulls=9_000, mean=500.0)
    past.good(9, random.Random(3))
    found = past.judge(rows=10_000, nulls=9_000, mean=500.0)
    assert not any(found[kind][0] for kind in ("volume", "nulls", "distribution"))


def test_good_days_of_any_kind_are_as_usual(
    connection: psycopg.Connection[Any],
) -> None:
    for number in range(20):
        draw = random.Random(number)
        past = Past(connection)
        past.good(12, draw)
        found = past.judge(**past.day(draw))
        assert found.keys() == {"volume", "freshness", "nulls", "distribution"}
        assert all(passed for passed, _ in found.values()), (number, found)


def test_few_rows_prove_nothing(connection: psycopg.Connection[Any]) -> None:
    past = Past(connection)
    for _ in range(12):
        past.add(rows=5, nulls=0)
    found = past.judge(rows=4, nulls=1, mean=58.0)
    assert all(passed for passed, _ in found.values()), found


def test_a_short_past_says_nothing(connection: psycopg.Connection[Any]) -> None:
    past = Past(connection)
    past.good(7, random.Random(4))
    past.add(state="superseded")
    assert past.judge(rows=1_000_000) == {}


# -- what dbt saw ------------------------------------------------------------------


def test_each_test_of_dbt_is_a_result_as_its_own_sql_says(day_4: Clone) -> None:
    """The compiled SQL of each test, asked once more, finds as many rows."""
    day_4.run(everything=True)
    target = day_4.root / "target"
    run = json.loads((target / "run_results.json").read_text())
    nodes = json.loads((target / "manifest.json").read_text())["nodes"]
    tests = {
        r["unique_id"]: r for r in run["results"] if r["unique_id"].startswith("test.")
    }
    told = {
        (layer, table, rule): (passed, rows, seconds)
        for layer, table, rule, passed, rows, seconds in day_4.query(
            "select layer, table_id, rule_id, passed, failing_rows, seconds "
            "from audit.dq_result where run_id = (select run_id from audit.run "
            "order by started_at desc limit 1) and layer <> 'gate'"
        )
    }
    for name, result in tests.items():
        meta = nodes[name]["config"]["meta"]
        if "rule" in meta:
            keys = [("model", meta["table"], meta["rule"])]
        else:
            of_business = [key for key in told if key[0] == "business"]
            keys = [key for key in of_business if key[2] == nodes[name]["name"]]
        assert len(keys) == 1, (name, keys)
        (count,) = day_4.query(f"select count(*) from ({result['compiled_code']}) as t")
        assert told[keys[0]][:2] == (count[0] == 0, count[0])
        assert told[keys[0]][2] > 0
    rules = {
        (f"{r['source']}.{r['table']}", f"{r['column']}:{r['check']}")
        for r in seed("rules")
        if r["layer"] == "model"
    }
    assert rules <= {(table, rule) for layer, table, rule in told if layer == "model"}
    assert ("model", "shop.customers", "customers:contract") in told
    assert ("business", "gold.fct_orders", "refunds_are_covered_by_payments") in told


def test_rows_that_fail_a_rule_are_kept_until_it_passes(day_1: Clone) -> None:
    with day_1.source() as source:
        source.execute(
            "update shop.suppliers set rating = 9, updated_at = now(6) "
            "where supplier_id = 1"
        )
    day_1.run("shop.suppliers")  # gold has a rule for it as well
    (row,) = day_1.query(
        "select severity, passed, observed, expected, failing_rows "
        "from audit.dq_result where rule_id = 'rating:between' and not passed"
    )
    assert row == ("warn", False, "1 rows fail", "between 0..5", 1)
    kept = day_1.query("select supplier_id from quality.suppliers__rating__between")
    assert kept == [(1,)]
    told = day_1.cli("status").stdout
    line = r"warn +shop.suppliers +rating:between: 1 rows fail, expected between 0\.\.5"
    assert re.search(line, told), told
    status = json.loads(day_1.cli("status", "--json").stdout)
    assert "rating:between" in [r["rule_id"] for r in status["failed_rules"]]

    with day_1.source() as source:
        source.execute(
            "update shop.suppliers set rating = 4, updated_at = now(6) "
            "where supplier_id = 1"
        )
    day_1.run("shop.suppliers")
    assert (
        day_1.value("select to_regclass('quality.suppliers__rating__between')") is None
    )


@pytest.mark.up_to_silver
def test_a_value_is_held_against_the_rows_that_add_up_to_it(foreign: Foreign) -> None:
    name = "sums"
    changed = "updated_at datetime not null"
    foreign.create(
        name,
        "create table orders (id int primary key, code varchar(9), "
        f"total decimal(12,2), parts int, last_at datetime, {changed})",
        "create table parts (id int primary key, order_id int, amount decimal(12,2), "
        f"bought_at datetime, {changed})",
        f"create table totals (id int primary key, amount decimal(12,2), {changed})",
        "insert into orders values (1, 'ab', 30, 2, '2026-10-02', '2026-11-01'), "
        "(2, null, 0, null, null, '2026-11-01'), "
        "(3, 'c', 5, 0, '2026-10-02', '2026-11-01'), "
        "(4, 'äöü', 7, 1, '2026-10-01', '2026-11-01')",
        "insert into parts values (1, 1, 10, '2026-10-01', '2026-11-01'), "
        "(2, 1, 20, '2026-10-02', '2026-11-01'), "
        "(3, 4, 7.01, '2026-10-01', '2026-11-01')",
        "insert into totals values (1, 37.01, '2026-11-01'), (2, 37, '2026-11-01')",
    )
    foreign.discover(name)
    cells = {"source": name, "severity": "warn", "layer": "model"}
    sums = {
        ("orders", "total"): "sum(parts.amount) by order_id",
        ("orders", "parts"): "count(parts.id) by order_id",
        ("orders", "last_at"): "max(parts.bought_at) by order_id",
        ("totals", "amount"): "sum(parts.amount)",
    }
    foreign.add(
        "rules",
        *(
            {"table": t, "column": c, "check": "equals", "argument": text, **cells}
            for (t, c), text in sums.items()
        ),
        {
            "table": "orders",
            "column": "code",
            "check": "length",
            "argument": "2..3",
            **cells,
        },
    )
    foreign.add(
        "options",
        {"source": name, "table": "orders", "option": "min_score", "value": "0.1"},
        {
            "source": name,
            "table": "orders",
            "option": "reference_grace_minutes",
            "value": "60",
        },
    )

    def failing() -> dict[str, int]:
        """How many rows fail each rule of the last run."""
        result = foreign.run()
        assert (result.state, result.balanced) == ("done", True)
        rows = foreign.query(
            "select rule_id, failing_rows from audit.dq_result where run_id = %s "
            "and layer = 'model' and not passed",
            result.run_id,
        )
        return dict(rows)

    # Nothing newer was read of either: with a grace, orders are not judged yet.
    assert failing() == {"amount:equals": 1, "code:length": 1}
    foreign.ask(
        name,
        "insert into orders values (5, 'xy', 99, 1, '2026-10-01', '2026-11-02')",
        "insert into parts values (4, 5, 1, '2026-10-01', '2026-11-02')",
        "update totals set amount = 38.01, updated_at = '2026-11-02' where id = 1",
    )
    assert failing() == {
        "total:equals": 2,
        "last_at:equals": 1,
        "amount:equals": 1,
        "code:length": 1,
    }
    kept = foreign.query(
        "select id, total::text, _aggregate::text from quality.orders__total__equals "
        "order by 1"
    )
    assert kept == [(3, "5.00", None), (4, "7.00", "7.01")]
    scores = {
        row["id"]: (row["validity"], round(row["consistency"], 3))
        for row in foreign.relation("quality", "orders_score")
    }
    assert scores == {
        1: (1, 1),
        2: (1, 1),
        3: (0, 0.333),
        4: (1, 0.667),
        5: (1, 0.667),
    }


def test_data_that_were_not_read_for_long_are_stale(day_1: Clone) -> None:
    """What dbt's source freshness says is a result, once something may be stale."""
    day_1.query(
        "update audit.table_state set observed_at = now() at time zone 'utc' - case "
        "table_id when 'shop.orders' then interval '25 hours' "
        "else interval '49 hours' end "
        "where table_id in ('shop.orders', 'shop.payments')"
    )
    result = day_1.run("shop.suppliers")
    assert result.state == "done"
    told = {
        table: (severity, passed, observed, expected)
        for table, severity, passed, observed, expected in day_1.query(
            "select table_id, severity, passed, observed, expected "
            "from audit.dq_result where run_id = %s and rule_id = 'freshness'",
            result.run_id,
        )
    }
    most = "at most 1,440, never more than 2,880"
    assert told["shop.orders"] == ("warn", False, "1,500 minutes old", most)
    assert told["shop.payments"] == ("block", False, "2,940 minutes old", most)
    fresh = {table for table, row in told.items() if row[1]}
    tables = {f"{t['source']}.{t['table']}" for t in seed("tables")}
    assert fresh == tables - {"shop.orders", "shop.payments"}


# -- scores ------------------------------------------------------------------------


def scored(row: dict[str, Any]) -> tuple[float, float]:
    """Completeness and validity of a customer."""
    values = [
        row[c["name"]]
        for c in seed("columns")
        if (c["source"], c["table"]) == ("shop", "customers")
        and not c["key_position"]
        and c["name"] != "deleted_at"
    ]
    complete = sum(value is not None for value in values) / len(values)
    email = row["email"]
    valid = email is None or re.search("^[^@ ]+@[^@ ]+[.][^@ ]+$", email) is not None
    country = re.search("^[A-Z]{2}$", row["country"]) is not None
    return complete, (valid + country) / 2


def test_scores_of_rows_and_tables_are_those_of_a_plain_count(
    day_4: Clone, played: Played
) -> None:
    live = [r for r in played.silver[4]["customers"] if not r["is_deleted"]]
    given = {r["customer_id"]: r for r in day_4.relation("quality", "customers_score")}
    assert given.keys() == {r["customer_id"] for r in live}
    means = []
    for row in live:
        complete, valid = scored(row)
        found = given[row["customer_id"]]
        assert found["completeness"] == pytest.approx(complete)
        assert found["validity"] == pytest.approx(valid)
        assert (found["uniqueness"], found["consistency"]) == (1, 1)
        assert found["timeliness"] == 1
        means.append((complete + valid + 3) / 5)
        assert found["score"] == pytest.approx(means[-1])
    (stored,) = day_4.query(
        "select rows, score from audit.quality_score "
        "where table_id = 'shop.customers' order by scored_at desc limit 1"
    )
    assert stored[0] == len(live)
    assert stored[1] == pytest.approx(sum(means) / len(means))


@pytest.fixture
def demanding(day_1: Clone) -> Iterator[Clone]:
    """The clone, with a score that no table reaches."""
    options = day_1.root / metadata.FOLDER / "options.csv"
    before = options.read_text()
    options.write_text(
        before.replace("min_score,0.8", "min_score,1")
        + "shop,customers,score_severity,block\n"
    )
    day_1.generate()
    yield day_1
    options.write_text(before)
    day_1.generate()


def test_a_score_below_a_threshold_that_blocks_fails_the_run(demanding: Clone) -> None:
    with demanding.source() as source:
        source.execute(
            "update shop.customers set full_name = 'Somebody Else', "
            "updated_at = now(6) where customer_id = 1"
        )
    result = demanding.run("shop.customers")
    assert result.state == "failed"
    (row,) = demanding.query(
        "select severity, passed, observed, expected from audit.dq_result "
        "where rule_id = 'score' order by checked_at desc limit 1"
    )
    assert row[:2] == ("block", False)
    assert row[2] != "as expected"
    assert row[3] == "score of at least 1.0"
