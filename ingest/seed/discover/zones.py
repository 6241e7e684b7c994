"""The clock of a source: which zone its server keeps, and how sure that is."""

from __future__ import annotations

import datetime as dt
from zoneinfo import available_timezones

from ingest import clock
from ingest.seed.metadata import FOLDER, Source
from ingest.sources.kind import Kind, Session

_UTC = ("UTC", "UCT", "ETC/UTC", "ETC/UCT", "ZULU", "UNIVERSAL", "+00:00", "-00:00")


def derive(kind: Kind, session: Session) -> tuple[str, str]:
    """The zone of the server's own clock, and what a person must know of it or ''.

    A name that the server was given is that zone; an offset is a zone without
    summer time. What the machine calls its zone is an abbreviation mostly (CEST, EST),
    which says what the offset is now and not when it changes.
    """
    name, is_machine = kind.zone(session)
    # A machine in London calls its zone GMT as well, in winter.
    if name.upper() in _UTC or (name.upper() == "GMT" and not is_machine):
        return "UTC", ""
    known = {zone.upper(): zone for zone in available_timezones()}
    zone = known.get(name.removeprefix("posix/").upper())
    if zone and (not is_machine or "/" in zone):
        return zone, ""
    offset = kind.offset(session)
    zone = clock.fixed_zone(offset)
    shown = clock.shown(offset)
    called = "" if name in ("", shown) else f" ({name})"
    note = (
        f"its server's clock is {shown}{called} now: timezone {zone} was "
        "written, which has no summer time. If the clock has one, "
        f"write its zone in {FOLDER}/sources.csv, such as Europe/Berlin, before the "
        "first run"
    )
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    if clock.offset_of(zone, now) != offset:
        note += (
            f". No zone is {shown}: this one is ahead of it, so that no "
            "row is missed, and times are off by the difference"
        )
    return zone, note


def compare(there: Source, kind: Kind, session: Session) -> str:
    """What to say where the seed's zone has another time than the server; else ''."""
    offset = kind.offset(session)
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    if clock.offset_of(there.timezone, now) == offset:
        return ""
    return (
        f"its server's clock is {clock.shown(offset)} now, its timezone in "
        f"{FOLDER}/sources.csv is {there.timezone}. If columns of local times are "
        "written by the server's clock, write its zone there "
        f"({clock.fixed_zone(offset)}, or one with summer time)"
    )
