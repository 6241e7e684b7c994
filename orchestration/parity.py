"""Parity: whether Snowflake shows what Postgres shows, model by model.

Both warehouses are asked for the same few numbers of each relation in silver and
gold (the macro `fingerprint`): rows, keys, and a fingerprint of each column and of the
rows as a whole. Only where they differ are keys fetched, and only those of buckets
that differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from rich.console import Console
from rich.markup import escape

from ingest import control
from ingest.errors import SeedbedError
from orchestration import artifacts, build, publish, snowflake
from orchestration.build import Report
from orchestration.display import plain_grid

LAYERS = ("silver", "gold")
SHOWN = 10
# What dbt's adapters make differently by design.
_OF_DBT = {"dbt_scd_id"}
# Hashed beside the columns: the rows, and their keys.
_ROW, _KEY = "_hash_of_row", "_hash_of_key"
_Place = tuple[str, str]


@dataclass(frozen=True)
class Relation:
    """A relation that both sides have: its columns by name with Postgres's types.

    `buckets` are those of its keys that alone are looked at; empty for all.
    """

    layer: str
    name: str
    columns: dict[str, str]
    key: tuple[str, ...]
    buckets: tuple[str, ...] = ()


@dataclass
class Comparison:
    """The result of comparing a relation; it `differs` where there is any fault."""

    layer: str
    name: str
    rows: tuple[int, int] = (0, 0)
    keys: tuple[int, int] = (0, 0)
    columns: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether the two sides are not the same."""
        return bool(self.faults)


@dataclass(frozen=True)
class Numbers:
    """What a warehouse answers of some rows; `key` names them where it is one key.

    `sums` are those of hashes: of the rows, of the keys, and of each column.
    """

    key: str = field(compare=False)
    rows: int
    keys: int
    sums: dict[str, int]

    def unlike(self, other: Numbers) -> list[str]:
        """What has another sum."""
        return [name for name in self.sums if self.sums[name] != other.sums[name]]


@dataclass(frozen=True)
class Side:
    """A warehouse, by the target that dbt knows it as; `name` is shown."""

    name: str
    target: str
    database: str
    cursor: Any

    def columns(self) -> dict[_Place, dict[str, str]]:
        """The columns with their types, by layer and relation."""
        layers = {build.schema_of(layer): layer for layer in LAYERS}
        self.cursor.execute(
            "select lower(table_schema), lower(table_name), lower(column_name), "
            f"data_type from {self.database}.information_schema.columns "
            f"where lower(table_schema) in {tuple(layers)} "
            "order by table_name, ordinal_position"
        )
        found: dict[_Place, dict[str, str]] = {}
        for schema, table, column, kind in self.cursor.fetchall():
            if "__dbt_" not in table:
                found.setdefault((layers[schema], table), {})[column] = kind
        return found

    def ask(
        self, relations: Sequence[Relation], report: Report, by: str
    ) -> Iterator[dict[str, Numbers]]:
        """What the macro `fingerprint` says of each relation, by its groups."""
        arguments = {"relations": list(map(asdict, relations)), "by": by}
        queries = build.rendered("fingerprints", self.target, report, arguments)
        for relation, query in zip(relations, json.loads(queries), strict=True):
            self.cursor.execute(query)
            names = (_ROW, _KEY, *relation.columns)[: 1 if by == "bucket" else None]
            yield {
                group: Numbers(
                    key,
                    int(rows),
                    int(keys),
                    dict(zip(names, map(int, sums), strict=True)),
                )
                for group, key, rows, keys, *sums in self.cursor.fetchall()
            }


def run(report: Report = lambda line: None) -> list[Comparison]:
    """Compare every relation of silver and gold; nothing is changed."""
    with control.connect() as here, snowflake.connect() as there:
        control.prepare(here)
        name, database = snowflake.target(), snowflake.database()
        sides = (
            Side("postgres", "postgres", f'"{here.info.dbname}"', here.cursor()),
            Side(name, publish.TARGET, database, there.cursor()),
        )
        compared, shared = _listed(sides)
        _compare(sides, shared, compared, report)
    return list(compared.values())


def _listed(
    sides: tuple[Side, Side],
) -> tuple[dict[_Place, Comparison], list[Relation]]:
    """All relations in the order of the layers, and those that both sides have."""
    ours, theirs = (side.columns() for side in sides)
    if not ours and not theirs:
        raise SeedbedError(
            "there is nothing to compare: neither warehouse has a model in silver or "
            "gold.",
            "Type `./seedbed run`, then `./seedbed publish`.",
        )
    keys = _keys()
    compared, shared = {}, []
    for place in sorted({*ours, *theirs}, key=lambda p: (LAYERS.index(p[0]), p[1])):
        layer, name = place
        found = compared[place] = Comparison(layer, name)
        left, right = ours.get(place), theirs.get(place)
        if left is None or right is None:
            missing = sides[0 if left is None else 1].name
            found.faults.append(f"{missing} has no {layer}.{name}")
            continue
        odd = ({*left} ^ {*right}) - _OF_DBT
        found.faults += [f"column {column} is on one side" for column in odd]
        columns = {c: left[c] for c in left if c in right and c not in _OF_DBT}
        key = tuple(c for c in keys.get(name, ()) if c in columns)
        shared.append(Relation(layer, name, columns, key or tuple(columns)))
    return compared, shared


