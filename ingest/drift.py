"""Drift: changes of the source's columns and keys, and how the run handles them.

Before anything is read the catalogue of each source is compared with its last known
state (`audit.source_column`, `audit.source_key`). Each change is reported once, in
`audit.schema_change`, and is applied to the seed, accepted, or blocks its table, as the
table's on_schema_change says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from ingest import keys, locks, sources
from ingest.control import Connection
from ingest.errors import SeedbedError, first_line
from ingest.seed import generate, metadata, seedfile, types
from ingest.seed.discover.rows import new_column_row, rule_of_values
from ingest.seed.metadata import Source, Table
from ingest.sources.kind import Column, Key, SourceTable, ambiguous
from ingest.statements import Statements

_SQL = Statements(__file__)

# A local time and an instant: read as the other, each is hours off.
_RIGHT_CLOCK = {
    ("local", "timestamptz"): "timestamp",
    ("instant", "timestamp"): "timestamptz",
}

Read = Callable[[Source, Sequence[Table]], dict[str, SourceTable]]


def catalogue(source: Source, tables: Sequence[Table]) -> dict[str, SourceTable]:
    """The source's tables as they are now; `tables` are those that are asked for."""
    return sources.of(source).catalogue(source, tables)


# What becomes of a change: its action, why, and the seed's cells to write.
Outcome = tuple[str, str, Mapping[str, str]]


@dataclass(frozen=True)
class Change:
    """A change of a column: from what to what (its declaration), and its outcome.

    `change` is added, dropped, retyped, rekeyed (of the table's key, which has no
    column's name), or settled (a blocked change was resolved);
    `action` is followed (the seed follows it), reported (and no more) or blocked.
    `cells` are the seed's cells to write.
    """

    table: Table
    column: str
    change: str
    was: str | None
    now: str | None
    action: str
    text: str
    cells: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Followed:
    """The tables as the seed has them now, and the errors of those not to be read.

    `is_written`: the seed and the models have changed.
    """

    tables: list[Table]
    errors: dict[str, SeedbedError]
    is_written: bool


@dataclass
class _Look:
    """A table, its columns in the source and their changes since they were seen."""

    table: Table
    columns: Mapping[str, Column]
    changes: list[Change]
    unique: str


def follow(
    connection: Connection,
    root: Path,
    run_id: str,
    tables: Sequence[Table],
    read: Read = catalogue,
) -> Followed:
    """Compare the tables with their sources, and let the seed follow where it may.

    The seed and the generated models below `root` are both written, or neither is.
    A source that can't be read is the error of its tables.
    """
    errors: dict[str, SeedbedError] = {}
    looks: list[_Look] = []
    with connection.transaction():
        # Of two runs at once, the second sees what the first has followed.
        locks.serialize(connection, "drift")
        current = {t.id: t for t in metadata.load(root)}
        now = [current.get(t.id, t) for t in tables]
        for name in sorted({t.source.name for t in now}):
            there = [t for t in now if t.source.name == name]
            try:
                found = read(there[0].source, there)
            except SeedbedError as error:
                errors |= {t.id: error for t in there}
                continue
            for table in there:
                if fault := _unreadable(table, found):
                    errors[table.id] = fault
                else:
                    looks.append(_look(connection, table, found[table.name]))
        for look in looks:
            if any(c.action == "blocked" for c in look.changes):
                errors[look.table.id] = _blocked(look.table, look.changes)
                # A table that is not read follows none of its changes.
                look.changes = [replace(c, action="blocked") for c in look.changes]
        _write_seed(root, looks)
        for look in looks:
            _record(connection, run_id, look)
    is_written = any(c.action == "followed" for k in looks for c in k.changes)
    if is_written:
        current = {t.id: t for t in metadata.load(root)}
    return Followed([current.get(t.id, t) for t in tables], errors, is_written)


def _look(connection: Connection, table: Table, there: SourceTable) -> _Look:
    seen = dict(_SQL.run(connection, "seen", table_id=table.id).fetchall())
    key = _SQL.run(connection, "seen_key", **_key(table)).fetchone()
    changes = compare(table, there.columns, seen)
    changes += compare_keys(table, there, key[0] if key else "")
    return _Look(table, there.columns, changes, unique_key(table, there))


