"""Attribution lines: "On Mon, 3 May 2021 at 10:00, Bob <bob@example.org> wrote:", by any client in any language.

Job: say where the attribution begins that closes in a given line, if one does. Structure decides before words: one to
five lines, without a blank one, that end in a colon and show two of (address, date or time, a verb for "wrote"). Which
lines belong together is told by how they were wrapped: a line goes on where the next word had no room left in it.
Core: pure; imports the word tables only. Invariants: bounded work for every line.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from router import mailwords
from router.lines import DECORATION, LINE, fold, is_quoted, is_rule
from router.samples import fenced, samples

SPAN = 300  # characters of a line that an attribution may take
_WINDOW = 5  # … and lines

_TOKEN = re.compile(r"\d+|[^\W\d_]+")
_ADDRESS = re.compile(r"[^\s@<>()\[\]\"',;:]@[^\s@<>()\[\]\"',;:]")
_BRACKETED = re.compile(r"[<(\[][^<>()\[\]\s]*@[^<>()\[\]]*[>)\]]")
_TIME = re.compile(
    r"(?<![\d.:])\d{1,2}\s?[:h時时點点시]\s?\d{2}(?!\d)"
    r"|\b(?:kl|klo|klokken|kello|kell|uhr|ora|alle|godz|pukul)\.?\s?\d{1,2}[.:]\d{2}(?!\d)"
    r"|(?<!\d)\d{1,2}\.\d{2}\s?(?:uhr|[ap]\.?m\b)",
    re.IGNORECASE,
)
_SENTENCE_BREAK = re.compile(r"(?<!\w)[^\W\d_A-Z]{4,}[.!?] +[A-ZÀ-Þ]")
_LOGGED = re.compile(r"\W?\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_NUMERIC = re.compile(
    r"(?<![\d.])(?:\d{4}\s?[-/.年년]\s?\d{1,2}\s?[-/.月월]\s?\d{1,2}"
    r"|\d{1,2}\s?[-/.]\s?\d{1,2}\s?[-/.]\s?\d{4}"
    r"|\d{1,2}[-/]\d{1,2}[-/]\d{2}|\d{1,2}\. ?\d{1,2}\. ?\d{2})(?!\d)"
)
_YEAR = re.compile(r"(?<!\d)(?:19|20|25)\d\d(?!\d)")
_CAPITAL = re.compile(r"(?<!\w)[^\W\d_a-z][^\W\d_]{0,12}(?!\w)")
_COLON = re.compile(r"[:：](?!\d|//)")
_COLONS = (":", "：", "՝")
_ISO_SOMEBODY = re.compile(r"\s*\d{4}-\d\d-\d\d \d{1,2}:\d\d (?:GMT|UTC)?[-+]\d\d:?\d\d \S")
_NAMED = re.compile(
    r"(\"[^\"@<>]{2,60}\"(?=\s)|[^@<>!?:;.]{2,60}?\s(?=<))\s?<?(?:mailto:)?[^\s@<>]{1,64}@[^\s@<>]{1,100}>?"
    r"\s?[–—,-]?\s([^@<>]{8,60})$"
)
_IN_NEWS = re.compile(r"\s<?news:\S{1,200}@\S{1,200}$")
_DATE_LAST = re.compile(r"[:：] ?\([^()]*\d[^()]*\)$")

_WROTE = frozenset(map(fold, mailwords.WROTE))
_OPENERS = frozenset(map(fold, mailwords.OPENERS))
_NAME_FIRST = ("於", "于")  # openers that stand behind the name
_MONTHS = frozenset(map(fold, mailwords.MONTHS))
_DAYS = frozenset(map(fold, mailwords.DAYS))
_MOMENT = _OPENERS | _MONTHS | _DAYS
_FIRST_PERSON = (  # where it stands beside the verb: "I wrote", "wrote me", but "skrev i fredags", "Me wrote"
    dict.fromkeys(map(fold, mailwords.FIRST_PERSON), 0)
    | dict.fromkeys(mailwords.TO_ME, 1)
    | dict.fromkeys(("i", *mailwords.WE_HAVE), -1)
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a line shows: an address, a date (0 none, 1 a day of a month, 2 with year or time), a verb for "wrote"."""

    address: bool = False
    date: int = 0
    wrote: bool = False

    def __or__(self, other: Evidence) -> Evidence:
        date = max(self.date, other.date)
        return Evidence(self.address or other.address, date, self.wrote or other.wrote)


