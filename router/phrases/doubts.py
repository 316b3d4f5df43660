"""What makes a command unclear, and what makes a line that is no command look like one.

Job: name the doubt, or say there is none. Core: no I/O, no clock, no logging.
Losing a claim is bad, inventing one is worse: in doubt there is a doubt, and its sender is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from router.phrases.book import OWN, vocabulary
from router.phrases.choice import lead_ends
from router.phrases.sight import MOST_LEADS, NO_VERBS, OPEN, Found, Sight, command_of
from router.phrases.words import COMMA, NONE, QUESTION, STOP

WITH_TEXT = frozenset({"warm", "send", "throw", "note"})
HANDS = frozenset("🙋✋☝👆👍🖐✊🤚🙌👋")
_NOUN = 3  # words: "the old zebra"
_FAR = 16  # words behind an "if" that are looked at
_LAST_DAY = "31"  # of a month: "je prends le 12" of which bun nobody knows may be a day
_SOON = 14  # days: who begins in two weeks says when, who names a later month may mean to ask again then
_OF_MEASURES = frozenset("%/$€£")
_SUBJECT = 6  # words of a clause in which its subject or its verb is looked for
_KINDS = frozenset({"bun", "dough", "cookie"})
_QUERIES = frozenset({"status", "list", "help"})
_AGAINST_CLAIM = frozenset({"pass", "yield", "release", "offer", "award", "throw", "undo"})
_AGAINST = {"claim": _AGAINST_CLAIM, "pass": frozenset({"claim"}), "away": frozenset({"claim"})}
_TALK = ("chat", "closing", "greeting", "lead")
_QUOTES = frozenset("\"“”„«»‘’'")

# Kinds of remark that make a command unclear: anywhere behind it on the line, or in the same sentence.
_ALL = frozenset({"if", "not", "but", "maybe", "said", "aside"})
_UNTOLD = _ALL | {"address"}  # … that no plain clause about oneself holds
_ANYWHERE = {"claim": _ALL, "yes": _ALL, "pass": frozenset({"if", "said"})}
_ELSEWHERE = frozenset({"if", "maybe", "said"})
_DENIED = ("eaten", "send", "join", "together", "award", "undo", "yield", "release")
_IN_SENTENCE = {verb: frozenset({"not", "but"}) for verb in _DENIED}
_CALLED = {
    "if": "a condition",
    "when": "a condition",
    "later": "a time",
    "which": "a clause that says of what",
    "not": "a negation",
    "but": "a reservation",
    "maybe": "a doubt",
    "said": "reported speech",
    "aside": "talk of other things",
}


def doubt(sight: Sight, found: Found) -> str:
    """What makes the command `found` unclear, for people; "" when nothing does."""
    line, verb = sight.line, found.verb
    if verb in _QUERIES:
        return ""
    if verb in WITH_TEXT:
        return _in_text(sight, found)
    if sight.opens_with_stranger(found) or _names_a_noun(sight, found):
        return "a name that is on no roster"
    end = found.closed
    stop = next((at for at in range(end - 1, len(line)) if line.breaks[at] in (STOP, QUESTION)), len(line) - 1)
    tagged = verb != "claim" and "," in line.gap(end - 1) and "¿" in line.gap(end - 1)  # "es para Bo, ¿no?"
    if line.asks(end - 1, stop + 1) or tagged or (verb in ("claim", "yes") and _asks_of_it(sight, found, stop)):
        return "a question mark"
    if verb == "claim" and line.refuses():
        return "a sign"
    numbered = end < len(line) and line.words[end].isdigit()  # "bun: 1" is how a mail set aside is called
    if verb not in _KINDS and (number := _another_number(sight, found)):
        return number
    if (verb in ("claim", "away") or (verb in _KINDS and not numbered)) and ":" in line.gap(end - 1):
        return "a colon"
    if verb == "claim" and (day := _dated(sight, end)):
        return f"{_CALLED['later']} ({day!r})"
    if found.label.endswith("-told") and _is_called(sight, end):
        return "a name called: an order"
    if found.bare and _is_abbreviation(sight, found):
        return "an abbreviation"
    return (
        _quoted(sight, found)
        or _remarked(sight, found, stop)
        or (_after_no(sight, found) if found.label == "no" else _after_comma(sight, found, stop))
        or _second_thought(sight, found)
        or (_strange(sight, found) if verb == "claim" else "")
    )


def _another_number(sight: Sight, found: Found) -> str:
    """The number of another bun than this beside a command; a bare "le 12" may be a date as well."""
    line = sight.line
    for at in range(len(line)):
        numbered = sight.is_numbered(at)
        if at >= found.closed:
            told = numbered and _is_all(sight, at)  # "Mine! #43"
        elif at < found.start:
            told = numbered or (line.words[at].isdigit() and _leads_off(sight, at))
        else:
            told = numbered or _is_bare_number(sight, found, at)
        if not told:
            continue
        if sight.is_other(at):
            return f"the number of another bun ({line.written(at)!r})"
        if not numbered and (mark := _measures(sight, found, at)):
            return mark
    return ""


def _is_all(sight: Sight, place: int) -> bool:
    """Whether the number at `place` is all of its clause: "#43", "bun 43"."""
    line = sight.line
    begins = place < 2 or line.ends_at(place) or line.ends_at(place - 1)
    return begins and line.ends_at(place + 1)


def _leads_off(sight: Sight, place: int) -> bool:
    """Whether the line begins with the number at `place`: "43: mine", "Re 43: mine"."""
    line = sight.line
    if not line.ends_at(place + 1) or _is_idiom(sight, place):
        return False
    spoken = frozenset(sight.book.languages)
    return place == 0 or (place == 1 and (line.words[0] == "re" or sight.says(0, sight.book.articles, spoken)))


def _is_idiom(sight: Sight, place: int) -> bool:
    """Whether the number there is no bun's for sure: "this 1", "+1", "1. mine", "100 %"; but "1/2" is a share."""
    word, behind = sight.line.words[place], sight.line.gap(place).lstrip()
    return (word == "1" and not behind.startswith("/")) or (word == "100" and behind.startswith("%"))


