"""Superset's dashboards: their queries as a consumer asks them, and in Superset."""

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import BrowserContext, Response

from tests import superset
from tests.browser import chromium
from tests.clone import REPOSITORY, Clone, neutral_environment
from tests.superset import ASSETS, DASHBOARDS, Dashboard

HOSTILE = "<img src=x onerror='window.hacked = 1'><b>bold</b>{{ 7 * 7 }}"
READER = "superset_of_the_tests"
PASSWORD = "not a secret"
# What a tile shows, and how gold tells the same.
NUMBERS = {
    ("sales", "Revenue"): "select sum(total_amount) from gold.agg_daily_sales "
    "where currency = 'EUR'",
    ("sales", "Orders"): "select count(*) from gold.fct_orders "
    "where currency = 'EUR' and not is_cancelled",
    ("customers", "Customers"): "select count(distinct customer_id) "
    "from gold.fct_orders where currency = 'EUR' and not is_cancelled",
    ("stock", "In stock"): "select sum(quantity) from silver.inventory "
    "where not is_deleted",
    ("quality", "Rules asked"): "select count(*) from audit.dq_result",
    ("quality", "Batches held back"): "select count(*) from audit.batch "
    "where state in ('rejected', 'superseded') or decision is not null",
}


@pytest.fixture
def reader(day_4: Clone) -> Iterator[Clone]:
    """The clone after the last day, with a consumer who may log in."""
    day_4.query(f"drop role if exists {READER}")
    day_4.query(
        f"create role {READER} login password '{PASSWORD}' in role seedbed_analyst"
    )
    try:
        yield day_4
    finally:
        day_4.query(f"drop role {READER}")


def test_a_consumer_finds_every_column_and_metric_of_the_datasets(
    reader: Clone,
) -> None:
    with psycopg.connect(
        host=reader.env["PGHOST"],
        port=reader.env["PGPORT"],
        dbname="seedbed",
        user=READER,
        password=PASSWORD,
    ) as connection:
        for dataset in superset.datasets().values():
            stands_on = dataset.relation
            columns = connection.execute(f"select * from {stands_on} limit 1")
            assert columns.description
            found = {column.name for column in columns.description}
            assert found == dataset.columns.keys(), dataset.name
            asked = ", ".join(m["expression"] for m in dataset.metrics.values())
            (row,) = connection.execute(f"select {asked} from {stands_on}")
            assert row[0] > 0, dataset.name


@dataclass
class Served:
    """A Superset that serves the dashboards, and a browser that has logged in."""

    address: str
    browser: BrowserContext
    titles: dict[int, str]
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def look(self, page: Dashboard, picture: Path | None = None) -> str:
        """The texts of a dashboard; `answers` is what each chart was told, by title."""
        titles = {chart.title for chart in page.charts}
        self.answers = {}
        tab = self.browser.new_page()
        tab.on("response", self._hear)
        tab.goto(f"{self.address}/superset/dashboard/{page.name}/")
        deadline = time.monotonic() + 300
        while not titles <= self.answers.keys() and time.monotonic() < deadline:
            tab.wait_for_timeout(500)
        tab.wait_for_load_state("networkidle")
        if picture:
            tab.screenshot(path=picture)
        assert tab.evaluate("window.hacked") is None
        shown = tab.inner_text("#app")
        assert "an error" not in shown.lower()
        tab.close()
        return shown

    def _hear(self, response: Response) -> None:
        if "/api/v1/chart/data" not in response.url:
            return
        asked = json.loads(response.request.post_data or "{}")
        chart = (asked.get("form_data") or {}).get("slice_id")
        if chart in self.titles:  # the filter asks for its values, too
            told = response.json()
            self.answers[self.titles[chart]] = told.get("result", [{"error": told}])


@pytest.fixture
def served(reader: Clone, tmp_path: Path) -> Iterator[Served]:
    """Superset as docs/dashboards.md sets it up, in a folder of its own."""
    lock = "docker/superset/requirements.lock"
    set_up = ["./seedbed", "--set-up-beside", "superset", lock, "200", "0.8"]
    subprocess.run(set_up, cwd=REPOSITORY, check=True)
    program = REPOSITORY / ".venv" / "superset" / "bin" / "superset"
    environment = neutral_environment() | {
        "FLASK_APP": "superset",
        "SUPERSET_HOME": str(tmp_path),
        "SUPERSET_SECRET_KEY": "of the tests, and long enough for what it is",
        "PGHOST": reader.env["PGHOST"],
        "PGPORT": reader.env["PGPORT"],
        "PGDATABASE": "seedbed",
        "PGUSER": READER,
        "PGPASSWORD": PASSWORD,
    }
    admin = "--username ada --password lovelace --email a@x.org --firstname A "
    admin += "--lastname L"
    load = ["import-directory", "--overwrite", str(ASSETS)]
    for words in (
        ["db", "upgrade"],
        ["init"],
        ["fab", "create-admin", *admin.split()],
        load,
        load,  # again: it replaces
    ):
        done = subprocess.run(
            [program, *words],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [program, "run", "--port", str(port), "--with-threads"],
            env=environment,
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        await_answer(server, f"{address}/health")
        with chromium() as browser:
            context = browser.new_context(viewport={"width": 1280, "height": 1400})
            context.set_default_timeout(300_000)
            tab = context.new_page()
            tab.goto(f"{address}/login/")
            tab.fill("input[name=username], #username", "ada")
            tab.fill("input[name=password], #password", "lovelace")
            tab.click("button[type=submit]")
            tab.wait_for_url(lambda url: "login" not in url)
            tab.close()
            charts = context.request.get(f"{address}/api/v1/chart/?q=(page_size:100)")
            titles = {c["id"]: c["slice_name"] for c in charts.json()["result"]}
            yield Served(address, context, titles)
    finally:
        server.terminate()
        server.wait()


def await_answer(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 300
    while True:
        try:
            urllib.request.urlopen(url, timeout=10).read()
            return
        except OSError:
            assert server.poll() is None, "Superset has ended"
            assert time.monotonic() < deadline, "Superset does not answer"
            time.sleep(0.5)


@pytest.mark.long
def test_superset_imports_the_dashboards_and_shows_what_gold_says(
    reader: Clone, served: Served
) -> None:
    told = served.browser.request.get(f"{served.address}/api/v1/dashboard/").json()
    assert {page["slug"] for page in told["result"]} == {p.name for p in DASHBOARDS}
    pictures = os.environ.get("SUPERSET_PICTURES")
    for page in DASHBOARDS:
        served.look(page, Path(pictures, f"{page.name}.png") if pictures else None)
        assert served.answers.keys() == {chart.title for chart in page.charts}
        for title, answers in served.answers.items():
            assert answers, title
            for answer in answers:
                assert not answer.get("error"), (title, answer["error"])
                assert answer["rowcount"], title
            if question := NUMBERS.get((page.name, title)):
                (row,) = answers[0]["data"]
                (shown,) = row.values()
                assert float(shown) == pytest.approx(float(reader.value(question)))
    reader.query("update gold.dim_product set product_name = %s", HOSTILE)
    for page in DASHBOARDS:
        if any("product_name" in chart.by for chart in page.charts):
            # A text, of which Superset has taken what could run.
            assert "<b>bold</b>{{ 7 * 7 }}" in served.look(page)
