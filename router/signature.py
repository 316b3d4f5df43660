"""What is in a mail's own text and is not its writer's word: banners, signatures, disclaimers, footers.

Job: take a stretch of lines that holds no quote any more and return the lines a person wrote for this mail. Names and
greetings under the text stay: they are the writer's, and a text may be meant for a client. Core: pure; imports the word
tables only. Invariants: linear in the lines; nothing is taken away that has no sign of a machine or of `-- `.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from router import mailwords
from router.lines import LINE, is_rule, line_above

_RULES = 60  # rules of a text that are looked at; nobody draws more
_SIGNED = 10  # lines of a signature
_LONG_DASHES = ("—", "–")
_LINK = re.compile(r"\[([^\[\]\n]{1,200})\]\([^()\n]{1,400}\)|<?https?://[^\s>]{1,400}>?")
_DASHED_NAME = re.compile(r"-[^\W\d_]{2,20}(?: [^\W\d_]{1,20}\.?){0,2}")
_ORNAMENT = re.compile(r"(?:p (?=please)|[\W_])*")  # a tree, stars, and the P that is a tree in Webdings
_DIGEST_ENDS = re.compile(r"end of .{2,80} digest, vol(?:ume)? \d")
_MAIL_APP = re.compile(r"\b(?:yahoo|aol|gmx|web\.de) mail\b")  # they offer themselves as Outlook does
_SCANNER = re.compile(r"\b(?:avast|avg)\.com")
_COLON = re.compile(r":\s+\w")
_QUESTION = re.compile(r"[?？](?:\s|$)")
_LABELLED = re.compile(r"[ *_]{0,4}[^\W\d_][^:：@.!?]{0,30}[:：](?!//)")
_LINKED = re.compile(r"@|https?://|www\.|mailto:")
_REACTED = re.compile(r"\br[eé]a(?:ct|g|cc|z)\w* .{0,20}gmail$|gmail\w* r[eé]a(?:ct|g|cc|z)\w*\.?$")
_REACTED_TO = re.compile(
    r"\w \w*r[eé]a(?:ct|g|cc|z)\w* (?:\w{1,4} )?(?:your|ihre|deine|votre|ton|tu|su|din|ditt|uw|je|il tuo|a sua) \w+ ?:$"
    r"|\w hat auf (?:ihre|deine) \w+ reagiert:$"
)
_FIELD = re.compile(r"\w\W{0,3}\s_{5,}|\w:_{5,}|_{5,}\s+\w")
_LETTERS = re.compile(r"[^\W\d_]+")
_HEADLIKE = re.compile(r"@|(?:19|20)\d\d|[:：]$|[,，]$|[|•·]|https?:|www\.")
_CONTACT = re.compile(r"\w@\w|https?://|www\.|(?<!\d)\+?\d[\d\s()/.-]{6,}\d|[|•·](?!\s*\d)")


def trim(lines: Sequence[str], *, before_quote: bool = False) -> list[str]:
    """`lines` without what follows a signature mark, phone signatures, disclaimers and footers, and blank ends.

    Small print above the first word is passed over; under it, it ends the text, but for a phone's signature with which
    the writer was not done yet, where the lines stand `before_quote`: else what follows may be an older mail.
    """
    kept: list[str] = []
    at, said, rules = 0, False, 0
    while at < len(lines):
        line = lines[at]
        rules += is_rule(line) or line.strip() in _LONG_DASHES
        if (rules <= _RULES or line.strip() == "--") and is_signature_mark(lines, at):
            break
        phone = bool(line.strip()) and _is_phone_line(lines, at)
        small = phone or (line.strip() and _is_small_print(lines, at))
        lead = _own_lead(lines, at) if small and not phone else 0
        kept.extend(lines[at : at + lead])
        if phone and said and before_quote and _adds_a_word(lines, at + 1):
            at += 1
            continue
        if small and (said or lead):
            break
        if small and (phone or _is_reaction(lines, at) or not _is_footer(lines, at, scans=False)):
            at = at + 1 if phone else _paragraph_end(lines, at)
            continue
        kept.append(line)
        said = said or bool(line.strip() and not is_rule(line))
        at += 1
    return _strip_end(kept)


def _is_phone_line(lines: Sequence[str], at: int) -> bool:
    sign = _phone_sign(lines[at])
    if sign != 1:
        return sign == 2
    below = at + 1  # "Sent with love" may be the writer's, unless it comes last
    while below < len(lines) and not lines[below].strip():
        below += 1
    return (at == 0 or not lines[at - 1].strip()) and (below == len(lines) or is_signature_mark(lines, below))


def _adds_a_word(lines: Sequence[str], at: int) -> bool:
    """From line `at` on stand sentences, and nothing that the head of an older mail, an excuse or an address holds."""
    below = [line[:LINE].strip() for line in lines[at : at + 13] if line.strip()]
    if not below or len(lines) - at > 12 or not _speaks(lines, at) or any(_HEADLIKE.search(line) for line in below):
        return False
    first = _plain(below[0])
    excuses = sum(word in first for word in mailwords.EXCUSES)
    return excuses < 2 and not any(word in first for word in mailwords.EXCUSED)


def _is_small_print(lines: Sequence[str], at: int) -> bool:
    begins = at == 0 or not lines[at - 1].strip() or is_rule(lines[at - 1])
    return begins and _says_small_print(lines, at)


def _says_small_print(lines: Sequence[str], at: int) -> bool:
    """Line `at` begins a footer, a disclaimer, or the title of one."""
    if _plain(lines[at]).strip(" *_:") in mailwords.DISCLAIMER_HEADS:
        under = next((row for row in range(at + 1, min(at + 6, len(lines))) if lines[row].strip()), at)
        return _is_disclaimer(lines, under)
    return _is_footer(lines, at) or _is_disclaimer(lines, at) or _is_privacy_notice(lines, at)


def _paragraph_end(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and lines[at].strip():
        at += 1
    return at


def _strip_end(lines: list[str]) -> list[str]:
    """Without blank lines at both ends and, at the lower one, rules and a lone "-Anna Berg"."""
    end = len(lines)
    while end and (lines[end - 1].strip() in ("", mailwords.TRACKED, *_LONG_DASHES) or is_rule(lines[end - 1])):
        end -= 1
    if end > 2 and not lines[end - 2].strip() and _DASHED_NAME.fullmatch(lines[end - 1]):
        return _strip_end(lines[: end - 1])
    start = 0
    while start < end and not lines[start].strip():
        start += 1
    return lines[start:end]


def is_phone_signature(line: str) -> bool:
    """The line signs for a phone or a program ("Sent from my phone"): a phrase of the tables and a device."""
    return _phone_sign(line) == 2


def _phone_sign(line: str) -> int:
    """2: certainly a phone's or a program's own line; 1: only where it stands alone ("Sent with my left hand")."""
    if len(line) > 300:
        return 0
    if "aka.ms/" in line and "outlook" in line.lower() and len(line) < 120:
        return 2  # "Get Outlook for iOS<https://aka.ms/o0ukef>", in any language
    bare = _MAIL_APP.sub("outlook", _plain(_LINK.sub(r"\1", line)).strip(" \t*_()<>[].-–—~|"))
    words = len(bare.split())
    if not bare or len(bare) > 160 or words > 16:
        return 0
    _, mark, more = _partition(bare)
    again = more.startswith(_PHONE_STARTS) and len(more.split()) <= 6
    brand = again or (mark == "," and more.startswith(mailwords.DEVICES) and len(more.split()) <= 4)
    if mark and more and not brand and (_COLON.search(more) or not any(word in more for word in mailwords.EXCUSES)):
        return 0  # "Sent from my phone, so brief: yes" says something
    device = any(device in bare for device in mailwords.DEVICES)
    if bare.endswith(mailwords.PHONE_ENDS):
        return 2 if device else 0
    if not bare.startswith(_PHONE_STARTS):
        return 0
    if device:
        return 2
    return 1 if words <= 8 and not bare.startswith(mailwords.PHONE_STARTS_WITH_DEVICE) else 0


def _partition(text: str) -> tuple[str, str, str]:
    """`text` before, at and behind its first comma, colon or full stop that ends a word."""
    match = re.search(r"(?:[,;.!?]|(?<!\s):)(?:\s|$)", text)
    return (text[: match.start()], match.group().strip(), text[match.end() :].strip()) if match else (text, "", "")


_OF_THIS_MAIL = (*mailwords.THIS_MAIL, *mailwords.SENDERS)
_OF_DISCLAIMERS = (*mailwords.DISCLAIMER_READERS, *mailwords.DISCLAIMER_SECRETS)
_TELLING = (*_OF_DISCLAIMERS, *mailwords.DISCLAIMED, *mailwords.MAIL_WORDS)
_ANONYMOUS = frozenset((*mailwords.FIRST_PERSON, "i", "my", "mein", "meine", "min", "mitt", "mon", "ma", "mi", "mijn"))
_BANNER_LABEL = (*mailwords.BANNER_OUTSIDE, *mailwords.MAIL_WORDS, *mailwords.SENDERS, "e")
_PHONE_STARTS = tuple(sorted(mailwords.PHONE_STARTS))


def is_signature_mark(lines: Sequence[str], at: int) -> bool:
    """Line `at` parts a signature or a footer from the text above it.

    Two dashes always do. A line of underscores (Mailman's, Outlook's, any rule of an HTML mail) does unless the writer
    goes on below; any other rule only where a signature or small print follows, and a long dash only where the
    signature says how to reach somebody: over a name alone it is a greeting's, which stays.
    """
    bare = lines[at].strip()
    if bare == "--":
        return True
    dash, drawn = bare in _LONG_DASHES, len(bare) >= 10 and set(bare) == {"_"}
    if not dash and not drawn and not is_rule(bare) and bare != "__":
        return False
    below = _up_to_small_print(lines, at + 1)
    if not below:
        return True
    if dash:
        return _signs(below, needs_contact=True)
    if drawn and _is_field(lines, at, below[0]):
        return False
    if drawn:
        return not _speaks(lines, at + 1)
    if bare[0] not in "-_—–":
        closes = any(line.strip() == bare for line in lines[-3:])
        return closes and _is_name(below[0]) and _signs(below, needs_contact=True)
    over = lines[at - 1].strip() if at else ""
    heading = bool(over) and abs(len(over) - len(bare)) <= 3
    return _signs(below, needs_contact=heading)


def _is_field(lines: Sequence[str], at: int, under: str) -> bool:
    """The line in `at` is to be written on: its name stands under it in brackets, or others like it beside theirs."""
    if under.startswith("(") and under.endswith(")"):
        return True
    if any(_FIELD.search(line[:LINE]) for line in lines[max(0, at - 6) : at + 7]):
        return True
    near = [line.strip() for line in lines[max(0, at - 4) : at + 5] if line.strip()]
    drawn = [row for row, line in enumerate(near) if len(line) >= 10 and set(line) == {"_"}]
    short = len(under) <= 30 and not _CONTACT.search(under)
    return short and any(after - before == 2 for before, after in itertools.pairwise(drawn))


def _up_to_small_print(lines: Sequence[str], at: int) -> list[str]:
    """The lines from `at` on, as many as tell whether they are a signature, up to the first small print."""
    found: list[str] = []
    for row in range(at, min(len(lines), at + 40)):
        if not lines[row].strip() or is_rule(lines[row]):
            continue
        if len(found) > _SIGNED or (_is_small_print(lines, row) if found else _is_footing(lines, row)):
            break
        found.append(lines[row].strip()[:LINE].rstrip())
    return found


def _speaks(lines: Sequence[str], at: int) -> bool:
    """The first paragraph from line `at` on is the writer's: sentences, no name, no label, no address."""
    below = [line[:LINE].strip() for line in lines[at : at + 40]]
    at = next((row for row, line in enumerate(below) if line and not is_rule(line)), len(below))
    text = " ".join(below[at : _paragraph_end(below, at)])[:2000]
    told = len(text) >= 30 or (len(text) >= 12 and not text.isascii())
    if not told or "@" in text or text[-1] not in ".!?:;,。！？：…)":
        return False
    upper = [line for line in below[at:] if line][:6]
    return sum(bool(_LABELLED.match(line)) for line in upper) < 2