def _is_bare_number(sight: Sight, found: Found, place: int) -> bool:
    """Whether a number stands at `place` of `found` where a bun's may: "I'll take 42", "die 42 nehme ich"."""
    line = sight.line
    captured = any(first <= place < end for name, first, end in found.captures if name == "date")
    if captured or not line.words[place].isdigit() or _is_idiom(sight, place):
        return False
    article = place > 0 and sight.says(place - 1, sight.book.articles, frozenset(sight.book.languages))
    if found.verb == "pass":  # "until week 12" may end one
        return (article or place == found.start) and not any(sight.slot("date", place))
    return place < found.end and (article or place == found.start or line.ends_at(place + 1))


def _measures(sight: Sight, found: Found, place: int) -> str:
    """What the bare number at `place` may be instead of a bun's: a share, a price, a day of a month."""
    line, word = sight.line, sight.line.words[place]
    beside = line.gap(place)[:2] + line.before(place)[-1:]
    if found.verb == "claim" and not _OF_MEASURES.isdisjoint(beside):
        return f"a measure ({line.written(place)!r})"
    day = len(word) < 3 and word.zfill(2) <= _LAST_DAY
    ordinal = line.gap(place).startswith(". ") and place + 1 < len(line)  # "den 14. nehme ich"
    dated = ordinal or any(end > place + 1 for end in sight.slot("date", place))
    unclear = (day and not sight.number) or (dated and found.verb == "claim")
    return f"a number ({line.written(place)!r})" if unclear else ""


def _dated(sight: Sight, place: int) -> str:
    """The date that is all of the clause at `place`: "I'll take it, in June" may be a promise."""
    return _date_at(sight, place) if place < len(sight.line) and sight.line.breaks[place - 1] in (COMMA, STOP) else ""


