"""The words of each language, read from the `*.toml` files beside this module.

Job: hand out a language's tables as a value. The files are part of the program, like its modules: this is the only
place that opens them, once each, when first asked for. Which words mean what is said there, with comments; nothing here
knows any word. The notation of the phrases is in `grammar.py`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "sv", "de", "fr", "es", "nl", "da", "no", "fi", "it", "pt", "pl")

Named = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One language. Each pair is (name, lines of text); `dates` holds lines of words by kind."""

    language: str
    phrases: Named  # what a phrase means -> phrases
    sets: Named  # name of a set -> its members
    remarks: Named  # kind of remark (if, not, but, …) -> the words that begin or betray it
    words: Named  # safe, plain, article, nobody, and, because, no-message, other, endings: single words, see en.toml
    dates: Named

    def word_list(self, name: str) -> tuple[str, ...]:
        """The single words listed under `name`."""
        return tuple(dict(self.words).get(name, "").split())


@cache
def table(language: str) -> Table:
    """The table of `language`, one of LANGUAGES. Raises KeyError for another."""
    if language not in LANGUAGES:
        raise KeyError(language)
    data = tomllib.loads(Path(__file__).with_name(f"{language}.toml").read_text("utf-8"))
    return Table(language, *(tuple(data.get(part, {}).items()) for part in Table.__slots__[1:]))
