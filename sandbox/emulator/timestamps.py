"""Timestamps in results: fakesnow shows NULL as 1970-01-01."""

from __future__ import annotations

from typing import Any

import fakesnow.arrow
import pyarrow


def install() -> None:
    """Keep the NULLs of timestamps."""
    convert = fakesnow.arrow.timestamp_to_sf_struct

    def timestamp_to_sf_struct(column: Any) -> Any:
        if isinstance(column, pyarrow.ChunkedArray):
            column = column.combine_chunks()
        out = convert(column)
        if not column.null_count:
            return out
        fields = [field.fill_null(0) for field in out.flatten()]
        return pyarrow.StructArray.from_arrays(
            fields, fields=list(out.type), mask=column.is_null()
        )

    fakesnow.arrow.timestamp_to_sf_struct = timestamp_to_sf_struct
