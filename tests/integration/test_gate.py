"""The gate: each rule finds its fault, good days pass, and a person decides.

A generic mutator derives a fault from every rule of the layer `gate`, from every
column's constraints and from every count, plants it in a good batch, and the gate
must name that very rule, and those very rows.
"""

import itertools
import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from gx import failing, gate
from ingest import control, duck, settings
from ingest.lake import Lake, Manifest
from ingest.seed.checks.not_null import NotNull
from ingest.seed.checks.unique import Unique
from ingest.seed.metadata import Rule, Table
from tests.clone import Clone, seed
from tests.conftest import Played
from tests.faults.oracle import states
from tests.faults.trade import trade

# Each kind of check that the demo's seed does not have, and each scope.
MORE = """\
crm,contacts,birth_date,between,1900-01-01..2020-12-31,warn,gate,Born
crm,contacts,company,not_null,0.9,block,gate,Some are known
crm,contacts,segment,date_format,%Y-%m-%d,warn,gate,Nonsense that always fails
shop,customers,,unique,full_name|created_at,block,gate,Once
shop,inventory,counted_at,fresh,9000d,block,gate,Counted lately
shop,inventory,,row_count,1..100000,block,gate,There is stock
shop,orders,,satisfies,"shipping_fee < 1000 or currency in ('JPY', 'KRW')",warn,gate,Fee
shop,suppliers,contact_email,length,6..254,block,gate,As long as an address is
shop,suppliers,name,matches,.,warn,gate,Named
"""
ALWAYS = {"segment:date_format"}
TABLES = [f"{row['source']}.{row['table']}" for row in seed("tables")]


@pytest.fixture(scope="module")
def loaded(stack: Clone) -> Iterator[Clone]:
    """The clone with a seed of every check and the first day's batches, loaded."""
    stack.restore("empty")
    stack.day(1)
    path = stack.root / "seeds/metadata/rules.csv"
    path.write_text(path.read_text() + MORE)
    stack.generate()
    result = stack.run(steps=("extract", "load"), with_build=False)
    assert {o.state for o in result.outcomes} == {"loaded"}
    yield stack
    stack.restore_seed()


def decided(
    clone: Clone, table: Table, reasons: list[str] | None = None
) -> dict[str, str]:
    """What the gate says of the table's batch: severities of the rules that fail.

    The decision is undone afterwards; its reason is added to `reasons`.
    """
    with clone.inside(), control.connect() as connection:
        batch = control.pending(connection, table)
        assert batch
        run_id = control.begin_run(connection, "test")
        after = gate.decide(connection, table, batch, run_id)
        found = dict(
            clone.query(
                "select rule_id, severity from audit.dq_result "
                "where run_id = %s and not passed",
                run_id,
            )
        )
        is_blocked = "block" in found.values()
        assert after.state == ("rejected" if is_blocked else "released"), found
        if reasons is not None:
            reasons.append(after.reason or "")
        if is_blocked:
            told = {part.split(": ")[0] for part in (after.reason or "").split("; ")}
            assert told == {rule for rule, how in found.items() if how == "block"}
        clone.query(
            "update audit.batch set state = 'loaded', reason = null "
            "where table_id = %s and batch_seq = %s",
            table.id,
            batch.batch_seq,
        )
        clone.query("delete from audit.table_state where table_id = %s", table.id)
    return found


# -- the mutator ---------------------------------------------------------------


# Values that fail most rules, those that fit any column of their kind first.
TRIES: dict[str, tuple[Any, ...]] = {
    "number": (0, -1, 99_999),
    "text": ("zz", "~", "0", "x y", "", "x" * 99),
    "time": ("1999-01-01", "2001-01-01", "0999-01-01", "9999-01-01"),
    "boolean": (True, False),
}


