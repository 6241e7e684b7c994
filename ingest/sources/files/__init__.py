"""Files: CSV, JSON and Parquet in a folder or a bucket, a table for each glob.

A row also has the file that it is in, its number there, and when the file was last
modified, which is the watermark: a file that is new or has changed is read as a whole.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import duckdb

from ingest import settings
from ingest.duck import Engine, load, secret
from ingest.errors import SeedbedError, SourceError, first_line
from ingest.seed.metadata import Column, Source, Table
from ingest.settings import UrlForm
from ingest.sources.files import catalogue, listing, reading
from ingest.sources.files.catalogue import FileTable
from ingest.sources.files.faults import fault_of
from ingest.sources.files.listing import MODIFIED, File
from ingest.sources.inside import Inside
from ingest.sources.kind import Session, SourceTable

# Answers of a store that another try won't change.
_LASTING = re.compile(r"40[0-4]|No files found|Permission denied")


class Files(Inside):
    """Files in a folder or a bucket."""

    name = "files"
    url = UrlForm(schemes=("file", "s3"), path="FOLDER", bucket="s3")
    discovered = str(url)

    def __init__(self) -> None:
        self._local = threading.local()

    def schema(self, source: Source) -> str:
        url = settings.source_url(source)
        return url.path.rpartition("/")[2] or url.host

    def attach(self, engine: Engine, source: Source) -> None:
        url = settings.source_url(source)
        if not url.host:
            if not os.path.isdir(url.path):
                raise _unreadable(source, f"there is no folder {url.path}")
            return
        import boto3

        load(engine, "httpfs")
        session = boto3.Session()
        values = {"region": os.environ.get("AWS_REGION") or session.region_name or ""}
        if found := session.get_credentials():
            keys = found.get_frozen_credentials()
            values |= {"key_id": keys.access_key or "", "secret": keys.secret_key or ""}
            values |= {"session_token": keys.token} if keys.token else {}
        names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        if endpoint := next(filter(None, map(os.environ.get, names)), ""):
            place = urlsplit(endpoint)
            values |= {"endpoint": place.netloc, "url_style": "path"}
            values |= {"use_ssl": "true" if place.scheme == "https" else "false"}
        secret(engine, "s3", **{name: value for name, value in values.items() if value})

    @contextmanager
    def snapshot(self, engine: Engine) -> Iterator[None]:
        """Files are listed once; one that changes while it is read fails the batch."""
        held: dict[str, tuple[Table, Mapping[File, Mapping[str, str]]]] = {}
        self._local.held = held
        try:
            with super().snapshot(engine):
                yield
            for table, files in held.values():
                self._assert_unchanged(table, files)
        finally:
            self._local.held = None

    def _assert_unchanged(self, table: Table, files: Iterable[File]) -> None:
        with self.connect(table.source) as session:
            now = listing.listed(session, table.source, table.name)
        there = {f.name: f for f in now}
        for file in files:
            if there.get(file.name) != file:
                raise SourceError(
                    f"{table.id}: file {file.name} was changed while it was read. "
                    "Nothing of the batch was loaded.",
                    "Run again. Write files under another name, such as .part, and "
                    "rename them when they are complete.",
                    may_pass=True,
                )

    def explained(self, error: duckdb.Error, source: Source) -> SourceError:
        said = first_line(error).rstrip(".")
        is_lost = isinstance(error, duckdb.IOException) and not _LASTING.search(said)
        return _unreadable(source, said, may_pass=is_lost)

    def fault(self, table: Table, error: Exception) -> SeedbedError | None:
        if not isinstance(error, duckdb.Error):
            return None
        return fault_of(str(error), listing.base(table.source), table.id)

    # -- what it has ---------------------------------------------------------------

    def catalogue(
        self, source: Source, tables: Sequence[Table] = ()
    ) -> dict[str, SourceTable]:
        with self.connect(source) as session:
            return catalogue.read(session, source, tables)

    def relation(self, source: Source, table: SourceTable) -> str:
        assert isinstance(table, FileTable)
        return catalogue.look(table)

    def refusal(self, session: Session, source: Source, table: str) -> str:
        return ""

    def estimate(self, session: Session, table: Table) -> tuple[int, int]:
        files = listing.listed(session, table.source, table.name)
        size = sum(file.size for file in files)
        return size // 100, size

    def newest_watermark(self, table: Table) -> dt.datetime | None:
        if table.watermark_column != MODIFIED:
            return super().newest_watermark(table)
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        now -= dt.timedelta(seconds=table.options.lag_seconds)
        with self.connect(table.source) as session:
            files = listing.listed(session, table.source, table.name)
        return max((f.modified for f in files if f.modified <= now), default=None)

    # -- its rows ------------------------------------------------------------------

    def raw(self, table: Table, columns: Sequence[Column]) -> list[str]:
        held = getattr(self._local, "held", None)
        found = held.get(table.id) if held is not None else None
        dialect = listing.dialect(table.options.csv_dialect)
        if found is None:
            with self.connect(table.source) as session:
                files = listing.listed(session, table.source, table.name)
                headers = {f: listing.header(session, f, dialect) for f in files}
            found = table, headers
            if held is not None:
                held[table.id] = found
        kinds = {c.source_name: c.type for c in columns}
        return reading.relations(found[1], kinds, dialect)


def _unreadable(source: Source, why: str, *, may_pass: bool = False) -> SourceError:
    return SourceError(
        f"source {source.name} can't be read: {why}. Nothing was lost.",
        f"Check the folder or bucket in {source.url_env}, and the rights of this user "
        "or of the AWS_ variables; then run again.",
        may_pass=may_pass,
    )


KIND = Files()
