"""Keys: which ones the source has lost, and which ones the log lacks.

Both sides count the keys of each bucket and put their hashes together where they are
(`sql/key_hash.sql.jinja`); only buckets that differ send their keys. What is found is
then true in the snapshot of the extraction, whatever the buckets said a moment before.
"""

from __future__ import annotations

import hashlib

from ingest import bronze_log, sources
from ingest.control import Connection
from ingest.duck import Engine, hold, literal, one, quoted, scalar
from ingest.errors import SeedbedError
from ingest.pieces import KeyRange
from ingest.seed.metadata import Column, Table
from ingest.statements import Statements, render

_SQL = Statements(__file__)
BUCKETS = 4096
MOST_RANGES = 32
# A bucket's number then has 64 bits with its sign, whatever 20 digits the key has.
_LEAST_WIDTH = 16


def differing(
    connection: Connection, engine: Engine, table: Table, through: int
) -> tuple[int, list[KeyRange]]:
    """The number of live keys, and the ranges in which the two sides differ.

    Keys that are not whole numbers are one range, which always differs. The log's sums
    are kept until it changes.
    """
    if not all(_is_whole(c) for c in table.key):
        count = bronze_log.live_rows(table, through, "count(*) as live")
        live = f"from postgres_query('warehouse', {literal(count)})"
        return scalar(engine, live), [KeyRange()]
    kind = sources.of(table.source)
    width = _width(engine, table)
    there = _kept_sums(connection, table, through, width)
    here = kind.asked(kind.key_sums(engine, table, width))
    engine.execute(render("buckets", here=here, there=there))
    live_keys = scalar(engine, "select coalesce(sum(live), 0)::bigint from buckets")
    rows = engine.execute(
        "select bucket from buckets where differs and bucket is not null "
        "order by bucket"
    ).fetchall()
    return live_keys, _ranges([bucket for (bucket,) in rows], width)


def _kept_sums(connection: Connection, table: Table, through: int, width: int) -> str:
    """SQL for the sums of the log, which are made where it has changed since."""
    state = _SQL.value(
        connection,
        "state",
        log=bronze_log.name_of(table),
        table_id=table.id,
        through=through,
        # Sums that another version of Seedbed made in another way are not these.
        made_by=hashlib.sha256(_log_sums(table, 0, width).encode()).hexdigest(),
    )
    if not _SQL.value(connection, "is_summed", table_id=table.id, state=state):
        sums = _log_sums(table, through, width)
        kept = render("sum_keys", table_id=table.id, state=state, sums=sums)
        connection.execute(kept.encode())
    return render("key_sums", table_id=table.id)


def _log_sums(table: Table, through: int, width: int) -> str:
    """SQL that makes the sums of the log's live keys up to batch `through`."""
    live = bronze_log.live_rows(table, through, bronze_log.key(table))
    return render(
        "log_sums",
        numbers=[quoted(c.name) for c in table.key],
        is_decimal=table.key[0].type.name.startswith("decimal"),
        rows=f"({live}) as live",
        width=width,
    )


def _width(engine: Engine, table: Table) -> int:
    """How many values of the leading key a bucket spans."""
    lead = quoted(table.key[0].name)
    kind = sources.of(table.source)
    there = (
        f"select min({lead})::text as low, max({lead})::text as high "
        f"from {bronze_log.name_of(table)}"
    )
    low, high = one(
        engine,
        "select min(low::hugeint), max(high::hugeint) from ("
        f"from {kind.asked(kind.key_ends(engine, table))} "
        f"union all from postgres_query('warehouse', {literal(there)}))",
    )
    spanned = 0 if low is None else (high - low) // BUCKETS + 1
    return max(_LEAST_WIDTH, spanned)


def _is_whole(column: Column) -> bool:
    """Whether the column holds whole numbers; the largest ones are decimals."""
    kind = column.type.name
    return kind in ("integer", "bigint") or kind.replace(" ", "") == "decimal(20,0)"


def _ranges(buckets: list[int], width: int) -> list[KeyRange]:
    """The buckets as ranges, neighbours as one; a few long ones of many short."""
    if not buckets:
        return []
    # Division goes towards zero on both servers, so bucket 0 is twice as wide.
    lows = [b * width if b > 0 else (b - 1) * width + 1 for b in buckets]
    highs = [(b + 1) * width - 1 if b >= 0 else b * width for b in buckets]
    gaps = [low - high for low, high in zip(lows[1:], highs, strict=False)]
    widest = sorted((gap for gap in gaps if gap > 1), reverse=True)[: MOST_RANGES - 1]
    ends = [n for n, gap in enumerate(gaps) if widest and gap >= widest[-1]]
    starts = [0, *(n + 1 for n in ends)]
    last = [*ends, len(buckets) - 1]
    return [KeyRange(lows[a], highs[b]) for a, b in zip(starts, last, strict=True)]


