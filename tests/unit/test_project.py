"""dbt is asked again when its project is another one, and only then."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from dbt.contracts.graph.manifest import Manifest

from ingest import settings
from orchestration import artifacts, project

SETTLED = "name: some\nmodel-paths: [models]\nmacro-paths: [macros]\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project."""
    for name, text in {
        "dbt_project.yml": SETTLED,
        "models/a.sql": 'select \'{{ env_var("COLOUR", "") }}\' as colour',
        "macros/m.sql": '{{ env_var("SOME_PASSWORD") }}',
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "target").mkdir()
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    return tmp_path


CHANGES: dict[str, Callable[[Path], object]] = {
    "a model": lambda root: (root / "models" / "a.sql").write_text("select 2 as n"),
    "a new model": lambda root: (root / "models" / "b.sql").write_text("select 1"),
    "a model's name": lambda root: (root / "models" / "a.sql").rename(
        root / "models" / "c.sql"
    ),
    "a macro that is gone": lambda root: (root / "macros" / "m.sql").unlink(),
    "the settings": lambda root: (root / "dbt_project.yml").write_text(
        f"{SETTLED}vars: {{x: 1}}\n"
    ),
    "a variable that is named": lambda root: os.environ.update(COLOUR="red"),
}
NO_CHANGES: dict[str, Callable[[Path], object]] = {
    "what dbt wrote": lambda root: (root / "target" / "x.json").write_text("{}"),
    "a variable that nothing names": lambda root: os.environ.update(OTHER="1"),
    "a secret": lambda root: os.environ.update(SOME_PASSWORD="open sesame"),
    "the same text again": lambda root: (root / "dbt_project.yml").write_text(SETTLED),
}


@pytest.fixture
def parses(root: Path) -> Callable[[], int]:
    """Ask for the project as dbt parsed it; how often it was parsed till now."""
    count = 0

    def parse() -> Manifest:
        nonlocal count
        count += 1
        parsed = Manifest()
        folder = artifacts.folder("postgres")
        (folder / "partial_parse.msgpack").write_bytes(parsed.to_msgpack())
        (folder / "manifest.json").write_text("{}")
        return parsed

    def ask() -> int:
        assert isinstance(project.manifest("postgres", parse), Manifest)
        return count

    return ask


@pytest.mark.parametrize("change", [*CHANGES, *NO_CHANGES])
@pytest.mark.parametrize("is_another_process", [False, True])
def test_what_is_parsed_depends_on_is_parsed_again_and_nothing_else(
    root: Path,
    parses: Callable[[], int],
    change: str,
    is_another_process: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("COLOUR", "OTHER", "SOME_PASSWORD"):
        monkeypatch.setenv(name, "before")
    before = project.checksum("postgres")
    assert parses() == 1
    (CHANGES | NO_CHANGES)[change](root)
    if is_another_process:
        project._parsed.clear()
    assert (project.checksum("postgres") != before) == (change in CHANGES)
    assert parses() == (2 if change in CHANGES else 1)


@pytest.mark.parametrize("name", ["partial_parse.msgpack", "manifest.json"])
def test_what_another_command_wrote_or_took_away_is_not_believed(
    root: Path, parses: Callable[[], int], name: str
) -> None:
    assert parses() == 1
    project._parsed.clear()
    (root / "target" / name).unlink()
    assert parses() == 2
    project._parsed.clear()
    if name.endswith("msgpack"):
        (root / "target" / name).write_bytes(b"what another version of dbt writes")
        assert parses() == 3


def test_targets_and_their_adapters_are_told_apart(root: Path) -> None:
    assert project.checksum("postgres") != project.checksum("snowflake")


def test_schemas_are_a_part_of_this_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDBED_SCHEMA", "dev")
    before = project.checksum("postgres")
    monkeypatch.setenv("SEEDBED_SCHEMA", "prod")
    assert project.checksum("postgres") != before