def wrong_row(clone: Clone, rule: Rule, table: Table) -> dict[str, Any]:
    """Values of the columns that the rule looks at which fail it."""
    kinds = {c.name: c.type for c in table.columns}
    failing = rule.check.failing()
    names = [name for name in kinds if f'"{name}"' in failing]
    choices = [(*TRIES.get(kinds[n].family, ()), None) for n in names]
    for values in itertools.product(*choices):
        row = ", ".join(f'%s::{kinds[name].log} as "{name}"' for name in names)
        if clone.query(f"select {failing} from (select {row}) as r", *values)[0][0]:
            return dict(zip(names, values, strict=True))
    raise AssertionError(f"nothing fails {rule.id}: add to TRIES what does")


class Mutator:
    """Plants faults in a table's loaded batch, each in rows of its own.

    `planted` are the keys of the rows that must fail, by rule.
    """

    def __init__(self, clone: Clone, table: Table) -> None:
        self.clone, self.table = clone, table
        self.log = f'bronze."{table.bronze}"'
        names = ", ".join(f'"{c.name}"::text' for c in table.key)
        self.key = f"concat_ws('/', {names})"
        self.planted: dict[str, set[str]] = {}
        found = clone.query(
            f"select {self.key} from {self.log} where {failing.checked(table)} "
            "order by 1"
        )
        self.rows = [key for (key,) in found]
        random.Random(6).shuffle(self.rows)

    def put(self, rule_id: str, values: dict[str, Any]) -> None:
        """Write these values into a row that nothing else was planted in."""
        key = self.rows.pop()
        sets = ", ".join(f'"{name}" = %s' for name in values)
        done = self.clone.query(
            f"update {self.log} set {sets} where {self.key} = %s returning 1",
            *values.values(),
            key,
        )
        assert len(done) == 1
        self.planted.setdefault(rule_id, set()).add(key)

    def twice(self, rule_id: str, names: list[str]) -> None:
        """Have two rows with the same values of these columns."""
        key = self.rows.pop()
        listed = ", ".join(f'"{name}"' for name in names)
        (row,) = self.clone.query(
            f"select {listed} from {self.log} where {self.key} = %s", key
        )
        self.put(rule_id, dict(zip(names, row, strict=True)))
        self.planted[rule_id].add(key)

    def all_null(self, rule_id: str, column: str) -> None:
        """Leave no value of the column."""
        self.clone.query(f'update {self.log} set "{column}" = null')
        self.planted[rule_id] = {*self.rows}
        for keys in [*self.planted.values()]:
            self.planted[rule_id] |= keys

    def break_rule(self, rule: Rule) -> None:
        """Plant what fails the rule, in single rows."""
        match rule.check:
            case NotNull(parsed=share) if share:
                self.all_null(rule.id, rule.column)
            case Unique(parsed=columns):
                self.twice(rule.id, columns)
            case check if check.failing():
                self.put(rule.id, wrong_row(self.clone, rule, self.table))
            case _:
                pass  # about no single rows: see the counts below


def manifest_of(clone: Clone, table: Table) -> tuple[str, Manifest]:
    """The key and the manifest of the table's loaded batch."""
    with clone.inside(), control.connect() as connection:
        batch = control.pending(connection, table)
        assert batch
        manifest = Lake(clone.root).manifest(batch.manifest_key)
        assert manifest
        return batch.manifest_key, manifest


def write_files(clone: Clone, table: Table) -> None:
    """Have the batch's files hold what is in its log now."""
    key, manifest = manifest_of(clone, table)
    with clone.inside():
        lake = Lake(clone.root)
        name = manifest.bronze[0].key
        lake.local(name).parent.mkdir(parents=True, exist_ok=True)
        with duck.engine(clone.root / ".seedbed" / "tmp") as engine:
            duck.attach_warehouse(engine, settings.warehouse())
            (rows,) = engine.execute(
                f'copy warehouse.bronze."{table.bronze}" '
                f"to '{lake.local(name)}' (format parquet)"
            ).fetchone()
        lake.replace(key, replace(manifest, bronze=(lake.describe(name, rows),)))


