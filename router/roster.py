"""Colleagues come and go: who is on the roster, and who is keeper.

Job: at a start, what the configuration's roster has more or less than the last time; at every start, midnight and
absence, whether the keeper has changed. Shell: it commits through the office.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from router import protocol
from router.decision import Decision, of_outcome
from router.lead import Lead
from router.turn import Cue, Mail
from router.view import PersonState

if TYPE_CHECKING:
    from router.office import Office


def take_roster(office: Office) -> None:
    """At a start: who has joined or left the roster since the last one, and whose week it is."""
    states = office.store.people_states()
    world = office.world()
    for key, member in office.house.members.items():
        state = states.get(key)
        state = PersonState(key) if state is None or state.left else state
        known = replace(state, name=member.name, addresses=member.addresses)
        if known != states.get(key):
            office.commit(Decision("roster", f"{key} is on the roster", people=(known,)))
    for key, state in states.items():
        if key in office.house.members or state.left:
            continue
        for lead in office.store.open_leads():
            cue = Cue("left", office.clock(), who=key)
            outcome = protocol.advance(lead, cue, world)
            if outcome.lead != lead or outcome.mails:
                office.commit(of_outcome("roster", outcome, reason=f"{key} has left the roster"))
        office.commit(Decision("roster", f"{key} has left", people=(replace(state, left=True),)))
    pass_keys(office)


def pass_keys(office: Office) -> None:
    """When the keeper changes, since the rota turned or by coming and going, open buns pass on (PROTOCOL "Ended").

    Both keepers get one mail. With neither keeper nor deputy there, all stays as it is, and what comes in then
    passes on with the rest.
    """
    office.forget_world()
    world, old = office.world(), office.store.note("keeper")
    new = world.keeper or (old if old in office.house.members else world.standing_keeper)
    passing = [lead for lead in office.store.open_leads() if _is_the_keepers(lead) and lead.owner != new]
    passing = [lead for lead in passing if world.keeper or lead.owner == old]
    if old == new and not passing:
        return
    because = "away" if old and not world.is_here(old) else "back" if office.store.note("stands in") else "week"
    number = int(office.store.note("passes") or 0) + 1
    passed: dict[str, list[Lead]] = {}
    for lead in passing:
        outcome = protocol.advance(lead, Cue("keeper turns", office.clock(), who=new), world)
        office.commit(of_outcome("rota", outcome))
        passed.setdefault(lead.owner, []).append(outcome.lead)
    mails = []
    for before, leads in passed.items():
        why = because if before == old else "week" if world.is_here(before) else "away"
        facts = {"leads": tuple(leads), "because": why, "slot": f"pass {number} {before}"}
        for key, other in ((new, before), (before, new)):
            if key in office.house.members:
                told = {**facts, "incoming": key == new, "other": world.name(other)}
                mails.append((Mail("rota", f"@{key}", told), None))
    notes = {"keeper": new, "stands in": int(because == "away"), "passes": number}
    office.commit(Decision("rota", f"{new} is keeper", mails=tuple(mails), notes=notes))


def _is_the_keepers(lead: Lead) -> bool:
    """Owned by standing agreement: nobody has it yet, and it is no colleague's own."""
    return str(lead.status) != "taken" and lead.owner != lead.own
