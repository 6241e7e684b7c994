"""The pages: what a browser says of them, and that they show what the tables hold."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ingest import control
from orchestration.cli.pages import write_report
from orchestration.watch.pages import report
from orchestration.watch.pages.site import dbt_page, write_gate
from tests.browser import PHONE, Look, chromium, opened
from tests.clone import Clone
from tests.conftest import Played
from tests.lineage import PAGE, recipe

# Were it ever more than text, each of its parts would leave a mark or complain.
HOSTILE = (
    "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
    "{{ 7 * 7 }}{% raw %}<!--\u2028'\"&amp;`"
)
A4 = 718  # px between the margins that a browser leaves
LIVE = "select count(*) from silver.{model} where not is_deleted"
CHARTS = {
    "timeline",
    "flow",
    "history",
    "revenue",
    "customers",
    "retention",
    "products",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def reports(
    stack: Clone, played: Played, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The reports on the run that is blocked, and on the one that heals it."""
    folder = tmp_path_factory.mktemp("reports")
    pages = {}
    for day, name in ((3, "blocked"), (4, "done")):
        stack.restore(f"day_{day}")
        pages[name] = report_of(stack, folder / f"{name}.html")
    return pages


def report_of(clone: Clone, path: Path) -> Path:
    with clone.inside():
        return write_report(path)


def assert_readable(look: Look) -> None:
    assert not look.complaints
    assert not look.requests
    assert look.wide <= 0
    assert not look.small


def cells(look: Look, rows: str) -> list[list[str]]:
    """The words of each cell of the rows that a selector names."""
    found: list[list[str]] = look.page.eval_on_selector_all(
        rows, "rows => rows.map(r => [...r.cells].map(c => c.textContent.trim()))"
    )
    return found


