"""Delivery: what became of a mail, and what a failed send means.

Job: the values that travel between the store and the sender (`Mail`, and the outcomes `Accepted`, `Later`, `Never`,
`Paused`), and the one table that reads a mail server's replies: is the session, the message or a recipient in trouble,
and is it to be tried later or never (the habit of Postfix's smtp_trouble.c).
Core: no I/O, no clock, no logging; imports no other room. `outbox.py` acts on what is read here.

Invariants
- A mail is never given up for what may be wrong with the session or the account: a wrong password, a missing server or
  a refused sender would otherwise cost every mail in the queue.
- A mail that was tried later for GIVE_UP is given up, with the last reason.
- A reason is one line, is fit for people and holds nothing but our words and the server's.

Leaves out: delivery reports that come back by mail (machines.py), and what an outcome means for a lead (protocol).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import NamedTuple

MINUTE = timedelta(minutes=1)
BACK_OFF = tuple(n * MINUTE for n in (1, 5, 15, 30, 60, 120, 240))  # before the second try, the third, …; then the last
GIVE_UP = timedelta(days=5)  # since the first try: RFC 5321 4.5.4.1 asks for four to five days

# How long the queue pauses after the first failed session, the second, …: short where waiting can mend it, long where a
# person has to (and where a server may lock the account after so many wrong passwords).
PAUSES = tuple(timedelta(seconds=n) for n in (5, 15, 30, 60, 120, 300))
LONG_PAUSES = tuple(n * MINUTE for n in (1, 5, 15, 30, 60))


@dataclass(frozen=True, slots=True)
class Mail:
    """A row of the outbox. `raw` is 7-bit text with its headers; `tries` failed, the first of them at `first_tried`."""

    row: int
    lead: int | None
    sender: str  # envelope, without angle brackets
    recipients: tuple[str, ...]
    raw: bytes
    message_id: str
    tries: int
    not_before: datetime
    first_tried: datetime | None = None


class Refused(NamedTuple):
    """A recipient whom the server did not take. `permanent` False: worth another try."""

    address: str
    reply: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took the mail for at least one recipient.

    Where `rest` is not empty, the row lives on for those alone: same bytes, same Message-ID, one try more, not before
    `retry_at`.
    """

    refused: tuple[Refused, ...] = ()
    retry_at: datetime | None = None

    @property
    def rest(self) -> tuple[str, ...]:
        """The recipients that are worth another try."""
        return tuple(each.address for each in self.refused if not each.permanent)


@dataclass(frozen=True, slots=True)
class Later:
    """Not taken now; to be tried at `retry_at`, with one try more."""

    reason: str
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class Never:
    """Given up. `refused` names the recipients when it was them; it is empty when it was the mail itself."""

    reason: str
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class Paused:
    """Handed back untried: nothing can be sent before `until`. Counts no try and changes nothing in the row."""

    reason: str
    until: datetime


Outcome = Accepted | Later | Never | Paused


class Reply(NamedTuple):
    """A server's reply. `code` 0 stands for a connection that was lost, 1 for silence."""

    code: int
    text: str

    @property
    def is_good(self) -> bool:
        return 200 <= self.code < 300

    @property
    def ends_session(self) -> bool:
        """Nothing more can be asked on this connection."""
        return self.code in (0, 1, 421)

    def __str__(self) -> str:
        said = " ".join(re.sub(r"[^ -~\u00a0-\uffff]+", " ", self.text).split())[:300]
        return f"{self.code} {said}".strip() if self.code > 1 else said


CUT = Reply(0, "the server closed the connection")
SILENCE = Reply(1, "the server did not answer in time")


class Stage(StrEnum):
    """Where in the conversation a reply came."""

    GREETING = "the greeting"
    EHLO = "EHLO"
    TLS = "STARTTLS"
    AUTH = "the login"
    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"
    END = "the end of the mail"


