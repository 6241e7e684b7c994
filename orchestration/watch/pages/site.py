"""The site: run report, dbt's documentation and the gate's pages, as static files."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from gx import gate
from ingest import settings
from ingest.control import Connection
from ingest.errors import SeedbedError
from orchestration import build
from orchestration.watch.pages import html, report, sanitise

# It names a file that dbt's page never had.
_ICON = re.compile(r"<link[^>]*favicon[^>]*>")
_SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)


@dataclass(frozen=True)
class Batch:
    """A page of the gate: a table's suite and, of the last run, its results."""

    table: str
    suite: str
    results: str | None


def folder() -> Path:
    """Where the site is."""
    return settings.ROOT / ".seedbed" / "site"


def write(connection: Connection, tell: build.Report) -> Path:
    """Write all pages again; the path of their index.

    The run report is left out where there has been no run.
    """
    here = folder()
    build.run_dbt(["docs", "generate", "--target", "postgres"], tell)
    html.write(here / "dbt.html", dbt_page(settings.ROOT / "target"))
    suites = write_gate(gate.docs_folder(), here / "gate")
    run = here / "report.html"
    run.unlink(missing_ok=True)
    if connection.execute("select 1 from audit.run limit 1").fetchone():
        report.write(connection, run)
    page = html.render("index.html", has_report=run.exists(), suites=suites)
    html.write(here / "index.html", page)
    return here / "index.html"


def dbt_page(target: Path) -> str:
    """dbt's documentation as one page, out of what `dbt docs generate` wrote.

    dbt's own `--static` writes descriptions into a script as they are: one with
    `</script>` in it would end the script.
    """
    from dbt.task.docs import DOCS_INDEX_FILE_PATH

    page = Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8")
    for name in ("manifest", "catalog"):
        place = f'"{name.upper()}.JSON INLINE DATA"'
        if place not in page:
            raise SeedbedError(
                f"dbt's documentation has no place for its {name}",
                "install the release of dbt that requirements.lock names",
            )
        text = (target / f"{name}.json").read_text(encoding="utf-8")
        page = page.replace(place, html.escape_json(text))
    page = _ICON.sub("", page, count=1)
    # Its templates are compiled in the browser.
    rule = html.policy(_SCRIPT.findall(page), eval_too=True)
    meta = f'<meta http-equiv="Content-Security-Policy" content="{rule}">'
    return page.replace("<head>", f"<head>{meta}", 1)


def write_gate(source: Path, target: Path) -> list[Batch]:
    """Write the gate's pages, without what they would load from elsewhere."""
    shutil.rmtree(target, ignore_errors=True)
    suites = sorted(source.glob("expectations/*.html"))
    results = {}
    for path in (*suites, *sorted(source.glob("validations/**/*.html"))):
        name = path.relative_to(source)
        text = path.read_text(encoding="utf-8")
        # Their index is the site's, one folder up.
        text = text.replace('../index.html"', '../../index.html"')
        title = " ".join(name.with_suffix("").parts)
        body = sanitise.body(text)
        html.write(target / name, html.render("gate.html", title=title, body=body))
        if name.parts[0] == "validations":
            results[name.parts[1]] = name.as_posix()
    return [
        Batch(
            path.stem.replace("__", ".", 1),
            path.relative_to(source).as_posix(),
            results.get(path.stem),
        )
        for path in suites
    ]


def serve(port: int) -> http.server.ThreadingHTTPServer:
    """A server of the site on this machine alone, on a free port for 0."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Requests are not logged."""

    handler = functools.partial(Quiet, directory=str(folder()))
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise SeedbedError(
            f"the pages can't be served on port {port}: {error.strerror}",
            "name another with --port, or leave it out for a free one",
        ) from None
