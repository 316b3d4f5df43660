"""Forwarded mails: who wrote the original, and what.

Job: `read_forward` finds the original mail inside a mail that forwards it, inline or attached.
Core: no I/O, no clock, no logging.
Leaves out: whether the forwarder may forward, and whether the mail is about a lead already known (triage).

An answer that quotes carries the same block of labels as a forward. Three things tell a forward: a subject whose
first prefix says so (Fwd:, VB:, WG:, …), a line that says so ("---------- Forwarded message ---------"), or an
attached mail; and it must be what comes first, before any other quote. A wrong guess is worse than none: where the
sender is not beyond doubt, `certain` is False, and the forwarder is asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from router import msg
from router.labels import (
    WORDS,
    Attribution,
    Block,
    attribution_at,
    bare_block_at,
    block_at,
    is_quoted,
    jammed_block,
    label_of,
    read_date,
    read_mailbox,
    shaped_block_at,
    tidy,
    unquote,
)
from router.message import Address, Message, MessageError, read_message

TEXT = 200_000  # characters of a mail that are looked at
LINES = 2_000  # a forward begins within these or is not found
NEAR = 15  # lines between a separator and its block

_FORWARD_WORDS = tuple(WORDS["separators"]["forward"])
_NEUTRAL_WORDS = tuple(WORDS["separators"]["neutral"])
_PREFIXES = {word: kind for kind in ("reply", "forward", "either") for word in WORDS["subject"][kind]}
_WEAK_PREFIXES = frozenset(WORDS["subject"]["weak"])
_FINNISH = ("lähettäjä", "keneltä")
_PREFIX = re.compile(r"\s{0,9}([^\W\d_][^\s:：\[\](]{0,15}|I)(?:[\[(]\d{1,3}[\])])?\s?[:：]\s{0,9}")
_TAG = re.compile(r"\s{0,9}\[[^\[\]:]{1,40}\]\s{0,9}")
_ENDINGS = ("end ", "ende ", "fin ", "slut ", "einde ", "koniec ", "konec ", "fine ", "fim ")
_DASHES = re.compile(r"[-_=*—–─]{2,}")


@dataclass(frozen=True, slots=True)
class Forward:
    """A forwarded mail. `client` wrote the original, None where that cannot be told; with `certain` False ask.

    `text` is the original's; `above` is what the forwarder wrote around it and never reaches a client.
    `date` is aware UTC. `how` says what it was told by, for people.
    """

    client: Address | None
    subject: str
    date: datetime | None
    text: str
    above: str
    certain: bool
    how: str


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where the old mail begins, and what says so: a line that names it, a block of labels, an attribution, a quote."""

    kind: str  # "separator", "block", "attribution", "quote"
    line: int
    forward: bool = False  # a separator that says "forwarded"
    block: Block | None = None
    attribution: Attribution | None = None
    sender: str = ""  # a separator that names the sender (mutt)


def read_forward(message: Message, text: str | None = None) -> Forward | None:
    """The mail that `message` forwards; None when it forwards none. `text`: read this instead of the mail's text.

    PROTOCOL, "Arriving": the client is the forwarded mail's sender.
    """
    if message.content_type == "multipart/report":
        return None
    body = (message.text if text is None else text)[:TEXT]
    whole = body.split("\n")
    lines = [tidy(line) for line in whole[:LINES]]
    prefix = subject_prefix(message.subject)
    mark = _first_mark(lines, whole, shaped=prefix == "forward")
    inline = _inline(message, whole, lines, mark, prefix) if mark else None
    if inline and inline.client:
        return inline
    if prefix != "reply" and (attached := _attached(message, body)):
        return attached
    if inline:
        return inline
    if prefix == "forward" and mark is None and not _weak(message.subject):
        return _unknown(message, body, "the subject alone")
    return None


def subject_prefix(subject: str) -> str:
    """What the first known prefix of a subject says: "forward", "reply", "either" or "".

    A list's tag and unknown words before it ("BUN: Fwd: …") are skipped; behind those an answer's prefix is no sign.
    """
    kind, _, first = _prefix(subject)
    return kind if first or kind != "reply" else ""


def _prefix(subject: str) -> tuple[str, str, bool]:
    """The kind of the first known prefix, the word itself, and whether nothing but a list's tag stood before it."""
    rest = subject[:300]
    for step in range(4):
        rest = rest.lstrip(" [") if rest.lstrip().lower().startswith(("[fwd", "[fw:")) else rest
        tag = _TAG.match(rest)
        rest = rest[tag.end() :] if tag else rest
        found = _PREFIX.match(rest)
        if not found:
            break
        word = found.group(1).casefold()
        if word in _PREFIXES:
            return _PREFIXES[word], word, step == 0
        rest = rest[found.end() :]
    return "", "", False


def _weak(subject: str) -> bool:
    """Whether the prefix is one that people also write for other ends ("I: …", "TR: …")."""
    return _prefix(subject)[1] in _WEAK_PREFIXES