def _unreadable(table: Table, found: Mapping[str, SourceTable]) -> SeedbedError | None:
    if table.name not in found:
        return SeedbedError(
            f"{table.id}: there is no table {table.name!r} in schema "
            f"{table.source.schema} of source {table.source.name}, or its user may not "
            "SELECT from it. What was loaded stays as it is.",
            "Restore the table or the privilege; if it is gone for good, set enabled "
            "false in seeds/metadata/tables.csv.",
        )
    if fault := found[table.name].fault:
        return fault
    needs_query = sources.of(table.source).needs_query((), found)
    if needs_query and not table.options.by_query:
        alike = ambiguous(found)
        return SeedbedError(
            f"{table.id}: schema {table.source.schema} has tables whose names differ "
            f"by case only ({', '.join(alike)}), which the fast reader can't "
            "distinguish; nothing was read.",
            "Set the option by_query of the schema's tables to true in "
            "seeds/metadata/options.csv, or rename one.",
        )
    if table.source.timezone == "UTC":
        return None
    for column in table.columns:
        there = found[table.name].columns.get(column.source_name)
        if not there:
            continue
        if right := _RIGHT_CLOCK.get((there.clock, column.type.name)):
            name = there.data_type.upper()
            return SeedbedError(
                f"{table.id}: column {column.source_name} is a {name} in the "
                f"source, whose timezone is {table.source.timezone}, and its data_type "
                f"is {column.type.name}. Nothing was read.",
                f"Set its data_type to {right} in seeds/metadata/columns.csv, then run "
                "`./seedbed generate` and run again.",
            )
    return None


def compare(
    table: Table, columns: Mapping[str, Column], seen: Mapping[str, str]
) -> list[Change]:
    """The changes of a table's columns since they were seen, with their outcome.

    `seen` is empty for a table that is compared for the first time: its columns are
    accepted as they are, except that none of the seed may be missing.
    """
    known = {c.source_name for c in table.columns}
    taken = {c.name for c in table.columns}
    changes = []
    for name in dict.fromkeys((*(c.source_name for c in table.columns), *seen)):
        was, column = seen.get(name), columns.get(name)
        if column is None:
            action = "blocked" if name in known or _is_frozen(table) else "reported"
            text = f"column {name} is no longer in the source"
            changes.append(Change(table, name, "dropped", was, None, action, text))
        elif was and was != column.declared:
            action, why, cells = _retyped(table, column, was)
            now = column.declared
            text = f"column {name} was {was} and is {now}: {why}"
            change = Change(table, name, "retyped", was, now, action, text, cells)
            changes.append(change)
    for name, column in columns.items():
        if seen and name not in seen and name not in known:
            action, why, cells = _added(table, column, taken)
            now = column.declared
            text = f"column {name} ({now}) is new: {why}"
            change = Change(table, name, "added", None, now, action, text, cells)
            changes.append(change)
    return changes


def unique_key(table: Table, there: SourceTable) -> str:
    """The source's key that keeps the seed's unique, in words; '' where none does."""
    columns = {c.source_name for c in table.key}
    found = sorted(there.keys, key=lambda k: (not k.is_primary, k.name))
    return next((_said(key) for key in found if {*key.columns} <= columns), "")


def _said(key: Key) -> str:
    kind = "primary key" if key.is_primary else f"unique key {key.name}"
    return f"{kind} ({', '.join(key.columns)})"


def compare_keys(table: Table, there: SourceTable, was: str) -> list[Change]:
    """The change of the source's keys after which the seed's may not be unique.

    `was` is the key that kept it unique. A table that is read whole needs no key.
    """
    lacking = any(c.source_name not in there.columns for c in table.key)
    if not was or lacking or table.load_type.reads_whole or unique_key(table, there):
        return []
    primary = next((_said(key) for key in there.keys if key.is_primary), None)
    now = f"its {primary} is another" if primary else "it has no primary key"
    text = f"its {was} is gone and {now}"
    if primary and was.startswith("primary key"):
        text = f"its {was} is now the {primary}"
    text += f", so {keys.columns_of(table)} of columns.csv may be in several rows"
    action = "reported" if table.on_schema_change == "ignore" else "blocked"
    return [Change(table, "", "rekeyed", was, primary, action, text)]


