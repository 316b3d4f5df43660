"""Phrases as they are written down, and matching them against the words of a line.

Job: turn a language's phrases into one automaton, and say which phrases begin at a word of a line and where they end.
Core: no I/O, no clock, no logging.

Notation, one phrase a line: `a|b` either; `[a|b]` may be missing; `(a|b)` grouped; `,` a comma may stand here;
`{name}` one of the language's own sets, or a slot that the caller reads (SLOTS; of these only {who} may begin a phrase,
and {num} a set). Members of the set `soft` ("please", "gladly") may stand anywhere. A line that begins with # is a
comment. Case, accents and apostrophes do not matter.

Invariants: a phrase never runs over the end of a clause, except at a `,` or inside a slot; matching visits each pair of
word and state at most once, so its time is bounded by the line's length times the grammar's size, whatever the words.
A phrase is compiled when a line first holds a word that it can begin with: twelve languages load in no time.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from router.phrases.words import COMMA, NONE, Line, spellings, split_words

SLOTS = frozenset({"who", "whose", "date", "num", "any", "text", "message", "skills"})
ANY = "{}"  # no word is written so: what a slot begins with is known to the slot alone
NUMBER = "{num}"  # … and this one begins with any digits
_SOFT = "soft"
_CROWD = "crowd"
_MOST_SOFT = 8  # words of a filler
_MOST_WORDS = 30  # … and of a phrase with all fillers and names in it
_MANY = 20  # phrases: as many make thousands of states
_NAME = "{who}"
_PIECE = re.compile(r"[()\[\]|,]|\{[\w-]+\}|[^\s()\[\]|,{}-]+|[{}]")
_CLOSING = {"(": ")", "[": "]"}
# What a phrase can begin with, where that is plain to see: some optional groups, then a word or a group without holes.
_OPENING = re.compile(r"\s*(?:\[[^\[\]()]+\][\s,]*)*(?:\((?!\|)[^\[\]()]*[^\[\]()|\s]\)|[^\s\[\]()|]+)(?=[\s,]|$)")
_INNERMOST = re.compile(r"\([^\[\]()]*\)|\[[^\[\]()]*\]")
_NAMED = re.compile(r"\{([\w-]+)\}")

Capture = tuple[str, int, int]  # slot, its first word, the word after its last
SlotReader = Callable[[str, int], Iterable[int]]  # (slot, first word) -> every word before which it may end


class PhraseError(ValueError):
    """A phrase is not in the notation; the text names the phrase and the fault."""


class _State:
    __slots__ = ("comma", "labels", "single", "slots", "words")

    def __init__(self, single: bool) -> None:
        self.words: dict[str, list[_State]] = {}
        self.slots: list[tuple[str, _State]] = []
        self.labels: list[str] = []
        self.comma = False  # a comma may stand before the next word
        self.single = single  # reached from one state by one word, so a second phrase may share it


class Grammar:
    """The phrases of one language: pairs of (what they mean, phrases) and of (name of a set, its members)."""

    def __init__(self, language: str, phrases: Sequence[tuple[str, str]], sets: Sequence[tuple[str, str]] = ()) -> None:
        self.language = language
        self.start = _State(single=False)
        self._texts = {name: "\n".join(text for key, text in sets if key == name) for name, _ in sets}
        self._sets: dict[str, _State] = {}
        self._beginnings: dict[str, frozenset[str]] = {}
        self._waiting: dict[str, list[tuple[str, str]]] = {}  # a word or {set} -> phrases that may begin with it
        self._compiled: set[tuple[str, str]] = set()
        for label, text in phrases:
            for phrase in _phrases(text):
                for word in _openings(phrase):
                    self._waiting.setdefault(word, []).append((label, phrase))
        self.opens_with_name = _NAME in self._waiting
        self.openers: dict[str, tuple[str, ...]] = {}  # a word -> what phrases that begin with it wait for
        for opener in self._waiting:
            for word in self.beginnings(opener[1:-1]) if opener[0] == "{" else (opener,):
                self.openers[word] = (*self.openers.get(word, ()), opener)

    def compile(self) -> None:
        """Compile all phrases now. Raises PhraseError for the first fault in the notation, an unknown set included."""
        for text in (phrase for waiting in self._waiting.values() for _, phrase in waiting):
            for name in _NAMED.findall(text):
                if name not in SLOTS and name not in self._texts:
                    raise PhraseError(f"{text.strip()!r}: there is no set {{{name}}}")
        for opener in list(self._waiting):
            self._compile_waiting(opener)
        for name in self._texts:
            self.members(name)

    def begins_with(self, word: str, named: bool) -> bool:
        """Whether a phrase may begin with the folded `word`, or a name (`named`); those that may are then compiled."""
        openers = self.openers.get(word, ())
        for opener in (*openers, _NAME) if named and self.opens_with_name else openers:
            self._compile_waiting(opener)
        return bool(openers) or (named and self.opens_with_name)

    def beginnings(self, name: str) -> frozenset[str]:
        """Folded words with which a member of the set `name` may begin, and a few more; ANY where a slot may."""
        if name not in self._beginnings:
            self._beginnings[name] = frozenset()  # a set that begins with itself
            words: set[str] = set()
            for phrase in _phrases(self._texts.get(name, "")):
                for word in _openings(phrase):
                    inner = word[1:-1] if word[0] == "{" and word != NUMBER else ""
                    words |= {ANY} if inner in SLOTS else self.beginnings(inner) if inner else {word}
            self._beginnings[name] = frozenset(words)
        return self._beginnings[name]

    def members(self, name: str) -> _State:
        """The automaton of the set `name`. Raises PhraseError when there is no such set."""
        if name not in self._sets:
            if name not in self._texts:
                raise PhraseError(f"there is no set {{{name}}}")
            start = self._sets[name] = _State(single=False)
            for phrase in _phrases(self._texts[name]):
                _compile(phrase, start, name)
        return self._sets[name]

    def _compile_waiting(self, opener: str) -> None:
        if opener not in self._waiting:  # nearly always: every word of a line asks
            return
        phrases = self._waiting.pop(opener)
        with uncollected(len(phrases) > _MANY):
            for waiting in phrases:
                if waiting not in self._compiled:  # it may begin otherwise as well, and have been met so
                    self._compiled.add(waiting)
                    label, phrase = waiting
                    _compile(phrase, self.start, label)


@contextmanager
def uncollected(large: bool = True) -> Iterator[None]:
    """What is made here, if `large`, lives as long as the process: nobody ever looks through it for garbage.

    The collector would take two thirds of the time in which phrases are compiled, and later much of that of a mail.
    """
    if not large or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _phrases(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _openings(phrase: str) -> frozenset[str]:
    """The folded words and {sets} that `phrase` can begin with, and perhaps some that it cannot."""
    opening = _OPENING.match(phrase)
    return _words_of(opening.group() if opening and not _has_branches(phrase) else phrase)


@cache
def _words_of(head: str) -> frozenset[str]:
    """The folded words and {sets} in `head`: hundreds of phrases begin with "(i|we)"."""
    sets = _NAMED.findall(head)
    words = split_words(_NAMED.sub(" ", head) if sets else head)
    return frozenset({f"{{{name}}}" for name in sets}.union(*map(spellings, words)))


def _has_branches(phrase: str) -> bool:
    """Whether alternatives stand outside all brackets, so that each of them is a beginning."""
    while "|" in phrase:
        outside = _INNERMOST.sub("", phrase)
        if outside == phrase:
            return True
        phrase = outside
    return False


def _compile(phrase: str, start: _State, label: str) -> None:
    pieces = _PIECE.findall(phrase)
    ends, used = _either(pieces, 0, [start], phrase)
    if used != len(pieces):
        raise PhraseError(f"{phrase.strip()!r}: a bracket is closed that was not opened")
    for end in ends:
        if end is start:
            raise PhraseError(f"{phrase.strip()!r}: nothing is left when what may be missing is missing")
        if label not in end.labels:
            end.labels.append(label)


def _either(
    pieces: list[str], at: int, froms: list[_State], phrase: str, meet: _State | None = None
) -> tuple[list[_State], int]:
    """Read alternatives up to a closing bracket or the end: the states they end in, and how far was read.

    Alternatives that end with a word or a set end in the state `meet`, if there is one: else what follows would be
    joined to the end of each of them.
    """
    ends: list[_State] = []
    current = froms
    while at < len(pieces) and pieces[at] not in (")", "]"):
        piece, at = pieces[at], at + 1
        if piece == "|":
            ends += current
            current = froms
        elif piece in _CLOSING:
            shared = len(current) == 1  # other phrases may begin alike, and then one state serves them all
            inner, at = _either(pieces, at, current, phrase, None if shared else _State(single=False))
            if at >= len(pieces) or pieces[at] != _CLOSING[piece]:
                raise PhraseError(f"{phrase.strip()!r}: the bracket {piece} is not closed")
            current = list(dict.fromkeys(inner if piece == "(" else (*inner, *current)))
            at += 1
        elif piece == ",":
            for state in current:
                state.comma = True  # phrases that begin alike may have a comma there too, which does no harm
        else:
            is_last = at < len(pieces) and pieces[at] in ("|", ")", "]")
            current = _step(piece, current, phrase, meet if is_last else None)
    return ends + current, at


def _step(piece: str, froms: list[_State], phrase: str, meet: _State | None) -> list[_State]:
    if piece[0] == "{" and len(piece) > 2:
        return [_slot(piece[1:-1], froms, meet)]
    words = (piece,) if piece.isalpha() else split_words(piece)
    if not words:
        raise PhraseError(f"{phrase.strip()!r}: {piece} is neither a word nor a {{set}}")
    for word in words[:-1]:
        froms = [_word(spellings(word), froms, None)]
    return [_word(spellings(words[-1]), froms, meet)]


def _word(forms: tuple[str, ...], froms: list[_State], meet: _State | None) -> _State:
    alone = not meet and len(froms) == 1 and len(forms) == 1
    if alone:
        for known in froms[0].words.get(forms[0], ()):
            if known.single:
                return known
    target = meet or _State(alone)
    for source in froms:
        for form in forms:
            source.words.setdefault(form, []).append(target)
    return target


def _slot(name: str, froms: list[_State], meet: _State | None) -> _State:
    alone = not meet and len(froms) == 1
    if alone:
        for slot, known in froms[0].slots:
            if slot == name and known.single:
                return known
    target = meet or _State(alone)
    for source in froms:
        source.slots.append((name, target))
    return target


class Match:
    """`label` was found and ends before the word at `end`; `captures` are the slots on the way."""

    __slots__ = ("captures", "end", "label")

    def __init__(self, label: str, end: int, captures: tuple[Capture, ...]) -> None:
        self.label = label
        self.end = end
        self.captures = captures


class Reader:
    """One grammar at work on one line. It remembers what it found, so asking twice is free.

    `slot(name, place)` says before which words a slot that begins at the word `place` may end.
    """

    __slots__ = ("_found", "_members", "grammar", "line", "slot")

    def __init__(self, grammar: Grammar, line: Line, slot: SlotReader) -> None:
        self.grammar = grammar
        self.line = line
        self.slot = slot
        self._found: dict[int, list[Match]] = {}
        self._members: dict[tuple[str, int], tuple[int, ...]] = {}

    def at(self, place: int) -> list[Match]:
        """Every phrase that begins at the word `place`, fillers before it included."""
        found = self._found.get(place)
        if found is None:
            found = self._found[place] = []
            if self.grammar.begins_with(self.line.keys[place], bool(self.slot("who", place))):
                found += self._run(self.grammar.start, place)
            known = {(match.label, match.end, match.captures) for match in found}
            crowd = self.member(_CROWD, place)  # "alle vil have den": no filler, but who wants it
            for end in self.member(_SOFT, place):
                if end < len(self.line.words) and self.line.breaks[end - 1] == NONE and end not in crowd:
                    for match in self.at(end):  # once each: fillers that may be parted in many ways double them
                        key = (match.label, match.end, match.captures)
                        if key not in known:
                            known.add(key)
                            found.append(match)
        return found

    def member(self, name: str, place: int) -> tuple[int, ...]:
        """Before which words the members of the set `name` that begin at the word `place` end."""
        beginnings = self.grammar.beginnings(name)
        word = self.line.keys[place]
        if word not in beginnings and ANY not in beginnings and not (NUMBER in beginnings and word.isdigit()):
            return ()
        key = (name, place)
        ends = self._members.get(key)
        if ends is None:
            self._members[key] = ()  # a set that begins with itself has no members here
            most = _MOST_SOFT if name == _SOFT else _MOST_WORDS
            ends = tuple({match.end for match in self._run(self.grammar.members(name), place, most)})
            self._members[key] = ends
        return ends

    def _run(self, start: _State, place: int, most: int = _MOST_WORDS) -> list[Match]:
        """What begins at `place` and is found within `most` words; without a bound a line of fillers takes a minute."""
        words, breaks = self.line.keys, self.line.breaks
        found: list[Match] = []
        waiting: dict[int, dict[_State, tuple[Capture, ...]]] = {place: {start: ()}}
        while waiting:
            here = min(waiting)
            if here > place + most:
                break
            states = waiting.pop(here)
            inside = here < len(words)
            word = words[here] if inside else ""
            kind = breaks[here - 1] if here > place else NONE
            softs = self.member(_SOFT, here) if inside and here > place else ()
            for state, captures in states.items():
                for label in state.labels:
                    found.append(Match(label, here, captures))
                if not inside or (kind != NONE and not (kind == COMMA and state.comma)):
                    continue
                for target in state.words.get(word, ()):
                    waiting.setdefault(here + 1, {}).setdefault(target, captures)
                for name, target in state.slots:
                    if name in SLOTS:
                        for end in self.slot(name, here):
                            waiting.setdefault(end, {}).setdefault(target, (*captures, (name, here, end)))
                    else:
                        for end in self.member(name, here):
                            waiting.setdefault(end, {}).setdefault(target, captures)
                for end in softs:
                    waiting.setdefault(end, {}).setdefault(state, captures)
        return found
