"""Words about no bun in particular: status, help, absences, skills, what was set aside, the monthly question.

Job: one small function for each. Core: decides everything, does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from router import happiness, protocol
from router.arrivals import find_twin, linked_leads
from router.commands import Command
from router.decision import Decision, Desk, advance_lead, help_mail, mail_back, of_outcome
from router.lead import Status
from router.people import named_skills
from router.protocol import Arrival
from router.sameness import plain_subject
from router.turn import Cue, Mail
from router.view import Aside, PersonState


def answer_on_happiness(desk: Desk) -> happiness.Filed | None:
    """A number and a line in answer to the monthly question; kept named or anonymous, and not acknowledged."""
    verdict, message = desk.verdict, desk.message
    if desk.house.happiness == "off" or verdict.reply is None:
        return None
    asked = (*message.in_reply_to, *message.references)
    month = happiness.month_asked(asked, verdict.person, desk.incoming.received, desk.house)
    answer = happiness.read_answer(verdict.reply.text) if month else None
    return happiness.file_answer(answer, verdict.person, month, desk.house) if answer else None


def _status(desk: Desk, command: Command) -> Decision:
    leads = tuple(sorted(desk.view.open_leads(), key=lambda lead: lead.id))
    mine = tuple(lead.id for lead in leads if desk.verdict.person in (lead.owner, *lead.team, *lead.claimants))
    facts = {"leads": leads, "mine": mine, "silenced": tuple(desk.view.note("silenced") or ())}
    return mail_back(desk, Mail("status", f"@{desk.verdict.person}", facts))


def _state(desk: Desk) -> PersonState:
    key = desk.verdict.person
    return desk.view.people_states().get(key) or PersonState(key)


def _away(desk: Desk, command: Command) -> Decision:
    if command.until is None:
        return help_mail(desk, None)
    state = replace(_state(desk), away_until=command.until, back=False)
    receipt = Mail("receipt", f"@{desk.verdict.person}", {"what": "away", "line": command.line, "until": command.until})
    return _absence_changed(desk, state, receipt)


def _back(desk: Desk, command: Command) -> Decision:
    today = desk.world.now.astimezone(desk.house.calendar.zone).date()
    state = replace(_state(desk), away_until=None, back=True, available_since=today)
    receipt = Mail("receipt", f"@{desk.verdict.person}", {"what": "back", "line": command.line})
    return _absence_changed(desk, state, receipt)


def _absence_changed(desk: Desk, state: PersonState, receipt: Mail) -> Decision:
    """Who may claim has changed, so every open window is looked at again."""
    away = state.away_until is not None
    people = {**desk.world.people}
    person = people.get(state.key)
    if person is not None:
        people[state.key] = replace(person, away=away, away_until=state.away_until)
    world = replace(desk.world, people=people)
    leads, mails = [], []
    for lead in desk.view.open_leads():
        if lead.status == Status.OFFERED:
            outcome = protocol.advance(lead, Cue("early", desk.world.now), world)
            if outcome.lead != lead:
                leads.append(outcome.lead)
                mails += [(mail, outcome.lead) for mail in outcome.mails]
    answer = mail_back(desk, receipt)
    return replace(answer, people=(state,), leads=tuple(leads), mails=(*answer.mails, *mails))


def _skills(desk: Desk, command: Command) -> Decision:
    state = replace(_state(desk), skills=command.skills)
    facts = {"what": "skills", "line": command.line, "skills": command.skills}
    return mail_back(desk, Mail("receipt", f"@{desk.verdict.person}", facts), people=(state,))


GENERAL: Mapping[str, Callable[[Desk, Command], Decision]] = {
    "status": _status,
    "list": _status,
    "help": lambda desk, command: help_mail(desk, command),
    "away": _away,
    "back": _back,
    "skills": _skills,
}


def aside_meant(desk: Desk, command: Command | None, number: int) -> Aside | None:
    """The mail set aside that "bun" is said of: by the reply address, or by its number ("bun 17")."""
    if command is None or command.verb != "bun":
        return None
    digits = re.search(r"\b(\d{1,9})\b", f"{command.line} {command.text}")
    return desk.view.aside(number or (int(digits[1]) if digits else 0))


def request_from_aside(desk: Desk, aside: Aside) -> Decision:
    """A mail that was set aside is a request after all, once: it is acknowledged and offered like any other."""
    became = desk.view.lead(aside.lead)
    if became is not None:  # said before: on its bun, the word means what it means there
        return advance_lead(desk, became, desk.cue("bun"))
    twin = find_twin(desk, aside.sender, plain_subject(aside.subject), aside.text)
    if twin is not None:
        joined = advance_lead(desk, twin, desk.cue("joined", line=aside.subject, text=aside.text))
        return replace(joined, aside=(replace(aside, lead=twin.id),))
    arrival = Arrival(
        id=desk.view.next_number("leads"),
        at=desk.incoming.received,
        subject=plain_subject(aside.subject),
        text=aside.text,
        client=aside.sender,
        client_name=aside.name,
        language=aside.language,
        message_id=aside.message_id,
        skills=named_skills(aside.subject + " " + aside.text, desk.house, desk.view.people_states()),
        linked=linked_leads(desk, aside.sender),
    )
    opened = of_outcome("general", protocol.open_lead(arrival, desk.world))
    return replace(opened, aside=(replace(aside, lead=arrival.id),))
