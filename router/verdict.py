"""What a mail is: the values that the checks of `triage` answer with.

Job: a mail as it was met, the lead that it belongs to, and the verdict on it. Core: values only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from router.commands import Reading
from router.forward import Forward
from router.ids import Token
from router.machines import Bounce
from router.message import Address, Message
from router.reply import Reply
from router.trust import Proof
from router.view import Seen

INBOX, SENT, JUNK = "inbox", "sent", "junk"
GENERAL_VERBS = frozenset({"status", "list", "help", "away", "back", "skills", "yes"})


NOBODY = Address("", "")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail as it was met: what it says, when the server received it, and where."""

    message: Message
    received: datetime
    place: str = INBOX  # inbox, sent, junk
    as_reply: bool = False  # `explain --in-reply-to-offer`


@dataclass(frozen=True, slots=True)
class Thread:
    """The lead that a mail belongs to, and how that was found out."""

    lead: int
    how: str
    audience: str = ""  # who had seen the mail that this one answers


@dataclass(frozen=True, slots=True)
class Post:
    """A BUN or DOU post by a colleague."""

    subject: str
    dough: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a mail is. `kind` is one of ARCHITECTURE's names; `reason` is for people."""

    kind: str
    reason: str
    author: Address = NOBODY
    person: str = ""  # roster key, when the author is on it
    lead: int | None = None
    thread: Thread | None = None
    token: Token | None = None
    proof: Proof | None = None
    via_list: bool = False
    reply: Reply | None = None
    reading: Reading | None = None
    forward: Forward | None = None
    post: Post | None = None
    bounce: Bounce | None = None
    to_client: bool = False  # the client is among its recipients
    stranger: bool = False  # on a thread that only colleagues have seen
    chat: bool = False  # talk on the list, left alone
    seen: Seen | None = None