def _date_at(sight: Sight, place: int) -> str:
    """A date weeks ahead that ends the clause, at `place` or behind the word there; "" when there is none.

    A lone word with a capital may be somebody's name: "I'll take it, June"; a short one without is seldom a month.
    """
    line = sight.line
    starts = [at for at in (place, place + 1) if at < len(line) and (at == place or line.breaks[place] == NONE)]
    for at in starts:
        capital = line.written(at)[0].isupper()
        short = len(line.words[at]) <= _NOUN
        lone = capital or short if at == place else short and not capital
        for end in sight.slot("date", at):
            far = sight.today is not None and (sight.dates[at, end] - sight.today).days > _SOON
            ends = line.ends_at(end) or any(line.ends_at(soft) for soft in sight.softs(end))
            if far and ends and not (lone and end == at + 1):
                return line.text[line.spans[place][0] : line.spans[end - 1][1]]
    return ""


def _asks_of_it(sight: Sight, found: Found, stop: int) -> bool:
    """Whether a question beside the sentence of `found`, which ends at `stop`, may be about the command.

    Behind it, one of the client or the work is not: it is a sentence that begins with "who", "when" or "where".
    """
    line = sight.line
    if "¿" in line.lead and "?" not in line.text:
        return True
    if line.asks(0, found.start) and line.asks(_asks_for_takers(sight), found.start):
        return True
    place = stop + 1
    while place < len(line):
        last = next(at for at in range(place, len(line)) if line.breaks[at] in (STOP, QUESTION))
        if line.breaks[last] == QUESTION and not _asks_of_others(sight, found, place, last):
            return True
        place = last + 1
    return False


def _asks_for_takers(sight: Sight) -> int:
    """Where a question ends that a claim behind it answers, "Nobody?", with which the line begins; 0 without one."""
    begins = (0, *(end for end, _ in lead_ends(sight, 0) if end < len(sight.line)))
    return max((end for at in begins for end in sight.ends("nobody-else", at)), default=0)


def _asks_of_others(sight: Sight, found: Found, place: int, last: int) -> bool:
    """Whether the question from `place` to `last` is of the client or the work: "When do they start?"."""
    if last == place or not sight.says(place, sight.book.asking, sight.tongues(found)):
        return False
    if any(sight.known_name(at) for at in range(place, last + 1)):
        return False
    return not any(kind in ("if", "but", "said", "aside") for _, kind, _ in sight.remarks(found, place, last + 1))


def second_thought_below(sight: Sight, found: Found) -> str:
    """What a later line, `sight`, makes unclear in the claim `found` above it: "But only if …", "Ok with Anna?"."""
    line = sight.line
    first = 1 if line.words[0] == "ps" else 2 if line.words[:2] == ("p", "s") else 0
    stop = next((at for at in range(first, len(line)) if line.breaks[at] in (STOP, QUESTION)), len(line) - 1)
    for place, kind, said in sight.remarks(found, first, stop + 1):
        if kind in _ALL and (place == 0 or (line.asks(stop, stop + 1) and kind != "not")):
            return f"{_CALLED[kind]} in the next line ({said!r})"
    return ""


def likeness(sight: Sight) -> str:
    """Why a line that holds no command looks like one; "" when it does not."""
    line = sight.line
    if not HANDS.isdisjoint(line.text) and len(line) <= 1:
        return "only a sign"
    for place in {0, *(end for end, _ in lead_ends(sight, 0))}:
        for found in sight.phrases(place) if place < len(line) else ():
            if found.label not in NO_VERBS - OPEN and (
                remark := _opening(sight, found, found.end, ("if", "when", "but", "maybe"))
            ):
                return f"{remark} follows"
    starts = [at for at in range(1, len(line)) if line.breaks[at - 1] != NONE][:MOST_LEADS]
    if any(label == "claim" and line.ends_at(end) for place in starts for label, end in sight.labels(place)):
        return "other words stand before the claim"
    openings = sight.book.remarks_in(line.keys[:5], frozenset(sight.book.remarks))
    if any(at == 0 and kind in ("if", "maybe") for at, kind, _ in openings):
        likely = [
            label for at in range(1, min(len(line), _FAR)) for label, end in sight.labels(at) if line.ends_at(end)
        ]
        return "a condition before the claim" if {"claim", *OPEN} & set(likely) else ""
    return ""


