"""Wide numbers and sums: exact, as Snowflake's, which are decimals.

fakesnow makes number(38, 0) 64 bits wide and sums doubles.
"""

from __future__ import annotations

from typing import Any

import fakesnow.transforms
from sqlglot import exp


def install() -> None:
    """Keep 38 digits, and sum decimals as they are."""
    narrow = fakesnow.transforms.integer_precision
    of_texts = fakesnow.transforms.numeric_agg_implicit_cast

    def integer_precision(node: Any) -> Any:
        is_wide = isinstance(node, exp.DataType) and node.expressions
        return node if is_wide else narrow(node)

    def numeric_agg_implicit_cast(node: Any) -> Any:
        return node if isinstance(node, exp.Sum) else of_texts(node)

    fakesnow.transforms.integer_precision = integer_precision
    fakesnow.transforms.numeric_agg_implicit_cast = numeric_agg_implicit_cast
