"""The new text of a reply to a command: "I'll take this one" → claim, or to nothing.

Job: find the clear command in the first line that is not a greeting (PROTOCOL.md, Reading a reply).
Core: no I/O, no clock (`today` is an argument), no logging. Imports the phrase book, nothing else.

How: a line is cut into clauses; a clause is a command only when ALL of it is a phrase of the book, and the phrases are
data (`phrases/*.toml`). Nothing is ever searched for inside a longer clause. Before it may stand greetings and known
small talk; what stands behind it is looked through for conditions, negations, hedges, reported speech and questions.
Invariants: inventing a command is worse than missing one; in doubt `half` is set, so that the sender is asked. A line
is cut at LONGEST characters before anything else looks at it, and every step is linear in that.
Leaves out: who the sender is, whether the command makes sense now, quotes and signatures (reply.py has cut them).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice

from router.phrases.book import Book, Extra, book
from router.phrases.choice import find
from router.phrases.doubts import HANDS, WITH_TEXT, doubt, likeness, second_thought_below
from router.phrases.grammar import PhraseError
from router.phrases.names import People, people
from router.phrases.sight import OPEN, Found, Sight
from router.phrases.words import INVISIBLE, Line, read_line

VERBS: tuple[str, ...] = (
    *("claim", "pass", "yield", "release", "award", "offer", "with", "join", "together"),
    *(
        "warm",
        "send",
        "throw",
        "last-call",
        "eaten",
        "lost",
        "withdrawn",
        "note",
        "cookie",
        "dough",
        "bun",
        "urgent",
        "up",
    ),
    *("undo", "yes", "status", "list", "help", "away", "back", "skills"),
)

LONGEST = 600  # characters of a line that are read …
_MOST_WORDS = 60  # … and words, for what a line costs grows with these
_WRAPPED = 55  # a line this long without a full stop goes on in the next one
_MOST_BELOW = 4  # lines below a claim that are looked through for second thoughts
_MOST_LINES = 40  # greetings, quotes and rules before the first line that says something
_LONGEST_TEXT = 65536  # characters of a text that goes with a command
_MOST_SKILLS = 50
_SHORT_TEXT = 60  # characters; a text this short may be nothing but a name
_DELIMITERS = " \t\n,:;–—-.!…)*_`\"”'"

_PROMPT = re.compile(r"\w{1,12}> ")  # of a program, or the mark of a quote
_STRUCK = re.compile(r"~~[^~\n]{1,300}~~")  # Markdown
_LAST_AND = re.compile(r"\s(?:and|och|und|et|y|en|og|ja|e|oraz|i)\s")  # before the last of a list with commas
_ADDRESS = re.compile(r"<?(?:mailto:)?[^\s<>@]{1,64}@[^\s<>@]{1,255}>?[.,;]?")  # corrects a client's address, say


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody clearly said."""

    verb: str  # one of VERBS
    line: str  # the line it was read from, as written
    who: tuple[str, ...] = ()  # keys of the consultants named; behind a claim, whom the claimant takes along
    unknown: str = ""  # a name that is on no roster, or that two people share
    text: str = ""  # free text that goes with it: the rest of the line and the paragraphs after it
    until: date | None = None  # away until, warm until
    skills: tuple[str, ...] = ()
    joins: bool = False  # a claim that is as well a yes to a colleague who has asked them along


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read. `half`: like a command and not clear, so its sender deserves an answer. `why` is for people."""

    command: Command | None
    half: bool
    line: str
    why: str


def read_command(
    text: str,
    *,
    names: Sequence[tuple[str, str]] = (),
    today: date | None = None,
    extra: Mapping[str, Sequence[str]] | None = None,
    languages: Sequence[str] = (),
    things: Sequence[str] = (),
    number: int = 0,
) -> Reading:
    """The command in `text`, the new text of a reply (PROTOCOL.md, Reading a reply).

    `names`: (consultant key, a name or alias) pairs. `today`: for dates without a year. `extra`: the operator's own
    phrases by verb. `languages`: those of the collective (none: all); English always counts. `things`: the collective's
    own words for a bun. `number`: of the bun on whose thread it was said, 0 for none. Raises PhraseError when `extra`
    is not in the notation: see `check_extra`.
    """
    words = book(tuple(languages), _frozen(extra or {}), tuple(things))
    roster = people(tuple(names))
    clean = _clean(text[: 2 * _LONGEST_TEXT])
    first: Reading | None = None
    greeting = Reading(None, False, "", "nothing but greetings, or nothing at all, was written")
    for start, end in _lines(clean, words):
        sight = Sight(read_line(clean[start:end].replace("\n", " ")), words, roster, today, number)
        if first is None and sight.is_address():
            greeting = _greeting(sight, greeting)
            continue
        reading = _judge(sight, clean, start, end)
        if first:  # the second line is looked at only to see whether the sender should be asked
            return replace(first, half=True, why="the command is not in the first line") if reading.command else first
        if reading.command or reading.half:
            return reading
        first = greeting if greeting.half else reading
    return first or greeting


def _clean(text: str) -> str:
    """`text` with accents on their letters (Apple's programs write them apart), plain spaces and line ends.

    What its writer has struck through is gone.
    """
    seen = INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    seen = _STRUCK.sub(" ", seen) if "~~" in seen else seen
    return seen.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " ")


def check_extra(extra: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Every fault in the operator's own phrases, for people; empty when all can be used."""
    faults = [f"there is no command {verb!r}" for verb in extra if verb not in VERBS]
    for verb, phrases in extra.items():
        for phrase in phrases if verb in VERBS else ():
            try:
                book(("en",), ((verb, (phrase,)),))
            except PhraseError as error:
                faults.append(f"{verb}: {error}")
    return tuple(faults)


def _frozen(extra: Mapping[str, Sequence[str]]) -> Extra:
    return tuple((verb, tuple(phrases)) for verb, phrases in extra.items())


def _lines(text: str, words: Book, end: int = 0) -> Iterator[tuple[int, int]]:
    """Start and end of each line from `end` on that may say something, its continuation included."""
    for _ in range(_MOST_LINES):
        start = end
        while start < len(text) and text[start].isspace():
            start += 1
        if start >= len(text):
            return
        end = _line_end(text, start)
        marked = text[start] in ">|" or _PROMPT.match(text, start, end)
        if marked or not _says_something(text[start : min(end, start + LONGEST)]):
            continue
        while end < len(text) and end - start < LONGEST and _goes_on(text, start, end, words):
            end = _line_end(text, end + 1)
        yield (
            start,
            start + len(" ".join(text[start : min(end, start + LONGEST)].split(" ", _MOST_WORDS)[:_MOST_WORDS])),
        )


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _says_something(line: str) -> bool:
    return any(sign.isalnum() or sign in HANDS for sign in line)


def _goes_on(text: str, start: int, end: int, words: Book) -> bool:
    """Whether the line that ends at `end` is continued by the next: it was wrapped, or a condition follows at once."""
    following = text[end + 1 : min(_line_end(text, end + 1), end + 1 + LONGEST)].strip()
    if not following or following[0] in ">|":
        return False
    last = max(text.rfind("\n", start, end) + 1, start)
    if end - last >= _WRAPPED and text[start:end].rstrip()[-1] not in ".!?…":
        return True
    found = words.remarks_in(read_line(following[:80]).keys[:4], frozenset(words.remarks))
    return any(place == 0 and kind in ("if", "but") for place, kind, _ in found)


def _greeting(sight: Sight, known: Reading) -> Reading:
    """What to answer if nothing follows a line that greets: "moi" greets in Finnish and takes it in French."""
    if sight.fills(0):
        return Reading(None, True, sight.line.text.strip(), "a greeting in one language, a command in another")
    return known


def _judge(sight: Sight, text: str, start: int, end: int) -> Reading:
    """What the line, which is `text` from `start` to `end`, says."""
    line = sight.line
    shown = line.text.strip()
    if _ADDRESS.fullmatch(shown):
        return Reading(None, False, shown, "an address and nothing else")
    if not line.words:
        return Reading(None, not HANDS.isdisjoint(shown), shown, "a sign and no words")
    found = find(sight)
    if found is None:
        like = likeness(sight)
        return Reading(None, bool(like), shown, like or "no phrase of the book")
    if found.label in OPEN:
        return Reading(None, True, shown, "the words leave it open")
    if unclear := doubt(sight, found) or _doubt_below(sight, found, text, end):
        return Reading(None, True, shown, f"{found.verb}, were it not for {unclear}")
    said = line.text[line.spans[found.start][0] : line.spans[found.end - 1][1]]
    return Reading(_command(sight, found, text, start), False, shown, f"{said[:80]!r} says {found.verb}")


def _doubt_below(sight: Sight, found: Found, text: str, end: int) -> str:
    """What the next lines make unclear in a claim: "Mine.⏎⏎But only if …". Lines that only sign are skipped."""
    if found.verb != "claim":
        return ""
    for first, last in islice(_lines(text, sight.book, end), _MOST_BELOW):
        below = Sight(read_line(text[first:last].replace("\n", " ")), sight.book, sight.people, None)
        if below.line.words and not below.only_trails():
            return second_thought_below(below, found)
    return ""


def _command(sight: Sight, found: Found, text: str, start: int) -> Command:
    captures = found.captures
    if found.verb == "claim" and found.closed > found.end:
        captures += sight.captures("company", found.end)
    places = {slot: (first, end) for slot, first, end in captures}
    place = places.get("who") or places.get("whose")
    named = sight.who(found, *place) if place else None
    return Command(
        found.verb,
        sight.line.text.strip(),
        who=named.keys if named else (),
        unknown=named.unknown if named else "",
        text=_text(sight, found, text, start) if found.verb in WITH_TEXT else "",
        until=sight.dates.get(places["date"]) if "date" in places else None,
        skills=_skills(sight.line, places["skills"][0]) if "skills" in places else (),
        joins=found.label == "claim-join",
    )


def _text(sight: Sight, found: Found, text: str, start: int) -> str:
    """What follows the command, as written: the rest of its line and every paragraph after it. A lone name is none."""
    spans = sight.line.spans
    offset = start + (spans[found.text_at][0] if found.text_at >= 0 else spans[sight.head_end(found) - 1][1])
    lines = text[offset : offset + _LONGEST_TEXT].lstrip(_DELIMITERS).split("\n")
    while lines and not lines[-1].strip(" \t-_="):
        lines.pop()  # blank, or a rule that is no word to anybody
    rest = "\n".join(lines).rstrip()
    if len(rest) > _SHORT_TEXT:
        return rest
    return "" if _only_trails(rest, sight.book, sight.people) else rest


def _only_trails(rest: str, words: Book, roster: People) -> bool:
    return Sight(read_line(rest.replace("\n", " ")), words, roster, None).only_trails()


def _skills(line: Line, first: int) -> tuple[str, ...]:
    parts = re.split(r"[,;/|]|\s[&+]\s", line.text[line.spans[first][0] :])
    if len(parts) > 1:
        parts[-1:] = _LAST_AND.split(parts[-1], maxsplit=1)
    named = (part.strip(" .!*_`\"'") for part in parts)
    return tuple(dict.fromkeys(part for part in named if part))[:_MOST_SKILLS]
