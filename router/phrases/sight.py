"""One line, and everything of the book that can be seen in it.

Job: say which phrases begin at a word and fill their clause, and where names and dates stand.
Core: no I/O, no clock, no logging. Which of it is the line's command is chosen in `choice.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from router.dates import match_date
from router.phrases.book import OWN, Book, vocabulary
from router.phrases.grammar import Capture, Reader
from router.phrases.names import DECLINING, Named, People
from router.phrases.words import COMMA, NONE, Line

MOST_LEADS = 6  # greetings and bits of small talk before a command
NO_VERBS = frozenset({"greeting", "lead", "topic", "chat", "closing", "company", "order", "half", "unclear"})
OPEN = frozenset({"half", "unclear"})  # words that leave it open; against a command of the same length "unclear" wins
TAILS = frozenset({"closing"})  # may stand behind a command, even without a comma
TALK = TAILS | {"chat", "greeting"}
_BARE = ("-short", "-alone", "-told", "-join")  # endings of labels: see en.toml
_UNTRAILED = frozenset({"lead", "topic", "company"})  # nothing is asked of what follows these
_ENDLESS = frozenset({"text", "message"})
_TELLING = frozenset({"if", "not", "but", "maybe", "said", "when", "later"})  # kinds of remark that no adjective has
_MOST_STRANGERS = 3  # words of unknown names after "Hi"


@dataclass(frozen=True, slots=True)
class Found:
    """A phrase from the word `start` to before `end`. `closed`: where its clause ends; -1 when other words follow."""

    label: str
    languages: frozenset[str]
    start: int
    end: int
    closed: int
    captures: tuple[Capture, ...]

    @property
    def verb(self) -> str:
        """The command: "claim-short", "claim-alone", "claim-told" and "claim-join" are claims, "no" is a pass."""
        return command_of(self.label)

    @property
    def bare(self) -> bool:
        """Whether it is a bare word, clear only on its own: "mine", "yes", whatever the operator added."""
        return self.label.endswith(_BARE) or self.label == "yes" or OWN in self.languages

    @property
    def text_at(self) -> int:
        """The word at which its free text begins; -1 when it has no slot for one."""
        return next((first for slot, first, _ in self.captures if slot in _ENDLESS), -1)


def command_of(label: str) -> str:
    """The command that a table's label stands for; the label itself when it stands for none."""
    return "pass" if label == "no" else label.split("-")[0] if label.endswith(_BARE) else label


