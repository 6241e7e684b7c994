"""The demo: the pipeline over three days of changes of the sources."""

import os
import time
from collections import defaultdict

from ingest.errors import ConfigurationError, SeedbedError
from ingest.seed import metadata
from ingest.settings import ROOT
from orchestration import runner
from orchestration.cli.common import finish, out, say
from sandbox import demo
from sandbox import servers as embedded

_STORY = {
    1: "a first load of everything",
    2: "new rows, changes, soft and hard deletes, two rows that arrive late",
    3: "a bad batch of orders: a NULL key, orders without customer, half the volume",
    4: "the shop repairs its orders; the blocked table heals by itself",
}


def play(rows: int | None, target: str | None) -> int:
    """Play the days that are not played yet, or else run once.

    `rows` is the number of orders on day 1, or None for that of an earlier demo or the
    default. Returns the exit code.
    """
    shares: defaultdict[str, float] = defaultdict(float)
    admin_url = _admin_url()
    state = demo.current_day(admin_url)
    if state and rows not in (None, state[1]):
        raise ConfigurationError(
            f"the demo's databases were made for --rows {state[1]}, not {rows}.",
            "Run `./seedbed down --wipe`, which deletes them and all that was loaded "
            "from them, then the command again.",
        )
    rows = rows or (state[1] if state else demo.DEFAULT_ROWS)
    days = range(state[0] + 1 if state else 1, demo.REPAIR_DAY + 1)
    tables = [t for t in metadata.load(ROOT) if t.enabled and t.id in demo.TABLES]

    def run(command: str) -> int:
        result = runner.run(tables, command=command, target=target, report=say)
        for name, took in result.seconds.items():
            shares[name] += took
        return finish(result, False)

    began = time.monotonic()
    code = 0
    for day in days:
        title = f"day {day}" if day < demo.REPAIR_DAY else "day 3, repaired"
        out.rule(f"[bold]{title}[/]: {_STORY[day]}", align="left")
        started = time.monotonic()
        counts = demo.apply_day(admin_url, day, rows)
        shares["source"] += time.monotonic() - started
        for name, verbs in sorted(counts.items()):
            text = ", ".join(f"{n:,} {verb}" for verb, n in verbs.items() if n)
            out.print(f"source   {name}: {text}")
        code = run(f"demo day {day}")
        _expect(day, code)
    if not days:
        out.rule("[bold]the sources are as they were[/]: nothing may change")
        code = run("demo")
    total = time.monotonic() - began
    text = ", ".join(f"{n} {s:.1f} s ({s / total:.0%})" for n, s in shares.items())
    out.rule("[bold]done[/]", align="left")
    out.print(f"demo     {total:.1f} s: {text}", soft_wrap=True)
    return code


def _admin_url() -> str:
    """The URL of the sources' writer: the embedded server's, or a given one."""
    if url := os.environ.get("SEEDBED_DEMO_URL"):
        return url
    if "mariadb" not in os.environ.get("SEEDBED_EMBEDDED", "").split():
        raise ConfigurationError(
            "the demo fills the databases shop and crm, but SHOP_URL names a server of "
            "your own.",
            "Unset SHOP_URL and CRM_URL to use the embedded one, or set "
            "SEEDBED_DEMO_URL to mysql://USER:PASSWORD@HOST:PORT/shop of a user who "
            "may create tables in both databases.",
        )
    return embedded.admin_url(ROOT)


def _expect(day: int, code: int) -> None:
    """Day 3 must be blocked, all others must pass; anything else is an error."""
    if (code == 1) != (day == 3) or code not in (0, 1):
        raise SeedbedError(
            f"day {day} of the demo ended with exit code {code}, which it should not. "
            "The table above shows which table or model.",
            "Run `./seedbed demo` to continue, or `./seedbed down --wipe` to start "
            "over.",
        )
