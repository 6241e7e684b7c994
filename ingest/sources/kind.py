"""What a kind of source answers, and how a catalogue describes its tables."""

from __future__ import annotations

import datetime as dt
import re
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple
from zoneinfo import ZoneInfo

from ingest import clock, settings
from ingest.duck import Engine, literal, one, quoted, scalar
from ingest.errors import SeedbedError
from ingest.pieces import Condition
from ingest.seed import metadata, types
from ingest.seed.metadata import Source, Table
from ingest.seed.types import CanonicalType
from ingest.settings import UrlForm
from ingest.statements import render

# A label as a declaration lists it: quotes doubled, what would not print escaped.
_LABEL = re.compile(r"'((?:[^']|'')*)'")
_ESCAPED = re.compile(r"''|\\.", re.DOTALL)
_CLOCKS = {"timestamp": "local", "timestamptz": "instant"}
_MEANT = {"0": "\0", "n": "\n", "r": "\r", "''": "'"}


@dataclass(frozen=True)
class Proposal:
    """The canonical type for a source column, by name, and what to know about it.

    `type` is '' for a column that can't be read: `note` says why. `otherwise` is the
    type to take when the column holds values that `type` has no place for (they are
    rejected); it is '' where there are none. `beyond` is the condition, in the source's
    SQL with $column for the name, under which a value is one of those.
    """

    type: str
    note: str = ""
    otherwise: str = ""
    beyond: str = ""


@dataclass(frozen=True)
class Column:
    """A column as a source's catalogue describes it.

    `data_type` is the type's bare name, `column_type` the whole declaration; `length`
    counts characters, or bytes in a binary type.
    """

    name: str
    data_type: str
    column_type: str
    nullable: bool = True
    length: int | None = None
    comment: str = ""
    proposal: Proposal = Proposal("")
    has_labels: bool = False
    # The server numbers its rows, sets it whenever a row changes, or computes it.
    is_counted: bool = False
    is_touched: bool = False
    is_computed: bool = False
    # A value may be no date in any other system, and is then read as NULL.
    may_be_no_date: bool = False

    @property
    def clock(self) -> str:
        """`local` or `instant` for dates with times, by the source's clock or UTC."""
        return _CLOCKS.get(self.proposal.type, "")

    @property
    def declared(self) -> str:
        """Its type and whether it may be NULL, in the source's notation."""
        return self.column_type + ("" if self.nullable else " not null")

    @property
    def is_set(self) -> bool:
        """Whether a value has any of the labels, with commas between them."""
        return self.has_labels and self.data_type == "set"

    @property
    def values(self) -> tuple[str, ...]:
        """The labels that it declares, in their order."""
        if not self.has_labels:
            return ()

        def meant(match: re.Match[str]) -> str:
            text = match[0]
            return _MEANT.get(text, _MEANT.get(text[1], text[1]))

        return tuple(
            _ESCAPED.sub(meant, label) for label in _LABEL.findall(self.column_type)
        )

    def fits(self, kind: CanonicalType) -> bool:
        """Whether `kind` is made for each value that it can have."""
        if self.values and kind.length:
            lengths = [len(value) for value in self.values]
            longest = sum(lengths) + len(lengths) - 1 if self.is_set else max(lengths)
            return longest <= kind.length
        proposed = self.proposal
        return kind.name in (proposed.type, proposed.otherwise) or bool(
            proposed.type
            and types.widens(types.parse(proposed.type).postgres, kind.postgres)
        )


@dataclass(frozen=True)
class Key:
    """A primary or unique key."""

    name: str
    columns: tuple[str, ...]
    is_primary: bool = False


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key: its columns, and those of the table it refers to."""

    columns: tuple[str, ...]
    table: str
    references: tuple[str, ...]


@dataclass
class SourceTable:
    """A table or view; `rows` is the source's own estimate, None for a view."""

    name: str
    is_view: bool
    rows: int | None
    comment: str
    columns: dict[str, Column] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    # Options that it needs, and why it can't be read.
    options: dict[str, str] = field(default_factory=dict)
    fault: SeedbedError | None = None


