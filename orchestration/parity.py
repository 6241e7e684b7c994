"""Parity: whether Snowflake shows what Postgres shows, model by model.

Both warehouses are asked for the same few numbers of each relation in silver and
gold: rows, keys, and a fingerprint of each column and of the rows as a whole. These
are sums over hashes of texts, and a value has the same text on both sides. Only where
they differ are keys fetched, and only those of the buckets that differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from ingest import control
from ingest.control import Connection
from ingest.errors import SeedbedError
from orchestration import artifacts, build, snowflake

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

LAYERS = ("silver", "gold")
SHOWN = 10
# What dbt's adapters make differently by design.
_OF_DBT = frozenset({"dbt_scd_id"})
Report = Callable[[str], None]
Ask = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Relation:
    """A relation that both sides have: its columns by name with Postgres's types."""

    layer: str
    name: str
    columns: dict[str, str]
    key: tuple[str, ...]


@dataclass
class Comparison:
    """What came of comparing a relation; it `differs` where anything is told."""

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


# -- a value's text, and its hash, on each side ---------------------------------


def _postgres_text(column: str, kind: str) -> str:
    match kind:
        case (
            "timestamp without time zone"
            | "timestamp with time zone"
            | "time without time zone"
            | "interval"
        ):
            microseconds = f"extract(epoch from {column}) * 1000000"
            return f"cast(cast({microseconds} as bigint) as text)"
        case "date":
            return f"to_char({column}, 'YYYY-MM-DD')"
        case "bytea":
            return f"encode({column}, 'hex')"
        case "jsonb":
            return f"audit.json_text({column})"
        case "double precision":
            return _double(column)
    return f"cast({column} as text)"


def _snowflake_text(column: str, kind: str) -> str:
    match kind:
        case "timestamp without time zone":
            epoch = "cast('1970-01-01' as timestamp_ntz)"
            return f"cast(datediff(microsecond, {epoch}, {column}) as varchar)"
        case "timestamp with time zone":
            epoch = "cast('1970-01-01 00:00:00 +0000' as timestamp_tz)"
            return f"cast(datediff(microsecond, {epoch}, {column}) as varchar)"
        case "time without time zone":
            midnight = "cast('00:00:00' as time)"
            return f"cast(datediff(microsecond, {midnight}, {column}) as varchar)"
        case "interval":  # a text there: [-]hours:minutes:seconds
            size = (
                f"cast(split_part(ltrim({column}, '-'), ':', 1) as integer) * 3600 + "
                f"cast(split_part({column}, ':', 2) as integer) * 60 + "
                f"cast(split_part({column}, ':', 3) as numeric(12, 6))"
            )
            sign = f"case when {column} like '-%' then -1 else 1 end"
            return f"cast(cast({sign} * ({size}) * 1000000 as bigint) as varchar)"
        case "date":
            return f"to_char({column}, 'YYYY-MM-DD')"
        case "bytea":
            return f"lower(hex_encode({column}))"
        case "jsonb":
            return f"to_json({column})"
        case "double precision":
            return _double(column)
    return f"cast({column} as varchar)"


def _double(column: str) -> str:
    """About twelve digits: the two write a double's last ones differently."""
    return (
        f"case when abs({column}) < 1000000 "
        f"then cast(cast(round(cast({column} as numeric(38, 9)), 6) as numeric(38, 6)) "
        "as varchar(60)) "
        f"else concat(sign({column}), ' ', cast(round(cast("
        f"ln(abs({column})) as numeric(38, 9)), 6) as varchar(60))) end"
    )


