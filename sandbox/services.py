"""Servers of the sandbox for those that no variable names.

Their variables are set like the user's own, with marks that identify them: a variable
that differs from its mark is the user's own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping

from ingest.runlog import Report
from ingest.settings import ROOT
from orchestration import snowflake
from sandbox import servers

# The URLs of the demo's sources, which one server has.
SOURCES = frozenset({"SHOP_URL", "CRM_URL"})
# The variable of each server that says where it is: a user's own value means another
# server.
_PLACES = {
    "postgres": {"PGHOST"},
    "mariadb": {*SOURCES},
    "s3": {"SEEDBED_LAKE"},
    "snowflake": {"SNOWFLAKE_ACCOUNT"},
}


def start(missing: Collection[str], target: str | None, report: Report) -> None:
    """Start the servers that no variable replaces.

    `missing` are the demo's sources that are needed and not named. Target snowflake
    without an account gets the emulator.
    """
    # Variables that an earlier `env` exported are updated; one that differs is the
    # user's own.
    marked = os.environ.get("SEEDBED_EMBEDDED", "").split()
    marks = dict(word.split(":", 1) for word in marked if ":" in word)
    own_values = {
        name
        for name, mark in marks.items()
        if (value := os.environ.get(name)) and _mark(name, value) != mark
    }
    known = {n for n, where in _PLACES.items() if n in marked and where - own_values}
    needed = {
        "postgres": not os.environ.get("PGHOST"),
        "mariadb": bool(missing),
        "s3": not os.environ.get("SEEDBED_LAKE"),
    }
    names = [n for n in servers.SERVICES if needed[n] or n in known]
    emulated = "snowflake" in known or (
        target == "snowflake" and not snowflake.is_configured()
    )
    if names:
        servers.up(ROOT, report, names)
        for name in names:
            # One source may be the user's own, and the other the sandbox's.
            only = missing if name == "mariadb" and name not in known else None
            _take(servers.environment(ROOT, [name]), own_values, marks, only)
    if emulated:  # it reads the store, which is there now
        names.append("snowflake")
        servers.up(ROOT, report, ["snowflake"])
        _take(servers.environment(ROOT, ["snowflake"]), own_values, marks)
    if names or marked:
        words = (f"{variable}:{mark}" for variable, mark in marks.items())
        os.environ["SEEDBED_EMBEDDED"] = " ".join([*names, *words])
        exempt = os.environ.get("NO_PROXY", "").split(",")
        if "127.0.0.1" not in exempt:
            os.environ["NO_PROXY"] = ",".join(filter(None, [*exempt, "127.0.0.1"]))


def start_source(report: Report) -> None:
    """Start the server of the demo's sources."""
    os.environ |= servers.up(ROOT, report, ["mariadb"])


def _mark(name: str, value: str) -> str:
    """A mark that identifies a value that `env` printed."""
    return hashlib.sha256(f"{name}={value}".encode()).hexdigest()[:16]


def _take(
    variables: Mapping[str, str],
    own_values: set[str],
    marks: dict[str, str],
    only: Collection[str] | None = None,
) -> None:
    """Set a server's variables except the user's own, and mark them.

    If the user has set some, variables that were unset (a password, say) stay unset.
    """
    has_own = not own_values.isdisjoint(variables)
    for name, value in variables.items():
        if only is not None and name not in only:
            continue
        gone = has_own and name in marks and not os.environ.get(name)
        marks[name] = _mark(name, value)
        if name not in own_values and not gone:
            os.environ[name] = value
