"""The checks that a rule of the seed can name: a class each, with all it means.

A rule is a row of `seeds/metadata/rules.csv`. In the layer `gate` it is checked on
the rows of a batch before they are released, in the layer `model` by dbt on what
was built of all released rows.

A subclass of `Check` in a file of this folder is a check: nothing else lists it.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from ingest.seed.checks.base import KINDS, LAYERS, Check, Model, Sql

__all__ = ["CHECKS", "LAYERS", "Check", "Model", "Sql"]


for _file in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_file.name}")

CHECKS: dict[str, type[Check[Any]]] = dict(sorted(KINDS.items()))
