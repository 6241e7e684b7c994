"""The errors a person sees: one paragraph each, with the exit code to end on."""


class SeedbedError(Exception):
    """A failure told in one paragraph: what, where, and what to type next.

    `exit_code`: 1 finished with tables blocked or failed, 2 wrong usage or
    configuration, 3 a service is out of reach.
    """

    exit_code = 1


def first_line(error: BaseException) -> str:
    """What a library's error says, in its first line."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


class ConfigurationError(SeedbedError):
    """Wrong usage, settings or metadata; nothing was changed."""

    exit_code = 2


class NotDoneError(SeedbedError):
    """A run, or what it publishes, came to its end and is not good; all is noted."""


class ServiceError(SeedbedError):
    """A server could not be reached or refused what it was asked."""

    exit_code = 3
