"""The blocks of labels that mail programs write above an old mail: "From: … Sent: … To: … Subject: …".

Job: find such a block in the lines of a text, in any language, and read the mailbox and the date in it.
Core: no I/O but its own table of words, read once at import; no clock, no logging. Decides nothing: whether a block
heads a forward or an answer is `forward.py`'s question.
Structure comes before words: a block is a run of lines with known labels, of which the one for "from" holds an
address; where the language is unknown, a run of lines shaped alike with addresses and a date in them.
Bounded: lines are looked at up to `LINE` characters, a block up to `BLOCK` lines; no expression here can backtrack
over more than that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from router.message import Address
from router.phrasebook import load_table

LINE = 500
BLOCK = 40
AUTHOR_WITHIN = 8  # lines from a block's first to its "from"


_TABLE = load_table("forward")
WORDS: dict[str, dict[str, list[str]]] = {
    part: {kind: [word.casefold() for word in words] for kind, words in _TABLE[part].items()}
    for part in ("labels", "separators", "subject", "words")
}
KINDS = ("other", "cc", "to", "subject", "date", "from")  # the later wins where two languages share a word
_LABELS: dict[str, str] = {name: kind for kind in KINDS for name in WORDS["labels"][kind]}
_MONTHS = {stem.casefold(): number for number, stems in enumerate(_TABLE["months"]["names"], 1) for stem in stems}
_NEVER_MONTHS = frozenset(_TABLE["months"]["never"])
_WROTE = tuple(WORDS["words"]["wrote"])
_BEHALF = tuple(WORDS["words"]["behalf"])

_PARTICLES = frozenset(
    ("de", "der", "den", "di", "da", "del", "van", "von", "zu", "af", "la", "le", "el", "bin", "ter")
)
_UNSEEN = "\ufeff\u200b\u200c\u200d\u2060\u00ad\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2069"
_TIDY = dict.fromkeys(map(ord, _UNSEEN)) | {ord(c): " " for c in "\u00a0\u202f\u2007\u2009\u3000\t"}
_QUOTE = re.compile(r"(?:[ ]{0,3}>){1,20} ?")
_LOCAL = r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}"
_MAILBOX = _LOCAL + r"@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}"
_ADDRESS = re.compile(r"(?<![\w.!#$%&*+/=?^`{|}~-])" + _MAILBOX)  # tried once a word: linear also in a wall of letters
_BRACKETED = re.compile(r"[<\[(]\s{0,3}(?:mailto:)?(" + _MAILBOX + ")", re.IGNORECASE)
_UNKNOWN_LABEL = re.compile(r"[^\W\d_][^:：@<>]{0,24}[:：]\s")


@dataclass(frozen=True, slots=True)
class Block:
    """Labels at `lines[start:end]` and what they say; a value is `""` where its label is missing."""

    start: int
    end: int
    sender: str
    date: str
    subject: str
    known: bool = True  # False: the labels are in no language of the table and were told by their shape


def tidy(line: str) -> str:
    """`line`, cut and without what cannot be seen, for looking at; never for showing."""
    line = line[:LINE]
    return (line.replace("\t", " ") if line.isascii() else line.translate(_TIDY)).rstrip()


def unquote(line: str) -> str:
    """`line` without the quote signs before it."""
    found = _QUOTE.match(line)
    return line[found.end() :] if found else line


def is_quoted(line: str) -> bool:
    return line.lstrip().startswith(">")


@lru_cache(maxsize=64)  # a line is looked at once by itself and again as part of every block that may hold it
def label_of(line: str) -> tuple[str, str] | None:
    """The kind of label that `line` begins with, and its value: `("from", "Ann <ann@…>")`."""
    text = unquote(line).strip(" *_|")
    head, colon, _ = text[:32].replace("：", ":").partition(":")
    if not colon:
        return None
    kind = _LABELS.get(head.strip(" *_").casefold())
    return (kind, text[len(head) + 1 :].strip(" *_|")) if kind else None


def _continues(lines: Sequence[str], index: int, value: str) -> bool:
    """Whether the line at `index`, which has no label, belongs to the label above it.

    Lists of recipients are wrapped; so is a long subject, but only a further label shows that.
    """
    line = unquote(lines[index])
    if value.endswith((",", ";")) or not value:
        return True
    wrapped = line.startswith((" ", "<")) or "@" in line
    return wrapped and any(label_of(later) for later in lines[index + 1 : index + 4])


def _spaced_out(lines: Sequence[str], start: int, index: int) -> bool:
    """Whether a blank line at `index` may stand inside a block: tables of HTML come with one after every label."""
    inside = lines[start:index]
    blanks = sum(1 for line in inside if not unquote(line).strip())
    labels = sum(1 for line in inside if label_of(line))
    return labels <= 1 or blanks >= labels - 1


def block_at(lines: Sequence[str], start: int) -> Block | None:
    """The block whose first label is the line at `start`, if it names a sender. `lines` are tidy."""
    values: dict[str, str] = {}
    end = start
    last = ""
    for index in range(start, min(len(lines), start + BLOCK)):
        label = label_of(lines[index])
        if label and label[0] in ("from", "subject") and label[0] in values:
            break
        if index - start > AUTHOR_WITHIN and "from" not in values:
            break
        if label:
            last = label[0]
            values.setdefault(last, label[1])
            end = index + 1
        elif not unquote(lines[index]).strip():
            if values.get(last) and not _spaced_out(lines, start, index):
                break
        elif last and index - end <= 1 and _continues(lines, index, values[last]):
            values[last] = f"{values[last]} {unquote(lines[index]).strip()}".strip()[: 4 * LINE]
            end = index + 1
        else:
            break
    sender, date, subject = values.get("from", ""), values.get("date", ""), values.get("subject", "")
    if sender and len(values) > 1 and ("@" in sender or (date and "subject" in values)):
        return Block(start, end, sender, date, subject)
    return None


def shaped_block_at(lines: Sequence[str], start: int) -> Block | None:
    """A block in an unknown language: three or more lines "word: value", one with an address, one with a date.

    All programs name the author before the recipients, so the first address is the author's.
    """
    if start and _UNKNOWN_LABEL.match(unquote(lines[start - 1]).strip(" *_|")):
        return None  # its beginning was looked at already
    run: list[str] = []
    senders: list[str] = []
    for line in lines[start : start + 8]:
        text = unquote(line).strip(" *_|")
        if not _UNKNOWN_LABEL.match(text):
            break
        run.append(re.split("[:：]", text, maxsplit=1)[1].strip(" *_"))
        if _ADDRESS.search(run[-1]) and (label_of(line) or ("from", ""))[0] == "from":
            senders.append(run[-1])
    dates = [value for value in run if read_date(value)]
    if len(run) < 3 or not senders or not dates:
        return None
    return Block(start, start + len(run), senders[0], dates[0], "", known=False)


def bare_block_at(lines: Sequence[str], start: int) -> Block | None:
    """A block without colons, as eM Client writes it: "From Ann <ann@…>", "To …", "Date …", "Subject …"."""
    values: dict[str, str] = {}
    end = start
    for line in lines[start : start + 8]:
        words = unquote(line).strip(" *_|").split(" ")
        name = next((size for size in (2, 1) if " ".join(words[:size]).casefold() in _LABELS), 0)
        kind = _LABELS.get(" ".join(words[:name]).casefold(), "")
        if not kind or kind in values:
            break
        values[kind] = " ".join(words[name:])
        end += 1
    if _ADDRESS.search(values.get("from", "")) and "date" in values and ("to" in values or "subject" in values):
        return Block(start, end, values["from"], values["date"], values.get("subject", ""))
    return None


_COLONS = (":", " :", "：")


def _find_label(text: str, kind: str, start: int) -> tuple[int, int] | None:
    """Where the first label of `kind` stands in casefolded `text` from `start` on, and where its value begins."""
    best: tuple[int, int] | None = None
    for name, its_kind in _LABELS.items():
        if its_kind != kind or (len(name) < 4 and name.isascii()):
            continue
        for colon in _COLONS:
            at = text.find(name + colon, start)
            if at >= 0 and (best is None or (at, -len(name)) < (best[0], best[0] - best[1])):
                best = (at, at + len(name) + len(colon))
    return best


def jammed_block(line: str, index: int) -> Block | None:
    """The block in `line` (at `index`) when all labels stand on one line without spaces between, as Yahoo writes.

    "From: Ann <ann@…>To: Bo <bo@…>Sent: Tuesday, 2 November 2021, 09:26:50 GMTSubject: We need help"
    """
    line = tidy(line) if len(line) <= LINE else line[: 8 * LINE].translate(_TIDY)
    label = label_of(line)
    folded = line.replace("İ", "I").lower()
    if not label or label[0] != "from" or len(folded) != len(line):
        return None
    author = _BRACKETED.search(line)
    after = author.end() if author else 0
    subject = _find_label(folded, "subject", after)
    date = _find_label(folded, "date", after)
    if not author or not (subject or date):
        return None
    said = line[date[1] : subject[0] if subject else None].strip() if date else ""
    return Block(
        index, index + 1, line[: author.end()].partition(":")[2], said, line[subject[1] :].strip() if subject else ""
    )


def read_mailbox(value: str) -> tuple[Address | None, bool]:
    """The mailbox that a label names, and whether nothing else could be meant.

    The address in brackets counts before one that stands in a name: `"bo@x.example" <ann@y.example>` is Ann's.
    """
    value = value[: 4 * LINE]
    bracketed = [found.group(1) for found in _BRACKETED.finditer(value)]
    bare = [found.group(0) for found in _ADDRESS.finditer(value)]
    addresses = bracketed or bare
    if not addresses:
        return None, False
    address = addresses[0].lower().strip(".'")
    folded = value.casefold()
    several = len({each.lower() for each in addresses}) > 1
    behalf = any(f" {word.strip()} " in folded for word in _BEHALF)
    return Address(_name(value, address), address), not several and not behalf


def _name(value: str, address: str) -> str:
    """The name beside `address` in `value`, `""` when there is none but the address."""
    name = re.split(r"[<\[(]", value, maxsplit=1)[0]
    if not name.strip() or "@" in name:
        inside = re.search(r"\(([^()@]{1,80})\)", value)
        name = inside.group(1) if inside else ""
    return " ".join(name.strip(" '\"„“”«»,;*_").split())


@dataclass(frozen=True, slots=True)
class Attribution:
    """A line such as "On 3 May 2021, Ann <ann@…> wrote:" at `lines[start:end]`."""

    start: int
    end: int
    sender: str
    date: str


def attribution_at(lines: Sequence[str], start: int, *, verb: bool = True) -> Attribution | None:
    """The attribution that begins at the tidy line `start`, wrapped over up to three lines.

    `verb`: it needs a word for "wrote"; without, an address, a date and the colon are enough.
    """
    shouted = lines[start].strip()
    if shouted.startswith(">>>") and shouted.endswith(">>>"):  # GroupWise: ">>> Ann <ann@…> 6/3/2025 10:11 AM >>>"
        return _attribution(shouted.strip("> "), start, start + 1, verb=False)
    text = ""
    for index in range(start, min(len(lines), start + 3)):
        line = unquote(lines[index]).strip()
        if not line or len(text) > LINE:
            return None
        text = f"{text} {line}".strip()
        if text.endswith((":", "：")):
            return _attribution(text, start, index + 1, verb=verb)
    return None


def _attribution(text: str, start: int, end: int, *, verb: bool) -> Attribution | None:
    found = _BRACKETED.search(text) or _ADDRESS.search(text)
    if not found or not any(character.isdigit() for character in text.replace(found.group(0), "")):
        return None
    folded = text.casefold()
    if verb and not any(word in folded for word in _WROTE):
        return None
    address = found.group(1) if found.lastindex else found.group(0)
    rest = text[: found.start()] + " " + text[found.end() :]
    return Attribution(start, end, f"{_name_at_end(text[: found.start()])} <{address}>", rest)


def _name_at_end(text: str) -> str:
    """The name that ends `text`: what stands in quotes, else the last words that are no verb, preposition or date."""
    text = text.rstrip(" ([<")
    quoted = re.search(r"[\"„“«]([^\"„“”«»]{1,80})[\"”“»]$", text)
    if quoted:
        return quoted.group(1).strip()
    name: list[str] = []
    for word in reversed(text.split()[-8:]):
        plain = not word[0].islower() and not word.endswith((",", ":")) and not any(c.isdigit() for c in word)
        if not plain and not (name and word in _PARTICLES):
            break
        name.insert(0, word)
    return " ".join(name)


_CLOCK = re.compile(
    r"(?<!\d)(\d{1,2})(?:[:.h]| h )(\d{2})(?::\d{2}|\.\d{2})?(?![\d./-])\s?([ap]\.?m\b)?", re.IGNORECASE
)
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})\s?[-./年년]\s?(\d{1,2})\s?[-./月월]\s?(\d{1,2})(?!\d)")
_DAY_FIRST = re.compile(r"(?<!\d)(\d{1,2})([-./])\s?(\d{1,2})\2\s?(\d{4}|\d{2})(?!\d)")
_ZONE = re.compile(r"(?:\d\s?|UTC|GMT|\()([+-])(\d{1,2}):?(\d{2})?\b")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d{2}(?!\d)")
_AFTERNOON = ("오후", "下午", "午後")
_WORD = re.compile(r"[^\W\d_]{2,20}")
_DAY = re.compile(r"(?<![\d:.+-])(\d{1,2})(?![\d:]|\.\d)")


def read_date(value: str) -> datetime | None:
    """The moment that a date label means, in UTC; None where it cannot be told, as for 3/5/2021.

    A date without a zone is taken for UTC, which is right to within half a day.
    """
    value = value[:200]
    day = _year_first(value) or _day_with_month_name(value) or _day_first(value)
    if day is None:
        return None
    clock = _CLOCK.search(value)
    hour, minute = (int(clock.group(1)), int(clock.group(2))) if clock else (0, 0)
    if clock and (clock.group(3) or any(word in value for word in _AFTERNOON)):
        hour = hour % 12 + (12 if (clock.group(3) or "p")[0] in "pP" else 0)
    try:
        return datetime(*day, hour, minute, tzinfo=UTC) - _offset(value)
    except (ValueError, OverflowError):
        return None


def _year_first(value: str) -> tuple[int, int, int] | None:
    found = _YEAR_FIRST.search(value)
    return (int(found.group(1)), int(found.group(2)), int(found.group(3))) if found else None


def _day_first(value: str) -> tuple[int, int, int] | None:
    """`28/10/2021`, `10/28/2021`, `3.5.2021`; with slashes and two numbers that may be months it stays unknown."""
    found = _DAY_FIRST.search(value)
    if not found:
        return None
    first, second, year = int(found.group(1)), int(found.group(3)), int(found.group(4))
    year += 2000 if year < 100 else 0
    if second > 12:
        return year, first, second
    unclear = found.group(2) == "/" and first <= 12 and first != second
    return None if unclear else (year, second, first)


def _month(word: str) -> int:
    """The month that a word names in any language, 0 for none."""
    if word in _NEVER_MONTHS:
        return 0
    return next((_MONTHS[word[:size]] for size in range(len(word), 1, -1) if word[:size] in _MONTHS), 0)


def _day_with_month_name(value: str) -> tuple[int, int, int] | None:
    year = _YEAR.search(value)
    months = [month for word in _WORD.findall(value.casefold()) if (month := _month(word))]
    if not year or not months:
        return None
    before, after = value[: year.start()], value[year.end() :]
    days = [int(number) for number in _DAY.findall(before) or _DAY.findall(after) if 1 <= int(number) <= 31]
    return (int(year.group(0)), months[-1], days[-1] if before.strip() else days[0]) if days else None


def _offset(value: str) -> timedelta:
    found = _ZONE.search(value)
    if not found:
        return timedelta()
    amount = timedelta(hours=int(found.group(2)), minutes=int(found.group(3) or 0))
    return -amount if found.group(1) == "-" else amount
