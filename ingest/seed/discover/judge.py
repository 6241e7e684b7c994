"""Judge a table by its catalogue and a bounded look at its rows."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ingest import limits
from ingest.seed import metadata, types
from ingest.seed.discover.names import Names, column_name, described
from ingest.seed.discover.rows import Row, column_row, rule_of_values
from ingest.seed.metadata import Source, words
from ingest.sources.kind import Key, Kind, Session, SourceTable

# Rows that are looked at to judge a column's values, and texts to judge their kind.
LOOKED_AT = 100_000
SAMPLE = 200
# A look may take that long; the server computes a view before it shows a row.
SECONDS = 2
VIEW_SECONDS = 20
# Below this many rows an append-only table is better read whole: nothing can be
# missed then.
MANY_ROWS = 100_000
_UPDATED = re.compile(
    r"(^|_)(updated|modified|changed|edited|mtime)(_|$)|(^|_)last_?(upd|mod|chang|edit)"
    r"|(^|_)(update|modify|modification|change)_?(at|on|time|date|dt|ts)"
    r"|^(updated|modified|changed)(at|on|time|date)"
)
_CREATED = re.compile(
    r"(^|_)(created|inserted|added|logged|occurred|recorded|happened|received|event"
    r"|log|ts|timestamp|time|at)(_|$)|^(created|logged|occurred)(at|on|time|date)"
)
_LOG = re.compile(r"(^|_)(logs?|events?|audit|history|journal|trail|trace|hits?)(_|$)")
_DELETED = re.compile(r"^(is_?)?(deleted|removed)(_?(at|on|time|date|flag))?$")
_STATE = re.compile(r"(^|_)(status|state|stage|phase)$")


@dataclass(frozen=True)
class Choice:
    """How a table is best loaded, and why."""

    load_type: str
    reason: str
    watermark: str = ""
    flag: str = ""
    tracked: frozenset[str] = frozenset()
    is_log: bool = False

    @property
    def name(self) -> str:
        """The load type as a person reads it."""
        return "incremental, append only" if self.is_log else self.load_type

    @property
    def delete_mode(self) -> str:
        """How deletes are found: by the source's mark, else by its keys."""
        if not self.watermark or self.is_log:
            return "none"
        return "soft_flag" if self.flag else "key_scan"


@dataclass(frozen=True)
class Proposal:
    """A table as the seed could describe it: rows by file, and why.

    A table that can't be read has no rows. `texts` are a sample by column.
    """

    table: SourceTable
    model: str
    choice: Choice
    warnings: list[str]
    rows: dict[str, list[Row]]
    texts: dict[str, list[str]] = field(default_factory=dict, repr=False)


