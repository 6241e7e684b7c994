"""Great Expectations without what the suites never touch: half of its import.

Its drivers of clouds and servers are optional to it: all that it sees is that a package
is missing.
What only charts and statistical expectations need are stand-ins that raise on any use,
so nothing can go wrong silently.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

STAND_INS = ("altair", "scipy", "scipy.stats")
HIDDEN = ("boto3", "botocore", "psycopg2", "pyspark", "sqlalchemy")
# Set where the light import has failed: then all is imported.
_WHOLE = "SEEDBED_GATE_IMPORTS_ALL"


class _StandIn(ModuleType):
    """A module that is there until something of it is used."""

    __path__: list[str] = []  # noqa: RUF012

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(
            f"{self.__name__}.{name} is not loaded in the gate's process"
        )


@contextmanager
def imports() -> Iterator[None]:
    """Within it Great Expectations is imported, lightly.

    Where that fails, as it may in another version, the program starts again and
    imports all: a part of an import can't be taken back.
    """
    is_whole = _WHOLE in os.environ
    mine = {} if is_whole else _modules()
    mine = {n: module for n, module in mine.items() if n not in sys.modules}
    sys.modules.update(mine)
    gc.disable()  # nothing that an import leaves is garbage
    try:
        yield
    except Exception:
        if is_whole:
            raise
        os.environ[_WHOLE] = "true"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    finally:
        for name in mine:
            del sys.modules[name]
        gc.freeze()
        gc.enable()


def _modules() -> dict[str, Any]:
    """What stands for modules that are not to be imported; None is a missing one."""
    found: dict[str, Any] = dict.fromkeys(HIDDEN)
    for name in STAND_INS:
        found[name] = module = _StandIn(name)
        module.__spec__ = ModuleSpec(name, None)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(found[parent], child, module)
    return found
