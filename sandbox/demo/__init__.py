"""The demo's sources: databases `shop` and `crm`, and three days of changes.

Day 1 is a first load, day 2 a healthy day of changes, day 3 delivers a bad batch of
orders, and day 4 repairs it. All of it is a pure function of the number of orders on
day 1: `generate.sql` computes new rows in DuckDB, whose CSV files the server loads
itself; `day_N.sql` changes existing rows.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

import duckdb
import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor

from ingest.errors import ConfigurationError, ServiceError

REPAIR_DAY = 4
DEFAULT_ROWS = 50_000
MINIMUM_ROWS = 200
# Day 1's last suppliers have no products, so that they can be deleted.
SPARE_SUPPLIERS = 5

TABLES = (
    "shop.customers shop.suppliers shop.products shop.inventory shop.orders "
    "shop.order_items shop.payments crm.contacts"
).split()
SOURCES = sorted({table.partition(".")[0] for table in TABLES})

Counts = dict[str, dict[str, int]]

_HERE = Path(__file__).parent
# The window [since, until) whose events a day shows.
_WINDOWS = {
    1: ("2000-01-01", "2026-03-01"),
    2: ("2026-03-01", "2026-03-02"),
    3: ("2026-03-02", "2026-03-03"),
    4: ("2026-03-03", "2026-03-03 12:00:00"),
}
# Generated table → where its rows go, parents first.
_NEW_ROWS = {
    "customers": "shop.customers",
    "suppliers": "shop.suppliers",
    "products": "shop.products",
    "inventory": "shop.inventory",
    "new_orders": "shop.orders",
    "new_order_items": "shop.order_items",
    "new_payments": "shop.payments",
    "contacts": "crm.contacts",
}
# Generated tables of changes, which a day's SQL joins: those of changes.sql.
_CHANGES = ("order_changes", "item_changes", "price_changes")
_STATEMENT = re.compile(r"(insert into|update|delete from) (\w+\.\w+)")
_VERBS = {"insert into": "inserted", "update": "updated", "delete from": "deleted"}
_REFUSES_LOCAL_FILES = {1148, 3948, 4166}


@dataclass(frozen=True)
class Sizes:
    """How many rows each table gains a day, from the orders of day 1."""

    orders: int

    @property
    def day_orders(self) -> int:
        """Orders of day 2, and of day 3 with its repair."""
        return max(8, self.orders // 50)

    def new(self, table: str, day: int) -> int:
        """Rows that `table` gains on `day` (4 gains orders only)."""
        customers = self.orders // 5
        contacts = customers * 6 // 10
        products = min(20_000, max(50, self.orders // 100))
        a_day = {
            "suppliers": (max(5, products // 20) + SPARE_SUPPLIERS, 1, 1),
            "customers": (customers, max(1, customers * 3 // 100), customers // 100),
            "contacts": (contacts, max(1, contacts // 50), contacts // 100),
            "products": (products, max(1, products // 200), products // 400),
            "orders": (self.orders, self.day_orders, self.day_orders),
        }[table]
        return a_day[day - 1] if day <= len(a_day) else 0

    def ids(self, table: str, day: int) -> tuple[int, int]:
        """First and last id that `table` gains on `day`; empty if last < first."""
        before = sum(self.new(table, earlier) for earlier in range(1, day))
        return before + 1, before + self.new(table, day)


def current_day(admin_url: str) -> tuple[int, int] | None:
    """Last day applied and the rows it was made for; None before day 1."""
    with connect(admin_url) as cursor:
        return _state(cursor)


def apply_day(admin_url: str, day: int, rows: int = DEFAULT_ROWS) -> Counts:
    """Bring both databases to the end of `day`: 1, 2, 3, or 4, the repair.

    `rows` is the number of orders on day 1. Returns, by `database.table`, how many
    rows were `inserted`, `updated` and `deleted`; a row updated by two statements
    counts twice. A day already applied changes nothing and returns {}. Day 1 with
    another number of rows starts afresh. Each day is one transaction over both
    databases, but for day 1's creation of the tables. Raises ConfigurationError
    for days out of order, ServiceError if the server refuses.
    """
    if day not in _WINDOWS:
        raise ConfigurationError(
            f"the demo has no day {day}.",
            f"It has days 1 to {REPAIR_DAY}; day {REPAIR_DAY} repairs day 3.",
        )
    if rows < MINIMUM_ROWS:
        raise ConfigurationError(
            f"{rows} rows are too few for the demo to show every case.",
            f"Pass --rows {MINIMUM_ROWS} or more.",
        )
    with connect(admin_url) as cursor:
        if _is_applied(_state(cursor), day, rows):
            return {}
        with TemporaryDirectory(prefix="seedbed-demo-") as folder:
            generated = _generate(Sizes(rows), day, Path(folder))
            try:
                return _apply(cursor, day, rows, generated, Path(folder))
            except pymysql.MySQLError as error:  # the connection's end rolls back
                raise _refused(error, day) from error


def _is_applied(state: tuple[int, int] | None, day: int, rows: int) -> bool:
    """Whether `day` is there already; raises if it may not come next."""
    done, done_rows = state or (0, rows)
    if done_rows != rows:
        if day == 1:
            return False
        raise ConfigurationError(
            f"the demo's databases hold {done_rows} rows at day {done}, so day {day} "
            f"can't be made for {rows}.",
            f"Pass --rows {done_rows}, or begin with day 1.",
        )
    if day > done + 1:
        raise ConfigurationError(
            f"day {day} of the demo follows day {day - 1}, and the databases are at "
            f"day {done}.",
            f"Apply day {done + 1} first.",
        )
    return day <= done


def _generate(sizes: Sizes, day: int, folder: Path) -> dict[str, int]:
    """Write one CSV file a generated table into `folder`; rows of each."""
    since, until = _WINDOWS[day]
    numbers = {"day": day, "day_orders": sizes.day_orders}
    for table in ("customers", "contacts", "products", "suppliers", "orders"):
        first, last = sizes.ids(table, day)
        numbers |= {f"{table}_first": first, f"{table}_last": last}
        numbers[table] = sizes.new(table, 1)
    numbers["suppliers"] -= SPARE_SUPPLIERS
    numbers["customers_day_2"] = sizes.new("customers", 2)
    numbers["orders_last"] = sizes.ids("orders", min(day, 3))[1]
    settings: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": str(folder / "spill"),
        "autoinstall_known_extensions": False,
    }
    with duckdb.connect(config=settings) as duck:
        for name, number in numbers.items():
            duck.execute(f"set variable {name} = {number}::bigint")
        for name, instant in (("since", since), ("until", until)):
            duck.execute(f"set variable {name} = timestamp '{instant}'")
        duck.execute((_HERE / "generate.sql").read_text("utf-8"))
        counts = {}
        for table in (*_NEW_ROWS, *_CHANGES):
            written = duck.execute(
                f"copy (from {table} order by 1, 2) to '{folder / table}.csv' "
                "(format csv, header false, nullstr 'NULL')"
            ).fetchone()
            counts[table] = int(written[0]) if written else 0
    return counts


def _apply(
    cursor: Cursor, day: int, rows: int, generated: dict[str, int], folder: Path
) -> Counts:
    """Change both databases in one transaction; the counts of `apply_day`."""
    counts: Counts = {}
    for statement in _statements("schema" if day == 1 else "changes"):
        cursor.execute(statement)
    cursor.execute("begin")
    if day > 1:
        for name in _CHANGES:
            _load(cursor, folder / f"{name}.csv", f"shop.{name}", generated[name])
        first = Sizes(rows)
        cursor.execute(
            "set @customers = %s, @suppliers = %s",
            (first.new("customers", 1), first.new("suppliers", 1) - SPARE_SUPPLIERS),
        )
        for statement in _statements(f"day_{day}"):
            match = _STATEMENT.match(statement)
            assert match, f"day_{day}.sql may only change rows: {statement}"
            _count(counts, match[2], _VERBS[match[1]], cursor.execute(statement))
    for name, table in _NEW_ROWS.items():
        _load(cursor, folder / f"{name}.csv", table, generated[name])
        _count(counts, table, "inserted", generated[name])
    cursor.execute("replace into shop.demo_state values (1, %s, %s)", (day, rows))
    cursor.connection.commit()
    return counts


def _load(cursor: Cursor, file: Path, table: str, expected: int) -> None:
    """Load a CSV file whole, or raise: LOCAL makes errors mere warnings."""
    if not expected:
        return
    loaded = cursor.execute(
        f"load data local infile '{file}' into table {table} character set utf8mb4 "
        "fields terminated by ',' optionally enclosed by '\"' escaped by '' "
        "lines terminated by '\\n'"
    )
    cursor.execute("show warnings limit 1")
    warning = cursor.fetchone()
    if warning or loaded != expected:
        raise pymysql.DataError(
            f"{table} took {loaded} of {expected} rows: {warning and warning[2]}"
        )


def _count(counts: Counts, table: str, verb: str, rows: int) -> None:
    if rows:
        of_table = counts.setdefault(table, {"inserted": 0, "updated": 0, "deleted": 0})
        of_table[verb] += rows


def _statements(name: str) -> Iterator[str]:
    """The statements of a SQL file, without comments."""
    text = (_HERE / f"{name}.sql").read_text("utf-8")
    text = re.sub(r"^\s*--.*\n", "", text, flags=re.MULTILINE)
    return (s.strip() for s in text.split(";\n") if s.strip())


def _state(cursor: Cursor) -> tuple[int, int] | None:
    try:
        cursor.execute("select day, order_rows from shop.demo_state")
    except pymysql.ProgrammingError as error:
        if error.args[0] == ER.NO_SUCH_TABLE:
            return None
        raise
    row = cursor.fetchone()
    return (int(row[0]), int(row[1])) if row else None


@contextmanager
def connect(admin_url: str) -> Iterator[Cursor]:
    """A cursor outside any transaction; its connection closes with the block."""
    url = urlsplit(admin_url)
    if url.scheme != "mysql" or not url.hostname:
        raise ConfigurationError(
            "the URL of the demo's database is not one of MySQL.",
            "Write it as mysql://user:password@host:port/shop, with special characters "
            "of the password percent-encoded.",
        )
    server = f"{url.hostname}:{url.port or 3306}"
    try:
        with (
            pymysql.connect(
                host=url.hostname,
                port=url.port or 3306,
                user=unquote(url.username or ""),
                password=unquote(url.password or ""),
                charset="utf8mb4",
                local_infile=True,
                autocommit=True,
                init_command="set time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,"
                "NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
            ) as connection,
            connection.cursor() as cursor,
        ):
            yield cursor
    except pymysql.MySQLError as error:
        raise ServiceError(
            f"the demo's database at {server} failed: {error.args[-1]}.",
            "Run `./seedbed doctor` to see what is wrong.",
        ) from error


def _refused(error: pymysql.MySQLError, day: int) -> ServiceError:
    if error.args[0] in _REFUSES_LOCAL_FILES:
        return ServiceError(
            "the demo's database server refuses LOAD DATA LOCAL.",
            "Start it with --local-infile=1, or run: set global local_infile = 1.",
        )
    return ServiceError(
        f"day {day} of the demo was not applied and both databases were rolled back: "
        f"{error.args[-1]}."
    )