def _keys() -> dict[str, tuple[str, ...]]:
    """The key of each model, as its configuration or else its first test says."""
    configured: dict[str, tuple[str, ...]] = {}
    tested: dict[str, tuple[str, ...]] = {}
    for node in artifacts.nodes(artifacts.folder("postgres")).values():
        test = node.get("test_metadata") or {}
        model = (node.get("attached_node") or "").rpartition(".")[2]
        if test.get("name") == "unique":
            tested.setdefault(model, (node["column_name"],))
        elif test.get("name") == "unique_combination_of_columns":
            tested.setdefault(model, tuple(test["kwargs"]["combination_of_columns"]))
        elif test.get("name") == "consistent_history":
            tested.setdefault(model, (*test["kwargs"]["key"], "version"))
        elif node["resource_type"] in ("model", "snapshot"):
            unique = node["config"].get("unique_key") or ()
            key = (unique,) if isinstance(unique, str) else tuple(unique)
            if key and "version" in node["columns"]:
                key = (*key, "version")
            if node["resource_type"] == "snapshot":
                key = (*key, "dbt_valid_from")
            if key:
                configured.setdefault(node["name"], key)
    return tested | configured


def _compare(
    sides: tuple[Side, Side],
    relations: Sequence[Relation],
    compared: dict[_Place, Comparison],
    report: Report,
) -> None:
    """Add to the comparisons what is different on the two sides."""

    def asked(
        of: Sequence[Relation], by: str = ""
    ) -> Iterator[tuple[Relation, dict[str, Numbers], dict[str, Numbers]]]:
        return zip(of, *(side.ask(of, report, by) for side in sides), strict=True)

    differing, suspects = [], []
    for relation, ours, theirs in asked(relations):
        report(f"parity: {relation.layer}.{relation.name}")
        if _judge(ours[""], theirs[""], compared[relation.layer, relation.name]):
            differing.append(relation)
    if not differing:
        return
    for relation, ours, theirs in asked(differing, "bucket"):
        if buckets := _unlike(ours, theirs):
            suspects.append(replace(relation, buckets=tuple(buckets)))
    for relation, ours, theirs in asked(suspects, "key"):
        compared[relation.layer, relation.name].differing = [
            _shown(sides, key, ours.get(key), theirs.get(key))
            for key in _unlike(ours, theirs)
        ]


def _judge(ours: Numbers, theirs: Numbers, found: Comparison) -> bool:
    """Note what the numbers say; return whether there are rows that differ."""
    differ = ours.unlike(theirs)
    found.rows, found.keys = (ours.rows, theirs.rows), (ours.keys, theirs.keys)
    found.columns = [name for name in differ if name not in (_ROW, _KEY)]
    if ours.rows != theirs.rows:
        found.faults.append(f"{ours.rows:,} rows and {theirs.rows:,}")
    if _KEY in differ or ours.keys != theirs.keys:
        found.faults.append(f"{ours.keys:,} keys and {theirs.keys:,}, not the same")
    if found.columns:
        found.faults.append(f"other values in {', '.join(found.columns)}")
    elif _ROW in differ and not found.faults:
        found.faults.append("the same values, in other rows")
    return bool(differ)


def _unlike(ours: dict[str, Numbers], theirs: dict[str, Numbers]) -> list[str]:
    """The first groups in which the two sides differ."""
    groups = sorted({*ours, *theirs})
    return [g for g in groups if ours.get(g) != theirs.get(g)][:SHOWN]


def _shown(
    sides: tuple[Side, Side], group: str, left: Numbers | None, right: Numbers | None
) -> str:
    """A key whose rows differ, as a text: `order_id=7 (amount)`.

    Only keys and names of columns are shown: values may be anybody's.
    """
    one = left or right
    assert one
    if left and right:
        what = ", ".join(n for n in left.unlike(right) if n not in (_ROW, _KEY))
    else:
        what = f"not on {sides[1 if left else 0].name}"
    return f"{one.key or group} ({what})"


def as_json(compared: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Plain data for `--json`."""
    target = snowflake.target()
    return [asdict(c) | {"target": target, "differs": c.differs} for c in compared]


def show(compared: Sequence[Comparison], console: Console) -> None:
    """Print a line for each relation, then what differs."""
    target = snowflake.target()
    grid = plain_grid("model", ">rows", f">{target}", ">keys", ">columns", "")
    for found in compared:
        grid.add_row(
            f"{found.layer}.{found.name}",
            f"{found.rows[0]:,}",
            f"{found.rows[1]:,}",
            f"{found.keys[0]:,}",
            f"{len(found.columns)} differ" if found.columns else "",
            "[red]differs[/]" if found.differs else "[green]same[/]",
        )
    console.print(grid)
    wrong = [found for found in compared if found.differs]
    for found in wrong:
        shown = "; ".join(found.faults)
        if found.differing:
            shown += f". Rows that differ: {'; '.join(found.differing)}"
        text = f"[red]{found.layer}.{found.name}[/]: {escape(shown)}"
        console.print(text, soft_wrap=True)
    verdict = f"[green]{len(compared)} relations are the same[/]"
    if wrong:
        verdict = f"[red]{len(wrong)} of {len(compared)} relations differ[/]"
    console.print(f"parity   postgres and {target}: {verdict}", soft_wrap=True)