def _in_text(sight: Sight, found: Found) -> str:
    """For commands that a text follows: "throw if nobody wants it" has none, "throw: if you …" has."""
    line = sight.line
    end = found.text_at if found.text_at >= 0 else found.closed
    if line.breaks[end - 1] == QUESTION:
        return "a question mark"
    for at in range(end - 1, min(end + 2, len(line))):  # "throw #43"
        if sight.is_numbered(at) and sight.is_other(at) and at + 1 == len(line):
            return f"the number of another bun ({line.written(at)!r})"
    delimited = ":" in line.gap(end - 1) or "\n" in line.gap(end - 1)
    if end >= len(line) or delimited or found.verb == "note":
        return ""
    return _opening(sight, found, end, ("if", "but", "maybe", "not"))


def _opening(sight: Sight, found: Found, place: int, kinds: tuple[str, ...]) -> str:
    """The remark of one of `kinds` with which the words at `place`, behind `found`, open; "" when they do not."""
    remarks = sight.remarks(found, place, place + 5)
    return next((f"{_CALLED[kind]} ({said!r})" for at, kind, said in remarks if at == 0 and kind in kinds), "")


def _names_a_noun(sight: Sight, found: Found) -> bool:
    """In German every noun has a capital: a name there must be on the roster."""
    along = sight.captures("company", found.end) if found.closed > found.end else ()
    return found.languages == {"de"} and sight.holds_a_stranger(found, (*found.captures, *along))


def _strange(sight: Sight, found: Found) -> str:
    """A word that is in no table beside a claim of mere having or doing: nobody knows what is "mine", what I "do".

    Clauses about oneself and later sentences of the same person do not count. Who says that he takes it has said so,
    whatever else he tells of himself; but "one zebra left, I'll take it" and "I'll take it, the zebra" may be of
    something else, too.
    """
    line = sight.line
    if (found.bare and found.end - found.start == 1) or sight.holds("thin", found):
        end = next((at for at in range(found.closed, len(line)) if _leaves(sight, found, at)), len(line))
        others = [*_of_other_things(sight, found, 0, found.start), *_of_other_things(sight, found, found.closed, end)]
        return _unknown(sight, found, others)
    starts = {0, *(end for end, _ in lead_ends(sight, 0))}
    told = any(sight.says(at, sight.book.safe, found.languages | {"en"}) or _is_mine(sight, at) for at in starts)
    end = next((at + 1 for at in range(found.closed, len(line)) if line.breaks[at] != NONE), len(line))
    named = end - found.closed <= _NOUN and sight.says(found.closed, sight.book.articles, found.languages)
    before, behind = range(0 if told else found.start), range(found.closed, end if named else found.closed)
    return _unknown(sight, found, [*before, *behind])


def _of_other_things(sight: Sight, found: Found, first: int, end: int) -> list[int]:
    """The words from `first` to before `end`, without the clauses about oneself."""
    line, at = sight.line, first
    rest: list[int] = []
    while at < end:
        last = next(place for place in range(at, len(line)) if place + 1 == end or line.breaks[place] != NONE)
        if not _tells_of_oneself(sight, found, at):
            rest += range(at, last + 1)
        at = last + 1
    return rest


