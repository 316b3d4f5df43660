"""Is this the same mail, or the same text, as one that was met before?

Job: a mail's identity, a subject without its "Re:", a text's fingerprint. Core: pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache

from router.message import Message
from router.view import Seen, View


def identity(message: Message, author: str, view: View) -> str:
    """The Message-ID. Without one, or where another mail has come under it before, a hash of what tells mails apart."""
    seen = view.seen(message.message_id) if message.message_id else None
    if message.message_id and (seen is None or not seen.kind or is_same(seen, message, author)):
        return message.message_id
    facts = "\0".join((author, message.headers.get("date").strip(), message.subject, message.text))
    return f"<{hashlib.sha256(facts.encode('utf-8', 'replace')).hexdigest()[:32]}@no-message-id>"


_REPLY_PREFIX = re.compile(
    r"^\s*(?:(?:re|sv|aw|vs|fwd?|fw|vb|wg|tr|rv|antw|ref)\s*(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE
)


def plain_subject(subject: str) -> str:
    """The subject without "Re:" and its kin, for people and for comparing."""
    return _REPLY_PREFIX.sub("", subject[:998]).strip()


_NO_WORDS = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "_")}
SHORT = 60  # characters of words: what is shorter does not tell one request from another


@lru_cache(maxsize=4)  # asked for when a request comes in, and again when it is stored
def fingerprint(text: str) -> str:
    """A hash of what a text says, whatever its wrapping; "" for a text too short to tell requests apart."""
    words = _bare_words(text[:4000])
    return hashlib.sha256(words.encode()).hexdigest()[:24] if len(words) >= SHORT else ""


def says_nothing_new(text: str, known: Iterable[str]) -> bool:
    """Whether what a text says has been said before: the same words, or a longer passage of what is known."""
    words = _bare_words(text)
    before = [_bare_words(each) for each in known]
    return words in before or (len(words) >= SHORT and any(f" {words} " in f" {each} " for each in before))


def _bare_words(text: str) -> str:
    return " ".join(text.translate(_NO_WORDS).split() if text.isascii() else re.findall(r"\w+", text)).lower()


def is_same(seen: Seen, message: Message, author: str) -> bool:
    """Whether the mail that was seen under this Message-ID is this one: lists change all but author and Date."""
    return seen.author == author and seen.date == message.headers.get("date").strip()
