"""Restraint: mail to any address is bounded by arithmetic (PROTOCOL "Restraint").

Job: say of each mail about to leave whether it may. Past a bound, offers are gathered into one mail an hour and the
rest of that kind stops. A robot that answers whatever it gets, and carries no sign of being one, would get a stranger's
bound of mails every day for ever; so each day on which it was reached halves that bound for a month. What goes to a
client is never stopped for the sake of a colleague in copy. Core: counts in, verdicts out; the store keeps the counts,
so they survive a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from router.compose import Outgoing
from router.house import House

GATHERED_KINDS = frozenset({"offer", "back", "second-call", "last-call"})
UNBOUNDED = frozenset({"gathered", "alert", "digest"})  # they have a bound of their own: one an hour, a day, a week
ALL = "all"
REACHED_FOR = timedelta(days=30)  # how long a day on which a stranger's bound was reached is remembered
STOPPED = "a bound of [restraint] is reached"


@dataclass(frozen=True, slots=True)
class Weighed:
    """What may leave, what waits for the hour's gathering, what is stopped; and the counts that this adds."""

    go: tuple[Outgoing, ...]
    gathered: tuple[Outgoing, ...]
    stopped: tuple[Outgoing, ...]
    added: tuple[str, ...]  # one name for each mail counted
    reached: tuple[str, ...] = ()  # strangers whose bound stopped a mail


def weigh(
    mails: Iterable[Outgoing],
    count: Callable[[str], int],
    house: House,
    reached: Callable[[str], int] = lambda name: 0,
) -> Weighed:
    """`count(name)`: mails so far under that name; a name is an address of today, "all" of today, or "lead 42".

    `reached(address)`: on how many days lately a stranger's bound was reached.
    """
    go: list[Outgoing] = []
    gathered: list[Outgoing] = []
    stopped: list[Outgoing] = []
    added: list[str] = []
    over: dict[str, None] = {}
    people = house.people_by_address
    for mail in mails:
        names = names_of(mail)
        stopping = [n for n in names if n not in mail.recipients[1:]] if mail.to == "client" else names
        full = [n for n in stopping if count(n) + added.count(n) >= _bound(n, house, people, reached)]
        if mail.kind in UNBOUNDED or not full:
            go.append(mail)
            added += names
        elif mail.kind in GATHERED_KINDS:
            gathered.append(mail)
        else:
            stopped.append(mail)
            over.update(dict.fromkeys(name for name in full if _is_stranger(name, house, people)))
    return Weighed(tuple(go), tuple(gathered), tuple(stopped), tuple(added), tuple(over))


def names_of(mail: Outgoing) -> tuple[str, ...]:
    lead = (f"lead {mail.lead}",) if mail.lead else ()
    return (*mail.recipients, *lead, ALL)


def _bound(name: str, house: House, people: dict[str, str], reached: Callable[[str], int]) -> int:
    bounds = house.bounds
    if name == ALL:
        return bounds.total
    if name.startswith("lead "):
        return bounds.per_lead
    return bounds.per_stranger >> reached(name) if _is_stranger(name, house, people) else bounds.per_address


def _is_stranger(name: str, house: House, people: dict[str, str]) -> bool:
    return "@" in name and name not in people and name not in (house.list_address, house.operator)