def _is_frozen(table: Table) -> bool:
    return table.on_schema_change == "freeze"


def _added(table: Table, column: Column, taken: set[str]) -> Outcome:
    if _is_frozen(table):
        return "blocked", "the table is frozen", {}
    if table.on_schema_change != "evolve":
        return "reported", "not read: columns.csv does not name it", {}
    cells = new_column_row(table, column, taken)
    if not cells:
        return "reported", f"not read: {column.proposal.note}", {}
    why = (
        f"now read as {cells['name']}, which is NULL in rows read before, until they "
        f"change or `./seedbed backfill` reads them{_masked(cells['pii'])}"
    )
    return "followed", why, cells


def _masked(pii: str) -> str:
    """What consumers see of a new column of that class, if not everything."""
    if not pii:
        return ""
    if pii != metadata.UNDECIDED:
        return f". By its name its class of personal data is {pii}"
    return (
        ". It may hold personal data, so consumers see nothing of it until you write a "
        f"class, or {metadata.HARMLESS}, in its pii in columns.csv"
    )


def _retyped(table: Table, column: Column, was: str) -> Outcome:
    own = next((c for c in table.columns if c.source_name == column.name), None)
    if _is_frozen(table):
        return "blocked", "the table is frozen", {}
    if own is None:
        return "reported", "the column is not read", {}
    if table.on_schema_change == "ignore":
        return "reported", f"rows that do not fit {own.type.name} are rejected", {}
    kind = follows(own.type, column)
    if kind is None:
        return "blocked", f"which {own.type.name} does not hold", {}
    cells, why = {}, []
    if kind != own.type.name:
        cells["data_type"] = kind
        why.append(f"its type is now {kind}")
    if column.nullable and not own.nullable and not own.key_position:
        cells["nullable"] = "true"
        why.append("it is now nullable")
    if more := _more_values(table, own, column, was):
        cells |= more
        why.append("its rule has the new values")
    if not cells:
        return "reported", f"{own.type.name} holds it", {}
    return "followed", ", ".join(why), cells


def _more_values(
    table: Table, own: metadata.Column, column: Column, was: str
) -> dict[str, str]:
    """The column's rule, old and new, where the source declares more values."""
    before = replace(column, column_type=was.removesuffix(" not null"))
    if not column.values or not {*before.values} < {*column.values}:
        return {}
    old, new = rule_of_values(before), rule_of_values(column)
    for rule in table.rules:
        is_old = rule.check.argument == old.get("argument")
        if new and rule.column == own.name and is_old:
            return {"rule": rule.check.argument, "argument": new["argument"]}
    return {}


def follows(kind: types.CanonicalType, column: Column) -> str | None:
    """The type that a column of type `kind` needs to have; None if none fits.

    That is its own, or a wider one that the log and the models can be altered to.
    """
    if column.fits(kind):
        return kind.name
    for name in filter(None, (column.proposal.type, column.proposal.otherwise)):
        if types.widens(kind.postgres, types.parse(name).postgres):
            return name
    return None


