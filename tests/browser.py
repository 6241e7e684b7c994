"""A headless Chromium, and what it says of a page.

It is the installed one, else Debian's package unpacked below `.seedbed/`, once, as
the demo's MariaDB is: no rights needed, nothing installed.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from sandbox.servers.debian import libraries
from tests.debian import unpacked

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SMALLEST_TEXT = 12  # px
PHONE = 390  # px

# What a person with a phone would trip over.
_LOOK = """
() => {
    const options = { visibilityProperty: true, opacityProperty: true };
    const small = new Set();
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const text = walk.currentNode.textContent.trim();
        const parent = walk.currentNode.parentElement;
        if (!text || !parent.checkVisibility(options)) continue;
        if (parent.closest("script, style, noscript")) continue;
        let size = parseFloat(getComputedStyle(parent).fontSize);
        const drawing = parent.closest("svg");
        const drawn = drawing?.viewBox.baseVal?.width;
        if (drawn) size *= drawing.getBoundingClientRect().width / drawn;
        if (size < SMALLEST - 0.1)
            small.add(`${size.toFixed(1)}: ${text.slice(0, 40)}`);
    }
    return {
        wide: document.documentElement.scrollWidth - innerWidth,
        small: [...small],
        charts: [...document.querySelectorAll("[data-chart]")].map((e) => [
            e.dataset.chart,
            e.querySelectorAll("svg rect, svg path[d], svg circle").length,
        ]),
    };
}
""".replace("SMALLEST", str(SMALLEST_TEXT))


@dataclass
class Look:
    """What was seen of a page that was opened."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    wide: int = 0
    small: list[str] = field(default_factory=list)
    charts: dict[str, int] = field(default_factory=dict)


def _program() -> tuple[Path, str]:
    """The browser, and where its libraries are."""
    for name in ("chromium-headless-shell", "chromium", "google-chrome"):
        if found := shutil.which(name):
            return Path(found), ""
    root = unpacked(
        "Chromium",
        "Install it to have the pages tested.",
        lambda packages: packages.missing("chromium-headless-shell"),
    )
    folders = libraries(root)
    folders += [folder / "pulseaudio" for folder in folders]
    program = root / "usr/lib/chromium/chromium-headless-shell"
    return program, ":".join(map(str, folders))


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that runs as long as the context."""
    program, libraries = _program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=list(FLAGS),
            env={**os.environ, **({"LD_LIBRARY_PATH": libraries} if libraries else {})},
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser, address: str | Path, width: int = 1200, scheme: str = "light"
) -> Iterator[Look]:
    """Open a page, and look at it; what it asks of elsewhere is refused."""
    url = address if isinstance(address, str) else address.resolve().as_uri()
    context = browser.new_context(
        viewport={"width": width, "height": 850},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    context.set_default_timeout(300_000)  # a busy machine is no fault of a page
    page = context.new_page()
    look = Look(page)
    own = ("file:", "data:", "blob:", "http://127.0.0.1:")
    page.on("pageerror", lambda error: look.complaints.append(str(error)))
    page.on("dialog", lambda dialog: look.complaints.append(f"dialog {dialog.message}"))
    page.on(
        "console",
        lambda said: (
            look.complaints.append(said.text)
            if said.type in ("error", "warning")
            else None
        ),
    )
    page.on(
        "request",
        lambda asked: (
            None if asked.url.startswith(own) else look.requests.append(asked.url)
        ),
    )
    page.goto(url)
    seen = page.evaluate(_LOOK)
    look.wide, look.small = seen["wide"], seen["small"]
    look.charts = dict(seen["charts"])
    try:
        yield look
    finally:
        context.close()
