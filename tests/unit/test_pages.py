"""Nothing that a page is given becomes more than text in it."""

import json
from pathlib import Path

import pytest

from orchestration.watch.pages import html, sanitise, site

HOSTILE = "</script><!--<script>x()</script><img src=x onerror='x()'>\u2028&amp;\"'"


def test_json_within_a_script_means_the_same_and_ends_nothing() -> None:
    written = html.json_in_html({HOSTILE: [HOSTILE, None, 1.5]})
    assert not set("<>&\u2028") & set(written)
    assert json.loads(written) == {HOSTILE: [HOSTILE, None, 1.5]}


def test_dbt_s_page_holds_hostile_descriptions_as_data(tmp_path: Path) -> None:
    manifest = {"nodes": {"model.a": {"description": HOSTILE}}}
    for name in ("manifest", "catalog"):
        (tmp_path / f"{name}.json").write_text(json.dumps(manifest))
    page = site.dbt_page(tmp_path)
    assert "onerror" in page
    assert "<img src=x" not in page
    assert page.count("\\u003c/script\\u003e\\u003c!--") == 2
    assert "script-src 'sha256-" in page
    assert "INLINE DATA" not in page


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("<body><p class=a onclick='x()'>1 &lt; 2</p></body>", "<p class=a>1 &lt; 2"),
        ("<script>x()</script>a<style>b</style>", "a"),
        ("<script>'<script>'</script><p>a</p>", "<p>a</p>"),
        ("<img src=x onerror=x()>a<svg><script>x()</script></svg>b", "ab"),
        ("<a href='javascript:x()'>a</a>", "<a>a</a>"),
        ("<a href=' java\tscript:x()'>a</a>", "<a>a</a>"),
        ("<a href='//elsewhere/'>a</a>", "<a>a</a>"),
        ("<a href='../b.html#c'>a</a>", '<a href="../b.html#c">a</a>'),
        ("<link href='https://elsewhere'><iframe src=x>a</iframe>b", "b"),
        ("&lt;img src=x onerror=x()&gt;", "&lt;img src=x onerror=x()&gt;"),
        ("<p title='\"><script>'>a</p>", '<p title="&quot;&gt;&lt;script&gt;">a</p>'),
    ],
)
def test_foreign_html_keeps_its_texts_and_loses_what_runs_or_loads(
    given: str, kept: str
) -> None:
    assert sanitise.body(given).replace('class="a"', "class=a").startswith(kept)


def test_a_page_is_escaped_and_lets_no_script_run_but_its_own() -> None:
    suites = [site.Batch(HOSTILE, HOSTILE, HOSTILE)]
    page = html.render("index.html", has_report=True, suites=suites)
    assert "<img" not in page
    assert "<script" not in page
    assert "script-src &#39;none&#39;" in page
    assert "default-src &#39;none&#39;" in page