class Sight:
    """A line under the book. Remembers what it saw."""

    def __init__(self, line: Line, book: Book, people: People, today: date | None, number: int = 0) -> None:
        self.line = line
        self.number = number  # of the bun that is spoken of; 0: not known
        self.book = book
        self.people = people
        self.named: dict[tuple[int, int], Named] = {}
        self.dates: dict[tuple[int, int], date] = {}
        self.commands: dict[int, Found | None] = {}  # what `find` found at a word
        self._joins = frozenset().union(*book.joins.values())
        self.today = today
        self._readers: dict[int, Reader] = {}
        self._slots: dict[tuple[str, int], tuple[int, ...]] = {}
        self._labels: dict[int, tuple[tuple[str, int], ...]] = {}
        self._closings: dict[tuple[str, int, frozenset[str]], int] = {}
        self._tongues: dict[int, list[Reader]] = {}

    def labels(self, place: int) -> tuple[tuple[str, int], ...]:
        """(label, end) of every phrase that begins at `place`, in any language."""
        if place not in self._labels:
            found = ((match.label, match.end) for reader in self._readers_at(place) for match in reader.at(place))
            self._labels[place] = tuple(dict.fromkeys(found))
        return self._labels[place]

    def phrases(self, place: int) -> list[Found]:
        """Every phrase that begins at `place`; one that stands in several languages' tables comes once."""
        together: dict[tuple[str, int, tuple[Capture, ...]], frozenset[str]] = {}
        for reader in self._readers_at(place):
            for match in reader.at(place):
                key = (match.label, match.end, match.captures)
                together[key] = together.get(key, frozenset()) | {reader.grammar.language}
        return [
            Found(label, languages, place, end, self._closing(label, end, languages), captures)
            for (label, end, captures), languages in together.items()
        ]

    def _closing(self, label: str, end: int, languages: frozenset[str]) -> int:
        if label in _UNTRAILED:
            return end if self.line.ends_at(end) else -1
        key = (label, end, languages)
        if key not in self._closings:
            self._closings[key] = self.closed(label, end, languages)
        return self._closings[key]

    def _readers_at(self, place: int) -> list[Reader]:
        """Readers of the languages in which anything may begin at `place`."""
        if place in self._tongues:
            return self._tongues[place]
        grammars = self.book.grammars
        named = bool(self.slot("who", place))
        chosen = range(len(grammars)) if named else self.book.starters.get(self.line.keys[place], ())
        for at in chosen:
            if at not in self._readers:
                self._readers[at] = Reader(grammars[at], self.line, self.slot)
        self._tongues[place] = [self._readers[at] for at in chosen]
        return self._tongues[place]

    def captures(self, label: str, place: int) -> tuple[Capture, ...]:
        """The slots of the first phrase `label` that begins at `place`."""
        matches = (match for reader in self._readers_at(place) for match in reader.at(place))
        return next((match.captures for match in matches if match.label == label), ())

    def ends(self, name: str, place: int) -> list[int]:
        """Where members of the set `name` that begin at `place` end, in any language."""
        return [end for reader in self._readers_at(place) for end in reader.member(name, place)]

    def softs(self, place: int) -> list[int]:
        """Where fillers ("please") that begin at `place` end."""
        return self.ends("soft", place)

    def remarks(self, found: Found, first: int, end: int) -> list[tuple[int, str, str]]:
        """Telling remarks from the word `first` to before `end`: of the languages of `found`, and English ones.

        Beside an English keyword the rest may be of any language; but what is an English word is English there.
        """
        keys = self.line.keys[first:end]
        if not found.languages & {"en", OWN}:
            return self.book.remarks_in(keys, found.languages | {"en"})
        foreign = (
            remark
            for remark in self.book.remarks_in(keys, frozenset(self.book.remarks))
            if not all(word in vocabulary("en") for word in remark[2].split())
        )
        return sorted({*foreign, *self.book.remarks_in(keys, frozenset({"en"}))})

    def holds(self, name: str, found: Found) -> bool:
        """Whether a member of the set `name` stands in the words of `found`, in one of its languages."""
        return any(
            end <= found.end
            for at in range(found.start, found.end)
            for reader in self._readers_at(at)
            if reader.grammar.language in found.languages
            for end in reader.member(name, at)
        )

    def member(self, name: str, place: int, tongue: str, found: Found) -> int:
        """The end of the longest member of the set `name` of `tongue` at `place`; 0 when none begins there.

        A word of the language of `found` is that: in "Moje, i zebra" the "i" is Polish.
        """
        word = self.line.words[place]
        if tongue not in found.languages and any(word in vocabulary(language) for language in found.languages):
            return 0
        readers = (reader for reader in self._readers_at(place) if reader.grammar.language == tongue)
        return max((end for reader in readers for end in reader.member(name, place)), default=0)

    def times(self, place: int) -> list[tuple[int, str]]:
        """Where times ("this month", "until Easter") that begin at `place` end, and in which language."""
        readers = self._readers_at(place)
        return [(end, reader.grammar.language) for reader in readers for end in reader.member("time", place)]

    def trailing(self, label: str, place: int) -> list[tuple[int, str]]:
        """Where what any command `label` may end with (times, "for this") ends from `place`; in which language."""
        names = {"pass": ("time", "about"), "no": ("time",), "claim": ("about",)}.get(label, ())
        readers = self._readers_at(place) if names else ()
        return [
            (end, reader.grammar.language) for reader in readers for name in names for end in reader.member(name, place)
        ]

    def head_end(self, found: Found) -> int:
        """Where the command ends, fillers behind it left off: of "throw unfortunately we …" the text begins there."""
        ends = {end for label, end in self.labels(found.start) if label == found.label}
        end = found.end
        while bare := [at for at in ends if found.start < at < end and end in self.softs(at)]:
            end = min(bare)
        return end

    def opens_with_stranger(self, found: Found) -> bool:
        """Whether a name that is on no roster begins the sentence, where any word has a capital: "Java takes it"."""
        opening = [each for each in found.captures if each[1] == found.start]
        return self.line.starts_sentence(found.start) and self.holds_a_stranger(found, opening)

    def names_a_stranger(self, found: Found) -> bool:
        """Whether `found` rests on a name that is on no roster: any word with a capital may be taken for one."""
        return self.holds_a_stranger(found, found.captures)

    def holds_a_stranger(self, found: Found, captures: Iterable[Capture]) -> bool:
        """Whether one of `captures`, in the words of `found`, is a name that is on no roster."""
        named = (self.who(found, first, end) for slot, first, end in captures if slot == "who")
        return any(each.unknown and not each.shared for each in named)

    def who(self, found: Found, first: int, end: int) -> Named:
        """Whom `found` names from `first` to `end`: "Annie" is Anna in Polish and somebody else in English."""
        named = self.named[first, end]
        if named.declined and ("en" in found.languages or not found.languages & DECLINING):
            return Named(end, (), named.declined)
        return named

    def known_name(self, place: int) -> int:
        """The end of a roster's name that begins at `place`; 0 when there is none."""
        return next((end for end, _ in self.people.known(self.line, place)), 0)

    def is_address(self) -> bool:
        """Whether the line only greets: "Hi Anna,", "Hallo zusammen", "Anna,"."""
        line = self.line
        if not line.words:
            return False
        place = 0
        for _ in range(MOST_LEADS):
            greetings = (self.after_greeting(end) for label, end in self.labels(place) if label == "greeting")
            following = max(greetings, default=0)
            if not following:
                break
            place = following
            if place == len(line):
                return True
        called = line.gap(len(line) - 1).strip() in (",", ":") and not self.labels(0)
        return called and len(line) <= _MOST_STRANGERS and all(line.written(at)[0].isupper() for at in range(len(line)))

    def after_greeting(self, end: int) -> int:
        """Where a greeting's addressees end: known names, up to three words with a capital, joined by "and"."""
        line = self.line
        strangers = 0
        while end < len(line) and line.breaks[end - 1] in (NONE, COMMA):
            comma = line.breaks[end - 1] == COMMA
            if known := self.known_name(end):
                end = known
            elif comma:
                break
            elif line.words[end] in self._joins and end + 1 < len(line):
                end += 1
            elif strangers < _MOST_STRANGERS and line.written(end)[0].isupper() and not self.fills(end):
                strangers, end = strangers + 1, end + 1
            else:
                break
        return end

    def fills(self, place: int) -> bool:
        """Whether a command begins at `place` and fills its clause."""
        return any(label not in NO_VERBS and self.line.ends_at(end) for label, end in self.labels(place))

    def is_numbered(self, place: int) -> bool:
        """Whether the word at `place` is written as the number of a bun: "#42", "bun 42", "nr. 42"."""
        line = self.line
        if not line.words[place].isdigit():
            return False
        return line.before(place).endswith("#") or (
            place > 0 and line.breaks[place - 1] == NONE and line.words[place - 1] in self.book.numbering
        )

    def is_other(self, place: int) -> bool:
        """Whether the number at `place` is not that of the bun that is spoken of."""
        word = self.line.words[place]
        return self.number > 0 and word != str(self.number)

    def is_name(self, place: int) -> bool:
        """Whether a name stands from `place` to the end: on the roster, with capitals, or one word behind a dash."""
        line = self.line
        known = self.known_name(place)
        if known and line.ends_at(known):
            return True
        rest = range(place, len(line))
        if len(rest) == 1 and place and not set("/-–—").isdisjoint(line.gap(place - 1)):
            return True
        return len(rest) <= _MOST_STRANGERS and all(line.written(at)[0].isupper() for at in rest)

    def only_trails(self) -> bool:
        """Whether the line is nothing but closings, fillers and names of the roster."""
        place = 0
        while place < len(self.line):
            ends = [end for label, end in self.labels(place) if label in TAILS]
            following = max([*ends, self.known_name(place), *self.softs(place)])
            if following <= place:
                return False
            place = following
        return True

    def closed(self, label: str, end: int, languages: frozenset[str] = frozenset()) -> int:
        """Where the clause ends if only small talk, company or a name trails the phrase; -1 if anything else does."""
        if self.line.ends_at(end):
            return end
        places = [end, *self._trails(label, end, languages)]
        for place in places:
            if self.line.ends_at(place):
                return place
        if label == "pass" and (caused := next((at for at in places if self._is_caused(at, languages)), -1)) >= 0:
            return caused
        lists = [self.book.reasons] if label in ("claim", "claim-short", "pass") else []
        lists += [self.book.joins] if label in ("claim", "pass") else []
        return next((place for place in places for each in lists if self.says(place, each, languages)), -1)

    def _is_caused(self, place: int, languages: frozenset[str]) -> bool:
        """Whether "because of" something begins at `place`, in one of `languages`."""
        readers = self._readers_at(place) if place < len(self.line) else ()
        return any(reader.member("cause", place) for reader in readers if reader.grammar.language in languages)

    def tongues(self, found: Found) -> frozenset[str]:
        """The languages that may stand beside `found`: its own and English; any beside an English keyword."""
        return frozenset(self.book.languages) if found.languages & {"en", OWN} else found.languages | {"en"}

    def may_follow(self, place: int, languages: frozenset[str]) -> bool:
        """Whether a new clause may begin at `place`: behind a comma or full stop, at "so", behind "and"."""
        return (
            self.line.breaks[place - 1] != NONE
            or self.says(place, self.book.hence, languages)
            or self.says(place - 1, self.book.hence, languages)
            or self.says(place - 1, self.book.joins, languages)
        )

    def says(self, place: int, lists: Mapping[str, frozenset[str]], languages: frozenset[str]) -> bool:
        """Whether the word at `place` is in the list of one of `languages`."""
        if place >= len(self.line):
            return False
        exact = any(lists is each for each in (self.book.joins, self.book.hence, self.book.then))
        word = (self.line.keys if exact else self.line.words)[place]
        return any(word in lists.get(language, ()) for language in languages)

    def _trails(self, label: str, end: int, languages: frozenset[str]) -> Iterator[int]:
        """Every place to which names and small talk of ONE language reach from `end`; of any behind an English word."""
        starting = {reader.grammar.language for reader in self._readers_at(end)}
        open_ = not languages or ("en" in languages and label != "claim-alone")  # English "me", Spanish "voy": no claim
        tongues = starting if open_ else starting & (languages | {"en"})  # "min, thx": English closings go with any
        for tongue in tongues or {""}:
            own = open_ or tongue in languages
            place = end
            while not self.line.ends_at(place):
                talk = (reader for reader in self._readers_at(place) if reader.grammar.language == tongue)
                matches = (match for each in talk for match in each.at(place))
                stops = [match.end for match in matches if self._may_trail(match.label, label if own else "")]
                stops += [end for end, language in self.trailing(label, place) if language == tongue]
                named = place if label == "claim-join" else self.known_name(place)  # "I'd love to help Anna"
                numbered = place + 1 if self.line.gap(place - 1).endswith("#") and self.is_numbered(place) else 0
                following = max([*stops, named, numbered])
                if following <= place:
                    break
                yield following
                place = following

    @staticmethod
    def _may_trail(name: str, label: str) -> bool:
        if label.startswith("claim") and label != "claim-join":
            return name in TAILS or name == "company" or name.startswith("claim")
        return name in TAILS

    def slot(self, name: str, place: int) -> Iterable[int]:
        key = (name, place)
        if key not in self._slots:
            self._slots[key] = tuple(self._slot_ends(name, place))
        return self._slots[key]

    def _slot_ends(self, name: str, place: int) -> Iterator[int]:
        line = self.line
        if name == "who":
            for named in self.people.at(line, place, self.book.nobody, self._joins):
                self.named[place, named.end] = named
                yield named.end
        elif name == "whose":
            keys = self.people.possessive(line, place)
            if len(keys) == 1:
                self.named[place, place + 1] = Named(place + 1, tuple(keys))
                yield place + 1
        elif name == "date":
            yield from self._date_end(place)
        elif name == "num":
            yield from (place + 1,) if line.words[place].isdigit() else ()
        elif name == "any":
            yield from (place + 1,) if self._is_adjective(place) else ()
        elif name != "message" or line.words[place] not in self.book.no_message:
            yield len(line)

    def _is_adjective(self, place: int) -> bool:
        """Whether the word at `place` may be said of a bun: none of those that mean another one, and no remark."""
        remarks = self.book.remarks_in(self.line.keys[place : place + 1], frozenset(self.book.remarks))
        if self.line.words[place] in self.book.other or any(kind in _TELLING for _, kind, _ in remarks):
            return False
        if not self.line.words[place].endswith("n"):
            return True
        named = self.people.at(self.line, place, self.book.nobody, self._joins)
        return not any(each.keys and each.declined for each in named)  # Finnish "Annan": Anna's

    def _date_end(self, place: int) -> Iterator[int]:
        line = self.line
        found = match_date(line.text, line.spans[place][0], self.today, self.book.languages)
        if found:
            day, offset = found
            end = next((at for at, (start, _) in enumerate(line.spans) if start >= offset), len(line))
            self.dates[place, end] = day
            yield end
