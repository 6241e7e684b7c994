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
_OF_DBT = frozenset({"dbt_scd_id"})
_Columns = dict[tuple[str, str], dict[str, str]]


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
    """What a warehouse answers of some rows; `key` names them where it is one key."""

    key: str = field(compare=False)
    rows: int
    keys: int
    sums: tuple[int, ...]


@dataclass(frozen=True)
class Side:
    """A warehouse, by the target that dbt knows it as; `name` is shown."""

    name: str
    target: str
    database: str
    cursor: Any

    def columns(self) -> _Columns:
        """The columns with their types, by layer and relation."""
        layers = {build.schema_of(layer): layer for layer in LAYERS}
        self.cursor.execute(
            "select lower(table_schema), lower(table_name), lower(column_name), "
            f"data_type from {self.database}.information_schema.columns "
            f"where lower(table_schema) in {tuple(layers)} "
            "order by table_name, ordinal_position"
        )
        found: _Columns = {}
        for schema, table, column, kind in self.cursor.fetchall():
            if "__dbt_" not in table:
                found.setdefault((layers[schema], table), {})[column] = kind
        return found

    def ask(
        self, relations: Sequence[Relation], report: Report, by: str = ""
    ) -> Iterator[dict[str, Numbers]]:
        """What the macro `fingerprint` says of each relation, by its groups."""
        arguments = {"relations": list(map(asdict, relations)), "by": by}
        queries = build.rendered("fingerprints", self.target, report, arguments)
        for query in json.loads(queries):
            self.cursor.execute(query)
            yield {
                group: Numbers(key, int(rows), int(keys), tuple(map(int, sums)))
                for group, key, rows, keys, *sums in self.cursor.fetchall()
            }


# -- comparing ------------------------------------------------------------------


def run(report: Report = lambda line: None) -> list[Comparison]:
    """Compare every relation of silver and gold; nothing is changed."""
    with control.connect() as here, snowflake.connect() as there:
        control.prepare(here)
        sides = (
            Side("postgres", "postgres", f'"{here.info.dbname}"', here.cursor()),
            Side(
                snowflake.target(), publish.TARGET, snowflake.database(), there.cursor()
            ),
        )
        ours, theirs = (side.columns() for side in sides)
        places = sorted({*ours} | {*theirs}, key=_position)
        compared = {place: Comparison(*place) for place in places}
        if not compared:
            raise SeedbedError(
                "there is nothing to compare: neither warehouse has a model in silver "
                "or gold.",
                "Type `./seedbed run`, then `./seedbed publish`.",
            )
        shared = []
        keys = _keys()
        for (layer, name), found in compared.items():
            left, right = ours.get((layer, name)), theirs.get((layer, name))
            if left is None or right is None:
                missing = sides[0 if left is None else 1].name
                found.faults.append(f"{missing} has no {layer}.{name}")
                continue
            odd = ({*left} ^ {*right}) - _OF_DBT
            found.faults += [f"column {column} is on one side" for column in odd]
            columns = {c: left[c] for c in left if c in right and c not in _OF_DBT}
            key = tuple(c for c in keys.get(name, ()) if c in columns)
            shared.append(Relation(layer, name, columns, key or tuple(columns)))
        _compare(sides, shared, compared, report)
    return list(compared.values())


def _position(place: tuple[str, str]) -> tuple[int, str]:
    return LAYERS.index(place[0]), place[1]


def _keys() -> dict[str, tuple[str, ...]]:
    """The key of each model, as its tests or its configuration say."""
    nodes = artifacts.nodes(artifacts.folder("postgres")).values()
    keys: dict[str, tuple[str, ...]] = {}
    for node in nodes:
        if node["resource_type"] in ("model", "snapshot"):
            unique = node["config"].get("unique_key") or ()
            key = (unique,) if isinstance(unique, str) else tuple(unique)
            if key and "version" in node["columns"]:
                key = (*key, "version")
            if node["resource_type"] == "snapshot":
                key = (*key, "dbt_valid_from")
            if key and node["name"] not in keys:
                keys[node["name"]] = key
    for node in nodes:
        test = node.get("test_metadata") or {}
        model = (node.get("attached_node") or "").rpartition(".")[2]
        if not model or keys.get(model):
            continue
        if test.get("name") == "unique":
            keys[model] = (node["column_name"],)
        elif test.get("name") == "unique_combination_of_columns":
            keys[model] = tuple(test["kwargs"]["combination_of_columns"])
        elif test.get("name") == "consistent_history":
            keys[model] = (*test["kwargs"]["key"], "version")
    return keys