def assembled(
    tables: Iterable[SourceTable],
    columns: Iterable[tuple[str, Column]],
    keys: Iterable[Sequence[Any]],
    foreign_keys: Iterable[Sequence[Any]],
) -> dict[str, SourceTable]:
    """The tables by name, with what belongs to them.

    `keys` has table, name, whether it is the primary one and a column, or None for a
    part that is none, in the key's order; `foreign_keys` table, name, the other table,
    a column and that which it refers to, in order.
    """
    # Of names that differ by case only, the one in lower case comes first.
    ordered = sorted(tables, key=lambda t: (t.name.lower(), t.name.swapcase()))
    found = {table.name: table for table in ordered}
    for table, column in columns:
        if table in found:
            found[table].columns[column.name] = column
    parts: defaultdict[tuple[str, str, bool], list[str | None]] = defaultdict(list)
    for table, name, is_primary, part in keys:
        parts[table, name, bool(is_primary)].append(part)
    for (table, name, is_primary), names in parts.items():
        if table in found and None not in names:
            key = Key(name, tuple(n for n in names if n is not None), is_primary)
            found[table].keys.append(key)
    pairs: defaultdict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    for table, name, other, own, theirs in foreign_keys:
        pairs[table, name, other].append((own, theirs))
    for (table, _, other), pair in pairs.items():
        if table in found:
            own, theirs = zip(*pair, strict=True)
            found[table].foreign_keys.append(ForeignKey(own, other, theirs))
    return found


_WHOLE = "TINYINT SMALLINT INTEGER BIGINT UTINYINT USMALLINT UINTEGER UBIGINT".split()


def is_same(kind: str, canonical: CanonicalType) -> bool:
    """Whether a value that fits the canonical type is told by one of a read type."""
    name = canonical.duckdb
    if kind in _WHOLE:
        # A flag of 0 or 1 is told by false or true: `standardise` reads it as a number.
        is_flag = name == "boolean" and kind == "TINYINT"
        return is_flag or name in ("integer", "bigint") or name.endswith(",0)")
    if name == "timestamptz":
        return kind in ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
    return kind == name.upper() and canonical.name not in ("duration", "geometry")


def assert_there(table: Table, names: Collection[str]) -> None:
    """Raise SeedbedError unless a table of the source has all columns of the seed.

    `names` are those that it has, none where there is no such table.
    """
    if not names:
        raise SeedbedError(
            f"{table.id}: there is no table {table.name!r} in schema "
            f"{table.source.schema} of source {table.source.name}, or its user may not "
            "SELECT from it.",
            "Check the table's name in seeds/metadata/tables.csv, and the user's "
            f"rights; the user is the one in {table.source.url_env}.",
        )
    lacking = [c.source_name for c in table.columns if c.source_name not in names]
    if lacking:
        raise SeedbedError(
            f"{table.id}: the source has no column {', '.join(lacking)}, which "
            "seeds/metadata/columns.csv names.",
            "Restore it in the source; or correct columns.csv and run `./seedbed "
            "generate`.",
        )


def ambiguous(names: Iterable[str]) -> list[str]:
    """The tables whose names differ by case only."""
    count = Counter(name.lower() for name in names)
    return [name for name in names if count[name.lower()] > 1]


