"""Tables of phrases, and looking for them in a text.

Job: hold lists of phrases as the tables under `phrases/` write them, and find them in tidied text, fast and bounded.
Core: no I/O but reading those tables once at import; no clock, no logging.
No regular expressions: plain search is linear, and a `*` in a phrase stands for at most `GAP` characters.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

GAP = 40
_TRIES = 20
_STRAIGHT = str.maketrans(dict.fromkeys("’‘´`", "'") | {"\u200b": None, "\ufeff": None})


def load_table(name: str) -> dict[str, Any]:
    """The table `phrases/<name>.toml`."""
    return tomllib.loads(files("router").joinpath(f"phrases/{name}.toml").read_text("utf-8"))


def fold(text: str) -> str:
    """`text` as phrases are compared: casefolded, straight apostrophes, single spaces."""
    return " ".join(text.translate(_STRAIGHT).casefold().split())


class Phrases:
    """A list of phrases to look for."""

    __slots__ = ("_gapped", "_plain")

    def __init__(self, phrases: Iterable[str]) -> None:
        folded = [phrase.casefold() for phrase in phrases]
        self._plain = tuple(phrase for phrase in folded if "*" not in phrase)
        self._gapped = tuple(tuple(part.strip() for part in phrase.split("*")) for phrase in folded if "*" in phrase)

    def found(self, text: str) -> str:
        """The first phrase that stands anywhere in folded `text`, `""` when none does."""
        for phrase in self._plain:
            if phrase in text:
                return phrase
        return next((" … ".join(parts) for parts in self._gapped if _has_gapped(parts, text)), "")

    def begins(self, text: str) -> str:
        """The longest phrase that folded `text` begins with, as whole words; `""` when none does."""
        fits = [phrase for phrase in self._plain if text.startswith(phrase) and not _goes_on(text, phrase)]
        return max(fits, key=len, default="")


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
