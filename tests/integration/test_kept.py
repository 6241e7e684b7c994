"""What commands leave behind: who may read it, and how long it stays."""

import datetime as dt
import os
import re
import stat
import time
from pathlib import Path

import pytest

from ingest import control, settings, tidy
from orchestration import runs
from orchestration.watch import backup, lineage
from tests.clone import REPOSITORY, Clone

# What was there before a command: the servers' locks and ids, and their programs.
NO_ROWS = re.compile(r"run/.*|.*\.lock|mariadb/root/.*|.*\.sock")
# Folders that their server's account alone may enter.
SERVERS = ("mariadb", "postgres", "s3")


def open_to_others(home: Path) -> list[str]:
    """Files that another user could read, by their own mode alone."""
    found = []
    for top, _, names in os.walk(home):
        for path in (Path(top, name) for name in names):
            name = path.relative_to(home).as_posix()
            mode = path.lstat().st_mode
            if name.startswith(tuple(f"{server}/data/" for server in SERVERS)):
                continue
            if stat.S_ISREG(mode) and mode & 0o077 and not NO_ROWS.fullmatch(name):
                found.append(f"{name} {mode & 0o777:o}")
    return found


@pytest.mark.up_to_silver
def test_all_that_commands_leave_is_their_owner_s(day_2_due: Clone) -> None:
    home = day_2_due.root / ".seedbed"
    out = day_2_due.root / "report.html"
    # What fixtures and tests before it wrote is not looked at.
    for path in (p for p in home.iterdir() if p.name not in SERVERS):
        for file in path.rglob("*"):
            if not file.is_symlink():
                file.chmod(stat.S_IMODE(file.stat().st_mode) & 0o700)
    for words in (
        *((step, "--tables", "suppliers") for step in ("extract", "load", "validate")),
        ("extract", "--tables", "customers"),
        ("backup",),
        ("report", "--out", str(out)),
        ("lineage", "events"),
    ):
        done = day_2_due.cli(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    made = {path.name for path in home.iterdir()}
    assert {"lake", "backups", "log", "s3"} <= made
    assert open_to_others(home) == []
    for server in SERVERS:
        assert (home / server / "data").stat().st_mode & 0o077 == 0, server
    assert out.stat().st_mode & 0o077 == 0
    # The project's own files are read by whoever could read them before.
    day_2_due.generate()
    model = day_2_due.root / "models/silver/generated/suppliers.sql"
    model.unlink()
    assert day_2_due.cli("generate").returncode == 0
    assert model.stat().st_mode & 0o777 == 0o644


def test_a_backup_is_its_owner_s_from_the_first_byte_and_only_some_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []

    def dump(program: str, *words: str) -> None:
        (file,) = [w.partition("=")[2] for w in words if w.startswith("--file=")]
        modes.append(stat.S_IMODE(Path(file).stat().st_mode))
        with open(file, "w") as out:
            out.write("rows")

    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr(backup, "_run", dump)
    folder = tmp_path / ".seedbed" / "backups"
    folder.mkdir(parents=True)
    for name in ("20260101T000000Z.dump", "20260102T000000Z.dump", "mine.dump"):
        (folder / name).touch()
    before = os.umask(0)
    try:
        made = [backup.write(tmp_path / "elsewhere.dump", 2), backup.write(keep=2)]
    finally:
        os.umask(before)
    assert modes == [0o600, 0o600]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
    assert {path.name for path in folder.iterdir()} == {
        "mine.dump",
        "20260102T000000Z.dump",
        made[1].name,
    }


def test_a_dump_that_fails_leaves_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dump(program: str, *words: str) -> None:
        raise OSError("no space")

    monkeypatch.setattr(backup, "_run", dump)
    with pytest.raises(OSError, match="no space"):
        backup.write(tmp_path / "x.dump")
    assert [*tmp_path.iterdir()] == []


def test_local_files_that_nothing_needs_go_with_their_folders(tmp_path: Path) -> None:
    old = time.time() - (tidy.CACHE_DAYS + 1) * 86_400
    killed = (
        tmp_path / "lake/raw/shop/orders/ingestion_date=2026-01-01/b1/part-0.parquet"
    )
    working = (
        tmp_path / "lake/raw/shop/orders/ingestion_date=2026-01-09/b9/part-0.parquet"
    )
    spilt = tmp_path / "spill" / "duckdb_temp_storage-0.tmp"
    report = tmp_path / "site" / "index.html"
    for path in (killed, working, spilt, report):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        if path is not working:
            os.utime(path, (old, old))
    tidy.caches(tmp_path)
    assert [p.exists() for p in (killed, working, spilt, report)] == [
        False,
        True,
        False,
        True,
    ]
    assert not killed.parents[1].exists()
    assert (tmp_path / "spill").exists()


def documented() -> tuple[set[str], set[str]]:
    """What docs/operations.md says is kept: names below .seedbed, tables of audit."""
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    section = text.partition("## Retention\n")[2].partition("\n## ")[0]
    names = set(re.findall(r"`([^`]+)`", section))
    return (
        {n.removesuffix("/") for n in names if not n.startswith("audit.")},
        {n.removeprefix("audit.") for n in names if n.startswith("audit.")},
    )


@pytest.mark.up_to_silver
def test_what_runs_leave_is_kept_for_a_time(
    day_2_due: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage, "KEPT_RUNS", 2)
    monkeypatch.setattr(tidy, "DETAIL_RUNS", 1)
    home = day_2_due.root / ".seedbed"
    first = day_2_due.run("suppliers", with_build=False)
    batches = day_2_due.query("select * from audit.batch order by 1, 2")
    day_2_due.query(
        "update audit.run set started_at = started_at - interval '500 days', "
        "ended_at = ended_at - interval '500 days'"
    )
    latest = [day_2_due.run("suppliers", with_build=False) for _ in range(3)]
    kept = {path.stem for path in (home / "lineage").glob("2*.jsonl")}
    assert kept == {result.run_id for result in latest[-2:]}
    for table in tidy.DETAILS:
        told = day_2_due.query(f"select distinct run_id from audit.{table}")
        assert first.run_id not in {run_id for (run_id,) in told}, table
    # What moved is all there, and so are the runs that it names.
    assert set(batches) <= {*day_2_due.query("select * from audit.batch")}
    assert latest[-1].balanced
    # A decided batch leaves nothing on this disk.
    assert [p for p in (home / "lake").rglob("*") if p.is_file()] == []
    with day_2_due.inside(), control.connect() as connection:
        day_2_due.query(
            "insert into audit.alert (severity, message, kind, closed_at) values "
            "('warn', 'old', 'test', %s), ('warn', 'open', 'test 2', null)",
            dt.datetime.now(dt.UTC) - dt.timedelta(days=500),
        )
        runs.tidy.after_run(connection)
    alerts = day_2_due.query("select message from audit.alert where kind like 'test%%'")
    assert alerts == [("open",)]
    # Whatever is new there is bounded, or says that it is not.
    names, tables = documented()
    assert {path.name for path in home.iterdir()} <= names
    there = day_2_due.query(
        "select table_name from information_schema.tables "
        "where table_schema = 'audit' and table_type = 'BASE TABLE'"
    )
    assert {name for (name,) in there} <= tables
