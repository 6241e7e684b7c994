"""Alerts: what is open, and telling it to the channels, each message once."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import psycopg
from psycopg.rows import class_row

from ingest import locks, runlog
from ingest.control import Connection
from ingest.errors import SeedbedError
from orchestration.watch.channels import Channel, Message, configured

# Pauses before an endpoint is tried again, in seconds; then the next run tries.
PAUSES = (1, 5)

_WAITING = """
with

told as (

    select
        format('alert/%%s/opened', alert_id) as subject,
        format('seedbed/%%s/%%s', kind, table_id) as key,
        'opened' as state,
        alert.*,
        raised_at as at
    from audit.alert
    where closed_at is null or raised_at > clock_timestamp() - interval '1 day'

    union all

    select
        format('alert/%%s/closed', alert_id),
        format('seedbed/%%s/%%s', kind, table_id),
        'closed',
        alert.*,
        closed_at
    from audit.alert
    where closed_at > clock_timestamp() - interval '1 day'

),

runs as (

    select
        format('run/%%s', run_id) as subject,
        command,
        run_id,
        ended_at as at
    from audit.run
    where
        %(success)s
        and state = 'done'
        and ended_at > clock_timestamp() - interval '1 day'

),

messages as (

    select
        told.subject,
        told.key,
        told.state,
        told.kind,
        coalesce(told.table_id, '') as "table",
        told.severity,
        told.message as text,
        coalesce(source_table.owner, '') as owner,
        told.at
    from told
    left join audit.source_table on source_table.table_id = told.table_id

    union all

    select
        subject,
        format('seedbed/%%s', run_id),
        'notice',
        'run_done',
        '',
        'warn',
        format('%%s %%s', command, run_id),
        '',
        at
    from runs

)

select
    messages.subject,
    messages.key,
    messages.state,
    messages.kind,
    messages."table",
    messages.severity,
    messages.text,
    messages.owner,
    to_char(messages.at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS') as at
from messages
left join audit.delivery
    on delivery.channel = %(channel)s
    and delivery.subject = messages.subject
where delivery.sent_at is null and messages.state = any(%(states)s)
order by messages.at, messages.subject
"""


def waiting(connection: Connection, channel: Channel) -> list[Message]:
    """What the channel has not been told yet, of a day or still open, in order."""
    success = os.environ.get("SEEDBED_NOTIFY_SUCCESS", "").lower() in ("1", "true")
    given = {"channel": channel.name, "states": list(channel.states)}
    with connection.cursor(row_factory=class_row(Message)) as cursor:
        return cursor.execute(_WAITING, given | {"success": success}).fetchall()


def send(connection: Connection, pauses: Sequence[float] = PAUSES) -> dict[str, str]:
    """Tell each channel what waits for it; by channel, why one was not told.

    One process at a time does so; another one's messages are taken along.
    """
    faults: dict[str, str] = {}
    if not locks.take(connection, "alerts"):
        return faults
    for channel in configured():
        messages = waiting(connection, channel)
        if messages:
            fault = _tell(channel, messages, pauses)
            _note(connection, channel.name, messages, fault)
            if fault:
                faults[channel.name] = fault
    return faults


def tell_now(kind: str, text: str) -> dict[str, str]:
    """Tell each channel directly; by channel, why one was not told.

    For what happens where the control tables, which else remember what was told,
    can't be reached.
    """
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    facts = (f"seedbed/{kind}/", "opened", kind, "", "block", text, "", at)
    message = Message(f"now/{kind}/{at}", *facts)
    told = {one.name: _tell(one, [message], PAUSES) for one in configured()}
    return {name: fault for name, fault in told.items() if fault}


def _tell(
    channel: Channel, messages: Sequence[Message], pauses: Sequence[float]
) -> str | None:
    for pause in (*pauses, None):
        try:
            channel.send(messages)
        except SeedbedError as error:
            if pause is None:
                return str(error)
            time.sleep(pause)
        else:
            return None
    return None


def _note(
    connection: Connection,
    channel: str,
    messages: Sequence[Message],
    fault: str | None,
) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit.delivery as old (channel, subject, sent_at, tries, "
            "error) values (%(channel)s, %(subject)s, "
            "case when %(fault)s::text is null then clock_timestamp() end, 1, "
            "%(fault)s) "
            "on conflict (channel, subject) do update set sent_at = excluded.sent_at, "
            "tries = old.tries + 1, error = excluded.error",
            [
                {"channel": channel, "subject": one.subject, "fault": fault}
                for one in messages
            ],
        )
    level = "error" if fault else "info"
    told = len(messages)
    runlog.write("alerts.sent", level=level, channel=channel, told=told, error=fault)


def still_open(connection: Connection) -> list[tuple[str, str, str, str, str]]:
    """The open alerts: severity, kind, table, since when (UTC) and message."""
    try:
        return connection.execute(
            "select severity, kind, coalesce(table_id, '-'), "
            "to_char(raised_at at time zone 'utc', 'YYYY-MM-DD HH24:MI'), message "
            "from audit.alert where closed_at is null order by raised_at"
        ).fetchall()
    except psycopg.errors.UndefinedTable:
        return []


def samples(channel: Channel) -> list[Message]:
    """One message of each state that the channel is for, for a test of it."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    facts = ("table_blocked", "test.table", "block")
    text = "this is a test; nothing is wrong"
    every = [
        Message("test/opened", "seedbed/test", "opened", *facts, text, "you", at),
        Message("test/closed", "seedbed/test", "closed", *facts, text, "you", at),
        Message(
            "test/notice", "seedbed/run", "notice", "run_done", "", "warn", text, "", at
        ),
    ]
    return [one for one in every if one.state in channel.states]
