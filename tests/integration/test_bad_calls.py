"""A load macro that is called wrongly says so when dbt parses."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration import dbt_runner

ROOT = Path(__file__).parents[2]

# The call → what is said of it.
CASES = {
    "scd2(source=this, columns=['id', 'v'], key=['idd'], tracked=['v'])": (
        "'idd' in key, but it is not in columns: id, v. Add it to columns"
    ),
    "scd2(source=this, columns=['id', 'v'], key=['id'], tracked=['w'])": (
        "'w' in tracked, but it is not in columns: id, v. Add it to columns"
    ),
    "scd2(source=this, columns=['id', 'v'], key=[], tracked=['v'])": (
        "an empty list as key. Name the columns that tell one row from another."
    ),
    "scd2(source=this, columns=['id', 'v'], key=['id'], tracked=[])": (
        "an empty list as tracked. Name the columns whose change makes a new version"
    ),
    "scd2(source=this, columns=['id', 'v'], key=['id'], tracked=['id'])": (
        "the key column 'id' in tracked. A key never changes"
    ),
    "scd2(source=this, columns=['id', 'v'], key='id', tracked=['v'])": (
        "key=id, which is not a list. Write key=['a_column']."
    ),
    "scd1(source=this, key=['id'], columns=['id', 'v', 'v'])": (
        "'v' twice in columns. Remove one of the two."
    ),
    "scd1(source=this, key=['id', 'id'], columns=['id', 'v'])": "'id' twice in key",
    "incremental(source=this, key=[], columns=['id'])": "an empty list as key",
    "cdc(source=this, key=['x'], columns=['id'])": "'x' in key",
    "load_strategy(load_type='scd3')": (
        "load_type='scd3', which it does not know. Write one of: full, incremental"
    ),
    "load_strategy(load_type='snapshot')": "load_type='snapshot', which it does not",
    "full(source=this, columns=[])": "an empty list as columns",
    "current_state(history=this, columns=['id', 'id'])": "'id' twice in columns",
    "snapshot_input(source=this, key=['x'], columns=['id'])": "'x' in key",
    "snapshot_history(snapshot=this, key=['x'], columns=['id'])": "'x' in key",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with one model, and settings that need no warehouse to parse."""
    project = tmp_path_factory.mktemp("bad_calls") / "project"
    history = Path(__file__).parent / "history"
    shutil.copytree(
        history, project, ignore=shutil.ignore_patterns("models", "snapshots")
    )
    (project / "models").mkdir()
    (project / "macros").symlink_to(ROOT / "macros")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PGHOST", "PGUSER", "PGPASSWORD", "PGDATABASE"):
            patch.setenv(name, "nowhere")
        patch.setenv("PGPORT", "1")
        # The macros are parsed once: a parse that fails leaves nothing behind.
        assert parse(project, "select 1") == ""
        yield project


def parse(project: Path, call: str) -> str:
    """What dbt says of a project whose one model is the call; '' if all is well."""
    text = call if call.startswith(("{%", "select")) else f"{{{{ {call} }}}}\n"
    (project / "models" / "the_model.sql").write_text(text)
    place = ["--project-dir", str(project), "--profiles-dir", str(project)]
    result = dbt_runner.runner().invoke(["parse", *place, "--log-level", "none"])
    assert result.success == (result.exception is None)
    return "" if result.success else str(result.exception)


@pytest.mark.parametrize("call", CASES)
def test_a_bad_call_names_the_model_and_the_fix(project: Path, call: str) -> None:
    told = " ".join(parse(project, call).split())
    macro = call.partition("(")[0]
    assert f"the_model: {macro} was called with {CASES[call]}" in told


def test_a_bad_load_type_in_a_config_is_reported_when_dbt_parses(project: Path) -> None:
    call = "config(incremental_strategy=load_strategy(load_type='scd'))"
    told = " ".join(parse(project, call).split())
    assert "the_model: load_strategy was called with load_type='scd'" in told


def test_a_good_call_says_nothing(project: Path) -> None:
    assert parse(project, "scd1(source=this, key=['id'], columns=['id', 'v'])") == ""
    call = "assert_columns(macro='x', columns=['a', 'b'], key=['a'], tracked=['b'])"
    assert parse(project, call) == ""
