"""Settings from the environment, under their usual names."""

from __future__ import annotations

import os
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from ingest import sources
from ingest.errors import ConfigurationError
from ingest.seed.metadata import Source

ROOT = Path(__file__).resolve().parent.parent
CONNECT_SECONDS = 10
# The name of this process's sessions in the warehouse.
APPLICATION = f"seedbed-{uuid.uuid4().hex[:8]}"
ENCODED = "special characters of the password percent-encoded: %40 for @, %2F for /"
# libpq's own variables, listed so that each of its users gets the same.
_PG_TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl")
# A runner that vanished keeps its locks for 90 s, not for the usual two hours; no one
# waits longer than a minute for a lock.
_PG_SESSION = (
    "-c lock_timeout=60s -c tcp_keepalives_idle=60 "
    "-c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
)


@dataclass(frozen=True)
class UrlForm:
    """How a kind of source writes its URL, and its words for TLS.

    `path` is what stands behind the port, '' where nothing must; `mode` is the
    parameter that takes one of `modes`, of which those that verify begin with `verify`;
    `files` are the parameters of the authority's certificate, one's own and its key.
    Without a `port` there is no server: the URL is a path, or a `bucket` and a path.
    """

    schemes: tuple[str, ...]
    port: int = 0
    path: str = ""
    mode: str = ""
    modes: tuple[str, ...] = ()
    verifying: str = ""
    files: tuple[str, str, str] = ("", "", "")
    # The scheme whose host is a bucket.
    bucket: str = ""

    def __str__(self) -> str:
        if self.port:
            return f"{self.schemes[0]}://USER:PASSWORD@HOST:PORT/{self.path}"
        paths = [f"{s}:///{self.path}" for s in self.schemes if s != self.bucket]
        buckets = [f"{self.bucket}://BUCKET/PREFIX"] if self.bucket else []
        return " or ".join([*paths, *buckets])


@dataclass(frozen=True)
class SourceUrl:
    """Where a source is: the parts of its URL, whose form is its kind's.

    `path` is what stands behind the port. `ssl_mode` is in the kind's words, or empty:
    encrypted where the server offers it. The files are paths, or empty. Without a
    server it is a path that begins with /, or a bucket, which is the host, and a path.
    """

    host: str
    port: int
    user: str
    password: str
    path: str
    ssl_mode: str = ""
    ssl_ca: str = ""
    ssl_cert: str = ""
    ssl_key: str = ""

    def __repr__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}" if self.port else self.path


def variable(name: str, default: str) -> str:
    """A variable of the environment; `default` where it is not set, or empty."""
    return os.environ.get(name, "") or default


