"""Programs out of the system's package sources."""

from pathlib import Path

import pytest

from ingest.errors import ServiceError
from sandbox.servers import debian


def test_a_package_source_that_stays_silent_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = debian.Packages.__new__(debian.Packages)  # asks for nothing yet
    packages.work = tmp_path
    packages._what, packages._ways_out = "MariaDB", "Install it."
    monkeypatch.setattr(debian, "SECONDS", 0.2)
    with pytest.raises(ServiceError) as caught:
        packages.ask("sleep", "60")
    assert str(caught.value) == (
        "MariaDB could not be downloaded: sleep 60 was not done after 0.2 seconds. Is "
        "a package source out of reach, or a proxy missing (http_proxy)?\n"
        "hint: Install it."
    )