def _is_footing(lines: Sequence[str], at: int) -> bool:
    """Line `at`, the first under a rule, begins small print: a footer's words, a disclaimer, a list's links."""
    paragraph = lines[at : _paragraph_end(lines[: at + 30], at)]
    if _says_small_print(lines, at) or any(_is_footer(paragraph, row) for row in range(1, min(6, len(paragraph)))):
        return True
    first = _plain(lines[at])
    if first.startswith(mailwords.FOOTER_MAYBE) or any(word in first for word in (*mailwords.VIRUSES, "avast")):
        return True
    below = [line[:LINE] for line in lines[at : at + 40] if line.strip() and not is_rule(line)]
    if len(below) <= 5 and len(line_above(lines, at).lstrip()) >= 20 and _advertises(_plain(" ".join(below))):
        return True
    opens = _plain(" ".join(paragraph)[:LINE])
    if any(word in opens for word in _OF_DISCLAIMERS) and _disclaims(" ".join(below[:12])):
        return True  # in several paragraphs
    linked = sum(bool(_LINKED.search(line)) for line in below)
    listed = any(word in _plain(" ".join(below)) for word in mailwords.LIST_WORDS)
    return len(below) <= 12 and linked * 2 >= len(below) and listed


def _advertises(text: str) -> bool:
    """A free mail service speaks of itself, and nobody else does."""
    if not any(name in text for name in mailwords.MAIL_HOSTS) or not any(word in text for word in mailwords.OFFERS):
        return False
    return _ANONYMOUS.isdisjoint(_LETTERS.findall(text)) and "please" not in text


