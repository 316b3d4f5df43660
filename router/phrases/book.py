"""The phrase book: the tables of the languages that a collective speaks, compiled, with the operator's own phrases.

Job: tables → grammars and word lists, once for each choice of languages. Core: no I/O beyond the tables, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from router.phrases import LANGUAGES, Table, table
from router.phrases.grammar import Grammar, uncollected
from router.phrases.words import MARK, fold, key, spellings, split_words

_SLOT = re.compile(r"\{[\w-]+\}")
# Sets looked for by themselves.
_SEEN = ("soft", "time", "thin", "about", "cause", "self", "field", "although", "nobody-else")
OWN = "own"  # the language of the operator's own phrases
Extra = tuple[tuple[str, tuple[str, ...]], ...]
_Remarks = Mapping[str, tuple[tuple[tuple[str, ...], str], ...]]  # first word -> (the words, kind of remark)


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that reading a line needs to know about words."""

    languages: tuple[str, ...]
    grammars: tuple[Grammar, ...]
    starters: Mapping[
        str, tuple[int, ...]
    ]  # a word -> places in `grammars` of those with a phrase, filler, time or "mine" that may begin so
    remarks: Mapping[str, _Remarks]  # by language
    conditions: Mapping[str, frozenset[str]]  # by language: keys with which an "if" begins
    safe: Mapping[str, frozenset[str]]  # by language: how harmless remarks begin: "I", "thanks"
    joins: Mapping[str, frozenset[str]]  # by language: and; as keys: "è" is not "e"
    reasons: Mapping[str, frozenset[str]]  # by language: because, since
    hence: Mapping[str, frozenset[str]]  # by language: so, therefore; as keys: "sa" is not "så"
    asking: Mapping[str, frozenset[str]]  # by language: who, when, where
    articles: Mapping[str, frozenset[str]]  # by language: the, a, my
    speakers: Mapping[str, frozenset[str]]  # by language, where it is not left out: I, we
    persons: Mapping[str, frozenset[str]]  # by language, where the verb comes second: of whom a sentence may tell
    first: Mapping[str, frozenset[str]]  # by language: verbs that are said of oneself only, whose "I" may be missing
    subjects: Mapping[str, frozenset[str]]  # by language, where the verb comes second: how a statement begins: I, it
    wish: Mapping[str, frozenset[str]]  # by language: would like, want: taken back by a "but" they are a pass
    then: Mapping[str, frozenset[str]]  # by language: leads from a condition, or a time, to the rest
    nobody: frozenset[str]  # with a capital, and still no name: "Everybody"
    no_message: frozenset[str]  # "throw it", "warm regards": not the beginning of a text for a client
    english: frozenset[str]  # telling words of other languages that are ordinary words of English: Dutch "of"
    numbering: frozenset[str]  # "bun", "nr": before the number of a bun
    other: frozenset[str]  # "the other one", "the next bun": not the one that is offered

    def remarks_in(self, words: Sequence[str], languages: frozenset[str]) -> list[tuple[int, str, str]]:
        """(place, kind, words) of every telling remark in `words`, in the order they stand; the longest at a place.

        `words` are keys, so that "sí" is not "si".
        """
        found = []
        place = 0
        while place < len(words):
            step = 1
            for length, kind in self._remark_at(words, place, languages):
                found.append((place, kind, " ".join(words[place : place + length]).replace(MARK, "")))
                step = max(step, length)
            place += step
        return found

    def _remark_at(self, words: Sequence[str], place: int, languages: frozenset[str]) -> list[tuple[int, str]]:
        """Kinds of remark at `place`. "No problem" is harmless: a longer phrase hides the shorter ones in it.

        A harmless one hides those of other languages that are as long: Swedish "till" is "to".
        """
        fits = [
            (len(phrase), kind)
            for language in languages
            for phrase, kind in self.remarks[language].get(words[place], ())
            if tuple(words[place : place + len(phrase)]) == phrase
        ]
        longest = max((length for length, _ in fits), default=0)
        harmless = [fit for fit in fits if fit == (longest, "harmless")]
        return harmless or [fit for fit in fits if fit[0] == longest]


