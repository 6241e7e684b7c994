"""Parquet files: Snowflake makes no columns of folders named key=value."""

from __future__ import annotations

from typing import Any

from fakesnow.copy_into import ReadParquet
from sqlglot import exp


def install() -> None:
    """Read a file's own columns alone."""

    def read_expression(self: Any, url: str) -> Any:
        own = self.make_eq("hive_partitioning", False)
        return exp.func("read_parquet", self.file_literal(url), own)

    ReadParquet.read_expression = read_expression