def _need(name: str, what: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ConfigurationError(
            f"{name} is not set: it is {what}.",
            "Set it in the environment (see .env.example), or run `./seedbed up` for "
            "embedded servers on this machine.",
        )
    return value


def source_url(source: Source) -> SourceUrl:
    """Read the source's URL from the variable that the seed names."""
    form = sources.of(source).url
    text = _need(source.url_env, f"the URL of source {source.name}")
    try:
        url = urlsplit(text)
        port = url.port or form.port
    except ValueError:
        url, port = urlsplit(""), 0
    path = unquote(url.path.strip("/"))
    if not form.port:
        if not _is_place(url, form, path):
            # No part of it is shown: a password may be in what is no path.
            raise ConfigurationError(
                f"{source.url_env} is not the URL of a source.",
                f"Write it as {form} (other special characters of the path "
                "percent-encoded: %20 for a blank, %40 for @).",
            )
        bucket = url.hostname or ""
        return SourceUrl(bucket, 0, "", "", path if bucket else f"/{path}")
    if (
        url.scheme not in form.schemes
        or not url.hostname
        or not url.username
        or (form.path and not path)
        or _is_cut(url, form)
    ):
        # No part of it is shown: it may be part of the password.
        raise ConfigurationError(
            f"{source.url_env} is not the URL of a source.",
            f"Write it as {form} ({ENCODED}).",
        )
    return SourceUrl(
        url.hostname,
        port,
        unquote(url.username),
        unquote(url.password or ""),
        path,
        *_tls(source, form, {k: v[-1] for k, v in parse_qs(url.query).items()}),
    )


def _is_place(url: SplitResult, form: UrlForm, path: str) -> bool:
    """Whether it is a path, or a bucket and perhaps a path, and nothing more."""
    is_bare = not (url.query or url.fragment or "@" in url.netloc + url.path)
    if not is_bare or url.scheme not in form.schemes or "\0" in path:
        return False
    has_host = bool(url.hostname) and url.netloc == url.hostname
    return has_host if url.scheme == form.bucket else bool(path) and not url.netloc


def _is_cut(url: SplitResult, form: UrlForm) -> bool:
    """Whether a `/`, `?` or `#` of the password seems to have ended the host's part.

    Then the `@` before the host comes after it, where only a file's name may have one.
    """
    files = [f"{name}=" for name in form.files]
    query = [p for p in url.query.split("&") if not p.startswith(tuple(files))]
    return bool(url.fragment) or any("@" in part for part in (url.path, *query))


def _tls(source: Source, form: UrlForm, query: dict[str, str]) -> tuple[str, ...]:
    """Mode and files of a source's URL; a mistake must not lead to clear text."""
    name, authority = form.mode, form.files[0]
    if unknown := sorted({*query} - {name, *form.files}):
        raise ConfigurationError(
            f"{source.url_env} has an unknown parameter, {unknown[0]!r}.",
            f"The parameters are {name}, {', '.join(form.files)}.",
        )
    mode = query.get(name, form.verifying if query else "").lower()
    if mode and mode not in form.modes:
        raise ConfigurationError(
            f"{source.url_env} has an unknown {name}, {mode!r}.",
            f"{name} is one of {', '.join(form.modes)}.",
        )
    if mode.startswith("verify") and authority not in query:
        raise ConfigurationError(
            f"{source.url_env} has {name}={mode} and no {authority}.",
            f"Add &{authority}=/path/to/ca.pem, the certificate of the authority that "
            "signed the server's.",
        )
    files = [query.get(name, "") for name in form.files]
    for name, path in zip(form.files, files, strict=True):
        if path and not os.access(path, os.R_OK):
            raise ConfigurationError(
                f"{source.url_env} names {path} as its {name}, which can't be read.",
                "Check the path, and the file's owner and mode (`ls -l`).",
            )
    return mode, *files


@dataclass(frozen=True)
class LakeSettings:
    """The bucket and the prefix that every object's key starts with.

    `encryption` holds the parameters of a write that say how S3 encrypts it.
    """

    bucket: str
    prefix: str
    endpoint: str | None
    encryption: dict[str, Any] = field(default_factory=dict)


def lake() -> LakeSettings:
    """Read `SEEDBED_LAKE`, an `s3://bucket/prefix`."""
    text = _need("SEEDBED_LAKE", "the lake, s3://BUCKET/PREFIX")
    url = urlsplit(text)
    if url.scheme != "s3" or not url.netloc:
        raise ConfigurationError(
            f"SEEDBED_LAKE is {text!r}, which is not the URL of a bucket.",
            "Write it as s3://BUCKET or s3://BUCKET/PREFIX.",
        )
    prefix = url.path.strip("/")
    return LakeSettings(
        url.netloc,
        f"{prefix}/" if prefix else "",
        os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
        _encryption(os.environ.get("SEEDBED_LAKE_SSE", "")),
    )


def _encryption(text: str) -> dict[str, Any]:
    if text in ("", "AES256", "aws:kms"):
        return {"ServerSideEncryption": text} if text else {}
    key = text.removeprefix("aws:kms:")
    if key == text or not key:
        raise ConfigurationError(
            f"SEEDBED_LAKE_SSE is {text!r}, which is not an encryption of S3.",
            "Set AES256, aws:kms or aws:kms:KEY, where KEY is the id or ARN of a key.",
        )
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}


def retry_seconds() -> float:
    """How long after a first failure it is tried again; 0 is never."""
    return _seconds("SEEDBED_RETRY_SECONDS", 300)


def timeout_seconds() -> float:
    """How long a source may stay silent while it is asked or read."""
    return _seconds("SEEDBED_TIMEOUT_SECONDS", 300)


def gate_seconds() -> float:
    """How long the checks of one batch may take."""
    return _seconds("SEEDBED_GATE_SECONDS", 600)


def memory() -> str:
    """The memory limit of a DuckDB engine; a table being moved has up to three."""
    text = variable("SEEDBED_MEMORY", "512MB")
    if not re.fullmatch(r"[1-9]\d*(\.\d+)? ?[KMGT]i?B", text):
        raise ConfigurationError(
            f"SEEDBED_MEMORY is {text!r}, which is not a size.",
            "Set a size such as 512MB or 2GB.",
        )
    return text


def _seconds(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    try:
        value = float(text or default)
    except ValueError:
        value = -1
    if not 0 <= value < 1e6:
        raise ConfigurationError(
            f"{name} is {text!r}, which is not a number of seconds.",
            "Set a number of 0 or more.",
        )
    return value


def warehouse() -> dict[str, str]:
    """How libpq reaches the warehouse, by its own names of the parameters.

    From `PG*`; a server that fell silent is given up within a minute.
    """
    tls = {name: os.environ.get(f"PG{name.upper()}", "") for name in _PG_TLS}
    return {
        "host": _need("PGHOST", "the host of the Postgres warehouse"),
        "port": variable("PGPORT", "5432"),
        "user": _need("PGUSER", "the user of the Postgres warehouse"),
        "password": os.environ.get("PGPASSWORD", ""),
        "dbname": _need("PGDATABASE", "the database of the Postgres warehouse"),
        "application_name": APPLICATION,
        "connect_timeout": str(CONNECT_SECONDS),
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "tcp_user_timeout": "60000",
        "options": f"{_PG_SESSION} {os.environ.get('PGOPTIONS', '')}".strip(),
        **{name: value for name, value in tls.items() if value},
    }
