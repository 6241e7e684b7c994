"""`./seedbed init`: the demo leaves, what its owner wrote stays."""

import subprocess
import sys
from pathlib import Path

import pytest

from ingest.errors import SeedbedError
from ingest.seed import generate, metadata
from sandbox.demo import leave
from tests.clone import copy_project, neutral_environment


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project with a table of its owner's."""
    copy_project(tmp_path)
    own = {
        "sources": "floor,mysql,FLOOR_URL,floor,UTC,facility,The floor",
        "tables": "floor,shelves,s,full,,none,evolve,facility,true,A shelf",
        "columns": "floor,shelves,Id,id,bigint,false,1,false,,,Number of the shelf",
    }
    for name, row in own.items():
        with (tmp_path / metadata.FOLDER / f"{name}.csv").open("a") as file:
            file.write(f"{row}\n")
    generate.apply(tmp_path, generate.plan(tmp_path, metadata.load(tmp_path)))
    return tmp_path


def seedbed(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the copy, with the answer a person reads."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration", *arguments],
        cwd=root,
        env=neutral_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def git(root: Path, *arguments: str) -> str:
    """What git says in the copy."""
    who = ("-c", "user.name=owner", "-c", "user.email=owner@example.com")
    return subprocess.check_output(["git", *who, *arguments], cwd=root, text=True)


def test_the_demo_leaves_and_tables_of_one_s_own_stay(project: Path) -> None:
    (table,) = leave.leave(project)
    assert metadata.load(project) == [table]
    assert table.id == "floor.shelves"
    assert generate.plan(project, [table]).is_empty
    for name in metadata.HEADERS:
        rows = (project / metadata.FOLDER / f"{name}.csv").read_text().splitlines()[1:]
        assert all(row.startswith("floor,") for row in rows), name
    left = {p.stem for p in project.glob("models/s*/generated/*.sql")}
    assert {name for name in left if "shop" in name or "crm" in name} == set()
    assert "s" in left
    assert not [*project.glob("models/gold/*")]
    assert [*project.glob("tests/data/generic/*.sql")]


def test_a_model_of_one_s_own_that_reads_the_demo_is_reported_and_the_seed_stays(
    project: Path,
) -> None:
    mine = project / "models" / "mine.sql"
    mine.write_text("select * from {{ ref('suppliers') }}")
    before = [table.id for table in metadata.load(project)]
    with pytest.raises(SeedbedError, match=r"models/mine[.]sql"):
        leave.leave(project)
    assert [table.id for table in metadata.load(project)] == before
    mine.unlink()
    assert len(leave.leave(project)) == 1


def test_a_project_without_tables_is_told_how_to_get_some(project: Path) -> None:
    leave.leave(project)
    for name, header in metadata.HEADERS.items():
        (project / metadata.FOLDER / f"{name}.csv").write_text(",".join(header) + "\n")
    for command in ("run", "plan"):
        done = seedbed(project, command)
        assert (done.returncode, done.stdout) == (2, "")
        assert "no enabled table" in done.stderr
        assert "`./seedbed discover SOURCE`" in done.stderr


def test_what_git_does_not_keep_is_not_deleted(project: Path) -> None:
    done = seedbed(project, "init")
    assert done.returncode == 2
    assert "there is no git repository" in done.stderr
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "as it was")
    query = project / "analyses" / "mine.sql"
    query.write_text("select 1")
    done = seedbed(project, "init")
    assert done.returncode == 2
    assert "git does not keep analyses/mine.sql, and" in done.stderr
    assert leave.is_here(project)
    query.unlink()
    assert git(project, "status", "--porcelain") == ""

    done = seedbed(project, "init")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 table of your own stays" in done.stdout
    assert not leave.is_here(project)
    done = seedbed(project, "init")
    assert (done.returncode, done.stdout) == (0, "The demo is not in this project.\n")
    done = seedbed(project, "demo")
    assert done.returncode == 2
    assert "`./seedbed demo` needs the demo's shop" in done.stderr
    git(project, "checkout", "--quiet", ".")
    assert leave.is_here(project)
