"""HTML to readable text, in bounded time and memory.

Job: turn the HTML body of a mail into the lines a person would read: blocks on lines of their own, table cells side
by side, list bullets, nothing that is hidden. `text_with_quotes` also marks, by "> ", what mail programs say is quoted.
The only importer of lxml. Core: pure, never raises.
How: the parser's events are rendered as they come and no tree is built, so depth costs nothing, memory stays below a
few times the text, and reading stops when there is text enough. A tree converter would need guards against deep
nesting, wide tables, huge margins and list numbers, and takes ten times as long.
Leaves out links' targets (but for a mail address that the text does not show), pictures and style sheets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from lxml.etree import HTMLParser, LxmlError

from router.attribution import evidence

MAX_HTML = 500_000  # characters; what stands behind is not read
MAX_TEXT = 100_000  # characters of text, and …
MAX_EVENTS = 16_000  # … tags, runs of text and lines, after which reading stops
_CHUNK = 16_384
_BARS = 50  # drawn beside text, looked at in a page; nobody draws more


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HIDDEN_TAGS = _words("head title style script template select textarea object applet audio video svg math")
_BLOCK_TAGS = _words(
    "address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3"
    " h4 h5 h6 header hr html li listing main menu nav ol p plaintext pre section summary table tbody tfoot thead tr ul"
    " xmp"
)
_SPACED_TAGS = _words("p h1 h2 h3 h4 h5 h6")
_PRE_TAGS = _words("pre xmp listing plaintext")
_RULE = "_" * 32  # as Outlook draws it in its plain texts

_HIDDEN_STYLE = re.compile(
    r"\b(?:display\s?:\s?none|visibility\s?:\s?hidden|mso-hide\s?:\s?all|font-size\s?:\s?0(?:px|pt|em|%)?\s?(?:;|!|$))"
)
_PRE_STYLE = re.compile(r"\bwhite-space\s?:\s?(?:pre|break-spaces)")
_NO_MARGIN = re.compile(r"\bmargin(?:-bottom)?\s?:\s?0")
_OUTLOOK_HEAD = re.compile(r"border-top\s?:\s?solid #(?:b5c4df|e1e1e1) 1\.0pt")
_BARRED = re.compile(r"border-left\s?:[^;]{0,40}\bsolid\b")
_INDENTED = re.compile(r"margin\s?:[^;]{0,20}\b40px.{0,30}\bborder\s?:\s?(?:none|medium none|0)")
_MAIL_LINK = re.compile(r"mailto:([^\s<>?]{1,100}@[^\s<>?]{1,100})", re.IGNORECASE)
_HALVES = re.compile(r"&#(5535[5-8]);&#(5(?:6[4-9]|7[0-2])\d\d);")  # an emoji written as two halves
_FOREIGN = re.compile(r"^([#=]?)(?:x_)+")
_COUNTED = re.compile(r"[_-]?\d+$")

# What mail programs put an older mail into, as class, #id or =name. Inside `_QUOTE_AROUND` people answer between the
# blockquotes; from `_QUOTE_AFTER` on everything is older.
_QUOTE = _words(
    "yahoo_quoted #yahoo_quoted moz-cite-prefix moz-forward-container gmail_attr #olk_src_body_section"
    " #mail-editor-reference-message-container #ntes-pcmail-quote"
)
_QUOTE_AROUND = _words("gmail_quote gmail_quote_container protonmail_quote tutanota_quote zmail_extra =quote")
_QUOTE_AFTER = _words(
    "#divrplyfwdmsg #appendonsend outlookmessageheader #ms-outlook-mobile-reference-message #reply-intro"
)
_SIGNATURE = _words("gmail_signature moz-signature #signature #ms-outlook-mobile-signature protonmail_signature_block")


def html_to_text(html: str) -> str:
    """What a person reads when `html` is shown; `""` when it shows nothing. Never raises."""
    return _render(html, marks_quotes=False)


def text_with_quotes(html: str) -> str:
    """The same, with "> " before the lines of an older mail and "-- " above a signature, as far as the tags tell."""
    return _render(html, marks_quotes=True)


def _render(html: str, marks_quotes: bool) -> str:
    html = html[:MAX_HTML].replace("\0", "")
    if "&#5535" in html:
        html = _HALVES.sub(_joined, html)
    text, hides_text = _read(html, _Page(marks_quotes))
    if hides_text and not text:  # a reader who sees nothing would look at the source
        text, _ = _read(html[: MAX_HTML // 4], _Page(marks_quotes, shows_hidden=True))
    return text


def _joined(halves: re.Match[str]) -> str:
    return chr(0x10000 + (int(halves[1]) - 0xD800) * 0x400 + int(halves[2]) - 0xDC00)


def _read(html: str, page: _Page) -> tuple[str, bool]:
    """The text of `html`, and whether some is hidden."""
    parser = HTMLParser(target=page, encoding="utf-8", huge_tree=True, remove_pis=True)
    try:
        for start in range(0, len(html), _CHUNK):
            parser.feed(html[start : start + _CHUNK].encode("utf-8", "replace"))
            if page.is_full():
                break
        else:
            parser.close()
    except (LxmlError, ValueError):
        pass  # what was read until then stands
    text = page.text()
    page.open.clear()  # parser and page hold each other until the next collection: leave little behind
    page.lines.clear()
    return text, page.hides_text


@dataclass(slots=True)
class _Element:
    """What an open tag changes for the text inside it."""

    tag: str
    is_hidden: bool = False
    is_pre: bool = False
    has_margin: bool = False
    quote: str = ""  # "", "whole", or "around": quoted until a blockquote inside it has closed
    counter: int = 0  # the next number, in an ordered list
    link: str = ""  # the mail address that a link leads to
    link_at: int = 0


@dataclass(slots=True)
class _Page:
    """The target of lxml's parser, which calls `start`, `end`, `data` and `close`: lines so far, and the open tags."""

    marks_quotes: bool
    shows_hidden: bool = False
    lines: list[str] = field(default_factory=list)
    line: list[str] = field(default_factory=list)
    open: list[_Element] = field(default_factory=list)
    known: dict[str, _Element] = field(default_factory=dict)  # by tag, shared where there are no attributes
    hidden: int = 0
    pre: int = 0
    quoted: int = 0
    bars: int = 0  # looked at for an attribution above them
    has_hard_space: bool = False  # an empty line that holds one is a line
    hides_text: bool = False
    empty_lines: int = 0  # at the end of `lines`, and beyond two not kept
    size: int = 0
    events: int = 0

    def is_full(self) -> bool:
        return self.size > MAX_TEXT or self.events > MAX_EVENTS

    def text(self) -> str:
        self._break()
        while self.lines and not self.lines[-1].strip("> "):
            self.lines.pop()
        return "\n".join(self.lines).strip("\n")

    # --- what the parser calls

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.events += 1
        element = self._element(tag, attributes)
        self.open.append(element)
        self.hidden += element.is_hidden
        if self.hidden:
            return
        if tag in _BLOCK_TAGS or element.quote:
            self._break()
        if element.has_margin:
            self._blank()
        self.quoted += bool(element.quote)
        self.pre += element.is_pre
        show = _SHOWN.get(tag)
        if show:
            show(self, attributes)

    def end(self, tag: str) -> None:
        element = self.open.pop() if self.open else _Element(tag)
        if self.hidden:
            self.hidden -= element.is_hidden
            return
        if element.link and "@" not in "".join(self.line[element.link_at :]):
            self._write(f" <{element.link}>")
        if tag in _BLOCK_TAGS or element.quote:
            self._break()
        if element.has_margin:
            self._blank()
        self.quoted -= bool(element.quote)
        self.pre -= element.is_pre
        if tag == "blockquote":
            self._end_around()

    def data(self, text: str) -> None:
        self.events += 1
        if self.hidden:
            self.hides_text = True
        elif self.pre:
            self._preformatted(text)
        else:
            words = text.split()
            if not words or text[0].isspace():
                self.has_hard_space = self.has_hard_space or "\xa0" in text
                self._space()
            if words:
                self._write(" ".join(words))
                if text[-1].isspace():
                    self._space()

    def close(self) -> None:
        """The end of the page; `text` flushes what is open."""

    # --- elements

    def _element(self, tag: str, attributes: Mapping[str, str]) -> _Element:
        known = self.known.get(tag)
        if known is None:
            known = self.known[tag] = _Element(
                tag,
                is_hidden=tag in _HIDDEN_TAGS,
                is_pre=tag in _PRE_TAGS,
                has_margin=tag in _SPACED_TAGS,
                quote="whole" if tag == "blockquote" and self.marks_quotes else "",
                counter=int(tag == "ol"),
            )
        if not attributes and tag != "ol":
            return known
        own = _Element(tag, known.is_hidden, known.is_pre, known.has_margin, known.quote, known.counter)
        return self._styled(own, attributes)

    def _styled(self, element: _Element, attributes: Mapping[str, str]) -> _Element:
        style = attributes.get("style", "")[:2000].lower()
        if style or "hidden" in attributes:
            hides = "hidden" in attributes or _HIDDEN_STYLE.search(style) is not None
            element.is_hidden = element.is_hidden or (hides and not self.shows_hidden)
            element.is_pre = element.is_pre or _PRE_STYLE.search(style) is not None
        if element.has_margin:
            element.has_margin = not (attributes.get("class", "").startswith("Mso") or _NO_MARGIN.search(style))
        if element.tag == "a":
            link = _MAIL_LINK.match(attributes.get("href", ""))
            element.link, element.link_at = (link[1] if link else ""), len(self.line)
        if element.quote and _INDENTED.search(style) and "border-left" not in style:
            element.quote = ""  # "indent more" in a web mail: the writer's own paragraph
        if self.marks_quotes and not element.is_hidden:
            self._mark(element, _marks(attributes), style)
        return element

    def _mark(self, element: _Element, marks: frozenset[str], style: str) -> None:
        """Quotes and signatures, by the names that mail programs give them."""
        if marks & _QUOTE_AFTER or _OUTLOOK_HEAD.search(style):
            self._break()
            self.quoted += 1  # and never less again: the rest of the page is older
        elif not element.quote and marks & _QUOTE:
            element.quote = "whole"
        elif not element.quote and marks & _QUOTE_AROUND:
            element.quote = "around"
        elif not (element.quote or self.quoted) and _BARRED.search(style) and self._is_attributed():
            element.quote = "whole"
        elif marks & _SIGNATURE and not self.quoted:
            self._break()
            self.lines.append("-- ")

    def _is_attributed(self) -> bool:
        """Whether the line above says who wrote, or when: a bar may be drawn beside anything."""
        said = "".join(self.line[-8:]).strip() or next((line for line in reversed(self.lines[-3:]) if line.strip()), "")
        if said.rstrip()[-1:] not in (":", "：") or self.bars > _BARS:
            return False
        self.bars += 1
        shows = evidence(said[-200:])
        return shows.wrote or shows.date == 2

    def _end_around(self) -> None:
        for element in reversed(self.open[-50:]):
            if element.quote == "around":
                element.quote = ""
                self.quoted -= 1
                return

    def _picture(self, attributes: Mapping[str, str]) -> None:
        alt = attributes.get("alt", "")[:9]  # an emoji is often a picture
        if alt and len(alt) < 9 and not alt.isascii() and not any(one.isalnum() or one.isspace() for one in alt):
            self._write(alt)

    def _item(self, attributes: Mapping[str, str]) -> None:
        around = next((one for one in reversed(self.open[-50:]) if one.tag in ("ol", "ul")), None)
        if around and around.counter:
            self._write(f"{around.counter}. ")
            around.counter += 1
        else:
            self._write("* ")

    def _rule(self, attributes: Mapping[str, str]) -> None:
        self._write(_RULE)
        self._break()

    def _cell(self, attributes: Mapping[str, str]) -> None:
        if self.line:
            self._write("  ")

    # --- lines

    def _preformatted(self, text: str) -> None:
        first, *rest = text.replace("\r", "").split("\n")
        self._write(first)
        for piece in rest[:MAX_EVENTS]:
            self._flush()
            self._write(piece)

    def _write(self, text: str) -> None:
        if text:
            self.line.append(text)
            self.size += len(text)

    def _space(self) -> None:
        if self.line and not self.line[-1].endswith(" "):
            self.line.append(" ")

    def _break(self) -> None:
        """End the line if there is something on it."""
        if self.line or self.has_hard_space:
            self._flush()

    def _flush(self, attributes: Mapping[str, str] | None = None) -> None:
        """End the line, also an empty one; of many empty lines two are kept."""
        text = "".join(self.line).replace("\xa0", " ").rstrip()
        self.events += 1
        self.line.clear()
        self.has_hard_space = False
        if self.quoted and self.marks_quotes:
            text = f"> {text}" if text else ">"
        self.empty_lines = 0 if text.strip("> ") else self.empty_lines + 1
        if self.empty_lines <= 2:
            self.lines.append(text)
            self.size += 1

    def _blank(self) -> None:
        """An empty line, unless there is one or the page begins."""
        if self.lines and not self.empty_lines:
            self._flush()


_SHOWN: dict[str, Callable[[_Page, Mapping[str, str]], None]] = {
    "br": _Page._flush,
    "hr": _Page._rule,
    "img": _Page._picture,
    "li": _Page._item,
    "td": _Page._cell,
    "th": _Page._cell,
}


def _marks(attributes: Mapping[str, str]) -> frozenset[str]:
    """The names an element goes by: its classes, #id and =name."""
    return _names(attributes.get("class", "")[:200], attributes.get("id", "")[:100], attributes.get("name", "")[:100])


@lru_cache(maxsize=256)
def _names(classes: str, identity: str, name: str) -> frozenset[str]:
    """Lower-case, and without the "x_" that Outlook puts before the names in a mail it quotes."""
    words = [*classes.split()[:10], f"#{identity}", f"={name}"]
    return frozenset(_COUNTED.sub("", _FOREIGN.sub(r"\1", word)).lower() for word in words)
