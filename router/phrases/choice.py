"""Which of the phrases seen in a line is its command.

Job: find the command behind greetings, small talk and plain statements, and choose between languages that disagree.
Core: no I/O, no clock, no logging. Whether the command found is clear is decided in `doubts.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from router.phrases.book import OWN
from router.phrases.sight import MOST_LEADS, NO_VERBS, OPEN, TALK, Found, Sight, command_of
from router.phrases.words import COMMA, NONE, QUESTION

_LONGEST_STATEMENT = 24  # words
_SHORT_STATEMENT = 4  # words: "Wow, what a client"
_VERB_SECOND = frozenset({"sv", "de", "nl", "da", "no"})
_SCANDINAVIAN = frozenset({"sv", "da", "no"})
_PREPARING = frozenset({"join", "back"})
_ENGLISH_SELF = (("i",), ("ill",), ("id",), ("im",))
_QUOTING = frozenset(':"“”„«»')


def find(sight: Sight) -> Found | None:
    """The command of the line, behind greetings and small talk; its label is in OPEN where the words leave it open."""
    found = _find(sight, 0, 0)
    if found is None or found.label in OPEN:
        return _behind_statement(sight, found is not None and found.label == "half") or _behind_but(sight) or found
    if found.label == "yes":  # "Yes, I am free and would like to take it"
        claim = _behind_statement(sight, open_=True)
        return claim if claim and claim.verb == "claim" else found
    if found.verb == "claim" and _wishes(sight, found.start, found.end):
        return _behind_but(sight) or found
    if found.verb == "away":
        return _behind_absence(sight, found) or found
    if found.verb == "yield" and not found.captures:
        return _in_favour(sight, found) or found
    return found


def _in_favour(sight: Sight, found: Found) -> Found | None:
    """The next clause if it says to whom: "I step back, Bo should have it"."""
    place = found.closed
    behind = _command_at(sight, place) if place < len(sight.line) and not sight.line.asks(0, place) else None
    return behind if behind and behind.verb == "yield" and behind.captures else None


def _find(sight: Sight, place: int, depth: int) -> Found | None:
    if place not in sight.commands:
        sight.commands[place] = _look(sight, place, depth)
    return sight.commands[place]


def _behind_absence(sight: Sight, found: Found) -> Found | None:
    """What follows an absence: "I'm out until January, so pass". A claim that waits for its end is left open."""
    so = sight.says(found.closed, sight.book.hence, found.languages)
    then = not so and sight.says(found.closed, sight.book.then, sight.tongues(found))
    place = found.closed + (so or then)
    behind = _find(sight, place, 1) if place < len(sight.line) else None
    if behind is None or behind.verb not in ("claim", "pass"):
        return None
    waits = behind.verb == "claim" and (then or behind.start > place)
    return replace(behind, label="half") if waits else behind


def _look(sight: Sight, place: int, depth: int) -> Found | None:
    here = _command_at(sight, place)
    if depth >= MOST_LEADS:
        return here
    strange = here is not None and sight.opens_with_stranger(here)  # "Selvä, Haluaisin": no name, whatever its capitals
    reach = here.end if here and not strange else 0
    whole = ("chat", "greeting")
    said = max((end for label, end in sight.labels(place) if label in whole and sight.line.ends_at(end)), default=0)
    open_: Found | None = None
    for end, languages in lead_ends(sight, place):
        if end < said:
            break  # "gut gemacht" is praise, "Guten Tag zusammen" greets all: the first word leads to nothing
        behind = _find(sight, end, depth + 1) if reach <= end < len(sight.line) else None
        parted = sight.line.ends_at(end) and (sight.line.ends_at(place) or not languages)
        if behind is None or not (parted or languages & {*behind.languages, "en"}):
            continue  # without a comma the two must be of one language: "was" greets in Polish
        weak = here is None or strange or here.label in {"yes", *OPEN}
        if weak or (here and (_only_leads(sight, here, behind) or _tops(behind, here))):
            if behind.label.endswith("-told") and sight.known_name(place) == end:
                return replace(behind, label="half")  # "Anna, take it"
            if behind.label != "half":
                return behind
            open_ = open_ or behind  # "jamen så | tager jeg den" is open, "jamen | så tager jeg den" is not
    return open_ or here or _behind_time(sight, place, depth)


def _behind_time(sight: Sight, place: int, depth: int) -> Found | None:
    """A pass behind a time: "Before May no capacity". A claim there would be a promise."""
    for end, language in sight.times(place):
        behind = _find(sight, end, depth + 1) if end < len(sight.line) else None
        if behind and behind.verb == "pass" and language in behind.languages:
            return behind
    return None


def _tops(behind: Found, here: Found) -> bool:
    """Whether the claim is what "I'm back, I'll take it" and "I'm stepping in, I'll take it" mean to say."""
    return behind.label == "claim" and here.label in _PREPARING


def _only_leads(sight: Sight, here: Found, behind: Found) -> bool:
    """In "klar, mach ich" the first word leads up to the rest, though alone it is Swedish for done."""
    if behind.label in OPEN or (here.label == "no" and here.languages & behind.languages):
        return False
    leads = [found.languages for found in sight.phrases(here.start) if (found.label, found.end) == ("lead", here.end)]
    return any("en" in behind.languages or each & behind.languages for each in leads)


def _behind_statement(sight: Sight, open_: bool) -> Found | None:
    """A sentence that takes or declines, behind plain statements of the same person: "I know them, I'll take it".

    The statement holds no condition, hedge, question, order or reported speech. If it begins as harmless remarks do
    ("I", "thanks"), "so" and "and" may lead to the claim; otherwise a comma or full stop must, no colleague is named in
    it, and none is asked about: `open_` says that the line begins with words that leave it open.
    """
    line, spoken = sight.line, frozenset(sight.book.languages)
    leads = [end for end, _ in lead_ends(sight, 0)]
    safe = next((at for at in (0, *leads) if sight.says(at, sight.book.safe, spoken)), -1)
    first = safe if safe >= 0 else max((at for at in leads if at < len(line) and line.ends_at(at)), default=0)
    for place in range(first + 1, min(len(line), _LONGEST_STATEMENT)):
        if line.breaks[place - 1] == QUESTION or not _QUOTING.isdisjoint(line.gap(place - 1)):
            return None
        parted = line.breaks[place - 1] != NONE
        found = _command_at(sight, place) if parted or (safe >= 0 and sight.may_follow(place, spoken)) else None
        told = found is not None and safe >= 0 and _is_told(sight, safe, found)
        if found and told:
            found = _of_one_tongue(sight, safe, found)
        if found and told and _is_plain(sight, found, ()) and not _is_promised(sight, first, found):
            return None if _is_consequence(sight, first, found) else found
        if found and parted and not open_ and _stands_alone(sight, first, found):
            return found
    return None


def _of_one_tongue(sight: Sight, safe: int, found: Found) -> Found:
    """`found` in the languages of the statement before it: in "Jestem na urlopie, pas" it is no Dutch, nor is "na"."""
    tongues = {tongue for tongue in found.languages if sight.says(safe, sight.book.safe, frozenset({tongue}))}
    return replace(found, languages=frozenset(tongues)) if tongues and "en" not in found.languages else found


def _is_told(sight: Sight, safe: int, found: Found) -> bool:
    """Whether `found` closes a statement of its own language with a safe word at `safe`: "I have time so I take it".

    "i" is "and" in Polish, "on" is "is" in Finnish.
    """
    joining = sight.tongues(found) if OWN in found.languages else found.languages | {"en"}
    safely = sight.says(safe, sight.book.safe, sight.tongues(found)) and sight.may_follow(found.start, joining)
    leads = _closes_statement(sight, found) or _is_continued(sight, safe, found)
    return safely and leads and not _has_anothers_subject(sight, found)


def _has_anothers_subject(sight: Sight, found: Found) -> bool:
    """Whether "and" leads to a Scandinavian `found` without a subject, in a clause that does not begin as one's own.

    "Bra! Anna ringer och tar den": the verb is the same whoever takes it.
    """
    if not found.languages <= _SCANDINAVIAN or not _is_joined(sight, found):
        return False
    line = sight.line
    breaks = (at for at in range(found.start - 1, 0, -1) if line.breaks[at - 1] != NONE)
    begin = next((at for at in breaks if not line.words[at - 1].isdigit()), 0)  # "from 1. May on"
    if any(sight.says(at, sight.book.speakers, found.languages) for at in range(begin, found.end)):
        return False
    of_that = any(True for _ in sight.ends("it", begin))  # "Den nya kollegan har tid och kan ta den"
    return of_that or (begin > 0 and not sight.says(begin, sight.book.safe, found.languages))


def _is_promised(sight: Sight, first: int, found: Found) -> bool:
    """Whether the statement begins with a time to come: "La prossima volta ho tempo e lo prendo"."""
    opening = sight.remarks(found, first, found.start)
    return any(place == 0 and kind == "later" for place, kind, _ in opening)


def _behind_but(sight: Sight) -> Found | None:
    """A pass behind the line's first "but": "I'd love to, but I have no time".

    A claim before it leaves it open, unless it is a mere wish: "I'd like to take it, but I can't".
    """
    line, book = sight.line, sight.book
    begins = {0, *(end for end, _ in lead_ends(sight, 0) if end < len(line))}
    ends = {(at, end) for at in begins for label, end in sight.labels(at) if command_of(label) == "claim"}
    wished = {end for at, end in ends if _wishes(sight, at, end)}
    claimed = {end for _, end in ends} - wished
    for place, kind, said in book.remarks_in(line.keys[:_LONGEST_STATEMENT], frozenset(book.remarks)):
        end = place + 1 + said.count(" ")
        if (
            kind == "but"
            and place
            and place not in claimed
            and end < len(line)
            and line.breaks[end - 1] in (NONE, COMMA)
        ):
            found = None if line.asks(0, end) else _find(sight, end, MOST_LEADS - 1)
            if found and found.verb == "pass" and _speaks(sight, found, place, end):
                told = sight.remarks(found, 0, place)  # "se" is "if" in Portuguese, and none in Spanish
                if any(each in ("if", "said") for _, each, _ in told) or (place in wished and _is_timed(sight, found)):
                    return None
                return found
    return None


def _is_timed(sight: Sight, found: Found) -> bool:
    """Whether a date stands in `found`: what is wished for, "but not before May", is not declined."""
    return any(sight.slot("date", at) for at in range(found.start, found.closed))


def _wishes(sight: Sight, start: int, end: int) -> bool:
    """Whether the words from `start` to before `end` wish for something: "I would like to take it"."""
    return any(sight.says(at, sight.book.wish, frozenset(sight.book.languages)) for at in range(start, end))


def _speaks(sight: Sight, found: Found, place: int, end: int) -> bool:
    """Whether the words from `place` to before `end` are a remark of the language of `found`, or of English."""
    return bool(sight.book.remarks_in(sight.line.keys[place:end], found.languages | {"en"}))


def _closes_statement(sight: Sight, found: Found) -> bool:
    """Whether `found` is what a statement may lead to: a full sentence, or a bare last word."""
    return found.label in ("claim", "pass") or _is_last_word(sight, found)


def _is_last_word(sight: Sight, found: Found) -> bool:
    """Whether a bare "mine" is all that is left of the line, apart from a name: "Perfect fit for me - mine!"."""
    sentence = found.label == "claim-alone" and found.end - found.start > 2  # "ich bin dabei"
    return (found.label == "claim-short" or sentence) and found.closed == len(sight.line)


def _stands_alone(sight: Sight, first: int, found: Found) -> bool:
    """Whether `found` is a sentence of its own behind any plain words: "Been there - I'll take it", "Wow, mine"."""
    words, line_keys = found.start - first, sight.line.keys
    if not _closes_statement(sight, found) or (found.label == "claim-short" and words > _SHORT_STATEMENT):
        return False
    if any(sight.known_name(at) for at in range(first, found.start)):
        return False
    if words <= _SHORT_STATEMENT and any(sight.slot("date", at) for at in range(first, min(first + 2, found.start))):
        return False  # "In May, I'll take it"
    opening = sight.book.remarks_in(line_keys[first : found.start], found.languages)
    if any(place == 0 and kind in ("terms", "later") for place, kind, _ in opening):
        return False  # "For 1000 a day, mine", "Next time, mine"
    reason = sight.says(first, sight.book.reasons, found.languages)
    doubtful = _is_inverted(sight, first, found) or _is_consequence(sight, first, found)
    return (reason or not doubtful) and _is_plain(sight, found, ("address",))


def _is_inverted(sight: Sight, first: int, found: Found) -> bool:
    """Whether the verb leads where a statement has it second: "Zahlen sie gut, nehme ich es" is a condition."""
    inverting = found.languages & _VERB_SECOND
    if not inverting:
        return False
    leads = any(
        sight.line.keys[found.start] in grammar.beginnings("takes")
        for grammar in sight.book.grammars
        if grammar.language in inverting
    ) and not _drops_subject(sight, first, found)
    second = found.start + 1
    follows = second < found.end and sight.says(second, sight.book.speakers, inverting)
    begins = any(sight.says(found.start, words, inverting) for words in (sight.book.subjects, sight.book.then))
    return leads or (follows and not begins)


def _drops_subject(sight: Sight, first: int, found: Found) -> bool:
    """Whether `found` and the statement from `first` are Scandinavian and of one who leaves himself out.

    "Har tid, tar den" tells of oneself; what follows a condition has its subject: "Har de tid, tar jeg den".
    """
    languages = found.languages
    if not languages <= _SCANDINAVIAN or first + 1 >= found.start:
        return False
    told = any(sight.says(at, sight.book.speakers, languages) for at in range(found.start, found.end))
    subject = any(_has_subject(sight, at, languages) for at in (first, first + 1))
    return sight.says(first, sight.book.safe, languages) and not (told or subject)


def _has_subject(sight: Sight, place: int, languages: frozenset[str]) -> bool:
    """Whether the word at `place` is somebody of whom a sentence tells: I, they, nobody, Anna."""
    return sight.says(place, sight.book.persons, languages) or sight.known_name(place) > 0


def _is_consequence(sight: Sight, first: int, found: Found) -> bool:
    """Whether `found` only holds if what stands before it does: "Betalar de bra så tar jag den", "Zahlen sie, dann …".

    Where the verb comes second, a statement begins with its subject, and what begins otherwise is a condition.
    """
    inverting = found.languages & _VERB_SECOND
    first = first if sight.line.ends_at(first) else 0  # "Stimmt der Preis, …": no lead, whatever "stimmt" is alone
    joined = sight.says(found.start - 1, sight.book.joins, inverting)  # "… und würde es gern machen": of one subject
    if not inverting or joined or sight.says(first, sight.book.subjects, inverting):
        return False
    if sight.says(first, sight.book.first, inverting) and not _has_subject(sight, first + 1, inverting):
        return False  # "Kenne die Leute, nehme ich": the "I" is left out of the statement
    at = next((at for at in (found.start, found.start - 1) if sight.says(at, sight.book.then, inverting)), -1)
    so = sight.says(at + 1, sight.book.subjects, inverting)  # "… så jag tar den": so; "… så tar jag den": then
    someone = _has_subject(sight, first + 1, inverting) or sight.line.written(first + 1)[0].isupper()
    then = at >= 0 and (someone or not so)
    asked = found.bare and sight.says(first + 1, sight.book.speakers, inverting)  # "Har jag tid, min"
    return then or asked or _is_inverted(sight, first, found) or _asks_first(sight, first, found)


def _asks_first(sight: Sight, first: int, found: Found) -> bool:
    """Whether the statement from `first` begins as a question does, which is a condition: "Zahlen die gut, her damit".

    Words that are said of oneself begin no such one: "Kann ich gut, mache ich".
    """
    second = first + 1
    inverting = found.languages & _VERB_SECOND
    if second >= found.start or sight.line.ends_at(second) or sight.says(first, sight.book.safe, inverting | {"en"}):
        return False
    subject = sight.says(second, sight.book.subjects, inverting) or sight.says(second, sight.book.persons, inverting)
    return subject and any(sight.line.breaks[at] != NONE for at in range(second, found.start))


def _is_plain(sight: Sight, found: Found, more: tuple[str, ...]) -> bool:
    """Whether nothing telling stands before `found`, in its languages."""
    telling = {"if", "when", "but", "maybe", "said", *more} | (set() if found.verb == "pass" else {"not", "aside"})
    conceded = _conceded(sight) if found.verb == "claim" else range(0)
    remarks = sight.remarks(found, 0, found.start)
    return not any(kind in telling for place, kind, _ in remarks if place not in conceded)


def _conceded(sight: Sight) -> range:
    """The words with which the line concedes something, behind greetings: "Even though I'm busy, I'll take it"."""
    begins = (0, *(end for end, _ in lead_ends(sight, 0) if end < len(sight.line)))
    return next((range(at, end) for at in begins for end in sight.ends("although", at)), range(0))


def lead_ends(sight: Sight, place: int) -> list[tuple[int, frozenset[str]]]:
    """Where greetings, names called and small talk from `place` may end, and in which languages; longest first."""
    line = sight.line
    ends: dict[int, frozenset[str]] = {}
    whole = frozenset({"chat", "topic", *_PREPARING})
    for found in sight.phrases(place):
        parted = line.ends_at(found.end)
        if found.label not in ("greeting", "lead", "yes") and not (found.label in whole and parted):
            continue
        if not parted and found.label != "yes" and _is_address(sight, place, found.end):
            continue  # "du vil have den", "alle vil have den"
        if not parted and _may_condition(sight, place, found):
            continue  # "si me lo quedo": without a comma no "sí"
        called = sight.after_greeting(found.end) if found.label == "greeting" else found.end
        for end in (found.end, called):
            ends[end] = ends.get(end, frozenset()) | found.languages
    name = sight.known_name(place)
    marked = sight.is_numbered(place) and line.before(place).endswith("#")  # "#42 mine"
    if marked or (line.words[place] == str(sight.number) and line.ends_at(place + 1)):  # "42: mine"
        ends[place + 1] = frozenset(sight.book.languages)
    if name and line.ends_at(name) and "," in line.gap(name - 1):
        ends[name] = ends.get(name, frozenset())
    elif name and line.before(place).endswith("@") and _speaks_up(sight, name):
        ends[name] = frozenset(sight.book.languages)
    for end in sight.softs(place):
        if line.ends_at(end):
            ends[end] = ends.get(end, frozenset())
    for end in sight.ends("nobody-else", place):
        if line.breaks[end - 1] == QUESTION:
            ends[end] = ends.get(end, frozenset())
    return sorted(ends.items(), key=lambda each: -each[0])


def _speaks_up(sight: Sight, place: int) -> bool:
    """Whether what stands at `place` is the sender's own: "@Anna I'll take it", "@Anna mine"; not "@Anna tar den"."""
    own = sight.says(place, sight.book.speakers, frozenset(sight.book.languages))
    if own or sight.line.words[place : place + 1] in _ENGLISH_SELF:
        return True
    labels = sight.labels(place) if place < len(sight.line) else ()
    return any(label == "claim-short" and sight.line.ends_at(end) for label, end in labels)


