"""The lead: what is known of a request, who wants it, who has it, and all that happened to it.

Job: the values that the whole router speaks in, and their stored form. The glossary is this file:

    client      whoever writes to the shared address and is not on the roster
    consultant  a person on the roster, named here by their key ("anna")
    keeper      answers for the shared address; owns a bun until someone takes it
    bun         a lead that waits for an answer; dough may become one; a cookie harms nobody if left unanswered
    claim       a consultant's word that they want the bun; interest is a claim that came too late
    window      the time that colleagues get to claim
    award       the window has closed and the bun has an owner among its claimants
    reheat      tell the client something true, so that the bun is warm again

Core: imports nothing of the router, does no I/O, reads no clock. All moments are aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

TEXT_CAP = 64 * 1024  # characters of a request or letter kept in the lead; the original is carried beside it
EVENTS_KEPT = 400  # a history longer than this loses its middle, never its beginning or end


class Status(StrEnum):
    DOUGH = "dough"
    OFFERED = "offered"
    CONTESTED = "contested"
    TAKEN = "taken"
    EATEN = "eaten"
    THROWN = "thrown"
    COOKIE = "cookie"


OPEN = frozenset({Status.DOUGH, Status.OFFERED, Status.CONTESTED, Status.TAKEN})
ENDED = frozenset({Status.EATEN, Status.THROWN, Status.COOKIE})

# Claims: standing → awarded or withdrawn; interest is asked first if the bun comes back.
STANDING, WITHDRAWN, INTEREST = "standing", "withdrawn", "interest"


@dataclass(frozen=True, slots=True)
class Claim:
    """One consultant's word that they want the bun. `at` is when the mail server received it."""

    who: str
    at: datetime
    line: str = ""
    state: str = STANDING
    spoken: datetime | None = None  # the claimant's last word on it, where that was not the claim itself


