"""The reader of the metadata seed: from the rows of its files to its model."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from ingest import sources
from ingest.errors import ConfigurationError, meant
from ingest.seed import types
from ingest.seed.checks import CHECKS, LAYERS, Check
from ingest.seed.load_types import LOAD_TYPES, LoadType
from ingest.seed.metadata import model
from ingest.seed.metadata.checks import faults_of_column, faults_of_table, other_log
from ingest.seed.metadata.model import Column, RowAccess, Rule, Source, Table
from ingest.seed.metadata.names import faults_of_source
from ingest.seed.metadata.rows import (
    FOLDER,
    HEADERS,
    Fault,
    Row,
    check_known,
    check_unique,
    raise_any,
    read_rows,
)
from ingest.seed.options import DEFAULTS, KNOWN, Options

_loaded: dict[Path, tuple[Sequence[object], list[Table]]] = {}


def load(root: Path) -> list[Table]:
    """Read and check the seed below `root`; tables sorted by id.

    Raises MetadataError with every fault of all files that follows from no other.
    What was made of the files is kept, as many ask for it in one run, until one of them
    says something else.
    """
    is_of = [_content(root / FOLDER / f"{name}.csv") for name in HEADERS]
    if root not in _loaded or _loaded[root][0] != is_of:
        _loaded[root] = is_of, _read(root)
    return [*_loaded[root][1]]


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None  # which is a fault, and named as one


def load_sources(root: Path) -> dict[str, Source]:
    """The sources of the seed below `root` by name; those without tables as well."""
    return _sources(read_rows(root, "sources", []))


def load_row_access(root: Path) -> list[RowAccess]:
    """Who may see which rows, from the seed below `root`; sorted."""
    return _row_access(read_rows(root, "row_access", []))


def enabled(tables: Iterable[Table], patterns: Iterable[str] = ()) -> list[Table]:
    """The enabled tables, or those of them that `patterns` name.

    A pattern is `source.table`, a model's name, or either with `*`. A pattern
    that fits no table is a ConfigurationError naming what there is.
    """
    live = [t for t in tables if t.enabled]
    wanted = [p for pattern in patterns for p in pattern.split(",") if p]
    if not wanted:
        return live
    chosen: list[Table] = []
    for pattern in wanted:
        glob = re.compile(re.escape(pattern).replace(r"\*", ".*"))
        found = [t for t in live if glob.fullmatch(t.id) or glob.fullmatch(t.model)]
        if not found:
            names = [t.id for t in live]
            raise ConfigurationError(
                f"--tables {pattern}: no enabled table of the metadata seed has "
                f"that name.{meant(pattern, [*names, *(t.model for t in live)])}",
                f"there are {', '.join(names)}",
            )
        chosen += [t for t in found if t not in chosen]
    return sorted(chosen, key=lambda t: t.id)


def _read(root: Path) -> list[Table]:
    faults: list[Fault] = []
    rows = {name: read_rows(root, name, faults) for name in HEADERS}
    # Much would follow from a line that is no row, or from a table that is not
    # there: the rest is looked at once these are right.
    raise_any(faults)
    sources = _sources(rows["sources"])
    before = len(faults)
    _check_lines_of_tables(rows, sources)
    if len(faults) > before:
        raise_any(faults)
    tables = _tables(rows, sources)
    _row_access(rows["row_access"])
    raise_any(faults)
    return sorted(tables, key=lambda t: t.id)


@cache
def _zones() -> set[str]:
    """They are searched for in folders, which takes longer than the rest of a seed."""
    return available_timezones()


def _sources(rows: list[Row]) -> dict[str, Source]:
    check_unique(rows, "source", "source")
    for row in rows:
        row.fault(*faults_of_source(row["source"]))
        row.choice("kind", sources.NAMES)
        if not re.fullmatch("[A-Z][A-Z0-9_]*", row["url_env"]):
            row.fault(
                f"url_env {row['url_env']!r} is not the name of an environment "
                "variable; the URL itself (it holds a password) never goes here. "
                f"Try {row['source'].upper() + '_URL'!r}"
            )
        if not row["schema"]:
            row.fault("schema is empty; name the database to read from")
        if row["timezone"] not in _zones():
            row.fault(
                f"timezone {row['timezone']!r} is not known."
                f"{meant(row['timezone'], _zones())} Use a name such as 'UTC'"
            )
    # The model has the header's order.
    return {row["source"]: Source(*row.values.values()) for row in rows}


def _row_access(rows: list[Row]) -> list[RowAccess]:
    check_unique(rows, "row access", "role", "column", "value")
    for row in rows:
        row.identifier("role")
        row.identifier("column")
        if not row["value"]:
            row.fault("value is empty; rows without one are shown to none")
    return sorted(RowAccess(r["role"], r["column"], r["value"]) for r in rows)


def _check_lines_of_tables(
    rows: dict[str, list[Row]], sources: dict[str, Source]
) -> None:
    """What tables.csv says by itself, and who refers to a table that it has not."""
    check_unique(rows["tables"], "table", "source", "table")
    check_unique(rows["tables"], "model", "model")
    check_known(rows["tables"], ["source"], sources, "source", "sources.csv")
    known = {".".join(r.table) for r in rows["tables"]}
    for name in ("columns", "options", "rules"):
        check_known(rows[name], ["source", "table"], known, "table", "tables.csv")
    described = {r.table for r in rows["columns"]}
    for row in rows["tables"]:
        row.identifier("model")
        row.choice("load_type", LOAD_TYPES)
        row.choice("delete_mode", model.DELETE_MODES)
        row.choice("on_schema_change", model.SCHEMA_CHANGES)
        if row.table not in described:
            row.fault(f"{'.'.join(row.table)} has no row in columns.csv")


def _tables(rows: dict[str, list[Row]], sources: dict[str, Source]) -> list[Table]:
    check_unique(rows["columns"], "column", "source", "table", "column")
    check_unique(rows["columns"], "name", "source", "table", "name")
    check_unique(rows["options"], "option", "source", "table", "option")
    place = ("source", "table", "column", "check", "layer")
    for is_repeatable, more in ((False, ()), (True, ("argument",))):
        alike = [r for r in rows["rules"] if _is_repeatable(r) == is_repeatable]
        check_unique(alike, "rule", *place, *more)
    of_table = {name: _by_table(rows[name]) for name in ("columns", "options", "rules")}
    tables = []
    checks: list[tuple[Row, Table, Check[Any]]] = []
    for row in rows["tables"]:
        columns, options, rules = (named[row.table] for named in of_table.values())
        table = _table(row, sources[row["source"]], columns, options)
        found = [*_checks(rules, table)]
        checks += [(rule, table, check) for rule, check in found]
        tables.append(replace(table, rules=tuple(_rules(found))))
    models = {t.model: t for t in tables if t.enabled}
    for row, table, check in checks:
        try:
            check.assert_table(table, models)
        except ValueError as error:
            row.fault(str(error))
    _check_names(rows["tables"], tables)
    return tables


def _is_repeatable(rule: Row) -> bool:
    return rule["check"] in CHECKS and CHECKS[rule["check"]].repeatable


def _by_table(rows: list[Row]) -> Mapping[tuple[str, str], list[Row]]:
    found = defaultdict(list)
    for row in rows:
        found[row.table].append(row)
    return found


def _check_names(rows: list[Row], tables: list[Table]) -> None:
    """No model and no log may have the name of another one."""
    owners = {name: t.id for t in tables for name in t.generated_names}
    logs: dict[str, int] = {}
    for row, table in zip(rows, tables, strict=True):
        if owners.get(table.model, table.id) != table.id:
            row.fault(
                f"model {table.model!r} is generated for {owners[table.model]}; "
                "choose another name"
            )
        first = logs.setdefault(table.bronze, row.line)
        if first != row.line:
            row.fault(
                f"its log would be called bronze.{table.bronze}, as that of line "
                f"{first} is; {other_log(table)}"
            )


def _table(row: Row, source: Source, columns: list[Row], options: list[Row]) -> Table:
    """A table as its row says, without its rules."""
    load_type = LOAD_TYPES[row["load_type"]]
    table = Table(
        source,
        row["table"],
        row["model"],
        load_type,
        row["watermark_column"],
        row["delete_mode"],
        row["on_schema_change"],
        row["owner"] or source.owner,
        row.flag("enabled", True),
        row["description"],
        tuple(_column(r, load_type) for r in columns),
        (),
        _options(options),
    )
    row.fault(*faults_of_table(table))
    for name, option in {o["option"]: o for o in options}.items():
        if name in KNOWN and getattr(table.options, name):
            option.fault(*KNOWN[name].faults(table, name))
    return table


def _column(row: Row, load_type: LoadType) -> Column:
    row.identifier("name")
    try:
        kind = types.parse(row["data_type"])
    except ValueError as error:
        row.fault(f"data_type {row['data_type']!r}: {error}")
        kind = types.parse("text")
    position = None
    if re.fullmatch("[1-9][0-9]?", row["key_position"]):
        position = int(row["key_position"])
    elif row["key_position"]:
        row.fault(
            f"key_position {row['key_position']!r} is not a number from 1; "
            "leave it empty for a column outside the key"
        )
    if row["cleanse"]:
        row.choice("cleanse", model.CLEANSERS)
    if row["pii"]:
        row.choice("pii", (*model.PII_CLASSES, model.UNDECIDED, model.HARMLESS))
    is_harmless = row["pii"] == model.HARMLESS
    column = Column(
        row["column"],
        row["name"],
        kind,
        row.flag("nullable", True),
        position,
        row.flag("tracked", False),
        row["cleanse"],
        "" if is_harmless else row["pii"],
        row["description"],
        is_harmless,
    )
    row.fault(*faults_of_column(column, load_type))
    return column


def _options(rows: list[Row]) -> Options:
    values: dict[str, Any] = {}
    for row in rows:
        if (name := row.choice("option", sorted(KNOWN))) in KNOWN:
            try:
                values[name] = KNOWN[name].parse(row["value"])
            except ValueError as error:
                row.fault(f"{name} is {row['value']!r}; it takes {error}")
    return replace(DEFAULTS, **values)


def _rules(checks: Iterable[tuple[Row, Check[Any]]]) -> Iterator[Rule]:
    numbers: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row, check in checks:
        layer = row["layer"]
        numbers[layer, check.id] += 1
        number = numbers[layer, check.id]
        name = check.id if number == 1 else f"{check.id}_{number}"
        yield Rule(name, check, row["severity"], layer, row["description"])


def _checks(rows: list[Row], table: Table) -> Iterator[tuple[Row, Check[Any]]]:
    """The check of each rule whose name, column and argument are right."""
    columns = {c.name: c.type for c in table.columns}
    key = tuple(c.name for c in table.key)
    grace = table.options.reference_grace_minutes if table.watermark_column else 0
    for row in rows:
        check = CHECKS.get(row.choice("check", CHECKS))
        row.choice("severity", model.SEVERITIES)
        layer, column = row.choice("layer", LAYERS), row["column"]
        if check is None:
            continue
        if layer in LAYERS and layer not in check.layers:
            row.fault(
                f"{check.name} is not a check of the layer {layer}; write "
                f"{' or '.join(check.layers)}"
            )
        if check.scope == "table" and column:
            row.fault(f"{check.name} looks at the whole table; leave column empty")
        elif column not in columns and (column or check.scope == "column"):
            row.fault(
                f"column {column!r} is not a name in columns.csv of "
                f"{'.'.join(row.table)}.{meant(column, columns)}"
            )
        else:
            try:
                yield row, check(row["argument"], column, columns, key, grace)
            except ValueError as error:
                row.fault(str(error))
