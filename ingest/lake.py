"""The lake: files are written to local disk first, then uploaded; a batch's
manifest is written last and only once."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest import settings, tidy
from ingest.errors import ConfigurationError, SeedbedError, ServiceError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from ingest.control import Batch


_opening = threading.Lock()


@functools.cache
def _client(endpoint: str | None) -> S3Client:
    import boto3
    from botocore.config import Config

    # A separate session: the default one keeps the first credentials that it was given.
    return boto3.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=os.environ.get("AWS_REGION"),
        config=Config(
            # A store that is slow, full or down is asked five times, after growing
            # pauses: for some seconds in all, or for five minutes if it is silent.
            connect_timeout=5,
            read_timeout=60,
            tcp_keepalive=True,
            retries={"mode": "standard", "total_max_attempts": 5},
        ),
    )


@dataclass(frozen=True)
class Part:
    """A file of a batch: its key in the lake, bytes, rows and SHA-256."""

    key: str
    size: int
    rows: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a finished batch consists of and how its rows are accounted for.

    `source_rows` counts the window at the source, the other numbers their outcome; all
    were counted in one snapshot, whose time is `observed_at`. `unaccounted` lists keys
    of rows that one of the counts lacks; `names` are the source's columns that were
    read, by the seed's names for them. `rows_beyond` are those whose watermark was
    after the source's `present`, on the table's clock. Where there are any,
    `server_offset` is how many minutes the server's own clock is ahead of UTC.
    """

    table_id: str
    batch_id: str
    batch_seq: int
    window_low: str | None
    window_high: str | None
    observed_at: str
    fingerprint: str
    content: str
    source_rows: int
    rows_read: int
    rows_written: int
    rows_unchanged: int
    rows_rejected: int
    rows_deleted: int
    source_empty: bool
    live_keys: int
    raw: tuple[Part, ...]
    bronze: tuple[Part, ...]
    rejects: tuple[Part, ...]
    zero_dates: int = 0
    keys_scanned: bool = False
    keys_gone: int = 0
    unaccounted: str = ""
    names: dict[str, str] = field(default_factory=dict)
    rows_beyond: int = 0
    present: str = ""
    server_offset: int = 0

    @classmethod
    def read(cls, data: dict[str, Any]) -> Manifest:
        """A manifest from its JSON."""
        parts = {
            name: tuple(Part(**part) for part in data[name])
            for name in ("raw", "bronze", "rejects")
        }
        return cls(**{**data, **parts})


