"""The errors a person sees: what and where, a hint, and the exit code to end on."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable

import psycopg

# Hints for files that the operating system refuses.
_OF_FILES = {
    errno.EACCES: "Check its owner and mode (`ls -ld`), or choose another path.",
    errno.EPERM: "Check its owner and mode (`ls -ld`), or choose another path.",
    errno.EROFS: "Choose a path that can be written to.",
    errno.ENOENT: "Check the path; missing folders are not created.",
    errno.ENOTDIR: "Check the path.",
    errno.EISDIR: "Name a file in it.",
    errno.ENOSPC: "Free some space and run the command again; nothing was lost.",
    errno.EDQUOT: "Free some space and run the command again; nothing was lost.",
    errno.EADDRINUSE: "Choose another port, or stop the program that uses it.",
    errno.EMFILE: "Raise the limit of open files (`ulimit -n`).",
}


class SeedbedError(Exception):
    """A failure: what and where in one sentence, then a hint with what to type.

    `exit_code`: 1 finished with tables blocked or failed, 2 wrong usage or
    configuration, 3 a service is out of reach.
    """

    exit_code = 1

    def __init__(self, what: str, hint: str = "") -> None:
        self.what, self.hint = what, hint
        super().__init__(f"{what}\nhint: {hint}" if hint else what)


def meant(wrong: str, known: Iterable[str]) -> str:
    """The known name that is most like a wrong one, as a question; '' for none."""
    close = difflib.get_close_matches(wrong, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def first_line(error: BaseException) -> str:
    """What a library's error says, in its first line.

    A statement of several lines that stands before the reason, in quotes, is left out.
    """
    text = str(error).strip()
    head, mark, reason = text.rpartition('": ')
    if mark and reason.strip() and "\n" in head:
        said, *_ = head.partition(' "')
        text = f"{said}: {reason.strip()}"
    lines = text.splitlines()
    return lines[0] if lines else type(error).__name__


class ConfigurationError(SeedbedError):
    """Wrong usage, settings or metadata; nothing was changed."""

    exit_code = 2


class NotDoneError(SeedbedError):
    """A run, or its publish, ended and is not done; the control tables say why."""


class ServiceError(SeedbedError):
    """A server could not be reached or refused what it was asked."""

    exit_code = 3


class SourceError(ServiceError):
    """A source could not be reached, or refused what it was asked.

    `may_pass`: the same may succeed later; `is_lost`: it can't be reached.
    """

    def __init__(
        self, what: str, hint: str, *, may_pass: bool, is_lost: bool = False
    ) -> None:
        super().__init__(what, hint)
        self.may_pass, self.is_lost = may_pass, is_lost


def ordinary(error: Exception) -> SeedbedError | None:
    """What a library's error means to a person; None for an unexpected one."""
    if isinstance(error, SeedbedError):
        return error
    if isinstance(error, OSError) and error.errno in _OF_FILES:
        path = f"{error.filename}: " if error.filename else ""
        return ConfigurationError(f"{path}{error.strerror}.", _OF_FILES[error.errno])
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return ConfigurationError(
            f"the warehouse refused: {first_line(error)}.",
            "The user of PGUSER lacks a right; docs/roles.md lists the rights of each "
            "role.",
        )
    if isinstance(error, psycopg.OperationalError):
        return ServiceError(
            f"the warehouse ended what was under way: {first_line(error)}. It was "
            "rolled back.",
            "Check with `./seedbed doctor` that the server answers, then run the "
            "command again.",
        )
    if type(error).__module__.startswith(("botocore", "boto3")):
        return ServiceError(
            f"the lake's store refused, or can't be reached: {first_line(error)}.",
            "Check SEEDBED_LAKE, AWS_ENDPOINT_URL_S3 and the keys, or run `./seedbed "
            "doctor`.",
        )
    return None