def _may_condition(sight: Sight, place: int, found: Found) -> bool:
    """Whether the words of `found` are a condition as they are written, in its languages: "si" for "sí"."""
    book, keys = sight.book, sight.line.keys[place : found.end]
    if all(book.conditions[language].isdisjoint(keys) for language in found.languages):
        return False  # nearly always, and much cheaper
    stretched = len(sight.line.written(place)) > len(sight.line.words[place])  # "siii"
    return not stretched and any(kind == "if" for _, kind, _ in book.remarks_in(keys, found.languages))


def _is_address(sight: Sight, place: int, end: int) -> bool:
    """Whether what stands from `place` says "you" or "all" in some language: without a comma it is the subject."""
    if end - place > 1:
        return end in sight.ends("crowd", place)
    remarks = sight.book.remarks_in(sight.line.keys[place:end], frozenset(sight.book.remarks))
    return any(kind == "address" for _, kind, _ in remarks) or end in sight.ends("crowd", place)


def _rank(found: Found) -> tuple[bool, int, int, int]:
    """The least is best: no swallowing, the longest, "unclear" first, then commands, "pass", "no", and "half" last."""
    order = {"unclear": 0, "pass": 2, "skills": 2, "help": 2, "no": 3, "half": 4}
    return (found.text_at >= 0, -found.end, order.get(found.label, 1), len(found.label))


