"""The load macros against an oracle that knows no SQL.

Every named case and hundreds of random histories share one log, told apart by
`case_id`; after each batch all models are built and compared, so a round trip
to the warehouse serves them all.
"""

import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from ingest import control
from ingest.bronze_log import latest_rows
from ingest.seed.metadata import Column, Source, Table
from ingest.seed.options import DEFAULTS
from ingest.seed.types import parse
from orchestration import dbt_runner

ROOT = Path(__file__).parents[2]
# What is read of each model, and what tells its rows of a key apart.
NEWEST = ("tracked, untracked, _source_ts, is_deleted", "_source_ts")
MODELS = {
    "versions_history": (
        "tracked, untracked, valid_from, valid_to, is_deleted, _source_ts",
        "version",
    ),
    "changes_history": ("op, valid_from, tracked, untracked", "version"),
    # A snapshot sees what is newest at each build, and not its untracked columns.
    "pictures_history": ("tracked, is_deleted", "version"),
    "newest": NEWEST,
    "merged": NEWEST,
    "marked": NEWEST,
    "newest_present": NEWEST,
    "merged_present": NEWEST,
    "present": NEWEST,
    "held_at_3": ("tracked, valid_from, is_deleted", "valid_from"),
    "held_at_3_or_deleted": (
        "tracked, valid_from, is_deleted, valid_to, version",
        "valid_from",
    ),
    "held_each": ("instant, version, tracked, version_or_first", "instant"),
}
MOST = 2**62
EPOCH = datetime(2026, 1, 1)
THINGS = Table(
    source=Source("test", "mysql", "", "", "UTC", "", ""),
    name="things",
    model="things",
    load_type="scd1",
    watermark_column="",
    delete_mode="none",
    on_schema_change="evolve",
    owner="",
    enabled=True,
    description="",
    columns=tuple(
        Column(name, name, parse("text"), False, place, False, "", "", "")
        for place, name in enumerate(("case_id", "key_id"), 1)
    ),
    rules=(),
    options=DEFAULTS,
)
HISTORIES = int(os.environ.get("SEEDBED_TEST_HISTORIES", "240"))
# The first one is the simplest there is: empty batches.
EXAMPLES = 3


@dataclass(frozen=True)
class Row:
    """One row of the log: an operation on a key, at an instant of the source."""

    key: str
    at: int
    tracked: str | None = None
    untracked: int | None = 0
    op: str = "U"

    @property
    def ts(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.at)

    @property
    def hash(self) -> int:
        content = repr((self.tracked, self.untracked)).encode()
        return int.from_bytes(hashlib.md5(content).digest()[:8]) >> 1


Batches = list[list[Row]]
Version = tuple[str | None, int | None, datetime, datetime | None, bool, datetime]


def _place_in_time(placed: tuple[datetime, int, Row]) -> tuple[Any, ...]:
    """Ties go to the later batch, then to content: the order must be total."""
    at, seq, row = placed
    return at, seq, row.hash, row.op


class Oracle:
    """What must come of a log, derived one row after the other."""

    def __init__(self, batches: Batches) -> None:
        log = defaultdict(list)
        for seq, batch in enumerate(batches, start=1):
            for row in batch:
                log[row.key].append((seq, row))
        self.placed = {key: list(self._place(rows)) for key, rows in log.items()}

    @staticmethod
    def _place(rows: list[tuple[int, Row]]) -> Iterator[tuple[datetime, int, Row]]:
        """Each row with the time it takes effect: not before a known tombstone."""
        tombstone = datetime.min
        for seq, row in sorted(rows, key=lambda r: (r[0], r[1].ts, r[1].hash, r[1].op)):
            yield max(row.ts, tombstone), seq, row
            if row.op == "D":
                tombstone = max(tombstone, row.ts)

    def versions(self, key: str) -> list[Version]:
        """Versions of the tracked value; ties go to the row observed last."""
        found: list[list[Any]] = []
        by_time = sorted(self.placed[key], key=_place_in_time)
        for at, rows in groupby(by_time, key=lambda p: p[0]):
            *_, (_, _, row) = rows
            deleted = row.op == "D"
            if found and found[-1][4] == deleted:
                if deleted or found[-1][0] == row.tracked:
                    found[-1][:2] = row.tracked, row.untracked
                    found[-1][5] = at
                    continue
            if found:
                found[-1][3] = at
            found.append([row.tracked, row.untracked, at, None, deleted, at])
        return [tuple(version) for version in found]  # type: ignore[misc]

    def changes(self, key: str) -> list[tuple[str, datetime, str | None, int | None]]:
        """Each change with its operation; what is said twice in a row is one."""
        found: list[tuple[str, datetime, str | None, int | None]] = []
        before, said = "D", None
        for at, _, row in sorted(self.placed[key], key=_place_in_time):
            if (at, row.op, row.hash) != said:
                op = "D" if row.op == "D" else "I" if before == "D" else "U"
                found.append((op, at, row.tracked, row.untracked))
            before, said = row.op, (at, row.op, row.hash)
        return found

    def newest(self, key: str) -> tuple[str | None, int | None, datetime, bool]:
        """The row that takes effect last."""
        at, _, row = max(self.placed[key], key=_place_in_time)
        return row.tracked, row.untracked, at, row.op == "D"

    def pictures(self, key: str, batches: int) -> list[tuple[str | None, bool]]:
        """What was newest after each batch, without repeats."""
        found: list[tuple[str | None, bool]] = []
        for built in range(1, batches + 1):
            known = [p for p in self.placed[key] if p[1] <= built]
            if known:
                _, _, row = max(known, key=_place_in_time)
                if not found or found[-1] != (row.tracked, row.op == "D"):
                    found.append((row.tracked, row.op == "D"))
        return found

    def held(self, key: str, at: datetime) -> tuple[int, Version] | None:
        """The version that began last, with its number; None before the first."""
        begun = [(n, v) for n, v in enumerate(self.versions(key), 1) if v[2] <= at]
        return begun[-1] if begun else None

    def held_row(self, key: str, at: datetime) -> tuple[Any, ...]:
        """A fact of the key at an instant, joined to the version that held."""
        number, version = self.held(key, at) or (None, [None])
        return at, number, version[0], number or 1


