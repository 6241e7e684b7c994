"""The S3 store: moto's server, which keeps objects in memory.

Every file of the lake lies under `.seedbed/lake/` as well; a store that starts
is filled from there, so that a crash loses nothing.
"""

import importlib.metadata
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ingest.embedded.process import House
from ingest.embedded.service import HOST, Service, as_caller

BUCKET = "lake"
REGION = "us-east-1"
PARALLEL = 2  # more is no faster, and each upload holds its file in memory
# A line for each request would make a log of gigabytes.
_SERVE = """
import logging, sys
logging.getLogger("werkzeug").setLevel(logging.WARNING)
from moto.server import main
main(sys.argv[1:])
"""


class Store(Service):
    """An S3 store with one bucket, `lake`."""

    name = "s3"
    title = "the S3 store"
    stop_seconds = 5.0
    passwords = ("access_key", "secret_key")

    @property
    def lake(self) -> Path:
        """The files that the bucket is filled from."""
        return self.stack.home / "lake"

    def environment(self, state: dict[str, Any]) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": state["access_key"],
            "AWS_SECRET_ACCESS_KEY": state["secret_key"],
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": f"http://{HOST}:{state['port']}",
            "SEEDBED_LAKE": f"s3://{BUCKET}",
        }

    def prepare(self) -> House:
        for folder in (self.folder, self.lake):
            folder.mkdir(mode=0o700, exist_ok=True)
        return as_caller(self.folder)

    def command(self, house: House, port: int) -> tuple[list[str], dict[str, str]]:
        # Large objects go to unnamed temporary files, which should be on this disk.
        argv = [sys.executable, "-P", "-c", _SERVE, "-H", HOST, "-p", str(port)]
        return argv, {"TMPDIR": str(self.folder)}

    def version(self) -> str:
        return f"moto {importlib.metadata.version('moto')}"

    def started(self, port: int) -> None:
        import boto3
        from boto3.s3.transfer import TransferConfig
        from botocore.config import Config

        state = self.state()
        client = boto3.client(
            "s3",
            endpoint_url=f"http://{HOST}:{port}",
            region_name=REGION,
            aws_access_key_id=state["access_key"],
            aws_secret_access_key=state["secret_key"],
            config=Config(
                s3={"addressing_style": "path"},
                proxies={},
                request_checksum_calculation="when_required",
            ),
        )
        client.create_bucket(Bucket=BUCKET)
        # In one piece: moto copies the parts of a multipart upload once more.
        whole = TransferConfig(multipart_threshold=4 << 30, use_threads=False)

        def upload(path: Path, key: str) -> None:
            client.upload_file(str(path), BUCKET, key, Config=whole)

        files = [Path(top, f) for top, _, names in os.walk(self.lake) for f in names]
        if files:
            size = sum(path.stat().st_size for path in files) / 1e6
            self.report(f"filling the S3 store: {len(files)} files, {size:.0f} MB")
        with ThreadPoolExecutor(PARALLEL) as pool:
            keys = [path.relative_to(self.lake).as_posix() for path in files]
            uploads = pool.map(upload, files, keys)
            list(uploads)  # raises what an upload raised
