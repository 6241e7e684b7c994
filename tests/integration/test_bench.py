"""The benchmark of the byte path measures what it says, on servers of its own."""

import json
import os
import shutil
from pathlib import Path

import pytest

from ingest.bench.peers import Peer, install
from ingest.errors import SeedbedError
from tests.clone import REPOSITORY, Clone, copy_project, link_mariadb

LEGS = ("mariadb", "extract", "load", "copy", "seedbed")


@pytest.mark.long
def test_each_leg_moves_all_rows(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    root = tmp_path / "clone"
    root.mkdir()
    copy_project(root)
    home = root / ".seedbed" / "bench"
    link_mariadb(home)
    client = REPOSITORY / ".seedbed" / "bench" / "client"
    if client.exists():
        shutil.copytree(client, home / "client", symlinks=True, copy_function=os.link)
    words = ("bench", "ingest", "--rows", "10000", "--rounds", "1", "--json")
    done = Clone(root).cli(*words)
    assert done.returncode == 0, done.stderr
    orders, customers = json.loads(done.stdout)["measured"]
    for measured, rows in ((orders, 10_000), (customers, 2_000)):
        assert measured["rows"] == rows
        for leg in LEGS:
            way = measured["ways"][leg]
            assert way["rows"] == rows, leg
            assert len(way["seconds"]) == 1, leg
            assert way["seconds"][0] > 0, leg
    # Nothing is left of its servers, and none of its files came into the lake.
    assert not (home / ".seedbed" / "postgres" / "data").exists()
    assert not (root / ".seedbed" / "lake").exists()


def test_a_peer_that_does_not_install_is_named_with_its_error(tmp_path: Path) -> None:
    peer = Peer("nobody", (str(tmp_path / "nowhere"),), lambda home, table: [])
    with pytest.raises(SeedbedError, match="not installed: error: "):
        install(peer, tmp_path / "peers")