def evidence(text: str) -> Evidence:
    """What `text`, a line or the end of a long one, shows of an attribution."""
    tokens = _TOKEN.findall(fold(text))
    wrote = not _WROTE.isdisjoint(tokens)
    if not wrote and not text.isascii():
        wrote = any(part in text for part in mailwords.WROTE_PARTS)
    if not wrote:
        lowered = text.lower()
        wrote = any(phrase in lowered for phrase in mailwords.WROTE_PHRASES)
    return Evidence("@" in text and bool(_ADDRESS.search(text)), _date(text, tokens), wrote)


def _date(text: str, tokens: Sequence[str]) -> int:
    if _TIME.search(text) or _NUMERIC.search(text):
        return 2
    for at, token in enumerate(tokens):
        if token in _MONTHS and any(near.isdigit() for near in tokens[max(0, at - 2) : at + 3]):
            return 2 if _YEAR.search(text) else 1
    return 0


def opens_attribution(line: str) -> bool:
    """`line` begins as an attribution does: "On Mon, 3 May", "Am 3.5.", "2024-05-03 10:00", "fre 3 maj"."""
    bare = line[:120].lstrip(DECORATION + "[(")
    if bare.startswith(mailwords.ATTRIBUTION_STARTS):
        return True
    tokens = _TOKEN.findall(fold(bare[:80]))[:7]
    if not any(token.isdigit() for token in tokens):
        return False
    first, rest = tokens[0], tokens[1:]
    if first.isdigit():
        return bool(_NUMERIC.match(bare) or _TIME.match(bare)) or any(token in _MONTHS for token in rest[:3])
    if first in _DAYS or first in _MONTHS:
        return any(token.isdigit() for token in rest[:3])
    if first not in _OPENERS or not rest or bare[0].islower():
        return False
    second = rest[0]
    return second.isdigit() or second in _DAYS or second in _MONTHS or second in _OPENERS


def own_column(line: str) -> int:
    """Where in `line` an attribution begins behind the writer's own words ("Mine! On Mon, 3 May … wrote:"), else 0."""
    shift = max(0, len(line) - SPAN)
    line, tried = line[shift:], 0
    for match in itertools.islice(_CAPITAL.finditer(line), 80):
        if match.start() == 0 or match.group() in _NAME_FIRST or fold(match.group()) not in _OPENERS:
            continue
        rest = line[match.start() :]
        if opens_attribution(rest):
            before, shows = line[: match.start()], evidence(rest)
            if not before.strip(DECORATION) or _ADDRESS.search(before) or (not shift and opens_attribution(line)):
                return 0
            if shows.date == 2 and (shows.wrote or shows.address):
                return shift + match.start()
            tried += 1
            if tried > 3:
                return 0
    return 0


def _heads(line: str) -> bool:
    """Whether `line`, which ends in a colon, shows anything of an attribution."""
    return evidence(line) != Evidence()