def strip_prefix(subject: str) -> str:
    """`subject` without the forward prefix before it, and without the brackets of `[Fwd: …]`."""
    rest = subject.strip()
    bracketed = rest.lower().startswith(("[fwd", "[fw:")) and rest.endswith("]")
    rest = rest[1:-1] if bracketed else rest
    found = _PREFIX.match(rest)
    if found and _PREFIXES.get(found.group(1).casefold()) in ("forward", "either"):
        return rest[found.end() :].strip()
    return rest


# --- where the old mail begins


def _first_mark(lines: Sequence[str], whole: Sequence[str], *, shaped: bool) -> _Mark | None:
    """What marks the beginning of the old mail; `shaped`: a block of labels in an unknown language counts too."""
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        mark = _separator(lines, whole, index)
        if mark is None and label_of(line) and (block := block_at(lines, index)):
            mark = _Mark("block", index, block=block)
        if mark is None and shaped and (block := shaped_block_at(lines, index)):
            mark = _Mark("block", index, block=block)
        if mark is None and (attribution := attribution_at(lines, index)):
            mark = _Mark("attribution", index, attribution=attribution)
        if mark is None and is_quoted(line) and unquote(line).strip():
            block = _next_block(lines, index, shaped=False)  # Orange: "> Message du 03/06/25" above "> De : …"
            mark = _Mark("block" if block else "quote", index, block=block)
        if mark:
            return mark
    return None


def _separator(lines: Sequence[str], whole: Sequence[str], index: int) -> _Mark | None:
    """The separator at `index`, if that line is one, with the block that follows it."""
    bare = unquote(lines[index]).strip(" *")
    inner, rest = _dashed(bare)
    folded = inner.casefold()
    if inner:
        forward = any(word in folded for word in _FORWARD_WORDS)
        if not forward and not any(word in folded for word in _NEUTRAL_WORDS):
            return None
    else:
        forward = _announces(bare)
        if not forward:
            return None
    block = None
    if rest:
        long = unquote(whole[index])
        block = jammed_block(long[long.find(rest[:40]) :], index) or _block_behind(rest, lines, index)
    block = block or _next_block(lines, index + 1, shaped=forward)
    if block is None and not (forward and inner):
        return None
    following = None if block else _next_filled(lines, index + 1)
    attribution = attribution_at(lines, following, verb=False) if following else None
    sender = inner if "@" in inner and forward else ""
    return _Mark("separator", index, forward=forward, block=block, attribution=attribution, sender=sender)


def _block_behind(rest: str, lines: Sequence[str], index: int) -> Block | None:
    """The block whose first label stands behind the separator, on its line: "--- Forwarded message --- From: Ann"."""
    block = block_at([rest, *lines[index + 1 : index + NEAR]], 0) if label_of(rest) else None
    return replace(block, start=block.start + index, end=block.end + index) if block else None


def _next_filled(lines: Sequence[str], start: int) -> int | None:
    """The first line from `start` on that is not blank."""
    return next((index for index in range(start, min(len(lines), start + NEAR)) if lines[index].strip()), None)


def _announces(bare: str) -> bool:
    """Whether a line without dashes announces a forward, as Apple Mail's "Begin forwarded message:"."""
    folded = bare[:80].casefold()
    announces = bare.endswith((":", "：")) and len(bare) <= 80 and "@" not in bare
    return announces and any(word in folded for word in _FORWARD_WORDS)


def _dashed(bare: str) -> tuple[str, str]:
    """What stands between dashes at the beginning of a line, and what follows them."""
    opening = _DASHES.match(bare)
    if not opening:
        return "", ""
    inner = bare[opening.end() :].lstrip(" >")
    closing = _DASHES.search(inner)
    rest = inner[closing.end() :].strip() if closing else ""
    inner = (inner[: closing.start()] if closing else inner).strip()
    return (inner, rest) if len(inner) <= 160 else ("", "")


def _next_block(lines: Sequence[str], start: int, *, shaped: bool) -> Block | None:
    """The block that begins within a few lines of `start`; with `shaped` also one in an unknown language."""
    filled = 0
    for index in range(start, min(len(lines), start + NEAR)):
        if not unquote(lines[index]).strip(" *_-"):
            continue
        block = block_at(lines, index) if label_of(lines[index]) else None
        block = block or (bare_block_at(lines, index) or shaped_block_at(lines, index) if shaped else None)
        if block:
            return block
        filled += 1
        if filled > 2:
            break
    return None


# --- what it says


def _inline(message: Message, whole: list[str], lines: list[str], mark: _Mark, prefix: str) -> Forward | None:
    """The forward that begins at `mark`; None where the mark is that of an answer."""
    if mark.forward:
        if prefix == "reply" and (message.in_reply_to or is_quoted(lines[mark.line])):
            return None  # an answer to a mail that forwarded something
        sure = prefix != "reply"
        return _from_mark(message, whole, lines, mark, "a line that says it is forwarded", sure=sure)
    if mark.block:
        if prefix == "either":
            prefix = "reply" if _is_finnish(lines[mark.block.start : mark.block.end]) else "forward"
        if prefix == "reply":
            return None
        if prefix == "forward":
            return _from_mark(message, whole, lines, mark, "the subject and a block of labels")
        return _from_mark(message, whole, lines, mark, "a block of labels", sure=not message.in_reply_to)
    if mark.attribution and prefix == "forward" and not _weak(message.subject):
        following = next((line for line in lines[mark.attribution.end :] if line.strip()), "")
        if not _joined(whole[: mark.line]) or not is_quoted(following):
            return _from_mark(message, whole, lines, mark, "the subject and a line that names the author")
    return None


