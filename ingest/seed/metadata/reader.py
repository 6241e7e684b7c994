"""The reader of the metadata seed: from the rows of its files to its model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from ingest.errors import meant
from ingest.seed import options as table_options
from ingest.seed import types
from ingest.seed.checks import CHECKS, LAYERS, Check
from ingest.seed.load_types import LOAD_TYPES, LoadType
from ingest.seed.metadata.checks import faults_of_column, faults_of_table, other_log
from ingest.seed.metadata.model import (
    CLEANSERS,
    DELETE_MODES,
    HARMLESS,
    KINDS,
    PII_CLASSES,
    SCHEMA_CHANGES,
    SEVERITIES,
    UNDECIDED,
    Column,
    RowAccess,
    Rule,
    Source,
    Table,
)
from ingest.seed.metadata.names import faults_of_source
from ingest.seed.metadata.rows import FOLDER, HEADERS, Files, Row
from ingest.seed.options import Options
from ingest.seed.types import CanonicalType

_loaded: dict[Path, tuple[Sequence[object], list[Table]]] = {}


def load(root: Path) -> list[Table]:
    """Read and check the seed below `root`; tables sorted by id.

    Raises MetadataError with every fault of all files that follows from no other.
    What was made of the files is kept, as many ask for it in one run, until one of them
    says something else.
    """
    is_of = [_content(root / FOLDER / f"{name}.csv") for name in HEADERS]
    if root not in _loaded or _loaded[root][0] != is_of:
        _loaded[root] = is_of, _Reader(root).read()
    return [*_loaded[root][1]]


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None  # which is a fault, and named as one


def load_sources(root: Path) -> dict[str, Source]:
    """The sources of the seed below `root` by name; those without tables as well."""
    reader = _Reader(root)
    return reader.sources(reader.rows("sources"))


def load_row_access(root: Path) -> list[RowAccess]:
    """Who may see which rows, from the seed below `root`; sorted."""
    reader = _Reader(root)
    return reader.row_access(reader.rows("row_access"))


class _Reader(Files):
    """Makes the model of the rows, and checks them; `read` raises all faults."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.checks: list[tuple[Row, Check[Any]]] = []

    def read(self) -> list[Table]:
        rows = {name: self.rows(name) for name in HEADERS}
        # Much would follow from a line that is no row, or from a table that is not
        # there: the rest is looked at once these are right.
        self.raise_faults()
        sources = self.sources(rows["sources"])
        before = len(self.faults)
        self._lines_of_tables(rows, sources)
        if len(self.faults) > before:
            self.raise_faults()
        tables = self._tables(rows, sources)
        self.row_access(rows["row_access"])
        self.raise_faults()
        return sorted(tables, key=lambda t: t.id)

    def sources(self, rows: list[Row]) -> dict[str, Source]:
        self.unique(rows, "source", lambda r: (r["source"],))
        zones = _zones()
        for row in rows:
            for text in faults_of_source(row["source"]):
                self.fault(row, text)
            self.choice(row, "kind", KINDS)
            if not re.fullmatch("[A-Z][A-Z0-9_]*", row["url_env"]):
                self.fault(
                    row,
                    f"url_env {row['url_env']!r} is not the name of an environment "
                    "variable; the URL itself (it holds a password) never goes here. "
                    f"Try {row['source'].upper() + '_URL'!r}",
                )
            if not row["schema"]:
                self.fault(row, "schema is empty; name the database to read from")
            if row["timezone"] not in zones:
                self.fault(
                    row,
                    f"timezone {row['timezone']!r} is not known."
                    f"{meant(row['timezone'], zones)} Use a name such as 'UTC'",
                )
        # The model has the header's order.
        return {row["source"]: Source(*row.values.values()) for row in rows}

    def row_access(self, rows: list[Row]) -> list[RowAccess]:
        self.unique(rows, "row access", lambda r: (r["role"], r["column"], r["value"]))
        for row in rows:
            for name in ("role", "column"):
                self.identifier(row, name)
            if not row["value"]:
                self.fault(row, "value is empty; rows without one are shown to none")
        found = [RowAccess(r["role"], r["column"], r["value"]) for r in rows]
        return sorted(found, key=lambda r: (r.role, r.column, r.value))

    def _lines_of_tables(
        self, rows: dict[str, list[Row]], sources: dict[str, Source]
    ) -> None:
        """What tables.csv says by itself, and who refers to a table that it has not."""
        self.unique(rows["tables"], "table", lambda r: r.table)
        self.unique(rows["tables"], "model", lambda r: (r["model"],))
        self.known(rows["tables"], ("source",), sources, "source", "sources.csv")
        for row in rows["tables"]:
            self.identifier(row, "model")
            self.choice(row, "load_type", LOAD_TYPES)
            self.choice(row, "delete_mode", DELETE_MODES)
            self.choice(row, "on_schema_change", SCHEMA_CHANGES)
        known = {".".join(r.table) for r in rows["tables"]}
        for name in ("columns", "options", "rules"):
            self.known(rows[name], ("source", "table"), known, "table", "tables.csv")
        described = {r.table for r in rows["columns"]}
        for row in rows["tables"]:
            if row.table not in described:
                self.fault(row, f"{'.'.join(row.table)} has no row in columns.csv")

    def _tables(
        self, rows: dict[str, list[Row]], sources: dict[str, Source]
    ) -> list[Table]:
        self.unique(rows["columns"], "column", lambda r: (*r.table, r["column"]))
        self.unique(rows["columns"], "name", lambda r: (*r.table, r["name"]))
        self.unique(rows["options"], "option", lambda r: (*r.table, r["option"]))
        self.unique(
            rows["rules"],
            "rule",
            lambda r: (
                *r.table,
                r["column"],
                r["check"],
                r["layer"],
                *([r["argument"]] if _is_repeatable(r) else []),
            ),
        )
        grouped: dict[tuple[str, tuple[str, str]], list[Row]] = {}
        for name in ("columns", "options", "rules"):
            for row in rows[name]:
                grouped.setdefault((name, row.table), []).append(row)
        tables = [
            self._table(
                row,
                sources[row["source"]],
                *(
                    grouped.get((name, row.table), [])
                    for name in ("columns", "options", "rules")
                ),
            )
            for row in rows["tables"]
        ]
        self._checks_of_tables(tables)
        self._names(rows["tables"], tables)
        return tables

    def _names(self, rows: list[Row], tables: list[Table]) -> None:
        """No model and no log may have the name of another one."""
        owners = {name: t.id for t in tables for name in t.generated_names}
        logs: dict[str, int] = {}
        for row, table in zip(rows, tables, strict=True):
            if owners.get(table.model, table.id) != table.id:
                self.fault(
                    row,
                    f"model {table.model!r} is generated for {owners[table.model]}; "
                    "choose another name",
                )
            first = logs.setdefault(table.bronze, row.line)
            if first != row.line:
                self.fault(
                    row,
                    f"its log would be called bronze.{table.bronze}, as that of line "
                    f"{first} is; {other_log(table)}",
                )

    def _table(
        self,
        row: Row,
        source: Source,
        column_rows: list[Row],
        option_rows: list[Row],
        rule_rows: list[Row],
    ) -> Table:
        load_type = LOAD_TYPES[row["load_type"]]
        columns = tuple(self._column(r, load_type) for r in column_rows)
        table = Table(
            source,
            row["table"],
            row["model"],
            load_type,
            row["watermark_column"],
            row["delete_mode"],
            row["on_schema_change"],
            row["owner"] or source.owner,
            self.flag(row, "enabled", True),
            row["description"],
            columns,
            (),
            self._options(option_rows),
        )
        table = replace(table, rules=tuple(self._rules(rule_rows, table)))
        for text in faults_of_table(table):
            self.fault(row, text)
        for name, option_row in {r["option"]: r for r in option_rows}.items():
            if name in table_options.KNOWN and getattr(table.options, name):
                for text in table_options.KNOWN[name].faults(table, name):
                    self.fault(option_row, text)
        return table

    def _column(self, row: Row, load_type: LoadType) -> Column:
        self.identifier(row, "name")
        try:
            kind = types.parse(row["data_type"])
        except ValueError as error:
            self.fault(row, f"data_type {row['data_type']!r}: {error}")
            kind = types.parse("text")
        position = None
        if re.fullmatch("[1-9][0-9]?", row["key_position"]):
            position = int(row["key_position"])
        elif row["key_position"]:
            self.fault(
                row,
                f"key_position {row['key_position']!r} is not a number from 1; "
                "leave it empty for a column outside the key",
            )
        for name, known in (
            ("cleanse", CLEANSERS),
            ("pii", (*PII_CLASSES, UNDECIDED, HARMLESS)),
        ):
            if row[name]:
                self.choice(row, name, known)
        is_harmless = row["pii"] == HARMLESS
        column = Column(
            row["column"],
            row["name"],
            kind,
            self.flag(row, "nullable", True),
            position,
            self.flag(row, "tracked", False),
            row["cleanse"],
            "" if is_harmless else row["pii"],
            row["description"],
            is_harmless,
        )
        for text in faults_of_column(column, load_type):
            self.fault(row, text)
        return column

    def _options(self, rows: list[Row]) -> Options:
        values: dict[str, Any] = {}
        for row in rows:
            option = table_options.KNOWN.get(row["option"])
            if option is None:
                self.choice(row, "option", sorted(table_options.KNOWN))
                continue
            try:
                values[row["option"]] = option.kind.parse(row["value"])
            except ValueError as error:
                self.fault(
                    row, f"{row['option']} is {row['value']!r}; it takes {error}"
                )
        return replace(table_options.DEFAULTS, **values)

    def _rules(self, rows: list[Row], table: Table) -> Iterator[Rule]:
        columns = {c.name: c.type for c in table.columns}
        key = tuple(c.name for c in table.key)
        grace = table.options.reference_grace_minutes if table.watermark_column else 0
        numbers: dict[tuple[str, str], int] = {}
        for row in rows:
            check = self._check(row, columns, key, grace)
            if check is None:
                continue
            self.checks.append((row, check))
            layer = row["layer"]
            number = numbers.get((layer, check.id), 0) + 1
            numbers[layer, check.id] = number
            yield Rule(
                check.id if number == 1 else f"{check.id}_{number}",
                check,
                row["severity"],
                layer,
                row["description"],
            )

    def _check(
        self,
        row: Row,
        columns: dict[str, CanonicalType],
        key: tuple[str, ...],
        grace: int,
    ) -> Check[Any] | None:
        """The check of a rule, unless its name, column or argument is wrong."""
        name = self.choice(row, "check", CHECKS)
        self.choice(row, "severity", SEVERITIES)
        layer = self.choice(row, "layer", LAYERS)
        check, column = CHECKS.get(name), row["column"]
        if check is None:
            return None
        if layer in LAYERS and layer not in check.layers:
            self.fault(
                row,
                f"{name} is not a check of the layer {layer}; write "
                f"{' or '.join(check.layers)}",
            )
        if check.scope == "table" and column:
            self.fault(row, f"{name} looks at the whole table; leave column empty")
        elif column not in columns and (column or check.scope == "column"):
            self.fault(
                row,
                f"column {column!r} is not a name in columns.csv of "
                f"{row['source']}.{row['table']}.{meant(column, columns)}",
            )
        else:
            try:
                return check(row["argument"], column, columns, key, grace)
            except ValueError as error:
                self.fault(row, str(error))
        return None

    def _checks_of_tables(self, tables: list[Table]) -> None:
        """What a check asks of its table and of other ones."""
        models = {t.model: t for t in tables if t.enabled}
        by_name = {(t.source.name, t.name): t for t in tables}
        for row, check in self.checks:
            try:
                check.assert_table(by_name[row["source"], row["table"]], models)
            except ValueError as error:
                self.fault(row, str(error))


@cache
def _zones() -> set[str]:
    """They are searched for in folders, which takes longer than the rest of a seed."""
    return available_timezones()


def _is_repeatable(rule: Row) -> bool:
    return rule["check"] in CHECKS and CHECKS[rule["check"]].repeatable