def u(key: str, at: int, tracked: str | None = "x", untracked: int | None = 0) -> Row:
    """A row as it is at an instant."""
    return Row(key, at, tracked, untracked)


def d(key: str, at: int, tracked: str | None = "x", untracked: int | None = 0) -> Row:
    """A tombstone."""
    return Row(key, at, tracked, untracked, "D")


# Name → batches, and the versions (tracked, from, to, deleted) of key k.
CASES: dict[str, tuple[Batches, list[tuple[str | None, int, int | None, bool]]]] = {
    "several versions of a key in one batch": (
        [[u("k", 1, "a"), u("k", 2, "b"), u("k", 3, "c")]],
        [("a", 1, 2, False), ("b", 2, 3, False), ("c", 3, None, False)],
    ),
    "a late row in mid-history makes the value come back": (
        [[u("k", 1, "a"), u("k", 3, "a")], [u("k", 2, "b")]],
        [("a", 1, 2, False), ("b", 2, 3, False), ("a", 3, None, False)],
    ),
    "a late row before the first version": (
        [[u("k", 5, "b")], [u("k", 1, "a")]],
        [("a", 1, 5, False), ("b", 5, None, False)],
    ),
    "an exact duplicate adds nothing": (
        [[u("k", 1, "a")], [u("k", 1, "a")]],
        [("a", 1, None, False)],
    ),
    "the same instant with other content: the last observed row holds": (
        [[u("k", 1, "a")], [u("k", 1, "b")]],
        [("b", 1, None, False)],
    ),
    "back to an earlier content at the same instant: the last observed row holds": (
        [[u("k", 1, "a")], [u("k", 1, "b")], [u("k", 1, "a")]],
        [("a", 1, None, False)],
    ),
    "deleted and back at the same instant: the last observed row holds": (
        [[u("k", 1, "a")], [d("k", 1, "a")], [u("k", 1, "a")]],
        [("a", 1, None, False)],
    ),
    "a delete becomes a version": (
        [[u("k", 1, "a")], [d("k", 2, "a")]],
        [("a", 1, 2, False), ("a", 2, None, True)],
    ),
    "a reinsert after a delete opens a new version": (
        [[u("k", 1, "a")], [d("k", 2, "a")], [u("k", 3, "a")]],
        [("a", 1, 2, False), ("a", 2, 3, True), ("a", 3, None, False)],
    ),
    "a reinsert with an older time lives from the tombstone on": (
        [[u("k", 5, "a")], [d("k", 9, "a")], [u("k", 2, "b")]],
        [("a", 5, 9, False), ("b", 9, None, False)],
    ),
    "delete and reinsert in one batch": (
        [[u("k", 1, "a")], [d("k", 2, "a"), u("k", 3, "b")]],
        [("a", 1, 2, False), ("a", 2, 3, True), ("b", 3, None, False)],
    ),
    "a late delete falls between two versions": (
        [[u("k", 1, "a"), u("k", 5, "b")], [d("k", 3, "a")]],
        [("a", 1, 3, False), ("a", 3, 5, True), ("b", 5, None, False)],
    ),
    "a delete of an unknown key is kept": (
        [[d("k", 1, "a")]],
        [("a", 1, None, True)],
    ),
    "a value that comes back is a version of its own": (
        [[u("k", 1, "a")], [u("k", 2, "b")], [u("k", 3, "a")]],
        [("a", 1, 2, False), ("b", 2, 3, False), ("a", 3, None, False)],
    ),
    "an unchanged value makes no version": (
        [[u("k", 1, "a")], [u("k", 2, "a")]],
        [("a", 1, None, False)],
    ),
    "from NULL to a value and back": (
        [[u("k", 1, None)], [u("k", 2, "a")], [u("k", 3, None)]],
        [(None, 1, 2, False), ("a", 2, 3, False), (None, 3, None, False)],
    ),
    "NULL is not the empty string": (
        [[u("k", 1, None)], [u("k", 2, "")]],
        [(None, 1, 2, False), ("", 2, None, False)],
    ),
    "values may hold any delimiter": (
        [[u("k", 1, "a|b")], [u("k", 2, "a||b")], [u("k", 3, "',\"]")]],
        [("a|b", 1, 2, False), ("a||b", 2, 3, False), ("',\"]", 3, None, False)],
    ),
    "a column that is not tracked makes no version": (
        [[u("k", 1, "a", 1)], [u("k", 2, "a", 2)]],
        [("a", 1, None, False)],
    ),
    "microseconds part two versions": (
        [[u("k", 1_000_000, "a"), u("k", 1_000_001, "b")]],
        [("a", 1_000_000, 1_000_001, False), ("b", 1_000_001, None, False)],
    ),
    "keys differ by case and hold quotes": (
        [[u("k", 1, "a"), u("K", 2, "b"), u("k'\"", 3, "c")]],
        [("a", 1, None, False)],
    ),
}


