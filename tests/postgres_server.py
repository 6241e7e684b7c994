"""Another Postgres than the warehouse, to read sources from."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sandbox.servers.postgres import Postgres
from sandbox.servers.service import Stack


@contextmanager
def running() -> Iterator[Postgres]:
    """A server that is stopped in the end, and its data deleted."""
    with TemporaryDirectory(prefix="seedbed-postgres-") as folder:
        Path(folder).chmod(0o755)
        stack = Stack(Path(folder))
        with stack.locked(lambda line: None):
            server = Postgres(stack)
            server.start()
        try:
            yield server
        finally:
            server.stop()


def url(server: Postgres) -> str:
    """The server's URL for the owner of what is made in it."""
    env = server.environment()
    return (
        f"postgres://{env['PGUSER']}:{env['PGPASSWORD']}@{env['PGHOST']}:"
        f"{env['PGPORT']}/{env['PGDATABASE']}"
    )
