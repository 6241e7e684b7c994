"""What an orchestrator is told: order, dates, and the two halves of a build."""

import datetime as dt
import json
from pathlib import Path

import pytest

from ingest.errors import ConfigurationError, SeedbedError
from ingest.seed import metadata
from ingest.settings import ROOT
from ingest.window import Request
from orchestration import build, schedule

NEVER = "resource_type:seed resource_type:unit_test"
BEGAN = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def test_children_are_in_a_level_before_their_parents() -> None:
    levels = schedule.levels(metadata.enabled(metadata.load(ROOT)))
    at = {t.id: n for n, level in enumerate(levels) for t in level}
    assert len(at) == 8
    assert at["shop.order_items"] < at["shop.orders"] < at["shop.customers"]
    assert at["shop.payments"] < at["shop.orders"]
    assert at["shop.inventory"] < at["shop.products"]


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2026-03-01", "2026-03-04", dt.datetime(2026, 3, 1), dt.datetime(2026, 3, 4)),
        ("2026-02-28", "", dt.datetime(2026, 2, 28), dt.datetime(2026, 3, 1)),
        (
            "2026-03-01T12:30:00",
            "2026-03-01T12:30:01",
            dt.datetime(2026, 3, 1, 12, 30),
            dt.datetime(2026, 3, 1, 12, 30, 1),
        ),
    ],
)
def test_a_request_is_read_as_it_is_written(
    start: str, end: str, first: dt.datetime, last: dt.datetime
) -> None:
    assert Request.read("backfill", start, end) == Request("backfill", first, last)


@pytest.mark.parametrize(
    "texts",
    [
        ("01.03.2026", "2026-03-04"),
        ("2026-03-01", "tomorrow"),
        ("2026-03-01T00:00:00+02:00", "2026-03-04"),
        ("2026-02-30", "2026-03-04"),
        ("2026-03-04", "2026-03-04"),
        ("2026-03-01'; drop table x", "2026-03-04"),
    ],
)
def test_no_date_is_guessed(texts: tuple[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        Request.read("backfill", *texts)


def plan(select: str, exclude: str) -> build.Plan:
    """A plan with these selectors."""
    return build.Plan("postgres", "here", select, exclude, "there", {}, False, "")


def test_the_two_halves_of_a_build_are_the_whole() -> None:
    some = plan("state:modified+ source:bronze.a+", "source:bronze.b+")
    assert some.of_layer("silver") == {
        "select": "state:modified+ source:bronze.a+",
        "exclude": f"{NEVER} path:models/gold+ source:bronze.b+",
    }
    gold = ("state:modified+,path:models/gold+", "source:bronze.a+,path:models/gold+")
    assert some.of_layer("gold") == {
        "select": " ".join(gold),
        "exclude": f"{NEVER} source:bronze.b+",
    }
    assert plan("", "").of_layer("silver")["select"] == "fqn:*"
    assert plan("", "").of_layer("gold")["select"] == "path:models/gold+"


def write(folder: Path, statuses: dict[str, str]) -> None:
    """dbt's files, with a test on model `a`."""
    nodes = {
        "model.s.a": ("a", "model", []),
        "model.s.b": ("b", "model", ["model.s.a"]),
        "test.s.t": ("t", "test", ["model.s.a"]),
        "test.s.both": ("both", "test", ["model.s.b", "model.s.a"]),
        "test.s.only_warns": ("only_warns", "test", ["model.s.a"]),
    }
    manifest = {
        name: {
            "name": n,
            "resource_type": kind,
            "depends_on": {"nodes": on},
            "config": {"severity": "warn" if n == "only_warns" else "ERROR"},
        }
        for name, (n, kind, on) in nodes.items()
    }
    (folder / "manifest.json").write_text(json.dumps({"nodes": manifest}))
    results = [
        {"unique_id": u, "status": s, "message": None} for u, s in statuses.items()
    ]
    written = {"metadata": {"generated_at": BEGAN.isoformat()}, "results": results}
    (folder / "run_results.json").write_text(json.dumps(written))


@pytest.mark.parametrize(
    ("statuses", "behind", "unbuilt"),
    [
        ({"model.s.a": "success", "test.s.t": "pass"}, [], []),
        ({"model.s.a": "success", "test.s.t": "warn"}, [], []),
        ({"model.s.a": "success", "test.s.t": "fail"}, ["a+"], []),
        ({"model.s.a": "error", "model.s.b": "skipped"}, ["a+"], ["a", "b"]),
        ({"model.s.b": "error", "test.s.t": "error"}, ["a+", "b+"], ["b"]),
        ({"model.s.b": "success", "test.s.both": "fail"}, ["a+,b+"], []),
    ],
)
def test_what_follows_from_a_failure_is_left_out(
    tmp_path: Path, statuses: dict[str, str], behind: list[str], unbuilt: list[str]
) -> None:
    write(tmp_path, statuses)
    found = build.read(tmp_path, BEGAN)
    assert (sorted(found.behind), sorted(found.unbuilt)) == (behind, unbuilt)
    assert found.ok == (not behind)


def test_what_failed_is_said_with_its_cause(tmp_path: Path) -> None:
    write(tmp_path, {"model.s.a": "success", "test.s.only_warns": "error"})
    assert build.read(tmp_path, BEGAN).ok, "nothing waits for it"
    write(tmp_path, {"test.s.only_warns": "error", "model.s.b": "skipped"})
    assert build.read(tmp_path, BEGAN).failures == ["only_warns: error"]
    # An operation is no node of the manifest, and has no message.
    write(tmp_path, {"operation.s.load": "error"})
    found = build.read(tmp_path, BEGAN, "no such bucket")
    assert (found.failures, found.counts) == (["load: no such bucket"], {"error": 1})


def test_a_build_without_results_is_none(tmp_path: Path) -> None:
    with pytest.raises(SeedbedError, match="no results"):
        build.read(tmp_path, BEGAN)
    write(tmp_path, {})
    with pytest.raises(SeedbedError, match="no results"):
        build.read(tmp_path, BEGAN + dt.timedelta(seconds=1))
