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
    gold = _gold(connection)
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
        "gold": gold,
    }
    scripts = [(HERE / "vendor" / name).read_text(encoding="utf-8") for name in VENDOR]
    scripts.append((html.TEMPLATES / "report.js").read_text(encoding="utf-8"))
    return html.render(
        "report.html",
        scripts=scripts,
        run=run,
        found=found,
        facts=found["run"][0],
        # One whose window was read again since is superseded.
        blocked=[t for t in run.tables if t.state in ("rejected", "superseded")],
        gold=gold,
        data=html.json_in_html(data),
        licences=[
            path.read_text(encoding="utf-8")
            for path in sorted((HERE / "vendor").glob("LICENSE-*"))
        ],
    )


def _rows(connection: Connection, query: bytes | sql.Composed, **values: str) -> Rows:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values or None).fetchall()


def _gold(connection: Connection) -> dict[str, Rows]:
    """The rows of each chart that has any; its models may not be built."""
    schema = build.schema_of("gold")
    relations = connection.execute(
        "select table_name from information_schema.tables where table_schema = %s",
        (schema,),
    )
    there = {relation for (relation,) in relations}
    found = {}
    for name in (name for name, needed in GOLD.items() if there.issuperset(needed)):
        text = (QUERIES / "gold" / f"{name}.sql").read_text(encoding="utf-8")
        query = sql.SQL(text).format(gold=sql.Identifier(schema))
        found[name] = _rows(connection, query)
    return {name: rows for name, rows in found.items() if rows}


def _past(quality: Rows) -> dict[str, list[dict[str, Any] | None]]:
    """For each table its results in the last runs, oldest first; None: not asked."""
    runs = sorted({row["ago"] for row in quality}, reverse=True)
    past: dict[str, list[dict[str, Any] | None]] = {}
    for row in quality:
        results = past.setdefault(row["table_id"], [None] * len(runs))
        results[runs.index(row["ago"])] = row
    return past
