"""Servers of the sandbox for what the environment does not name.

Their variables are set as a person's own would be, with marks by which they are known
again: what differs from its mark is a person's own since.
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


def start(missing: Collection[str], target: str | None, report: Report) -> None:
    """Bring up the servers that the environment doesn't replace.

    `missing` are the demo's sources that are needed and not named. Target snowflake
    without an account gets the emulator.
    """
    # What an earlier `env` exported is ours to bring up to date; what differs from
    # it is a person's own since.
    told = os.environ.get("SEEDBED_EMBEDDED", "").split()
    marks = dict(word.split(":", 1) for word in told if ":" in word)
    own_values = {
        name
        for name, mark in marks.items()
        if (value := os.environ.get(name)) and _mark(name, value) != mark
    }
    known = [name for name in told if _is_ours(name, own_values)]
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
            # One source may be the person's own, and the other the sandbox's.
            only = missing if name == "mariadb" and name not in known else None
            _take(servers.environment(ROOT, [name]), own_values, marks, only)
    if emulated:  # it reads the store, which is there now
        names.append("snowflake")
        servers.up(ROOT, report, ["snowflake"])
        _take(servers.environment(ROOT, ["snowflake"]), own_values, marks)
    if names or told:
        words = (f"{variable}:{mark}" for variable, mark in marks.items())
        os.environ["SEEDBED_EMBEDDED"] = " ".join([*names, *words])
        exempt = os.environ.get("NO_PROXY", "").split(",")
        if "127.0.0.1" not in exempt:
            os.environ["NO_PROXY"] = ",".join(filter(None, [*exempt, "127.0.0.1"]))


def start_source(report: Report) -> None:
    """Bring up the server of the demo's sources."""
    os.environ |= servers.up(ROOT, report, ["mariadb"])


# The variable of each server that says where it is: with one of a person's own the
# whole server is another.
_PLACES = {
    "postgres": {"PGHOST"},
    "mariadb": set(SOURCES),
    "s3": {"SEEDBED_LAKE"},
    "snowflake": {"SNOWFLAKE_ACCOUNT"},
}


def _is_ours(name: str, own_values: set[str]) -> bool:
    return name in _PLACES and not _PLACES[name] <= own_values


def _mark(name: str, value: str) -> str:
    """By which a value is known again that `env` printed."""
    return hashlib.sha256(f"{name}={value}".encode()).hexdigest()[:16]


def _take(
    variables: Mapping[str, str],
    own_values: set[str],
    marks: dict[str, str],
    only: Collection[str] | None = None,
) -> None:
    """Set a server's variables but for a person's own, and mark what was set.

    Where there are such, what the person took away (a password, say) stays away.
    """
    has_own = not own_values.isdisjoint(variables)
    for name, value in variables.items():
        if only is not None and name not in only:
            continue
        gone = has_own and name in marks and not os.environ.get(name)
        marks[name] = _mark(name, value)
        if name not in own_values and not gone:
            os.environ[name] = value