def _tells_of_oneself(sight: Sight, found: Found, start: int) -> bool:
    """Whether the clause at `start`, behind `found`, plainly tells of the sender: then any words may stand in it.

    Its subject is a first person ("I know the nightingale"), or it calls something one's own field ("Rust is my
    thing"). It holds no condition, doubt, negation, question, other person or reported speech. "My zebra" is no clause,
    nor is "the zebra I painted".
    """
    line = sight.line
    end = next((at + 1 for at in range(start, len(line)) if line.breaks[at] != NONE), len(line))
    named = any(sight.known_name(at) and line.written(at)[0].isupper() for at in range(start, end))
    if named or line.asks(start, end):
        return False
    return any(_tells_in(sight, found, tongue, start, end) for tongue in sight.tongues(found))


def _tells_in(sight: Sight, found: Found, tongue: str, start: int, end: int) -> bool:
    """As `_tells_of_oneself`, in the language `tongue`; one beside that of `found` has no word of that at its verb."""
    book, keys = sight.book, sight.line.keys
    head = range(start, min(end, start + _SUBJECT))
    speaks = next((at for at in head if sight.member("self", at, tongue, found)), -1)
    fields = [stop for at in head[1:] if (stop := sight.member("field", at, tongue, found))]
    if speaks < 0 and not fields:
        return False
    remarks = book.remarks_in(keys[start:end], frozenset({tongue, "en"}))
    if any(kind in _UNTOLD or (kind == "which" and not at) for at, kind, _ in remarks):
        return False
    if any(not _unknown(sight, found, range(stop, end)) for stop in fields):
        return True
    named = speaks > start and sight.says(start, book.articles, frozenset({tongue}))
    return speaks >= 0 and not named and not _unknown(sight, found, range(start, speaks))


def _unknown(sight: Sight, found: Found, places: Sequence[int]) -> str:
    """A word at `places` that is in no table; numbers, names and (but in German) words with a capital do not count.

    Beside an English keyword the rest may be of any language, but of one.
    """
    line = sight.line
    rest = [
        at for at in places if not (line.words[at].isdigit() or sight.known_name(at) or _is_proper(sight, found, at))
    ]
    tongues = sight.book.languages if found.languages & {"en", OWN} else tuple(found.languages)
    unknown = [
        [at for at in rest if line.words[at] not in vocabulary(tongue) and line.words[at] not in vocabulary("en")]
        for tongue in tongues
    ]
    return f"a word that nobody knows ({line.written(min(unknown, key=len)[0])!r})" if rest and all(unknown) else ""


def _is_mine(sight: Sight, place: int) -> bool:
    """Whether the clause at `place` says of one word that it is the sender's own field: "Rust is my thing"."""
    following = place + 1
    talk = sight.labels(following) if following < len(sight.line) else ()
    return any(label == "chat" and end - following >= _NOUN and sight.line.ends_at(end) for label, end in talk)


def _leaves(sight: Sight, found: Found, place: int) -> bool:
    """Whether the claim is left behind at `place`: a closing or a signature begins there, or talk about oneself."""
    if sight.line.starts_sentence(place) and (
        sight.says(place, sight.book.safe, found.languages | {"en"}) or _tells_of_oneself(sight, found, place)
    ):
        return True
    parted = sight.line.breaks[place - 1] != NONE
    if parted and found.languages != {"de"} and sight.is_name(place):
        return True
    return parted and any(label == "closing" for label, _ in sight.labels(place))


def _is_proper(sight: Sight, found: Found, place: int) -> bool:
    """Whether the word at `place` is the name of something: it has a capital without beginning a sentence."""
    written = sight.line.written(place)
    capital = written[0].isupper() and not sight.line.starts_sentence(place)
    return capital and (found.languages != {"de"} or written.isupper())


def _is_abbreviation(sight: Sight, found: Found) -> bool:
    """ "EU" is not Portuguese for "I", nor is "min. 3 weeks" Swedish for "mine"."""
    line, end = sight.line, found.end
    if end - found.start > 1:
        return False
    written = line.written(found.start)
    number = line.gap(end - 1).startswith(".") and end < len(line) and line.words[end].isdigit()
    return (number and len(written) <= _NOUN) or (len(written) < 3 and written.isupper())


