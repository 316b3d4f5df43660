"""Names of consultants in a line: whole words, whatever their case and accents.

Job: say which consultants are named at a word of a line, and where the naming ends. Core: no I/O, no clock, no logging.
Invariants: a part of a name ("Anna") counts when it is one person's only; shared by two it names nobody we know. A word
that is on no list is taken for a name only when it is written with a capital; before that it is looked up among the
forms that Finnish and Polish give a name ("Annalle", "Annie", "Bergin"). A form that two people share names neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from router.phrases.words import COMMA, NONE, Line, fold, split_words

DECLINING = frozenset({"fi", "pl"})  # languages in whose phrases the case forms of a name count
_MOST_NAMES = 6
_LONGEST_UNKNOWN = 2  # words: "Kalle", "Kalle Berg"


@dataclass(frozen=True, slots=True)
class Named:
    """Who is named up to the word `end`: keys of the roster, or a name that is on no roster."""

    end: int
    keys: tuple[str, ...]
    unknown: str = ""
    shared: bool = False  # `unknown` is the name of two people on the roster
    declined: str = ""  # as written, if only Finnish or Polish make it their name: "Annie"


class People:
    """The roster's names, ready for looking up."""

    def __init__(self, names: Sequence[tuple[str, str]]) -> None:
        self._whole: dict[tuple[str, ...], set[str]] = {}
        self._parts: dict[tuple[str, ...], set[str]] = {}
        self._forms: dict[str, set[str]] = {}  # a case form of one word of a name -> whose it may be
        self._longest = 1
        for key, name in names:
            for alias in (name, key):
                words = tuple(fold(word) for word in split_words(alias))
                if words:
                    self._whole.setdefault(words, set()).add(key)
                    self._longest = max(self._longest, len(words))
                for word in words if len(words) > 1 else ():
                    if len(word) > 1:
                        self._parts.setdefault((word,), set()).add(key)
                for form in (form for word in words if len(word) > 1 for form in case_forms(word)):
                    self._forms.setdefault(form, set()).add(key)

    def known(self, line: Line, place: int) -> Iterator[tuple[int, frozenset[str]]]:
        """Every name of the roster that begins at the word `place`: where it ends, and whose it may be."""
        for length in range(min(self._longest, len(line) - place), 0, -1):
            words = line.words[place : place + length]
            keys = self._whole.get(words) or self._parts.get(words)
            if keys and not any(line.breaks[place : place + length - 1]):
                yield place + length, frozenset(keys)

    def possessive(self, line: Line, place: int) -> frozenset[str]:
        """Whose name stands at `place` with an s at its end ("Anna's", "Annas")."""
        word = line.words[place]
        if not word.endswith("s"):
            return frozenset()
        return frozenset(self._whole.get((word[:-1],)) or self._parts.get((word[:-1],)) or ())

    def at(self, line: Line, place: int, nobody: frozenset[str], joins: frozenset[str]) -> Iterator[Named]:
        """Every way to read one or more names at `place`. Words in `nobody` are no names; `joins` are "and", "och"."""
        for named in self._one(line, place, nobody):
            yield from self._more(line, named, nobody, joins, 1)

    def _more(
        self, line: Line, named: Named, nobody: frozenset[str], joins: frozenset[str], count: int
    ) -> Iterator[Named]:
        yield named
        following = named.end
        if following >= len(line) or count >= _MOST_NAMES:
            return
        broken = line.breaks[following - 1]
        if line.words[following] in joins and broken in (NONE, COMMA):
            following += 1
        elif broken != COMMA and "&" not in line.gap(following - 1) and "+" not in line.gap(following - 1):
            return
        if following >= len(line):
            return
        for other in self._one(line, following, nobody):
            both = tuple(dict.fromkeys(named.keys + other.keys))
            unknown, shared = named.unknown or other.unknown, named.shared or other.shared
            joined = Named(other.end, both, unknown, shared, named.declined or other.declined)
            yield from self._more(line, joined, nobody, joins, count + 1)
            break

    def _one(self, line: Line, place: int, nobody: frozenset[str]) -> Iterator[Named]:
        known = False
        for end, keys in self.known(line, place):
            known = True
            if len(keys) == 1:
                yield Named(end, tuple(keys))
            else:
                yield Named(end, (), " ".join(line.written(at) for at in range(place, end)), shared=True)
        if known:
            return
        for end, owners in self._declined(line, place):
            yield Named(end, owners, declined=line.text[line.spans[place][0] : line.spans[end - 1][1]])
            return
        for end in range(place + 1, min(place + _LONGEST_UNKNOWN, len(line)) + 1):
            written = line.written(end - 1)
            if not written[0].isupper() or line.words[end - 1] in nobody:
                return
            if end - 1 > place and (line.breaks[end - 2] or any(self.known(line, end - 1))):
                return
            yield Named(end, (), line.text[line.spans[place][0] : line.spans[end - 1][1]])

    def _declined(self, line: Line, place: int) -> Iterator[tuple[int, tuple[str, ...]]]:
        """The longest name in a case of its language that begins at `place`, with a capital: "Anny Svensson"."""
        fit: set[str] = set()
        end = place
        while end < len(line) and line.written(end)[0].isupper() and not (end > place and line.breaks[end - 1]):
            word = line.words[end]
            keys = self._forms.get(word, set()) | (self._parts.get((word,), set()) if end > place else set())
            if not keys or (fit and not fit & keys):
                break
            fit, end = (fit & keys if fit else set(keys)), end + 1
        if len(fit) == 1:
            yield end, tuple(fit)


