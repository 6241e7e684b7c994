"""Which zone a server keeps, by what it calls it."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingest import clock
from ingest.seed.discover import zones
from ingest.sources import mysql
from ingest.sources.kind import Session


class Server:
    """Answers as a server whose clock is `minutes` ahead of UTC."""

    def __init__(self, setting: str, system: str, minutes: int) -> None:
        self.rows: list[Sequence[Any]] = []
        self.description: list[Sequence[Any]] | None = None
        self.names = (setting, system)
        self.minutes = minutes

    def execute(self, query: str) -> None:
        self.rows, self.description = [], None
        if "system_time_zone" in query:
            self.rows = [self.names]
        elif query.startswith("select"):
            self.rows = [(self.minutes * 60 - 1,)]
        if self.rows:
            self.description = [("name",)]

    def fetchall(self) -> list[Sequence[Any]]:
        return self.rows


@pytest.mark.parametrize(
    ("setting", "system", "minutes", "zone", "is_told"),
    [
        ("SYSTEM", "UTC", 0, "UTC", False),
        ("+00:00", "CET", 0, "UTC", False),
        ("GMT", "CET", 0, "UTC", False),
        ("SYSTEM", "GMT", 0, "UTC", True),
        ("SYSTEM", "", 0, "UTC", True),
        ("Europe/Berlin", "UTC", 60, "Europe/Berlin", False),
        ("europe/berlin", "UTC", 60, "Europe/Berlin", False),
        ("posix/Asia/Kolkata", "UTC", 330, "Asia/Kolkata", False),
        ("EST5EDT", "UTC", -300, "EST5EDT", False),
        ("SYSTEM", "Europe/Berlin", 60, "Europe/Berlin", False),
        ("SYSTEM", "CEST", 120, "Etc/GMT-2", True),
        ("SYSTEM", "CET", 60, "Etc/GMT-1", True),
        ("SYSTEM", "EST", -300, "Etc/GMT+5", True),
        ("SYSTEM", "+02", 120, "Etc/GMT-2", True),
        ("SYSTEM", "IST", 330, "Asia/Kolkata", True),
        ("-09:30", "UTC", -570, "Pacific/Marquesas", True),
        ("+14:00", "UTC", 840, "Etc/GMT-14", True),
        ("-13:59", "UTC", -839, "Etc/GMT+12", True),
        ("+10:30", "UTC", 630, "Etc/GMT-11", True),
    ],
)
def test_the_zone_that_a_server_keeps(
    setting: str, system: str, minutes: int, zone: str, is_told: bool
) -> None:
    session = Session(Server(setting, system, minutes), Exception)
    found, told = zones.derive(mysql.KIND, session)
    assert (found, bool(told)) == (zone, is_told), told


def test_a_fixed_zone_is_that_far_ahead_of_utc_or_the_next_one() -> None:
    for minutes in range(-14 * 60, 14 * 60 + 1, 15):
        offset = dt.timedelta(minutes=minutes)
        zone = clock.fixed_zone(offset)
        found = {
            dt.datetime(year, month, 1, tzinfo=dt.UTC)
            .astimezone(ZoneInfo(zone))
            .utcoffset()
            for year in range(1990, 2035)
            for month in (1, 7)
        }
        assert len(found) == 1
        assert found.pop() >= offset
        if minutes % 60 == 0 and minutes >= -12 * 60:
            assert clock.offset_of(zone, dt.datetime(2026, 1, 1)) == offset
