"""Clocks: a watermark in a time zone with summer time, and its instant."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from ingest.duck import literal

# Zones of fractions of an hour whose offset has not changed for decades, by minutes.
_ODD_ZONES = {
    -570: "Pacific/Marquesas",
    270: "Asia/Kabul",
    330: "Asia/Kolkata",
    345: "Asia/Kathmandu",
    390: "Asia/Yangon",
    570: "Australia/Darwin",
}
# The times that every reader of a warehouse knows.
_FIRST, _LAST = "timestamp '0001-01-01'", "timestamp '9999-12-31 23:59:59.999999'"
# A server that rounds to whole seconds writes a row half a second ahead of its clock.
ROUNDING = dt.timedelta(seconds=1)


def present(utc: dt.datetime, zone: str) -> dt.datetime:
    """The newest time that a row may have by the clock of `zone` at the UTC time."""
    local = utc.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return local + ROUNDING


def offset_of(zone: str, utc: dt.datetime) -> dt.timedelta:
    """How far the clock of `zone` is ahead of UTC at the UTC time."""
    found = utc.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone)).utcoffset()
    assert found is not None
    return found


def fixed_zone(offset: dt.timedelta) -> str:
    """The zone without summer time that is that far ahead of UTC.

    Where there is none it is the next one that is ahead of it: on its clock no row
    that was written is in the future.
    """
    minutes = round(offset.total_seconds() / 60)
    whole = {-60 * n: f"Etc/GMT{n:+d}" for n in range(-14, 13) if n}
    zones = whole | _ODD_ZONES | {0: "UTC"}
    return zones[min((m for m in zones if m >= minutes), default=14 * 60)]


def shown(offset: dt.timedelta) -> str:
    """An offset as MySQL writes it: +05:30."""
    minutes = round(abs(offset.total_seconds()) / 60)
    sign = "-" if offset < dt.timedelta() else "+"
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def went_back(local: dt.datetime, zone: str) -> dt.timedelta:
    """How far the clock of `zone` may have gone back since it showed `local`.

    Zero, except in an hour that it shows twice: a row of the second one may have an
    earlier time than a row of the first.
    """
    clock = local.replace(tzinfo=ZoneInfo(zone))
    first, second = clock.utcoffset(), clock.replace(fold=1).utcoffset()
    assert first is not None
    assert second is not None
    return max(first - second, dt.timedelta())


def effective(watermark: str, zone: str, observed: str) -> str:
    """The instant, in UTC, of a watermark, not NULL, on the clock of `zone`.

    An hour that the clock shows twice is ambiguous: it is the second time, unless that
    is later than the observation. So what was read before the clock went back stays
    older than what was written after it. What begins the year 1, or ends 9999, stays in
    it.
    """
    if zone == "UTC":
        return f"{watermark}::timestamp"
    zone, utc = literal(zone), "'UTC'"
    late = f"timezone({utc}, timezone({zone}, {watermark}::timestamp))"
    back = (
        f"(timezone({zone}, timezone({utc}, {late} - interval 12 hour)) "
        f"+ interval 12 hour - timezone({zone}, timezone({utc}, {late})))"
    )
    early = f"{late} - {back}"
    instant = (
        f"case when {late} > {observed} "
        f"and timezone({zone}, timezone({utc}, {early})) = {watermark}::timestamp "
        f"then {early} else {late} end"
    )
    return f"least(greatest({instant}, {_FIRST}), {_LAST})"
