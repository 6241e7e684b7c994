"""What a person sees at the end of a run, and later from `status`.

Both read the control tables, so they can't differ.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import sql
from psycopg.rows import class_row, dict_row
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid
from rich.text import Text

from ingest import control, settings
from ingest.control import Connection
from ingest.errors import ConfigurationError, SeedbedError
from ingest.seed import metadata
from orchestration.probe import ALL_ROWS

# Where a whole schema is open, nobody reads a paragraph for each of its views.
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
    """One source table in a run: what became of its rows."""

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
    """A run as the control tables tell it."""

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


_LINES = """
with

batches as (

    select * from audit.batch where run_id = %(run_id)s

),

newest as (

    select distinct on (table_id) table_id, batch_id, batch_seq, state, reason
    from batches
    order by table_id, batch_seq desc

),

silver as (

    select distinct on (l.table_id) l.table_id, l.right_rows
    from audit.ledger as l
    inner join audit.run as r on r.run_id = l.run_id
    where
        l.identity = 'live keys of the log = live keys of silver'
        and r.run_id <= %(run_id)s
    order by l.table_id, r.started_at desc

)

select
    b.table_id,
    coalesce(sum(b.rows_read), 0)::bigint as rows_read,
    coalesce(sum(b.rows_written), 0)::bigint as rows_written,
    coalesce(sum(b.rows_unchanged), 0)::bigint as rows_unchanged,
    coalesce(sum(b.rows_rejected), 0)::bigint as rows_rejected,
    coalesce(sum(b.rows_deleted), 0)::bigint as rows_deleted,
    max(s.right_rows) as silver_rows,
    max(n.state) as state,
    max(n.reason) as reason,
    max(n.batch_id) as batch_id,
    max(n.batch_seq) as batch_seq,
    (
        select count(*) from audit.quarantine as q
        where q.table_id = b.table_id and q.batch_seq = max(n.batch_seq)
    ) as rows_quarantined,
    sum(b.seconds) as seconds
from batches as b
inner join newest as n on n.table_id = b.table_id
left join silver as s on s.table_id = b.table_id
group by b.table_id
order by b.table_id
"""


def read(connection: Connection, run_id: str | None = None) -> Summary:
    """The run `run_id`, or the newest one; SeedbedError when there is none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        run = cursor.execute(
            "select run_id, command, state, started_at, ended_at, "
            "coalesce(steps, '{}') as steps, error, retries from audit.run "
            "where run_id = %(run_id)s or %(run_id)s::text is null "
            "order by started_at desc limit 1",
            {"run_id": run_id},
        ).fetchone()
    if run is None and run_id:
        raise SeedbedError(
            f"there is no run {run_id!r}; `./seedbed status` shows the newest one's id."
        )
    if run is None:
        raise SeedbedError(*control.NO_RUN)
    with connection.cursor(row_factory=class_row(Line)) as cursor:
        lines = cursor.execute(_LINES, {"run_id": run["run_id"]}).fetchall()
    with connection.cursor(row_factory=dict_row) as cursor:
        changes = cursor.execute(
            "select table_id, column_name, change, was, now, action, told "
            "from audit.schema_change where run_id = %s order by changed_at",
            (run["run_id"],),
        ).fetchall()
        probe = cursor.execute(
            "select role_name, relation, column_name, pii, holds, told "
            "from audit.probe where run_id = %s order by probed_at, relation",
            (run["run_id"],),
        ).fetchall()
    with connection.cursor(row_factory=dict_row) as cursor:
        failed = cursor.execute(
            "select layer, table_id, rule_id, severity, observed, expected, "
            "failing_rows, batch_seq from audit.dq_result "
            "where run_id = %s and not passed "
            "order by severity, table_id, layer, rule_id",
            (run["run_id"],),
        ).fetchall()
        unbalanced = cursor.execute(
            "select table_id, message from audit.alert "
            "where kind = 'table_unbalanced' and closed_at is null order by table_id"
        ).fetchall()
        busy = [
            row["table_id"]
            for row in cursor.execute(
                "select table_id from audit.run_table "
                "where run_id = %s and state = 'busy' order by table_id",
                (run["run_id"],),
            )
        ]
    rules = control.count(
        connection,
        sql.SQL("select count(*) from audit.dq_result where run_id = {}").format(
            run["run_id"]
        ),
    )
    return Summary(
        **run,
        tables=lines,
        ledger=control.identities(connection, run["run_id"]),
        probe=probe,
        schema_changes=changes,
        failed_rules=failed,
        rules=rules,
        unbalanced=unbalanced,
        busy=busy,
    )


def _show_rules(summary: Summary, console: Console) -> None:
    """The rules that failed; those that block a batch are told as its reason."""
    told = [
        rule
        for rule in summary.failed_rules
        if rule["layer"] != "gate" or rule["severity"] == "warn"
    ]
    if told:
        console.print()
    for rule in told:
        colour = "red" if rule["severity"] == "block" else "yellow"
        line = (
            f"{rule['table_id']}  {rule['rule_id']}: {rule['observed']}, expected "
            f"{rule['expected']}"
        )
        if _was_left_behind(summary, rule):
            line += (
                ". (If the table was moved without the one it refers to, `./seedbed "
                "run` reads that one as well.)"
            )
        console.print(
            Text.assemble((f"{rule['severity']:<6}", colour), line), soft_wrap=True
        )


