"""The SQL for Snowflake that no emulator runs is what was reviewed, word for word.

After a change that is meant, `REWRITE_GOLDEN=true ./seedbed test tests/snowflake`
writes the files anew; look at the difference before you commit it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clone import REPOSITORY, neutral_environment

GOLDEN = Path(__file__).with_name("golden")


def compared(name: str, text: str) -> None:
    """Compare with the golden file, or write it."""
    path = GOLDEN / name
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text(), f"{path} is not what is compiled"


def test_the_plan_of_an_account_needs_no_connection_and_is_as_reviewed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchestration", "snowflake", "plan"],
        cwd=REPOSITORY,
        env=neutral_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    account, views = done.stdout.split("\n-- Views for consumers.")
    compared("account.sql", account)
    (view,) = [v for v in views.split(";\n") if "serving.dim_customer (" in v]
    compared("protected_view.sql", f"{view.strip()};\n")


def test_the_plan_can_be_run_again() -> None:
    plan = (GOLDEN / "account.sql").read_text()
    without_comments = re.sub(r"(?m)^--.*\n", "", plan)
    statements = [s.strip() for s in without_comments.split(";\n") if s.strip()]
    starts = {statement.split()[0] for statement in statements}
    assert starts == {"create", "alter", "grant", "begin", "delete", "insert", "commit"}
    for statement in statements:
        if statement.startswith("create"):
            assert " if not exists " in statement
        if "set masking policy" in statement:
            assert statement.endswith(" force")
        if statement.startswith("insert"):
            table = statement.split()[2]
            assert f"delete from {table}" in statements


@pytest.mark.parametrize("model", ["cost_by_model", "personal_data_access"])
def test_a_model_on_the_account_s_history_is_as_reviewed(
    model: str, tmp_path: Path
) -> None:
    dbt = Path(sys.executable).with_name("dbt")
    words = ["compile", "--target", "snowflake", "--select", model]
    quiet = ["--no-introspect", "--no-populate-cache", "--target-path", str(tmp_path)]
    done = subprocess.run(
        [dbt, *words, *quiet],
        cwd=REPOSITORY,
        env=neutral_environment() | {"SNOWFLAKE_ACCOUNT_USAGE": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    (compiled,) = (tmp_path / "compiled").rglob(f"{model}.sql")
    compared(f"{model}.sql", compiled.read_text())
