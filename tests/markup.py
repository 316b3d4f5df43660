"""HTML that every mail program and browser reads alike: nesting, attributes, ids and links, held by a strict reading.

A browser mends whatever it is given; mail programs mend it differently. So what leaves here must need no mending:
elements close in order, only what may stand in a place stands there, nothing is loaded, and in a mail nothing but a
mailto: can be followed. The content model is that of the HTML standard for the few elements that we use; the attributes
of tables (bgcolor, cellpadding …) are what Outlook's desktop programs need and are allowed in mails alone.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import parse_qs, unquote, urlsplit


def _named(names: str) -> frozenset[str]:
    return frozenset(names.split())


_VOID = _named("meta br input")
_PHRASING = _named("#text a b br i span time input select output label summary")
_FLOW = _PHRASING | _named("p div h1 h2 h3 h4 table ul ol dl blockquote details section article header footer nav main")
_WORDS = "p h1 h2 h3 h4 a b i span time output label summary dt"
_BLOCKS = "td th li dd blockquote details section article header footer nav main"
# What may stand in an element: phrasing in what holds words, flow in what holds blocks, else names.
_INSIDE = {
    **dict.fromkeys(_WORDS.split(), _PHRASING),
    **dict.fromkeys(_BLOCKS.split(), _FLOW),
    **dict.fromkeys(("title", "style", "script", "option"), _named("#text")),
    "html": _named("head body"),
    "head": _named("meta title style"),
    "body": _FLOW | _named("script"),
    "div": _FLOW | _named("dt dd"),
    "dl": _named("div dt dd"),
    **dict.fromkeys(("ul", "ol"), _named("li")),
    "table": _named("tr"),
    "tr": _named("td th"),
    "select": _named("option"),
}
_ANYWHERE = _named("id class style lang dir role hidden tabindex width")
_OF_TABLES = _named("align bgcolor border cellpadding cellspacing colspan scope")
_ATTRIBUTES = {
    "html": {"lang"},
    "meta": {"charset", "name", "content", "http-equiv"},
    "a": {"href"},
    "table": _OF_TABLES,
    "td": _OF_TABLES,
    "th": _OF_TABLES,
    "input": {"type", "placeholder", "autocomplete"},
    "label": {"for"},
    "option": {"value"},
    "time": {"datetime"},
}
_MAILTO = re.compile(r"mailto:[^?\s<>\"]+\?subject=[A-Za-z0-9%._~/-]*&body=[A-Za-z0-9%._~/-]+$")


class Markup(HTMLParser):
    """A whole document, read strictly; AssertionError with the place for whatever needs mending."""

    def __init__(self, html: str, *, mail: bool = True) -> None:
        super().__init__(convert_charrefs=True)
        self.mail = mail
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.named: list[str] = []  # ids that something is labelled by
        self.text: dict[str, str] = {}
        assert html.startswith("<!DOCTYPE html>\n"), html[:40]
        self.feed(html)
        self.close()
        assert self.open == [], "not closed"
        assert [self.tags.count(once) for once in ("html", "head", "title", "body")] == [1, 1, 1, 1]
        assert self.text["title"].strip()
        assert not re.search(r"url\(|@import", self.text.get("style", "")), "nothing is loaded"
        assert len(self.ids) == len(set(self.ids)), "an id twice"
        assert set(self.named) <= set(self.ids), "labelled by nothing"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        where = self.open[-1] if self.open else ""
        assert tag in _INSIDE or tag in _VOID, f"<{tag}> is not used"
        assert tag == "html" if not where else tag in _INSIDE[where], f"<{tag}> in <{where}>"
        given = {name: value or "" for name, value in attrs}
        assert len(given) == len(attrs), f"an attribute twice in <{tag}>"
        for name, value in given.items():
            self._check_attribute(tag, name, value)
        if tag == "html":
            assert re.fullmatch(r"[a-z]{2}(-[A-Z]{2})?", given["lang"])
        if tag == "a":
            assert "a" not in self.open, "a link in a link"
            self.links.append(given["href"])
        self.ids += [given["id"]] if "id" in given else []
        self.named += [given[name] for name in ("aria-labelledby", "for") if name in given]
        self.tags.append(tag)
        if tag not in _VOID:
            self.open.append(tag)

    def _check_attribute(self, tag: str, name: str, value: str) -> None:
        known = name in _ANYWHERE or name in _ATTRIBUTES.get(tag, ()) or name.startswith(("aria-", "data-"))
        assert known, f"{name}= in <{tag}>"
        assert "url(" not in value and "javascript:" not in value.lower(), "nothing is loaded, nothing is run"
        if self.mail:
            assert name not in ("id", "class", "hidden"), "a mail has no style sheet to refer to"
            if name == "href":
                assert _MAILTO.match(value), f"only a mail can come of a click, so no scanner can act: {value}"
        else:
            assert not (name in _OF_TABLES or name == "style"), f"{name}= in a page with a style sheet"
            if name == "href":
                assert value.startswith("#"), "every link stays in the page"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise AssertionError(f"<{tag}/>")

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> out of order"

    def handle_data(self, data: str) -> None:
        where = self.open[-1] if self.open else ""
        if not data.strip():
            return
        assert where and "#text" in _INSIDE[where], f"text in <{where}>: {data.strip()[:40]!r}"
        self.text[where] = self.text.get(where, "") + data
        if where not in ("title", "style", "script"):
            self.words += data.split()

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")


def check_mail(html: str) -> Markup:
    """The HTML of a mail, held to what every mail program shows: no style sheet, nothing loaded, mailto: alone."""
    read = Markup(html)
    assert not {"script", "style", "input", "select", "details"} & set(read.tags)
    assert '<meta name="color-scheme" content="light dark">' in html
    for layout in re.findall(r"<table[^>]*>", html):
        assert 'cellspacing="0"' in layout, layout
    return read


def mailto_of(link: str) -> tuple[str, str, str]:
    """(address, subject, body) that a link opens a mail with (RFC 6068)."""
    parts = urlsplit(link.replace("&amp;", "&"))
    fields = parse_qs(parts.query, strict_parsing=True)
    return unquote(parts.path), fields["subject"][0], fields["body"][0]


def contrast(one: str, other: str) -> float:
    """The ratio in which two colours ("#fff", "#8f4a0e") differ in brightness (WCAG 2.2, 1.4.3): 1 to 21."""
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(each * 2 for each in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
