"""A bun's history in the words of its readers.

Job: what the router records of a lead ("taken by Anna Lind", "the only claim when the window closed") is stored in
English, as codes are; here it becomes what a colleague reads, by the tables of `<lang>/_history.txt`, where "…" stands
for what varies. Core: pure; the tables come with the templates.

Invariants: what people wrote themselves stays letter for letter; what no table knows is shown as it was recorded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from router.compose import Templates
from router.turn import World

VARIES = "…"
# Of these the reason is somebody's own words, an address, or what a mail server said.
_OWN_WORDS = frozenset(
    (
        *("note", "word", "writes", "person writes", "wrote to the client", "client's address corrected"),
        *("came in a second time, joined", "undone: …", "“…” noted"),
        *("“…” came too late", "“…” overtaken by a later word", "“…” gives way to “…”", "the owner could not be told"),
        *("talk on the list", "half a claim on the list", "auto-reply", "delivery report", "mail came back"),
        *("pass", "yield", "joined"),
    )
)
# What varies in these is a verb: the word that is taught for it.
_OF_A_WORD = frozenset(
    {
        "undone: …",
        "“…” noted",
        "refused: …",
        "“…” came too late",
        "“…” overtaken by a later word",
        "“…” gives way to “…”",
    }
)


@dataclass(frozen=True, slots=True)
class _Table:
    """Whole texts, and patterns for those with something in them that varies."""

    exact: Mapping[str, str]
    patterns: tuple[tuple[str, re.Pattern[str], str], ...]

    def find(self, text: str) -> tuple[str, str, tuple[str, ...]] | None:
        """(key, what it becomes, what varied)."""
        if text in self.exact:
            return text, self.exact[text], ()
        for key, pattern, said in self.patterns:
            found = pattern.fullmatch(text)
            if found:
                return key, said, found.groups()
        return None


class Tongue:
    """How one language tells a history."""

    def __init__(self, tables: Mapping[str, Mapping[str, str]], words: Mapping[str, Mapping[str, str]]) -> None:
        """`tables`: who, what, why; `words`: say (verb → the word taught for it), and the reasons that mails give."""
        self._who, self._what = _table(tables["who"]), _table(tables["what"])
        reasons = {
            why: said[:1].lower() + said[1:] for why, said in words["reasons"].items()
        }  # no sentence begins here
        self._why = _table({**reasons, **tables["why"]})
        self._words = words["say"]

    def who(self, who: str, world: World) -> str:
        """Whoever did it: a key of the roster becomes a name."""
        by, also, key = who.rpartition(", as ")  # "operator, as anna"
        return self._of(self._who, f"{by}{also}{world.name(key)}")

    def tell(self, what: str, why: str) -> tuple[str, str]:
        """What happened and the reason for it."""
        found = self._what.find(what)
        if found is None:
            return what, why
        key, said, varied = found
        if key in _OF_A_WORD:
            varied = tuple(self._words.get(each, each) for each in varied)
        return _fill(said, varied), why if key in _OWN_WORDS else self._of(self._why, why)

    def _of(self, table: _Table, text: str) -> str:
        """The text in this language; what varies in it may be a known text itself ("not settled in time: drawn")."""
        found = table.find(text) if text and text[0] != "“" else None  # what stands in quotes is somebody's own
        if found is None:
            return text
        _, said, varied = found
        return _fill(said, tuple(self._of(table, each) for each in varied))


def _table(texts: Mapping[str, str]) -> _Table:
    patterns = tuple(
        (key, re.compile("(.+)".join(re.escape(part) for part in key.split(VARIES)), re.DOTALL), said)
        for key, said in texts.items()
        if VARIES in key
    )
    return _Table({key: said for key, said in texts.items() if VARIES not in key}, patterns)


def _fill(said: str, varied: tuple[str, ...]) -> str:
    for each in varied:
        said = said.replace(VARIES, each.replace(VARIES, "\0"), 1)
    return said.replace("\0", VARIES)


@lru_cache(maxsize=8)
def tongue_of(templates: Templates, language: str) -> Tongue:
    """The language's tables; English where it has none."""
    source = f"{language}/_history" if f"{language}/_history" in templates.sources else "en/_history"
    words = templates.words(f"{source.partition('/')[0]}/_words")
    return Tongue(templates.words(source), words)
