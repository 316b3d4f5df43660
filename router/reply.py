"""The new text of a reply: what its writer wrote for this mail, without quotes, signatures and banners.

Job: from a `Message`, or a plain text, to a `Reply`. Only the new text counts: what stands above the quote, or between
quoted lines (PROTOCOL.md, "Reading a reply"). Core: pure; no I/O, no clock. Where a quote begins is `quotes.py`'s
business, what a signature is `signature.py`'s, the HTML tree `htmltext.py`'s.
Invariants: linear in the text, at most MAX_LINES lines and LINE characters of each are looked at; a reply with nothing
new in it is empty, and when in doubt text counts as quoted: losing a word is bad, inventing one is worse.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from router import htmltext
from router.attribution import Evidence
from router.lines import LINE, clean, is_quoted, is_rule
from router.message import Message
from router.quotes import Head, Page, is_forward_separator, is_separator, is_snip
from router.signature import is_phone_signature, skip_banners, trim

MAX_LINES = 3_000
MAX_TEXT = 300_000  # characters; what stands behind is neither new nor looked at
MARKERS: dict[str, str] = {
    "en": "-- bun router: please reply above this line --",
    "sv": "-- bun router: svara gärna ovanför den här raden --",
    "de": "-- bun router: bitte über dieser Zeile antworten --",
    "fr": "-- bun router: merci de répondre au-dessus de cette ligne --",
    "es": "-- bun router: por favor, responde por encima de esta línea --",
    "nl": "-- bun router: graag boven deze regel antwoorden --",
    "da": "-- bun router: svar venligst over denne linje --",
    "no": "-- bun router: svar helst over denne linjen --",
    "fi": "-- bun router: vastaa tämän rivin yläpuolelle --",
    "it": "-- bun router: si prega di rispondere sopra questa riga --",
    "pt": "-- bun router: por favor, responda acima desta linha --",
    "pl": "-- bun router: proszę odpowiadać powyżej tej linii --",
}
MARKER = MARKERS["en"]
# What earlier mails of ours said; people answer them for years.
EARLIER_MARKERS = ("-- bun router: por favor, responda por encima de esta línea --",)

_OWN = "our own line"
_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Reply:
    """`text` is what its writer says, `quoted` is the rest, `how` says for people what the cut rests on.

    `forwarded` is the mail that the writer forwards below those words, part of `quoted` too: it is news, and nothing in
    it is the writer's own word.
    """

    text: str
    quoted: str
    how: str
    forwarded: str = ""

    @property
    def news(self) -> str:
        """All that a reader of the thread has not seen: the words and the mail forwarded below them."""
        return "\n\n".join(filter(None, (self.text, self.forwarded)))


def read_reply(message: Message, banners: Sequence[str] = ()) -> Reply:
    """The new text of `message`. `banners` are texts of the operator's own servers, set above foreign mail.

    The plain text decides where there is one, for it keeps the marks of quoting; the HTML, with its quotes cut in the
    tree, where there is none or where only it shows that something is quoted.
    """
    if message.html and (message.from_html or not message.text.strip()):
        return Reply(*cut_text(htmltext.text_with_quotes(message.html), banners))
    plain = _with_forwarded(Reply(*cut_text(message.text, banners)))
    if not message.html or (plain.quoted and plain.text and not _lost_its_marks(plain, message.html)):
        return plain
    marked = Reply(*cut_text(htmltext.text_with_quotes(message.html), banners))
    if not plain.quoted:  # what stands under a blockquote may go on with the writer's own text
        return marked if marked.quoted and _squeeze(marked.text) in _squeeze(message.text) else plain
    more = marked.quoted and _squeeze(marked.text).startswith(_squeeze(plain.text))
    return marked if more and _holds(message.text, marked.text) else plain


def _with_forwarded(reply: Reply) -> Reply:
    """`reply` with the mail that is forwarded below its words, where a line says so and it is no mail of ours.

    A forward whose lines carry quote marks is a quote like any other: people answer between its lines.
    """
    lines = reply.quoted.split("\n", MAX_LINES)
    below = next((line for line in lines[1:] if line.strip()), "")
    if not reply.text or not is_forward_separator(lines[0]) or is_quoted(below) or _marker_line(lines) is not None:
        return reply
    return replace(reply, forwarded=reply.quoted.strip("\n"))


def _lost_its_marks(plain: Reply, page: str) -> bool:
    """A program made the plain text of the HTML and dropped the marks: answers between the quotes show only there."""
    return "<blockquote" in page.lower() and not any(is_quoted(line) for line in plain.quoted.split("\n"))


def _holds(text: str, said: str) -> bool:
    """Whether the lines of `said` stand in `text`, in that order: both halves of the mail say the same."""
    whole, at = _squeeze(text), 0
    for line in said.split("\n"):
        bare = _squeeze(line)
        at = whole.find(bare, at)
        if at < 0:
            return False
        at += len(bare)
    return True


def cut_text(text: str, banners: Sequence[str] = ()) -> tuple[str, str, str]:
    """Cut a plain text into (new text, quoted rest, why)."""
    lines = clean(text[:MAX_TEXT]).split("\n", MAX_LINES)
    beyond = [*lines[MAX_LINES:], text[MAX_TEXT:]]
    lines = [line.rstrip() for line in lines[:MAX_LINES]]
    floor = skip_banners(lines, banners)
    page = Page(lines)
    marker = _marker_line(lines)
    head = page.find_head(floor)
    if marker is not None and (head is None or marker <= head.start):
        head = _own_head(page, marker, floor)
    if head is None and _opens_with_rule(page, floor):
        return "", "\n".join([*lines, *beyond]).strip("\n"), "a rule above everything"
    if head is None:
        kept = trim(lines[floor:])
        return "\n".join(kept), "\n".join(beyond).strip("\n"), "nothing is quoted"
    above = _above(lines, floor, head)
    below, rest = _below(page, head, marker)
    parts = [part for part in (above, *below) if part]
    quoted = "\n".join([*lines[head.start : head.end], *rest, *beyond])
    return "\n\n".join("\n".join(part) for part in parts), quoted, f"{head.why} in line {head.start + 1}"


def _opens_with_rule(page: Page, floor: int) -> bool:
    """Nobody begins with a long line of dashes: a mail program drew it, and an older mail stands below."""
    at = page.after(floor)
    rule = page.lines[at].strip() if at < len(page) else ""
    boxed = rule in (line.strip() for line in page.lines[at + 1 : at + 8])  # a title between two rules
    return is_rule(rule) and len(rule) >= 20 and rule[0] in "-_=" and not boxed


def _own_head(page: Page, marker: int, floor: int) -> Head:
    """The quote that our own line opens, with whatever some program set above it that looks like an attribution."""
    end = marker
    while end > floor and page.blank(end - 1):
        end -= 1
    start, seen = end, Evidence()
    while start > max(floor, end - 4) and not page.blank(start - 1):
        start -= 1
        seen |= page.shows(start)
    closed = end > floor and page.lines[end - 1].rstrip().endswith((":", "："))
    if (seen.address and seen.date) or (closed and (seen.address or seen.date or seen.wrote)):
        return Head(start, 0, marker + 1, _OWN)
    return Head(marker, 0, marker + 1, _OWN)


def _above(lines: Sequence[str], floor: int, head: Head) -> list[str]:
    """What the writer says above the quote."""
    stretch = list(lines[floor : head.start])
    drawn = _rule_apart(stretch) if head.why == "header block" else []
    if head.column:
        stretch.append(lines[head.start][: head.column].rstrip(" -–—"))
    while stretch and (not stretch[-1].strip() or (_belongs_below(stretch[-1], head) and not _closes_box(stretch))):
        stretch.pop()
    first = next((line for line in stretch if line.strip()), "")
    if is_phone_signature(first) or (is_rule(first) and len(first.strip()) > 4 and first.strip()[0] not in "#*~+"):
        return []  # the mail program opened the quote here: what lies between is the older mail's
    said = trim(stretch, before_quote=True)
    return [*said, *drawn] if said and drawn and said[-1] == stretch[-1].strip() else said


def _closes_box(stretch: Sequence[str]) -> bool:
    """The rule that ends `stretch` is the second of its kind, above and below a signature."""
    return is_rule(stretch[-1]) and stretch[-1].strip() in (line.strip() for line in stretch[-12:-2])


def _rule_apart(stretch: Sequence[str]) -> list[str]:
    """The rule of hyphens that ends `stretch` with blank lines around it: a person's as likely as a program's.

    Mail programs draw theirs close above the labels, or of underscores.
    """
    told = [row for row, line in enumerate(stretch) if line.strip()]
    if len(told) < 2:
        return []
    above, at = told[-2:]
    rule, blanks = stretch[at].strip(), at - above - 1
    drawn = len(rule) > 9 and set(rule) == {"-"}
    return [*[""] * blanks, rule] if drawn and blanks and at < len(stretch) - 1 else []


def _belongs_below(line: str, head: Head) -> bool:
    """The last line above a head is drawn by the mail program: a rule, a separator, dashes around unknown words."""
    bare = line.strip()
    dashed = bare.startswith("---") and bare.endswith("---")
    return is_rule(line) or is_separator(line) or (dashed and head.why == "header block")


def _below(page: Page, head: Head, marker: int | None) -> tuple[list[list[str]], list[str]]:
    """What the writer says between and under quoted lines, and the lines that are quoted.

    Only where the quote carries marks: an unmarked text under a head is the older mail.
    """
    said: list[list[str]] = []
    rest: list[str] = []
    at = head.end
    while head.why != _OWN and page.opens_quote(at):
        start = at = next(row for row in range(at, len(page)) if page.quoted(row))
        while at < len(page) and page.quoted(at):
            at += 1
        rest.extend(page.lines[start:at])
        stop = page.find_head(at)
        if marker is not None and (stop is None or at <= marker < stop.start):
            stop = Head(marker, 0, marker + 1, _OWN)
        end = stop.start if stop else len(page)
        stretch = list(page.lines[at:end])
        if stop and stop.column:
            stretch.append(page.lines[end][: stop.column])
        said.append(trim(_unsnipped(stretch[_wrapped(page, at, end) :]), before_quote=bool(stop)))
        if not stop:
            return said, rest
        head, at = stop, stop.end
    return said, [*rest, *page.lines[at:]]


def _unsnipped(lines: list[str]) -> list[str]:
    """`lines`, which stand under quoted ones, without the "[...]" at their ends that stands for more of the quote."""
    told = [row for row, line in enumerate(lines) if line.strip() and not is_snip(line)]
    return lines[told[0] : told[-1] + 1] if told else []


def _wrapped(page: Page, at: int, end: int) -> int:
    """How many lines from `at` on are the tail of the quoted line above, which a mail program broke in two."""
    count = 0
    while at + count < end and not page.blank(at + count):
        count += 1
    if not count:
        return 0
    above, first = page.lines[at - 1].rstrip(), page.lines[at].strip()
    between = at + count < len(page) and page.quoted(at + count)
    if count <= 3 and between and first.startswith(("http", "<http", "(http", "[http")):
        return count
    words = first.split()
    small = first[0].islower()
    if above[-1:] not in ".!?:" and len(above) + 1 + len(words[0]) >= _quote_width(page, at):
        if small:
            return 1 if between or len(first) <= 40 else 0
        goes_on = count == 1 and between and first[-1] not in ".!?:" and len(first) <= 40
        below = page.lines[at + 1].lstrip("> ") if goes_on else ""
        return 1 if below[:1].islower() else 0
    return count if count <= 3 and between and len(above) > 55 and small and len(words) > 1 else 0


def _quote_width(page: Page, at: int) -> int:
    """How long a line may be in the quote that ends above line `at`: as its longest one, and not less than 60."""
    width, row = 60, at - 1
    while row >= max(0, at - 30) and page.quoted(row):
        width = max(width, min(len(page.lines[row].rstrip()), 100))
        row -= 1
    return width


def _squeeze(text: str) -> str:
    return "".join(_LETTERS.findall(text.lower()))


_MARKS = tuple(_squeeze(marker) for marker in (*MARKERS.values(), *EARLIER_MARKERS))


def _marker_line(lines: Sequence[str]) -> int | None:
    """The first line of our own marker that is not marked as quoted, however it was wrapped or decorated."""
    for at, line in enumerate(lines):
        if "bun" not in line[:LINE].lower():
            continue
        window = _squeeze(" ".join(row[:200] for row in lines[at : at + 4]))
        if window.startswith(_MARKS) and not line.lstrip().startswith(">"):
            return at
    return None