class Extent(NamedTuple):
    """Smallest and largest value of a key; about how many rows and bytes there are."""

    low: int
    high: int
    rows: int
    length: int

    def cuts(self, count: int) -> tuple[int, ...]:
        """Where the values are cut into so many ranges of the same length, at most."""
        width = self.high - self.low + 1
        count = min(count, width)
        return tuple(self.low + width * n // count for n in range(1, count))


class Session:
    """A session of a source, for small questions, in which a % stands for itself."""

    def __init__(self, cursor: Any, error: type[Exception]) -> None:
        self._cursor, self._error = cursor, error

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query; none of a statement that gives none."""
        self._cursor.execute(query)
        return list(self._cursor.fetchall()) if self._cursor.description else []

    def names(self) -> list[str]:
        """The names of the last answer's columns."""
        return [column[0] for column in self._cursor.description or ()]

    def one(self, query: str) -> tuple[Any, ...]:
        """The one row of a query."""
        (row,) = self.rows(query)
        return row

    def attempt(self, query: str) -> tuple[list[tuple[Any, ...]], str]:
        """The rows of a query, or why the server refused it."""
        try:
            return self.rows(query), ""
        except self._error as error:
            return [], str(error.args[-1]).strip().partition("\n")[0]


class Kind(ABC):
    """A kind of source, by what its servers are asked and how they are read.

    Conditions and queries are in the source's own SQL unless it is said otherwise. What
    has an engine is asked in the engine's transaction, and so in the snapshot that
    `snapshot` begins.
    """

    name: ClassVar[str]
    url: ClassVar[UrlForm]
    discovered: ClassVar[str]  # the same for one whose schema the seed does not say
    # The present in UTC, without a zone.
    now: ClassVar[str]
    # Conditions with which the newest watermark is looked for: the next one only if
    # what the last one found is no time. {column} is the watermark's name.
    times: ClassVar[Sequence[str]] = ("true",)

    # -- reaching it ---------------------------------------------------------------

    def schema(self, source: Source) -> str:
        """The schema to read where the seed doesn't say; '' where the URL has none."""
        return settings.source_url(source).path

    @abstractmethod
    def connect(self, source: Source) -> AbstractContextManager[Session]:
        """A session whose errors are raised as SourceError; times of it are in UTC."""

    @abstractmethod
    def attach(self, engine: Engine, source: Source) -> None:
        """Attach it to the engine, with exact types, as the database `source`."""

    @abstractmethod
    def snapshot(self, engine: Engine) -> AbstractContextManager[None]:
        """A transaction in which all queries of the source see one moment."""

    def fault(self, table: Table, error: Exception) -> SeedbedError | None:
        """What an error of reading the table means to a person, if the kind knows."""
        return None

    # -- its SQL -------------------------------------------------------------------

    @abstractmethod
    def quoted(self, name: str) -> str:
        """A name as its SQL quotes it."""

    @abstractmethod
    def asked(self, query: str) -> str:
        """What it answers to a query, as a relation of DuckDB."""

    @abstractmethod
    def no_time(self, column: str) -> str:
        """The condition under which a date or time of a quoted column is read as NULL.

        It is NULL, or no date in other systems.
        """

    def start(self, column: str, characters: int) -> str:
        """The beginning of a text."""
        return f"left({column}, {characters})"

    def by_primary_key(self, table: Table) -> str:
        """The table, to be looked through by its primary key."""
        return self.named(table)

    def named(self, table: Table) -> str:
        """The table's name."""
        return f"{self.quoted(table.source.schema)}.{self.quoted(table.name)}"

    def relation(self, source: Source, table: SourceTable) -> str:
        """A table of the catalogue, for a look at its rows."""
        return f"{self.quoted(source.schema)}.{self.quoted(table.name)}"

    def needs_query(self, names: Iterable[str], tables: Iterable[str]) -> bool:
        """Whether a table can be read with the option by_query only.

        `names` are its own and its columns', `tables` those of the schema.
        """
        return False

    def _sql(self, template: str, **values: object) -> str:
        return render(f"{self.name}/{template}", quote=self.quoted, **values)

    # -- what it has ---------------------------------------------------------------

    @abstractmethod
    def catalogue(
        self, source: Source, tables: Sequence[Table] = ()
    ) -> dict[str, SourceTable]:
        """All tables and views of the source's schema by name.

        `tables` are those of the seed that are asked for, if not all are: no others
        need be there. Raises SourceError when it can't be read.
        """

    @abstractmethod
    def refusal(self, session: Session, source: Source, table: str) -> str:
        """Why the catalogue shows no column of a table; '' if it doesn't say."""

    @abstractmethod
    def limit(self, session: Session, seconds: int) -> None:
        """Let no statement of the session take longer."""

    @abstractmethod
    def estimate(self, session: Session, table: Table) -> tuple[int, int]:
        """The table's rows and bytes, as the server estimates them."""

    @abstractmethod
    def behind(self, session: Session) -> int:
        """How many seconds a replica is behind; 0 for a server that is none."""

    @abstractmethod
    def zone(self, session: Session) -> tuple[str, bool]:
        """The name of its clock's zone, and whether that is only the machine's word."""

    @abstractmethod
    def offset(self, session: Session) -> dt.timedelta:
        """How far its own clock, which its `now()` writes, is ahead of UTC now."""

    @abstractmethod
    def is_led_by_key(self, session: Session, table: Table, *, primary: bool) -> bool:
        """Whether an index, or the primary key, begins with the leading key."""

    def newest_watermark(self, table: Table) -> dt.datetime | None:
        """The table's newest watermark that is not in the source's future.

        Nor within `lag_seconds` of its present, nor later than a replica has come. As
        the source writes it, on the table's clock; None for an empty table and for one
        that is read whole.
        """
        if not table.watermark_column:
            return None
        column = self.quoted(table.watermark_column)
        with self.connect(table.source) as session:
            # By the source's clock, not this machine's.
            (now,) = session.one(f"select {self.now}")
            lag = table.options.lag_seconds + self.behind(session)
            now = now.replace(tzinfo=dt.UTC) - dt.timedelta(seconds=lag)
            now = now.astimezone(ZoneInfo(table.clock)).replace(tzinfo=None)
            for times in self.times:
                (newest,) = session.one(
                    f"select max({column}) from {self.named(table)} "
                    f"where {column} <= timestamp {literal(now)} "
                    f"and {times.format(column=column)}"
                )
                if not isinstance(newest, str):
                    break
        if newest is None:
            return None
        if not isinstance(newest, dt.datetime):
            raise SeedbedError(
                f"{table.id}: watermark_column {table.watermark_column!r} holds "
                f"{type(newest).__name__} values in the source, not date and time.",
                "Name a column of dates with times in seeds/metadata/tables.csv.",
            )
        if newest.tzinfo:
            newest = newest.astimezone(dt.UTC)
        return newest.replace(tzinfo=None)

    def present(self, engine: Engine, table: Table) -> dt.datetime:
        """Its present on the table's clock; later watermarks are in its future."""
        now = scalar(engine, f"from {self.asked(f'select {self.now} as now')}")
        return clock.present(now, table.clock)

    def size(self, table: Table, where: str) -> tuple[int, int]:
        """How many rows fit the condition, and about how many bytes they are.

        Both are the server's estimate where the condition is `true`.
        """
        with self.connect(table.source) as session:
            rows, length = self.estimate(session, table)
            if where == "true":
                return rows, length
            count = f"select count(*) from {self.named(table)} where {where}"
            (found,) = session.one(count)
        return found, found * length // max(rows, 1)

    def key_extent(self, table: Table) -> Extent | None:
        """What the leading key spans.

        None where it is no integer, has no index that begins with it, or no rows.
        """
        with self.connect(table.source) as session:
            if not self.is_led_by_key(session, table, primary=False):
                return None
            name = self.quoted(table.key[0].source_name)
            extent = f"select min({name}), max({name}) from {self.named(table)}"
            low, high = session.one(extent)
            if not isinstance(low, int) or not isinstance(high, int):
                return None
            return Extent(low, high, *self.estimate(session, table))

    # -- its rows ------------------------------------------------------------------

    @abstractmethod
    def rows(
        self,
        engine: Engine,
        table: Table,
        condition: Condition,
        columns: Sequence[metadata.Column] | None = None,
    ) -> list[str]:
        """Selects of the columns, or of all, which together give `condition`'s rows.

        To be run in the transaction in which they were made, one after the other:
        together their answers may be more than the memory holds. Another condition, of
        DuckDB's, may follow after `and`. What `no_time` is true of is NULL, or what the
        source writes where such rows are rejected.
        """

    @abstractmethod
    def answer(
        self,
        engine: Engine,
        table: Table,
        condition: str,
        columns: Sequence[metadata.Column],
    ) -> str:
        """As `rows`, for a condition that only the source can evaluate."""

    @abstractmethod
    def is_canonical(self, engine: Engine, table: Table) -> bool:
        """Whether rows are read as the log has them, as far as it accepts them.

        It has their names, and each value that fits it just as the source has it.
        """

    def blanks(self, engine: Engine, table: Table) -> Mapping[str, str]:
        """Columns with values that are read as NULL, each with the condition for them.

        As `no_time` says it of dates. It is not true of NULL itself.
        """
        return {}

    def no_dates(
        self, engine: Engine, table: Table, condition: str, files: Sequence[str]
    ) -> int:
        """How many values that are not NULL were read as NULL.

        `files` hold the rows that met `condition` in this transaction; the source is
        only asked of columns that have a NULL in them.
        """
        tests = self.blanks(engine, table) if files else {}
        if not tests:
            return 0
        nulls = ", ".join(f"count(*) - count({quoted(name)})" for name in tests)
        found = one(engine, f"select {nulls} from read_parquet({files})")
        some = [t for t, count in zip(tests.values(), found, strict=True) if count]
        if not some:
            return 0
        counts = " + ".join(f"count(case when {test} then 1 end)" for test in some)
        query = f"select {counts} as found from {self.named(table)} where {condition}"
        return int(scalar(engine, f"from {self.asked(query)}"))

    @abstractmethod
    def key_sums(self, engine: Engine, table: Table, width: int) -> str:
        """Count of the keys, whole numbers, and their hashes, by bucket.

        A bucket is so many values of the leading key; `sql/key_hash.sql.jinja` says how
        the hashes are made, which the log makes alike.
        """

    @abstractmethod
    def key_ends(self, engine: Engine, table: Table) -> str:
        """Smallest and largest leading key, a whole number, as texts: low and high."""
