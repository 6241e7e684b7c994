"""DuckDB, which moves the bytes: one in-memory engine per table, extensions
loaded from their wheels, servers attached through secrets."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from ingest import settings, sources
from ingest.errors import ConfigurationError, first_line
from ingest.quoting import literal as literal
from ingest.quoting import quoted as quoted

if TYPE_CHECKING:
    from ingest.seed.metadata import Source

Engine = duckdb.DuckDBPyConnection
THREADS = 2
# Of what `_assert_hash` hashes. Nothing promises that the next version makes the same.
_HASH = 11558325694850109641


@functools.cache
def _give_memory_back() -> None:
    """Have the C library give back what long values took, as soon as they are freed.

    It would keep it in heaps of each thread: six times as much as is in use.
    """
    arena_max, mmap_threshold = -8, -3
    with suppress(AttributeError, OSError):  # another C library than GNU's
        library = ctypes.CDLL(None)
        library.mallopt(arena_max, 2)
        library.mallopt(mmap_threshold, 1 << 20)


def one(engine: Engine, query: str) -> tuple[Any, ...]:
    """The one row that the query returns."""
    row = engine.execute(query).fetchone()
    assert row is not None
    return row


def scalar(engine: Engine, query: str) -> Any:
    """The one value that the query returns."""
    return one(engine, query)[0]


def hold(engine: Engine, name: str, rows: str, *, kind: str = "table") -> None:
    """Make the temporary table, or view, `name` of a query's rows."""
    engine.execute(f"create or replace temp {kind} {name} as {rows}")


def ask_warehouse(engine: Engine, name: str, query: str) -> None:
    """Make the temporary table `name` of a query that the warehouse answers."""
    hold(engine, name, f"from postgres_query('warehouse', {literal(query)})")


def explained(error: duckdb.Error, otherwise: str) -> tuple[str, str]:
    """What the error says, and a hint: to raise the memory, or `otherwise`."""
    said = first_line(error)
    if not isinstance(error, duckdb.OutOfMemoryException):
        return said, otherwise
    return (
        f"{said.rstrip('.')}. Its rows need more than the memory of an engine, "
        f"{settings.memory()}; nothing was lost.",
        "Set SEEDBED_MEMORY to about ten times the longest row, such as 2GB, and run "
        "again.",
    )


# Loading an extension takes longer than moving a small table, so an instance is reused
# once its table is done. One table has an instance at a time.
_idle: list[Engine] = []
_busy: set[Engine] = set()


def interrupt() -> None:
    """End what all engines are doing; their statements raise an error."""
    for connection in list(_busy):
        with suppress(duckdb.Error):  # it may have ended already
            connection.interrupt()


@contextmanager
def engine(spill: Path) -> Iterator[Engine]:
    """An engine for one table, with nothing attached; it spills to `spill`.

    What is made in it must be temporary: it goes with the block.
    """
    try:
        instance = _idle.pop()
    except IndexError:
        instance = _instance(spill)
    connection = instance.cursor()
    # It would merge small groups of rows, and groups of long rows are small.
    connection.execute("set enable_caching_operators = false")
    _busy.add(connection)
    try:
        yield connection
    finally:
        _busy.discard(connection)
        try:
            _roll_back(connection)
            connection.close()
            for name in ("source", "warehouse"):
                instance.execute(f"detach database if exists {name}")
            _idle.append(instance)
        except duckdb.FatalException:
            # A server went away in the middle of a copy. Closing, now or when Python
            # ends, would roll back over the lost connection and end the process.
            for broken in (connection, instance):
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(broken))
        except duckdb.Error:
            instance.close()  # a broken instance is not reused


@contextmanager
def one_thread(engine: Engine) -> Iterator[None]:
    """Work on the caller's thread only, for work that is one stream anyway.

    Waiting for another thread spins, which costs more than it gains.
    """
    before = scalar(engine, "select current_setting('threads')")
    engine.execute("set threads = 1")
    try:
        yield
    finally:
        with suppress(duckdb.Error):  # a broken engine is not reused
            engine.execute(f"set threads = {before}")


def _roll_back(connection: Engine) -> None:
    """End what was left open; FatalException when the instance is past that."""
    try:
        connection.execute("rollback")
    except duckdb.FatalException:
        raise
    except duckdb.Error:
        pass  # nothing is open, or the server is gone and has rolled back itself


def _instance(spill: Path) -> Engine:
    _give_memory_back()
    instance = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": settings.memory(),
            "temp_directory": str(spill),
            "preserve_insertion_order": "false",
            "threads": str(THREADS),
        }
    )
    _assert_hash(instance)
    load(instance, "postgres_scanner")
    for setting in (
        # Values of timestamptz columns are instants; read them as UTC.
        "timezone = 'UTC'",
        # A join holds its right side: ours has keys, while the left has whole rows.
        "disabled_optimizers = 'build_side_probe_side'",
    ):
        instance.execute(f"set global {setting}")
    return instance


def _assert_hash(engine: Engine) -> None:
    """Raise ConfigurationError if this DuckDB makes other hashes than logs have."""
    made = scalar(
        engine,
        "select hash(hash('n', 1.5, 'text', 'a text of more bytes', date '2026-01-01', "
        "timestamp '2026-01-01', 0.1::double, 1::bigint, 1::decimal(38,2), 'b'::blob))",
    )
    if made != _HASH:
        raise ConfigurationError(
            f"DuckDB {duckdb.__version__} makes other hashes of rows than the version "
            "that Seedbed is made with: each row of a log would be taken for another.",
            "Install the version that requirements.lock names.",
        )


def load(engine: Engine, name: str) -> None:
    """Load an extension from its wheel, unless it is loaded."""
    package = importlib.util.find_spec(f"duckdb_extension_{name}")
    folder = Path(package.submodule_search_locations[0])  # type: ignore[union-attr,index]
    file = folder / f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"
    engine.execute(f"load {literal(file)}")


def secret(engine: Engine, kind: str, **values: object) -> None:
    """Keep how a server of that kind is reached, for `attach`."""
    parts = ", ".join(f"{k} {literal(v)}" for k, v in values.items())
    engine.execute(f"create or replace secret {kind} (type {kind}, {parts})")


@contextmanager
def attached(source: Source | None = None) -> Iterator[Engine]:
    """An engine with the warehouse attached, and a source, if one is given."""
    with engine(settings.ROOT / ".seedbed" / "spill") as connection:
        attach_warehouse(connection, settings.warehouse())
        if source:
            sources.of(source).attach(connection, source)
        yield connection


def attach_warehouse(engine: Engine, warehouse: dict[str, str]) -> None:
    """Attach the Postgres warehouse as `warehouse`.

    READ COMMITTED, because by default a state that is read after waiting for a lock
    would be stale.
    """
    secret(engine, "postgres", **warehouse)
    engine.execute(
        "attach '' as warehouse "
        "(type postgres, secret postgres, isolation_level 'READ COMMITTED')"
    )
