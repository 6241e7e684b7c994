"""Wide numbers, sums and quotients: exact, as Snowflake's, which are decimals.

fakesnow makes number(38, 0) 64 bits wide and sums doubles, and DuckDB divides decimals
as doubles, so that 15.01 / 2 rounds to 7.50.
"""

from __future__ import annotations

from typing import Any

import fakesnow.transforms
from sqlglot import exp


def install() -> None:
    """Keep 38 digits, sum decimals as they are, and round quotients as decimals."""
    narrow = fakesnow.transforms.integer_precision
    of_texts = fakesnow.transforms.numeric_agg_implicit_cast
    transform = fakesnow.transforms.float_to_double

    def integer_precision(node: Any) -> Any:
        is_wide = isinstance(node, exp.DataType) and node.expressions
        return node if is_wide else narrow(node)

    def numeric_agg_implicit_cast(node: Any) -> Any:
        return node if isinstance(node, exp.Sum) else of_texts(node)

    def float_to_double(node: Any) -> Any:
        out = transform(node)
        if isinstance(out, exp.Round) and isinstance(out.this, exp.Div):
            out.set("this", exp.cast(out.this, "decimal(38, 12)"))
        return out

    fakesnow.transforms.integer_precision = integer_precision
    fakesnow.transforms.numeric_agg_implicit_cast = numeric_agg_implicit_cast
    fakesnow.transforms.float_to_double = float_to_double