class Judge:
    """Judges one table of a source."""

    def __init__(
        self,
        source: Source,
        found: Mapping[str, SourceTable],
        table: SourceTable,
        kind: Kind,
        session: Session,
    ) -> None:
        self.source = source
        self.kind = kind
        self.found = found
        self.table = table
        self.session = session
        self.place = kind.relation(source, table)
        self.warnings: list[str] = []
        self.types: dict[str, str] = {}
        # Columns of which a look at the rows showed that they have such values, and
        # why they could not be looked at.
        self.nulls: set[str] = set()
        self.future: set[str] = set()
        self.failed = ""
        others = (t for t in found.values() if t is not table)
        self.is_referred_to = any(
            f.table == table.name for t in others for f in t.foreign_keys
        )

    def propose(self, names: Names) -> Proposal:
        """The rows for the table, except the rules that need other tables."""
        table, source = self.table, self.source
        self.kind.limit(self.session, VIEW_SECONDS if table.is_view else SECONDS)
        for column in table.columns.values():
            proposal = column.proposal
            self.types[column.name] = proposal.type
            if not proposal.type:
                self.warnings.append(f"{column.name} is left out: {proposal.note}")
        self._look()
        texts = self._sample()
        key = self._key()
        choice = self._choose(key)
        columns = self._columns(key, choice, texts)
        if not columns:
            choice = Choice("left out", "no column can be read")
            if not table.columns:
                self.warnings.append(f"its columns are not shown: {self._refusal()}")
            return Proposal(table, "", choice, self.warnings, {})
        log = names.log(source, table.name)
        model = names.model(source, log)
        by_query = self.kind.needs_query((table.name, *table.columns), self.found)
        options = {
            "soft_delete_column": choice.flag,
            "append_only": "true" if choice.is_log else "",
            "log_name": "" if log == metadata.target_name(table.name) else log,
            "by_query": "true" if by_query else "",
            "long_key": "true" if self._needs_long_key(key) else "",
            **table.options,
        }
        self._tell_width(columns)
        proposed = {
            "model": model,
            "load_type": choice.load_type,
            "watermark_column": choice.watermark,
            "delete_mode": choice.delete_mode,
            "on_schema_change": "evolve",
            "enabled": "true",
            "description": described(table.comment, table.name),
        }
        rows = {
            "tables": [proposed],
            "columns": columns,
            "options": [{"option": k, "value": v} for k, v in options.items() if v],
            "rules": self._rules(columns),
        }
        here = {"source": source.name, "table": table.name}
        rows = {file: [here | row for row in new] for file, new in rows.items()}
        return Proposal(table, model, choice, self.warnings, rows, texts)

    # -- a look at the rows ----------------------------------------------------
    def _refusal(self) -> str:
        """What the server says of a table whose columns its catalogue hides."""
        if self.table.fault:
            return f"{self.table.fault.what} {self.table.fault.hint}"
        error = self.kind.refusal(self.session, self.source, self.table.name)
        return error or "the user has no right to any of them"

    def _look(self) -> None:
        """Judge values by up to LOOKED_AT rows; nothing of them is kept."""
        beyond: set[str] = set()  # have values that their types have none for
        keyed = {name for key in self.table.keys for name in key.columns}
        judged: list[tuple[set[str], str, str]] = []
        for column in self.table.columns.values():
            name = self.kind.quoted(column.name)
            if test := column.proposal.beyond:
                test = test.replace("$column", name)
                judged.append((beyond, column.name, test))
            if column.clock:
                judged.append((self.nulls, column.name, self.kind.no_time(name)))
                soon = f"{name} > {self.kind.now} + interval '1' day"
                judged.append((self.future, column.name, soon))
            elif column.nullable and column.name in keyed:
                judged.append((self.nulls, column.name, f"{name} is null"))
        if not judged:
            return
        # Only what is judged: a row may have long texts, and columns that `*` leaves
        # out or that the user may not read.
        names = {self.kind.quoted(name): None for _, name, _ in judged}
        rows = f"select {', '.join(names)} from {self.place} limit {LOOKED_AT}"
        tests = ", ".join(f"max(case when {test} then 1 end)" for *_, test in judged)
        found, self.failed = self.session.attempt(
            f"select {tests} from ({rows}) as looked_at"
        )
        if self.failed:
            beyond |= {name for verdict, name, _ in judged if verdict is beyond}
            self.warnings.append(
                "its rows could not be looked at, so its names alone were judged: "
                f"{self.failed}"
            )
        else:
            for (verdict, name, _), is_so in zip(judged, found[0], strict=True):
                if is_so:
                    verdict.add(name)
        for name in beyond:
            self.types[name] = self.table.columns[name].proposal.otherwise

    def _sample(self) -> dict[str, list[str]]:
        """Some texts of each column that has any, by its name."""
        texts = {
            column.name: self.types[column.name]
            for column in self.table.columns.values()
            if self.types[column.name].startswith(("varchar", "text"))
            and not column.values
        }
        # To see the beginning of a long text the server reads all of it.
        short = [name for name, kind in texts.items() if kind != "text"]
        error = ""
        for names in filter(None, ([*texts], short)):
            parts = ", ".join(
                self.kind.start(self.kind.quoted(name), 100) for name in names
            )
            query = f"select {parts} from {self.place} limit {SAMPLE}"
            rows, error = self.session.attempt(query)
            if not error:
                columns = zip(names, zip(*rows, strict=True), strict=False)
                return {name: [str(v) for v in found if v] for name, found in columns}
        if error:
            self.warnings.append(
                "its texts could not be looked at, so personal data were looked for "
                f"by name alone: {error}"
            )
        return {}

    # -- key, load type, deletes -----------------------------------------------
    def _key(self) -> Key | None:
        """The primary key, else the best unique one; warns where there is none."""

        def is_fit(name: str) -> bool:
            """Whether the warehouse can look rows up by the column."""
            if not (kind := self.types.get(name)):
                return False
            return bool(self.table.columns[name].values) or types.parse(kind).is_key

        def rank(key: Key) -> tuple[bool, bool, int, bool, str]:
            columns = [self.table.columns[n] for n in key.columns]
            return (
                not key.is_primary,
                any(c.nullable for c in columns),
                len(columns),
                not all(_is_whole(self.types[c.name]) for c in columns),
                key.name,
            )

        fit = [key for key in self.table.keys if all(map(is_fit, key.columns))]
        for key in sorted(fit, key=rank):
            nullable = [n for n in key.columns if self.table.columns[n].nullable]
            if self.nulls & {*nullable} or (nullable and self.failed):
                why = "may hold" if self.failed else "holds"
                self.warnings.append(f"unique key {key.name} {why} NULL: not the key")
                continue
            if nullable:
                self.warnings.append(
                    f"the key {', '.join(nullable)} may be NULL; such rows are rejected"
                )
            return key
        if not self.table.is_view:
            self.warnings.append("no key: the rows can't be told apart")
        return None

    def _needs_long_key(self, key: Key | None) -> bool:
        """Whether the seed must say that the key is long; warns where it may be."""
        if key is None:
            return False
        columns = [self.table.columns[name] for name in key.columns]
        kinds = [types.parse(self.types[c.name]) for c in columns]
        # Of bytes the seed knows no length.
        size = sum(
            (column.length or 0) if kind.name == "binary" else kind.size or 0
            for column, kind in zip(columns, kinds, strict=True)
        )
        is_told = limits.is_too_long(kinds)
        if not is_told and 8 + size + 8 * len(kinds) <= limits.INDEX_BYTES:
            return False
        self.warnings.append(
            f"the key {', '.join(key.columns)} may have {size:,} bytes, an index of "
            f"Postgres takes {limits.INDEX_BYTES:,}: its index holds hashes"
        )
        return not is_told

    def _tell_width(self, columns: list[Row]) -> None:
        """Say where the warehouse has no place for a row of the columns."""
        out = f"Leave columns that are not needed out of {metadata.FOLDER}/columns.csv"
        if len(columns) > limits.MOST_COLUMNS:
            self.warnings.append(
                f"{len(columns):,} columns: Postgres has {limits.COLUMNS:,} for a "
                f"table, some of them the product's own. {out}"
            )
        size = limits.widest(types.parse(row["data_type"]) for row in columns)
        if size > limits.ROW_BYTES:
            self.warnings.append(
                f"a row may need {size:,} bytes, Postgres has {limits.ROW_BYTES:,} for "
                f"one: the table can't be loaded while it has such a row. {out}"
            )

    def _choose(self, key: Key | None) -> Choice:
        """A load type that misses nothing, and why."""
        if self.table.is_view:
            return Choice("full", "a view")
        if key is None:
            return Choice("full", "no key")
        clocks = [c for c in self.table.columns.values() if c.clock]
        for column in sorted(clocks, key=lambda c: not c.is_touched):
            name = column.name
            if not (column.is_touched or _UPDATED.search(words(name))):
                continue
            if self.failed:
                why = "could not be looked at"
            elif name in self.nulls:
                why = "is NULL or zero in some rows"
            elif name in self.future:
                why = "is in the future in some rows"
            else:
                return self._with_watermark(key, name)
            self.warnings.append(f"{name} {why}: no watermark")
        written = [
            c.name
            for c in clocks
            if not c.nullable and c.name not in self.nulls | self.future
        ]
        for name in sorted(written, key=lambda n: not _CREATED.search(words(n))):
            if not self.failed and self._is_log(key, name):
                why = f"a log in the order of {name}"
                return Choice("incremental", why, name, is_log=True)
        return Choice("full", "no last-modified column")

    def _with_watermark(self, key: Key, watermark: str) -> Choice:
        flag = self._soft_delete()
        tracked = {
            c.name
            for c in self.table.columns.values()
            if self.types[c.name]
            and c.name not in (*key.columns, watermark, flag)
            and not (c.clock and _CREATED.search(words(c.name)))
        }
        why = f"{watermark} tells when a row changed"
        if any(_STATE.search(words(name)) for name in tracked):
            return Choice("cdc", f"{why}; moves through states", watermark, flag)
        if self.is_referred_to and tracked:
            why = f"{why}; others refer to it"
            return Choice("scd2", why, watermark, flag, tracked=frozenset(tracked))
        kind = "incremental" if self.table.foreign_keys else "scd1"
        return Choice(kind, why, watermark, flag)

    def _soft_delete(self) -> str:
        """The column that marks a deleted row, or ''."""
        for column in self.table.columns.values():
            kind = self.types[column.name]
            is_fit = kind in ("boolean", "integer", "date") or bool(column.clock)
            if is_fit and _DELETED.search(words(column.name)):
                return column.name
        return ""

    def _is_log(self, key: Key, watermark: str) -> bool:
        """Whether rows seem to be added only, later ones with a later time."""
        table = self.table
        number = table.columns[key.columns[0]]
        if (
            len(key.columns) > 1
            or not number.is_counted
            or self._soft_delete()
            or self.is_referred_to
            or not (_LOG.search(words(table.name)) or (table.rows or 0) > MANY_ROWS)
        ):
            return False
        time, order = self.kind.quoted(watermark), self.kind.quoted(number.name)
        rows, error = self.session.attempt(
            f"select {time} from {self.place} order by {order} desc limit {SAMPLE * 10}"
        )
        return not error and all(b <= a for (a,), (b,) in itertools.pairwise(rows))

    # -- columns and rules -----------------------------------------------------
    def _columns(
        self, key: Key | None, choice: Choice, texts: Mapping[str, list[str]]
    ) -> list[Row]:
        taken: set[str] = set()
        rows = []
        for name, column in self.table.columns.items():
            if not (kind := self.types[name]):
                continue
            row = column_row(
                self.table.name,
                column,
                column_name(name, taken),
                kind,
                texts.get(name, ()),
            )
            if key and name in key.columns:
                row["key_position"] = str(key.columns.index(name) + 1)
                row["nullable"] = "false"
            if name in choice.tracked:
                row["tracked"] = "true"
            rows.append(row)
        return rows

    def _rules(self, columns: list[Row]) -> list[Row]:
        """Rules for the values that an ENUM or SET declares."""
        rows = []
        for row in columns:
            column = self.table.columns[row["column"]]
            if rule := rule_of_values(column):
                rows.append({"column": row["name"]} | rule)
            elif column.values:
                self.warnings.append(f"no rule can hold the values of {column.name}")
        return rows


def _is_whole(kind: str) -> bool:
    return kind in ("integer", "bigint", "decimal(20,0)")
