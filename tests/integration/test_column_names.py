"""No name that the product's SQL makes collides with one of a source."""

import re
from collections.abc import Iterable
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from ingest import bronze_log
from ingest.seed import metadata, seedfile
from orchestration import build, reconcile
from tests.clone import REPOSITORY
from tests.foreign import Foreign

KINDS = ("full", "incremental", "scd1", "scd2", "cdc", "snapshot")
# What reads, compares and judges rows, beside the models.
MODULES = (
    *(f"ingest/{m}" for m in "bronze_log differences extract keys pieces".split()),
    *(f"ingest/{m}" for m in "standardise window".split()),
    *(f"ingest/sources/mysql/{m}" for m in "casts reading source".split()),
    *(f"gx/{m}" for m in "failing profile".split()),
    *("ingest/seed/suites", "orchestration/decisions"),
)

pytestmark = pytest.mark.long
# MySQL's limit is 16 columns.
KEY_COLUMNS = 12


def _of_models(texts: Iterable[str]) -> set[str]:
    """The names that models give to columns, tables and queries."""
    found = set()
    for text in texts:
        for node in sqlglot.parse_one(text, read="postgres").walk():
            if isinstance(node, exp.Alias | exp.TableAlias | exp.CTE):
                found.add(node.alias)
    return found


def _of_modules() -> set[str]:
    """The same for the SQL in the runner's modules and in macros."""
    files = [REPOSITORY / f"{name}.py" for name in MODULES]
    files += (REPOSITORY / "macros").rglob("*.sql")
    files += (REPOSITORY / "ingest" / "sql").glob("*.jinja")
    found = set()
    for file in files:
        text = file.read_text()
        found |= set(re.findall(r"\b(?:as|join|table|view)\s+([a-z]\w*)", text))
        found |= set(re.findall(r"^([a-z]\w*) as \($", text, re.MULTILINE))
        found |= set(re.findall(r'ask_warehouse\([^"]*"(\w+)"', text))
    return found


def _check(foreign: Foreign, schema: str) -> None:
    """Silver has what the source has."""
    for table in foreign.tables(f"{schema}.*"):
        names = [(c.source_name, c.name) for c in table.columns]
        listed = ", ".join(f"`{theirs}`" for theirs, _ in names)
        source = foreign.ask(schema, f"select {listed} from `{table.name}`")
        silver = [
            tuple(row[ours] for _, ours in names) for row in foreign.silver(table.model)
        ]
        assert sorted(silver, key=str) == sorted(source, key=str), table.id
        if not table.key or table.load_type.reads_whole:
            continue  # what is live in the log, a snapshot's batch says
        columns = ", ".join(f'"{ours}"' for _, ours in names)
        live = foreign.query(bronze_log.live_rows(table, 2**62, columns))
        assert sorted(live, key=str) == sorted(source, key=str), table.id


