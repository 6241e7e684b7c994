"""Foreign HTML without all that could run, load or leave the page."""

from __future__ import annotations

from html import escape
from html.parser import HTMLParser

# What is kept, and of it these attributes. The contents of what is dropped whole go
# with it; of all other elements only the text stays.
_KEPT = set(
    "a b br code div em h1 h2 h3 h4 h5 h6 hr i li nav ol p pre small span strong table "
    "tbody td tfoot th thead tr ul".split()
)
_EMPTY = {"br", "hr"}
_ATTRIBUTES = {"class", "colspan", "id", "rowspan", "title"}
_DROPPED = {"script", "style", "head", "button", "svg", "iframe", "object", "template"}


def body(page: str) -> str:
    """The body of a page: its structure and texts, and links within the site."""
    parser = _Sanitiser()
    parser.feed(page)
    parser.close()
    return "".join(parser.parts)


class _Sanitiser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._dropping = ""
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._dropping:
            self._depth += tag == self._dropping
        elif tag in _DROPPED:
            self._dropping, self._depth = tag, 1
        elif tag in _KEPT:
            kept = "".join(
                f' {name}="{escape(value or "")}"'
                for name, value in attrs
                if name in _ATTRIBUTES or (name == "href" and _is_inside(value or ""))
            )
            self.parts.append(f"<{tag}{kept}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _DROPPED:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._dropping:
            self._depth -= tag == self._dropping
            if not self._depth:
                self._dropping = ""
        elif tag in _KEPT - _EMPTY:
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._dropping:
            self.parts.append(escape(data))


def _is_inside(link: str) -> bool:
    """Whether a link stays in the site: no scheme, no other host."""
    plain = "".join(link.split())
    return ":" not in plain and not plain.startswith(("//", "\\", "/"))
