"""A Snowflake account for a machine without one: the emulator of sandbox/emulator.

It reads the lake's files from the S3 store that the environment names when it is
started, the embedded one as a reader, and keeps its databases under
`.seedbed/snowflake/`.
"""

import os
import subprocess
import sys
from pathlib import Path

from ingest.errors import ServiceError
from orchestration.snowflake import EMULATED as ACCOUNT
from sandbox.servers.process import tail
from sandbox.servers.service import HOST, Service
from sandbox.servers.store import Store

# Where the lake is, for COPY INTO.
_LAKE = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
)
_LOCK = "sandbox/emulator/requirements.lock"
# The repository whose environment this process runs in.
_HOME = Path(sys.prefix).parent


class Snowflake(Service):
    """fakesnow with the connector's protocol; every login has all rights."""

    name = "snowflake"
    title = "the Snowflake emulator"
    stop_seconds = 10.0
    as_caller = True

    def environment(self) -> dict[str, str]:
        state = self.state()
        return {
            "SNOWFLAKE_ACCOUNT": ACCOUNT,
            "SNOWFLAKE_HOST": HOST,
            "SNOWFLAKE_PORT": str(state["port"]),
            "SNOWFLAKE_PROTOCOL": "http",
            "SNOWFLAKE_USER": "seedbed",
            "SNOWFLAKE_PASSWORD": state["password"],
            "SNOWFLAKE_DATABASE": "seedbed",
            "SNOWFLAKE_THREADS": "2",
        }

    def prepare(self) -> None:
        # Another DuckDB than Seedbed's; its size to download and on disk.
        words = ("--set-up-beside", "emulator", _LOCK, "110", "0.4")
        done = subprocess.run(
            [str(_HOME / "seedbed"), *words],
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode != 0:
            raise ServiceError(
                "the Snowflake emulator could not be installed; its last lines:\n"
                f"{tail(done.stdout)}"
            )

    def command(self, port: int) -> tuple[list[str], dict[str, str]]:
        python = _HOME / ".venv" / "emulator" / "bin" / "python"
        argv = [str(python), "-m", "sandbox.emulator", "--port", str(port)]
        lake = {name: os.environ[name] for name in _LAKE if name in os.environ}
        own = Store(self.stack).state()
        if lake.get("AWS_ACCESS_KEY_ID") == own.get("access_key"):
            lake["AWS_ACCESS_KEY_ID"] = own["reader_access_key"]
            lake["AWS_SECRET_ACCESS_KEY"] = own["reader_secret_key"]
        return [*argv, "--data", str(self.data)], {
            "PYTHONPATH": str(self.stack.root),
            "SNOWFLAKE_PASSWORD": self.state()["password"],
            "NO_PROXY": HOST,
            **lake,
        }

    def program_version(self) -> str:
        lock = (Path(__file__).parents[2] / _LOCK).read_text()
        return f"fakesnow {lock.partition('fakesnow==')[2].split()[0]}"
