"""What a person sees at the end of a run, and later from `status`.

Both read the control tables, so they can't differ.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from ingest import control, settings
from ingest.control import Connection
from ingest.errors import ConfigurationError, SeedbedError
from ingest.seed import metadata
from ingest.statements import Statements
from orchestration import shown
from orchestration.display import faults, plain_grid
from orchestration.probe import ALL_ROWS

_SQL = Statements(__file__)
# Where a whole schema is open, a paragraph for each of its views is too much.
SHOWN_LEAKS = 10

COUNTS = (
    "rows_read",
    "rows_written",
    "rows_unchanged",
    "rows_rejected",
    "rows_deleted",
)


@dataclass(frozen=True)
class Line:
    """One source table in a run, with the outcome of its rows."""

    table_id: str
    rows_read: int
    rows_written: int
    rows_unchanged: int
    rows_rejected: int
    rows_deleted: int
    silver_rows: int | None
    state: str
    reason: str | None
    seconds: float
    batch_id: str
    batch_seq: int
    rows_quarantined: int


@dataclass(frozen=True)
class Summary:
    """A run as the control tables have it."""

    run_id: str
    command: str
    state: str
    started_at: dt.datetime
    ended_at: dt.datetime | None
    steps: dict[str, float]
    error: str | None
    retries: int
    tables: list[Line]
    ledger: list[dict[str, Any]]
    probe: list[dict[str, Any]]
    schema_changes: list[dict[str, Any]]
    failed_rules: list[dict[str, Any]]
    rules: int
    unbalanced: list[dict[str, Any]]
    busy: list[str]

    @property
    def balanced(self) -> bool:
        """Whether every identity of the ledger holds."""
        return all(row["holds"] for row in self.ledger)

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {**asdict(self), "balanced": self.balanced}


def read(connection: Connection, run_id: str | None = None) -> Summary:
    """The run `run_id`, or the newest one; SeedbedError when there is none."""
    found = _SQL.dicts(connection, "run", run_id=run_id)
    if not found and run_id:
        raise SeedbedError(
            f"there is no run {run_id!r}.",
            "`./seedbed status` shows the id of the newest one.",
        )
    if not found:
        raise SeedbedError(*control.NO_RUN)
    (run,) = found
    of = {"run_id": run["run_id"]}
    return Summary(
        **run,
        tables=_SQL.rows(connection, Line, "lines", of_silver=shown.IDENTITY, **of),
        ledger=control.identities(connection, run["run_id"]),
        probe=_SQL.dicts(connection, "probe", **of),
        schema_changes=_SQL.dicts(connection, "schema_changes", **of),
        failed_rules=_SQL.dicts(connection, "failed_rules", **of),
        rules=_SQL.value(connection, "rules", **of),
        unbalanced=_SQL.dicts(connection, "unbalanced"),
        busy=[table_id for (table_id,) in _SQL.run(connection, "busy", **of)],
    )


def _rules(summary: Summary) -> Iterator[Text]:
    """The rules that failed; those that block a batch are said as its reason."""
    left_behind = _left_behind(summary)
    failed = [
        rule
        for rule in summary.failed_rules
        if rule["layer"] != "gate" or rule["severity"] == "warn"
    ]
    if failed:
        yield Text()
    for rule in failed:
        line = (
            f"{rule['table_id']}  {rule['rule_id']}: {rule['observed']}, expected "
            f"{rule['expected']}"
        )
        if _place(rule) in left_behind:
            line += (
                ". (If the table was moved without the one it refers to, `./seedbed "
                "run` reads that one as well.)"
            )
        colour = "red" if rule["severity"] == "block" else "yellow"
        yield Text.assemble((f"{rule['severity']:<6}", colour), line)


def _place(rule: dict[str, Any]) -> tuple[str, str, str]:
    return rule["table_id"], rule["rule_id"], rule["layer"]


def _left_behind(summary: Summary) -> set[tuple[str, str, str]]:
    """The failed rules of rows that may refer to what the run did not move."""
    counted = [r for r in summary.failed_rules if r["failing_rows"] is not None]
    failed = {_place(rule) for rule in counted}
    try:
        tables = metadata.enabled(metadata.load(settings.ROOT)) if failed else []
    except ConfigurationError:
        return set()
    moved = {line.table_id for line in summary.tables}
    others = {table.model for table in tables if table.id not in moved}
    return failed & {
        (table.id, rule.id, rule.layer)
        for table in tables
        for rule in table.rules
        if rule.check.model in others
    }


_COLOURS = {"released": "green", "rejected": "red", "failed": "red", "done": "green"}


def _blocked(line: Line, is_unbalanced: bool) -> Text:
    """Why a table is blocked, where its bad rows are, and the ways out."""
    here = f"table_id = '{line.table_id}' and batch_seq = {line.batch_seq}"
    look = f"select reason, count(*) from audit.reject where {here} group by 1"
    without, leave_out = "", ""
    if line.rows_quarantined:
        look = f"select rule_id, row from audit.quarantine where {here}"
        without, leave_out = " without these rows", "--quarantine "
    ways = (
        f"See the rows:     {look}\n"
        "Repair the source and type ./seedbed run: the window is read again. Or "
        f"release the batch{without}:\n"
        f"                  ./seedbed release {line.batch_id} {leave_out}--reason '…'"
    )
    if is_unbalanced:
        ways = "Type ./seedbed run: the window is read again."
    return Text.assemble(
        "\n",
        (f"{line.table_id} is blocked", "red"),
        f": {line.reason}. The last good data, and every model built from it, stay as "
        f"they were.\n{ways}",
    )


def _grid(summary: Summary, width: int) -> Grid:
    """The tables of the run, with what became of their rows."""
    grid = plain_grid()
    # A long name is folded, so that no figure is cut.
    grid.add_column("table", overflow="fold")
    # On a narrow terminal the deletes give way.
    counts = COUNTS if width >= 84 else COUNTS[:-1]
    for name in (*(c.removeprefix("rows_") for c in counts), "silver"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("state", no_wrap=True)
    grid.add_column("seconds", justify="right", no_wrap=True)
    for line in summary.tables:
        silver = "-" if line.silver_rows is None else f"{line.silver_rows:,}"
        colour = _COLOURS.get(line.state, "yellow")
        grid.add_row(
            line.table_id,
            *(f"{getattr(line, name):,}" for name in counts),
            silver,
            f"[{colour}]{line.state}[/]",
            f"{line.seconds:.1f}",
        )
    if len(summary.tables) > 1:
        grid.add_section()
        grid.add_row(
            "total",
            *(f"{sum(getattr(t, n) for t in summary.tables):,}" for n in counts),
            f"{sum(t.silver_rows or 0 for t in summary.tables):,}",
            "",
            f"{sum(t.seconds for t in summary.tables):.1f}",
            style="bold",
        )
    return grid


def _notes(summary: Summary) -> Iterator[Text]:
    """What a person has to know of single tables, and of errors."""
    unbalanced = {row["table_id"] for row in summary.ledger if not row["holds"]}
    for line in summary.tables:
        if line.reason and line.state == "rejected":
            yield _blocked(line, line.table_id in unbalanced)
    for table in summary.busy:
        yield Text(
            f"{table} was skipped: another run is loading it and builds after. Run "
            "again once that has ended.",
            "yellow",
        )
    for change in summary.schema_changes:
        if change["action"] != "blocked":
            yield Text(f"{change['table_id']}: {change['message']}.", "yellow")
    if any(c["action"] == "followed" for c in summary.schema_changes):
        yield Text("Commit seeds/metadata and the generated models.")
    yield from _rules(summary)
    for error in faults(summary.error or ""):
        yield Text.assemble("\n", error)


def _verdicts(summary: Summary) -> Iterator[Text]:
    """Whether all rules passed and all identities hold."""
    if summary.failed_rules:
        yield Text.assemble(
            "rules    ",
            (f"{len(summary.failed_rules)} of {summary.rules} failed", "yellow"),
            ": select * from audit.dq_result where run_id = "
            f"'{summary.run_id}' and not passed",
        )
    elif summary.rules:
        yield Text.assemble("rules    ", (f"all {summary.rules} passed", "green"))
    failed = [row for row in summary.ledger if not row["holds"]]
    if failed:
        checks = "1 check" if len(failed) == 1 else f"{len(failed)} checks"
        yield Text.assemble("ledger   ", (f"{checks} failed", "red"), ":")
    elif summary.ledger:
        number = f": {len(summary.ledger)} identities hold"
        yield Text.assemble("ledger   ", ("balanced", "green"), number)
    else:
        yield Text("ledger   nothing to balance")
    for row in failed:
        sample = f" ({row['sample']})" if row["sample"] else ""
        yield Text(
            f"         {row['table_id']}: {row['identity']}: "
            f"{row['left_rows']:,} ≠ {row['right_rows']:,}{sample}"
        )
    for alert in summary.unbalanced:
        message = (f"{alert['table_id']}: {alert['message']}", "red")
        yield Text.assemble("         alert is open: ", message)


def show(summary: Summary, console: Console) -> None:
    """Print the run as one table, its totals and the ledger's verdict."""
    console.print(_grid(summary, console.width))
    for text in (*_notes(summary), Text(), *_verdicts(summary)):
        console.print(text, soft_wrap=True)
    show_probe(summary, console)
    facts = [f"{name} {took:.1f} s" for name, took in summary.steps.items()]
    facts += [f"{summary.retries} retries"] if summary.retries else []
    steps = f"  ({', '.join(facts)})" if facts else ""
    colour = _COLOURS.get(summary.state, "red")
    console.print(
        f"run      [{colour}]{summary.state}[/]  {summary.run_id}{steps}",
        highlight=False,
    )