@contextmanager
def kept(clone: Clone, table: Table) -> Iterator[None]:
    """Put log and files back as they were, whatever is done to them."""
    log, copy = f'bronze."{table.bronze}"', f'bronze."{table.bronze}_copy"'
    clone.query(f"create table {copy} (like {log} including all)")
    clone.query(f"insert into {copy} select * from {log}")
    key, manifest = manifest_of(clone, table)
    try:
        yield
    finally:
        with clone.inside():
            lake = Lake(clone.root)
            lake.forget(manifest)
            lake.replace(key, manifest)
        clone.query(f"drop table {log}")
        clone.query(f'alter table {copy} rename to "{table.bronze}"')
        clone.query("delete from audit.quarantine")


def quarantined(clone: Clone, table: Table) -> dict[str, set[str]]:
    """The keys in quarantine by rule."""
    found: dict[str, set[str]] = {}
    for rule, row in clone.query("select rule_id, row from audit.quarantine"):
        key = "/".join(str(row[c.name]) for c in table.key)
        found.setdefault(rule, set()).add(key)
    return found


@pytest.mark.parametrize("name", TABLES)
def test_every_rule_and_required_column_finds_its_very_rows(
    loaded: Clone, name: str
) -> None:
    (table,) = loaded.tables(name)
    always = {r.id for r in table.rules} & ALWAYS
    assert {*decided(loaded, table)} == always, "a good batch passes"
    wanted = {r.id: r.severity for r in table.rules if r.layer == "gate"}
    with kept(loaded, table):
        mutator = Mutator(loaded, table)
        for column in table.columns:
            if not column.nullable and not column.key_position:
                wanted.setdefault(f"{column.name}:not_null", "block")
                mutator.put(f"{column.name}:not_null", {column.name: None})
        for rule in table.rules:
            if rule.layer == "gate" and rule.id not in ALWAYS:
                mutator.break_rule(rule)
        write_files(loaded, table)
        found = decided(loaded, table)
        kept_rows = quarantined(loaded, table)
    planted = mutator.planted
    assert {*found} == {*planted} | always
    assert found == {rule: wanted[rule] for rule in found}
    blocking = {rule for rule in planted if wanted[rule] == "block"}
    assert kept_rows == {rule: planted[rule] for rule in blocking}


@pytest.mark.parametrize("name", TABLES)
def test_every_key_type_and_column_is_guarded(loaded: Clone, name: str) -> None:
    (table,) = loaded.tables(name)
    log = f'bronze."{table.bronze}"'
    always = {r.id for r in table.rules} & ALWAYS
    names = [c.name for c in table.key]
    unique = f"{'+'.join(names)}:unique"
    with kept(loaded, table):
        for name in names:
            loaded.query(f'alter table {log} alter column "{name}" drop not null')
        mutator = Mutator(loaded, table)
        mutator.twice(unique, names)
        for name in names:
            mutator.put(f"{name}:not_null", {name: None})
        write_files(loaded, table)
        found = decided(loaded, table)
    assert {*found} == {
        unique,
        *(f"{name}:not_null" for name in names),
        *always,
    }
    with kept(loaded, table):
        for c in table.columns:
            other = "varchar(9999)" if c.type.log.startswith("varchar") else "text"
            if c.type.log == "text":
                other = "varchar(9999)"
            loaded.query(
                f'alter table {log} alter column "{c.name}" type {other} '
                f'using "{c.name}"::text'
            )
        found = decided(loaded, table)
    assert {f"{c.name}:type" for c in table.columns} <= {*found}
    with kept(loaded, table):
        last = table.columns[-1].name
        loaded.query(f'alter table {log} rename column "{last}" to elsewhere')
        found = decided(loaded, table)
    assert "schema" in found


