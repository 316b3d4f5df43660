"""Happiness: the monthly question, its answers, and their history.

Job: say which month's question an answer belongs to, read "4" and a line, keep it in its stored form, sum it up.
Core: pure. May import house, turn's values and lead's stamps; imports nothing that acts.

Invariants: one answer per person and month, the last one counts. Anonymous: what is stored holds neither name nor
address nor time of day, only a keyed hash that lets a second answer replace the first; and fewer than three answers in
a month are counted, never shown. Named: the key stands in the record.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from router.house import House
from router.marks import clean_line

KIND = "happiness"  # of the mail, and the table's name
LINE_CAP = 300
SHOWN_FROM = 3  # anonymous answers in a month from which on they are shown
_ANSWER = re.compile(
    r"^\W{0,3}([1-5])(?:\s*(?:/\s*5|of 5|av 5|von 5|sur 5|de 5|van 5))?(?![\d/]|[.,]\d)\W{0,3}(.*)$", re.I
)


@dataclass(frozen=True, slots=True)
class Answer:
    """How happy somebody is, 1 (not at all) to 5 (very), and what they say about it."""

    score: int
    line: str = ""


@dataclass(frozen=True, slots=True)
class Filed:
    """An answer as it is kept. `mark` is the same for a second answer of that person in that month."""

    mark: str
    month: str  # "2026-03"
    score: int
    line: str = ""
    who: str = ""  # "" when answers are anonymous


@dataclass(frozen=True, slots=True)
class Voice:
    """One answer as it may be shown; no name when answers are anonymous."""

    score: int
    line: str
    name: str


@dataclass(frozen=True, slots=True)
class Month:
    """A month's answers. Anonymous and fewer than three: only their number is told."""

    month: str
    count: int
    mean: float | None
    voices: tuple[Voice, ...]


# -- asking ----------------------------------------------------------------------------------------------------------


def slot_of(moment: datetime, house: House) -> str:
    """The month that a question asked at `moment` is about, in the collective's zone: part of its Message-ID."""
    return f"{moment.astimezone(house.calendar.zone):%Y-%m}"


def month_asked(references: Iterable[str], who: str, received: datetime, house: House) -> str:
    """The month whose question to `who` one of these Message-IDs is; "" for any other mail.

    The ids follow from key, person and month, so nothing has to be remembered. Three months back are known.
    """
    known = frozenset(references)
    local = received.astimezone(house.calendar.zone).date().replace(day=1)
    for _ in range(3):
        month = f"{local:%Y-%m}"
        if house.ids.message_id(0, KIND, f"@{who}{month}", 1) in known:
            return month
        local = date(local.year - (local.month == 1), (local.month - 2) % 12 + 1, 1)
    return ""


# -- answers ---------------------------------------------------------------------------------------------------------


def read_answer(text: str) -> Answer | None:
    """The number and the line of an answer: "4", "4/5 good client", "4\\nA good client". None when there is no number.

    The number stands first. What is not 1 to 5 is no answer.
    """
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    found = _ANSWER.match(lines[0][:400]) if lines else None
    if found is None:
        return None
    rest = " ".join([found[2].strip(), *lines[1:4]])
    return Answer(int(found[1]), clean_line(rest, LINE_CAP))


def file_answer(answer: Answer, who: str, month: str, house: House) -> Filed:
    """The answer as it is to be kept, named or anonymous as configured."""
    named = house.happiness == "named"
    return Filed(house.ids.code(KIND, month, who), month, answer.score, answer.line, who if named else "")


def to_doc(filed: Filed) -> dict[str, Any]:
    """The stored form, table "happiness", under `store.key_of(filed.mark)`. No time: it would tell who it was."""
    doc = {"month": filed.month, "score": filed.score, "line": filed.line, "who": filed.who}
    return {name: value for name, value in doc.items() if value != ""}


def from_doc(doc: Mapping[str, Any]) -> Filed:
    return Filed("", doc["month"], int(doc["score"]), doc.get("line", ""), doc.get("who", ""))


# -- history ---------------------------------------------------------------------------------------------------------


def history(docs: Iterable[Mapping[str, Any]], names: Mapping[str, str], months: int = 6) -> tuple[Month, ...]:
    """The latest months, newest first. `names`: key → name. In the order of scores and words, not of arrival."""
    by_month: dict[str, list[Filed]] = defaultdict(list)
    for doc in docs:
        filed = from_doc(doc)
        by_month[filed.month].append(filed)
    return tuple(_sum_up(month, by_month[month], names) for month in sorted(by_month, reverse=True)[:months])


def _sum_up(month: str, answers: Sequence[Filed], names: Mapping[str, str]) -> Month:
    open_to_all = all(each.who for each in answers) or len(answers) >= SHOWN_FROM
    if not open_to_all:
        return Month(month, len(answers), None, ())
    mean = sum(each.score for each in answers) / len(answers)
    voices = sorted((Voice(each.score, each.line, names.get(each.who, each.who)) for each in answers), key=_order)
    return Month(month, len(answers), round(mean, 1), tuple(voices))


def _order(voice: Voice) -> tuple[int, str, str]:
    return -voice.score, voice.name, voice.line
