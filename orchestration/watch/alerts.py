"""Alerts: what is open, and sending it to the channels, each message once."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Sequence
from functools import partial

import psycopg
from psycopg.rows import class_row

from ingest import locks, runlog
from ingest.control import Connection
from ingest.statements import query
from orchestration.watch import delivery
from orchestration.watch.channels import Channel, Message, configured


def waiting(connection: Connection, channel: Channel) -> list[Message]:
    """What the channel has not sent yet, of a day or still open, in order."""
    success = os.environ.get("SEEDBED_NOTIFY_SUCCESS", "").lower() in ("1", "true")
    states = list(channel.states)
    given = {"channel": channel.name, "states": states, "success": success}
    with connection.cursor(row_factory=class_row(Message)) as cursor:
        return cursor.execute(query(__file__, "messages"), given).fetchall()


def send(
    connection: Connection, pauses: Sequence[float] = delivery.PAUSES
) -> dict[str, str]:
    """Send each channel what waits for it; by channel, why it could not be sent.

    One process at a time does so; another one's messages are taken along.
    """
    faults: dict[str, str] = {}
    if not locks.take(connection, "alerts"):
        return faults
    for channel in configured():
        messages = waiting(connection, channel)
        if not messages:
            continue
        fault = delivery.attempt(partial(channel.send, messages), pauses)
        for one in messages:
            delivery.note(
                connection, channel.name, one.subject, fault, is_sent=not fault
            )
        facts = {"channel": channel.name, "messages": len(messages), "error": fault}
        runlog.write("alerts.sent", level="error" if fault else "info", **facts)
        if fault:
            faults[channel.name] = fault
    return faults


def tell_now(kind: str, text: str) -> dict[str, str]:
    """Send one message to each channel directly; by channel, why it was not sent.

    For what happens where the control tables, which else remember what was sent,
    can't be reached.
    """
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    facts = (f"seedbed/{kind}/", "opened", kind, "", "block", text, "", at)
    message = Message(f"now/{kind}/{at}", *facts)
    faults = {
        one.name: delivery.attempt(partial(one.send, [message]), delivery.PAUSES)
        for one in configured()
    }
    return {name: fault for name, fault in faults.items() if fault}


def still_open(connection: Connection) -> list[tuple[str, str, str, dt.datetime, str]]:
    """The open alerts: severity, kind, table, since when (UTC) and message."""
    try:
        return connection.execute(
            "select severity, kind, coalesce(table_id, '-'), raised_at at time zone "
            "'utc', message from audit.alert where closed_at is null order by raised_at"
        ).fetchall()
    except psycopg.errors.UndefinedTable:
        return []