def _is_finnish(lines: Sequence[str]) -> bool:
    return any(unquote(line).strip(" *").casefold().startswith(_FINNISH) for line in lines)


def _from_mark(
    message: Message, whole: list[str], lines: list[str], mark: _Mark, how: str, *, sure: bool = True
) -> Forward:
    source = mark.block or mark.attribution
    author = source.sender if source else mark.sender
    client, clear = read_mailbox(author)
    start = source.end if source else mark.line + 1
    if client and client.address == message.sender.address:
        client, clear = _next_author(lines, start, client.address), False
    head = lines[start - 1]
    text, below = _original(whole, start, quoted=is_quoted(head) and not head.endswith(">>>"))
    sure = sure and not (mark.block and not mark.block.known)
    return Forward(
        client=client,
        subject=(mark.block.subject if mark.block else "") or strip_prefix(message.subject),
        date=_past(read_date(source.date) if source else None, message.date),
        text=text,
        above=_above(whole[: mark.line], below),
        certain=bool(client) and clear and sure,
        how=how,
    )


def _above(lines: list[str], below: list[str]) -> str:
    """The forwarder's own words, without the rule that Outlook draws under them."""
    text = _joined(lines)
    last = text.rpartition("\n")[2].strip()
    text = text.removesuffix(last) if last and not last.strip("_-") else text
    return _joined([text, *below])


def _past(date: datetime | None, limit: datetime | None) -> datetime | None:
    """`date`, unless it lies after the mail that forwards it: then it was misread."""
    return None if date and limit and date > limit + timedelta(days=1) else date


def _next_author(lines: Sequence[str], start: int, own: str) -> Address | None:
    """Who wrote the mail below, where the forwarder forwards an answer of their own."""
    for index in range(start, len(lines)):
        found = (block_at(lines, index) if label_of(lines[index]) else None) or attribution_at(lines, index)
        author = read_mailbox(found.sender)[0] if found else None
        if author and author.address != own:
            return author
    return None


def _original(whole: list[str], start: int, *, quoted: bool) -> tuple[str, list[str]]:
    """The original's text from line `start` on, and the forwarder's lines below it.

    Below is what follows the last quoted line where the original is quoted, and what follows mutt's closing line.
    """
    end = len(whole)
    if quoted:
        end = max((index + 1 for index in range(start, end) if is_quoted(whole[index])), default=start)
    for index in range(start, end):
        inner = _dashed(tidy(whole[index]).strip())[0].casefold() if "-" in whole[index][:5] else ""
        if inner.startswith(_ENDINGS) and any(word in inner for word in _FORWARD_WORDS):
            end = index
            break
    lines = [_unquote_once(line) if quoted else line for line in whole[start:end]]
    if all(line.startswith("    ") for line in lines if line.strip()):
        lines = [line[4:] for line in lines]  # Outlook for Mac indents
    below = whole[end + 1 :] if end < len(whole) and not quoted else whole[end:]
    return _joined(lines), below


def _unquote_once(line: str) -> str:
    line = line.lstrip().removeprefix(">") if is_quoted(line) else line
    return line.removeprefix(" ")


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(line.rstrip() for line in lines).strip("\n\ufeff \t")


def _attached(message: Message, body: str) -> Forward | None:
    """The forward of a mail that is attached whole (message/rfc822 or an .eml file)."""
    files = [part.content for part in message.parts if part.filename.lower().endswith(".eml") and part.content]
    packed = [part.content for part in message.parts if part.content.startswith(msg.SIGNATURE)][:10]
    originals = []
    for raw in [*message.attached, *files, *filter(None, map(msg.read_msg, packed))][:10]:
        try:
            originals.append(read_message(raw))
        except MessageError:
            continue
    if not originals:
        outlook = any(part.filename.lower().endswith(".msg") for part in message.parts)
        return _unknown(message, body, "an attached Outlook file") if outlook else None
    first = originals[0]
    authors = {original.sender.address for original in originals}
    known = bool(first.sender.address) and first.sender.address != message.sender.address
    answers = bool(message.in_reply_to) and subject_prefix(message.subject) != "forward"
    return Forward(
        client=first.sender if known else None,
        subject=first.subject,
        date=first.date,
        text=first.text,
        above=body.strip(),
        certain=known and len(authors) == 1 and not first.from_ambiguous and not answers,
        how="an attached mail",
    )


def _unknown(message: Message, body: str, how: str) -> Forward:
    return Forward(None, strip_prefix(message.subject), None, body.strip(), "", certain=False, how=how)