class Scope(Enum):
    """Whom a trouble concerns."""

    SESSION = "every mail: the queue pauses, no mail counts a try"
    DOUBT = "this mail, but perhaps every mail: tried later; several in a row pause the queue as well"
    MESSAGE = "this mail"
    RECIPIENT = "this recipient"


LATER, NEVER = True, False


class Trouble(NamedTuple):
    """What a failed send means. `again` False: never again, or for a session: not before a person has mended it."""

    scope: Scope
    again: bool
    reason: str


class Row(NamedTuple):
    """`reply` is matched at the start of "code text"; 0 is a lost connection, 1 is silence."""

    stages: frozenset[Stage]
    reply: re.Pattern[str]
    scope: Scope
    again: bool
    reason: str


def _row(stages: str, reply: str, scope: Scope, again: bool, reason: str) -> Row:
    return Row(frozenset(Stage[name] for name in stages.split()), re.compile(reply), scope, again, reason)


_SETUP, _MAIL = "GREETING EHLO TLS AUTH", "MAIL RCPT DATA END"
_GONE = r"0 |1 |421"

# First match wins. RFC 5321 4.2 and 4.5.3.2, RFC 4954 4, RFC 3463, RFC 1870 6.
ROWS = (
    _row("AUTH", r"5", Scope.SESSION, NEVER, "the mail server refuses the login ({reply}): correct user and password"),
    _row(_SETUP, r"4|0 |1 ", Scope.SESSION, LATER, "the mail server is not ready at {stage} ({reply})"),
    _row(_SETUP, r"", Scope.SESSION, NEVER, "the mail server turns us away at {stage} ({reply})"),
    _row("MAIL", r"53[0458]|5\d\d 5\.7\.[89]\b", Scope.SESSION, NEVER, "the mail server demands a login ({reply})"),
    # what a provider says when the account has sent enough for a day; 5xx, and yet it passes
    _row(_MAIL, r"5\d\d 5\.(4\.5|1\.90)\b", Scope.DOUBT, LATER, "the account may send no more for now ({reply})"),
    _row("RCPT", r"552", Scope.RECIPIENT, LATER, "{reply}"),  # RFC 5321 4.5.3.1.10: meant as 452
    _row("RCPT", r"5", Scope.RECIPIENT, NEVER, "{reply}"),
    _row("RCPT", r"4(?!21)", Scope.RECIPIENT, LATER, "{reply}"),
    _row("MAIL DATA END", r"552|5\d\d 5\.(3\.4|2\.3)\b", Scope.MESSAGE, NEVER, "too large for the server ({reply})"),
    _row("MAIL", r"5\d\d 5\.6\.7\b", Scope.MESSAGE, NEVER, "the sender's address cannot be written here ({reply})"),
    _row("MAIL", r"5", Scope.DOUBT, LATER, "the mail server refuses the sender ({reply})"),
    # RFC 5321 4.5.3.2.6: nobody knows whether the server took it
    _row("END", r"0 |1 ", Scope.DOUBT, LATER, "{reply} after the whole mail was sent: it may have been taken, "
         "and goes out again under the same Message-ID"),
    _row(_MAIL, _GONE, Scope.DOUBT, LATER, "{reply} at {stage}"),
    _row("MAIL", r"4", Scope.DOUBT, LATER, "the mail server asks to wait ({reply})"),
    _row("DATA END", r"4", Scope.MESSAGE, LATER, "the mail server asks to wait ({reply})"),
    _row("DATA END", r"5", Scope.MESSAGE, NEVER, "the mail server refuses the mail ({reply})"),
    _row(_MAIL, r"", Scope.DOUBT, LATER, "an unexpected reply to {stage} ({reply})"),
)  # fmt: skip