@dataclass(frozen=True, slots=True)
class Pass:
    who: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the history: what happened, through whom ("client", "router" or a key), and why."""

    at: datetime
    what: str
    who: str = "router"
    why: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A text that came after the request: from the client, or from a person to the client."""

    at: datetime
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Carried:
    """A file carried on with the lead, kept beside the store under its SHA-256."""

    name: str
    content_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A word that ends a bun or writes to a client, waiting out the time in which "undo" stops it."""

    verb: str
    who: str
    line: str
    text: str = ""
    at: datetime | None = None  # when it was said
    effect: datetime | None = None  # when it takes effect; None in old stores: with the timer
    by: str = ""  # "operator" when typed at the router itself


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead. Only `router.protocol` makes a changed one; every change stands in `events`."""

    id: int
    subject: str
    status: Status
    owner: str
    opened: datetime  # when the mail server received the request
    client: str = ""  # address; "" where nobody knows it ("please tell them")
    client_name: str = ""
    language: str = "en"  # the client's
    text: str = ""
    message_id: str = ""  # the request's; ties are drawn from it
    client_thread: tuple[str, ...] = ()  # Message-IDs of the client's mails, newest last
    source: str = "mail"  # mail, form, forward, post
    own: str = ""  # the consultant whose own bun this is, until the handover
    on_list: bool = False  # the list has seen the request itself, so no offer repeats it
    offered_at: datetime | None = None  # when its offer was accepted by the mail server: freshness runs from here
    stage: str = ""  # while offered: window, cooling, dry, last-call
    awaits: str = ""  # the kind of mail whose acceptance starts the clocks; "" when they run
    claims: tuple[Claim, ...] = ()
    passes: tuple[Pass, ...] = ()
    together: tuple[str, ...] = ()  # claimants who said "together"
    named: tuple[str, ...] = ()  # whom yielding claimants named
    team: tuple[str, ...] = ()  # everybody who has it, the owner first
    invited: tuple[str, ...] = ()  # "anna bo": Anna has asked Bo to join
    joined: tuple[str, ...] = ()  # "anna bo": Bo joins if Anna gets it
    asked: tuple[str, ...] = ()  # got a personal offer
    released_by: str = ""  # gave it back, and the client has yet to hear so
    closed_at: datetime | None = None  # when the last window closed
    taken_at: datetime | None = None
    handed_over: bool = False  # the client knows the owner
    word_at: datetime | None = None  # last word from the owner since the award
    keeper_may_release: bool = False
    urgent: bool = False
    warmed_at: datetime | None = None  # when the client last heard something
    acked: bool = False
    pending: tuple[Pending, ...] = ()  # in the order in which they were said
    draft: str = ""  # a mail to the client that its owner lets go with "send": its facts, as JSON
    draft_kind: str = ""
    goodbye: str = ""  # the words of the person who said no, for as long as the no may have to be said again
    drafted_at: datetime | None = None
    unreached: tuple[str, ...] = ()  # "client kim", "@bo kim": mail to them came back, and Kim has heard so
    ended_at: datetime | None = None
    ended_as: str = ""  # lost, withdrawn, dry, thrown, answered, …
    linked: tuple[int, ...] = ()
    carried: tuple[Carried, ...] = ()
    skills: tuple[str, ...] = ()  # of the roster's skills, those that the request names
    letters: tuple[Letter, ...] = ()
    hold_until: datetime | None = None  # the close waits this long for a claim whose sender is being asked to confirm
    timers: Mapping[str, datetime] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)  # mails per kind, for deterministic Message-IDs
    events: tuple[Event, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def claimants(self) -> tuple[str, ...]:
        """Keys of those whose claim stands, in the order in which the server received them."""
        return tuple(claim.who for claim in self.claims if claim.state == STANDING)

    def is_asked_along(self, who: str) -> bool:
        """Whether a colleague has asked `who` to join, and `who` has not joined them."""
        asked = {pair for pair in self.invited if pair.split()[1] == who}
        return bool(asked) and asked.isdisjoint(self.joined)

    @property
    def interested(self) -> tuple[str, ...]:
        return tuple(claim.who for claim in self.claims if claim.state == INTEREST)

    @property
    def due(self) -> datetime | None:
        """The next moment at which something falls due, or None."""
        return min((self.due_at(name) for name in self.timers), default=None)

    @property
    def next_timer(self) -> str:
        """The timer that people wait for, "" without one: no second call goes out while a window is open."""
        names = [name for name in self.timers if name != "cool" or "window" not in self.timers]
        return min(names, key=self.due_at, default="")

    def due_at(self, timer: str) -> datetime:
        """When a timer falls due; the close of a window waits for a claim that is being confirmed."""
        at = self.timers[timer]
        return max(at, self.hold_until) if self.hold_until and timer == "window" else at

    def last_word_on_claim(self, who: str) -> datetime | None:
        """When this person last claimed, gave back or passed, by the server's receipt; None where they never did."""
        said = [p.at for p in self.passes if p.who == who]
        said += [each.spoken or each.at for each in self.claims if each.who == who]
        return max(said, default=None)

    def claim_of(self, who: str) -> Claim | None:
        return next((claim for claim in self.claims if claim.who == who), None)


def with_event(lead: Lead, event: Event) -> Lead:
    return replace(lead, events=with_another(lead.events, event))


def with_another(events: tuple[Event, ...], event: Event) -> tuple[Event, ...]:
    """A history with one more line; one that grows too long loses its middle."""
    events = (*events, event)
    half = EVENTS_KEPT // 2
    return events if len(events) <= EVENTS_KEPT else events[:half] + events[-half:]


# -- stored form: short, plain JSON; a default is left out, so an old store opens with new fields ------------------


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_stamp(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _to_plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, tuple):
        return [_to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _to_plain(item) for key, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return _record(value)
    return value


def _record(value: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, default in _DEFAULTS[type(value)]:
        item = getattr(value, name)
        if item != default:
            out[name] = _to_plain(item)
    return out


_NO_DEFAULT = object()
_KINDS: tuple[type, ...] = (Claim, Pass, Event, Letter, Carried, Pending, Lead)
_DEFAULTS: dict[type, list[tuple[str, Any]]] = {
    kind: [
        (f.name, {} if f.name in ("timers", "counts") else f.default if f.name not in ("id",) else _NO_DEFAULT)
        for f in fields(kind)
    ]
    for kind in _KINDS
}
_LISTS: dict[str, type] = {
    "claims": Claim,
    "passes": Pass,
    "events": Event,
    "letters": Letter,
    "carried": Carried,
    "pending": Pending,
}
_RETIRED = frozenset({"reopen_asked"})  # fields that stores of earlier versions still have
_MOMENTS = frozenset(
    {"opened", "offered_at", "closed_at", "taken_at", "word_at", "warmed_at", "drafted_at", "ended_at", "hold_until"}
    | {"at", "effect", "spoken"}
)


def to_doc(lead: Lead) -> dict[str, Any]:
    """The lead as the store keeps it."""
    return _record(lead)


def _from_record(kind: type, doc: Mapping[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for name, item in doc.items():
        if name in _RETIRED:
            continue
        if name in _LISTS and kind is Lead:
            items = [item] if isinstance(item, Mapping) else item or ()  # one waiting word was once kept alone
            values[name] = tuple(_from_record(_LISTS[name], each) for each in items)
        elif name in _MOMENTS and item is not None:
            values[name] = read_stamp(item)
        elif name == "timers":
            values[name] = {key: read_stamp(moment) for key, moment in item.items()}
        elif name == "status":
            values[name] = Status(item)
        elif isinstance(item, list):
            values[name] = tuple(item)
        else:
            values[name] = item
    return kind(**values)


def from_doc(doc: Mapping[str, Any]) -> Lead:
    """The lead that `to_doc` stored. Raises TypeError or ValueError on a document that is no lead."""
    lead: Lead = _from_record(Lead, doc)
    return lead
