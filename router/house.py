"""The house: what the core knows of the collective, as values.

Job: hold those of the operator's settings that decisions and mails rest on, so that the core never sees the
configuration file. Built once by the shell from `config.Settings`. Core: no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from router.ids import Ids
from router.turn import Terms
from router.worktime import Calendar, Span, parse_span

DEFAULT_WORDS: Mapping[str, str] = MappingProxyType(
    {"bun": "bun", "dough": "dough", "cookie": "cookie", "BUN": "BUN", "DOU": "DOU"}
)


@dataclass(frozen=True, slots=True)
class Member:
    """A consultant as the roster in the configuration names them."""

    key: str
    name: str
    addresses: tuple[str, ...]
    skills: tuple[str, ...] = ()
    away: tuple[tuple[str, str], ...] = ()  # ISO dates, both days included
    available: str = ""  # ISO date from which they are free
    never_claims: bool = False
    language: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Restraint: how many mails a day at most. PROTOCOL "Restraint"."""

    per_address: int = 60
    per_stranger: int = 8
    per_lead: int = 300
    total: int = 2000


@dataclass(frozen=True, slots=True)
class House:
    name: str
    address: str  # the shared address, lower-case
    ids: Ids
    calendar: Calendar
    members: Mapping[str, Member]
    names: tuple[tuple[str, str], ...] = ()  # (key, name) for all that people may call each other
    terms: Terms = field(default_factory=Terms)
    aliases: tuple[str, ...] = ()  # other addresses of the same shared mailbox
    list_address: str = ""  # "" = offers go to every consultant one by one
    list_id: str = ""  # as the List-Id header names it, without brackets
    list_dkim: str = ""  # domain of the list's DKIM signature
    keeper: str = ""
    rota: tuple[str, ...] = ()
    rota_start: int = 0  # week number from which the rota counts
    deputy: str = ""
    mediator: str = ""
    business_developer: str = ""
    operator: str = ""
    operator_second: str = ""  # with another provider, for alerts that our own mail does not work
    languages: tuple[str, ...] = ("en",)
    words: Mapping[str, str] = field(default_factory=lambda: DEFAULT_WORDS)
    forms: tuple[str, ...] = ()  # senders of website forms
    show_client: str = "name"  # what an offer tells of the client: none, name, all
    plus_addresses: bool | None = None  # None = found out by a round trip
    trust_senders: str = "authenticated"  # or "address"
    authserv_id: str = ""
    exchange_online: bool = False
    relays: tuple[str, ...] = ()  # other domains of the machines between that server and the mailbox
    banners: tuple[str, ...] = ()
    phrases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bounds: Bounds = field(default_factory=Bounds)
    sender: str = ""  # envelope sender; "" = the shared address
    confirm_for: Span = field(default_factory=lambda: parse_span("2 working days"))
    confirm_wait: Span = field(default_factory=lambda: parse_span("2 working hours"))
    settle: Span = field(default_factory=lambda: parse_span("2 minutes"))
    happiness: str = "off"
    people_by_address: dict[str, str] = field(init=False, repr=False, compare=False)  # address → key: the roster

    def __post_init__(self) -> None:
        people = {address: m.key for m in self.members.values() for address in m.addresses}
        object.__setattr__(self, "people_by_address", people)

    @property
    def own_addresses(self) -> tuple[str, ...]:
        return (self.address, *self.aliases)

    @property
    def domain(self) -> str:
        return self.address.partition("@")[2]
