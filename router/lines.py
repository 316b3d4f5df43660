"""What a line of a mail is by itself: quoted, a rule, blank; and how lines are made comparable.

Job: the smallest questions about one line, shared by whoever takes a mail's text apart. Core: pure, imports nothing of
the project. Invariants: no answer depends on more than the first LINE characters of a line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

LINE = 500  # characters of a line that are looked at
DASHES = "-–—‐‑‒―−"  # Proton draws its separators with hyphens that are no minus signs
DECORATION = f" \t*_|>{DASHES}=~#•·"  # what clients set around a line without meaning anything by it

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0e\ufeff"
    "\ufff9-\ufffc]"
)
_JOINERS = re.compile(  # Persian, Indic and emoji are spelled with them; elsewhere they hide something
    "(?<![\u0600-\u0dff\u1000-\u17ff\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]"
    "|[\u200c\u200d](?![\u0600-\u0dff\u1000-\u17ff\u2600-\u27bf\U0001f000-\U0001faff])"
)
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_BREAKS = re.compile("\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_QUOTED = re.compile(
    r"\s{0,4}(?:>|[^\W\d_]{1,3}>(?=[\s>]|$)|[A-Za-z]{4,12}>\s|[＞›]|&gt;|[»|]\s(?!.*(?:\||\S \| \S.*)$)|\|$)"
)
_CHEVRONS = re.compile(r"\s*>>.*<<\s*$")
_RULE = frozenset(f"{DASHES}_=*~─━#+.· ")
_FOLDED: dict[int, str | None] = (
    {
        code: base[0]
        for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))
        if (base := unicodedata.normalize("NFKD", chr(code))) != chr(code) and base[0].isalpha()
    }
    | dict.fromkeys(range(0x300, 0x370))
    | {ord("ł"): "l", ord("ς"): "σ", ord("ø"): "o", ord("đ"): "d", ord("ı"): "i", ord("ß"): "ss", ord("æ"): "ae"}
)


def clean(text: str) -> str:
    """`text` with one kind of line break and space, and without invisible characters."""
    text = _BREAKS.sub("\n", text)
    return text if text.isascii() else _SPACES.sub(" ", _JOINERS.sub("", _INVISIBLE.sub("", text)))


def fold(text: str) -> str:
    """`text` in lower case and without the accents of Latin letters: mail programs drop them as they like."""
    text = text.lower()
    return text if text.isascii() else text.translate(_FOLDED)


def is_quoted(line: str) -> bool:
    """A line that a mail program marked as quoted: `> text`, `AB> text`, `| text`; not `>>> shouting <<<`, no table."""
    return bool(_QUOTED.match(line[:LINE])) and not _CHEVRONS.match(line[:LINE])


def line_above(lines: Sequence[str], at: int) -> str:
    """The nearest of the three lines above line `at` that is not blank, without the space at its end; "" for none."""
    return next((line.rstrip() for line in reversed(lines[max(0, at - 3) : at]) if line.strip()), "")


def is_rule(line: str) -> bool:
    """A line drawn of dashes, underscores, stars or equal signs, at least three of them, and nothing else."""
    bare = line.strip()[:LINE]
    return len(bare) > 2 and set(bare) <= _RULE and len(bare.replace(" ", "").replace(".", "")) > 2
