"""Who is here, whose week it is, and what the world looks like to a decision.

Job: put the roster of the configuration together with what people have said of themselves ("away until", "skills"),
and build the `World` for one moment. Core: values in, values out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from router.house import House, Member
from router.turn import Person, World
from router.view import PersonState, View

RECENTLY = timedelta(days=90)  # "buns taken in the last 90 days"


def build_world(house: House, view: View, now: datetime) -> World:
    """Everything that a decision at `now` may know besides its lead."""
    today = now.astimezone(house.calendar.zone).date()
    states = view.people_states()
    people = {key: person_of(member, states.get(key), today) for key, member in house.members.items()}
    standing = standing_keeper(house, today)
    return World(
        now=now,
        terms=house.terms,
        calendar=house.calendar,
        people=people,
        keeper=acting_keeper(house, people, standing, today),
        standing_keeper=standing,
        mediator=house.mediator,
        deputy=house.deputy,
        business_developer=house.business_developer,
        taken_recently=view.taken_since(now - RECENTLY),
        last_taken=view.last_taken(),
        former={key: state.name for key, state in states.items() if key not in house.members and state.name},
    )


def person_of(member: Member, state: PersonState | None, today: date) -> Person:
    until = away_until(member, state, today)
    available = date.fromisoformat(member.available) if member.available else None
    return Person(
        key=member.key,
        name=member.name,
        addresses=member.addresses,
        skills=state.skills if state and state.skills is not None else member.skills,
        language=member.language,
        never_claims=member.never_claims,
        away=until is not None,
        away_until=until,
        available_since=(state.available_since if state else None) or available,
    )


def away_until(member: Member, state: PersonState | None, today: date) -> date | None:
    """The day on which somebody who is away today is back, or None when they are here."""
    if state is not None and state.away_until is not None and today < state.away_until:
        return state.away_until
    for first, last in member.away:
        if date.fromisoformat(first) <= today <= date.fromisoformat(last) and not _is_ended(first, state):
            return date.fromisoformat(last) + timedelta(days=1)
    return None


def _is_ended(first: str, state: PersonState | None) -> bool:
    """Whether "back" has ended the absence that began on `first`: it says nothing of absences still to come."""
    if state is None or not state.back:
        return False
    return state.available_since is None or date.fromisoformat(first) <= state.available_since


def standing_keeper(house: House, today: date) -> str:
    """Whose week it is: the rota turns every Monday, in the order of the configuration."""
    if not house.rota:
        return house.keeper
    return house.rota[(_week(today) - house.rota_start) % len(house.rota)]


def acting_keeper(house: House, people: Mapping[str, Person], standing: str, today: date) -> str:
    """The keeper, or while away the deputy, or the next in the rota; "" when none of them is here."""
    order = [standing, house.deputy]
    if house.rota:
        order += [
            house.rota[(_week(today) - house.rota_start + step) % len(house.rota)] for step in range(1, len(house.rota))
        ]
    return next((key for key in order if key in people and not people[key].away), "")


def _week(today: date) -> int:
    return (today.toordinal() - 1) // 7


def named_skills(text: str, house: House, states: Mapping[str, PersonState]) -> tuple[str, ...]:
    """Those of the roster's skills that a request names, as whole words, in the order of the roster."""
    known: dict[str, None] = {}
    for member in house.members.values():
        state = states.get(member.key)
        known.update(dict.fromkeys(state.skills if state and state.skills is not None else member.skills))
    folded = " ".join(text[:20000].lower().split()) if known else ""
    return tuple(skill for skill in known if skill and _names(folded, skill.lower()))


def _names(text: str, skill: str) -> bool:
    """Whether `skill` stands in `text` as whole words: "c" is neither in "c++" nor in "cobol"."""
    if skill not in text:
        return False
    return re.search(rf"(?<![\w+#]){re.escape(skill)}(?![\w+#])", text) is not None