@dataclass(frozen=True)
class Side:
    """How one warehouse says it; `ask` runs a query and returns its rows."""

    name: str
    ask: Ask
    text: Callable[[str, str], str]
    number: str

    def place(self, relation: Relation) -> str:
        """The relation's name."""
        name = f"{build.schema_of(relation.layer)}.{relation.name}"
        return name if self.name == "postgres" else f"{snowflake.database()}.{name}"

    def hashed(self, relation: Relation, column: str) -> str:
        """The hash of a column's value; NULL has one too."""
        text = self.text(column, relation.columns[column])
        value = f"case when {column} is null then 'n' else concat('v', {text}) end"
        return f"md5({value})"

    def hashes(self, relation: Relation) -> str:
        """A relation with a hash a column, `_hash_of_key` and `_hash_of_row`."""
        items = [
            f"{self.hashed(relation, column)} as {column}"
            for column in relation.columns
        ]
        row = ", ".join(relation.columns)
        key = ", ".join(relation.key)
        return (
            f"(select _hashed.*, md5(concat('', {row})) as _hash_of_row, "
            f"md5(concat('', {key})) as _hash_of_key "
            f"from (select {', '.join(items)} from {self.place(relation)}) as _hashed"
            ") as _hashes"
        )

    def sum_of(self, column: str) -> str:
        """The sum over the first 32 bits of hashes."""
        return f"coalesce(sum({self.number.format(f'substr({column}, 1, 8)')}), 0)"


def _postgres(connection: Connection) -> Side:
    def ask(query: str) -> list[tuple[Any, ...]]:
        return list(connection.execute(query.encode()).fetchall())

    number = "cast(cast(('x' || {}) as bit(32)) as bigint)"
    return Side("postgres", ask, _postgres_text, number)


def _snowflake(connection: SnowflakeConnection) -> Side:
    def ask(query: str) -> list[tuple[Any, ...]]:
        cursor = connection.cursor()
        cursor.execute(query)
        return [tuple(row) for row in cursor.fetchall()]

    return Side(snowflake.lane(), ask, _snowflake_text, "to_number({}, 'XXXXXXXX')")


# -- comparing ------------------------------------------------------------------


def run(report: Report = lambda line: None) -> list[Comparison]:
    """Compare every relation of silver and gold; nothing is changed."""
    with control.connect() as here, snowflake.connect() as there:
        control.prepare(here)
        sides = _postgres(here), _snowflake(there)
        keys = _keys()
        compared = []
        for layer in LAYERS:
            ours, theirs = (_columns(side, layer) for side in sides)
            for name in sorted({*ours} | {*theirs}):
                report(f"parity: {layer}.{name}")
                found = Comparison(layer, name)
                compared.append(found)
                if name not in ours or name not in theirs:
                    missing = sides[name in ours].name
                    found.faults.append(f"{missing} has no {layer}.{name}")
                    continue
                columns = {
                    column: kind
                    for column, kind in ours[name].items()
                    if column in theirs[name] and column not in _OF_DBT
                }
                odd = ({*ours[name]} ^ {*theirs[name]}) - _OF_DBT
                found.faults += [f"column {column} is on one side" for column in odd]
                key = tuple(c for c in keys.get(name, ()) if c in columns)
                relation = Relation(layer, name, columns, key or tuple(columns))
                _compare(sides, relation, found)
    if not compared:
        raise SeedbedError(
            "there is nothing to compare: neither warehouse has a model in silver or "
            "gold. Type `./seedbed run`, then `./seedbed publish`."
        )
    return compared


def _columns(side: Side, layer: str) -> dict[str, dict[str, str]]:
    """The relations of a layer: their columns with their types."""
    database = "" if side.name == "postgres" else f"{snowflake.database()}."
    rows = side.ask(
        "select lower(table_name), lower(column_name), data_type "
        f"from {database}information_schema.columns "
        f"where lower(table_schema) = '{build.schema_of(layer)}' "
        "order by table_name, ordinal_position"
    )
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        if "__dbt_" not in table:
            found.setdefault(table, {})[column] = kind
    return found


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


def _compare(sides: tuple[Side, Side], relation: Relation, found: Comparison) -> None:
    numbers = ["_hash_of_row", "_hash_of_key", *relation.columns]
    ours, theirs = (
        side.ask(
            "select count(*), count(distinct _hash_of_key), "
            f"{', '.join(map(side.sum_of, numbers))} from {side.hashes(relation)}"
        )[0]
        for side in sides
    )
    found.rows = int(ours[0]), int(theirs[0])
    found.keys = int(ours[1]), int(theirs[1])
    differ = [
        name
        for name, left, right in zip(numbers, ours[2:], theirs[2:], strict=True)
        if int(left) != int(right)
    ]
    found.columns = [name for name in differ if name in relation.columns]
    if found.rows[0] != found.rows[1]:
        found.faults.append(f"{found.rows[0]:,} rows and {found.rows[1]:,}")
    if "_hash_of_key" in differ or found.keys[0] != found.keys[1]:
        found.faults.append(
            f"{found.keys[0]:,} keys and {found.keys[1]:,}, not the same"
        )
    if found.columns:
        found.faults.append(f"other values in {', '.join(found.columns)}")
    elif "_hash_of_row" in differ and not found.faults:
        found.faults.append("the same values, in other rows")
    if found.faults and differ:
        found.differing = _differing(sides, relation)