def random_history() -> st.SearchStrategy[Batches]:
    """Few keys, instants and values, so that ties and returns are frequent.

    Batches follow one another in time, or overlap, or come in any order: late
    rows are derived from the whole log, all others extend what is stored.
    """
    row = st.builds(
        Row,
        key=st.sampled_from("kl"),
        at=st.integers(1, 6),
        tracked=st.sampled_from([None, "", "a", "b"]),
        untracked=st.integers(0, 1),
        op=st.sampled_from("UUUD"),
    )
    batches = st.lists(st.lists(row, max_size=4), min_size=1, max_size=5)

    def with_repeats(drawn: tuple[Batches, int]) -> Batches:
        """Overlapping windows read a row again, and a batch may come twice."""
        found, pace = drawn
        out = [
            [replace(row, at=row.at + pace * number) for row in batch]
            for number, batch in enumerate(found)
        ]
        if pace < 6:
            for before, batch in pairwise(out):
                batch.extend(before[:1])
        return [*out, out[0]]

    paces = st.sampled_from([0, 2, 6])
    return st.tuples(batches, paces).map(with_repeats)


class Log:
    """The log of all cases, and the models over it."""

    target = "postgres"

    def __init__(self, project: Path, connection: Any) -> None:
        self.project = project
        self.connection = connection
        self.manifest: Any = None

    def reset(self) -> None:
        """Forget everything."""
        for schema in ("bronze", "audit", "models"):
            self.connection.execute(f"drop schema if exists {schema} cascade")
        control.prepare(self.connection)
        self.connection.execute(
            "create table bronze.test__things (case_id text, key_id text, "
            "tracked text, untracked integer, _op text, _source_ts timestamp, "
            "_observed_at timestamp, _batch_seq bigint, _row_hash bigint)"
        )

    def append(self, seq: int, rows: list[tuple[str, Row]]) -> None:
        """Append a batch and release it."""
        with self.connection.cursor().copy("copy bronze.test__things from stdin") as c:
            for case, row in rows:
                c.write_row(
                    (
                        case,
                        row.key,
                        row.tracked,
                        row.untracked,
                        row.op,
                        row.ts,
                        row.ts,
                        seq,
                        row.hash,
                    )
                )
        self.connection.execute(
            "insert into audit.table_state (table_id, released_through, observed_at) "
            "values ('test.things', %s, now()) on conflict (table_id) do update "
            "set released_through = excluded.released_through",
            (seq,),
        )

    def build(self, *arguments: str) -> None:
        """Build and test all models."""
        result = self.dbt("build", *arguments)
        failed = [
            f"{r.node.name}: {r.message}"
            for r in getattr(result.result, "results", [])
            if str(r.status) not in ("success", "pass")
        ]
        assert result.success, failed or result.exception

    def dbt(self, *words: str) -> Any:
        """The result of a command of dbt's."""
        runner = dbt_runner.runner(self.manifest)
        place = ["--project-dir", str(self.project), "--profiles-dir"]
        place += [str(self.project), "--log-level", "none", "--target", self.target]
        result = runner.invoke([*words, *place])
        self.manifest = runner.manifest or self.manifest
        return result

    def rows(self, model: str) -> dict[tuple[str, str], list[Any]]:
        """The model's rows by case and key, in their order."""
        columns, by = MODELS[model]
        found: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for case, key, *values in self.connection.execute(
            f"select case_id, key_id, {columns} from models.{model} "
            f"order by case_id, key_id, {by}"
        ):
            found[case, key].append(tuple(values))
        return found

    def contents(self) -> dict[str, Any]:
        """All models, for comparing two states."""
        return {model: self.rows(model) for model in MODELS}

    def play(self, cases: dict[str, Batches]) -> None:
        """Append batch after batch of all cases; compare after each with the oracle."""
        for seq in range(1, max(map(len, cases.values())) + 1):
            rows = [
                (case, row)
                for case, batches in cases.items()
                for row in (batches[seq - 1] if seq <= len(batches) else [])
            ]
            self.append(seq, rows)
            self.build()
            self.compare({case: batches[:seq] for case, batches in cases.items()})

    def newest_rows(self) -> dict[tuple[str, str], list[Any]]:
        """What the runner takes for the newest row of each key."""
        columns = "case_id, key_id, tracked, untracked, _effective_ts, _op = 'D'"
        rows = self.connection.execute(latest_rows(THINGS, MOST, columns))
        return {(case, key): [tuple(values)] for case, key, *values in rows}

    def compare(self, cases: dict[str, Batches]) -> None:
        """Every model equals the oracle, for every key of every case."""
        found = self.contents()
        if self.target == "postgres":  # the log that the runner reads
            assert self.newest_rows() == found["newest"], "runner and models differ"
        expected: dict[str, dict[tuple[str, str], list[Any]]] = defaultdict(dict)
        for case, batches in cases.items():
            oracle = Oracle(batches)
            for key in oracle.placed:
                place = case, key
                expected["versions_history"][place] = oracle.versions(key)
                expected["changes_history"][place] = oracle.changes(key)
                expected["pictures_history"][place] = oracle.pictures(key, len(batches))
                newest = oracle.newest(key)
                for row, marked, present in (
                    (newest, "newest", "newest_present"),
                    (newest, "merged", "merged_present"),
                    (newest, "marked", "present"),
                ):
                    expected[marked][place] = [row]
                    if not row[-1]:
                        expected[present][place] = [row]
                held = oracle.held(key, EPOCH + timedelta(microseconds=3))
                if held:
                    number, (tracked, _, since, until, deleted, _) = held
                    version = tracked, since, deleted, until, number
                    expected["held_at_3_or_deleted"][place] = [version]
                    if not deleted:
                        expected["held_at_3"][place] = [version[:3]]
                expected["held_each"][place] = [
                    oracle.held_row(key, EPOCH + timedelta(microseconds=at))
                    for at in range(10)
                ]
        for model in MODELS:
            wrong = {
                place
                for place in expected[model].keys() | found[model].keys()
                if expected[model].get(place) != found[model].get(place)
            }
            if wrong:
                # The smallest history says most.
                place = min(wrong, key=lambda p: sum(map(len, cases[p[0]])))
                pytest.fail(
                    f"{model}: {len(wrong)} keys differ, such as {place} of\n"
                    f"{cases[place[0]]}\nexpected {expected[model].get(place)}\n"
                    f"found    {found[model].get(place)}"
                )


