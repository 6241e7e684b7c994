"""Channels: where messages go to. Each takes a group of them at once.

Addresses and keys come from the environment, and no error shows them.
"""

from __future__ import annotations

import json
import os
import smtplib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ingest import settings
from ingest.errors import ConfigurationError, ServiceError
from orchestration.watch import delivery
from orchestration.watch.outbox import CHANNELS


@dataclass(frozen=True)
class Message:
    """What a channel sends: `state` is opened, closed or notice; `at` in UTC.

    `key` is the same for an alert's opening and its end.
    """

    subject: str
    key: str
    state: str
    kind: str
    table: str
    severity: str
    text: str
    owner: str
    at: str

    @property
    def title(self) -> str:
        """What happened, in a line."""
        what = self.kind.replace("_", " ")
        about = f"{self.table}: {what}" if self.table else what
        return f"{about}: over" if self.state == "closed" else about

    @property
    def page(self) -> str:
        """The runbook, or nothing for a notice."""
        if self.state == "notice":
            return ""
        return f"docs/runbooks/{self.kind.replace('_', '-')}.md"


@dataclass(frozen=True)
class Channel:
    """One way to send messages of some states.

    `send` takes them all, and sends them as one where the other side has groups. It
    raises ServiceError where that refuses.
    """

    name: str
    send: Callable[[Sequence[Message]], None]
    states: tuple[str, ...] = ("opened", "closed", "notice")


def _text(messages: Sequence[Message]) -> str:
    lines = []
    for one in messages:
        lines.append(f"{one.title} ({one.at} UTC)")
        if one.state != "closed":
            lines.append(f"  {one.text}")
        facts = {"owner": one.owner, "see": one.page}
        known = ", ".join(f"{k} {v}" for k, v in facts.items() if v)
        if known and one.state == "opened":
            lines.append(f"  {known}")
    return "\n".join(lines)


def _headline(messages: Sequence[Message]) -> str:
    if len(messages) == 1:
        return f"Seedbed: {messages[0].title}"
    opened = sum(m.state == "opened" for m in messages)
    closed = sum(m.state == "closed" for m in messages)
    return f"Seedbed: {len(messages)} messages, {opened} opened, {closed} over"


def _slack(messages: Sequence[Message]) -> None:
    """An incoming webhook of Slack, or of what understands it."""
    # What Slack takes for markup is a name of ours here.
    text = f"*{_headline(messages)}*\n{_text(messages)}"
    for plain, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(plain, safe)
    body = json.dumps({"text": text[:39_000]})
    delivery.post("slack", os.environ[CHANNELS["slack"]], body)


def _pagerduty(messages: Sequence[Message]) -> None:
    """PagerDuty's events, which it groups itself: by key, opened and resolved."""
    url = settings.variable(
        "SEEDBED_PAGERDUTY_URL", "https://events.pagerduty.com/v2/enqueue"
    )
    for one in messages:
        event: dict[str, Any] = {
            "routing_key": os.environ[CHANNELS["pagerduty"]],
            "event_action": "trigger" if one.state == "opened" else "resolve",
            "dedup_key": one.key,
        }
        if one.state == "opened":
            event["payload"] = {
                "summary": f"{one.title}: {one.text}"[:1024],
                "source": one.table or "seedbed",
                "severity": "error" if one.severity == "block" else "warning",
                "custom_details": {"runbook": one.page, "owner": one.owner},
            }
        delivery.post("pagerduty", url, json.dumps(event))


def _mail(messages: Sequence[Message]) -> None:
    """A mail server: smtp:// or smtps://USER:PASSWORD@HOST:PORT."""
    to = os.environ.get("SEEDBED_MAIL_TO", "")
    if not to:
        raise ConfigurationError(
            "the alerts can't be mailed: SEEDBED_MAIL_TO is not set",
            "set SEEDBED_MAIL_TO to who gets them (see .env.example)",
        )
    mail = EmailMessage()
    mail["Subject"] = _headline(messages).replace("\n", " ")
    mail["From"] = settings.variable("SEEDBED_MAIL_FROM", "seedbed@localhost")
    mail["To"] = to
    mail.set_content(_text(messages))
    try:
        url = urlsplit(os.environ[CHANNELS["mail"]])
        kind = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
        place = (url.hostname or "", url.port or 0)
        with kind(*place, timeout=delivery.SECONDS) as server:
            if url.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls()
            if url.username:
                server.login(unquote(url.username), unquote(url.password or ""))
            server.send_message(mail)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise ServiceError(f"mail is out of reach: {type(error).__name__}") from None


def _file(messages: Sequence[Message]) -> None:
    """A file of JSON lines."""
    try:
        with Path(os.environ[CHANNELS["file"]]).open("a") as file:
            for one in messages:
                line = {**asdict(one), "title": one.title, "runbook": one.page}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ServiceError(f"the file can't be written: {error.strerror}") from None


def configured() -> list[Channel]:
    """The channels that the environment has an address for."""
    every = (
        Channel("slack", _slack),
        Channel("pagerduty", _pagerduty, ("opened", "closed")),  # none for a success
        Channel("mail", _mail),
        Channel("file", _file),
    )
    return [one for one in every if os.environ.get(CHANNELS[one.name])]


def samples(channel: Channel) -> list[Message]:
    """One message of each state that the channel is for, for a test of it."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    alert = ("seedbed/test", "table_blocked", "test.table", "block", "you")
    run = ("seedbed/run", "run_done", "", "warn", "")
    found = []
    for state in channel.states:
        key, kind, table, severity, owner = run if state == "notice" else alert
        text = "this is a test; nothing is wrong"
        facts = (f"test/{state}", key, state, kind, table, severity, text, owner, at)
        found.append(Message(*facts))
    return found