def test_every_count_is_guarded(loaded: Clone) -> None:
    (table,) = loaded.tables("shop.inventory")
    with kept(loaded, table):
        loaded.query(
            "delete from bronze.shop__inventory where ctid = "
            "(select max(ctid) from bronze.shop__inventory)"
        )
        assert {*decided(loaded, table)} == {"rows_as_in_manifest"}
        write_files(loaded, table)
        assert {*decided(loaded, table)} == {"rows_as_in_source", "rows_as_in_manifest"}
    with kept(loaded, table):
        loaded.query("delete from bronze.shop__inventory")
        write_files(loaded, table)
        found = {*decided(loaded, table)}
        counts = {"rows_as_in_source", "rows_as_in_manifest", "row_count"}
        assert counts <= found, "an empty batch"
    with kept(loaded, table):
        loaded.query("update bronze.shop__inventory set counted_at = '1990-01-01'")
        write_files(loaded, table)
        assert {*decided(loaded, table)} == {"counted_at:fresh"}
    before = (
        "insert into audit.batch (table_id, batch_seq, batch_id, run_id, state, "
        "fingerprint, manifest_key, rows_read) select table_id, 0, 'before', run_id, "
        "'released', '', '', rows_read * {} from audit.batch "
        "where table_id = 'shop.inventory' and batch_seq = 1"
    )
    for factor, expected in ((3, {"row_count_band"}), (1, set())):
        loaded.query(before.format(factor))
        try:
            assert {*decided(loaded, table)} == expected
        finally:
            loaded.query("delete from audit.batch where batch_seq = 0")


def test_a_log_that_is_not_as_its_files_is_named_where_rows_fail(loaded: Clone) -> None:
    (table,) = loaded.tables("shop.orders")
    wrong = "update bronze.shop__orders set status = '{}' where order_id in ({})"
    with kept(loaded, table):
        loaded.query(wrong.format("zz", "3, 4"))
        write_files(loaded, table)
        loaded.query(wrong.format("paid", "3"))
        reasons: list[str] = []
        decided(loaded, table, reasons)
    assert "2 rows fail, expected" in reasons[0]
    assert "but 1 of the log, which is not as its files" in reasons[0]


# -- good days, empty days, decisions ------------------------------------------


@pytest.mark.up_to_silver
def test_good_days_are_never_blocked(day_4: Clone, nightly: bool) -> None:
    for day in range(20 if nightly else 3):
        trade(day_4, day, random.Random(day))
        result = day_4.run(with_build=False)
        assert result.state == "done", (
            day,
            [(o.table.id, o.batches[-1].reason) for o in result.outcomes],
        )
    assert day_4.value("select count(*) from audit.alert") == day_4.value(
        "select count(*) from audit.batch where state in ('rejected', 'superseded')"
    )