class Rows:
    """The lines of a text, with what was found out about each of them, so that nothing is looked at twice."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self._evidence: dict[int, Evidence] = {}
        self._columns: dict[int, int] = {}
        self._fenced = fenced(lines)
        self._own = self._fenced | samples(lines, _heads)
        self._odd = _odd_marks(lines) | _between_chevrons(lines)

    def __len__(self) -> int:
        return len(self.lines)

    def blank(self, at: int) -> bool:
        return not self.lines[at].strip()

    def fenced(self, at: int) -> bool:
        """Line `at` is code that the writer shows, between two lines of ```."""
        return at in self._fenced

    def quoted(self, at: int) -> bool:
        """A mail program marked line `at` as quoted."""
        return at in self._odd or (is_quoted(self.lines[at]) and at not in self._own)

    def shows(self, at: int) -> Evidence:
        """The evidence in line `at`, or in the end of it when it is long."""
        if at not in self._evidence:
            self._evidence[at] = evidence(self.lines[at][-SPAN:])
        return self._evidence[at]

    def own_column(self, at: int) -> int:
        if at not in self._columns:
            self._columns[at] = own_column(self.lines[at])
        return self._columns[at]


_ODD_MARKS = frozenset("}%#:!]")


def _odd_marks(lines: Sequence[str]) -> frozenset[int]:
    """Lines behind a mark that few programs quote with, where two or more of them stand under an attribution."""
    bare = [(at, line.strip()[:SPAN]) for at, line in enumerate(lines) if line.strip()]
    marks = [_odd_mark(line) for _, line in bare]
    for place in range(1, len(bare) - 1):
        if not marks[place] or marks[place] == marks[place - 1] or marks[place + 1] != marks[place]:
            continue
        if _is_attributed(bare[max(0, place - 2)][1], bare[place - 1][1]):
            return frozenset(bare[row][0] for row in range(place, len(bare)) if marks[row] == marks[place])
    return frozenset()


def _odd_mark(line: str) -> str:
    if line.startswith("|>"):
        return "|>"
    return line[0] if line[0] in _ODD_MARKS and line[1:2] in ("", " ") else ""


def _is_attributed(above: str, over: str) -> bool:
    """`over` ends as an attribution does, by itself or with the line above it from which it was broken off."""
    if not over.endswith(":") or _tells_of_itself(over):
        return False
    shows = evidence(over)
    if shows.wrote and ends_with_wrote(over) and len(over) < 60:
        shows |= evidence(above)
    return shows.wrote and bool(shows.date or shows.address)


def _between_chevrons(lines: Sequence[str]) -> frozenset[int]:
    """Lines from "<<" to ">>" (AOL), the first of them under an attribution."""
    found: set[int] = set()
    over, above, start = "", "", -1
    for at, line in enumerate(lines):
        bare = line[:LINE].strip()
        if start < 0 and bare.startswith("<<") and (found or _is_attributed(above, over)):
            start = at
        if start >= 0 and bare.endswith(">>"):
            found.update(range(start, at + 1))
            start = -1
        if bare:
            above, over = over, bare
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class _Window:
    """Lines that may be an attribution together, and what stands around them."""

    seen: Evidence
    text: str  # joined, for what must be found across a break
    last: str  # the closing line, bare of decoration
    closed: bool  # by a colon
    opens: bool  # the first line begins as attributions do
    alone: bool  # nothing stands directly above
    quote: bool  # the first line below is quoted


def attribution_start(rows: Rows, at: int, floor: int, quote_follows: bool) -> int | None:
    """The line where the attribution that closes in line `at` begins; None when none closes there.

    `floor` is the first line that may belong to it; `quote_follows`: the next line that is not blank is quoted.
    """
    lines = rows.lines
    last = lines[at][-SPAN:].rstrip(DECORATION)
    closed = last.endswith(_COLONS)
    found, seen, text = None, Evidence(), ""
    for start in range(at, max(floor, at - _WINDOW + 1) - 1, -1):
        line = lines[start][-SPAN:]
        text = f"{line} {text}"
        seen |= rows.shows(start)
        if not seen.wrote and start < at:
            seen |= Evidence(wrote=any(phrase in text.lower() for phrase in mailwords.WROTE_PHRASES))
        opens = opens_attribution(line) or rows.own_column(start) > 0
        alone = start <= floor or rows.blank(start - 1) or rows.quoted(start - 1)
        if _closes(_Window(seen, text, last, closed, opens, alone, quote_follows)):
            found = start
        if alone or len(text) > 2 * SPAN or not _goes_on(rows, start, at, opens, seen if found == start else None):
            break
    return found if found is None else _date_line(rows, found, floor)


def _date_line(rows: Rows, found: int, floor: int) -> int:
    """Where "On Tue, 3 Jun 2025 10:11:12 +0200" stands above "Bo Berg <bo@example.org> wrote:" (Claws), else `found`.

    A gateway that sets an empty line after each line parts the two.
    """
    above = found - 1
    if above > floor and rows.blank(above):
        above -= 1
    if above < floor or rows.blank(above) or rows.quoted(above) or rows.shows(found).date:
        return found
    line = rows.lines[above]
    parts = above < found - 1 and len(line) <= SPAN  # then the line may be as long as its program makes it
    dated = rows.shows(above).date == 2 and opens_attribution(line) and line.rstrip()[-1] not in ".!?:"
    return above if dated and (parts or len(line) <= 80) else found


def may_close(rows: Rows, at: int) -> bool:
    """Line `at` ends as the last line of an attribution may. Cheap, and false for most lines."""
    last = rows.lines[at][-SPAN:].rstrip(DECORATION)
    if last.endswith(_COLONS):
        return True
    line = rows.lines[at]
    if "news:" in line[:SPAN]:
        return True  # "Bo Ek" <bo@example.org> wrote in message news:b4c1$1@example.org...
    if line.endswith("--") and (line.startswith("--") or _verb_is_last(last)):
        return True
    if line.endswith(")") and _TIME.search(last.rpartition("(")[2]):
        return True  # Bob <bob@example.org> skrev: (3 juni 2025 10:11:12 CEST)
    below = rows.lines[at + 1] if at + 1 < len(rows) else ""
    wrapped = f"{rows.lines[at - 1][-SPAN:]} {line}" if at and len(line) < 40 else line
    if "@" in wrapped and _verb_is_last(last) and below.strip(" *_") not in _COLONS:
        return True
    if below.strip() and not is_quoted(below) and not is_rule(below):
        return False  # without a colon nothing may follow but the quote
    return rows.lines[at].rstrip(" *_")[-1:] in ">)" or ends_with_wrote(last) or bool(_YEAR.search(last))


def _goes_on(rows: Rows, start: int, at: int, opens: bool, enough: Evidence | None) -> bool:
    """The line above `start` was broken off into it, and so belongs to the same attribution.

    `enough`: what is seen from `start` on, where that makes an attribution by itself.
    """
    above, first = rows.lines[start - 1].strip()[-SPAN:], rows.lines[start].strip()[:SPAN]
    if rows.own_column(start - 1) or above.count("<") > above.count(">") or above.count("(") > above.count(")"):
        return True
    if first.startswith("<") and len(above) <= 60 and above[-1] not in ".!?:":
        return True  # a name over its address
    window = [rows.lines[row][:SPAN].strip() for row in range(start - 1, at + 1)]
    width = max((len(line) for line in window if " " in line), default=0)
    if len(above) + 1 + len(first.split(None, 1)[0]) <= min(width, 78):
        return False
    shows = rows.shows(start - 1)
    if enough and _ends_sentence(above):
        return False
    if opens and enough and enough.address and enough.date == 2 and enough.wrote:
        return opens_attribution(above)
    if opens and enough:
        return shows.address or shows.wrote or shows.date > 0
    return above[-1] not in ".!?" or shows.date > 0 or above[-2:-1].isdigit()


def _ends_sentence(line: str) -> bool:
    """`line` ends as sentences do, and not with an abbreviated month or day."""
    if line[-1] not in ".!?" or not line[-2:-1].isalpha():
        return False
    last = fold(line[:-1].rsplit(None, 1)[-1])
    return len(last) > 4 and last not in _MONTHS and last not in _DAYS


def _closes(window: _Window) -> bool:
    """Do these lines make an attribution?"""
    seen, size = window.seen, len(window.text)
    if not window.closed:
        return _closes_without_colon(window)
    verb_last = ends_with_wrote(window.last)
    if not window.quote and seen.wrote and _tells_of_itself(window.text):
        return False
    if window.quote and size < 250 and (seen.address or seen.date or verb_last):
        return window.opens or window.alone or seen.address or verb_last or (seen.date == 2 and seen.wrote)
    if not window.opens and _tells_more(window.text):
        return False
    if seen.address and seen.date and seen.wrote:
        return window.opens or window.quote or verb_last or not _goes_on_after_verb(window.text)
    if seen.date == 2 and seen.wrote:
        if window.opens:
            return verb_last or seen.address or not _goes_on_after_verb(window.last)
        if not window.quote and _tells_before_date(window.text) and not evidence(_before_number(window.text)).wrote:
            return False  # "in Ihrer Mail vom 3.6.2025 schrieben Sie:"
        dated = not _verb_is_last(window.last) or bool(_TIME.search(window.text) or _NUMERIC.search(window.text))
        return window.alone and dated and size < 150 and _ends_attribution(window.last)
    if seen.date == 2 and seen.address:
        bracketed = bool(_BRACKETED.search(window.text))
        if not (window.opens or window.quote or bracketed) and _tells_before_date(window.text):
            return False
        if not window.quote and _SENTENCE_BREAK.search(window.text):
            return False  # "Tuesday, 3 June, at our office. Bo (bo@example.org) will come too:"
        if window.opens or window.alone:
            return bracketed or _ends_attribution(window.last)
        return _ends_attribution(window.last) and (window.last[-2:-1] in ">)]" or window.last[-2:-1].isdigit())
    if seen.address and seen.wrote:
        return size < 250 and (verb_last or window.text.lower().lstrip(DECORATION).startswith(mailwords.WROTE_PHRASES))
    if seen.date == 1 and seen.wrote:
        return window.opens and verb_last
    return seen.wrote and window.alone and size < 100 and _somebody_wrote(window.last)


def _tells_more(text: str) -> bool:
    """Before the first address stand words of a sentence, not a name: "You can reach me at bo@example.org …:"."""
    before = text.partition("@")[0].rpartition(" ")[0]
    if "@" not in text or sum(word[0].islower() for word in before.split()) <= 3:
        return False
    shows = evidence(before)
    return not shows.date and not shows.wrote


def _before_number(text: str) -> str:
    return str(re.split(r"[\d@]", text.lstrip(DECORATION), maxsplit=1)[0])


def _tells_before_date(text: str) -> bool:
    """Words of a sentence stand before the first number: "You can reach Bo on 3 June at bo@example.org:"."""
    words = _before_number(text).split()
    small = sum(word[0].islower() and len(word) > 2 for word in words)
    return small >= 2 or (len(words) > 2 and words[0][0].islower())


def listed(rows: Rows, at: int) -> bool:
    """Line `at` is one of several of its kind, each with a day: a log, a list of appointments, no attribution."""
    beside = [row for row in (at - 1, at + 1) if 0 <= row < len(rows)]
    if _LOGGED.match(rows.lines[at]):
        return any(_LOGGED.match(rows.lines[row]) for row in beside)
    return _is_entry(rows, at) and any(_is_entry(rows, row) for row in beside)


def _is_entry(rows: Rows, at: int) -> bool:
    """A line that begins with a day and ends with somebody's address: "Tue, 3 June 2025 10:00 Bo <bo@example.org>"."""
    line = rows.lines[at]
    if len(line) > SPAN or not line.endswith(">"):
        return False
    return opens_attribution(line) and rows.shows(at).address and rows.shows(at).date == 2


def _tells_of_itself(text: str) -> bool:
    """Beside the verb stands the writer: "On Monday we wrote:", "schrieb ich"."""
    tokens = _TOKEN.findall(fold(text))
    verbs = (at for at, token in enumerate(tokens) if token in _WROTE)
    return any(
        _FIRST_PERSON.get(token) in (step, 0)
        for at in verbs
        for step, token in ((-1, tokens[at - 1] if at else ""), (1, tokens[at + 1] if at + 1 < len(tokens) else ""))
    )


def _goes_on_after_verb(last: str) -> bool:
    """Behind the verb stands more than a name and a moment: "On 3 May 2025 we wrote a contract with them:"."""
    words = last.rstrip(":：").split()
    verb = next((at for at, word in enumerate(words) if fold(word).strip(".,()") in _WROTE), len(words))
    behind = [word.strip(".,()") for word in words[verb + 1 :]]
    told = [word for word in behind if word[:1].islower() and fold(word) not in _MOMENT]
    if len(behind) > 2 and told[:2] == behind[:2]:
        return True  # "schrieb uns die Bank:"
    clause = any(word.endswith(",") and after[:1].islower() for word, after in itertools.pairwise(words[verb + 1 :]))
    return len(told) > 2 and (clause or len([word for word in told if len(word) > 2]) > 2)


def _closes_without_colon(window: _Window) -> bool:
    """… and these, which end without a colon?"""
    seen, last, text = window.seen, window.last, window.text.strip()
    if seen.wrote and seen.address and seen.date == 2 and _DATE_LAST.search(text):
        return True  # Bob <bob@example.org> skrev: (3 juni 2025 10:11:12 CEST)
    if not (window.alone or window.opens):
        return False
    if window.quote and seen.wrote and _IN_NEWS.search(text):
        return True
    if text.startswith("--") and text.endswith("--") and _verb_is_last(last):
        return True  # ---- Bo Berg wrote ----
    if seen.date < 2 or len(text) > 250:
        return False
    if seen.address and _names_and_dates(text):
        return True
    if _ISO_SOMEBODY.match(text) and len(text) < 100:
        return True
    if seen.wrote and _verb_is_last(last):
        return seen.address or window.opens
    if window.opens and seen.address and text.endswith(">") and len(text) < 150:
        return True  # 2013/10/2 Bob <bob@example.org>
    return text.lower().startswith("posted by ") and len(text) < 100


def _names_and_dates(text: str) -> bool:
    """A name, an address and a moment, and nothing else: "Bo Berg <bo@example.org> – 3 June 2025 10:11"."""
    found = _NAMED.match(text.strip(" *_"))
    if not found or not _TIME.search(found[2]):
        return False
    tokens = _TOKEN.findall(fold(found[2]))
    told = sum(token.isdigit() or token in _MONTHS or token in _DAYS or len(token) <= 3 for token in tokens)
    return (
        told == len(tokens) and len(found[1].split()) <= 5 and sum(word[0].islower() for word in found[1].split()) < 2
    )


def _verb_is_last(text: str) -> bool:
    """Nothing stands behind the verb but an ending in brackets ("napisał(a)")."""
    words = _last_words(text.rstrip(DECORATION))
    return any(word in _WROTE for word in words[-2 if words and len(words[-1]) <= 2 else -1 :])


def _last_words(bare: str) -> list[str]:
    return [token for token in _TOKEN.findall(fold(bare[-60:])) if not token.isdigit()][-3:]


def ends_with_wrote(text: str) -> bool:
    """The last words of `text`, a colon aside, hold a verb for "wrote"."""
    bare = text.rstrip(DECORATION + ":：")
    return any(word in _WROTE for word in _last_words(bare)) or bare.endswith(mailwords.WROTE_PARTS)


def _ends_attribution(text: str) -> bool:
    """`text` ends as an attribution may before its colon: the verb, an address, a date or time."""
    bare = text.rstrip(DECORATION + ":：")
    if ends_with_wrote(bare) or text.rstrip(":：").endswith((">", ")", "]", '"')):
        return True
    last = bare.rsplit(None, 1)[-1] if bare else ""
    return "@" in last or last[-1:].isdigit() or last.lower() in ("uhr", "am", "pm")


def _somebody_wrote(text: str) -> bool:
    """A name and the verb, no more: "Bo Berg wrote:", "bo via the Forum wrote:"."""
    words = text.strip(DECORATION + ":：").split()
    if not ends_with_wrote(text) or not 3 <= len(words) <= 10:
        return False
    names = [word for word in words if fold(word).strip("(),") not in _WROTE and len(word) > 1]
    return " via " in text or (len(names) >= 2 and all(not name[0].islower() for name in names))


def attribution_within(line: str) -> bool:
    """An attribution opens `line` and closes before it ends: "On … wrote:> text"."""
    line = line[:LINE]
    if (":" not in line and "：" not in line) or not opens_attribution(line):
        return False
    for colon in itertools.islice(_COLON.finditer(line), 6):
        head, rest = line[: colon.start()], line[colon.end() :].lstrip(" *_")
        if not rest:
            return False
        seen = evidence(head)
        if seen.wrote and seen.date == 2 and (seen.address or rest.startswith(">")) and _ends_attribution(head):
            return True
    return False


def attribution_inside(line: str) -> int:
    """Where an attribution begins in `line` that has the writer's words before it and older ones behind it; 0 for none.

    The older mail's text behind it may be long, so its beginning is looked at, where `own_column` looks at the end.
    """
    column = own_column(line[:SPAN]) if ":" in line and ("@" in line or ">" in line) else 0
    return column if column and attribution_within(line[column:]) else 0
