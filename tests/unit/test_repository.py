"""The repository keeps its own rules: linters, generated files, clean parse."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
QUOTIENT = ROOT / "macros" / "gold" / "quotient.sql"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    "command",
    [
        "ruff check .",
        "ruff format --check .",
        "mypy --strict",
        "sqlfluff lint models analyses tests/data",
        "python -m ingest generate --check",
    ],
)
def test_nothing_to_complain_about(command: str) -> None:
    tool, *arguments = command.split()
    done = run(str(TOOLS / tool), *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_macro_is_documented_with_its_modes() -> None:
    import yaml

    undocumented = []
    for macro in sorted((ROOT / "macros").rglob("*.sql")):
        listed = yaml.safe_load((macro.parent / "_macros.yml").read_text())["macros"]
        names = {entry["name"]: entry for entry in listed}
        if not names.get(macro.stem, {}).get("description"):
            undocumented.append(macro.name)
    assert not undocumented


def test_every_macro_file_holds_one_public_macro_of_its_name() -> None:
    for path in (ROOT / "macros").rglob("*.sql"):
        names = re.findall(r"{%-? (?:macro|test) (\w+)\(", path.read_text())
        public = [n for n in names if "__" not in n]
        assert public == [path.stem], path


# What another warehouse gives other digits; a float's quotient it does not.
_ROUNDED = re.compile(
    r"(?<!as double precision\))/|\b(avg|corr|covar_\w+|div0|div0null|exp|kurtosis|ln|"
    r"log|median|percentile_\w+|power|ratio_to_report|regr_\w+|skew|sqrt|stddev\w*|"
    r"var_\w+|variance\w*)\("
)


def test_no_model_leaves_the_digits_of_a_quotient_to_the_warehouse() -> None:
    left = []
    for folder in ("models", "analyses", "macros/gold", "macros/quality"):
        for path in {*(ROOT / folder).rglob("*.sql")} - {QUOTIENT}:
            plain = re.sub(r"(?s)--[^\n]*|\{#.*?#\}", "", path.read_text())
            plain = re.sub(r"\s*([()/])\s*", r"\1", plain)
            left += [f"{path}: {found[0]}" for found in _ROUNDED.finditer(plain)]
    assert not left, "what divides is the macro quotient"


def test_a_variable_that_is_empty_counts_as_one_that_is_not_set() -> None:
    """As containers have it where .env leaves a value out."""
    code = re.compile(r"""environ\.get\(\s*"(?!PATH")\w+",\s*(?!"")\S""")
    sql = re.compile(r"""env_var\(\s*['"]\w+['"],\s*['"](?!['"]|false)""")
    kept = {ROOT / "ingest" / "bench", ROOT / "dbt_packages"}
    found = []
    for folder in ("ingest", "orchestration", "macros", "models", "snapshots"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".sql", ".yml") and not kept & {*path.parents}:
                pattern = code if path.suffix == ".py" else sql
                found += [f"{path}: {f[0]}" for f in pattern.finditer(path.read_text())]
    for name in ("profiles.yml", "dbt_project.yml"):
        found += [f"{name}: {f[0]}" for f in sql.finditer((ROOT / name).read_text())]
    assert not found, "use settings.variable, or env_var(NAME, '') or DEFAULT"


def test_no_secret_and_no_registry_host_is_committed() -> None:
    hosts = "py" + r"pi\.org|python" + r"hosted|npm" + r"js\.|quay" + r"\.io"
    found = run("git", "grep", "-nIE", f"({hosts})|BEGIN [A-Z ]*PRIVATE KEY")
    assert found.stdout == ""