def test_a_table_may_have_every_name_that_our_sql_makes(foreign: Foreign) -> None:
    schema = "taken_names"
    plain = "plain"
    foreign.create(
        plain,
        *(
            f"create table plain_{kind} (id int primary key, v int, "
            "updated_at datetime not null)"
            for kind in KINDS
        ),
        *(f"insert into plain_{kind} values (1, 1, '2026-11-01')" for kind in KINDS),
    )
    _take(foreign, plain, {f"plain_{kind}": kind for kind in KINDS})
    assert foreign.run(f"{plain}.*").state == "done"
    foreign.ask(plain, "update plain_scd2 set v = 2, updated_at = '2026-11-02'")
    assert foreign.run(f"{plain}.*").state == "done"
    folder = foreign.root / "target" / "compiled" / "seedbed" / "models"
    compiled = sorted(folder.rglob("plain_*.sql"))
    assert compiled
    names = _of_models(p.read_text() for p in compiled) | _of_modules()
    # Ours begin with an underscore, which no column of a source can.
    names = {n for n in names if n and not n.startswith("_")}
    assert {"touched", "latest", "placed"} <= names
    listed = sorted(names - {"id", "updated_at", "load_type"})
    keyed = [
        listed[start : start + KEY_COLUMNS]
        for start in range(0, len(listed), KEY_COLUMNS)
    ]
    wide = ", ".join(f"`{n}` int" for n in listed)
    tables = {f"wide_{kind}": kind for kind in KINDS}
    foreign.create(
        schema,
        *(
            f"create table {table} (id int primary key, {wide}, "
            "updated_at datetime not null)"
            for table in tables
        ),
        *(
            f"create table keyed_{n} ("
            + "".join(f"`{c}` int, " for c in columns)
            + "v int, updated_at datetime not null, primary key ("
            + ", ".join(f"`{c}`" for c in columns)
            + "))"
            for n, columns in enumerate(keyed)
        ),
    )

    def write(statement: str, number: int, moment: str) -> None:
        for table in tables:
            values = ", ".join([str(number)] * len(listed))
            foreign.ask(
                schema,
                f"{statement} into {table} values ({number}, {values}, {moment})",
            )
        for n, columns in enumerate(keyed):
            values = ", ".join([str(number)] * len(columns))
            foreign.ask(
                schema, f"{statement} into keyed_{n} values ({values}, 7, {moment})"
            )

    for number in (1, 2, 3):
        write("insert", number, "'2026-11-01'")
    kinds: dict[str, str] = {}
    for n in range(len(keyed)):
        kinds[f"keyed_{n}"] = KINDS[1:][n % (len(KINDS) - 1)]
    _take(foreign, schema, tables | kinds)
    assert foreign.run(f"{schema}.*").state == "done"
    _check(foreign, schema)

    # A change, a row that comes and one that goes; then what went is back.
    for table in (*tables, *kinds):
        value = f"`{listed[0]}`" if table in tables else "v"
        lead = "id" if table in tables else f"`{keyed[int(table[6:])][0]}`"
        foreign.ask(
            schema,
            f"update {table} set {value} = 9, updated_at = '2026-11-02' "
            f"where {lead} = 1",
            f"delete from {table} where {lead} = 2",
        )
    write("insert", 4, "'2026-11-02'")
    assert foreign.run(f"{schema}.*").state == "done"
    _check(foreign, schema)
    write("insert", 2, "'2026-11-01'")
    assert foreign.run(f"{schema}.*").state == "done"
    _check(foreign, schema)

    with foreign.inside():
        found = reconcile.run(
            [t for t in foreign.tables(f"{schema}.*") if t.watermark_column],
            lambda line: None,
        )
        assert not [f for f in found if f.count or f.error]
        histories = [
            t.derived
            for t in foreign.tables(f"{schema}.*")
            if not t.load_type.is_snapshot
        ]
        built = build.rebuild(histories, "postgres", lambda line: None)
    assert built.ok, built.failures
    _check(foreign, schema)


def _take(foreign: Foreign, schema: str, kinds: dict[str, str]) -> None:
    """Name the tables in the seed, each with its load type."""
    foreign.discover(schema)
    # What it takes for a mark of deleted rows is a name of ours.
    header = ",".join(metadata.HEADERS["options"])
    (foreign.root / metadata.FOLDER / "options.csv").write_text(f"{header}\n")
    place: dict[str, Any]
    for table, kind in kinds.items():
        place = {"source": schema, "table": table}
        cells = {"load_type": kind, "delete_mode": "key_scan"}
        cells["watermark_column"] = "updated_at"
        if kind == "full":
            cells |= {"watermark_column": "", "delete_mode": "none"}
        seedfile.change(foreign.root, "tables", place, cells)
        for row in foreign.rows("columns"):
            if row["source"] == schema and row["table"] == table:
                tracked = kind in ("scd2", "snapshot") and not row["key_position"]
                seedfile.change(
                    foreign.root,
                    "columns",
                    place | {"column": row["column"]},
                    {"tracked": "true" if tracked else ""},
                )
    foreign.generate()
    assert metadata.load(foreign.root)
