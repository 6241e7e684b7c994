"""The tests' Snowflake: the emulator beside the shared clone's servers."""

import pytest

from ingest import embedded
from ingest.embedded.snowflake import ACCOUNT
from ingest.errors import ServiceError
from tests.clone import REPOSITORY, Clone, quiet


@pytest.fixture(scope="session")
def emulated(stack: Clone) -> dict[str, str]:
    """The variables that lead a run to the emulator; it starts with no database.

    Its own environment is installed when it is first needed.
    """
    with stack.inside():
        try:
            embedded.up(stack.root, quiet, ["snowflake"])
        except ServiceError as error:
            if (REPOSITORY / ".venv" / "emulator" / ".stamp").exists():
                raise
            pytest.skip(f"the Snowflake emulator can't be installed: {error}")
        found = embedded.environment(stack.root, ["snowflake"])
    assert found["SNOWFLAKE_ACCOUNT"] == ACCOUNT
    return found | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