def _signs(below: Sequence[str], *, needs_contact: bool) -> bool:
    """The lines under a rule are a signature: few and short, with a name on top or a way to reach somebody."""
    if (
        len(below) > _SIGNED
        or _LABELLED.match(below[0])
        or any(len(line) > 60 or line.rstrip()[-1] in ".!?:;," for line in below)
    ):
        return False
    contacts = any(_CONTACT.search(line) for line in below)
    return contacts or (not needs_contact and len(below) <= 3 and _is_name(below[0]))


def _is_name(line: str) -> bool:
    """One to five words that begin as names do: "Anna Berg", "Ludwig van der Rohe, ACME"."""
    words = line.split()
    return len(words) <= 5 and not any(word[0].islower() and len(word) > 3 for word in words) and words[0][0].isalpha()


def _plain(text: str) -> str:
    return text[:LINE].strip().lower().replace("’", "'").replace("`", "'")


def _is_footer(lines: Sequence[str], at: int, *, scans: bool = True) -> bool:
    """Line `at` begins a footer; `scans`: the notice of a virus scanner, which may stand on top, is one as well.

    A person may begin a paragraph with "You are receiving this because …" too: then no machine's words follow.
    """
    line = lines[at]
    if len(line) > 300:
        return False
    plain = _plain(line)
    bare = _ORNAMENT.sub("", plain, count=1)
    if _DIGEST_ENDS.match(bare):
        return True  # "End of Garden Digest, Vol 12, Issue 3"
    if line.startswith("---") and any(row.startswith(" * Origin: ") for row in lines[at + 1 : at + 2]):
        return True  # a bulletin board's tear line
    if bare.startswith(mailwords.FOOTER_STARTS) or any(part in plain for part in mailwords.FOOTER_PARTS):
        return True
    if len(plain) < 60 and _SCANNER.search(plain) and any(word in plain for word in mailwords.VIRUSES):
        return True  # "Virus-free. www.avast.com", in any language
    if bare.startswith(mailwords.FOOTER_MAYBE):
        whole = " ".join(_plain(row) for row in lines[at : _paragraph_end(lines[: at + 6], at)])
        return any(word in whole for word in mailwords.FOOTER_MORE)
    if _is_reaction(lines, at) or _spares_paper(lines, at):
        return True
    own = scans and len(plain) < 160 and bare.startswith(mailwords.THIS_MAIL)
    if own and any(name in plain for name in mailwords.SCANNERS):
        return True
    scanned = scans and any(part in bare for part in mailwords.SCANNED)
    return scanned and any(word in bare for word in mailwords.THIS_MAIL)