def lay_out(project: Path) -> Path:
    """The dbt project of these tests, made as the folder `project`."""
    shutil.copytree(Path(__file__).parent / "history", project)
    (project / "macros").symlink_to(ROOT / "macros")
    (project / "tests").mkdir()
    (project / "tests" / "generic").symlink_to(ROOT / "tests/data/generic")
    return project


@pytest.fixture(scope="module")
def log(
    warehouse: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Log]:
    project = lay_out(tmp_path_factory.mktemp("history") / "project")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in warehouse.items():
            patch.setenv(name, value)
        with psycopg.connect(autocommit=True) as connection:
            yield Log(project, connection)


@pytest.fixture(scope="module")
def named_cases(log: Log) -> dict[tuple[str, str], list[Any]]:
    """The versions of all named cases after their last batch."""
    log.reset()
    log.play({name: batches for name, (batches, _) in CASES.items()})
    return log.rows("versions_history")


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, named_cases: dict[tuple[str, str], list[Any]]) -> None:
    expected = CASES[name][1]
    found = [
        (tracked, _at(since), _at(until), deleted)
        for tracked, _, since, until, deleted, _ in named_cases[name, "k"]
    ]
    assert found == expected


def _at(instant: datetime | None) -> int | None:
    return None if instant is None else (instant - EPOCH) // timedelta(microseconds=1)


