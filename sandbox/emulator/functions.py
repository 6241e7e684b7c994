"""Functions of Snowflake's that fakesnow lacks, or has for fewer types.

TO_JSON's sorted keys, hex numbers, the bytes of a text.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import fakesnow.transforms
from sqlglot import exp

_TO_JSON = "emulated_to_json"


def install(engine: Any) -> None:
    """Make the functions known to the engine and to fakesnow's translation."""
    engine.create_function(_TO_JSON, to_json, ["varchar"], "varchar")
    transform = fakesnow.transforms.to_decimal

    def to_decimal(node: Any) -> Any:
        if isinstance(node, exp.ToNumber) and _is_hex(node.args.get("format")):
            hexadecimal = exp.func("concat", exp.Literal.string("0x"), node.this)
            return exp.cast(hexadecimal, "bigint")
        if isinstance(node, exp.JSONFormat):
            return exp.func(_TO_JSON, exp.cast(node.this, "varchar"))
        if isinstance(node, exp.ByteLength):  # DuckDB's is for bytes alone
            text = exp.cast(node.this, "varchar")
            return exp.Anonymous(this="strlen", expressions=[text])
        return transform(node)

    fakesnow.transforms.to_decimal = to_decimal


def _is_hex(form: Any) -> bool:
    return isinstance(form, exp.Literal) and {*form.name} == {"X"}


def to_json(text: str) -> str:
    """The JSON with its keys sorted, no blanks, and no zeros at a number's end."""
    return _written(json.loads(text, parse_float=Decimal, parse_int=Decimal))


def _written(value: Any) -> str:
    if isinstance(value, dict):
        members = (f"{_written(key)}:{_written(value[key])}" for key in sorted(value))
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, Decimal):
        plain = format(value, "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    return json.dumps(value, ensure_ascii=False)