def _spares_paper(lines: Sequence[str], at: int) -> bool:
    """The paragraph in line `at`, the last one, asks not to print this mail, for the sake of trees; nobody says "I"."""
    end = _paragraph_end(lines[: at + 4], at)
    text = " ".join(_plain(line) for line in lines[at:end])
    if len(text) > 200 or "?" in text or not any(word in text for word in mailwords.SPARED):
        return False
    below = next((row for row in range(end, len(lines)) if lines[row].strip()), None)
    if below is not None and not is_rule(lines[below]) and not _is_disclaimer(lines, below):
        return False
    if not any(word in text for word in mailwords.PRINTED) or not any(word in text for word in mailwords.MAIL_WORDS):
        return False
    return _ANONYMOUS.isdisjoint(_LETTERS.findall(text))


def _is_reaction(lines: Sequence[str], at: int) -> bool:
    """Line `at` tells of an emoji: "Dana reacted via Gmail", "Dana reacted to your message:" with nothing below."""
    plain = _plain(lines[at])
    if len(plain) >= 80:
        return False
    if "gmail" in plain and _REACTED.search(plain):
        return True
    return plain.endswith(":") and bool(_REACTED_TO.search(plain)) and not any(line.strip() for line in lines[at + 1 :])


def _is_disclaimer(lines: Sequence[str], at: int) -> bool:
    """The paragraph that begins in line `at` is legal small print."""
    paragraph: list[str] = []
    for line in lines[at : at + 30]:
        if not line.strip():
            break
        paragraph.append(line[:LINE])
    return _disclaims(" ".join(paragraph))


