"""Sums and quotients: exact, as Snowflake's, which are decimals.

fakesnow sums doubles, and DuckDB divides decimals as doubles, so that 15.01 / 2
rounds to 7.50.
"""

from __future__ import annotations

from typing import Any

import fakesnow.transforms
from sqlglot import exp


def install() -> None:
    """Sum decimals as they are, and round quotients as decimals."""
    of_texts = fakesnow.transforms.numeric_agg_implicit_cast
    transform = fakesnow.transforms.float_to_double

    def numeric_agg_implicit_cast(node: Any) -> Any:
        return node if isinstance(node, exp.Sum) else of_texts(node)

    def float_to_double(node: Any) -> Any:
        out = transform(node)
        if isinstance(out, exp.Round) and isinstance(out.this, exp.Div):
            out.set("this", exp.cast(out.this, "decimal(38, 12)"))
        return out

    fakesnow.transforms.numeric_agg_implicit_cast = numeric_agg_implicit_cast
    fakesnow.transforms.float_to_double = float_to_double
