"""Clocks: a watermark on a clock with summer time, and the instant it stands for."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from ingest.duck import literal


def went_back(local: dt.datetime, zone: str) -> dt.timedelta:
    """How far the clock of `zone` may have gone back since it showed `local`.

    Nothing but in an hour that it shows twice: what is written in the second one has
    an earlier time than what was written in the first.
    """
    clock = local.replace(tzinfo=ZoneInfo(zone))
    first, second = clock.utcoffset(), clock.replace(fold=1).utcoffset()
    assert first is not None
    assert second is not None
    return max(first - second, dt.timedelta())


def effective(watermark: str, zone: str, observed: str) -> str:
    """The instant, in UTC, of a watermark on the clock of `zone`.

    An hour that the clock shows twice is ambiguous: it is the second time, unless that
    is later than the observation. So what was read before the clock went back stays
    older than what was written after it.
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
    return (
        f"case when {late} > {observed} "
        f"and timezone({zone}, timezone({utc}, {early})) = {watermark}::timestamp "
        f"then {early} else {late} end"
    )
