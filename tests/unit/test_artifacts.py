"""What dbt has left, and the seed, are read once and again when they are others."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import SeedbedError
from ingest.seed import metadata
from ingest.seed.metadata import reader
from orchestration import artifacts
from tests.unit.test_metadata import edit, put, root

__all__ = ["root"]  # the fixture

WRITTEN = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were parsed, in order."""
    texts: list[str] = []
    loads = json.loads

    def note(text: str) -> Any:
        texts.append(text)
        return loads(text)

    monkeypatch.setattr(json, "loads", note)
    return texts


def test_a_file_is_parsed_once_until_dbt_writes_it_again(
    tmp_path: Path, parsed: list[str]
) -> None:
    assert artifacts.manifest(tmp_path) == {}
    with pytest.raises(SeedbedError, match="dbt has left no manifest"):
        artifacts.nodes(tmp_path)
    file = tmp_path / "manifest.json"
    file.write_text('{"nodes": {"model.a": {}}}')
    for _ in range(3):
        assert [*artifacts.nodes(tmp_path)] == ["model.a"]
    file.write_text('{"nodes": {"model.a": {}, "model.b": {}}}')
    for _ in range(3):
        assert [*artifacts.nodes(tmp_path)] == ["model.a", "model.b"]
    assert len(parsed) == 2
    file.unlink()
    assert artifacts.manifest(tmp_path) == {}


def test_results_of_an_earlier_command_are_none(tmp_path: Path) -> None:
    file = tmp_path / "run_results.json"
    assert artifacts.written(file, WRITTEN) is None
    found = {"metadata": {"generated_at": WRITTEN.isoformat()}, "results": []}
    file.write_text(json.dumps(found))
    assert artifacts.written(file, WRITTEN) == found
    assert artifacts.written(file, WRITTEN + dt.timedelta(seconds=1)) is None


def test_the_seed_is_read_once_until_a_file_of_it_changes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = 0
    read = reader._read

    def count(root: Path) -> list[metadata.Table]:
        nonlocal readings
        readings += 1
        return read(root)

    monkeypatch.setattr(reader, "_read", count)
    before = metadata.load(root)
    before.clear()  # a caller's list is its own
    before = metadata.load(root)
    assert readings == 1
    edit(root, put("tables", "shop.customers", owner="someone else"))
    (changed,) = (t for t in metadata.load(root) if t.id == "shop.customers")
    assert changed.owner == "someone else"
    assert readings == 2
