"""The run report: one HTML file about a run, complete in itself.

All figures come by SQL (`queries/`) from the control tables and from gold; the page
(`templates/report.html`) shows them, and draws charts with the libraries in `vendor/`.
The file loads nothing: its policy allows the scripts that are in it, by their hashes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from ingest.control import Connection
from orchestration import build, summary
from orchestration.watch.pages import html

HERE = Path(__file__).parent
QUERIES = HERE / "queries"
VENDOR = ("d3.min.js", "d3-sankey.min.js", "plot.min.js")
# Each chart of gold, and the relations that it needs.
GOLD = {
    "revenue": ("kpi_daily",),
    "customers": ("kpi_monthly",),
    "retention": ("cohort_retention",),
    "products": ("agg_product_performance", "dim_product"),
}
Rows = list[dict[str, Any]]


def write(connection: Connection, path: Path, run_id: str | None = None) -> Path:
    """Write the report on a run to `path`.

    Without `run_id` it is the newest that did something: a look, such as
    `reconcile`'s, is a run as well, of which there is nothing to report. Raises
    SeedbedError where there is no such run.
    """
    html.write(path, page(connection, run_id))
    return path


def _newest(connection: Connection) -> str | None:
    row = connection.execute(
        "select run_id from audit.run where exists (select from audit.step "
        "where step.run_id = run.run_id) order by started_at desc limit 1"
    ).fetchone()
    return str(row[0]) if row else None


def page(connection: Connection, run_id: str | None = None) -> str:
    """The report as HTML."""
    run = summary.read(connection, run_id or _newest(connection))
    found = {
        file.stem: _rows(connection, file.read_bytes(), run_id=run.run_id)
        for file in sorted(QUERIES.glob("*.sql"))
    }
    gold = {name: _gold(connection, name) for name in GOLD}
    past = _past(found["quality"])
    for row in found["tables"]:
        row["past"] = past.get(row["table_id"], [])
    flow = [
        {"table": line.table_id, "state": line.state}
        | {name.removeprefix("rows_"): getattr(line, name) for name in summary.COUNTS}
        for line in run.tables
    ]
    data = {
        "run": {"seconds": found["run"][0]["seconds"], "id": run.run_id},
        "timeline": found["timeline"],
        "flow": flow,
        "history": found["history"],
        "gold": {name: rows for name, rows in gold.items() if rows},
    }
    scripts = [(HERE / "vendor" / name).read_text(encoding="utf-8") for name in VENDOR]
    scripts.append((html.TEMPLATES / "report.js").read_text(encoding="utf-8"))
    return html.render(
        "report.html",
        scripts=scripts,
        run=run,
        found=found,
        facts=found["run"][0],
        blocked=_blocked(run, found["blocked"]),
        gold=data["gold"],
        data=html.json_in_html(data),
        licences=[
            path.read_text(encoding="utf-8")
            for path in sorted((HERE / "vendor").glob("LICENSE-*"))
        ],
    )


def _rows(connection: Connection, query: bytes | sql.Composed, **values: str) -> Rows:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values or None).fetchall()


def _gold(connection: Connection, name: str) -> Rows:
    """The rows of a chart; none where its models are not built."""
    schema = build.schema_of("gold")
    there = {
        relation
        for (relation,) in connection.execute(
            "select table_name from information_schema.tables where table_schema = %s",
            (schema,),
        )
    }
    if not there.issuperset(GOLD[name]):
        return []
    text = (QUERIES / "gold" / f"{name}.sql").read_text(encoding="utf-8")
    return _rows(connection, sql.SQL(text).format(gold=sql.Identifier(schema)))


def _past(quality: Rows) -> dict[str, list[dict[str, Any] | None]]:
    """For each table its results in the last runs, oldest first; None: not asked."""
    runs = sorted({row["ago"] for row in quality}, reverse=True)
    past: dict[str, list[dict[str, Any] | None]] = {}
    for row in quality:
        results = past.setdefault(row["table_id"], [None] * len(runs))
        results[runs.index(row["ago"])] = row
    return past


def _blocked(run: summary.Summary, rules: Rows) -> Rows:
    """The tables that the gate has held, each with the rules that failed.

    One whose window was read again since is `superseded`.
    """
    return [
        {
            "line": line,
            "rules": [rule for rule in rules if rule["table_id"] == line.table_id],
        }
        for line in run.tables
        if line.state in ("rejected", "superseded")
    ]
