"""Quotients that are rounded: exact, as Snowflake's, whose quotients are decimals.

DuckDB divides decimals as doubles, so that 15.01 / 2 rounds to 7.50.
"""

from __future__ import annotations

from typing import Any

import fakesnow.transforms
from sqlglot import exp


def install() -> None:
    """Round quotients as decimals."""
    transform = fakesnow.transforms.float_to_double

    def float_to_double(node: Any) -> Any:
        out = transform(node)
        if isinstance(out, exp.Round) and isinstance(out.this, exp.Div):
            out.set("this", exp.cast(out.this, "decimal(38, 12)"))
        return out

    fakesnow.transforms.float_to_double = float_to_double