def _is_privacy_notice(lines: Sequence[str], at: int) -> bool:
    """The paragraph that begins in line `at` says where to read what is done with the data of whoever writes."""
    text = " ".join(_plain(line) for line in lines[at : _paragraph_end(lines[: at + 8], at)])
    if not _LINKED.search(text) or len(text) > 700 or _QUESTION.search(text):
        return False
    return any(word in text for word in mailwords.YOUR_DATA) and any(word in text for word in mailwords.PROCESSED)


def _own_lead(lines: Sequence[str], at: int) -> int:
    """How many lines at the top of a paragraph of small print are the writer's: "Let us do that.", "Lee"."""
    paragraph = lines[at : _paragraph_end(lines[: at + 30], at)]
    count = 0
    while count < 6 and not _is_footer(paragraph, 0, scans=False) and _disclaims(" ".join(paragraph[count + 1 :])):
        line = _plain(paragraph[count])
        if len(line) > 60 or line.strip(" *_:") in mailwords.DISCLAIMER_HEADS or any(word in line for word in _TELLING):
            break
        if is_phone_signature(paragraph[count]):
            break
        count += 1
    return count


def _disclaims(text: str) -> bool:
    if len(text) < (80 if text.isascii() else 35) or _QUESTION.search(text):
        return False  # small print asks nothing
    lowered = text[:3000].lower().replace("’", "'")
    if not any(word in lowered for word in mailwords.DISCLAIMER_READERS):
        return False
    if not any(word in lowered for word in (*mailwords.MAIL_WORDS, *mailwords.DISCLAIMED)):
        return False  # it does not speak of itself: a person asks for discretion
    return any(word in lowered for word in mailwords.DISCLAIMER_SECRETS)


def skip_banners(lines: Sequence[str], own: Sequence[str] = ()) -> int:
    """How many lines at the top are a mail server's banner, or one of the operator's `own` banner texts."""
    marks = [mark for mark in (_letters(banner) for banner in own) if mark]
    at = 0
    while True:
        text = at
        while text < len(lines) and (not lines[text].strip() or is_rule(lines[text])):
            text += 1
        end = _own_banner(lines, text, marks) or _banner(lines, text)
        if not end:
            return text if at else 0  # the rule under a banner is the banner's
        at = end


