"""The value that a decision is, and the desk at which it is made.

Job: `Decision` (all that one mail, timer, result or request leads to), `Desk` (all that a handler of a mail works
with), and the small answers that several handlers give. Core: values in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from router import happiness, protocol
from router.commands import Command
from router.house import House
from router.lead import Carried, Event, Lead, with_event
from router.message import Message
from router.turn import Cue, Mail, World
from router.verdict import Incoming, Verdict
from router.view import Aside, Held, PersonState, Seen, View

DONE, ASIDE_FOLDER, GONE, STAYS = "done", "aside", "gone", ""  # where a mail is filed, by role; gone is deleted


@dataclass(frozen=True, slots=True)
class Decision:
    """What one mail, timer, result or request leads to. Stored whole or not at all."""

    kind: str
    reason: str = ""
    leads: tuple[Lead, ...] = ()
    mails: tuple[tuple[Mail, Lead | None], ...] = ()
    seen: Seen | None = None
    file_to: str = STAYS
    people: tuple[PersonState, ...] = ()
    held: tuple[Held, ...] = ()
    settled: tuple[int, ...] = ()  # held words that are answered
    aside: tuple[Aside, ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()  # carried bytes by SHA-256
    answers: tuple[happiness.Filed, ...] = ()  # to the monthly question
    said: tuple[str, ...] = ()  # what is to be said only once, and now has been
    plus_proven: bool = False
    notes: Mapping[str, Any] | None = None  # small facts kept by name, plain JSON: calendar marks and the like

    @property
    def lead_numbers(self) -> tuple[int, ...]:
        return tuple(lead.id for lead in self.leads)


@dataclass(frozen=True, slots=True)
class Desk:
    """All that a handler works with."""

    incoming: Incoming
    verdict: Verdict
    house: House
    view: View
    world: World
    carried: tuple[Carried, ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()

    @property
    def message(self) -> Message:
        return self.incoming.message

    def lead(self) -> Lead | None:
        return self.view.lead(self.verdict.lead) if self.verdict.lead else None

    def cue(self, name: str, **more: object) -> Cue:
        base = Cue(name, self.incoming.received, self.verdict.person, message_id=self.message.message_id)
        return replace(base, **more)  # type: ignore[arg-type]  # names are checked by the dataclass itself


def of_outcome(kind: str, outcome: protocol.Outcome, **more: object) -> Decision:
    base = Decision(
        kind, leads=(outcome.lead,), mails=tuple((mail, outcome.lead) for mail in outcome.mails), file_to=DONE
    )
    return replace(base, **more)  # type: ignore[arg-type]  # names are checked by the dataclass itself


def advance_lead(desk: Desk, lead: Lead, cue: Cue) -> Decision:
    return of_outcome(desk.verdict.kind, protocol.advance(lead, cue, desk.world))


def nothing(desk: Desk, file_to: str = DONE) -> Decision:
    return Decision(desk.verdict.kind, file_to=file_to)


def noted(desk: Desk, what: str, why: str) -> Decision:
    """Stands in the lead's history and changes nothing else."""
    lead = desk.lead()
    if lead is None:
        return nothing(desk)
    event = Event(desk.incoming.received, what, desk.verdict.person or desk.verdict.author.address, why)
    return Decision(desk.verdict.kind, leads=(with_event(lead, event),), file_to=DONE)


def said_on(lead: Lead | None, command: Command, who: str) -> str:
    """The verb that `command`, said by `who`, is on `lead`: "I'd love to help" joins whoever has asked them along."""
    return "join" if command.joins and lead is not None and lead.is_asked_along(who) else command.verb


def ours(desk: Desk) -> frozenset[str]:
    house = desk.house
    return frozenset((*house.own_addresses, house.list_address, *house.people_by_address))


def mail_back(desk: Desk, mail: Mail, **more: object) -> Decision:
    mail = replace(mail, facts={**mail.facts, "slot": desk.message.message_id})
    base = Decision(desk.verdict.kind, mails=((mail, desk.lead()),), file_to=DONE)
    return replace(base, **more)  # type: ignore[arg-type]  # names are checked by the dataclass itself


def help_mail(desk: Desk, command: Command | None) -> Decision:
    line = desk.verdict.reading.line[:200] if desk.verdict.reading and command is None else ""
    return mail_back(desk, Mail("help", f"@{desk.verdict.person}", {"line": line}))