def _compare(
    sides: tuple[Side, Side],
    relations: Sequence[Relation],
    compared: dict[tuple[str, str], Comparison],
    report: Report,
) -> None:
    """Add to the comparisons what is different on the two sides."""
    answers = zip(*(side.ask(relations, report) for side in sides), strict=True)
    differing = []
    for relation, (ours, theirs) in zip(relations, answers, strict=True):
        report(f"parity: {relation.layer}.{relation.name}")
        found = compared[relation.layer, relation.name]
        if _judge(relation, ours[""], theirs[""], found):
            differing.append(relation)
    if not differing:
        return
    suspects = [
        replace(relation, buckets=tuple(unlike)[:SHOWN])
        for relation, unlike in _unlike(sides, differing, report, "bucket")
        if unlike
    ]
    for relation, unlike in _unlike(sides, suspects, report, "key"):
        compared[relation.layer, relation.name].differing = [
            _shown(sides, relation, key, *pair)
            for key, pair in [*unlike.items()][:SHOWN]
        ]


def _judge(
    relation: Relation, ours: Numbers, theirs: Numbers, found: Comparison
) -> bool:
    """Note what the numbers say; return whether there are rows that differ."""
    names = ["_hash_of_row", "_hash_of_key", *relation.columns]
    pairs = zip(names, ours.sums, theirs.sums, strict=True)
    differ = [name for name, left, right in pairs if left != right]
    found.rows = ours.rows, theirs.rows
    found.keys = ours.keys, theirs.keys
    found.columns = [name for name in differ if name in relation.columns]
    if ours.rows != theirs.rows:
        found.faults.append(f"{ours.rows:,} rows and {theirs.rows:,}")
    if "_hash_of_key" in differ or ours.keys != theirs.keys:
        found.faults.append(f"{ours.keys:,} keys and {theirs.keys:,}, not the same")
    if found.columns:
        found.faults.append(f"other values in {', '.join(found.columns)}")
    elif "_hash_of_row" in differ and not found.faults:
        found.faults.append("the same values, in other rows")
    return bool(differ)


def _unlike(
    sides: tuple[Side, Side], relations: Sequence[Relation], report: Report, by: str
) -> Iterator[tuple[Relation, dict[str, tuple[Numbers | None, Numbers | None]]]]:
    """The groups of each relation in which the two sides differ, and how."""
    answers = zip(*(side.ask(relations, report, by) for side in sides), strict=True)
    for relation, (ours, theirs) in zip(relations, answers, strict=True):
        groups = sorted({*ours, *theirs})
        pairs = {group: (ours.get(group), theirs.get(group)) for group in groups}
        yield (
            relation,
            {g: (one, other) for g, (one, other) in pairs.items() if one != other},
        )


def _shown(
    sides: tuple[Side, Side],
    relation: Relation,
    group: str,
    left: Numbers | None,
    right: Numbers | None,
) -> str:
    """A key whose rows differ, as a text: `order_id=7 (amount)`.

    Only keys and names of columns are shown: values may be anybody's.
    """
    if left is None or right is None:
        what = f"not on {sides[0].name if left is None else sides[1].name}"
    else:
        names = ("", "", *relation.columns)
        pairs = zip(names, left.sums, right.sums, strict=True)
        what = ", ".join(name for name, one, other in pairs if name and one != other)
    one = left or right
    assert one
    return f"{one.key or group} ({what})"


# -- output ---------------------------------------------------------------------


def as_json(compared: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Plain data for `--json`."""
    target = snowflake.target()
    return [asdict(c) | {"target": target, "differs": c.differs} for c in compared]


def show(compared: Sequence[Comparison], console: Console) -> None:
    """Print a line for each relation, then what differs."""
    grid = plain_grid()
    grid.add_column("model", no_wrap=True)
    for name in ("rows", snowflake.target(), "keys", "columns"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("", no_wrap=True)
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
    for found in compared:
        if found.differs:
            shown = "; ".join(found.faults)
            if found.differing:
                shown += f". Rows that differ: {'; '.join(found.differing)}"
            console.print(
                f"[red]{found.layer}.{found.name}[/]: {escape(shown)}", soft_wrap=True
            )
    wrong = sum(c.differs for c in compared)
    target = snowflake.target()
    console.print(
        f"parity   postgres and {target}: "
        + (
            f"[red]{wrong} of {len(compared)} relations differ[/]"
            if wrong
            else f"[green]{len(compared)} relations are the same[/]"
        ),
        soft_wrap=True,
    )
