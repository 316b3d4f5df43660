"""One lead's turn: what a row of the protocol may read, and what it may do.

Job: `World` (everything a decision may know besides the lead), `Cue` (what happened) and `Turn` (the working copy
that a row changes: the lead, its timers, and the mails to send). A Turn lives inside one decision; outside it all
are frozen values.

Core: no I/O, no clock. A row never learns the time but from `world.now` and the cue.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from router.lead import Carried, Event, Lead, Pending, Status, stamp, with_another
from router.worktime import Calendar, Span, parse_span

QUARTER = timedelta(minutes=15)
ENDING = frozenset({"throw", "eaten", "lost", "withdrawn", "cookie"})  # words of which a bun needs just one


@dataclass(frozen=True, slots=True)
class Person:
    """A consultant as the roster and their own words ("away until", "skills") describe them now."""

    key: str
    name: str
    addresses: tuple[str, ...]
    skills: tuple[str, ...] = ()
    language: str = ""
    never_claims: bool = False
    away: bool = False
    away_until: date | None = None
    available_since: date | None = None

    @property
    def address(self) -> str:
        return self.addresses[0]


@dataclass(frozen=True, slots=True)
class Terms:
    """The collective's choices, from `[protocol]` and `[collective]`; spans are working or plain time as written."""

    window: Span = field(default_factory=lambda: parse_span("1 working day"))
    short_window: Span = field(default_factory=lambda: parse_span("2 working hours"))
    urgent_window: Span = field(default_factory=lambda: parse_span("4 working hours"))
    freshness: Span = field(default_factory=lambda: parse_span("1 working day"))
    dry: Span = field(default_factory=lambda: parse_span("2 working days"))
    decide: Span = field(default_factory=lambda: parse_span("1 working day"))
    last_call: Span = field(default_factory=lambda: parse_span("1 working day"))
    contest_mediate: Span = field(default_factory=lambda: parse_span("1 working day"))
    contest_end: Span = field(default_factory=lambda: parse_span("2 working days"))
    objection: Span = field(default_factory=lambda: parse_span("30 minutes"))
    undo_for: Span = field(default_factory=lambda: parse_span("15 minutes"))
    form_letter_after: Span = field(default_factory=lambda: parse_span("4 working hours"))
    still_dough: Span = field(default_factory=lambda: parse_span("20 working days"))
    nudge: Span = field(default_factory=lambda: parse_span("1 working day"))
    nudge_again: Span = field(default_factory=lambda: parse_span("2 working days"))
    nudge_quiet: Span = field(default_factory=lambda: parse_span("5 working days"))
    reheat_every: Span = field(default_factory=lambda: parse_span("1 working day"))
    microwave: Span = field(default_factory=lambda: parse_span("30 days"))
    eaten_for: Span = field(default_factory=lambda: parse_span("30 days"))
    contest_fallback: str = "longest"  # longest, earliest, draw
    no_by: str = "router"  # or person
    reheat_by: str = "router"  # or owner


@dataclass(frozen=True, slots=True)
class World:
    """What a decision may know besides the lead itself. A value: nobody changes it, nothing in it ticks."""

    now: datetime
    terms: Terms
    calendar: Calendar
    people: Mapping[str, Person]
    keeper: str = ""  # the acting keeper; "" while keeper and deputy are both away
    standing_keeper: str = ""  # whose week it is, here or away
    mediator: str = ""  # as configured; "" = the keeper
    deputy: str = ""
    business_developer: str = ""
    taken_recently: Mapping[str, int] = field(default_factory=dict)  # buns taken in the last 90 days
    last_taken: Mapping[str, datetime] = field(default_factory=dict)
    former: Mapping[str, str] = field(default_factory=dict)  # names of those who have left the roster, by key

    def after(self, moment: datetime, span: Span) -> datetime:
        return self.calendar.add(moment, span)

    def dries(self, lead: Lead, second_day_ends: datetime) -> datetime:
        """When a bun that nobody takes is dry: after the whole time for it, and the second call's own working day."""
        return max(second_day_ends, self.after(lead.offered_at or self.now, self.terms.dry))

    def opening_of(self, day: date) -> datetime:
        """The first working moment on or after that day, in the collective's zone."""
        return self.calendar.next_working(datetime.combine(day, time(0), self.calendar.zone))

    def name(self, key: str) -> str:
        person = self.people.get(key)
        return person.name if person else self.former.get(key, key)

    def names(self, keys: Iterable[str]) -> tuple[str, ...]:
        return tuple(self.name(key) for key in keys)

    def is_here(self, key: str) -> bool:
        person = self.people.get(key)
        return person is not None and not person.away

    def may_claim(self) -> frozenset[str]:
        """Everyone whose answer a window waits for: on the roster, not away, not marked as never claiming."""
        return frozenset(p.key for p in self.people.values() if not p.away and not p.never_claims)

    def mediator_for(self, claimants: Iterable[str]) -> str:
        """Who settles a contest: never one of the claimants, and somebody who is here; "" when nobody can."""
        out = frozenset(claimants)
        choices = (self.mediator, self.keeper, self.deputy, self.business_developer)
        return next((key for key in choices if key and key not in out and self.is_here(key)), "")


