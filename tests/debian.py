"""Programs that tests need and a machine may lack, out of its package sources."""

import fcntl
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from ingest.embedded.debian import Packages
from ingest.errors import ServiceError
from tests.clone import REPOSITORY


def unpacked(
    name: str,
    wish: str,
    wanted: Callable[[Packages], Iterable[str]],
    suite: str = "",
) -> Path:
    """Where packages are unpacked below `.seedbed/`, once a clone; nothing installed.

    `wanted` says which. Where they can't be had the test is skipped, and `wish` told;
    in CI, where nothing may be left out, it fails. `suite` is one of Debian's.
    """
    root = REPOSITORY / ".seedbed" / name.lower() / "root"
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_name("lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        if root.exists():
            return root
        try:
            packages = Packages(root.with_name("download"), name, wish, suite)
            packages.unpack(wanted(packages), root)
        except ServiceError as error:
            told = f"{name} is missing: {error}"
            if os.environ.get("CI"):
                pytest.fail(told)
            pytest.skip(told)
    return root
