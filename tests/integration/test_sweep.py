"""Each type of the source in each role, through each history: right, or reported.

A role is a key, a watermark, a tracked column, a reference to another table's column.
A history is a first load, a run without any change, an update, a delete, the deleted
row again, a row that goes back to what it was under the same watermark (with a run
between), and a row that only a scan of the keys can find. After each run each table is
as its source (tests/comparator.py), or it was said what is wrong with it.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pymysql
import pytest

from ingest.errors import ConfigurationError
from ingest.seed import metadata, seedfile
from orchestration.runner import Run
from tests.foreign import Foreign
from tests.integration.test_types import COLUMNS

HISTORIES = ("cdc", "scd2", "scd1", "incremental", "snapshot")
# Types that stand for their kind where there is no time for all.
OF_EACH_KIND = (
    "flag tiny whole big big_u money wider single bits_64 fixed by_bytes one_of "
    "bytes_any day lasting_6 moment_6 instant_6 spot uuid"
).split()

pytestmark = pytest.mark.long
BEFORE, THEN, LATER = (f"'2026-11-01 00:0{minute}:00'" for minute in (0, 1, 2))
LONG_AGO = "'2020-01-01 00:00:00'"
# The server's errors for a key without a length, and for one of a type that has none.
NOT_INDEXED = (1167, 1170, 3152, 3728)
# A key has 16 columns at most; one is a number.
PARTS = 14
# What nobody should be told, of whatever goes wrong here.
USELESS = re.compile(r"error: unexpected|run again|Traceback")

# More values than a type's extremes, by how its declaration begins.
MORE = {
    r"(tiny|small|medium|big)?int|decimal|float|double|bit\(": ["1", "2", "3", "4"],
    r"year": ["2001", "2002", "2003"],
    r"(tiny|medium|long)?text|(var)?char\((?!0)|(tiny|medium|long)?blob|(var)?binary": [
        "'x'",
        "'y'",
        "'z'",
    ],
    r"date\b": ["'2026-01-01'", "'2026-01-02'"],
    r"datetime|timestamp": ["'2026-01-01 01:00:00'", "'2026-01-01 02:00:00'"],
    r"time\b|time\(": ["'01:00:00'", "'02:00:00'"],
    r"json": ["'[1]'", "'[2]'"],
    r"uuid": ["'00000000-0000-4000-8000-000000000001'"],
    r"inet6": ["'::1'", "'::2'"],
    r"inet4": ["'127.0.0.1'", "'127.0.0.2'"],
    r"(geometry|point)$": ["st_geomfromtext('POINT(3 4)')"],
    r"linestring": ["st_geomfromtext('LINESTRING(0 0,3 3)')"],
    r"polygon": ["st_geomfromtext('POLYGON((0 0,2 0,2 2,0 0))')"],
    r"multipoint": ["st_geomfromtext('MULTIPOINT(5 6)')"],
    r"multilinestring": ["st_geomfromtext('MULTILINESTRING((0 0,2 2))')"],
    r"multipolygon": ["st_geomfromtext('MULTIPOLYGON(((0 0,2 0,2 2,0 0)))')"],
    r"geometrycollection": ["st_geomfromtext('GEOMETRYCOLLECTION(POINT(3 4))')"],
}


@dataclass(frozen=True)
class Kind:
    """A type of the source and some values of it, none twice, as SQL."""

    name: str
    declaration: str
    values: tuple[str, ...]

    @property
    def key_part(self) -> str:
        """How it stands in a key: of what has no bound only the beginning."""
        is_long = re.match(r"(tiny|medium|long)?(text|blob)|json", self.declaration)
        return "k(50)" if is_long else "k"


def kinds(foreign: Foreign, names: Iterable[str] = COLUMNS) -> list[Kind]:
    """The types that the server knows, with values that are not huge."""
    ((version,),) = foreign.ask("", "select version()")
    found = []
    for name in names:
        declaration, extremes = COLUMNS[name]
        if declaration.startswith("+") and "MariaDB" not in version:
            continue
        declaration = declaration.lstrip("+").replace("varchar(4000)", "varchar(700)")
        if " as (" in declaration:
            continue
        values = [v for v in extremes if "repeat" not in v and "uuid()" not in v]
        for begin, more in MORE.items():
            if re.match(begin, declaration):
                values += more
        declaration = declaration.removesuffix(" null")
        found.append(Kind(name, declaration, tuple(dict.fromkeys(values))))
    return found


@dataclass
class Swept:
    """A table, what happens to it, and how the seed has it.

    `steps` are the statements before each run; the first ones create and fill it.
    """

    name: str
    steps: list[list[str]]
    load_type: str
    key: list[str]
    watermark: str = "updated_at"
    references: dict[str, str] = field(default_factory=dict)
    # The number of rows that the table's log loses with each run, if it is known.
    deletes: tuple[int, ...] = ()


# -- the roles -----------------------------------------------------------------


def as_key(kind: Kind, load_type: str) -> Swept:
    """A table whose key is of a type, alone."""
    table, values = f"k_{kind.name}", kind.values
    create = (
        f"create table {table} (k {kind.declaration} not null, n int not null, v int, "
        f"updated_at datetime not null, primary key ({kind.key_part}))"
    )

    def insert(number: int, at: str = BEFORE) -> str:
        row = f"{values[number]}, {number}, 1, {at}"
        return f"insert into {table} (k, n, v, updated_at) values ({row})"

    rest = range(len(values)) if len(values) < 4 else range(len(values) - 1)
    first = [insert(number) for number in rest]
    there, back = changes(table, insert, len(values))
    return Swept(
        table,
        [[create, *first], [], there, back, []],
        load_type,
        ["k"],
        deletes=DELETES,
    )


# How many keys are gone at each run of `changes`.
DELETES = (0, 0, 1, 0, 0)


def changes(
    table: str, insert: Callable[..., str], count: int
) -> tuple[list[str], list[str]]:
    """A row is deleted and comes back, one is changed and goes back at once."""
    there = [f"delete from {table} where n = 0"]
    back = [insert(0)]
    if count > 1:
        there.append(f"update {table} set v = 2 where n = 1")
        back.append(f"update {table} set v = 1 where n = 1")
    if count > 2:
        there.append(f"update {table} set v = 5, updated_at = {THEN} where n = 2")
    if count > 3:  # only a scan of the keys can find it
        there.append(insert(count - 1, LONG_AGO))
    return there, back


def as_part(number: int, some: Sequence[Kind], load_type: str) -> Swept:
    """A table whose key is of many types, behind a number."""
    table, rows = f"parts_{number}", 6
    columns = ", ".join(f"k_{k.name} {k.declaration} not null" for k in some)
    names = ", ".join(["n, v, updated_at", *(f"k_{k.name}" for k in some)])
    key = ", ".join(["n", *(k.key_part.replace("k", f"k_{k.name}", 1) for k in some)])
    create = (
        f"create table {table} (n int not null, v int, updated_at datetime not null, "
        f"{columns}, primary key ({key}))"
    )

    def insert(number: int, at: str = BEFORE) -> str:
        values = ", ".join(k.values[number % len(k.values)] for k in some)
        return f"insert into {table} ({names}) values ({number}, 1, {at}, {values})"

    there, back = changes(table, insert, rows)
    first = [insert(number) for number in range(rows - 1)]
    keyed = ["n", *(f"k_{k.name}" for k in some)]
    return Swept(
        table,
        [[create, *first], [], there, back, []],
        load_type,
        keyed,
        deletes=DELETES,
    )


def as_tracked(name: str, some: Sequence[Kind], load_type: str) -> Swept:
    """A table that tracks columns of all types: each goes to another value and back.

    Each has a row of its own for that, one for NULL in between, and one for NULL before
    and after.
    """
    columns = ", ".join(f"c_{k.name} {k.declaration} null" for k in some)
    time = "" if load_type == "full" else ", updated_at datetime not null"
    at = "" if load_type == "full" else f", {BEFORE}"
    names = ", ".join(["id", *(f"c_{k.name}" for k in some)])
    names += "" if load_type == "full" else ", updated_at"
    first = [f"create table {name} (id int primary key, {columns}{time})"]
    there, back = [], []

    def row(number: int, values: Mapping[str, str]) -> str:
        given = ", ".join([str(number), *(values.get(k.name, "null") for k in some)])
        return f"insert into {name} ({names}) values ({given}{at})"

    for number, kind in enumerate(some):
        one, other = kind.values[0], kind.values[1 % len(kind.values)]
        for start, was, then in ((0, one, other), (1, one, "null"), (2, "null", one)):
            key = 1000 * start + number + 10
            change = f"update {name} set c_{kind.name} = {{}} where id = {key}"
            first.append(row(key, {kind.name: was}))
            there.append(change.format(then))
            back.append(change.format(was))
    # All types at once, each of their values; deleted, reinserted, updated.
    for number in range(max(len(k.values) for k in some)):
        values = {k.name: k.values[number % len(k.values)] for k in some}
        first.append(row(5000 + number, values))
    others = {k.name: k.values[-1] for k in some}
    new = ", ".join(f"c_{name} = {value}" for name, value in others.items())
    there.append(f"delete from {name} where id = 5000")
    later = "" if load_type == "full" else f", updated_at = {THEN}"
    there.append(f"update {name} set {new}{later} where id = 5001")
    back.append(row(5000, {k.name: k.values[0] for k in some}))
    watermark = "" if load_type == "full" else "updated_at"
    return Swept(name, [first, [], there, back, []], load_type, ["id"], watermark)


CLOCKS = ("moment", "moment_3", "moment_6", "instant", "instant_6")


def as_watermark(kind: Kind, load_type: str, *, at_its_ends: bool = False) -> Swept:
    """A table whose watermark is of a type; `at_its_ends` with its extreme values."""
    table = f"w_{kind.name}{'_ends' if at_its_ends else ''}"
    create = (
        f"create table {table} (n int primary key, v int, "
        f"updated_at {kind.declaration} not null default {BEFORE})"
    )

    def insert(number: int, at: str = BEFORE) -> str:
        return f"insert into {table} values ({number}, 1, {at})"

    there, back = changes(table, insert, 4)
    first = [create, *(insert(number) for number in range(3))]
    if at_its_ends:
        first += [insert(10 + n, at) for n, at in enumerate(kind.values)]
    return Swept(table, [first, [], there, back, []], load_type, ["n"], deletes=DELETES)


def as_reference(
    name: str, pairs: Sequence[tuple[str, str, Swept, str]], load_type: str
) -> Swept:
    """A table that refers to others: columns of some declaration, with a value each."""
    columns = ", ".join(f"r_{column} {kind} null" for column, kind, _, _ in pairs)
    create = f"create table {name} (id int primary key, {columns}, "
    create += "updated_at datetime not null)"

    names = ", ".join(["id", *(f"r_{column}" for column, *_ in pairs), "updated_at"])

    def row(number: int, at: str, values: Sequence[str]) -> str:
        given = f"{number}, {', '.join(values)}, {at}"
        return f"insert into {name} ({names}) values ({given})"

    first = [create, row(1, BEFORE, [value for *_, value in pairs])]
    first.append(row(2, BEFORE, ["null"] * len(pairs)))
    for column, _, parent, _ in pairs:  # where the server can hold it
        foreign_key = f"add foreign key (r_{column}) references {parent.name} (k)"
        first.append(f"?alter table {name} {foreign_key}")
    nothing = ", ".join(f"r_{column} = null" for column, *_ in pairs)
    something = ", ".join(f"r_{column} = {value}" for column, _, _, value in pairs)
    there = [f"update {name} set {nothing} where id = 1"]
    there.append(f"update {name} set {something}, updated_at = {THEN} where id = 2")
    back = [f"update {name} set {something} where id = 1"]
    refers = {f"r_{column}": f"{parent.name}.k" for column, _, parent, _ in pairs}
    return Swept(
        name, [first, [], there, back, []], load_type, ["id"], references=refers
    )


# A column, and the type of another table's that it refers to: they need not be alike.
MIXED = {
    "way": ("tinyint(1)", "tiny", "1"),
    "answer": ("tinyint", "flag", "1"),
    "wider": ("bigint", "whole", "1"),
    "narrower": ("int", "big", "1"),
    "unsigned": ("int unsigned", "big", "1"),
    "scaled": ("decimal(20,4)", "money", "1"),
    "counted": ("int", "money", "1"),
    "word": ("varchar(40)", "fixed", "'x'"),
    "letters": ("char(20)", "by_bytes", "'x'"),
    "free": ("text", "fixed", "'x'"),
    "raw": ("binary(1)", "bytes_any", "'x'"),
    "label": ("varchar(9)", "one_of", "'a'"),
    "morning": ("datetime", "day", "'2026-01-01'"),
    "number_as_text": ("varchar(9)", "whole", "'1'"),
    "text_as_number": ("int", "fixed", "1"),
    "bits": ("bit(9)", "whole", "1"),
    "exact": ("double", "money", "1"),
}


# -- the seed ------------------------------------------------------------------


def make(foreign: Foreign, schema: str, tables: Sequence[Swept]) -> list[Swept]:
    """Create what the server lets, in the first step's state; returns those tables.

    What it does not let be a key is what it can't index as a whole.
    """
    foreign.create(schema)
    made = []
    for table in tables:
        try:
            act(foreign, schema, table.steps[0])
        except pymysql.MySQLError as error:
            if error.args[0] not in NOT_INDEXED:
                raise
        else:
            made.append(table)
    there = {f"{table.name}.k" for table in made}
    for table in made:
        refers = {c: key for c, key in table.references.items() if key in there}
        table.references = refers
    return made


def act(foreign: Foreign, schema: str, statements: Iterable[str]) -> None:
    """Execute statements; one that begins with `?` may fail."""
    with foreign.asking(schema) as cursor:
        cursor.execute("set foreign_key_checks = 0")
        for statement in statements:
            try:
                cursor.execute(statement.removeprefix("?"))
            except pymysql.MySQLError:
                if not statement.startswith("?"):
                    raise


def describe(foreign: Foreign, schema: str, tables: Sequence[Swept]) -> dict[str, str]:
    """Have the seed say what each table is for; what it refuses, and why.

    A table that is refused is as discover had it; a reference, `table.column`, is
    left out.
    """
    foreign.discover(schema)
    before = {file: foreign.rows(file) for file in ("tables", "columns", "rules")}
    refused: dict[str, str] = {}
    while True:
        write_seed(foreign, before, tables, refused)
        try:
            metadata.load(foreign.root)
        except ConfigurationError as error:
            blamed = blames(foreign, str(error)).items() - refused.items()
            if not blamed:
                raise
            refused |= blamed
        else:
            break
    foreign.generate()
    return refused


def write_seed(
    foreign: Foreign,
    before: Mapping[str, list[dict[str, str]]],
    tables: Sequence[Swept],
    refused: Mapping[str, str],
) -> None:
    """What discover proposed, with the load types, keys and rules that are wanted."""
    wanted = {table.name: table for table in tables if table.name not in refused}
    rows = {file: [dict(row) for row in lines] for file, lines in before.items()}
    for row in rows["tables"]:
        if table := wanted.get(row["table"]):
            row["load_type"], row["watermark_column"] = table.load_type, table.watermark
            row["delete_mode"] = "none" if table.load_type == "full" else "key_scan"
    tracking = ("scd2", "snapshot")
    for row in rows["columns"]:
        if table := wanted.get(row["table"]):
            place = table.key.index(row["column"]) if row["column"] in table.key else -1
            row["key_position"] = str(place + 1) if place >= 0 else ""
            if place >= 0:
                row["nullable"] = "false"
            is_told = place < 0 and row["column"] != table.watermark
            is_tracked = table.load_type in tracking and is_told
            row["tracked"] = "true" if is_tracked else ""
            row["pii"] = ""  # by their values some look like addresses of persons
    ruled = {(r["table"], r["column"]) for r in rows["rules"]}
    source = rows["tables"][0]["source"]
    rows["rules"] += [
        {
            "source": source,
            "table": table.name,
            "column": column,
            "check": "references",
            "argument": other,
            "severity": "warn",
            "layer": "model",
            "description": "By hand",
        }
        for table in tables
        for column, other in table.references.items()
        if (table.name, column) not in ruled and f"{table.name}.{column}" not in refused
    ]
    for file, lines in rows.items():
        seedfile.remove(foreign.root, file, lambda row: True)
        seedfile.append(foreign.root, file, lines)


def blames(foreign: Foreign, told: str) -> dict[str, str]:
    """The tables, or their references, that the faults of the seed are about."""
    found = {}
    for line in told.splitlines():
        if match := re.search(r"seeds/metadata/(\w+)\.csv:(\d+)", line):
            row = foreign.rows(match[1])[int(match[2]) - 2]
            name = row["table"]
            if match[1] == "rules":
                name += f".{row['column']}"
            found[name] = line
    return found


# -- the runs ------------------------------------------------------------------


@dataclass
class Verdict:
    """What a sweep came to: what was told of tables, and what is wrong."""

    told: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def sweep(foreign: Foreign, schema: str, tables: Sequence[Swept]) -> Verdict:
    """Take the tables through their histories, and judge each run."""
    verdict = Verdict()
    made = make(foreign, schema, tables)
    verdict.told |= describe(foreign, schema, made)
    described = [t for t in made if t.name not in verdict.told]
    for number in range(max(len(t.steps) for t in made)):
        if number:
            for table in made:
                act(foreign, schema, table.steps[number])
        unchanged = not any(t.steps[number] for t in made)
        with foreign.knowingly_different("each table is judged below"):
            result = foreign.run(f"{schema}.*", with_build=not unchanged)
        judge(foreign, schema, described, number, result, verdict)
    for table in described:
        if table.deletes and table.name not in verdict.told:
            verdict.wrong += histories(foreign, schema, table)
    return verdict


def histories(foreign: Foreign, schema: str, table: Swept) -> list[str]:
    """What is wrong with the history of the two rows that went and came back.

    To scd2, changes at one instant are one: the last of them holds.
    """
    if table.load_type != "cdc":
        return []
    (model,) = {r["model"] for r in foreign.rows("tables") if r["table"] == table.name}
    rows = foreign.query(
        f"select n, v, is_deleted from silver.{model}_history where n in (0, 1) "
        "order by n, version"
    )
    gone = [is_deleted for n, _, is_deleted in rows if n == 0]
    back = [v for n, v, _ in rows if n == 1]
    wanted = ([False, True, False], [1, 2, 1])
    if gone == wanted[0] and back in (wanted[1], []):
        return []
    return [f"{schema}.{table.name}: row 0 deleted {gone}, row 1 as {back}"]


def judge(
    foreign: Foreign,
    schema: str,
    tables: Sequence[Swept],
    number: int,
    result: Run,
    verdict: Verdict,
) -> None:
    """Each table of a run is right, or something was said of it."""
    failed = {t.name: said_of(foreign, result, t.name) for t in tables}
    verdict.told |= {name: said for name, said in failed.items() if said}
    good = [t for t in tables if not failed[t.name]]
    in_log = result.built is None
    found = foreign.differences([f"{schema}.{t.name}" for t in good], in_log=in_log)
    verdict.wrong += [f"run {number + 1}: {difference}" for difference in found]
    by_name = {o.table.name: o for o in result.outcomes}
    for table in good:
        batches = by_name[table.name].batches
        deleted = sum(batch.rows_deleted or 0 for batch in batches)
        if table.deletes and deleted != table.deletes[number]:
            told = f"{deleted} rows deleted, not {table.deletes[number]}"
            verdict.wrong.append(f"run {number + 1}: {schema}.{table.name} {told}")
        loaded = sum(batch.rows_loaded or 0 for batch in batches)
        if loaded and not table.steps[number] and table.load_type != "full":
            told = f"{loaded} rows loaded, though nothing changed"
            verdict.wrong.append(f"run {number + 1}: {schema}.{table.name} {told}")
    if result.state != "done" and not any(failed.values()):
        faults = result.built.failures if result.built else []
        verdict.wrong.append(f"run {number + 1}: {result.state}, of no table: {faults}")


def said_of(foreign: Foreign, result: Run, name: str) -> str:
    """What a run says is wrong with a table, '' for nothing."""
    (outcome,) = [o for o in result.outcomes if o.table.name == name]
    if outcome.state != "released":
        reasons = [str(b.reason) for b in outcome.batches if b.reason]
        return f"{outcome.state}: {outcome.error or reasons}"
    model, log = outcome.table.model, f"stg_{outcome.table.source.name}__{name}"
    own = re.compile(rf"\b({model}|{model}_history|{log})\b")
    lines = result.built.failures if result.built else []
    told = [line for line in lines if own.search(line)]
    if told:
        return "\n".join(told)
    unbalanced = foreign.query(
        "select identity from audit.ledger where not holds and run_id = %s "
        "and table_id = %s",
        result.run_id,
        outcome.table.id,
    )
    return f"unbalanced: {unbalanced}" if unbalanced else ""


# -- the tests -----------------------------------------------------------------

# What is reported rather than right, and by what words: nothing else may be.
REPORTED: dict[str, str] = {
    "refers_to_others.r_number_as_text": "can't be compared",
    "refers_to_others.r_text_as_number": "can't be compared",
    "k_document": "a key can't be json",
}


def assert_right_or_reported(verdict: Verdict) -> None:
    """No table is wrong, and what is told is what is known to be told, and helps."""
    assert not verdict.wrong, "\n".join(verdict.wrong)
    for name, said in verdict.told.items():
        assert re.search(REPORTED.get(name, "^(?!)"), said), (name, said)
        assert not USELESS.search(said), (name, said)


def roles(some: Sequence[Kind], load_type: Callable[[], str]) -> list[Swept]:
    """Tables for types in all roles, with a load type each."""
    keys = [as_key(kind, load_type()) for kind in some]
    parents = {table.name.removeprefix("k_"): table for table in keys}
    known = {kind.name: kind for kind in some}
    like = [
        (kind.name, kind.declaration, parents[kind.name], kind.values[-2:][0])
        for kind in some
    ]
    mixed = [
        (name, declaration, parents[other], value)
        for name, (declaration, other, value) in MIXED.items()
        if other in parents
    ]
    clocks = [known[name] for name in CLOCKS if name in known]
    return [
        *keys,
        as_reference("refers", like, load_type()),
        as_reference("refers_to_others", mixed, load_type()),
        *(as_watermark(kind, load_type()) for kind in clocks),
        *(as_watermark(kind, load_type(), at_its_ends=True) for kind in clocks),
    ]


def packed(some: Sequence[Kind], load_type: Callable[[], str]) -> list[Swept]:
    """Tables with keys of many columns, and with tracked columns of all types."""
    short = [
        kind
        for kind in some
        if len(kind.values) > 2 and "(700)" not in kind.declaration
        if not re.match(r"json|geometry|.*(point|line|polygon)", kind.declaration)
    ]
    parts = [short[n : n + PARTS] for n in range(0, len(short), PARTS)]
    return [as_part(n, part, load_type()) for n, part in enumerate(parts)]


def test_types_that_stand_for_their_kind_are_right_or_reported(
    foreign: Foreign,
) -> None:
    turn = itertools.cycle(HISTORIES)
    everything, some = kinds(foreign), kinds(foreign, OF_EACH_KIND)
    tables = [
        *roles(some, lambda: next(turn)),
        *packed(everything, lambda: next(turn)),
        as_tracked("tracked_cdc", everything, "cdc"),
        as_tracked("tracked_scd2", everything, "scd2"),
        as_tracked("tracked_full", everything, "full"),
    ]
    assert_right_or_reported(sweep(foreign, "sweep", tables))


@pytest.mark.long
@pytest.mark.parametrize("load_type", HISTORIES)
def test_each_type_in_each_role_is_right_or_reported(
    foreign: Foreign, load_type: str
) -> None:
    everything = kinds(foreign)
    tables = [
        *roles(everything, lambda: load_type),
        *packed(everything, lambda: load_type),
        as_tracked("tracked", everything, load_type),
    ]
    assert_right_or_reported(sweep(foreign, f"sweep_{load_type}", tables))


def test_no_other_type_than_a_time_is_a_watermark(foreign: Foreign) -> None:
    """Each other one is refused with a reason, before anything is read."""
    schema = "sweep_watermarks"
    some = [kind for kind in kinds(foreign) if kind.name not in CLOCKS]
    foreign.create(schema)
    tables = []
    for kind in some:
        table = f"w_{kind.name}"
        foreign.ask(
            schema,
            f"create table {table} (n int primary key, w {kind.declaration})",
            f"insert into {table} (n, w) values (1, {kind.values[0]})",
        )
        tables.append(Swept(table, [[]], "scd1", ["n"], "w"))
    refused = describe(foreign, schema, tables)
    assert {*refused} == {table.name for table in tables}
    for table in tables:
        assert "a watermark is a timestamp or timestamptz" in refused[table.name]
