"""dbt in this process: imported when it is first needed, and what we change of it.

Each change saves time and nothing else; a plain `dbt build` comes to the same.
"""

from __future__ import annotations

import ast
import functools
import gc
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest
    from dbt_common.events.base_types import EventMsg


def import_dbt() -> None:
    """Import dbt, which takes a quarter less while no garbage is looked for."""
    gc.disable()
    try:
        import dbt.cli.main  # noqa: F401
    finally:
        gc.enable()


def runner(
    manifest: Manifest | None = None, follow: Callable[[EventMsg], None] | None = None
) -> dbtRunner:
    """dbt in this process, with a manifest that it need not parse again."""
    import_dbt()
    from dbt.adapters.postgres.impl import PostgresAdapter
    from dbt.cli.main import dbtRunner
    from dbt_common.behavior_flags import BehaviorFlagRendered

    from orchestration.dbt_connections import KeptConnections

    parse_one_at_a_time()
    # For each flag of an adapter dbt looks for the module that declares it, through
    # the source text of every frame of the stack: up to a second, for a word in a log.
    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt")  # type: ignore[method-assign]
    PostgresAdapter.ConnectionManager = KeptConnections
    return dbtRunner(manifest=manifest, callbacks=[follow] if follow else [])


@functools.cache
def parse_one_at_a_time() -> None:
    """Have Python make the syntax trees of this process one after the other.

    Python 3.11 counts the depth of a tree for all threads together, and fails when
    one of dbt's makes one (of a literal in a template) while another does.
    """
    if sys.version_info < (3, 12):
        parse: Callable[..., ast.AST] = ast.parse
        lock = threading.RLock()

        @functools.wraps(parse)
        def parse_alone(*args: Any, **options: Any) -> ast.AST:
            with lock:
                return parse(*args, **options)

        ast.parse = parse_alone  # type: ignore[assignment]
