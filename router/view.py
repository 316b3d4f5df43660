"""What the core may ask of the store: values, never live data.

Job: the `View` that decisions read and the small records that pass through it. `store.Store` answers it from its
indexes; `EmptyView` answers it for a mail read on its own (`explain`). Core: no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from router.lead import Lead

CLIENT_SIDE, OUR_SIDE = "client", "us"


@dataclass(frozen=True, slots=True)
class Seen:
    """A Message-ID that this router has handled or sent. `audience`: who has seen that mail besides us."""

    message_id: str
    author: str = ""
    date: str = ""  # as the mail says, for telling copies from clashes
    lead: int = 0
    audience: str = ""
    kind: str = ""
    held: int = 0  # the held word it led to, when its sender was not proven
    unproven: bool = False  # it says it is a colleague's, was not proven, and nothing was done about it


@dataclass(frozen=True, slots=True)
class PersonState:
    """What a consultant has said about themselves, on top of the roster."""

    key: str
    away_until: date | None = None
    back: bool = False  # said "back" before the configured absence ended
    skills: tuple[str, ...] | None = None
    available_since: date | None = None
    left: bool = False  # was on the roster, and is no more
    name: str = ""  # as the roster had them last, so that somebody who has left can be found and forgotten
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A word whose sender is not proven yet; it counts from `at` once confirmed (PROTOCOL "Reading a mail", forged)."""

    number: int
    lead: int
    who: str  # the consultant it claims to be, and who is asked; "" for a stranger that the keeper may know
    at: datetime
    expires: datetime
    verb: str
    line: str
    text: str = ""
    named: tuple[str, ...] = ()
    unknown: str = ""
    until: date | None = None
    message_id: str = ""
    sender: str = ""
    subject: str = ""
    asked: str = ""  # the keeper who was sent the question about a stranger


@dataclass(frozen=True, slots=True)
class Aside:
    """Mail that was set aside as bulk; "bun" from the keeper makes it a request."""

    number: int
    at: datetime
    sender: str
    name: str
    subject: str
    text: str
    reason: str
    message_id: str = ""
    listed: bool = False
    language: str = "en"
    lead: int = 0  # that it became


class View(Protocol):
    """Read-only questions to the store."""

    def lead(self, number: int) -> Lead | None: ...
    def seen(self, message_id: str) -> Seen | None: ...
    def leads_of_client(self, address: str) -> Sequence[int]: ...
    def leads_at_domain(self, domain: str) -> Sequence[int]: ...
    def lead_with_text(self, fingerprint: str) -> int | None: ...
    def held(self, number: int) -> Held | None: ...
    def held_for(self, lead: int) -> Sequence[Held]: ...
    def aside(self, number: int) -> Aside | None: ...
    def people_states(self) -> Mapping[str, PersonState]: ...
    def taken_since(self, moment: datetime) -> Mapping[str, int]: ...
    def last_taken(self) -> Mapping[str, datetime]: ...
    def open_leads(self) -> Sequence[Lead]: ...
    def next_number(self, table: str) -> int: ...
    def plus_proven(self) -> bool: ...
    def said_once(self, what: str) -> bool: ...
    def note(self, name: str) -> Any: ...


class EmptyView:
    """A store that knows nothing: for reading one mail on its own."""

    def lead(self, number: int) -> Lead | None:
        return None

    def seen(self, message_id: str) -> Seen | None:
        return None

    def leads_of_client(self, address: str) -> Sequence[int]:
        return ()

    def leads_at_domain(self, domain: str) -> Sequence[int]:
        return ()

    def lead_with_text(self, fingerprint: str) -> int | None:
        return None

    def held(self, number: int) -> Held | None:
        return None

    def held_for(self, lead: int) -> Sequence[Held]:
        return ()

    def aside(self, number: int) -> Aside | None:
        return None

    def people_states(self) -> Mapping[str, PersonState]:
        return {}

    def taken_since(self, moment: datetime) -> Mapping[str, int]:
        return {}

    def last_taken(self) -> Mapping[str, datetime]:
        return {}

    def open_leads(self) -> Sequence[Lead]:
        return ()

    def next_number(self, table: str) -> int:
        return 1

    def plus_proven(self) -> bool:
        return False

    def said_once(self, what: str) -> bool:
        return False

    def note(self, name: str) -> Any:
        return None
