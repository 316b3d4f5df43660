"""Tables of phrases, and looking for them in a text.

Job: hold lists of phrases as the tables under `phrases/` write them, and find them in tidied text, fast and bounded.
Core: no I/O but reading those tables once at import; no clock, no logging.
No regular expressions: plain search is linear, and a `*` in a phrase stands for at most `GAP` characters. Nearly all
of the hundreds of phrases share no word with the mail at hand, and those are never searched for.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Any

GAP = 40
_HEAD = 3  # letters of a word by which phrases are told apart
_TRIES = 20
_STRAIGHT = str.maketrans(dict.fromkeys("’‘´`", "'") | {"\u200b": None, "\ufeff": None})


@lru_cache(maxsize=8)  # two rooms read the table of machines, at every start
def load_table(name: str) -> dict[str, Any]:
    """The table `phrases/<name>.toml`."""
    return tomllib.loads(files("router").joinpath(f"phrases/{name}.toml").read_text("utf-8"))


def fold(text: str) -> str:
    """`text` as phrases are compared: casefolded, straight apostrophes, single spaces."""
    return " ".join(text.translate(_STRAIGHT).casefold().split())


class Phrases:
    """A list of phrases to look for."""

    __slots__ = ("_always", "_by_piece", "_parts", "_plain")

    def __init__(self, phrases: Iterable[str]) -> None:
        folded = [phrase.casefold() for phrase in phrases]
        self._plain = tuple(phrase for phrase in folded if "*" not in phrase)
        gapped = (tuple(part.strip() for part in phrase.split("*")) for phrase in folded if "*" in phrase)
        self._parts = (*((phrase,) for phrase in self._plain), *gapped)
        by_piece = defaultdict(list)
        for number, parts in enumerate(self._parts):
            by_piece[_piece(parts)].append(number)
        self._always = tuple(by_piece.pop("", ()))
        self._by_piece = dict(by_piece)

    def found(self, text: str) -> str:
        """The first phrase that stands anywhere in folded `text`, `""` when none does."""
        shared = self._by_piece.keys() & _pieces(text)
        for number in sorted([*self._always, *(number for piece in shared for number in self._by_piece[piece])]):
            parts = self._parts[number]
            if parts[0] in text and (len(parts) == 1 or _has_gapped(parts, text)):
                return " … ".join(parts)
        return ""

    def begins(self, text: str) -> str:
        """The longest phrase that folded `text` begins with, as whole words; `""` when none does."""
        if not text.startswith(self._plain):
            return ""
        fits = [phrase for phrase in self._plain if text.startswith(phrase) and not _goes_on(text, phrase)]
        return max(fits, key=len, default="")


def _piece(parts: tuple[str, ...]) -> str:
    """One of `_pieces` of every text that holds these parts of a phrase; `""` where nothing can be said of it.

    A word between two others is a word of the text; the last one begins a word; a letter is a letter.
    """
    words = [part.split(" ") for part in parts]
    inner = [word for each in words for word in each[1:-1]]
    if any(inner):
        return max(inner, key=len)
    last = max((each[-1] for each in words if len(each) > 1), key=len, default="")
    letter = max("".join(parts), default="")
    return last[:_HEAD] if len(last) >= _HEAD else "" if letter.isascii() else letter


@lru_cache(maxsize=8)  # a mail's few lines are looked through for one list of phrases after the other
def _pieces(text: str) -> frozenset[str]:
    """The words of folded `text`, the heads of them, and its letters."""
    words = frozenset(text.split(" "))
    return words.union([word[:_HEAD] for word in words], () if text.isascii() else text)


def _goes_on(text: str, phrase: str) -> bool:
    """Whether the word that ends `phrase` goes on in `text`: "absent" in "absenteeism"."""
    after = text[len(phrase) : len(phrase) + 1]
    return phrase[-1].isalpha() and phrase[-1].isascii() and after.isalpha()


def _has_gapped(parts: tuple[str, ...], text: str) -> bool:
    at = text.find(parts[0])
    for _ in range(_TRIES):
        if at < 0:
            return False
        end = at + len(parts[0])
        for part in parts[1:]:
            after = text.find(part, end, end + GAP + len(part))
            if after < 0:
                break
            end = after + len(part)
        else:
            return True
        at = text.find(parts[0], at + 1)
    return False
