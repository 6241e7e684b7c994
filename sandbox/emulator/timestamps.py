"""Timestamps in results: fakesnow shows NULL as 1970-01-01."""

from __future__ import annotations

from typing import Any

import fakesnow.arrow
import pyarrow
from pyarrow import compute


def install() -> None:
    """Keep the NULLs of timestamps."""
    convert = fakesnow.arrow.timestamp_to_sf_struct

    def timestamp_to_sf_struct(column: Any) -> Any:
        out = convert(column)
        return compute.if_else(column.is_valid(), out, pyarrow.scalar(None, out.type))

    fakesnow.arrow.timestamp_to_sf_struct = timestamp_to_sf_struct
