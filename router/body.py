"""The readable text of a mail: which of its parts a person would read, as plain text.

Job: choose among the parts (RFC 2046 section 5.1.4, and senders whose plain text says nothing), undo format=flowed
(RFC 3676) and the armour of signed text (RFC 9580 section 7), and find words where there is no text part: in an
invitation, an attached text, rich text. Core: pure, never raises. Invariant: at most MAX_TEXT characters come out.
Leaves out what is new in a reply.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from router.charset import decode
from router.htmltext import html_to_text
from router.parts import ATTACHED_MAIL, Node, Part, leaves
from router.rtf import read_rtf

MAX_TEXT = 64 * 1024  # characters
MAX_PLAIN = 4 * MAX_TEXT  # bytes of a plain part that are decoded: what four-byte characters take
MAX_HTML = 768 * 1024  # bytes of an HTML part that are decoded
STUB = 400  # characters; a plain text this short may only say that there is an HTML one

_HTML = frozenset({"text/html", "application/xhtml+xml", "text/xhtml"})
_ENRICHED = frozenset({"text/enriched", "text/richtext"})
_RTF = frozenset({"text/rtf", "application/rtf", "application/x-rtf"})
# Texts that are not for reading.
_DATA = _RTF | {
    "text/calendar",
    "text/css",
    "text/csv",
    "text/directory",
    "text/javascript",
    "text/rfc822-headers",
    "text/vcard",
    "text/watch-html",
    "text/x-amp-html",
    "text/x-vcard",
    "text/xml",
}
_HTML_START = ("<!doctype html", "<html", "<head", "<body")
_META_CHARSET = re.compile(rb"(?i)<meta[^>]{0,200}\bcharset\s?=\s?[\"']?([\w.:-]{1,40})")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
_NOTHING = dict.fromkeys((*range(9), 11, *range(14, 32), *range(127, 133), *range(134, 160)))
_UNSEEN = " \t\r\n\xa0\xad\u200b\u200c\u200d\u2060\ufeff"
_WORD = re.compile(r"\w+")
_QUOTE_MARKS = re.compile(r">+")
_ENRICHED_TAG = re.compile(r"<(?:param>[^<>]*</param|/?[a-z-]{1,60})>", re.IGNORECASE)
_SIGNED, _SIGNATURE, _SIGNATURE_END = (
    f"-----{word}-----" for word in ("BEGIN PGP SIGNED MESSAGE", "BEGIN PGP SIGNATURE", "END PGP SIGNATURE")
)
_SECRET, _SECRET_END = "-----BEGIN PGP MESSAGE-----", "-----END PGP MESSAGE-----"
_EVENT_LINE = re.compile(r"(SUMMARY|DTSTART|LOCATION|DESCRIPTION)(?:;[^:]{0,300})?:(.*)", re.IGNORECASE)
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d))?")


@dataclass(frozen=True, slots=True)
class Body:
    """`text` for reading, `html` as source when there is some; `from_html`: the text begins as that HTML does."""

    text: str = ""
    html: str = ""
    from_html: bool = False
    note: str = ""


def read_body(tree: Node) -> Body:
    """The text of the mail with this tree. `note` says what is unusual about it, or why there is none."""
    parts = [*leaves(tree)]
    html = next((_source(part) for part in parts if part.content_type in _HTML and _is_shown(part, 0)), "")
    text, source, remark = _shown(tree) or _elsewhere(parts)
    notes = [remark]
    text, is_secret = _without_secret(text)
    if is_secret or tree.part.content_type == "multipart/encrypted":
        notes.append("it is encrypted (PGP)")
    if len(text) > MAX_TEXT:
        notes.append(f"only the first {MAX_TEXT // 1024} kB of its text were read")
    if _is_blank(text):
        text = ""
        notes.append(_why_empty(parts))
    return Body(text[:MAX_TEXT], source or html, bool(source), "; ".join(filter(None, notes)))


def _shown(tree: Node) -> tuple[str, str, str] | None:
    """(text, HTML that it begins with, remark) of the parts shown inline, else of those with a name, else attached."""
    tried: list[Part] = []
    for rank, remark in enumerate(("", "", "the text is that of an attachment")):
        parts = [*_blocks(tree, rank)]
        if parts == tried:
            continue
        tried = parts
        blocks = [*_said(parts)]
        if blocks:
            return "\n\n".join(block.text for block in blocks), blocks[0].html, remark
    return None


# --- which parts


@dataclass(frozen=True, slots=True)
class _Block:
    """A piece of the body as text; `html` is its source when it was HTML."""

    text: str
    html: str = ""


def _blocks(node: Node, rank: int) -> Iterator[Part]:
    """The parts that a mail program shows one under another. `rank` 1 admits parts with a name, 2 attachments."""
    kind = node.part.content_type
    if not node.children:
        if _is_shown(node.part, rank):
            yield node.part
    elif kind == "multipart/alternative":
        yield from _best([[*_blocks(child, rank)] for child in node.children])
    elif kind == "multipart/related":  # the first is the text, the others are its pictures
        yield from next(filter(None, ([*_blocks(child, rank)] for child in node.children)), ())
    else:
        for child in node.children:
            yield from _blocks(child, rank)


def _is_shown(part: Part, rank: int) -> bool:
    kind = part.content_type
    is_text = (kind.startswith("text/") and kind not in _DATA) or kind in _HTML or kind.startswith("plain/")
    if not is_text or not part.content:
        return False
    return rank >= (2 if part.disposition == "attachment" else 1 if part.filename else 0)


def _best(choices: list[list[Part]]) -> list[Part]:
    """The plain text, unless it is empty or a mere stub; else the last of the others, as the sender ordered them."""
    choices = [choice for choice in choices if choice]
    plain = [choice for choice in choices if not any(part.content_type in _HTML for part in choice)]
    rich = [choice for choice in choices if choice not in plain]
    if plain and not (rich and _is_stub(plain[0], rich[-1])):
        return plain[0]
    return rich[-1] if rich else []


def _is_stub(plain: list[Part], rich: list[Part]) -> bool:
    """Nothing, or a short word that this mail wants a program that shows HTML (which is HTML in every language)."""
    if sum(len(part.content) for part in plain) > 4 * STUB:
        return False
    text = "\n".join(map(_plain, plain))
    if _is_blank(text):
        return True
    return len(text) < STUB and "html" in text.lower() and sum(len(part.content) for part in rich) > 2 * len(text)


def _said(parts: list[Part]) -> Iterator[_Block]:
    """The parts that are not blank, as text, until there is enough; HTML that repeats the plain text is left out."""
    before: set[str] = set()
    spent = 0
    for part in parts:
        if spent > MAX_TEXT:
            return
        block = _block(part)
        spent += max(len(block.text), len(block.html) // 4)
        if _is_blank(block.text):
            continue
        words = set(_WORD.findall(block.text.lower())) if len(parts) > 1 else set()
        if block.html and before and len(words & before) > 0.8 * min(len(words), len(before)):
            continue
        if not block.html:
            before |= words
        yield block


def _block(part: Part) -> _Block:
    if part.content_type in _HTML:
        source = _source(part)
        return _Block(html_to_text(source), source)
    text = _plain(part)
    if text[:200].lstrip().lower().startswith(_HTML_START):  # some machines label it text/plain
        return _Block(html_to_text(text), text)
    return _Block(text)


def _elsewhere(parts: Iterable[Part]) -> tuple[str, str, str]:
    """(text, "", remark) of a mail without a text part: an invitation, rich text, bytes that turn out to be text."""
    for part in parts:
        text, remark = "", ""
        if part.content_type == "text/calendar":
            text, remark = _event(_normal(decode(part.content[:MAX_PLAIN], part.charset))), "it is an invitation"
        elif part.content_type in _RTF:
            text, remark = _normal(read_rtf(part.content)[0]), "its text is rich text"
        elif part.content_type == "application/octet-stream" and not part.filename:
            text = _plain(part) if b"\0" not in part.content[:MAX_PLAIN] else ""
        if not _is_blank(text):
            return text, "", remark
    return "", "", ""


def _why_empty(parts: Iterable[Part]) -> str:
    if any(part.content_type in ATTACHED_MAIL for part in parts):
        return "it has no text of its own, only an attached mail"
    others = [part for part in parts if part.content and not _is_shown(part, 0)]
    names = [(part.filename or part.content_type)[:80] for part in others]
    if not names:
        return "it is empty"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"there is no text in it, only {', '.join(names[:5])}{more}"


# --- as text


def _plain(part: Part) -> str:
    text = _normal(decode(part.content[:MAX_PLAIN], part.charset))[: 2 * MAX_TEXT]
    if part.param("format").lower() == "flowed":
        text = unflow(text, part.param("delsp").lower() == "yes")
    elif part.content_type in _ENRICHED:
        text = _ENRICHED_TAG.sub("", text.replace("<<", "\x02")).replace("\x02", "<")
    return _unsigned(text) if _SIGNED in text else text


def _source(part: Part) -> str:
    content = part.content[:MAX_HTML]
    if not part.charset and not content.isascii():
        meta = _META_CHARSET.search(content[:4096])
        part = replace(part, charset=meta[1].decode("ascii") if meta else "")
    return decode(content, part.charset)


def _normal(text: str) -> str:
    """LF for every line end, and no control characters, which could act on a terminal."""
    if "\r" in text:
        text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
    return (text.translate(_NOTHING) if _CONTROLS.search(text) else text).strip("\n")


def _is_blank(text: str) -> bool:
    return not text.strip(_UNSEEN)


def unflow(text: str, drops_space: bool = False) -> str:
    """`text` in format=flowed with its paragraphs joined (RFC 3676 section 4.2); `drops_space` is DelSp=yes."""
    out: list[str] = []
    paragraph: list[str] = []
    depth = 0
    for line in text.split("\n"):
        marks = _QUOTE_MARKS.match(line)
        quoted = marks.end() if marks else 0
        line = line[quoted:].removeprefix(" ")
        if paragraph and (quoted != depth or line == "-- "):
            out.append(_quoted("".join(paragraph), depth))
            paragraph = []
        depth = quoted
        flows = line.endswith(" ") and line != "-- "
        paragraph.append(line[:-1] if flows and drops_space else line)
        if not flows:
            out.append(_quoted("".join(paragraph), depth))
            paragraph = []
    if paragraph:
        out.append(_quoted("".join(paragraph), depth))
    return "\n".join(out)


def _quoted(text: str, depth: int) -> str:
    return f"{'>' * depth} {text}" if depth else text


def _unsigned(text: str) -> str:
    """The text inside a clear-signed one, with what stands around it; a quoted one is left alone."""
    before, begin, signed = f"\n{text}".partition(f"\n{_SIGNED}")
    if not begin:
        return text
    inside, _, after = signed.partition(f"\n{_SIGNATURE}")
    inside = inside.partition("\n\n")[2]  # behind the armour's own headers
    lines = (line.removeprefix("- ") for line in inside.split("\n"))
    return "\n".join([before, *lines, after.partition(_SIGNATURE_END)[2]]).strip("\n")


def _without_secret(text: str) -> tuple[str, bool]:
    """The text without an encrypted block, and whether there was one."""
    before, begin, after = f"\n{text}".partition(f"\n{_SECRET}")
    if not begin:
        return text, False
    return (before + "\n" + after.partition(_SECRET_END)[2]).strip("\n"), True


def _event(text: str) -> str:
    """What the first event of an iCalendar object says (RFC 5545): its summary, time, place and description."""
    event = text.replace("\n ", "").replace("\n\t", "").partition("BEGIN:VEVENT")[2].partition("END:VEVENT")[0]
    found: dict[str, str] = {}
    for line in event.split("\n"):
        match = _EVENT_LINE.fullmatch(line)
        if match:
            found.setdefault(match[1].upper(), match[2].strip())
    moment = _MOMENT.match(found.get("DTSTART", ""))
    if moment:
        day, time = "-".join(moment.groups()[:3]), ":".join(filter(None, moment.groups()[3:]))
        found["DTSTART"] = f"{day} {time}".strip()
    lines = [found.get(name, "") for name in ("SUMMARY", "DTSTART", "LOCATION", "DESCRIPTION")]
    return "\n".join(re.sub(r"\\([nN,;\\])", _unescaped, line) for line in lines if line)


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] in "nN" else match[1]
