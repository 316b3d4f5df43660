"""A date as people write it, in the router's languages: "3 Feb", "3:e februari", "next Monday", "in two weeks".

Job: text and today's date → a date, or None. Core: no I/O, no clock (`today` is an argument), no logging.
Invariants: nothing but a whole expression counts; a date without a year is the next one, today included; a weekday is
the next one after today; "next Friday" is next week's Friday. Day before month where figures alone leave it open.
Leaves out: times of day, spans ("3–9 May" is not a date), and words for a date that nobody agrees on ("soon").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from router.phrases import LANGUAGES, table
from router.phrases.words import fold, spellings

_WORDS = re.compile(r"\d+|[^\W\d_]+(?:['’][^\W\d_]+)*")
_REACH = 90  # characters: the longest expression is far shorter
_FIGURES = re.compile(r"(\d{1,2})(?:\. ?|/|-)(\d{1,2})(?:(?:\. ?|/|-)(\d{4}|\d{2}(?!\d)))?(?![\d/:-])\.?")
_ISO = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)")
_GAP = re.compile(r"[\s,.'’:°º-]*")
_MONTHS_AHEAD = 12
_FAR = 4  # words: "the end of the month"
_WHOLE_DAY = 3  # letters: a weekday of two is read only with its capital, "Mo" and not "mo"


@dataclass(frozen=True, slots=True)
class _Word:
    """A word, where it stands, and every meaning it has in a date: (kind, value)."""

    text: str
    start: int
    end: int
    meanings: frozenset[tuple[str, int]]

    def value(self, kind: str) -> int | None:
        return next((value for name, value in self.meanings if name == kind), None)

    def is_a(self, kind: str) -> bool:
        return any(name == kind for name, _ in self.meanings)


def read_date(text: str, today: date | None, languages: Sequence[str] = ()) -> date | None:
    """The date that all of `text` says, in one of `languages` (default: all); None when it says none.

    Without `today` only a date with its year can be read.
    """
    text = text.strip().strip(" .,!;:")
    found = match_date(text, 0, today, languages)
    return found[0] if found and not text[found[1] :].strip(" .,!;:)") else None


def match_date(text: str, start: int, today: date | None, languages: Sequence[str] = ()) -> tuple[date, int] | None:
    """The date that begins at `start` of `text`, and where it ends; the longest reading wins."""
    best: tuple[date, int] | None = None
    for day, end in _readings(text, start, today, tuple(languages) or LANGUAGES):
        if best is None or end > best[1]:
            best = (day, end)
    return best


def _readings(text: str, start: int, today: date | None, languages: tuple[str, ...]) -> Iterator[tuple[date, int]]:
    words = _cut(text, start, languages)
    for skipped in range(min(4, len(words))):
        if skipped and not (words[skipped - 1].is_a("skip") or words[skipped - 1].is_a("weekdays")):
            break
        begin = words[skipped].start
        yield from _numeric(text, begin, today)
        yield from _named(words[skipped:], today, strict=not skipped)
        if today is not None:
            yield from _relative(words[skipped:], today)
            yield from _edge(words[skipped:], today)


def _cut(text: str, start: int, languages: tuple[str, ...]) -> list[_Word]:
    known = _meanings(languages)
    words: list[_Word] = []
    for found in _WORDS.finditer(text, start, min(len(text), start + _REACH)):
        if words and not _GAP.fullmatch(text, words[-1].end, found.start()):
            break
        word = fold(found.group())
        meanings = frozenset({("figure", int(word))}) if word.isdecimal() else known.get(word, frozenset())
        if len(word) < _WHOLE_DAY and found.group()[0].islower():  # "do" is Thursday in German, "to" in Polish: "Do"
            meanings = frozenset((kind, value) for kind, value in meanings if kind != "weekdays")
        words.append(_Word(word, found.start(), found.end(), meanings))
    return words


@lru_cache(maxsize=16)
def _meanings(languages: tuple[str, ...]) -> dict[str, frozenset[tuple[str, int]]]:
    """Folded word → what it may mean. In `dates`, line n of months, weekdays and numbers is the n-th of its kind."""
    meanings: dict[str, set[tuple[str, int]]] = {}
    for language in languages:
        for kind, lines in table(language).dates:
            for value, line in enumerate(lines.strip().splitlines(), 1):
                for word in (form for written in line.split() for form in spellings(written)):
                    known = meanings.setdefault(word, set())
                    if not any(name == kind for name, _ in known):  # the first language wins
                        known.add((kind, value))
    return {word: frozenset(known) for word, known in meanings.items()}


def _numeric(text: str, begin: int, today: date | None) -> Iterator[tuple[date, int]]:
    """2026-12-01; 1.12.2026; 1/12."""
    if found := _ISO.match(text, begin):
        day = _day(int(found[1]), int(found[3]), int(found[4]))
        if day:
            yield day, found.end()
    elif found := _FIGURES.match(text, begin):
        first, second, year = int(found[1]), int(found[2]), found[3]
        if second > _MONTHS_AHEAD >= first:
            first, second = second, first
        day = _with_year(first, second, int(year) if year else None, today)
        if day:
            yield day, found.end()


def _named(words: list[_Word], today: date | None, strict: bool) -> Iterator[tuple[date, int]]:
    """3 Feb; 3rd of February 2026; 3:e februari; Feb 3, 2026; the 3rd (only behind an article: `strict` is off)."""
    day, after = _day_number(words, 0)
    if day is not None:
        month_at = after + 1 if after < len(words) and words[after].is_a("of") else after
        month = words[month_at].value("months") if month_at < len(words) else None
        if month:
            yield from _and_year(words, month_at + 1, day, month, today)
        elif today and (not strict or after > 1) and words[0].is_a("figure"):
            yield from _found(_day_of_month(day, today), words[after - 1].end)
    month = words[0].value("months") if words else None
    if month:
        day, after = _day_number(words, 1)
        if day is not None and words[1].is_a("figure"):
            yield from _and_year(words, after, day, month, today)
        yield from _and_year(words, 1, 1, month, today)


def _day_number(words: list[_Word], at: int) -> tuple[int | None, int]:
    """The day of the month at `at` ("3", "3rd", "3:e", "third") and the place behind it."""
    if at >= len(words):
        return None, at
    day = words[at].value("figure") or words[at].value("ordinal")
    if day is None or day > 31:
        return None, at
    at += 1
    if at < len(words) and words[at].is_a("suffix") and not words[at].is_a("months"):
        at += 1
    return day, at


def _and_year(words: list[_Word], at: int, day: int, month: int, today: date | None) -> Iterator[tuple[date, int]]:
    place = at + 1 if at < len(words) and words[at].is_a("of") else at
    year = words[place].value("figure") if place < len(words) and len(words[place].text) == 4 else None
    end = words[place].end if year else words[at - 1].end
    yield from _found(_with_year(day, month, year, today), end)


def _relative(words: list[_Word], today: date) -> Iterator[tuple[date, int]]:
    """Tomorrow; Friday; next Monday; next week; in two weeks; week 32."""
    first = words[0]
    if first.is_a("today"):
        yield today, first.end
    if first.is_a("tomorrow"):
        yield today + timedelta(days=1), first.end
    if first.is_a("overmorrow"):
        yield today + timedelta(days=2), first.end
    yield from _weekday(words, today)
    yield from _next_unit(words, today)
    yield from _span(words, today)
    if first.is_a("week") and len(words) > 1 and (number := words[1].value("figure")):
        yield from _found(_iso_week(number, today), words[1].end)


def _weekday(words: list[_Word], today: date) -> Iterator[tuple[date, int]]:
    if (wanted := words[0].value("weekdays")) is not None:
        day = today + timedelta(days=(wanted - 1 - today.weekday() - 1) % 7 + 1)
        end = words[0].end
        if len(words) > 1 and words[1].is_a("next"):  # "lundi prochain"
            day, end = _of_next_week(wanted, today), words[1].end
            if len(words) > 2 and words[2].is_a("weeks"):
                end = words[2].end  # "Friday next week"
        elif len(words) > 1 and (words[1].is_a("this") or words[1].is_a("suffix")):  # "sexta-feira"
            end = words[1].end
        yield day, end
    elif len(words) > 1 and (wanted := words[1].value("weekdays")) is not None:
        if words[0].is_a("next"):
            yield _of_next_week(wanted, today), words[1].end
        elif words[0].is_a("this"):
            yield today + timedelta(days=(wanted - 1 - today.weekday() - 1) % 7 + 1), words[1].end


def _of_next_week(wanted: int, today: date) -> date:
    return today + timedelta(days=7 - today.weekday() + wanted - 1)


def _next_unit(words: list[_Word], today: date) -> Iterator[tuple[date, int]]:
    """Next week; next month; la semaine prochaine."""
    if len(words) < 2:
        return
    if len(words) > 2 and words[2].is_a("next") and words[1].is_a("skip"):  # la semana que viene
        words = [words[0], words[2]]
    for unit, other in ((words[1], words[0]), (words[0], words[1])):
        if other.is_a("next") and unit.is_a("weeks"):
            yield _of_next_week(1, today), words[1].end
        elif other.is_a("next") and unit.is_a("months-ahead"):
            yield (today.replace(day=1) + timedelta(days=32)).replace(day=1), words[1].end


def _edge(words: list[_Word], today: date) -> Iterator[tuple[date, int]]:
    """End of March; the middle of next month is no date, "mid May" is; slutet av månaden; maaliskuun loppuun."""
    edge, at = next((kind for kind in ("begin", "mid", "end") if words[0].is_a(kind)), ""), 1
    while edge and at < len(words) and at < _FAR and (words[at].is_a("of") or words[at].is_a("skip")):
        at += 1
    if not edge and len(words) > 1 and words[1].is_a("end"):  # Finnish has it behind
        edge, at, last = "end", 0, 1
    else:
        last = at
    if not edge or at >= len(words):
        return
    month = words[at].value("months")
    if month:
        yield from _found(_edge_of(edge, month, today), words[last].end)
    elif edge == "end" and words[at].is_a("months-ahead"):
        yield from _found(_edge_of(edge, today.month, today), words[last].end)
    elif edge == "end" and words[at].is_a("weeks"):
        yield today + timedelta(days=6 - today.weekday()), words[last].end


def _edge_of(edge: str, month: int, today: date) -> date | None:
    """The first day, the 15th or the last day of the next such month, this one included while it lasts."""
    if edge != "end":
        return _with_year(1 if edge == "begin" else 15, month, None, today)
    year = today.year if month >= today.month else today.year + 1
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def _span(words: list[_Word], today: date) -> Iterator[tuple[date, int]]:
    """In two weeks; for 10 days; kahden viikon kuluttua."""
    at = 1 if words[0].is_a("in") else 0
    if at >= len(words):
        return
    number = words[at].value("figure") or words[at].value("number")
    if number is None:
        number, unit_at = 1, at
    else:
        unit_at = at + 1
    if unit_at >= len(words) or number > 400:
        return
    day = _later(words[unit_at], number, today)
    if day and at:
        yield day, words[unit_at].end
    elif day and unit_at + 1 < len(words) and words[unit_at + 1].is_a("after"):
        yield day, words[unit_at + 1].end


def _later(unit: _Word, number: int, today: date) -> date | None:
    if unit.is_a("days"):
        return today + timedelta(days=number)
    if unit.is_a("weeks"):
        return today + timedelta(weeks=number)
    if unit.is_a("months-ahead"):
        year, month = divmod(today.year * 12 + today.month - 1 + number, 12)
        return next((day for last in range(4) if (day := _day(year, month + 1, today.day - last))), None)
    return None


def _with_year(day: int, month: int, year: int | None, today: date | None) -> date | None:
    if year is not None:
        return _day(year + 2000 if year < 100 else year, month, day)
    if today is None:
        return None
    years = (today.year + ahead for ahead in range(9))  # 29 February may be far away
    return next((found for each in years if (found := _day(each, month, day)) and found >= today), None)


def _day_of_month(day: int, today: date) -> date | None:
    months = (divmod(today.year * 12 + today.month - 1 + ahead, 12) for ahead in range(_MONTHS_AHEAD))
    return next((found for year, month in months if (found := _day(year, month + 1, day)) and found >= today), None)


def _iso_week(number: int, today: date) -> date | None:
    for year in (today.year, today.year + 1):
        try:
            monday = date.fromisocalendar(year, number, 1)
        except ValueError:
            continue
        if monday + timedelta(days=6) >= today:
            return monday
    return None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _found(day: date | None, end: int) -> Iterator[tuple[date, int]]:
    if day is not None:
        yield day, end
