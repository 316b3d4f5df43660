"""Where an older mail begins inside a newer one: attribution lines, header blocks, separators, quoted lines.

Job: look at the lines of a text and say where the first quote head stands. A header block is labels one under another
with an address or a subject, a separator is a line between dashes; attributions are `attribution.py`'s. Core: pure;
imports the word tables and the smaller questions only. Invariants: every line is looked at a bounded number of times
and only its first LINE characters, so the cost is linear in the text. Leaves out what is done with the parts
(`reply.py`) and signatures (`signature.py`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from router import mailwords
from router.attribution import (
    SPAN,
    Evidence,
    Rows,
    attribution_inside,
    attribution_start,
    attribution_within,
    ends_with_wrote,
    evidence,
    listed,
    may_close,
    opens_attribution,
)
from router.labels import KINDS, WORDS
from router.lines import DASHES, DECORATION, LINE, fold, is_rule

_COLON = re.compile(r"[:：](?!\d|//)")
_DATE_APART = re.compile(r"\([^()]{6,80}\)")
_LABEL = re.compile(r"[ \t*_|>–—=~#•·-]{0,20}([^\W\d_][^:：]{0,39}?)[ \t*_]{0,8}[:：]")
_SNIPPED = re.compile(r"\s*[\[<(]?(?:snip|snipped|\.\.\.|…)[\]>)]?\s*", re.IGNORECASE)
_HOUR = re.compile(r"\d{1,2}[:.]\d\d(?!\d)")
_FULL_YEAR = re.compile(r"(?<!\d)20\d\d(?!\d)")
_NAMED_AT = re.compile(r"[\"']?[^\W\d_a-z][^!?;]{2,140} \w{1,4} \S{6,12} \d{1,2}:\d\d(?::\d\d)?(?: ?[AP]M)?")
_TIME_FROM = re.compile(r"[^:：]{1,40}[:：]\s*\d{1,2}[:.]\d\d(?!\d)")
_WORD_LAST = re.compile(r"[^\W\d_]+\s?$")
_WORD = re.compile(r"[^\W\d_]+")
_NOTES = re.compile(
    r"[^-\n]{2,60}---\d{1,4}[-./]\d{1,2}[-./]\d{2,4} \d{1,2}[:.]\d\d[^-\n]{0,20}---"
)  # "Bo Berg---06/03/2025 …"
_NOTES_TABLE = re.compile(r"\s{0,8}\|-{6,}>")
_MAILBOX = re.compile(r"[^\s@]@[^\s@]")
_TRIES = 300  # lines of a text that may be looked at as the last of an attribution; no person's mail has so many
_DASHED = ("--", "__", "==", "——", "–––", "- -", "‐‐", "‑‑", "−−", "――")

_LABELS = {fold(name): kind for kind in KINDS for name in WORDS["labels"][kind]}
_SEPARATOR_WORDS = frozenset(map(fold, mailwords.SEPARATOR_WORDS))
_SEPARATOR_NOUNS = frozenset(map(fold, mailwords.SEPARATOR_NOUNS))
_SEPARATOR_LINES = frozenset(map(fold, mailwords.SEPARATOR_LINES))
_FORWARD_WORDS = tuple(map(fold, WORDS["separators"]["forward"]))
_REPLY_ABOVE = tuple(map(fold, mailwords.REPLY_ABOVE))


@dataclass(frozen=True, slots=True)
class Head:
    """What opens a quote. Lines `start` to `end` (exclusive) are the head; before `column` the writer speaks."""

    start: int
    column: int
    end: int
    why: str


class Page(Rows):
    """The lines of a text, asked where quotes begin in them."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(lines)
        self._no_block = 0  # up to this line there is no header block, that much is known
        self._tries = _TRIES

    def after(self, at: int) -> int:
        """The first line from `at` on that is not blank; the number of lines when there is none."""
        while at < len(self.lines) and self.blank(at):
            at += 1
        return at

    def opens_quote(self, at: int) -> bool:
        """Line `at`, or the first after blank ones and one rule or "[snip]", is a quoted line."""
        at = self.after(at)
        if at < len(self.lines) and (is_rule(self.lines[at]) or _SNIPPED.fullmatch(self.lines[at][:LINE])):
            at = self.after(at + 1)
        return at < len(self.lines) and self.quoted(at)

    def find_head(self, start: int) -> Head | None:
        """The first quote head at or after line `start`; None when all that follows is the writer's own."""
        for at in range(start, len(self.lines)):
            head = None if self.blank(at) else self._head_at(at, start)
            if head:
                return head
        return None

    def _head_at(self, at: int, floor: int) -> Head | None:
        """The head that is complete with line `at`, reaching up at most to `floor`."""
        line = self.lines[at]
        if self.fenced(at):
            return None
        if self.quoted(at):
            return self._shouted(at) or self._broken(at, floor) or Head(at, 0, at, "quoted lines")
        if is_separator(line):
            return Head(at, 0, self._after_labels(at + 1), "separator")
        if _NOTES_TABLE.fullmatch(line[:LINE]) and self._label_follows(at + 1):
            return Head(at, 0, len(self), "header block")
        return self._labels(at, floor) or self._bare_labels(at, floor) or self._attribution(at, floor)

    def _attribution(self, at: int, floor: int) -> Head | None:
        line = self.lines[at]
        if listed(self, at):
            return None
        if attribution_within(line) or ("---" in line and _NOTES.match(line)):
            return Head(at, 0, at + 1, "attribution")
        column = attribution_inside(line)
        if column:
            return Head(at, column, at + 1, "attribution")
        if self._goes_on_below(at):
            return Head(at, 0, at + 2, "attribution")
        if not self._tries or not may_close(self, at):
            return None
        self._tries -= 1
        end = at + 1
        if end < len(self.lines) and _DATE_APART.fullmatch(self.lines[end][:LINE].strip()) and self.shows(end).date:
            end += 1  # "Bob skrev:", and under it "(3 juni 2025 10:11:12 CEST)"
        start = attribution_start(self, at, floor, self.opens_quote(end))
        return None if start is None else Head(start, self.own_column(start), end, "attribution")

    def _goes_on_below(self, at: int) -> bool:
        """Yahoo's app: "On Tue, Jun 3, 2025 at 10:11 AM, Bo Berg", "<bo@example.org> wrote:   the older mail"."""
        below = self.lines[at + 1] if at + 1 < len(self.lines) else ""
        if not below.startswith("<") or ":" not in below or self.shows(at).date < 2:
            return False
        return attribution_within(f"{self.lines[at][:SPAN]} {below}")

    def _shouted(self, at: int) -> Head | None:
        # GroupWise: ">>> Bob <bob@example.org> 01/02/2012 10:00 AM >>>" over text that carries no marks
        line = self.lines[at][:LINE].strip()
        if line.startswith(">>>") and line.endswith(">>>") and len(line) > 6 and not self.opens_quote(at + 1):
            shows = evidence(line)
            return Head(at, 0, at + 1, "attribution") if shows.address or shows.date else None
        return None

    def _broken(self, at: int, floor: int) -> Head | None:
        # "On Tue, 3 Jun 2025 at 10:11 Bo Berg", "<", "bo@example.org", "> wrote:": a bracket that looks quoted
        if self.lines[at].strip() == ">:" and at > floor and not self.blank(at - 1):
            above = at - 1 if self.shows(at - 1).date == 2 or self.blank(max(floor, at - 2)) else at - 2
            if above >= floor and "<" in self.lines[at - 1] and self.shows(above).date == 2:
                return Head(above, self.own_column(above), at + 1, "attribution")
        end = at
        if self.lines[at].strip() == ">" and at + 1 < len(self.lines):
            end = at + 1  # … and "wrote:" in the next line
        line = self.lines[end][:LINE]
        if len(line) > 40 or at <= floor or self.blank(at - 1) or self.quoted(at - 1) or not ends_with_wrote(line):
            return None
        if self.shows(end).date:
            return None  # an attribution that is quoted as a whole
        for start in range(at - 1, max(floor, at - 6) - 1, -1):
            if self.quoted(start):
                return None
            if opens_attribution(self.lines[start]) and self.shows(start).date == 2:
                return Head(start, 0, end + 1, "attribution")
        return None

    def _labels(self, at: int, floor: int) -> Head | None:
        """A block of header labels that begins in line `at`, blank lines between them and wrapped values allowed."""
        first = label_of(self.lines[at])
        if not first:
            column = _labels_behind(self.lines[at])
            return Head(at, column, at + 1, "header block") if column else None
        if _labels_in_line(self.lines[at]):
            return Head(at, 0, at + 1, "header block")
        if first == "other" and at + 1 < len(self.lines) and self.blank(at + 1):
            return None  # "Priority: urgent", with which the writer ends
        if first == "from" and _TIME_FROM.match(self.lines[at][:LINE]):
            return None  # "From: 10:00"
        if first == "from" and at > floor and self.blank(at - 1) and _names_mailbox(self.lines[at]):
            return Head(at, 0, self._block_end(at)[0], "header block")
        if at < self._no_block:
            return None
        end, kinds = self._block_end(at)
        if len(kinds) > 1 and self._is_block(at, end, kinds):
            return Head(self._author_above(at, floor, kinds), 0, end, "header block")
        self._no_block = end
        return None

    def _author_above(self, at: int, floor: int, kinds: set[str]) -> int:
        """Where "Bo Ek <bo@example.org> on 03/14/2001 09:12:44 AM" stands above "To:" (Notes), else `at`."""
        if not kinds.isdisjoint(("from", "date")):
            return at
        for row in range(at - 1, max(floor, at - 5) - 1, -1):
            line = self.lines[row].strip()[:LINE]
            if _NAMED_AT.fullmatch(line) and self.shows(row).date == 2:
                return row
            if line and not self.shows(row).address:
                break
        return at

    def _bare_labels(self, at: int, floor: int) -> Head | None:
        """Lotus Notes: a name and a date, and "To", "cc" and "Subject" without colons, below or behind them."""
        if len(self.lines[at]) > 200:
            return None
        kind = next((kind for kind in (_bare_label, _last_label) if kind(self.lines[at]) == "to"), None)
        below = [row for row in range(at + 1, min(len(self), at + 12)) if kind and kind(self.lines[row]) == "subject"]
        if not below:
            return None
        start = self._authored_above(at, floor) if kind is _bare_label else self._authored_beside(at, floor, below[0])
        return None if start is None else Head(start, 0, below[0] + 1, "header block")

    def _authored_above(self, at: int, floor: int) -> int | None:
        """The line above `at` from which on a name and a date stand; None where they do not."""
        start, seen, blanks = at, Evidence(), 0
        while start > floor and at - start < 6 and blanks < 3 and not (seen.date == 2 and seen.address):
            start -= 1
            blanks += self.blank(start)
            seen |= self.shows(start)
        return start if seen.date == 2 and seen.address else None

    def _authored_beside(self, at: int, floor: int, end: int) -> int | None:
        """The first of the indented lines above `at`, where they and those down to `end` hold a name and a date."""
        start, seen = at, Evidence()
        while start > floor and at - start < 4 and self.lines[start - 1].startswith("    "):
            start -= 1
        for row in range(start, end):
            seen |= self.shows(row)
        return start if seen.date == 2 and seen.address else None

    def _block_end(self, at: int) -> tuple[int, set[str]]:
        """The line after the labels that begin in line `at`, and their kinds."""
        kinds, end, loose = {label_of(self.lines[at])}, at + 1, 0
        for row in range(at + 1, min(len(self.lines), at + 40)):
            kind = "" if self.quoted(row) else label_of(self.lines[row])
            if kind:
                kinds.add(kind)
                end, loose = row + 1, 0
            elif self.blank(row):
                if loose or not self._label_follows(row):
                    break
            else:
                loose += 1
                if loose > 3:
                    break
        return end, kinds

    def _is_block(self, at: int, end: int, kinds: set[str]) -> bool:
        """Enough labels to be a mail's header, not a form or a travel plan."""
        telling = kinds - {"other"}
        shows, dated = Evidence(), False
        for row in range(at, min(end + 1, len(self.lines))):  # a wrapped address may stand in the line below
            if self.blank(row) or (row == end and self.quoted(row)):
                continue
            shows |= self.shows(row)
            dated = dated or (self.shows(row).date == 2 and label_of(self.lines[row]) == "date")
        if self.lines[at].lstrip(DECORATION)[:1].islower() and not dated:
            return False  # "to: list@example.org", "subject: offers": a file of settings
        if dated and "to" in telling and shows.address:
            return True
        if dated and self._as_mailed(at, end):
            return True
        if "from" in telling and len(telling) >= 2:
            if shows.address or "subject" not in telling:
                return shows.address
            return (shows.date == 2 or len(telling) >= 4) and not self._is_memo(at, end)
        if len(telling) < 3 or "subject" not in telling:
            return False
        return shows.address or (shows.date == 2 and self._lacks_its_first(at, end))

    def _is_memo(self, at: int, end: int) -> bool:
        """Another label than "From" comes first, and the day has no hour: "To: Bo", "From: Dana", "Date: 3 May"."""
        if label_of(self.lines[at]) == "from":
            return False
        days = [self.lines[row][:LINE] for row in range(at, end) if label_of(self.lines[row]) == "date"]
        return any(0 < sum(sign.isdigit() for sign in day) <= 8 and not _HOUR.search(day) for day in days)

    def _lacks_its_first(self, at: int, end: int) -> bool:
        """A label of no known language stands above, and the day has its hour: a mail's, and no letter's or form's."""
        hour = any(
            _HOUR.search(self.lines[row][:LINE]) for row in range(at, end) if label_of(self.lines[row]) == "date"
        )
        return hour and at > 0 and bool(_LABEL.match(self.lines[at - 1]))

    def _as_mailed(self, at: int, end: int) -> bool:
        """From, a day with its hour, to, in this order and with nothing between: no travel plan is written so."""
        rows = [row for row in range(at, end) if not self.blank(row)][:3]
        if [label_of(self.lines[row]) for row in rows] != ["from", "date", "to"]:
            return False
        return bool(_HOUR.search(self.lines[rows[1]][:LINE]) and _FULL_YEAR.search(self.lines[rows[1]][:LINE]))

    def _after_labels(self, at: int) -> int:
        """The line after the block of labels that stands in line `at` and over quoted lines; `at` where none does."""
        first = self.after(at)
        if first - at > 2 or first >= len(self) or label_of(self.lines[first]) in ("", "other"):
            return at
        end, kinds = self._block_end(first)
        return end if self.opens_quote(end) and self._is_block(first, end, kinds) else at

    def _label_follows(self, row: int) -> bool:
        at = self.after(row)
        return at < len(self.lines) and at - row <= 2 and bool(label_of(self.lines[at]))


