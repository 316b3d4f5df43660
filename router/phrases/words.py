"""A line of a mail as words: folded for comparing, with what stands between them.

Job: cut one line into words that can be compared whatever their case, accents, apostrophes, width or markup, and say
where one clause ends and the next begins. Core: no I/O, no clock, no logging; imports nothing of the router.
Linear in the line, which callers have cut to a sane length.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

APOSTROPHES = "'’‘‛´`ʼʹ′＇"
# Zero-width and direction marks, soft hyphens, joiners, variation selectors: pasted from web pages, seen by nobody.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)

_ELIDED = "[cdjlmnstv]|qu|jusqu|quelqu|lorsqu|puisqu|un|quest|quell|anch|(?:d|da|de|a|ne|su)ll"  # je l'ai, un'altra
_WORD = re.compile(
    rf"(?:{_ELIDED})(?=[{APOSTROPHES}][^\W_])|[^\W_]+(?:[{APOSTROPHES}][^\W_]+)*",
    re.IGNORECASE,
)
_SMILEY = re.compile(r"(?<![^\s,.!])(?:[:;=]['’]?-?[)(DPp3oO*|\]\[/\\]+|<3+|\^_?\^)(?![\w/])")
_STRETCHED = re.compile(r"([^\W\d_])\1\1+")  # "miiine", "jaaaa"
_LETTERS = str.maketrans({"ø": "o", "å": "a", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ı": "i"})
_TURKISH = str.maketrans({"İ": "i", "ı": "i"})  # what a Turkish keyboard makes of i: no accent
_NO_APOSTROPHES = dict.fromkeys(map(ord, APOSTROPHES))
_LETTER_MARKS = frozenset("øåłđæœðþı")
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})

MARK = "~"  # leads the key of a word that was written with an accent
NONE, COMMA, STOP, QUESTION = range(4)
_BEFORE_NUMBERS = frozenset({"nr", "nro", "num"})
_QUESTION_MARKS = frozenset("?？؟¿⁇⁈⁉❓❔🤔")
_STOPS = frozenset(".!;…！。；‼❗❕·•\n")
_COMMAS = frozenset(",:()[]{}|/\\–—―~→←⇒，：（）<>")
_NO_SIGNS = frozenset("👎🙅❌🚫⛔")


@lru_cache(maxsize=16384)
def fold(word: str) -> str:
    """`word` without case, accents, apostrophes, width or stretched letters."""
    return _STRETCHED.sub(r"\1", _bare(word.translate(_TURKISH)))


@lru_cache(maxsize=16384)
def key(word: str) -> str:
    """Under which a written `word` is looked up among `spellings`: an accent may be left out ("uebernehme", "mio" for
    "mío"), but one that was written counts: "pasó" is not "paso"."""
    return MARK + fold(word) if _is_marked(word.translate(_TURKISH)) else fold(word)


@lru_cache(maxsize=16384)
def spellings(word: str) -> tuple[str, ...]:
    """Every key under which a word of a phrase is found: "für" is typed "für", "fur" and "fuer"."""
    plain = fold(word)
    if not _is_marked(word):
        return (plain,)
    spelt = fold(unicodedata.normalize("NFC", word).casefold().translate(_SPELT_OUT))
    return tuple(dict.fromkeys((MARK + plain, plain, spelt)))


def _is_marked(word: str) -> bool:
    return not word.isascii() and any(
        letter in _LETTER_MARKS or unicodedata.combining(letter)
        for letter in unicodedata.normalize("NFD", word.casefold())
    )


def _bare(word: str) -> str:
    if not word.isascii():
        plain = unicodedata.normalize("NFKD", word.casefold().translate(_LETTERS))
        word = "".join(letter for letter in plain if not unicodedata.combining(letter)).translate(_LETTERS)
    return word.lower() if word.isalnum() else word.lower().translate(_NO_APOSTROPHES)


def split_words(text: str) -> list[str]:
    """The words of `text` as written, without what stands between them."""
    return _WORD.findall(text)


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `words` are folded, `keys` as phrases look them up, `spans` their places in `text`.

    `breaks` is what follows each word, `lead` precedes them all; `clear` is `text` with smileys blanked out.
    """

    text: str
    clear: str
    words: tuple[str, ...]
    keys: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    breaks: tuple[int, ...]
    lead: str

    def __len__(self) -> int:
        return len(self.words)

    def written(self, place: int) -> str:
        """The word at `place` as the person wrote it."""
        start, end = self.spans[place]
        return self.text[start:end]

    def gap(self, place: int) -> str:
        """What stands between the word at `place` and the next word, or the end."""
        end = self.spans[place + 1][0] if place + 1 < len(self.spans) else len(self.clear)
        return self.clear[self.spans[place][1] : end]

    def before(self, place: int) -> str:
        """What stands between the word at `place` and the word before it, or the beginning."""
        return self.gap(place - 1) if place else self.lead

    def ends_at(self, place: int) -> bool:
        """Whether a clause ends before the word at `place`."""
        return place >= len(self.words) or self.breaks[place - 1] != NONE

    def starts_sentence(self, place: int) -> bool:
        """Whether a sentence begins with the word at `place`."""
        return place == 0 or self.breaks[place - 1] in (STOP, QUESTION)

    def asks(self, start: int, end: int) -> bool:
        """Whether a question mark stands in what follows any of the words from `start` to before `end`."""
        return QUESTION in self.breaks[start:end]

    def refuses(self) -> bool:
        """Whether a sign such as a thumb down stands in the line."""
        return not self.text.isascii() and not _NO_SIGNS.isdisjoint(self.text)


def read_line(text: str) -> Line:
    """Cut `text` (one line, invisible characters already gone) into words. Smileys count as space."""
    clear = _SMILEY.sub(lambda found: " " * len(found.group()), text)
    spans = tuple(found.span() for found in _WORD.finditer(clear))
    written = [clear[start:end] for start, end in spans]
    words, keys = tuple(map(fold, written)), tuple(map(key, written))
    edges = [*(start for start, _ in spans[1:]), len(clear)]
    gaps = (clear[end:edge] for (_, end), edge in zip(spans, edges, strict=False))
    breaks = [_break(gap.replace("¿", ".") if "?" in clear else gap) for gap in gaps]  # "Mío, ¿cuándo empiezan?"
    for place in range(len(breaks) - 1):
        gap = clear[spans[place][1] : edges[place]]
        before = clear[edges[place - 1] - 1] if place else " "
        if gap in (".", ",", ":") and words[place].isdigit():
            breaks[place] = NONE  # 3.2.2026, 12:30
        elif gap == ". " and words[place] in _BEFORE_NUMBERS and words[place + 1].isdigit():
            breaks[place] = NONE  # nr. 42
        elif gap[0] == "." and len(words[place]) == 1 and (gap == "." or before == "."):
            breaks[place] = NONE  # t.o.m. den 3:e
    if breaks and breaks[-1] != QUESTION:
        breaks[-1] = STOP
    return Line(text, clear, words, keys, spans, tuple(breaks), clear[: spans[0][0]] if spans else clear)


def _break(gap: str) -> int:
    if gap == " ":
        return NONE
    signs = set(gap)
    if signs & _QUESTION_MARKS:
        return QUESTION
    if signs & _STOPS or any(sign > "\u2190" and unicodedata.category(sign) == "So" for sign in signs):
        return STOP  # an emoji parts thoughts as a full stop does
    if signs & _COMMAS or " -" in gap or "- " in gap or "--" in gap:
        return COMMA
    return NONE
