"""The command that runs Airflow beside the embedded stack."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import click

from ingest.settings import ROOT
from orchestration.cli.common import say, start_services


def environment(root: Path) -> dict[str, str]:
    """Airflow's settings to run Seedbed's DAGs with a home in `root/.seedbed`."""
    home = root / ".seedbed" / "airflow"
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(root / "orchestration" / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "orchestration" / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "30",
        # A DAG is imported in a second or two; on a busy machine it may take longer.
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__COSMOS__PROPAGATE_LOGS": "false",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "false",
        # Airflow starts its parts by name.
        "PATH": f"{root / '.venv' / 'bin'}:{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(root),
        **{n: v for n, v in os.environ.items() if n.startswith("AIRFLOW__")},
    }


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def airflow(arguments: tuple[str, ...]) -> int:
    """Run Airflow with Seedbed's DAGs; arguments go to Airflow."""
    program = str(ROOT / ".venv" / "bin" / "airflow")
    start_services()
    settled = os.environ | environment(ROOT)
    home = Path(settled["AIRFLOW_HOME"])
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (home / "airflow.db").exists():
        say("airflow: creating its database, once (about 15 s)")
        made = subprocess.run(
            [program, "db", "migrate"],
            env=settled,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            click.echo(made.stdout + made.stderr, err=True)
            return made.returncode
    return subprocess.call([program, *arguments], env=settled, cwd=ROOT)
