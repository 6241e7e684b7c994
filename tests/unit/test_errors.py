"""What a library's error means to a person."""

import errno
import os

import botocore.exceptions
import psycopg
import pytest

from ingest.errors import SeedbedError, first_line, ordinary

EXPECTED = {
    "permission": OSError(errno.EACCES, os.strerror(errno.EACCES), "/nowhere/x.html"),
    "no folder": OSError(errno.ENOENT, os.strerror(errno.ENOENT), "/nowhere/x.html"),
    "full disk": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "port": OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)),
    "right": psycopg.errors.InsufficientPrivilege("permission denied for schema x"),
    "lost": psycopg.OperationalError("server closed the connection unexpectedly\n\tx"),
    "ended": psycopg.errors.AdminShutdown("terminating connection"),
    "store": botocore.exceptions.EndpointConnectionError(endpoint_url="http://x"),
    "ours": SeedbedError("as it is", "as it was"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_error_that_a_person_can_cause_has_a_message_and_a_hint(name: str) -> None:
    error = EXPECTED[name]
    shown = ordinary(error)
    assert shown is not None
    assert shown.exit_code in (1, 2, 3)
    assert "\n" not in shown.what + shown.hint
    assert shown.hint
    assert str(shown) == f"{shown.what}\nhint: {shown.hint}"
    if isinstance(error, OSError) and error.filename:
        assert shown.what.startswith("/nowhere/x.html: ")


@pytest.mark.parametrize("error", [KeyError("x"), AssertionError(), OSError("odd")])
def test_an_unexpected_error_is_not_explained_away(error: Exception) -> None:
    assert ordinary(error) is None


def test_a_statement_of_several_lines_hides_no_reason() -> None:
    said = 'Invalid Error: Failed to execute query "-- A note.\nselect "a"\nfrom b": '
    error = RuntimeError(f"{said}ERROR:  deadlock detected\nDETAIL:  two processes")
    shown = "Invalid Error: Failed to execute query: ERROR:  deadlock detected"
    assert first_line(error) == shown
    one_line = 'Invalid Error: Failed to execute query "select 1": ERROR:  no'
    assert first_line(RuntimeError(one_line)) == one_line
