"""The demo on a real account, for those who have one; never on their own database.

Set SNOWFLAKE_ACCOUNT and how to log in, SEEDBED_LAKE in S3 with its keys, and
SNOWFLAKE_TEST_DATABASE: an empty database, which the demo fills.
"""

import os
import re
import subprocess

import pytest

from tests.clone import Clone, neutral_environment

_GIVEN = re.compile(r"SNOWFLAKE_\w+|AWS_\w+|SEEDBED_LAKE")
# Read now: a clone's process forgets what a person's shell has set.
GIVEN = {k: v for k, v in os.environ.items() if _GIVEN.fullmatch(k)}


@pytest.mark.skipif(
    not {"SNOWFLAKE_ACCOUNT", "SNOWFLAKE_TEST_DATABASE", "SEEDBED_LAKE"} <= {*GIVEN},
    reason="no Snowflake account: SNOWFLAKE_ACCOUNT, SNOWFLAKE_TEST_DATABASE and "
    "SEEDBED_LAKE are not all set",
)
def test_the_demo_shows_the_same_on_a_real_account(fresh: Clone) -> None:
    account = GIVEN | {"SNOWFLAKE_DATABASE": GIVEN["SNOWFLAKE_TEST_DATABASE"]}
    for words in (("demo", "--rows", "400", "--keep"), ("parity",)):
        done = subprocess.run(
            fresh.command(*words),
            cwd=fresh.root,
            env=neutral_environment() | account,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
