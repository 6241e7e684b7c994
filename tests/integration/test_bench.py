"""Every benchmark starts, measures and leaves nothing, on servers of its own."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import SeedbedError
from sandbox import servers as embedded
from sandbox.bench.peers import Peer, install
from sandbox.cli.bench import bench
from tests.clone import (
    REPOSITORY,
    Clone,
    copy_project,
    link_mariadb,
    neutral_environment,
)

# The least that each one takes.
QUICK = {
    "discovery": "--tables 3",
    "endpoints": "--rows 200 --rounds 1",
    "gate": "--rows 1000 --rounds 1",
    "gold": "--lines 1000 --rounds 1",
    "history": "--rows 100 --rounds 1",
    "ingest": "--rows 1000 --rounds 1",
    "sources": "--rows 1000 --rounds 1",
    "steady": "--rows 200 --rounds 1",
}
# These play the whole demo several times.
LONG = ("endpoints", "steady")
FIGURES = ("seconds", "cpu", "servers", "peak_mb")
LEGS = ("mariadb", "extract", "load", "copy", "seedbed")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """The folder of the benchmarks of a clone, whose servers do not run."""
    tmp_path.chmod(0o755)
    root = tmp_path / "clone"
    root.mkdir()
    copy_project(root)
    home = root / ".seedbed" / "bench"
    link_mariadb(home)
    client = REPOSITORY / ".seedbed" / "bench" / "client"
    if client.exists():
        shutil.copytree(client, home / "client", symlinks=True)
    yield home
    embedded.down(home, print)


def measured(told: Any, name: str = "") -> Iterator[float]:
    """All that a benchmark measured, wherever its JSON has it."""
    if isinstance(told, dict):
        for key, value in told.items():
            yield from measured(value, key)
    elif isinstance(told, list):
        for value in told:
            yield from measured(value, name)
    elif name in FIGURES and isinstance(told, float):
        yield told


def files_beside(home: Path) -> dict[Path, bytes]:
    """The clone's files and their content, but for logs and what Python compiles."""
    root = home.parents[1]
    return {
        path.relative_to(root): path.read_bytes()
        for path in root.rglob("*")
        if home not in path.parents
        and path.is_file()
        and root / ".seedbed" / "log" not in path.parents
        and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.long] if name in LONG else [])
        for name in bench.commands
    ],
)
def test_a_bench_starts_measures_and_cleans_up(name: str, home: Path) -> None:
    clone = Clone(home.parents[1])
    before = files_beside(home)
    done = subprocess.run(
        clone.command("bench", name, *QUICK[name].split(), "--json"),
        cwd=clone.root,
        env=neutral_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    figures = list(measured(told))
    assert figures
    assert all(figure >= 0 for figure in figures)
    assert any(figure > 0 for figure in figures)
    if name == "ingest":
        assert_each_leg_moved_all_rows(told["measured"])
    # Nothing but what was unpacked is left of it.
    assert not any(service.running for service in embedded.status(home))
    assert {path.name for path in home.iterdir()} <= {".seedbed", "client"}
    assert not [*home.glob(".seedbed/*/data"), *home.glob(".seedbed/lake")]
    after = files_beside(home)
    assert [path for path in after if before.get(path) != after[path]] == []


def assert_each_leg_moved_all_rows(tables: list[dict[str, Any]]) -> None:
    """The legs of both tables, each measured once."""
    for table, rows in zip(tables, (1_000, 200), strict=True):
        assert table["rows"] == rows
        for leg in LEGS:
            way = table["ways"][leg]
            assert (way["rows"], len(way["seconds"])) == (rows, 1), leg
            assert way["seconds"][0] > 0, leg


def test_a_peer_that_does_not_install_is_named_with_its_error(tmp_path: Path) -> None:
    peer = Peer("nobody", (str(tmp_path / "nowhere"),), "bin/nobody")
    with pytest.raises(SeedbedError, match="not installed: error: "):
        install(peer, tmp_path / "peers")