def _differing(sides: tuple[Side, Side], relation: Relation) -> list[str]:
    """Some keys whose rows differ, as texts: `order_id=7 (amount)`.

    Only keys and names of columns are told: values may be anybody's.
    """
    ours, theirs = (
        {
            bucket: (int(rows), int(total))
            for bucket, rows, total in side.ask(
                "select substr(_hash_of_key, 1, 2), count(*), "
                f"{side.sum_of('_hash_of_row')} "
                f"from {side.hashes(relation)} group by 1"
            )
        }
        for side in sides
    )
    buckets = sorted(b for b in {*ours} | {*theirs} if ours.get(b) != theirs.get(b))
    told: list[str] = []
    for bucket in buckets:
        left, right = (
            {row[0]: row[1:] for row in _bucket(side, relation, bucket)}
            for side in sides
        )
        for key in sorted({*left} | {*right}):
            if left.get(key) == right.get(key):
                continue
            told.append(_told(sides, relation, key, left.get(key), right.get(key)))
            if len(told) == SHOWN:
                return told
    return told


def _bucket(side: Side, relation: Relation, bucket: str) -> list[tuple[Any, ...]]:
    names = ", ".join(relation.columns)
    return side.ask(
        f"select _hash_of_key, {names} from {side.hashes(relation)} "
        f"where substr(_hash_of_key, 1, 2) = '{bucket}'"
    )


def _told(
    sides: tuple[Side, Side],
    relation: Relation,
    key: str,
    left: tuple[Any, ...] | None,
    right: tuple[Any, ...] | None,
) -> str:
    if left is None or right is None:
        what = f"not on {sides[0].name if left is None else sides[1].name}"
    else:
        pairs = zip(relation.columns, left, right, strict=True)
        what = ", ".join(name for name, one, other in pairs if one != other)
    side = sides[1] if left is None else sides[0]
    return f"{_key_of(side, relation, key)} ({what})"


def _key_of(side: Side, relation: Relation, key: str) -> str:
    """The key with that hash, readable; a key of all columns stays a hash."""
    if len(relation.key) == len(relation.columns):
        return key
    hashes = ", ".join(side.hashed(relation, name) for name in relation.key)
    rows = side.ask(
        f"select {', '.join(relation.key)} from {side.place(relation)} "
        f"where md5(concat('', {hashes})) = '{key}'"
    )
    values = rows[0] if rows else ()
    return ", ".join(f"{n}={v}" for n, v in zip(relation.key, values, strict=False))


# -- telling --------------------------------------------------------------------


def as_json(compared: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Plain data for `--json`."""
    lane = snowflake.lane()
    return [asdict(c) | {"lane": lane, "differs": c.differs} for c in compared]


def show(compared: Sequence[Comparison], console: Console) -> None:
    """Print a line for each relation, then what differs."""
    grid = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    grid.add_column("model", no_wrap=True)
    for name in ("rows", snowflake.lane(), "keys", "columns"):
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
            told = "; ".join(found.faults)
            if found.differing:
                told += f". Rows that differ: {'; '.join(found.differing)}"
            console.print(
                f"[red]{found.layer}.{found.name}[/]: {escape(told)}", soft_wrap=True
            )
    wrong = sum(c.differs for c in compared)
    lane = snowflake.lane()
    console.print(
        f"parity   postgres and {lane}: "
        + (
            f"[red]{wrong} of {len(compared)} relations differ[/]"
            if wrong
            else f"[green]{len(compared)} relations are the same[/]"
        ),
        soft_wrap=True,
    )
