"""dbt's connections to Postgres, which stay open from node to node.

dbt closes a connection after each node and opens one for the next, which has to read
the catalogue anew: a fifth of a build's time. Other adapters of dbt can be told to keep
theirs. Imported once dbt is.
"""

from __future__ import annotations

from dbt.adapters.contracts.connection import Connection, ConnectionState
from dbt.adapters.postgres.connections import PostgresConnectionManager

_RELEASED = "released"


class KeptConnections(PostgresConnectionManager):
    """A connection for each thread, which its next node finds as if it were new."""

    def release(self) -> None:
        """End a node's transaction, and keep its connection for the next one."""
        connection = self.get_if_exists()
        # A role is taken where a connection is opened.
        if (
            connection is None
            or connection.state != ConnectionState.OPEN
            or connection.credentials.role
        ):
            super().release()
            return
        if connection.transaction_open:
            self._rollback(connection)
        else:  # the driver begins one that dbt does not know of, and locks stay with it
            self._rollback_handle(connection)
        connection.name = _RELEASED

    def set_connection_name(self, name: str | None = None) -> Connection:
        """The thread's connection, with nothing left in it of the node before.

        One that was lost meanwhile is opened again.
        """
        connection = self.get_if_exists()
        is_kept = connection is not None and connection.name == _RELEASED
        if connection is not None and is_kept and not _is_renewed(connection):
            self.close(connection)
        return super().set_connection_name(name)


def _is_renewed(connection: Connection) -> bool:
    """Whether settings, temporary tables and locks of its session are gone."""
    handle = connection.handle
    try:
        # The statement is refused in a transaction, which the driver would begin.
        before, handle.autocommit = handle.autocommit, True
        with handle.cursor() as cursor:
            cursor.execute("discard all")
        handle.autocommit = before
    except Exception:  # whatever the driver says, it is of no use any more
        return False
    return True
