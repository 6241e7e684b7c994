"""Settings from the environment, under their usual names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from ingest.errors import ConfigurationError
from ingest.metadata import Source

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class SourceUrl:
    """Where a source is: the parts of `mysql://user:password@host:port/schema`."""

    host: str
    port: int
    user: str
    password: str
    ssl_mode: str
    ssl_ca: str

    def __repr__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


def _need(name: str, what: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ConfigurationError(
            f"{name} is not set: it is {what}. Set it in the environment (see "
            ".env.example), or run `./seedbed up` for servers of your own on this "
            "machine."
        )
    return value


def source_url(source: Source) -> SourceUrl:
    """Read the source's URL from the variable that the seed names."""
    text = _need(source.url_env, f"the URL of source {source.name}")
    try:
        url = urlsplit(text)
        port = url.port or 3306
    except ValueError:
        url, port = urlsplit(""), 0
    if url.scheme != source.kind or not url.hostname or not url.username:
        raise ConfigurationError(
            f"{source.url_env} is not a URL of the form "
            f"{source.kind}://USER:PASSWORD@HOST:PORT/ (special characters of the "
            "password percent-encoded); correct it and run again."
        )
    query = parse_qs(url.query)
    return SourceUrl(
        url.hostname,
        port,
        unquote(url.username),
        unquote(url.password or ""),
        query.get("ssl_mode", [""])[0].lower(),
        query.get("ssl_ca", [""])[0],
    )


@dataclass(frozen=True)
class LakeSettings:
    """The bucket and the prefix that every object's key starts with."""

    bucket: str
    prefix: str
    endpoint: str | None


def lake() -> LakeSettings:
    """Read `SEEDBED_LAKE`, an `s3://bucket/prefix`."""
    text = _need("SEEDBED_LAKE", "the lake, s3://BUCKET/PREFIX")
    url = urlsplit(text)
    if url.scheme != "s3" or not url.netloc:
        raise ConfigurationError(
            f"SEEDBED_LAKE is {text!r}; write it as s3://BUCKET or s3://BUCKET/PREFIX."
        )
    prefix = url.path.strip("/")
    return LakeSettings(
        url.netloc,
        f"{prefix}/" if prefix else "",
        os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
    )


def warehouse() -> dict[str, str]:
    """The warehouse's host, port, user, password and database name (`PG*`)."""
    return {
        "host": _need("PGHOST", "the host of the Postgres warehouse"),
        "port": os.environ.get("PGPORT", "5432"),
        "user": _need("PGUSER", "the user of the Postgres warehouse"),
        "password": os.environ.get("PGPASSWORD", ""),
        "dbname": _need("PGDATABASE", "the database of the Postgres warehouse"),
    }