def _quoted(sight: Sight, found: Found) -> str:
    """In quotation marks with more behind them than a name, it is somebody's word, perhaps not the sender's."""
    line = sight.line
    if _QUOTES.isdisjoint(line.before(found.start)):
        return ""
    end = next((at for at in range(found.end, len(line)) if not _QUOTES.isdisjoint(line.gap(at - 1))), len(line))
    behind = max(end, found.closed)
    return "a quotation" if behind < len(line) and not sight.is_name(behind) else ""


def _remarked(sight: Sight, found: Found, stop: int) -> str:
    anywhere = _ANYWHERE.get(found.verb, _ELSEWHERE)
    in_sentence = _IN_SENTENCE.get(found.verb, frozenset())
    kinds = set()
    inside = sight.remarks(found, found.start, found.closed) if found.verb == "claim" and found.bare else []
    if told := next((said for _, kind, said in inside if kind == "said"), ""):  # "Jag sa min"
        return f"{_CALLED['said']} ({told!r})"
    trail = sight.remarks(found, found.end, found.closed) if found.verb == "claim" else []
    if later := next((said for place, kind, said in trail if kind == "later" and place == 0), ""):
        return f"{_CALLED['later']} ({later!r})"  # "Ik neem dit later": no English goodbye
    behind = found.text_at if found.text_at >= 0 else found.closed  # "I leave it to someone who …, otherwise I take it"
    for place, kind, said in sight.remarks(found, behind, len(sight.line)):
        kinds.add(kind)
        same = set(".!;\n").isdisjoint(sight.line.gap(found.closed - 1))  # an emoji does not end the sentence here
        plans = kind == "later" and _tells_later(sight, found)
        if kind in ("when", "later", "which") and place == 0 and found.verb == "claim" and same and not plans:
            return f"{_CALLED[kind]} ({said!r})"
        if kind == "tag" and found.verb == "claim" and found.closed + place + 1 + said.count(" ") == len(sight.line):
            return f"a question ({said!r})"
        if kind in anywhere or (kind in in_sentence and found.closed + place <= stop):
            return f"{_CALLED[kind]} ({said!r})"
    return "a second thought" if found.verb == "pass" and {"but", "able"} <= kinds else ""


def _tells_later(sight: Sight, found: Found) -> bool:
    """Whether the time behind a comma is that of something else the sender does: "Mine, tomorrow I call them"."""
    return sight.line.breaks[found.closed - 1] == COMMA and _tells_of_oneself(sight, found, found.closed)


def _after_comma(sight: Sight, found: Found, stop: int) -> str:
    """Behind "mine," only talk about oneself or small talk leaves it clear: "mine, the blue one, is broken"."""
    line, end = sight.line, found.closed
    if "," in line.gap(end - 1) and ("closing", found.end) in sight.labels(found.start):
        return "a letter's closing"
    if end >= len(line) or line.breaks[end - 1] != COMMA:
        return ""
    alone = found.label.endswith("-alone")
    harmless = _is_harmless(sight, found, end)
    if sight.says(end, sight.book.joins, found.languages | {"en"}):  # "mine, and thanks for sharing"
        harmless = harmless or (end + 1 < len(line) and _is_harmless(sight, found, end + 1))
    if not found.bare or (harmless and not alone) or sight.is_name(end) or _is_its_number(sight, end):
        return ""
    clauses = [at for at in range(end, stop + 1) if line.breaks[at - 1] == COMMA] if alone else [end]
    kinds = ("closing",) if alone else _TALK
    talk = all(sight.is_name(at) or _is_talk(sight, at, found.verb, kinds) for at in clauses)
    return "" if talk else "what follows"