@dataclass(frozen=True, slots=True)
class Cue:
    """Something that happened to a lead.

    `name` is a command verb ("claim"), a timer ("due:window"), the acceptance of a mail ("accepted:offer"), or one of
    "client writes", "person writes", "left", "unreachable". `at` is when it happened: for words, when the mail server
    received them.
    """

    name: str
    at: datetime
    who: str = ""
    line: str = ""
    text: str = ""
    named: tuple[str, ...] = ()
    unknown: str = ""
    until: date | None = None
    message_id: str = ""
    settled: bool = False  # the time for "undo" has passed
    confirmed: bool = False  # was unproven when it came in, and has been confirmed since
    carried: tuple[Carried, ...] = ()  # files that came with a client's mail
    by: str = ""  # "operator" when typed at the router itself
    client: str = ""  # the client's address, where a mail that joins a lead names it
    client_name: str = ""
    language: str = ""  # the client's


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that a decision wants sent. `to` is a role: "list", "client", "operator", "@key" or a bare address."""

    kind: str
    to: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    number: int = 1  # the how-manieth of its kind to this person for this lead: part of its Message-ID


class Turn:
    """The working copy of one lead while one cue is decided."""

    def __init__(self, lead: Lead, cue: Cue, world: World) -> None:
        self._lead, self.cue, self.world = lead, cue, world
        self._changes: dict[str, Any] = {}  # to the lead; made together when somebody looks at it
        self.mails: list[Mail] = []
        self.opened: list[Cue] = []  # further leads that this one leads to

    @property
    def lead(self) -> Lead:
        """The lead as it is now."""
        if self._changes:
            self._lead, self._changes = replace(self._lead, **self._changes), {}
        return self._lead

    def _value(self, name: str) -> Any:
        """One field of the lead as it is now."""
        return self._changes[name] if name in self._changes else getattr(self._lead, name)

    # -- changing the lead ---------------------------------------------------------------------------------------
    def set(self, **changes: Any) -> None:
        self._changes.update(changes)

    def record(self, what: str, why: str = "", who: str = "") -> None:
        who = who or self.cue.who or "router"
        if self.cue.by:
            who = f"{self.cue.by}, as {who}"
        self.set(events=with_another(self._value("events"), Event(self.cue.at, what, who, why)))

    def start(self, **timers: datetime | None) -> None:
        """Set timers by name; None stops one. A timer `x` becomes the cue "due:x"."""
        merged = {**self._value("timers"), **{name.replace("_", "-"): at for name, at in timers.items()}}
        self.set(timers={name: at for name, at in merged.items() if at is not None})

    def stop(self, *names: str) -> None:
        self.set(timers={name: at for name, at in self._value("timers").items() if name not in names})

    def stop_all(self) -> None:
        """Every clock of this stage, but not a word that waits for "undo", nor a time promised to the client."""
        self.set(timers={name: at for name, at in self._value("timers").items() if name in ("undo", "promise")})

    def in_time(self, span: Span) -> datetime:
        """`span` from now; from its acceptance by the mail server, where a clock waits for a mail.

        A cue may be older than now (read after downtime), and nothing that it starts may be over before it began.
        """
        accepted = self.cue.name.startswith("accepted:")
        return self.world.after(self.cue.at if accepted else self.world.now, span)

    # -- mails ---------------------------------------------------------------------------------------------------
    def mail(self, kind: str, to: str, /, **facts: Any) -> None:
        slot = f"{kind} {to}"
        counts = self._value("counts")
        number = counts.get(slot, 0) + 1
        self.set(counts={**counts, slot: number})
        self.mails.append(Mail(kind, to, facts, number))

    def tell(self, kind: str, keys: Iterable[str], /, **facts: Any) -> None:
        """One mail to each of these consultants, nobody twice."""
        for key in dict.fromkeys(keys):
            if key in self.world.people:
                self.mail(kind, f"@{key}", **facts)

    def tell_keeper(self, kind: str, /, **facts: Any) -> None:
        """To the acting keeper; with keeper and deputy away, to the list."""
        self.mail(kind, f"@{self.world.keeper}" if self.world.keeper else "list", **facts)

    def tell_list(self, kind: str, /, **facts: Any) -> None:
        self.mail(kind, "list", **facts)

    def receipt(self, what: str, /, **facts: Any) -> None:
        """Tell the sender what was understood, from which words, and what happens next."""
        if self.cue.who and not self.cue.settled:
            self.mail("receipt", f"@{self.cue.who}", what=what, line=self.cue.line, **facts)

    def refuse(self, why: str, /, **facts: Any) -> None:
        """Nothing is done; the sender is told why. `why` is a code that the template turns into a sentence."""
        self.record(f"refused: {self.cue.name}", why=why)
        if self.cue.who:
            self.mail("refused", f"@{self.cue.who}", why=why, line=self.cue.line, verb=self.cue.name, **facts)

    # -- the client ----------------------------------------------------------------------------------------------
    def tell_client(self, kind: str, /, *, template: bool = True, **facts: Any) -> bool:
        """A mail to the client; a draft to the owner on a consultant's own bun; "please tell them" without an address.

        A template reheats at most once a working day (PROTOCOL "Time"). Answers whether the client will hear.
        """
        if template and kind == "reheat" and not self._may_reheat():
            self.record("client not reheated again", why="heard from us within a working day")
            if "promise" not in self.lead.timers and self.lead.warmed_at:  # as soon as one may
                self.start(promise=self.world.after(self.lead.warmed_at, self.world.terms.reheat_every))
            return False
        lead = self.lead
        as_draft = (lead.own and not lead.handed_over and kind != "handover") or (
            kind == "reheat" and self.world.terms.reheat_by == "owner"
        )
        if as_draft or not lead.client:
            if not lead.client:
                self.mail("please-tell", f"@{lead.owner}", about=kind, facts=facts)
            else:
                kept = {name: stamp(fact) if isinstance(fact, datetime) else fact for name, fact in facts.items()}
                self.set(draft_kind=kind, draft=json.dumps(kept), drafted_at=self.world.now)
                self.show_draft(facts)
            return False
        self.mail(kind, "client", **facts)
        self.set(warmed_at=self.world.now)
        return True

    def show_draft(self, facts: Mapping[str, Any]) -> None:
        """To its owner, and to the keeper while the owner is away: else the client waits for nobody."""
        owner, keeper = self.lead.owner, self.world.keeper
        readers = (owner,) if self.world.is_here(owner) or not keeper else (owner, keeper)
        self.tell("draft", readers, about=self.lead.draft_kind, facts=facts)

    def promise(self, moment: datetime) -> datetime:
        """A time told to a client is a time at which the router itself will write (rule 5).

        It is told and kept in whole quarters of an hour, rounded up, so that what was due anyway comes first.
        """
        over = moment.timestamp() % QUARTER.total_seconds()
        moment += QUARTER - timedelta(seconds=over) if over else timedelta(0)
        self.start(promise=moment)
        return moment

    def no_sooner(self, moment: datetime) -> datetime:
        """The moment, or the one at which a template may write to this client again if it does so now.

        A time is promised only where nothing keeps the router from writing at it (rule 5, and "Time").
        """
        return max(moment, self.in_time(self.world.terms.reheat_every))

    def _may_reheat(self) -> bool:
        warmed = max((at for at in (self.lead.warmed_at, self.lead.drafted_at) if at), default=None)
        return warmed is None or self.world.after(warmed, self.world.terms.reheat_every) <= self.world.now

    # -- words that wait -----------------------------------------------------------------------------------------
    def wait_for_undo(self, **facts: Any) -> bool:
        """Words that end a bun or write to a client take effect only after the time for "undo" (PROTOCOL "Ended").

        Answers True while the word has to wait; the same cue comes back settled.
        """
        cue = self.cue
        if cue.settled:
            return False
        effect = self.in_time(self.world.terms.undo_for)
        word = Pending(cue.name, cue.who, cue.line, cue.text, cue.at, effect, cue.by)
        replaced = [each for each in self.lead.pending if _replaces(word, each)]
        for each in replaced:
            self.record(f"“{each.verb}” gives way to “{word.verb}”", why=each.line)
        self.wait_with(*(each for each in self.lead.pending if each not in replaced), word)
        self.record(f"“{cue.name}” noted", why=cue.line)
        self.receipt(cue.name, effect=effect, **facts)
        return True

    def wait_with(self, *words: Pending) -> None:
        """These words wait for "undo", and no others; the timer runs to the first of them."""
        self.set(pending=words)
        self.start(undo=min((self.effect_of(word) for word in words), default=None))

    def letters_waiting(self) -> tuple[Pending, ...]:
        """What people have written to the client and has not left yet: it goes, whatever becomes of the bun."""
        return tuple(word for word in self.lead.pending if _is_letter(word))

    def effect_of(self, word: Pending) -> datetime:
        return word.effect or self.lead.timers.get("undo", self.world.now)

    def end(self, status: Status, ended_as: str) -> None:
        """The bun has ended; what a person wrote to the client still goes when its time for "undo" is over."""
        letters = self.letters_waiting()
        self.set(status=status, ended_at=self.cue.at, ended_as=ended_as, stage="", awaits="", timers={})
        self.wait_with(*letters)


def _is_letter(word: Pending) -> bool:
    return word.verb == "warm"


def _replaces(word: Pending, other: Pending) -> bool:
    """A bun ends once, so the last word on its end counts; a text said twice is one text."""
    if word.verb in ENDING:
        return other.verb in ENDING
    return (word.verb, word.who, word.text) == (other.verb, other.who, other.text)


def drawn_first(message_id: str, keys: Iterable[str]) -> str:
    """The winner of a tie, drawn from the request's Message-ID so that anybody can check (rule 3).

    It is the key whose SHA-256 over "<Message-ID> key" is the smallest.
    """
    return min(keys, key=lambda key: hashlib.sha256(f"{message_id} {key}".encode()).hexdigest())


Guard = Callable[[Turn], bool]
Act = Callable[[Turn], None]