def _was_left_behind(summary: Summary, rule: dict[str, Any]) -> bool:
    """Whether rows refer to a table that the run did not move, and may be there."""
    if rule["failing_rows"] is None:
        return False
    try:
        tables = metadata.enabled(metadata.load(settings.ROOT))
    except ConfigurationError:
        return False
    moved = {line.table_id for line in summary.tables}
    models = {
        own.check.model
        for table in tables
        for own in table.rules
        if (table.id, own.id, own.layer)
        == (rule["table_id"], rule["rule_id"], rule["layer"])
    }
    return any(t.model in models and t.id not in moved for t in tables)


_COLOURS = {"released": "green", "rejected": "red", "failed": "red", "done": "green"}


def _blocked(line: Line, is_unbalanced: bool) -> str:
    """Why a table is blocked, where its bad rows are, and the ways out."""
    here = f"table_id = '{line.table_id}' and batch_seq = {line.batch_seq}"
    look = f"select reason, count(*) from audit.reject where {here} group by 1"
    leave_out = ""
    if line.rows_quarantined:
        look = f"select rule_id, row from audit.quarantine where {here}"
        leave_out = "--quarantine "
    if is_unbalanced:
        return escape(
            f"{line.reason}. The last good data, and every model built from it, stay "
            "as they were.\nType ./seedbed run: the window is read again."
        )
    return escape(
        f"{line.reason}. The last good data, and every model built from it, stay as "
        "they were.\n"
        f"See the rows:     {look}\n"
        "Repair the source and type ./seedbed run: the window is read again. Or "
        f"release the batch{' without these rows' if leave_out else ''}:\n"
        f"                  ./seedbed release {line.batch_id} {leave_out}"
        "--reason '…'"
    )


def show(summary: Summary, console: Console) -> None:
    """Print the run as one table, its totals and the ledger's verdict."""
    grid = Grid(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    # A long name is folded, so that no figure is cut.
    grid.add_column("table", overflow="fold")
    # On a narrow terminal the deletes give way.
    counts = COUNTS if console.width >= 84 else COUNTS[:-1]
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
    console.print(grid)
    failed = [row for row in summary.ledger if not row["holds"]]
    unbalanced = {row["table_id"] for row in failed}
    for line in summary.tables:
        if line.reason and line.state == "rejected":
            console.print(
                f"\n[red]{line.table_id} is blocked[/]: "
                f"{_blocked(line, line.table_id in unbalanced)}",
                soft_wrap=True,
                highlight=False,
            )
    for table in summary.busy:
        skipped = (
            f"{table} was skipped: another run is loading it and builds after. Run "
            "again once that has ended."
        )
        console.print(Text(skipped, "yellow"), soft_wrap=True)
    for change in summary.schema_changes:
        if change["action"] != "blocked":
            told = Text(f"{change['table_id']}: {change['told']}.", "yellow")
            console.print(told, soft_wrap=True)
    if any(c["action"] == "followed" for c in summary.schema_changes):
        console.print("Commit seeds/metadata and the generated models.")
    _show_rules(summary, console)
    if summary.error:
        for text in dict.fromkeys(summary.error.splitlines()):
            hint = text.removeprefix("hint: ")
            told = Text.assemble("\n", ("error", "red"), f": {text}")
            if hint != text:
                told = Text.assemble(("hint", "cyan"), f": {hint}")
            console.print(told, soft_wrap=True)
    console.print()
    if summary.rules:
        bad = len(summary.failed_rules)
        console.print(
            f"rules    [yellow]{bad} of {summary.rules} failed[/]: select * from "
            f"audit.dq_result where run_id = '{summary.run_id}' and not passed"
            if bad
            else f"rules    [green]all {summary.rules} passed[/]",
            soft_wrap=True,
            highlight=False,
        )
    if not summary.ledger:
        console.print("ledger   nothing to balance")
    elif failed:
        checks = "1 check" if len(failed) == 1 else f"{len(failed)} checks"
        console.print(f"ledger   [red]{checks} failed[/]:")
        for row in failed:
            sample = f" ({row['sample']})" if row["sample"] else ""
            console.print(
                f"         {row['table_id']}: {row['identity']}: "
                f"{row['left_rows']:,} ≠ {row['right_rows']:,}{sample}",
                soft_wrap=True,
                highlight=False,
                markup=False,
            )
    else:
        console.print(
            f"ledger   [green]balanced[/]: {len(summary.ledger)} identities hold"
        )
    for alert in summary.unbalanced:
        told = Text(f"{alert['table_id']}: {alert['message']}", "red")
        console.print(Text("         alert is open: ") + told, soft_wrap=True)
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
    found = [r for r in summary.probe if r["holds"] and not r["pii"]]
    seen = [r for r in found if r["column_name"]]
    for row in seen:
        if row["column_name"] != ALL_ROWS:
            console.print(
                f"rows     {row['relation']}: {row['role_name']} sees those with a "
                f"{row['column_name']} that row_access.csv allows",
                soft_wrap=True,
            )
    whole = [r["relation"] for r in seen if r["column_name"] == ALL_ROWS]
    if whole:
        console.print(
            f"         without a filter, all rows: {', '.join(whole)}", soft_wrap=True
        )


def show_probe(summary: Summary, console: Console) -> None:
    """What roles see: a line where all is well, else a paragraph for each leak."""
    if not summary.probe:
        return
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
    found = [row for row in summary.probe if row["told"]]
    for row in found[:SHOWN_LEAKS]:
        told = Text(row["told"], "yellow" if row["holds"] else "red")
        console.print(Text("         ") + told, soft_wrap=True)
    if len(found) > SHOWN_LEAKS:
        console.print(
            f"         … and {len(found) - SHOWN_LEAKS} more: select told from "
            f"audit.probe where run_id = '{summary.run_id}' and told <> ''",
            soft_wrap=True,
        )