@pytest.mark.parametrize("name", ["blocked", "done"])
@pytest.mark.parametrize(
    ("width", "scheme"), [(1200, "light"), (PHONE, "light"), (PHONE, "dark")]
)
def test_a_report_is_whole_readable_and_drawn_at_any_width(
    browser: Browser, reports: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    with opened(browser, reports[name], width, scheme) as look:
        assert_readable(look)
        assert look.charts.keys() == CHARTS
        assert all(look.charts.values()), look.charts


def test_a_report_on_paper_is_light_and_its_tables_stay_in_their_cards(
    browser: Browser, reports: dict[str, Path]
) -> None:
    with opened(browser, reports["blocked"], A4, "dark") as look:
        shade = "() => getComputedStyle(document.body).backgroundColor"
        assert look.page.evaluate(shade) != "rgb(255, 255, 255)"
        look.page.emulate_media(media="print", color_scheme="dark")
        assert look.page.evaluate(shade) == "rgb(255, 255, 255)"
        wide: list[str] = look.page.eval_on_selector_all(
            ".card table",
            "tables => tables.filter(t => t.getBoundingClientRect().right > "
            "t.closest('.card').getBoundingClientRect().right)"
            ".map(t => t.innerText.slice(0, 60))",
        )
        assert not wide


def test_a_report_needs_a_megabyte_at_most(reports: dict[str, Path]) -> None:
    assert all(page.stat().st_size < 1_000_000 for page in reports.values())


def test_a_report_shows_what_the_control_tables_hold(
    browser: Browser, reports: dict[str, Path], day_4: Clone
) -> None:
    expected = [
        [table, *(f"{n:,}" for n in counts), state]
        for table, *counts, state in day_4.query(
            "select table_id, rows_read, rows_written, rows_unchanged, rows_rejected, "
            "rows_deleted, state from audit.batch where run_id = "
            "(select max(run_id) from audit.run) order by table_id"
        )
    ]
    live = {
        table: f"{day_4.value(LIVE.format(model=model)):,}"
        for table, model in (("shop.inventory", "inventory"), ("shop.orders", "orders"))
    }
    rules, failed = day_4.query(
        "select count(*), count(*) filter (where not passed) from audit.dq_result "
        "where run_id = (select max(run_id) from audit.run)"
    )[0]
    with opened(browser, reports["done"]) as look:
        shown = cells(look, "#flow > table tbody tr")
        assert [[*row[:6], row[8]] for row in shown] == expected
        silver = {row[0]: row[6] for row in shown}
        assert {table: silver[table] for table in live} == live
        tiles = look.page.inner_text(".tiles")
        assert f"{rules - failed}\nof {rules} asked" in tiles
        runs = cells(look, "#history tbody tr")
        assert [row[7] for row in runs] == ["done", "blocked", "done", "done"]


def test_a_report_names_the_blocked_table_with_its_rules_and_the_ways_out(
    browser: Browser, reports: dict[str, Path], stack: Clone
) -> None:
    stack.restore("day_3")
    ((batch, seq),) = stack.query(
        "select batch_id, batch_seq from audit.batch where state = 'rejected'"
    )
    rules = stack.query(
        "select rule_id, observed from audit.dq_result where layer = 'gate' "
        "and severity = 'block' and not passed"
    )
    with opened(browser, reports["blocked"], PHONE) as look:
        assert "shop.orders" in look.page.inner_text("h1")
        told = look.page.inner_text("#blocked")
        assert rules
        assert all(rule in told and observed in told for rule, observed in rules)
        assert f"./seedbed release {batch} --quarantine" in told
        assert f"batch_seq = {seq}" in told


def test_hostile_names_and_values_are_text_in_a_report(
    browser: Browser, stack: Clone, played: Played, tmp_path: Path
) -> None:
    stack.restore("day_3")
    run = "run_id = (select max(run_id) from audit.run)"
    for table, columns in {
        "audit.batch": ("reason",),
        "audit.dq_result": ("rule_id", "observed", "expected"),
        "audit.ledger": ("identity",),
        "audit.model_run": ("model", "layer", "status"),
        "audit.run": ("command", "error"),
    }.items():
        for column in columns:
            stack.query(
                f"update {table} set {column} = %s || {column}::text where {run}",
                HOSTILE,
            )
    stack.query("update gold.dim_product set product_name = %s", HOSTILE)
    stack.query(
        "insert into audit.schema_change (run_id, table_id, column_name, change, "
        "action, message) select max(run_id), %s, %s, 'added', 'reported', %s "
        "from audit.run",
        *(HOSTILE,) * 3,
    )
    stack.query("alter table audit.table_state drop constraint table_state_pkey")
    for table in ("batch", "dq_result", "ledger", "step", "table_state"):
        stack.query(f"update audit.{table} set table_id = %s || table_id", HOSTILE)
    page = report_of(stack, tmp_path / "hostile.html")
    with opened(browser, page, PHONE) as look:
        assert_readable(look)
        assert look.page.evaluate("window.hacked") is None
        assert look.page.query_selector("img") is None
        shown = look.page.inner_text("body")
        assert shown.count("<script>window.hacked = 1</script>") > 20
        assert "{{ 7 * 7 }}{% raw %}<!--" in shown
        assert all(look.charts.values())


def test_a_report_on_many_tables_and_without_gold_is_readable(
    browser: Browser, stack: Clone, played: Played, tmp_path: Path
) -> None:
    stack.restore("day_4")
    stack.query("drop schema gold cascade")
    stack.query(
        "insert into audit.batch select (jsonb_populate_record(batch, "
        "jsonb_build_object('table_id', table_id || '_' || n, 'batch_id', "
        "batch_id || n))).* from audit.batch, generate_series(1, 60) as n "
        "where run_id = (select max(run_id) from audit.run) "
        "and table_id = 'shop.order_items'"
    )
    stack.query(
        "insert into audit.step (run_id, name, table_id, batch_seq, state, started_at, "
        "ended_at) select run_id, name, table_id || '_' || n, batch_seq, state, "
        "started_at, ended_at from audit.step, generate_series(1, 60) as n "
        "where run_id = (select max(run_id) from audit.run) "
        "and table_id = 'shop.order_items'"
    )
    page = report_of(stack, tmp_path / "many.html")
    with opened(browser, page, PHONE) as look:
        assert_readable(look)
        assert look.charts.keys() == {"timeline", "flow", "history"}
        assert len(cells(look, "#flow > table tbody tr")) == 68
        assert "slowest tables are shown" in look.page.inner_text("#time")


def test_a_run_that_only_looked_is_not_the_one_to_report(day_4: Clone) -> None:
    with day_4.inside(), control.connect() as connection:
        before = report.page(connection)
        run_id = control.begin_run(connection, "reconcile")
        control.end_run(connection, run_id, "done")
        after = report.page(connection)
    run_id = day_4.value("select max(run_id) from audit.run where command = 'run'")
    assert f"Run {run_id}" in before
    assert f"Run {run_id}" in after


def test_without_a_run_a_report_says_what_to_type(fresh: Clone) -> None:
    told = fresh.cli("report")
    assert told.returncode == 1
    assert "there has been no run yet.\nhint: Type `./seedbed run`" in told.stderr


@pytest.fixture(scope="module")
def site(stack: Clone, played: Played) -> Path:
    """The site after the last day, hostile texts in its sources."""
    stack.restore("day_4")
    told = stack.cli("docs")
    assert told.returncode == 0, told.stderr
    target = stack.root / "target"
    for name, word in (("manifest", "description"), ("catalog", "comment")):
        page = json.loads((target / f"{name}.json").read_text())
        for kind in ("nodes", "sources", "exposures", "macros"):
            for node in page.get(kind, {}).values():
                node.get("metadata", node)[word] = HOSTILE
                for column in node.get("columns", {}).values():
                    column[word] = HOSTILE
        (target / f"{name}.json").write_text(json.dumps(page))
    folder = stack.root / ".seedbed" / "site"
    (folder / "hostile.html").write_text(dbt_page(target))
    # Were Great Expectations to escape nothing, its pages would be like this.
    pages = stack.root / "hostile_docs"
    shutil.copytree(folder.with_name("data_docs"), pages)
    for path in pages.rglob("*.html"):
        path.write_text(path.read_text().replace("customer_id", f"id {HOSTILE}"))
    write_gate(pages, folder / "hostile_gate")
    return folder


def test_the_site_leads_to_all_its_pages_and_each_is_readable(
    browser: Browser, site: Path
) -> None:
    # The gate's pages are those of the tables that the last run had rows of.
    suites = list((site.parent / "data_docs" / "expectations").glob("*.html"))
    assert suites
    with opened(browser, site / "index.html", PHONE) as look:
        assert_readable(look)
        links: list[str] = look.page.eval_on_selector_all(
            "main a", "links => links.map(a => a.href)"
        )
    gate = [link for link in links if "/gate/" in link]
    assert len(links) == len(gate) + 2
    assert any("/validations/" in link for link in gate)
    assert sum("/expectations/" in link for link in gate) == len(suites)
    for link in (gate[0], next(x for x in gate if "/validations/" in x)):
        with opened(browser, link, PHONE) as look:
            assert_readable(look)
            assert look.page.query_selector("main table, main ul")


def test_hostile_texts_of_the_gate_s_pages_stay_texts(
    browser: Browser, site: Path
) -> None:
    for kind in ("expectations", "validations"):
        pages = (site / "hostile_gate" / kind).rglob("*.html")
        page = min(page for page in pages if "{{ 7 * 7 }}" in page.read_text())
        with opened(browser, page, PHONE) as look:
            assert not look.complaints
            assert not look.requests
            assert look.page.evaluate("window.hacked") is None
            assert look.page.query_selector("main img, main script") is None
            assert "{{ 7 * 7 }}" in look.page.inner_text("main")


def test_the_files_that_datahub_is_to_read_are_there(site: Path) -> None:
    root, config = site.parents[1], recipe()["source"]["config"]
    (copied,) = config["run_results_paths"]
    assert f"cp target/run_results.json {copied}\n" in PAGE
    names = config["manifest_path"], config["catalog_path"], "target/run_results.json"
    kinds = [
        json.loads((root / name).read_text())["metadata"]["dbt_schema_version"]
        for name in names
    ]
    assert [kind.split("/")[-2] for kind in kinds] == [
        "manifest",
        "catalog",
        "run-results",
    ]


@pytest.mark.parametrize("name", ["dbt.html", "hostile.html"])
def test_dbt_s_documentation_is_drawn_and_its_texts_stay_texts(
    browser: Browser, site: Path, name: str
) -> None:
    model = "#!/model/model.seedbed.fct_orders"
    address = (site / name).resolve().as_uri()
    with opened(browser, address + model) as look:
        look.page.wait_for_selector("text=fct_orders")
        assert not look.requests
        # Its icons' addresses, before it has worked them out; and what the policy
        # has stopped: dbt draws descriptions as Markdown, which may hold HTML.
        stopped = ("getIcon", "Content Security Policy", "ERR_FILE_NOT_FOUND")
        assert not [c for c in look.complaints if not any(w in c for w in stopped)]
        assert look.page.evaluate("window.hacked") is None
        assert "order_id" in look.page.inner_text("body")
        for page, told in (
            ("exposure/exposure.seedbed.sales_dashboard", "dim_product"),
            ("source/source.seedbed.bronze.shop__orders", "_batch_seq"),
            ("macro/macro.seedbed.scd2", "scd2"),
        ):
            look.page.goto(f"{address}#!/{page}")
            look.page.wait_for_selector(f"text={told}")
            assert look.page.evaluate("window.hacked") is None
        assert not look.requests
