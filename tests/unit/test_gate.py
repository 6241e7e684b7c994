"""The gate without servers: its process, its suites, what counts say of no rows."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gx import counts, process
from gx.process import GateError
from ingest import settings
from ingest.seed import metadata, suites
from tests.clone import REPOSITORY

TABLES = metadata.enabled(metadata.load(settings.ROOT))


@pytest.fixture
def program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    process.end()
    yield monkeypatch
    process.end()


def test_a_process_that_dies_is_reported_with_its_last_words(
    program: pytest.MonkeyPatch,
) -> None:
    program.setattr(process, "PROGRAM", ("-c", "raise SystemExit('no such library')"))
    with pytest.raises(GateError, match=r"ended \(exit 1\).*gate[.]log"):
        process.ask({"do": "check"}, 60)
    log = settings.ROOT / ".seedbed" / "log" / "gate.log"
    assert "no such library" in log.read_text()


def test_a_process_that_is_silent_is_given_up_and_replaced(
    program: pytest.MonkeyPatch,
) -> None:
    program.setattr(process, "PROGRAM", ("-c", "import time; time.sleep(600)"))
    with pytest.raises(GateError, match="took longer than 1 seconds"):
        process.ask({"do": "check"}, 1)
    program.setattr(process, "PROGRAM", ("-c", "input(); print('{}', flush=True)"))
    assert process.ask({"do": "check"}, 60) == {}


def test_a_reply_that_nobody_waited_for_is_no_one_else_s(
    program: pytest.MonkeyPatch,
) -> None:
    echo = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
    program.setattr(process, "PROGRAM", ("-c", echo))
    assert process.ask({"do": 1}, 60) == {"do": 1}
    process.tell({"do": 2})
    assert process.ask({"do": 3}, 60) == {"do": 3}


def test_every_suite_counts_rows_and_compares_none_and_has_no_ids() -> None:
    for table in TABLES:
        suite = json.loads((settings.ROOT / suites.path(table)).read_text())
        entries = suite["expectations"]
        kinds = {e["type"] for e in entries}
        assert "expect_table_row_count_to_equal" in kinds, table.id
        assert "expect_query_results_to_match_comparison" not in kinds
        assert not any("other_table" in kind for kind in kinds)
        names = [e["meta"]["rule"] for e in entries]
        assert names == sorted({*names})
        assert all("id" not in e for e in [suite, *entries])
        for entry in entries:
            if entry["type"] == "unexpected_rows_expectation":
                query = entry["kwargs"]["unexpected_rows_query"]
                is_types = entry["meta"]["rule"] == suites.TYPES
                of = "(values (" if is_types else "{batch} where "
                assert query.startswith(f"select 1 as failing from {of}")


def test_every_rule_of_the_gate_is_an_expectation_by_its_name() -> None:
    for table in TABLES:
        found = {e.rule_id: e for e in suites.expectations(table)}
        for rule in table.rules:
            if rule.layer == "gate":
                assert found[rule.id].severity == rule.severity
        for column in table.columns:
            assert f"{column.name}:type" in found
            if not column.nullable:
                assert f"{column.name}:not_null" in found


def test_a_suite_has_no_more_expectations_for_more_columns() -> None:
    (table,) = (t for t in TABLES if t.id == "shop.inventory")
    one = replace(table.columns[-1], key_position=None, nullable=False)
    more = tuple(replace(one, name=f"c{n}", nullable=n % 2 == 0) for n in range(1_000))
    wide = replace(table, columns=(*table.columns, *more))
    before = suites.entries(table, suites.expectations(table))
    expected = suites.expectations(wide)
    assert len(suites.entries(wide, expected)) == len(before)
    found = {e.rule_id for e in expected}
    assert {f"c{n}:type" for n in range(1_000)} <= found
    assert {f"c{n}:not_null" for n in range(1, 1_000, 2)} <= found


@pytest.mark.parametrize(
    ("rows", "low", "passed"), [(0, 0, True), (7, 0, False), (0, 1, False)]
)
def test_without_rows_only_counts_can_be_wrong(
    rows: int, low: int, passed: bool
) -> None:
    (table,) = (t for t in TABLES if t.id == "shop.inventory")
    given = {
        suites.ROWS: rows,
        suites.BAND[0]: low,
        suites.BAND[1]: 2**62,
    }
    results = counts.without_rows(suites.expectations(table), given)
    assert {r.rule_id for r in results} == {"rows_as_in_source", "row_count_band"}
    assert all(r.passed for r in results) == passed


def imported(folder: Path, text: str) -> str:
    """What a program prints that imports module `heavy` lightly and uses it."""
    (folder / "heavy.py").write_text(text)
    program = (
        "from gx import light\n"
        "with light.imports():\n    import heavy\n"
        "print(heavy.used())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": f"{REPOSITORY}{os.pathsep}{folder}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout or done.stderr


def test_what_is_not_imported_raises_when_it_is_used(tmp_path: Path) -> None:
    text = "from scipy import stats\ndef used(): return stats.norm"
    assert "scipy.stats.norm is not loaded" in imported(tmp_path, text)
    text = "try: import boto3\nexcept ImportError: boto3 = None\n"
    assert imported(tmp_path, f"{text}def used(): return boto3") == "None\n"


def test_where_the_light_import_fails_all_is_imported(tmp_path: Path) -> None:
    text = "import boto3\ndef used(): return boto3.__name__"
    assert imported(tmp_path, text) == "boto3\n"
    assert "no_such_module" in imported(tmp_path, "import no_such_module")