def _command_at(sight: Sight, place: int) -> Found | None:
    """The command that fills the clause at `place`; one that swallows the rest of the line only if no other does."""
    fits = [_unless_joined(sight, found) for found in sight.phrases(place) if found.closed >= 0]
    commands = [found for found in fits if found.label not in NO_VERBS or found.label in OPEN]
    if not commands:
        return None
    best = min(commands, key=lambda found: (sight.names_a_stranger(found), *_rank(found)))
    if any(_is_talk(found, best) for found in fits) and best.text_at < 0:
        return None
    if sight.known_name(place) == best.end:
        return None  # Mia is on the roster, and "mia" is Italian for mine
    if best.label == "unclear":
        return best
    strange = sight.names_a_stranger(best)  # "Æ tar den": no name in Norwegian, though Danish might take it for one
    same = [
        found
        for found in fits
        if found.end == best.end
        and (found.text_at < 0) == (best.text_at < 0)
        and (strange or not sight.names_a_stranger(found))
    ]
    taught = [found for found in same if "en" in found.languages and found.label not in NO_VERBS]
    if taught:  # the router's mails teach "lost"; in Danish it may stand for "løst", solved
        return min(taught, key=_rank)
    return _unless_contested(best, same)


def _unless_joined(sight: Sight, found: Found) -> Found:
    """An order is "unclear", as it sounds like a claim; but not in "ik ben vrij en neem hem", which has its subject."""
    return found if found.label != "order" or _is_joined(sight, found) else replace(found, label="unclear")


def _is_joined(sight: Sight, found: Found) -> bool:
    """Whether "and" leads to `found`, without a comma."""
    before = found.start - 1
    return before >= 0 and sight.line.breaks[before] == NONE and sight.says(before, sight.book.joins, found.languages)


def _is_continued(sight: Sight, first: int, found: Found) -> bool:
    """Whether `found` lacks its subject because the statement's is its own: "Ik ben vrij en neem hem"."""
    mine = sight.says(first, sight.book.speakers, found.languages) if first >= 0 else False
    return mine and found.label == "claim-told" and _is_joined(sight, found)


def _is_talk(found: Found, best: Found) -> bool:
    """Whether `found` is small talk that makes more of the words than the command `best`: "warm regards"."""
    return found.label in TALK and (found.end > best.end or (found.end == best.end and best.label == "eaten"))


def _unless_contested(best: Found, same: Sequence[Found]) -> Found:
    """`best`, open when another language has something else in mind: "moi" takes it in French and greets in Finnish."""
    others = {found.verb for found in same if not found.languages <= best.languages}
    others -= {best.verb, "lead", "topic", *OPEN}
    return replace(best, label="half") if others else best
