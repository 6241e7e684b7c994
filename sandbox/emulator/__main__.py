"""Serve the emulator: `python -m sandbox.emulator --port N --data FOLDER`.

From the environment: SNOWFLAKE_PASSWORD, which all log in with, and the lake's AWS_*,
which s3fs reads.
"""

from __future__ import annotations

import argparse
import logging
import os
import warnings
from pathlib import Path

import fakesnow.server
import s3fs
import uvicorn
from fakesnow import info_schema
from fakesnow.transforms import show

from sandbox.emulator import (
    files,
    functions,
    lengths,
    merge,
    numbers,
    protocol,
    session,
    tables,
    timestamps,
)


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.emulator")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.data.mkdir(parents=True, exist_ok=True)
    # Its notices do not help in the log of a failure.
    for name in ("fakesnow.server", "sqlglot"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    # In this order: a table's constraints are handled before a MERGE.
    timestamps.install()
    numbers.install()
    lengths.install()
    tables.install()
    merge.install()
    files.install()
    functions.install(fakesnow.server.shared_fs.duck_conn)
    session.install(arguments.data / "accepted.jsonl")
    _attach(arguments.data)
    app = protocol.app(os.environ["SNOWFLAKE_PASSWORD"])
    uvicorn.run(app, host="127.0.0.1", port=arguments.port, log_level="error")


def _attach(data: Path) -> None:
    """Keep databases in files, and open each that is there; read the lake."""
    account = fakesnow.server.shared_fs
    account.db_path = str(data)
    # What DuckDB can't store (stages, lengths of texts) is kept as well.
    for statement in (
        "detach _fs_global",
        f"attach '{data / 'account.duckdb'}' as _fs_global",
        info_schema.fs_global_creation_sql(),
        show.fs_global_creation_sql(),
    ):
        account.duck_conn.execute(statement)
    for file in sorted(data.glob("*.db")):
        account.connect(database=file.stem).close()
    account.duck_conn.register_filesystem(s3fs.S3FileSystem(use_listings_cache=False))


if __name__ == "__main__":
    main()