def read_trouble(stage: Stage, reply: Reply) -> Trouble:
    """What `reply` means, which is not the one that was hoped for at `stage`."""
    said = f"{reply.code} {reply.text}"
    for row in ROWS:
        if stage in row.stages and row.reply.match(said):
            return Trouble(row.scope, row.again, row.reason.format(stage=stage, reply=reply))
    raise AssertionError("the last row of every stage matches everything")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The replies to one mail, as far as it got; None: not asked."""

    sender: Reply
    recipients: tuple[tuple[str, Reply], ...] = ()
    data: Reply | None = None
    end: Reply | None = None

    @property
    def taken(self) -> tuple[str, ...]:
        """The recipients to whom the server said yes."""
        return tuple(address for address, reply in self.recipients if reply.is_good)


def read_dialogue(dialogue: Dialogue) -> Trouble | None:
    """Why the mail was not taken; None when it was, for at least one recipient."""
    if not dialogue.sender.is_good:
        return read_trouble(Stage.MAIL, dialogue.sender)
    for _, reply in dialogue.recipients:
        if reply.ends_session:
            return read_trouble(Stage.RCPT, reply)
    if not dialogue.taken:
        return _nobody(_refused(dialogue))
    if dialogue.data is None or dialogue.data.code != 354:
        return read_trouble(Stage.DATA, dialogue.data or CUT)
    if dialogue.end is None or not dialogue.end.is_good:
        return read_trouble(Stage.END, dialogue.end or CUT)
    return None


def may_be_stale(dialogue: Dialogue, trouble: Trouble) -> bool:
    """Whether a new connection may mend it, where this one was used before: idle limit, mails per connection, 421.

    Never once the mail itself was sent: that might deliver it twice.
    """
    return trouble.scope is Scope.DOUBT and dialogue.end is None and dialogue.sender.code < 500


def settle(mail: Mail, dialogue: Dialogue, trouble: Trouble | None, now: datetime) -> Outcome:
    """What became of `mail`, `trouble` being what `read_dialogue` found."""
    refused = _refused(dialogue)
    if trouble is None:
        return _accepted(mail, refused, now)
    if trouble.scope is Scope.SESSION:
        return Paused(trouble.reason, now)
    if not trouble.again:
        return Never(trouble.reason, refused if trouble.scope is Scope.RECIPIENT else ())
    return later(mail, trouble.reason, now)


def later(mail: Mail, reason: str, now: datetime) -> Later | Never:
    """Another try after the back-off, the last one GIVE_UP after the first; then never."""
    at = retry_at(mail, now)
    return Later(reason, at) if at else Never(f"given up after {GIVE_UP.days} days: {reason}")


def retry_at(mail: Mail, now: datetime) -> datetime | None:
    """When a mail that failed at `now` is tried again; None: it has been tried for long enough."""
    end = (mail.first_tried or now) + GIVE_UP
    if now >= end:
        return None
    return min(now + BACK_OFF[min(mail.tries, len(BACK_OFF) - 1)], end)


def pause(trouble: Trouble, failures: int) -> timedelta:
    """How long the queue waits after the `failures`-th failed session in a row (from 1)."""
    steps = PAUSES if trouble.again else LONG_PAUSES
    return steps[min(failures, len(steps)) - 1]


def _accepted(mail: Mail, refused: tuple[Refused, ...], now: datetime) -> Accepted:
    at = retry_at(mail, now)
    if at is None:
        refused = tuple(each._replace(permanent=True) for each in refused)
    return Accepted(refused, at if any(not each.permanent for each in refused) else None)


def _refused(dialogue: Dialogue) -> tuple[Refused, ...]:
    return tuple(
        Refused(address, str(reply), not read_trouble(Stage.RCPT, reply).again)
        for address, reply in dialogue.recipients
        if not reply.is_good
    )


def _nobody(refused: Sequence[Refused]) -> Trouble:
    """No recipient was taken. One that is worth another try keeps the mail."""
    again = any(not each.permanent for each in refused)
    named = "; ".join(f"{each.address}: {each.reply}" for each in refused[:3])
    more = f" and {len(refused) - 3} more" if len(refused) > 3 else ""
    does = "asks to wait" if again else "refuses the recipient" + ("s" if len(refused) > 1 else "")
    return Trouble(Scope.RECIPIENT, again, f"the mail server {does} ({named}{more})")