def _blocked(table: Table, changes: Sequence[Change]) -> SeedbedError:
    """Why a table is not read, and what to do."""
    lines = [c.text for c in changes]
    dropped = [c for c in changes if c.change == "dropped" and c.action == "blocked"]
    for old in dropped:
        for new in changes:
            if new.change == "added" and new.now == old.was:
                lines.append(
                    f"{new.column} is of the type that {old.column} was: if it was "
                    f"renamed, write {new.column} as the column (not the name) in that "
                    "row of columns.csv"
                )
    if any(c.change == "rekeyed" and c.action == "blocked" for c in changes):
        fix = (
            f"Restore the key in the source. Or, if other columns identify a row now: "
            f"{keys.another(table)} If the key is still unique, write ignore as "
            "the table's on_schema_change in seeds/metadata/tables.csv for one run."
        )
    elif _is_frozen(table):
        fix = (
            "Undo the change in the source; or, to accept it, write evolve as the "
            "table's on_schema_change in seeds/metadata/tables.csv, run `./seedbed "
            "generate` and run again; then write freeze again."
        )
    elif dropped:
        fix = (
            "Restore the column; or correct seeds/metadata/columns.csv, run `./seedbed "
            "generate` and run again."
        )
    else:
        fix = (
            "Undo the change in the source; or give the column the new type and "
            "another name in seeds/metadata/columns.csv, run `./seedbed generate` and "
            "run again."
        )
    return SeedbedError(
        f"{table.id}: {'; '.join(lines)}. Nothing was read; what was loaded stays as "
        "it is.",
        fix,
    )


def _write_seed(root: Path, looks: Sequence[_Look]) -> None:
    """Let the seed and the models follow; if they can't, only report the changes."""
    followed = [c for k in looks for c in k.changes if c.action == "followed"]
    if not followed:
        return
    before = {p: p.read_bytes() for p in (root / metadata.FOLDER).glob("*.csv")}
    try:
        for change in followed:
            _write_change(root, change)
        _generate(root)
    except (OSError, SeedbedError) as error:
        with suppress(OSError, SeedbedError):
            for path, content in before.items():
                seedfile.put(path, content)
            _generate(root)
        cause = first_line(error)
        why = f"; but the seed could not be written ({cause}), so it is not followed"
        for look in looks:
            look.changes = [
                replace(c, action="reported", text=c.text + why) if c in followed else c
                for c in look.changes
            ]


def _write_change(root: Path, change: Change) -> None:
    here = {"source": change.table.source.name, "table": change.table.name}
    if change.change == "added":
        seedfile.append(root, "columns", [here | dict(change.cells)])
        return
    cells = dict(change.cells)
    rule, argument = cells.pop("rule", ""), cells.pop("argument", "")
    if cells:
        seedfile.change(root, "columns", here | {"column": change.column}, cells)
    if argument:
        for own in change.table.columns:
            if own.source_name == change.column:
                row = here | {"column": own.name, "argument": rule}
                seedfile.change(root, "rules", row, {"argument": argument})


def _generate(root: Path) -> None:
    generate.apply(root, generate.plan(root, metadata.load(root)))


def _record(connection: Connection, run_id: str, look: _Look) -> None:
    """Store what was seen, and each change that was not reported already."""
    table = look.table
    rows = _SQL.run(connection, "newest_changes", table_id=table.id)
    latest = {name: (change, now, action) for name, change, now, action in rows}
    changed = {c.column for c in look.changes}
    changes = [*look.changes]
    for name, (_, now, action) in latest.items():
        if action == "blocked" and name not in changed:
            text = f"column {name} is resolved" if name else "its key is resolved"
            changes.append(Change(table, name, "settled", None, now, "reported", text))
    for c in changes:
        if latest.get(c.column) != (c.change, c.now, c.action):
            here = {"run_id": run_id, "table_id": table.id, "column_name": c.column}
            facts = vars(c) | here | {"message": c.text}
            _SQL.run(connection, "note_change", **facts)
    # The next run must find again what is neither accepted nor applied.
    open_ = {c.column for c in look.changes if c.action == "blocked" or c.cells}
    open_ -= {c.column for c in look.changes if c.action == "followed"}
    seen = {n: c.declared for n, c in look.columns.items() if n not in open_}
    declared, kept = Jsonb(seen), [*open_]
    _SQL.run(connection, "see", table_id=table.id, declared=declared, kept=kept)
    if not any(c.change == "rekeyed" and c.action == "blocked" for c in look.changes):
        _SQL.run(connection, "see_key", **_key(table), unique_key=look.unique)


def _key(table: Table) -> dict[str, Any]:
    return {"table_id": table.id, "columns": [c.source_name for c in table.key]}