@lru_cache(maxsize=16)
@uncollected()
def book(languages: tuple[str, ...], extra: Extra = (), things: tuple[str, ...] = ()) -> Book:
    """The book for `languages` (none named: all), the operator's phrases and the collective's words for a bun.

    English always belongs to it: its keywords are the ones that the router's mails teach.
    """
    spoken = tuple(code for code in LANGUAGES if not languages or code in languages or code == "en")
    tables = [table(language) for language in spoken]
    grammars = [_grammar(language, things) for language in spoken]
    remarks = {language: _remarks(language) for language in spoken}
    if extra:
        grammars.append(_own_grammar(tables, extra))
        remarks[OWN] = {}
    return Book(
        spoken,
        tuple(grammars),
        _starters(grammars),
        remarks,
        {language: _beginning(found, "if") for language, found in remarks.items()},
        safe=_by_language(tables, "safe"),
        joins=_by_language(tables, "and", key),
        reasons=_by_language(tables, "because"),
        hence=_by_language(tables, "so", key),
        asking=_by_language(tables, "asking"),
        articles=_by_language(tables, "article"),
        speakers=_by_language(tables, "speaker"),
        persons=_by_language(tables, "person"),
        first=_by_language(tables, "first"),
        subjects=_by_language(tables, "subject"),
        wish=_by_language(tables, "wish"),
        then=_by_language(tables, "then", key),
        nobody=_together(tables, "nobody"),
        no_message=_together(tables, "no-message"),
        english=_together(tables, "english"),
        numbering=_together(tables, "numbering") | {fold(words[-1]) for each in things if (words := split_words(each))},
        other=_together(tables, "other"),
    )


def _by_language(tables: Sequence[Table], name: str, form: Callable[[str], str] = fold) -> Mapping[str, frozenset[str]]:
    return {each.language: frozenset(form(word) for word in each.word_list(name)) for each in tables}


def _beginning(remarks: _Remarks, kind: str) -> frozenset[str]:
    """The keys with which a remark of `kind` begins."""
    return frozenset(first for first, phrases in remarks.items() if any(each == kind for _, each in phrases))


def _together(tables: Sequence[Table], name: str) -> frozenset[str]:
    return frozenset(fold(word) for each in tables for word in each.word_list(name))


def _starters(grammars: Sequence[Grammar]) -> Mapping[str, tuple[int, ...]]:
    starters: dict[str, tuple[int, ...]] = {}
    for place, grammar in enumerate(grammars):
        for word in {
            *grammar.openers,
            *(word for name in _SEEN for word in grammar.beginnings(name)),
        }:
            starters[word] = (*starters.get(word, ()), place)
    return starters


@lru_cache(maxsize=64)
def _grammar(language: str, things: tuple[str, ...]) -> Grammar:
    source = table(language)
    own = []
    for thing in things:
        plain = " ".join(split_words(thing))
        own.append(("thing", "|".join(plain + ending for ending in ("", *source.word_list("endings")))))
    return Grammar(language, source.phrases, (*source.sets, *own))


def _own_grammar(tables: Sequence[Table], extra: Extra) -> Grammar:
    """The operator's phrases; the sets of every language may be used in them. Raises PhraseError."""
    phrases = [(verb, phrase) for verb, phrases in extra for phrase in phrases]
    named = any("{" in phrase for _, phrase in phrases)
    sets = [pair for each in tables for pair in each.sets if named or pair[0] == "soft"]
    grammar = Grammar(OWN, phrases, sets)
    grammar.compile()
    return grammar


@cache
def vocabulary(language: str) -> frozenset[str]:
    """Every folded word that stands anywhere in the tables of `language`; none for the operator's own phrases."""
    if language == OWN:
        return frozenset()
    source = table(language)
    texts = (
        text for part in (source.phrases, source.sets, source.remarks, source.words, source.dates) for text in part
    )
    return frozenset(fold(word) for _, text in texts for word in split_words(_SLOT.sub(" ", text)))


@cache
def _remarks(language: str) -> _Remarks:
    by_first: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for kind, lines in table(language).remarks:
        for phrase in lines.replace(",", "\n").splitlines():
            forms: list[tuple[str, ...]] = [()]
            for written in split_words(phrase):
                forms = [(*form, spelling) for form in forms for spelling in spellings(written)]
            for form in forms:
                if form:
                    by_first.setdefault(form[0], []).append((form, kind))
    return {first: tuple(phrases) for first, phrases in by_first.items()}