def compare(engine: Engine, table: Table, ranges: list[KeyRange]) -> None:
    """Make the temporary tables `gone` and `lacking` of keys in the ranges.

    `gone`: keys of the temporary table `live` that the source has not in this
    transaction's snapshot; `lacking`: keys that it has and `live` has not.
    """
    names = bronze_log.key(table)
    present = " union all ".join(
        f"select {table.key_values} from ({rows})"
        for r in ranges
        for rows in sources.of(table.source).rows(
            engine, table, r.within(table), table.key
        )
    )
    hold(engine, "present", present)
    assert_distinct(engine, table, "present")
    hold(engine, "gone", f"from live anti join present using ({names})")
    hold(engine, "lacking", f"from present anti join live using ({names})")


def sample(engine: Engine, table: Table, rows: str, lacking_in: str) -> str:
    """Some keys of query `rows` that query `lacking_in` has not, for a person.

    Both give the key's columns by their canonical names. '' where none is lacking, or
    the key is personal, or there is none.
    """
    if not table.key or any(c.pii for c in table.key):
        return ""
    names = bronze_log.key(table)
    found = engine.execute(
        f"select concat_ws('/', {names}) from ({rows}) as rows "
        f"anti join ({lacking_in}) as others using ({names}) order by all limit 5"
    ).fetchall()
    keys = ", ".join(str(key) for (key,) in found)
    return f"{', '.join(c.name for c in table.key)} {keys}" if keys else ""


def assert_distinct(engine: Engine, table: Table, rows: str) -> None:
    """Raise SeedbedError when a key is in several of the source's `rows`, a relation.

    One would be taken for an older state of the other.
    """
    names = [quoted(c.name) for c in table.key]
    whole = " and ".join(f"{name} is not null" for name in names)
    repeated, example = one(
        engine,
        f"select count(*), any_value(concat_ws(', ', {', '.join(names)})) from (select "
        f"{', '.join(names)} from {rows} where {whole} "
        "group by all having count(*) > 1)",
    )
    if repeated:
        such = "" if any(c.pii for c in table.key) else f", such as {example}"
        raise SeedbedError(
            f"{table.id}: {repeated:,} keys are in more than one row of the source"
            f"{such}: {columns_of(table)} in seeds/metadata/columns.csv does not tell "
            "its rows apart. Nothing was read. Mend the rows in the source; or, if "
            f"other columns name a row: {another(table)}"
        )


def assert_all_found(engine: Engine, table: Table, wanted: str, found: int) -> None:
    """Raise SeedbedError unless each key of the relation `wanted` has its row.

    The source had them in this transaction's snapshot, so it has their rows.
    """
    whole = " and ".join(f"{quoted(c.name)} is not null" for c in table.key)
    count = scalar(engine, f"select count(*) from {wanted} where {whole}")
    if found < count:
        raise SeedbedError(
            f"{table.id}: {count:,} keys were to be read, and {found:,} rows were "
            "found by them. Nothing was loaded, the watermark stays. A table without "
            "snapshots (MyISAM) may have changed meanwhile: run again. Of any other "
            f"one, please report the types of {columns_of(table)}; until then write "
            "delete_mode none in seeds/metadata/tables.csv."
        )


def columns_of(table: Table) -> str:
    """The key, for a message."""
    return f"the key ({', '.join(c.source_name for c in table.key)})"


def another(table: Table) -> str:
    """What to type where other columns than the seed's key identify a row."""
    return (
        "give them key_position 1, 2, … and nullable false in "
        "seeds/metadata/columns.csv (a row for each that it lacks), "
        "then type `./seedbed generate`, "
        f"`./seedbed rebuild {table.id} --from-raw` and "
        f"`./seedbed reconcile --tables {table.id} --repair`; then run."
    )


def extent(engine: Engine, table: Table, keys: str) -> list[KeyRange]:
    """The range that holds all keys of the temporary table `keys`; none if empty."""
    lead = table.key[0]
    if not scalar(engine, f"select count(*) from {keys}"):
        return []
    if not _is_whole(lead):
        return [KeyRange()]
    name = quoted(lead.name)
    return [KeyRange(*one(engine, f"select min({name}), max({name}) from {keys}"))]