def is_snip(line: str) -> bool:
    """The writer left out a part of the quote here: "[...]", "<snip>"."""
    return len(line) < 40 and bool(_SNIPPED.fullmatch(line)) and any(sign in line for sign in "[(<s")


def label_of(line: str) -> str:
    """The kind of header label ("from", "date", "to", "cc", "subject", "other") that `line` begins with, or ""."""
    match = _LABEL.match(line)
    return _LABELS.get(fold(" ".join(match.group(1).split())), "") if match else ""


def _bare_label(line: str) -> str:
    """The kind of label that `line` consists of, or begins with before a gap, without a colon."""
    first = line.strip().partition("  ")[0].partition("\t")[0]
    return _LABELS.get(fold(first), "") if len(first) <= 20 else ""


def _last_label(line: str) -> str:
    """The kind of label that stands without a colon at the end of `line`, far behind what else is in it."""
    _, gap, last = line.rstrip().rpartition("   ")
    return _LABELS.get(fold(last.strip()), "") if gap and len(last) <= 20 and last[:1].strip() else ""


def _labels_in_line(line: str) -> bool:
    """A whole header block squeezed into one line: "De : A Envoyé : B À : C Objet : D"."""
    line = line[:LINE]
    kinds = set()
    if line.count(":") + line.count("：") < 3:
        return False
    for colon in itertools.islice(_COLON.finditer(line), 12):
        words = _WORD.findall(line[max(0, colon.start() - 40) : colon.start()])
        for count in (1, 2, 3):
            kinds.add(_LABELS.get(fold(" ".join(words[-count:])), "other"))
    if len(kinds - {"other"}) < 3 or "from" not in kinds:
        return False
    shows = evidence(line[:SPAN])
    return shows.address or shows.date == 2


