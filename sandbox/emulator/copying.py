"""COPY INTO from the lake: S3 by s3fs, PATTERN, ON_ERROR and INCLUDE_METADATA."""

from __future__ import annotations

import re
import threading
from typing import Any

import fakesnow.copy_into
import fakesnow.cursor
from sqlglot import exp, parse_one

_METADATA = re.compile(r'(?i)"?(\w+)"?\s*=\s*"?(METADATA\$\w+)')
_statement = threading.local()


def install(store: Any) -> None:
    """Implement COPY INTO; `store` lists and reads the lake, None without one."""
    glob = fakesnow.copy_into._source_glob
    inserts = fakesnow.copy_into._inserts
    run = fakesnow.copy_into.copy_into

    def source_glob(source: str, engine: Any) -> list[str]:
        if store is not None and source.startswith("s3://"):
            urls = _listed(store, source)
        else:
            urls = glob(source, engine)
        pattern = getattr(_statement, "pattern", None)
        return sorted(
            url for url in urls if not pattern or re.fullmatch(pattern, _path(url))
        )

    def with_metadata(expression: Any, params: Any, urls: Any, info: Any = None) -> Any:
        out = inserts(expression, params, urls, info)
        for insert, url in zip(out, urls, strict=False):
            insert.set("this", insert.this.copy())
            _fill(insert.expression, url)
        return out

    def copy_into(
        engine: Any,
        database: Any,
        schema: Any,
        expression: Any,
        stages: Any,
        params: Any = None,
    ) -> Any:
        expression.set("params", _understood(expression.args.get("params") or []))
        return run(engine, database, schema, expression, stages, params)

    def read_expression(self: Any, url: str) -> Any:
        # Snowflake makes no columns of folders named key=value.
        flat = self.make_eq("hive_partitioning", False)
        return exp.func("read_parquet", self.file_literal(url), flat)

    fakesnow.copy_into.ReadParquet.read_expression = read_expression
    fakesnow.copy_into._source_glob = source_glob
    fakesnow.copy_into._inserts = with_metadata
    fakesnow.cursor.copy_into = copy_into


def _path(url: str) -> str:
    """The object's key: the URL without scheme and bucket."""
    return url.split("/", 3)[-1]


def _listed(store: Any, source: str) -> list[str]:
    """The URLs of all objects whose key starts with that of `source`."""
    store.invalidate_cache()
    bucket, _, prefix = source.removeprefix("s3://").partition("/")
    folder = prefix if prefix.endswith("/") or not prefix else prefix.rpartition("/")[0]
    found = store.find(f"{bucket}/{folder}", detail=True).values()
    return [
        f"s3://{entry['Key']}"
        for entry in found
        if entry["type"] == "file"
        and entry["size"]
        and entry["Key"].startswith(f"{bucket}/{prefix}")
    ]


def _understood(parameters: list[Any]) -> list[Any]:
    """Store the options that are handled here; return those that fakesnow has."""
    _statement.pattern, _statement.metadata = None, {}
    kept = []
    for parameter in parameters:
        name = parameter.this.name.upper()
        text = parameter.sql("snowflake")
        if name == "PATTERN":
            _statement.pattern = parameter.expression.name
        elif name == "INCLUDE_METADATA":
            _statement.metadata = {
                column.upper(): what.upper() for column, what in _METADATA.findall(text)
            }
        elif name == "ON_ERROR" or (name == "FORCE" and text.upper().endswith("FALSE")):
            continue
        else:
            kept.append(parameter)
    return kept


def _fill(select: Any, url: str) -> None:
    """Replace the metadata columns by the file's values."""
    for item in list(select.expressions):
        if isinstance(item, exp.Alias) and isinstance(item.this, exp.Null):
            if what := _statement.metadata.get(item.alias.upper()):
                item.set("this", _metadata(what, url))
    select.set(
        "expressions",
        [
            item.copy().transform(
                lambda node: (
                    _metadata(node.name, url)
                    if isinstance(node, exp.Column)
                    and node.name.upper().startswith("METADATA$")
                    else node
                )
            )
            for item in select.expressions
        ],
    )


def _metadata(name: str, url: str) -> Any:
    match name.upper():
        case "METADATA$FILENAME":
            return exp.Literal.string(_path(url))
        case "METADATA$START_SCAN_TIME":
            return parse_one("now()", read="duckdb")
        case "METADATA$FILE_ROW_NUMBER":
            return parse_one("row_number() over ()", read="duckdb")
    return exp.Null()