@pytest.mark.up_to_silver
def test_an_unchanged_run_starts_no_process(
    day_4: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    day_4.run(with_build=False)
    monkeypatch.setattr("gx.process.start", lambda: 1 / 0)
    monkeypatch.setattr("gx.process.ask", lambda *_: 1 / 0)
    assert day_4.run(with_build=False).state == "done"


def spoil(clone: Clone) -> None:
    """Three orders with a status that there isn't, one changed as it should be."""
    clone.change(
        "update shop.orders set status = 'nonsense', note = 'a private note', "
        "updated_at = '2026-03-01 23:00:00' where order_id in (3, 4, 5)",
        "update shop.orders set status = 'cancelled', "
        "updated_at = '2026-03-01 23:00:00' where order_id = 6",
    )


@pytest.mark.up_to_silver
def test_a_blocked_batch_says_what_fails_where_and_what_to_type(
    day_2_due: Clone,
) -> None:
    spoil(day_2_due)
    result = day_2_due.run("orders", with_build=False)
    assert states(result) == {"shop.orders": "rejected"}
    batch = result.outcomes[0].batches[-1]
    assert batch.reason is not None
    assert "status:one_of: 3 rows fail" in batch.reason
    assert "(order_id 3, 4, 5)" in batch.reason
    shown = day_2_due.cli("status").stdout
    assert f"./seedbed release {batch.batch_id} --quarantine --reason" in shown
    (look,) = re.findall(r"select rule_id, row from audit.quarantine where .*", shown)
    rows = day_2_due.query(look)
    assert sorted(row["order_id"] for _, row in rows) == [3, 4, 5]
    assert {rule for rule, _ in rows} == {"status:one_of"}
    (alert,) = day_2_due.query("select table_id, message from audit.alert")
    assert alert == ("shop.orders", batch.reason)
    documents = (day_2_due.root / ".seedbed/data_docs").rglob("*.html")
    pages = {p.name: p.read_text() for p in documents}
    assert "index.html" in pages
    seen = [shown, batch.reason, *pages.values()]
    seen += [str(row) for row in day_2_due.query("select * from audit.dq_result")]
    assert not any("private" in text or "nonsense" in text for text in seen)


@pytest.mark.up_to_silver
def test_rows_in_quarantine_go_with_the_batch_that_is_read_again(
    day_2_due: Clone,
) -> None:
    kept = "select batch_seq, row ->> 'order_id' from audit.quarantine order by 1, 2"
    spoil(day_2_due)
    (first,) = day_2_due.run("orders", with_build=False).outcomes
    number = first.batches[-1].batch_seq
    assert day_2_due.query(kept) == [(number, "3"), (number, "4"), (number, "5")]
    day_2_due.change(
        "update shop.orders set status = 'cancelled', "
        "updated_at = '2026-03-01 23:10:00' where order_id in (3, 4)"
    )
    assert states(day_2_due.run("orders", with_build=False)) == {
        "shop.orders": "rejected"
    }
    assert day_2_due.query(kept) == [(number + 1, "5")]
    day_2_due.change(
        "update shop.orders set status = 'cancelled', "
        "updated_at = '2026-03-01 23:20:00' where order_id = 5"
    )
    assert day_2_due.run("orders", with_build=False).state == "done"
    assert day_2_due.query(kept) == []


@pytest.mark.up_to_silver
def test_a_batch_whose_log_is_not_as_its_files_is_not_released_in_part(
    day_2_due: Clone,
) -> None:
    spoil(day_2_due)
    for step in ("extract", "load"):
        assert day_2_due.cli(step, "--tables", "orders").returncode == 0
    day_2_due.query(
        "update bronze.shop__orders set status = 'paid' where order_id = 3 "
        "and _batch_seq = (select max(_batch_seq) from bronze.shop__orders)"
    )
    assert day_2_due.cli("validate", "--tables", "orders").returncode == 1
    state = "select state, reason from audit.batch where state = 'rejected'"
    (before,) = day_2_due.query(state)
    assert "3 rows fail" in before[1]
    assert "but 2 of the log" in before[1]
    refused = day_2_due.cli(
        "release", "shop.orders", "--quarantine", "--reason", "known"
    )
    assert refused.returncode == 1
    assert "its log is not as its files" in refused.stderr
    assert "hint: `./seedbed run` reads its window again" in refused.stderr
    assert day_2_due.query(state) == [before]


@pytest.mark.up_to_silver
def test_a_batch_is_released_without_the_rows_that_fail(day_2_due: Clone) -> None:
    spoil(day_2_due)
    result = day_2_due.run("orders", with_build=False)
    batch = result.outcomes[0].batches[-1]
    done = day_2_due.cli(
        "release", batch.batch_id, "--quarantine", "--reason", "known; ask sales"
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "3 rows that fail a rule were left out" in done.stdout
    ((state, decision, key, written, rejected, loaded),) = day_2_due.query(
        "select state, decision, manifest_key, rows_written, rows_rejected, "
        "rows_loaded from audit.batch where batch_id = %s",
        batch.batch_id,
    )
    assert state == "released"
    assert decision.endswith("without 3 rows: known; ask sales")
    assert (batch.rows_written, batch.rows_rejected) == (written + 3, rejected - 3)
    # Both warehouses read the same rows.
    body = day_2_due.s3().get_object(Bucket="lake", Key=key)["Body"]
    manifest = json.loads(body.read())
    assert sum(part["rows"] for part in manifest["bronze"]) == loaded
    number = batch.batch_seq
    log = f"bronze.shop__orders where _batch_seq = {number}"
    assert day_2_due.value(f"select count(*) from {log}") == loaded
    assert day_2_due.value(f"select count(*) from {log} and order_id in (3, 4, 5)") == 0
    reasons = day_2_due.query(
        "select reason, count(*) from audit.reject where table_id = 'shop.orders' "
        "and batch_seq = %s group by 1",
        number,
    )
    assert reasons == [("fails status:one_of", 3)]
    assert day_2_due.query("select * from audit.ledger where not holds") == []
    # They are not read again before they change, and then they are.
    again = day_2_due.run("orders", with_build=False)
    assert (again.state, again.balanced) == ("done", True)
    day_2_due.change(
        "update shop.orders set status = 'cancelled', "
        "updated_at = '2026-03-01 23:30:00' where order_id in (3, 4, 5)"
    )
    assert day_2_due.run("orders", with_build=False).state == "done"
    assert day_2_due.released("shop.orders") == day_2_due.held("shop.orders")


@pytest.mark.up_to_silver
def test_a_batch_is_released_as_it_is(day_2_due: Clone) -> None:
    spoil(day_2_due)
    day_2_due.run("orders", with_build=False)
    done = day_2_due.cli("release", "shop.orders", "--reason", "the rule is wrong")
    assert done.returncode == 0, done.stderr
    assert day_2_due.released("shop.orders") == day_2_due.held("shop.orders")
    refused = day_2_due.cli("release", "shop.orders", "--reason", "again")
    assert refused.returncode == 2
    assert "no rejected batch, and no table with one" in refused.stderr


@pytest.mark.long
@pytest.mark.up_to_silver
def test_a_log_made_from_raw_lacks_the_rows_that_were_left_out(
    day_1: Clone,
) -> None:
    """A first load and a release without rows, made again from the lake."""
    day_1.change(
        "insert into shop.suppliers values (9998, 'A', 'DE', null, 9, '2026-03-01', "
        "'2026-03-01'), (9999, 'B', 'DE', null, 4, '2026-03-01', '2026-03-01')"
    )
    day_1.query("delete from audit.table_state where table_id = 'shop.suppliers'")
    day_1.query("delete from audit.batch where table_id = 'shop.suppliers'")
    day_1.query("truncate bronze.shop__suppliers")
    line = "shop,suppliers,rating,between,0..5,warn,model,Ratings go from 0 to 5"
    with day_1.edited("rules", line, line.replace("warn,model", "block,gate")):
        blocked = day_1.run("suppliers", with_build=False)
        assert states(blocked) == {"shop.suppliers": "rejected"}
        done = day_1.cli("release", "shop.suppliers", "--quarantine", "--reason", "x")
        assert done.returncode == 0, done.stderr
        query = "select * from bronze.shop__suppliers order by supplier_id"
        before = day_1.query(query)
        replayed = day_1.cli("rebuild", "suppliers", "--from-raw")
        assert "rebuilt its log from raw" in replayed.stdout, replayed.stderr
        assert day_1.query(query) == before
    assert 9998 not in {row[0] for row in before}


@pytest.mark.long
def test_day_3_is_ended_by_a_release_without_the_bad_orders(
    stack: Clone, played: Played
) -> None:
    stack.restore("day_2", source="day_3")
    gold = stack.contents(["gold"], any_observation=True)
    blocked = stack.run()
    assert (blocked.state, blocked.exit_code) == ("blocked", 1)
    assert {o.table.id for o in blocked.outcomes if not o.is_good} == {"shop.orders"}
    held = stack.contents(["gold"], any_observation=True)
    for model in ("fct_orders", "fct_order_items", "agg_daily_sales"):
        assert held[f"gold.{model}"] == gold[f"gold.{model}"], model
    assert stack.relation("silver", "payments") != played.silver[2]["payments"]
    done = stack.cli("release", "shop.orders", "--quarantine", "--reason", "day 3")
    assert done.returncode == 0, done.stderr
    ended = stack.run()
    assert (ended.state, ended.balanced) == ("done", True), ended.built
    assert stack.contents(["gold"], any_observation=True) != gold
    # The repaired rows come in as any change does.
    stack.deliver("day_4")
    assert stack.run().state == "done"
    found = stack.contents(["silver"], ["_batch_seq"], any_observation=True)
    for model in ("silver.orders", "silver.order_items", "silver.payments"):
        assert found[model] == played.contents[4][model], model