def _labels_behind(line: str) -> int:
    """Where a header block begins behind the writer's own words, all in one line: "Thanks! From: A Sent: B To: C"."""
    line = line[:LINE]
    if line.count(":") + line.count("：") < 3 or "@" not in line:
        return 0
    for colon in itertools.islice(_COLON.finditer(line), 3):
        word = _WORD_LAST.search(line[max(0, colon.start() - 20) : colon.start()])
        start = max(0, colon.start() - 20) + word.start() if word else 0
        if word and line[:start].rstrip()[-1:] in (".", "!", "?") and _LABELS.get(fold(word.group().strip())) == "from":
            return start if _labels_in_line(line[start:]) and "@" in line[start:] else 0
    return 0


def _names_mailbox(line: str) -> bool:
    """The line is "From: Bob <bob@example.org>" and nothing else."""
    bare = line[:LINE].rstrip(" *_")
    return bare.endswith((">", "]")) and bool(_MAILBOX.search(bare)) and len(bare) < 150


def _dashes(bare: str) -> int:
    """How many dashes `bare` begins with."""
    return len(bare) - len(bare.lstrip(DASHES + "_="))


def is_separator(line: str) -> bool:
    """A line between dashes that names a mail, or one that says by itself that an older mail follows."""
    bare = line[:LINE].strip(" \t*_|")
    inner = fold(bare.strip(DECORATION + ":："))
    if not inner:
        return False
    if len(line) < 200 and any(mark in inner for mark in _REPLY_ABOVE):
        return True
    if inner in _SEPARATOR_LINES:
        underlined = line.strip().startswith("_____") and line.rstrip().endswith("_____")
        if underlined or bare.endswith((":", "：", "-", "—")) or bare.startswith(("-", "—")):
            return True
    if not bare.startswith(_DASHED):
        return False
    name, _, rest = inner.partition("--")
    if not rest and not bare.endswith(_DASHED):
        return inner in _SEPARATOR_LINES
    words = _WORD.findall(name[:200])
    if len(words) <= 12 and not _SEPARATOR_WORDS.isdisjoint(words):
        return True
    others = [word for word in words if word not in _SEPARATOR_NOUNS]
    if len(others) < len(words) and len(others) <= (1 if _dashes(bare) >= 5 else 0):
        return True
    return not name.isascii() and any(part in name for part in mailwords.SEPARATOR_PARTS)


def is_forward_separator(line: str) -> bool:
    """A separator that says that the mail below it is forwarded, and not that it is being answered."""
    said = fold(line[:LINE])
    return is_separator(line) and any(word in said for word in _FORWARD_WORDS)
