"""The hub's packages and the stand-ins must give the same, known results."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestration.packages import install, which

ROOT = Path(__file__).parents[3]
FIXTURE = Path(__file__).parent / "project"


@pytest.fixture(scope="module", params=["stand-in", "hub"])
def project(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Path:
    """The fixture project with one kind of packages; the hub's if it's there."""
    root: Path = tmp_path_factory.mktemp("packages") / "project"
    shutil.copytree(FIXTURE, root)
    shutil.copytree(ROOT / "packages", root / "packages")
    for name in ("packages.yml", "package-lock.yml"):
        shutil.copyfile(ROOT / name, root / name)
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "stand-in":
            patch.setenv("DBT_PACKAGE_HUB_URL", "http://127.0.0.1:9/")
        install(root, said.append)
    if which(root) != request.param:
        pytest.skip(said[0])
    return root


def dbt(project: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dbt.cli.main", "--no-use-colors"]
    command += ["--no-send-anonymous-usage-stats", *arguments]
    places = {"HOME": str(project), "DBT_PROFILES_DIR": str(project)}
    return subprocess.run(
        command,
        check=False,
        cwd=project,
        env={"PATH": "/usr/bin:/bin", "PYTHONUTF8": "1"} | places | env,
        capture_output=True,
        text=True,
        timeout=120,
    )


def results(project: Path) -> dict[str, dict[str, Any]]:
    """The last run's results by the name of the node."""
    target = project / "target"
    manifest = json.loads((target / "manifest.json").read_text())
    run = json.loads((target / "run_results.json").read_text())
    return {
        manifest["nodes"][result["unique_id"]]["name"]: result
        | {"meta": manifest["nodes"][result["unique_id"]]["config"]["meta"]}
        for result in run["results"]
    }


def test_every_macro_gives_its_known_result(
    project: Path, warehouse: dict[str, str]
) -> None:
    # Failing tests must not skip what comes after the bad rows.
    run = dbt(project, "build", "--threads", "2", **warehouse)
    found = results(project)
    assert {r["status"] for r in found.values()} <= {"success", "pass", "fail"}, (
        run.stdout
    )
    expected = {n: r["meta"]["failures"] for n, r in found.items() if r["meta"]}
    assert {name: found[name]["failures"] for name in expected} == expected
    assert len(expected) == 51
    for name in (
        "keys_are_those_of_the_hub",
        "spines_have_no_gap",
        "spines_have_their_bounds",
    ):
        assert found[name]["status"] == "pass", run.stdout


def test_keys_of_nulls_follow_the_variable_and_an_empty_spine_is_refused(
    project: Path, warehouse: dict[str, str]
) -> None:
    switches = {"surrogate_key_treat_nulls_as_empty_strings": True, "backwards": True}
    arguments = ["--select", "keys", "keys_are_those_of_the_hub", "backwards"]
    dbt(project, "build", *arguments, "--vars", json.dumps(switches), **warehouse)
    found = results(project)
    assert found["keys_are_those_of_the_hub"]["status"] == "pass"
    assert found["backwards"]["status"] == "error"
    assert "Compilation Error" in found["backwards"]["message"]


@pytest.mark.parametrize("target", ["postgres", "snowflake"])
def test_parses_without_a_warning(project: Path, target: str) -> None:
    run = dbt(
        project, "--warn-error", "--show-all-deprecations", "parse",
        "--no-partial-parse", "--target", target,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
