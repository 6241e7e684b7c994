"""Facts that stand in a YAML file beside the module that uses them."""

from pathlib import Path
from typing import Any

import yaml

# The C one reads ten times as fast, and each command starts with it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def facts(module: str) -> Any:
    """What the file of a module's name says; `module` is its `__file__`."""
    text = Path(module).with_suffix(".yml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=_LOADER)