class Lake:
    """The bucket, with a local folder of the same layout in front of it.

    A batch's local files are dropped when it is decided.
    """

    def __init__(self, root: Path) -> None:
        self._settings = settings.lake()
        self.folder = root / ".seedbed" / "lake"

    @property
    def client(self) -> S3Client:
        """The S3 client, one for all threads; boto3 is imported when it is used."""
        with _opening:
            return _client(self._settings.endpoint)

    def local(self, key: str) -> Path:
        """The local path of the object `key`."""
        return self.folder / key

    def paths(self, parts: Iterable[Part]) -> list[str]:
        """The local paths of parts, as DuckDB's SQL takes them."""
        return [str(self.local(part.key)) for part in parts]

    def describe(self, key: str, rows: int) -> Part:
        """The part that the local file `key` is."""
        path = self.local(key)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Part(key, path.stat().st_size, rows, digest)

    def _at(self, key: str) -> Any:
        """Bucket and key of the object `key`, as arguments of the client."""
        return {"Bucket": self._settings.bucket, "Key": self._settings.prefix + key}

    def upload(self, parts: tuple[Part, ...]) -> None:
        """Upload the parts' local files; ServiceError says what the lake answered."""
        from boto3.s3.transfer import TransferConfig

        transfer = TransferConfig(multipart_chunksize=8 << 20, max_concurrency=4)

        def send(part: Part) -> None:
            self.client.upload_file(
                str(self.local(part.key)),
                **self._at(part.key),
                Config=transfer,
                ExtraArgs=dict(self._settings.encryption),
            )

        with self._asking("write"), ThreadPoolExecutor(4) as pool:
            list(pool.map(send, parts))

    def copy(self, part: Part, folder: str) -> Part:
        """The part once more, in another folder of the lake, by the store itself."""
        copied = self.link(part, folder)
        with self._asking("write"):
            self.client.copy_object(
                **self._at(copied.key),
                CopySource=self._at(part.key),
                **self._settings.encryption,
            )
        return copied

    def link(self, part: Part, folder: str) -> Part:
        """The part's local file once more, in another folder."""
        key = f"{folder}/{part.key.rpartition('/')[2]}"
        local = self.local(key)
        local.parent.mkdir(parents=True, exist_ok=True)
        local.unlink(missing_ok=True)
        try:
            local.hardlink_to(self.local(part.key))
        except OSError:  # not every file system has links
            shutil.copyfile(self.local(part.key), local)
        return replace(part, key=key)

    def finish(self, key: str, manifest: Manifest) -> Manifest:
        """Write the manifest unless one exists; return the one that counts.

        `If-None-Match: *` lets the first writer win, so a finished batch is never
        changed.
        """
        from botocore.exceptions import ClientError

        with self._asking("write"):
            try:
                self._put(key, asdict(manifest), IfNoneMatch="*")
            except ClientError as error:
                is_there = error.response["Error"]["Code"] == "PreconditionFailed"
                if is_there and (found := self.manifest(key)):
                    return found
                raise
        return manifest

    def _put(self, key: str, content: dict[str, Any], **condition: Any) -> None:
        self.client.put_object(
            **self._at(key),
            Body=json.dumps(content, indent=2, sort_keys=True).encode(),
            ContentType="application/json",
            **self._settings.encryption,
            **condition,
        )

    def mark_released(self, manifest_key: str, mark: dict[str, Any]) -> None:
        """Write `_released.json` beside the batch's manifest."""
        folder = manifest_key.rpartition("/")[0]
        with self._asking("write"):
            self._put(f"{folder}/_released.json", mark)

    def replace(self, key: str, manifest: Manifest) -> None:
        """Replace the manifest."""
        with self._asking("write"):
            self._put(key, asdict(manifest))

    def manifest_of(self, batch: Batch, kept: str, hint: str) -> Manifest:
        """The manifest of a batch that was read; SeedbedError if it is gone."""
        found = self.manifest(batch.manifest_key)
        if found is None:
            raise SeedbedError(
                f"{batch.table_id}: the manifest {batch.manifest_key} of batch "
                f"{batch.batch_id} is no longer in the lake. {kept}",
                hint,
            )
        return found

    def manifest(self, key: str) -> Manifest | None:
        """The manifest `key`, or None while its batch is not finished."""
        from botocore.exceptions import ClientError

        with self._asking("read"):
            try:
                answer = self.client.get_object(**self._at(key))
            except ClientError as error:
                if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                    return None
                raise
            return Manifest.read(json.loads(answer["Body"].read()))

    def keys(self, folder: str) -> list[str]:
        """The keys of all objects in a folder of the lake."""
        bucket, prefix = self._settings.bucket, self._settings.prefix
        pages = self.client.get_paginator("list_objects_v2")
        with self._asking("list"):
            return [
                entry["Key"].removeprefix(prefix)
                for page in pages.paginate(Bucket=bucket, Prefix=prefix + folder)
                for entry in page.get("Contents", ())
            ]

    def fetch(self, part: Part) -> Path:
        """The part's local file, downloaded if need be, its checksum verified."""
        path = self.local(part.key)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".draft")
            with self._asking("read"):
                self.client.download_file(**self._at(part.key), Filename=str(draft))
            draft.rename(path)
        if self.describe(part.key, part.rows) != part:
            raise SeedbedError(
                f"the file {part.key} is not the one that its batch's manifest names "
                "(size or checksum differ), so it was not read.",
                "Restore that object; or delete the batch's folder in the lake and run "
                "again, which extracts it again.",
            )
        return path

    def forget(self, manifest: Manifest) -> None:
        """Drop the local copies of a decided batch."""
        for part in (*manifest.raw, *manifest.bronze, *manifest.rejects):
            tidy.drop(self.local(part.key))

    @contextmanager
    def _asking(self, verb: str) -> Iterator[None]:
        """Raise what the store answers, and what prevents it, as ServiceError."""
        from botocore.exceptions import ClientError, NoCredentialsError

        place = f"s3://{self._settings.bucket}/{self._settings.prefix}"
        try:
            yield
        except SeedbedError:
            raise
        except NoCredentialsError:
            raise ConfigurationError(
                f"no credentials for the lake {place}.",
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.",
            ) from None
        except Exception as error:
            said = str(error)
            if isinstance(error, ClientError):
                said = error.response["Error"].get("Code", said)
            raise ServiceError(
                f"the lake {place} refused to {verb}: {said}. Nothing was lost.",
                "Check that the bucket exists and that the keys may read and write it "
                "(s3:GetObject and s3:PutObject on this prefix), then run again.",
            ) from error
