"""Restraint: mail to any address is bounded by arithmetic (PROTOCOL "Restraint").

Job: say of each mail about to leave whether it may. Past a bound, offers are gathered into one mail an hour and the
rest of that kind stops. Core: counts in, verdicts out; the store keeps the counts, so they survive a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from router.compose import Outgoing
from router.house import House

GATHERED_KINDS = frozenset({"offer", "back", "second-call", "last-call"})
UNBOUNDED = frozenset({"gathered", "alert", "digest"})  # they have a bound of their own: one an hour, a day, a week
ALL = "all"


@dataclass(frozen=True, slots=True)
class Weighed:
    """What may leave, what waits for the hour's gathering, what is stopped; and the counts that this adds."""

    go: tuple[Outgoing, ...]
    gathered: tuple[Outgoing, ...]
    stopped: tuple[Outgoing, ...]
    added: tuple[str, ...]  # one name for each mail counted


def weigh(mails: Iterable[Outgoing], count: Callable[[str], int], house: House) -> Weighed:
    """`count(name)`: mails so far under that name; a name is an address of today, "all" of today, or "lead 42"."""
    go: list[Outgoing] = []
    gathered: list[Outgoing] = []
    stopped: list[Outgoing] = []
    added: list[str] = []
    people = house.people_by_address
    for mail in mails:
        names = names_of(mail)
        if mail.kind in UNBOUNDED or all(
            count(name) + added.count(name) < _bound(name, house, people) for name in names
        ):
            go.append(mail)
            added += names
        elif mail.kind in GATHERED_KINDS:
            gathered.append(mail)
        else:
            stopped.append(mail)
    return Weighed(tuple(go), tuple(gathered), tuple(stopped), tuple(added))


def names_of(mail: Outgoing) -> tuple[str, ...]:
    lead = (f"lead {mail.lead}",) if mail.lead else ()
    return (*mail.recipients, *lead, ALL)


def _bound(name: str, house: House, people: dict[str, str]) -> int:
    bounds = house.bounds
    if name == ALL:
        return bounds.total
    if name.startswith("lead "):
        return bounds.per_lead
    if name in people or name in (house.list_address, house.operator):
        return bounds.per_address
    return bounds.per_stranger
