"""Column lineage: what each column of a model comes from.

It is read from the SQL that dbt compiled, when a build is done, and kept in a file, as
a later build's manifest has only what that build compiled. A model whose SQL has not
changed is not read again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ingest import runlog, settings

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.lineage import Node

Json = dict[str, Any]

IDENTITY, TRANSFORMATION, AGGREGATION = "IDENTITY", "TRANSFORMATION", "AGGREGATION"
_RANK = (IDENTITY, TRANSFORMATION, AGGREGATION)


def strongest(kinds: Iterable[str]) -> str:
    """Of several ways that a column is made in, the one that changes most."""
    return max(kinds, key=_RANK.index)


class Origin(NamedTuple):
    """A column that another is made from: `node` is its relation's id in dbt.

    `kind` is IDENTITY where it is taken over as it is, AGGREGATION where many of its
    values make one, else TRANSFORMATION.
    """

    node: str
    column: str
    kind: str


Columns = dict[str, list[Origin]]


def _file() -> Path:
    return settings.ROOT / ".seedbed" / "lineage" / "columns.json"


def known() -> dict[str, Columns]:
    """By a model's id, and there by column, where it comes from; in order."""
    return {
        node: {
            column: [Origin(*origin) for origin in origins]
            for column, origins in kept["columns"].items()
        }
        for node, kept in _read().items()
    }


def keep(manifest: Json) -> None:
    """Keep what the manifest's compiled models say. No fault of it is one of a run."""
    try:
        before = _read()
        now = {n: kept for n, kept in before.items() if n in manifest["nodes"]}
        schema = _Schema(manifest)
        for node_id, node in manifest["nodes"].items():
            code = node.get("compiled_code")
            if node["resource_type"] not in ("model", "snapshot") or not code:
                continue
            # Numbers in it say which rows are due, and so change with each build.
            plain = re.sub(r"\d+", "0", code) + json.dumps(sorted(node["columns"]))
            mark = hashlib.sha256(plain.encode()).hexdigest()
            if now.get(node_id, {}).get("mark") != mark:
                columns = schema.columns_of(node_id, code)
                now[node_id] = {"mark": mark, "columns": columns}
        if now != before:
            _file().parent.mkdir(parents=True, exist_ok=True)
            draft = _file().with_suffix(".draft")
            draft.write_text(json.dumps(now, indent=1, sort_keys=True))
            draft.rename(_file())
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        runlog.write("lineage.failed", level="error", error=said)


def _read() -> Json:
    try:
        found: Json = json.loads(_file().read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


class _Schema:
    """The relations of a manifest, and what their columns are called."""

    def __init__(self, manifest: Json) -> None:
        self._dialect = manifest["metadata"]["adapter_type"]
        self._ids: dict[tuple[str, str], str] = {}
        self._columns: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
        self._every = manifest["nodes"] | manifest["sources"]
        for node_id, node in self._every.items():
            if node["resource_type"] in ("model", "snapshot", "source"):
                name = node.get("identifier") or node["alias"]
                self._ids[node["schema"], name] = node_id
                columns = node["columns"].values()
                if kinds := {c["name"]: c.get("data_type") or "text" for c in columns}:
                    database = self._columns.setdefault(node["database"], {})
                    database.setdefault(node["schema"], {})[name] = kinds

    def columns_of(self, node_id: str, code: str) -> Columns:
        """What the SQL's columns come from; nothing where they can't be followed."""
        import sqlglot
        from sqlglot import exp
        from sqlglot.errors import SqlglotError
        from sqlglot.lineage import lineage

        def without_control_tables(part: exp.Expr) -> exp.Expr:
            """They decide which rows are read, not what is in a column."""
            is_value = isinstance(part, exp.Subquery) and not isinstance(
                part.parent, exp.From | exp.Join
            )
            is_one = is_value and any(t.db == "audit" for t in part.find_all(exp.Table))
            return exp.null() if is_one else part

        try:
            tree = sqlglot.parse_one(code, dialect=self._dialect)
            nodes = lineage(
                None,
                tree.transform(without_control_tables),
                self._columns,
                dialect=self._dialect,
                trim_selects=False,
                allow_partial_qualification=True,
            )
        except SqlglotError as error:
            runlog.write(
                "lineage.unread", level="warning", model=node_id, error=str(error)
            )
            return {}
        found = {}
        for name, top in nodes.items():
            origins: dict[tuple[str, str], str] = {}
            for node, column, kind in self._leaves(top, IDENTITY):
                if node != node_id:
                    known = origins.get((node, column), IDENTITY)
                    origins[node, column] = strongest((kind, known))
            found[name] = sorted(
                Origin(*place, kind) for place, kind in origins.items()
            ) or self._described(node_id, name)
        return {name: origins for name, origins in found.items() if origins}

    def _described(self, node_id: str, column: str) -> list[Origin]:
        """What the seed says of a column whose cleansing is too involved to follow.

        A generated model takes its columns over from what it reads.
        """
        node = self._every[node_id]
        above = node["depends_on"]["nodes"]
        if "generated" not in node["original_file_path"] or len(above) != 1:
            return []
        is_there = column in self._every[above[0]]["columns"]
        return [Origin(above[0], column, TRANSFORMATION)] if is_there else []

    def _leaves(self, node: Node, kind: str) -> Iterator[Origin]:
        from sqlglot import exp

        if isinstance(node.expression, exp.Table):
            table = node.expression
            column = node.name.rpartition(".")[2].strip('"')
            if origin := self._ids.get((table.db, table.name)):
                yield Origin(origin, column, kind)
            return
        kind = strongest((kind, _kind(node.expression)))
        for below in node.downstream:
            yield from self._leaves(below, kind)


def _kind(expression: exp.Expr) -> str:
    """What an expression makes of the columns that it reads."""
    from sqlglot import exp

    if expression.find(exp.AggFunc, exp.Window):
        return AGGREGATION
    is_plain = isinstance(expression.unalias(), exp.Column)
    return IDENTITY if is_plain else TRANSFORMATION
