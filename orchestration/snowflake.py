"""Snowflake: the account that the variables name, or the emulator.

dbt does the work there; this connection checks that it can, and runs small queries.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ingest import settings
from ingest.errors import ConfigurationError, ServiceError, first_line

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

LOGIN_SECONDS = 20
# The name of the emulator's account.
EMULATED = "emulated"
_ACCOUNT = (
    "Check SNOWFLAKE_ACCOUNT, which is the part of the account's address before "
    ".snowflakecomputing.com (ORGANISATION-ACCOUNT)"
)
# Snowflake does not tell what is missing from what the role may not see.
_RIGHTS = "Check SNOWFLAKE_DATABASE and the rights of the role, SNOWFLAKE_ROLE"
_NUMBER = re.compile(r"\b(\d{6}) \(\w{5}\): (?:[\w-]+: )?")
# Hints by the connector's error number.
_REMEDIES = {
    540001: _ACCOUNT,  # the account's address is refused
    290404: _ACCOUNT,
    250001: (
        f"{_ACCOUNT}, SNOWFLAKE_USER and "
        "SNOWFLAKE_PASSWORD or SNOWFLAKE_PRIVATE_KEY_PATH; a password that has expired "
        "is renewed by logging in to Snowflake's web page once"
    ),
    390100: "Check SNOWFLAKE_USER and SNOWFLAKE_PASSWORD",
    390106: (
        "The password has expired: log in to Snowflake's web page once to renew it, or "
        "use a key (SNOWFLAKE_PRIVATE_KEY_PATH)"
    ),
    390144: (
        "The key is not the one that the user has: compare it with DESCRIBE USER's "
        "RSA_PUBLIC_KEY_FP"
    ),
    390189: "Check SNOWFLAKE_ROLE: the role must exist and be granted to the user",
    390201: "Check SNOWFLAKE_WAREHOUSE and SNOWFLAKE_DATABASE",
    2003: _RIGHTS,
    2043: _RIGHTS,
    3001: (
        "The role, SNOWFLAKE_ROLE, lacks a right; `./seedbed snowflake plan` prints "
        "all that it needs"
    ),
    606: (
        "No warehouse is active: set SNOWFLAKE_WAREHOUSE, and resume it if it is "
        "suspended without auto-resume (ALTER WAREHOUSE … RESUME)"
    ),
    90073: (
        "The warehouse is suspended or used up its credits: resume it (ALTER WAREHOUSE "
        "… RESUME) or raise its resource monitor's limit"
    ),
}


def is_configured() -> bool:
    """Whether the environment names a Snowflake."""
    return bool(os.environ.get("SNOWFLAKE_ACCOUNT"))


def target() -> str:
    """The label of results from there: `snowflake`, or `snowflake (emulated)`."""
    is_emulated = os.environ.get("SNOWFLAKE_ACCOUNT") == EMULATED
    return "snowflake (emulated)" if is_emulated else "snowflake"


def database() -> str:
    """The database that everything is in."""
    return settings.variable("SNOWFLAKE_DATABASE", "seedbed")


@contextmanager
def connect() -> Iterator[SnowflakeConnection]:
    """A session; ServiceError, with what to do, if Snowflake refuses.

    What is raised within the block by Snowflake is raised in the same way.
    """
    with warnings.catch_warnings():
        # It warns of versions that work with its locked copy.
        warnings.simplefilter("ignore")
        import snowflake.connector
    from snowflake.connector.errors import Error

    if not is_configured():
        raise ConfigurationError(
            "no Snowflake is configured: set SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER and "
            "SNOWFLAKE_PASSWORD or SNOWFLAKE_PRIVATE_KEY_PATH (.env.example lists "
            "all), or give --target snowflake to use the embedded emulator."
        )
    try:
        with snowflake.connector.connect(**_arguments()) as connection:
            yield connection
    except Error as error:
        raise refused(error) from None
    except (OSError, ValueError) as error:  # a key file that can't be read
        raise ConfigurationError(
            f"the key {os.environ.get('SNOWFLAKE_PRIVATE_KEY_PATH')} can't be used: "
            f"{first_line(error)}. SNOWFLAKE_PRIVATE_KEY_PATH names a PKCS#8 file in "
            "PEM, SNOWFLAKE_PRIVATE_KEY_PASSPHRASE its passphrase."
        ) from None


def _arguments() -> dict[str, Any]:
    own = "account", "user", "role", "warehouse", "host", "port", "protocol"
    names = {name: f"SNOWFLAKE_{name.upper()}" for name in own}
    if os.environ.get("SNOWFLAKE_PRIVATE_KEY_PATH"):
        names |= {
            "private_key_file": "SNOWFLAKE_PRIVATE_KEY_PATH",
            "private_key_file_pwd": "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE",
        }
    else:
        names["password"] = "SNOWFLAKE_PASSWORD"
    given: dict[str, Any] = {
        n: os.environ[v] for n, v in names.items() if os.environ.get(v)
    }
    if "port" in given:
        given["port"] = int(given["port"])
    return given | {
        "database": database(),
        "application": "seedbed",
        "login_timeout": LOGIN_SECONDS,
        "network_timeout": 600,
        "session_parameters": {"QUERY_TAG": '{"app": "seedbed"}'},
    }


def refused(error: Exception) -> ServiceError:
    """What Snowflake refused, where, and what to do, without secrets."""
    number = getattr(error, "errno", None) or -1
    # "003001 (42501): 01b…: SQL access control error:\nInsufficient …" → the text.
    said = " ".join(_NUMBER.sub("", str(error)).split()).rstrip(".")
    for known in (390100, 390106, 390144, 390189, 390201):
        if str(known) in str(error):
            number = known
    remedy = _REMEDIES.get(
        number,
        "Look it up in Snowflake's query history; `./seedbed snowflake plan` prints "
        "the rights that the role needs",
    )
    account = os.environ.get("SNOWFLAKE_ACCOUNT")
    user = os.environ.get("SNOWFLAKE_USER")
    return ServiceError(
        f"{target()}, account {account}, refused user {user}: {said}. {remedy}. What "
        "was published before is as it was; `./seedbed publish` goes on from there."
    )


def remedy(text: str) -> str:
    """What to do about an error that dbt passes on, by its number."""
    found = _NUMBER.search(text)
    return _REMEDIES.get(int(found[1]) if found else -1, "Fix the cause")