def show_rows(summary: Summary, console: Console) -> None:
    """Where rows are filtered, and where they are not, as the probe found it."""
    seen = [
        r for r in summary.probe if r["holds"] and not r["pii"] and r["column_name"]
    ]
    lines = [
        f"rows     {row['relation']}: {row['role_name']} sees those with a "
        f"{row['column_name']} that row_access.csv allows"
        for row in seen
        if row["column_name"] != ALL_ROWS
    ]
    if whole := [r["relation"] for r in seen if r["column_name"] == ALL_ROWS]:
        lines.append(f"         without a filter, all rows: {', '.join(whole)}")
    for line in lines:
        console.print(line, soft_wrap=True)


def show_probe(summary: Summary, console: Console) -> None:
    """What roles see: a line where all is well, else a paragraph for each leak."""
    leaks = sum(not row["holds"] for row in summary.probe)
    masked = {(r["relation"], r["column_name"]) for r in summary.probe if r["pii"]}
    roles = {row["role_name"] for row in summary.probe if row["relation"]} - {"public"}
    if leaks:
        console.print(f"security [red]{leaks} assertions do not hold[/]:")
    elif roles:
        console.print(
            f"security [green]ok[/]: {len(roles)} roles checked, {len(masked)} columns "
            "of personal data masked"
        )
    found = [row for row in summary.probe if row["message"]]
    for row in found[:SHOWN_LEAKS]:
        message = (row["message"], "yellow" if row["holds"] else "red")
        console.print(Text.assemble("         ", message), soft_wrap=True)
    if len(found) > SHOWN_LEAKS:
        console.print(
            f"         … and {len(found) - SHOWN_LEAKS} more: select message from "
            f"audit.probe where run_id = '{summary.run_id}' and message <> ''",
            soft_wrap=True,
        )