_FINNISH = ("n", "a", "ta", "lle", "lla", "lta", "ssa", "sta", "an", "en", "in", "on", "un", "yn", "hin", "na", "ksi")
_POLISH_A = ("y", "i", "ie", "e", "o", "u", "iu", "owi")  # Anna: Anny, Annie, Anne (for Annę), Anno; Kasia: Kasi, Kasiu
_POLISH = ("a", "owi", "em", "iem", "u", "ie", "ze", "emu", "ego", "im", "ym")
_POLISH_SOFT = {"k": "c", "g": "dz", "t": "ci", "d": "dzi", "r": "rz", "l": "l", "ch": "sz"}  # Monice, Oldze, Marcie


@lru_cache(maxsize=4096)
def case_forms(word: str) -> frozenset[str]:
    """The forms that Finnish and Polish give the folded name `word`, folded, without the name itself."""
    last, stem = word[-1], word[:-1]
    forms = {word + ending for ending in _FINNISH}
    if last in "aeiouy":
        weak = stem[:-1] if stem[-2:] in ("kk", "pp", "tt") else ""  # Pekka: Pekan, Pekalle
        forms |= {weak + last + ending for ending in ("n", "lle", "lla", "lta", "ssa", "sta", "ksi") if weak}
    else:
        forms |= {f"{word}i{ending}" for ending in ("n", "a", "lle", "lla", "lta", "ssa", "sta", "in")}  # Robertille
        if last == "s":
            forms |= {f"{stem}kse{ending}" for ending in ("n", "lle", "lla", "lta", "ssa", "sta", "en")}  # Mariukselle
    if word.endswith("nen"):
        forms |= {f"{word[:-3]}se{ending}" for ending in ("n", "lle", "lla", "lta", "ssa", "sta", "en")} | {
            f"{word[:-3]}sta"
        }
    if last == "a" and len(word) > 2:
        forms |= {stem + ending for ending in _POLISH_A}
        forms |= {stem[: -len(hard)] + soft + "e" for hard, soft in _POLISH_SOFT.items() if stem.endswith(hard)}
        if word.endswith("ska"):
            forms |= {f"{stem}iej"}
    elif last in "iy":
        forms |= {word + ending for ending in ("ego", "emu", "m")}  # Kowalski: Kowalskiego
    elif last not in "aeou":
        forms |= {word + ending for ending in _POLISH}
        if word[-2:] == "ek":
            forms |= {word[:-2] + "k" + ending for ending in _POLISH}  # Marek: Marka, Markowi
        if last in "td":
            forms |= {stem + {"t": "ci", "d": "dzi"}[last] + "e"}
    return frozenset(forms) - {word}


@lru_cache(maxsize=64)
def people(names: tuple[tuple[str, str], ...]) -> People:
    """The People of `names`, (consultant key, a name of theirs) pairs; made once for each roster."""
    return People(names)
