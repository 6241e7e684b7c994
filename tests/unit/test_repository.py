"""The repository keeps its own rules: linters, generated files, clean parse."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dbt
import pytest
import yaml

from tests.clone import CODE

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
        "sqlfluff lint --templater placeholder --config orchestration/.sqlfluff "
        "gx ingest orchestration",
        "python -m orchestration generate --check",
    ],
)
def test_nothing_to_complain_about(command: str) -> None:
    tool, *arguments = command.split()
    done = run(str(TOOLS / tool), *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_statement_beside_a_module_is_run_by_it() -> None:
    for path in (p for folder in CODE for p in (ROOT / folder).rglob("*.sql")):
        names = re.findall(r"^-- name: (\w+)$", path.read_text(), re.MULTILINE)
        code = path.with_suffix(".py").read_text() if names else ""
        assert [n for n in names if f'"{n}"' not in code] == [], path
        assert len({*names}) == len(names), path


def _macros_in(path: Path) -> list[str]:
    return re.findall(r"{%-? *(?:macro|test) +(\w+)", path.read_text())


def test_every_public_macro_is_documented_with_its_modes() -> None:
    undocumented = []
    for macro in sorted((ROOT / "macros").rglob("*.sql")):
        listed = yaml.safe_load((macro.parent / "_macros.yml").read_text())["macros"]
        names = {entry["name"]: entry for entry in listed}
        if not names.get(macro.stem, {}).get("description"):
            undocumented.append(macro.name)
    assert not undocumented


def test_every_macro_file_holds_one_public_macro_of_its_name() -> None:
    for path in (ROOT / "macros").rglob("*.sql"):
        names = _macros_in(path)
        public = [n for n in names if "__" not in n or n == path.stem]
        assert public == [path.stem], path


def test_a_macro_dispatches_only_where_there_are_two_of_it() -> None:
    lone = []
    for path in (ROOT / "macros").rglob("*.sql"):
        names = _macros_in(path)
        for name in re.findall(r"dispatch\('(\w+)'", path.read_text()):
            if len([n for n in names if n.endswith(f"__{name}")]) < 2:
                lone.append(name)
    assert not lone, "the macro itself can have the body"


def test_what_replaces_a_macro_of_dbt_s_own_stands_in_overrides() -> None:
    included = [path for root in dbt.__path__ for path in Path(root).glob("include")]
    own = {n for root in included for p in root.rglob("*.sql") for n in _macros_in(p)}
    assert {"generate_schema_name", "default__rename_relation"} <= own
    overriding = {
        name: path.parent.name
        for path in (ROOT / "macros").rglob("*.sql")
        for name in _macros_in(path)
        if name in own or re.sub("^(default|postgres|snowflake)__", "", name) in own
    }
    assert set(overriding.values()) == {"overrides"}, overriding
    files = {path.stem for path in (ROOT / "macros" / "overrides").glob("*.sql")}
    assert files == set(overriding)


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
    kept = {ROOT / "sandbox" / "bench", ROOT / "dbt_packages"}
    found = []
    for folder in (*CODE, "macros", "models", "snapshots"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".sql", ".yml") and not kept & {*path.parents}:
                pattern = code if path.suffix == ".py" else sql
                found += [f"{path}: {f[0]}" for f in pattern.finditer(path.read_text())]
    for name in ("profiles.yml", "dbt_project.yml"):
        found += [f"{name}: {f[0]}" for f in sql.finditer((ROOT / name).read_text())]
    assert not found, "use settings.variable, or env_var(NAME, '') or DEFAULT"


def test_no_import_points_up_a_layer() -> None:
    """Bytes know nothing of the gate, the gate of the runner, all of the sandbox."""
    up = []
    for number, layer in enumerate(CODE):
        for path in sorted((ROOT / layer).rglob("*.py")):
            tops = {module.partition(".")[0] for module in imported(path)}
            up += [f"{path}: {top}" for top in tops & {*CODE[number + 1 :]}]
    assert not up


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_no_secret_and_no_registry_host_is_committed() -> None:
    hosts = "py" + r"pi\.org|python" + r"hosted|npm" + r"js\.|quay" + r"\.io"
    found = run("git", "grep", "-nIE", f"({hosts})|BEGIN [A-Z ]*PRIVATE KEY")
    assert found.stdout == ""
