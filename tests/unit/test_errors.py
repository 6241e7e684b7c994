"""What a library's error means to a person."""

import errno
import os

import botocore.exceptions
import psycopg
import pymysql
import pytest

from ingest.errors import SeedbedError, ordinary

FORESEEN = {
    "permission": OSError(errno.EACCES, os.strerror(errno.EACCES), "/nowhere/x.html"),
    "no folder": OSError(errno.ENOENT, os.strerror(errno.ENOENT), "/nowhere/x.html"),
    "full disk": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "port": OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)),
    "right": psycopg.errors.InsufficientPrivilege("permission denied for schema x"),
    "lost": psycopg.OperationalError("server closed the connection unexpectedly\n\tx"),
    "ended": psycopg.errors.AdminShutdown("terminating connection"),
    "store": botocore.exceptions.EndpointConnectionError(endpoint_url="http://x"),
    "source": pymysql.err.OperationalError(2013, "Lost connection"),
    "ours": SeedbedError("as it is"),
}


@pytest.mark.parametrize("name", FORESEEN)
def test_what_a_person_can_bring_about_has_words_and_a_way_out(name: str) -> None:
    error = FORESEEN[name]
    told = ordinary(error)
    assert told is not None
    assert told.exit_code in (1, 2, 3)
    assert "\n" not in str(told)
    if isinstance(error, OSError) and error.filename:
        assert str(told).startswith("/nowhere/x.html: ")


@pytest.mark.parametrize("error", [KeyError("x"), AssertionError(), OSError("odd")])
def test_what_nobody_foresaw_is_not_explained_away(error: Exception) -> None:
    assert ordinary(error) is None
