"""Facts that stand in a YAML file beside the module that uses them."""

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import yaml

# The C one reads ten times as fast, and each command starts with it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def facts(module: str) -> Any:
    """What the file of a module's name says; `module` is its `__file__`."""
    text = Path(module).with_suffix(".yml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=_LOADER)


def filled(shape: Any, values: Mapping[str, Any]) -> Any:
    """A node of YAML with values in the place of each `$name`.

    A key whose value is None, or is not among them, is left out. They are taken as they
    are: a `$` in one stands for itself.
    """
    match shape:
        case dict():
            found = {key: filled(part, values) for key, part in shape.items()}
            return {key: part for key, part in found.items() if part is not None}
        case list():
            return [filled(part, values) for part in shape]
        case str() if shape.startswith("$") and shape[1:].isidentifier():
            value = values.get(shape[1:])
            # Of a list that is there twice YAML would write a reference.
            return [*value] if isinstance(value, list) else value
        case str():
            return Template(shape).substitute(values)
    return shape
