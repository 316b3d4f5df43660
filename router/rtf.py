"""Rich text to plain: what Outlook packs into winmail.dat.

Job: undo the compression of MS-OXRTFCP, and read the text, or the HTML wrapped in it (MS-OXRTFEX), out of RTF.
Core: pure, never raises, bounded in input and output. Leaves out pictures, tables' geometry and every style.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from router.charset import decode

MAX_OUTPUT = 128 * 1024  # bytes of RTF that are unpacked and read
MAX_GROUPS = 200  # open at once

_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    + b"\r\n"
    + rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_TOKEN = re.compile(
    rb"\\([a-z]{1,32})(-?\d{1,9})? ?|\\'([0-9a-fA-F]{2})|\\(.)|([{}])|\r?\n|\r|([^\\{}\r\n]+)", re.DOTALL
)
_SILENT = frozenset(
    b"fonttbl colortbl stylesheet info pict object header footer headerl headerr headerf footerl footerr footerf"
    b" footnote themedata colorschememapping datastore latentstyles listtable listoverridetable rsidtbl generator"
    b" xmlnstbl fldinst nonshppict bkmkstart bkmkend".split()
)
_BREAKS = frozenset([b"par", b"line", b"row", b"sect", b"page"])
_LETTERS = {b"tab": "\t", b"cell": "\t", b"lquote": "‘", b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”"} | {
    b"bullet": "•",
    b"endash": "–",
    b"emdash": "—",
}


def unpack_rtf(data: bytes) -> bytes:
    """The RTF in a compressed PR_RTF_COMPRESSED value, at most MAX_OUTPUT bytes; `b""` when it is none."""
    kind = data[8:12]
    if kind == b"MELA":
        return data[16 : 16 + MAX_OUTPUT]
    if kind != b"LZFu":
        return b""
    size = min(int.from_bytes(data[4:8], "little"), MAX_OUTPUT)
    out = bytearray(_DICTIONARY)  # the ring of 4,096 bytes is the tail of all that was written
    at, end = 16, len(_DICTIONARY) + size
    while at < len(data) and len(out) < end:
        flags = data[at]
        at += 1
        for bit in range(8):
            if at >= len(data) or len(out) >= end:
                break
            if not flags >> bit & 1:
                out.append(data[at])
                at += 1
                continue
            reference = int.from_bytes(data[at : at + 2], "big")
            at += 2
            back = (len(out) - (reference >> 4)) % 4096
            if not back or back > len(out):
                return bytes(out[len(_DICTIONARY) :])
            for _ in range((reference & 15) + 2):
                out.append(out[-back])
    return bytes(out[len(_DICTIONARY) : end])


@dataclass(slots=True)
class _Group:
    is_silent: bool = False
    is_tag: bool = False  # holds a piece of the wrapped HTML
    skip: int = 1  # characters that follow a \u for readers without Unicode


@dataclass(slots=True)
class _Text:
    """What was read so far. Bytes in the document's code page wait until they end: characters may have two."""

    charset: str = "cp1252"
    out: list[str] = field(default_factory=list)
    waiting: bytearray = field(default_factory=bytearray)

    def add(self, text: str) -> None:
        if self.waiting:
            self.out.append(decode(bytes(self.waiting), self.charset))
            self.waiting.clear()
        if text:
            self.out.append(text)


def read_rtf(data: bytes) -> tuple[str, bool]:
    """The text in an RTF document, and whether it is the HTML that Outlook had wrapped in it."""
    data = data[:MAX_OUTPUT]
    is_html = b"\\fromhtml" in data[:2000]
    text = _Text()
    groups = [_Group()]
    is_rtf_only = False  # between \htmlrtf and \htmlrtf0: for readers without HTML
    skip = 0
    for token in _TOKEN.finditer(data):
        word, number, code, symbol, brace, run = token.groups(b"")
        group = groups[-1]
        is_read = not group.is_silent and not is_rtf_only
        if brace == b"{":
            groups.append(_Group(group.is_silent or len(groups) > MAX_GROUPS, group.is_tag, group.skip))
        elif brace:
            text.add("")
            groups = groups[:-1] or [_Group()]
        elif word == b"htmlrtf":
            is_rtf_only = is_html and number != b"0"
        elif word:
            skip = _control(word, number, group, text, is_html, is_read, skip)
        elif skip and (code or run):
            run, skip = run[skip:], 0 if run else skip - 1
            if is_read:
                text.waiting += run
        elif symbol == b"*":
            group.is_silent = True
        elif is_read:
            text.waiting += bytes.fromhex(code.decode()) if code else run
            if symbol:
                text.add({b"~": " ", b"_": "-", b"-": ""}.get(symbol, decode(symbol)))
    text.add("")
    whole = "".join(text.out).replace("\0", "")
    return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"), is_html  # pairs \u's halves


def _control(word: bytes, number: bytes, group: _Group, text: _Text, is_html: bool, is_read: bool, skip: int) -> int:
    """Act on the control word; how many characters to skip from now on."""
    if word == b"htmltag":
        group.is_silent, group.is_tag = False, True
    elif word in _SILENT:
        group.is_silent = True
    elif word == b"ansicpg" and number:
        text.charset = f"cp{number.decode()}"
    elif word == b"uc" and number:
        group.skip = max(0, min(int(number), 9))
    elif not is_read:
        return skip
    elif word == b"u" and number:
        text.add(chr(int(number) % 0x10000))
        return group.skip
    elif word in _BREAKS:
        text.add("" if is_html and group.is_tag else "\n")
    elif word in _LETTERS:
        text.add(_LETTERS[word])
    return skip