def _is_harmless(sight: Sight, found: Found, place: int) -> bool:
    """Whether what begins at `place` goes on about the claim or the claimant, as far as its first word tells."""
    return (
        sight.says(place, sight.book.safe, sight.tongues(found))
        or sight.says(place, sight.book.reasons, found.languages)
        or _tells_of_oneself(sight, found, place)
        or any(at == 0 and kind == "harmless" for at, kind, _ in sight.remarks(found, place, place + _FAR))
    )


def _is_its_number(sight: Sight, place: int) -> bool:
    """Whether the clause at `place` is the number of this bun: "Mine, #42"."""
    last = place if sight.line.words[place].isdigit() else place + 1
    told = last < len(sight.line) and sight.is_numbered(last) and _is_all(sight, last)
    return told and not sight.is_other(last)


def _is_called(sight: Sight, end: int) -> bool:
    """Whether "take it, Anna" calls a name: it stands behind a comma or nothing, where a signature has a line's end."""
    line = sight.line
    name = next((at for at in (end, end - 1) if 0 < at < len(line) and sight.known_name(at)), 0)
    return bool(name) and line.breaks[name - 1] in (NONE, COMMA) and "/" not in line.gap(name - 1)


def _after_no(sight: Sight, found: Found) -> str:
    """A "no" answers any question: it is a pass when nothing but a pass, thanks or a name comes with it."""
    line = sight.line
    for place in (at for at in range(found.closed, len(line)) if line.breaks[at - 1] != NONE):
        if not sight.is_name(place) and not _is_talk(sight, place, "pass", _TALK):
            return "what follows"
    return ""


def _is_talk(sight: Sight, place: int, verb: str, talk: tuple[str, ...]) -> bool:
    """Whether the clause at `place` is small talk, a filler, or the same command once more, and nothing else."""
    if any(sight.line.ends_at(end) for end in sight.softs(place)):
        return True
    closing = (label for label, end in sight.labels(place) if sight.closed(label, end) >= 0)
    return any(label in talk or command_of(label) == verb for label in closing)


def _second_thought(sight: Sight, found: Found) -> str:
    """A later clause that says the opposite: "Pass. No, mine!", "Mine. Sorry, pass", "No time, but I take it"."""
    opposite = _AGAINST.get(found.verb)
    if not opposite:
        return ""
    line = sight.line
    starts = [at for at in range(max(found.closed, 1), len(line)) if line.breaks[at - 1] != NONE][:MOST_LEADS]
    remarks = sight.remarks(found, found.closed, len(line))
    starts += [found.closed + at + 1 + said.count(" ") for at, kind, said in remarks if kind == "but"][:MOST_LEADS]
    starts = [at for at in starts if at < len(line)]
    joined = found.verb == "claim" and sight.says(found.closed, sight.book.joins, sight.tongues(found))
    if joined and found.closed + 1 < len(line) and (put_off := _put_off(sight, found, found.closed + 1)):
        return put_off  # "I'm in and will take it when I'm back"
    for place in starts:
        ends = {label: end for label, end in sorted(sight.labels(place), key=lambda each: each[1]) if line.ends_at(end)}
        talk = max((end for label, end in ends.items() if label in _TALK), default=0)
        said = {command_of(label) for label, end in ends.items() if end > talk}
        if said & opposite and found.verb not in said:  # "gebt mir den Auftrag" offers it to nobody else
            return "a second command"
        if found.verb == "claim" and (put_off := _put_off(sight, found, place)):
            return put_off
    return ""


def _put_off(sight: Sight, found: Found, place: int) -> str:
    """What puts off the claim that the clause at `place` says again: "Right for me, I take it when I'm back"."""
    ends = {end for label, end in sight.labels(place) if command_of(label) == "claim" and not sight.line.ends_at(end)}
    if said := next((said for end in ends if (said := _opening(sight, found, end, ("when", "later")))), ""):
        return said
    day = next((day for end in ends if (day := _date_at(sight, end))), "")
    return f"{_CALLED['later']} ({day!r})" if day else ""
