"""Installing dbt packages: from a hub that runs here, and without any hub."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests  # noqa: F401  (loaded before the forks below, which use it)
import yaml

from ingest.errors import ConfigurationError, ServiceError
from orchestration.packages import install, which

ROOT = Path(__file__).parents[2]
NAMES = {"dbt_utils", "dbt_expectations", "dbt_date"}
NO_HUB = "http://127.0.0.1:9/"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with this repository's packages, and no hub."""
    shutil.copytree(ROOT / "packages", tmp_path / "packages")
    for name in ("packages.yml", "package-lock.yml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    monkeypatch.setenv("DBT_PACKAGE_HUB_URL", NO_HUB)
    return tmp_path


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a running hub that has each locked package."""
    site = tmp_path_factory.mktemp("hub")
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(site))
    )
    address = f"http://127.0.0.1:{server.server_port}/"
    (site / "address").write_text(address)
    locked = yaml.safe_load((ROOT / "package-lock.yml").read_text())["packages"]
    index = site / "api" / "v1" / "index.json"
    index.parent.mkdir(parents=True)
    index.write_text(json.dumps([package["package"] for package in locked]))
    for package in locked:
        name, version = package["name"], package["version"]
        with tarfile.open(site / f"{name}.tar.gz", "w:gz") as tar:
            folder = tarfile.TarInfo(f"{name}-{version}")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(folder)
            text = f"name: {name}\nversion: {version}\n".encode()
            entry = tarfile.TarInfo(f"{name}-{version}/dbt_project.yml")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
        release = {
            "name": name,
            "version": version,
            "packages": [],
            "downloads": {"tarball": f"{address}{name}.tar.gz"},
        }
        about = {"name": name, "versions": {version: release}}
        page = site / "api" / "v1" / f"{package['package']}.json"
        page.parent.mkdir(exist_ok=True)
        page.write_text(json.dumps(about))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield site
    server.shutdown()
    server.server_close()


def directories(root: Path) -> set[str]:
    return {path.name for path in (root / "dbt_packages").glob("*/")}


def test_the_lock_has_what_packages_yml_names_and_what_that_asks_for() -> None:
    specified = yaml.safe_load((ROOT / "packages.yml").read_text())["packages"]
    locked = yaml.safe_load((ROOT / "package-lock.yml").read_text())["packages"]
    versions = {entry["package"]: entry["version"] for entry in locked}
    assert {entry["name"] for entry in locked} == NAMES
    assert versions.items() >= {(e["package"], e["version"]) for e in specified}


def test_every_locked_package_has_a_labelled_stand_in() -> None:
    for name in NAMES:
        about = yaml.safe_load(
            (ROOT / "packages" / name / "dbt_project.yml").read_text()
        )
        assert (about["name"], about["version"]) == (name, "0.0.0-standin")


def test_without_a_hub_stand_ins_are_copied_and_one_line_says_so(root: Path) -> None:
    said: list[str] = []
    assert which(root) == "missing"
    install(root, said.append)
    assert which(root) == "stand-in"
    assert directories(root) == NAMES
    assert not any(path.is_symlink() for path in root.rglob("*"))
    assert len(said) == 1
    assert "can't be reached" in said[0]
    assert "stand-ins" in said[0]
    assert "\n" not in said[0]


def test_nothing_is_done_when_the_packages_are_there(root: Path) -> None:
    install(root, lambda line: None)
    before = (root / "dbt_packages").stat().st_ino
    said: list[str] = []
    install(root, said.append)
    assert not said
    assert (root / "dbt_packages").stat().st_ino == before


@pytest.mark.parametrize(
    "changed", ["package-lock.yml", "packages/dbt_utils/README.md"]
)
def test_a_changed_lock_or_stand_in_is_installed_again(
    root: Path, changed: str
) -> None:
    install(root, lambda line: None)
    with (root / changed).open("a") as file:
        file.write("# more\n")
    assert which(root) == "missing"
    install(root, lambda line: None)
    assert which(root) == "stand-in"
    installed = root / "dbt_packages" / "dbt_utils" / "README.md"
    assert installed.read_text() == (root / "packages/dbt_utils/README.md").read_text()


@pytest.mark.parametrize("loss", ["a package", "a project file", "an extra directory"])
def test_an_incomplete_installation_heals(root: Path, loss: str) -> None:
    install(root, lambda line: None)
    installed = root / "dbt_packages"
    if loss == "a package":
        shutil.rmtree(installed / "dbt_date")
    elif loss == "a project file":
        (installed / "dbt_utils" / "dbt_project.yml").unlink()
    else:
        (installed / "dbt-utils-1.4.1").mkdir()
    assert which(root) == "missing"
    install(root, lambda line: None)
    assert which(root) == "stand-in"
    assert directories(root) == NAMES


@pytest.mark.parametrize("state", ["nothing installed", "older stand-ins installed"])
def test_killed_at_any_step_it_leaves_nothing_half_and_heals(
    root: Path, state: str
) -> None:
    """Each call that changes a directory is a failpoint, and all are tried."""
    step = 0
    while True:
        shutil.rmtree(root / "dbt_packages", ignore_errors=True)
        if state == "older stand-ins installed":
            install(root, lambda line: None)
            with (root / "packages" / "dbt_utils" / "README.md").open("a") as file:
                file.write("more\n")
        child = os.fork()
        if child == 0:
            _install_and_die_at(root, step)
        status = os.waitpid(child, 0)[1]
        if (root / "dbt_packages").exists():
            assert directories(root) == NAMES, step
        install(root, lambda line: None)
        assert which(root) == "stand-in", step
        assert not (root / ".dbt_packages.tmp").exists()
        if not os.WIFSIGNALED(status):
            break
        step += 1
    assert status == 0
    assert step > 20


def _install_and_die_at(root: Path, step: int) -> None:
    """Run in a child process only: an audit hook can't be taken off again."""
    seen = 0

    def die(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event in {"os.mkdir", "os.rename", "os.rmdir", "shutil.copyfile"}:
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

    sys.addaudithook(die)
    try:
        install(root, lambda line: None)
        os._exit(0)
    finally:
        os._exit(1)


def test_two_installs_at_once_end_with_one_complete_set(root: Path) -> None:
    code = "import sys; from pathlib import Path\n"
    code += "from orchestration.packages import install\n"
    code += "install(Path(sys.argv[1]), print)"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(root)], cwd=ROOT, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert which(root) == "stand-in"
    assert sorted(bool(line) for line in said) == [False, True]


def test_a_hub_that_never_answers_costs_three_seconds(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("DBT_PACKAGE_HUB_URL", f"http://127.0.0.1:{port}/")
        started = time.perf_counter()
        install(root, lambda line: None)
        assert time.perf_counter() - started < 4
    assert which(root) == "stand-in"


def test_a_package_without_a_stand_in_is_an_error_that_says_what_to_do(
    root: Path,
) -> None:
    shutil.rmtree(root / "packages" / "dbt_date")
    with pytest.raises(ServiceError, match=r"(?s)godatadriven/dbt_date.*_HUB_URL"):
        install(root, lambda line: None)
    assert not (root / "dbt_packages").exists()


def test_a_missing_lock_is_an_error_that_says_what_to_do(root: Path) -> None:
    (root / "package-lock.yml").unlink()
    with pytest.raises(ConfigurationError, match="dbt deps --lock"):
        install(root, lambda line: None)


def test_packages_that_are_there_stay_until_somebody_takes_them_away(
    root: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    install(root, said.append)
    # The trailing slash, which dbt needs, may be left out.
    monkeypatch.setenv("DBT_PACKAGE_HUB_URL", (hub / "address").read_text().rstrip("/"))
    install(root, said.append)
    assert which(root) == "stand-in"
    shutil.rmtree(root / "dbt_packages")
    # Also shows that the lock is the one that dbt writes for packages.yml: else
    # dbt would have written another, which is refused.
    install(root, said.append)
    assert which(root) == "hub"
    assert directories(root) == NAMES
    assert len(said) == 2
    assert "dbt_utils 1.4.1" in said[1]
    # Without the hub they stay.
    monkeypatch.setenv("DBT_PACKAGE_HUB_URL", NO_HUB)
    install(root, said.append)
    assert which(root) == "hub"
    assert len(said) == 2
    # Packages that somebody's own `dbt deps` put there have no stamp.
    (root / "dbt_packages" / ".installed").unlink()
    assert which(root) == "hub"


def test_a_hub_that_lacks_a_package_is_named_with_the_package(
    root: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = hub / "api" / "v1" / "index.json"
    index.write_text(json.dumps(["dbt-labs/dbt_utils"]))
    address = (hub / "address").read_text().replace("//", "//me:secret@")
    monkeypatch.setenv("DBT_PACKAGE_HUB_URL", address)
    said: list[str] = []
    install(root, said.append)
    assert which(root) == "stand-in"
    assert "`dbt deps` failed on the package hub 127.0.0.1" in said[0]
    assert "metaplane/dbt_expectations was not found" in said[0]
    assert "secret" not in said[0]


def test_a_download_that_fails_is_reported_without_the_hubs_password(
    root: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (hub / "api" / "v1" / "index.json").unlink()
    address = (hub / "address").read_text().replace("//", "//me:secret@")
    monkeypatch.setenv("DBT_PACKAGE_HUB_URL", address)
    said: list[str] = []
    install(root, said.append)
    assert which(root) == "stand-in"
    assert "404" in said[0]
    assert "secret" not in said[0]


def test_a_lock_for_other_packages_is_refused(
    root: Path, hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = root / "packages.yml"
    packages.write_text(packages.read_text().replace("1.4.1", '[">=1.0.0"]'))
    monkeypatch.setenv("DBT_PACKAGE_HUB_URL", (hub / "address").read_text())
    with pytest.raises(ConfigurationError, match="dbt deps --lock"):
        install(root, lambda line: None)
    assert which(root) == "missing"
