"""The sandbox: embedded servers, their commands and the demo.

Nothing else of the product imports it, so that the product runs with the folder
deleted, against the servers that the environment names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType

import click

from ingest.errors import ConfigurationError


def services() -> ModuleType | None:
    """`sandbox.services`, or None where there is no sandbox."""
    return _find("sandbox.services")


def servers() -> ModuleType:
    """`sandbox.servers`; ConfigurationError where there is no sandbox."""
    if (found := _find("sandbox.servers")) is None:
        raise ConfigurationError(
            "the embedded servers are in the folder sandbox/, which is not here.",
            "Get the folder from Seedbed's repository, or set the variables of your "
            "own servers (.env.example).",
        )
    return found


def commands() -> Mapping[str, Sequence[click.Command]]:
    """The sandbox's commands, by their group in the help."""
    found = _find("sandbox.cli")
    groups: Mapping[str, Sequence[click.Command]] = found.GROUPS if found else {}
    return groups


def _find(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name in ("sandbox", name):
            return None
        raise