def _letters(text: str) -> str:
    return "".join(_LETTERS.findall(text[:4000].lower()))


def _own_banner(lines: Sequence[str], at: int, marks: Sequence[str]) -> int:
    """The line after a banner of the operator's that begins in line `at`, however it was wrapped; 0 for none."""
    seen = ""
    for end in range(at, min(len(lines), at + 20)):
        seen += _letters(lines[end][:LINE])
        if seen in marks:
            return end + 1
        if seen and not any(mark.startswith(seen) for mark in marks):
            return 0
    return 0


def _banner(lines: Sequence[str], at: int) -> int:
    """The line after the banner that begins in line `at`; 0 when none does."""
    end = at
    while end < len(lines) and end - at < 8 and lines[end].strip():
        end += 1
    paragraph = [_plain(line) for line in lines[at:end]]
    if not paragraph or not is_banner(paragraph[0], " ".join(paragraph)):
        return 0
    for row in range(1, len(paragraph)):
        line, above = paragraph[row], paragraph[row - 1].rstrip()
        small = lines[at + row].strip(" \t*_")[:1].islower()
        broken = small and 20 < len(above) <= 80 and not above.endswith(mailwords.BANNER_ENDS)
        if not broken and not any(word in line for word in mailwords.BANNER_MORE) and not is_banner(line, line):
            return at + row
    return end


def is_banner(first: str, whole: str) -> bool:
    """A paragraph (lower case), by its first line and as a whole, is what a mail server sets above foreign mail."""
    found = [at for mark in mailwords.BANNER_LINES if 0 <= (at := whole.find(mark)) < len(first)]
    if any(not at or whole[at - 1] not in "\"'“„«‘" for at in found):
        return True
    if not any(word in whole for word in mailwords.BANNER_OUTSIDE):
        return False
    if _warns_of_outside(first) or _warns_of_outside(whole):
        return True
    bare = first.strip(" \t*_[](){}<>!|#=-~⚠\ufe0f🛑")
    foreign = any(word in first for word in mailwords.BANNER_OUTSIDE)
    numbered = any(sign.isdigit() for sign in first)  # "External: 12", "Internal: 30"
    if foreign and not numbered and len(bare.split()) <= 4 and (first[:1] in "[*!{<⚠" or ":" in first):
        return True  # [EXTERNAL], *** EXTERNE MAIL ***, EXTERNAL EMAIL:
    if not any(word in whole for word in mailwords.MAIL_WORDS):
        return False
    warnings = sum(word in whole for word in mailwords.BANNER_CAUTION)
    if bare.startswith(mailwords.BANNER_CAUTION):  # a person may warn as well: "Caution: the external server is old."
        return warnings >= 2 or len(whole.split()) <= 6 or any(word in whole for word in _OF_THIS_MAIL)
    return foreign and warnings >= 2


def _warns_of_outside(text: str) -> bool:
    """Mail from outside, and what not to do with it; or nothing but where it came from. No person speaks or asks."""
    words = _LETTERS.findall(text)
    if not words or len(words) > 60 or _QUESTION.search(text) or not _ANONYMOUS.isdisjoint(words):
        return False
    labelled = ":" in text[:20] and words[0].startswith(mailwords.BANNER_OUTSIDE)
    if not labelled and not any(word in text for word in mailwords.MAIL_WORDS):
        return False
    if not any(word in text for word in mailwords.BANNER_OUTSIDE):
        return False
    if all(word.startswith(_BANNER_LABEL) for word in words):
        return len(words) > 1  # "Externe E-Mail"
    if any(word in text for word in mailwords.BANNER_LINKS) and any(word in text for word in mailwords.BANNER_ACTS):
        return True
    told = text.strip(" \t*_[](){}<>!|#=-~⚠\ufe0f🛑")
    this = told.startswith(mailwords.THIS_MAIL) and len(words) <= 14
    return this and any(word in text for word in mailwords.BANNER_CAME)