def test_untracked_columns_show_their_last_value_in_the_version(
    named_cases: dict[tuple[str, str], list[Any]],
) -> None:
    case = "a column that is not tracked makes no version"
    assert [version[1] for version in named_cases[case, "k"]] == [2]


# An example is a list of histories; a failure names the smallest one by itself.
@seed(int(os.environ.get("SEEDBED_TEST_SEED", "1")))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.generate],
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_random_histories_equal_the_oracle_and_a_rebuild(
    log: Log, data: st.DataObject
) -> None:
    cases = {
        f"random {number}": data.draw(random_history())
        for number in range(HISTORIES // (EXAMPLES - 1))
    }
    log.reset()
    log.play(cases)
    after_increments = log.contents()
    log.build()
    assert log.contents() == after_increments, "a second build changed something"
    log.build("--full-refresh")
    assert log.contents() == after_increments, "a rebuild differs from the increments"


def test_batches_in_another_order_give_the_same_history(log: Log) -> None:
    # Without deletes and ties nothing tells the order in which rows came.
    batches = [[u("k", at, value)] for at, value in enumerate("abbac", start=1)]
    contents = []
    for order in (batches[::-1], batches[3:] + batches[:3]):
        log.reset()
        log.play({"one": order})
        contents.append(
            [
                version[:1] + version[2:]
                for version in log.rows("versions_history")["one", "k"]
            ]
        )
    assert contents[0] == contents[1]
    assert len(contents[0]) == 4


def test_what_is_not_released_is_not_read(log: Log) -> None:
    log.reset()
    log.append(1, [("one", u("k", 1, "a"))])
    log.append(2, [("one", u("k", 2, "b"))])
    log.connection.execute("update audit.table_state set released_through = 1")
    log.build()
    assert [v[0] for v in log.rows("versions_history")["one", "k"]] == ["a"]
    log.build("--full-refresh")
    assert [v[0] for v in log.rows("versions_history")["one", "k"]] == ["a"]


HISTORIES_OF_KEYS = ("versions_history", "changes_history")


def _written(log: Log, model: str) -> list[int]:
    """For each version of key k, the transaction that wrote it."""
    found = log.connection.execute(
        f"select xmin::text::bigint from models.{model} order by version"
    )
    return [transaction for (transaction,) in found]


@pytest.mark.parametrize("model", HISTORIES_OF_KEYS)
def test_a_row_in_time_leaves_closed_versions_alone(log: Log, model: str) -> None:
    batches = [[u("k", 1, "a"), u("k", 2, "b")], [u("k", 3, "c")]]
    log.reset()
    log.play({"one": batches[:1]})
    before = _written(log, model)
    log.append(2, [("one", row) for row in batches[1]])
    log.build()
    log.compare({"one": batches})
    after = _written(log, model)
    assert after[0] == before[0]
    assert after[1] == after[2] > before[1]


@pytest.mark.parametrize("model", HISTORIES_OF_KEYS)
def test_a_late_row_replaces_all_versions_of_its_key(log: Log, model: str) -> None:
    # The version that began at 1 has seen the row of 5, so 3 is late.
    batches = [[u("k", 1, "a"), u("k", 5, "a")], [u("k", 3, "b")]]
    log.reset()
    log.play({"one": batches[:1]})
    before = _written(log, model)
    log.append(2, [("one", row) for row in batches[1]])
    log.build()
    log.compare({"one": batches})
    after = _written(log, model)
    assert len(after) == 3
    assert min(after) > max(before)


@pytest.mark.parametrize("column", ["untracked", "_source_ts"])
def test_a_column_that_is_new_to_a_history_is_derived_from_the_log(
    log: Log, column: str
) -> None:
    batches = [[u("k", 1, "a", 1)], [u("k", 2, "b", 2)], [u("k", 3, "c", 3)]]
    log.reset()
    log.play({"one": batches[:1]})
    log.connection.execute(
        f"alter table models.versions_history drop column {column} cascade"
    )
    for seq in (2, 3):
        log.append(seq, [("one", row) for row in batches[seq - 1]])
        log.build()
    log.compare({"one": batches})
