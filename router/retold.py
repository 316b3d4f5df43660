"""Mails that wait in the outbox, and the times that they tell.

Job: a mail to colleagues names the moment until which they may answer. Their time runs from when it was accepted by
the mail server (PROTOCOL "Time"), so while it waits, the moment that it names comes nearer, and is over in the end.
Before that it is written anew, under the same Message-ID. Core: when, and with which facts.

What is promised to clients needs none of this: at the time promised the router itself writes, and what says more
overtakes what waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from router.lead import Lead, read_stamp, stamp
from router.turn import Mail, World

# The facts of each kind that are moments: the lead's timer that runs to them, and the term that it runs for once the
# mail, for which the lead waits until then, has been accepted.
_TOLD: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "offer": {"closes": ("window", "window")},
    "back": {"closes": ("window", "window")},
    "personal-offer": {"closes": ("window", "window")},
    "receipt": {"closes": ("window", "window")},
    "last-call": {"by": ("last-call", "last_call")},
    "decide": {"by": ("decide", "decide")},
    "contest": {"mediate": ("mediate", "contest_mediate"), "ends": ("fallback", "contest_end")},
    "unless": {"at": ("objection", "objection")},
}


def anew_at(mail: Mail, lead: Lead, now: datetime) -> datetime | None:
    """When `mail`, should it still wait then, is to be written anew; None where what it says stays true.

    While nothing runs yet, half of the time that it gives is left then; a clock that runs is told of once it is over.
    """
    due = []
    for name, (timer, _) in _TOLD.get(mail.kind, {}).items():
        moment = mail.facts.get(name)
        if isinstance(moment, datetime) and moment > now:
            due.append(moment if timer in lead.timers else now + (moment - now) / 2)
    return min(due, default=None)


def as_of_now(mail: Mail, lead: Lead, world: World) -> Mail:
    """The mail as it would be written now."""
    facts = dict(mail.facts)
    for name, (timer, term) in _TOLD[mail.kind].items():
        if timer in lead.timers:
            facts[name] = lead.timers[timer]
        elif lead.awaits and mail.kind != "receipt":
            facts[name] = _closing(term, lead, world)
    return Mail(mail.kind, mail.to, facts, mail.number)


def _closing(term: str, lead: Lead, world: World) -> datetime:
    soonest = [term, "urgent_window"] if lead.urgent and term == "window" else [term]
    return min(world.after(world.now, getattr(world.terms, each)) for each in soonest)


# -- stored form ---------------------------------------------------------------------------------------------------


def to_doc(mail: Mail) -> dict[str, Any]:
    facts = {name: {"at": stamp(fact)} if isinstance(fact, datetime) else fact for name, fact in mail.facts.items()}
    return {"to": mail.to, "n": mail.number, "facts": facts}


def from_doc(kind: str, doc: Mapping[str, Any]) -> Mail:
    def fact(value: Any) -> Any:
        if isinstance(value, Mapping):
            return read_stamp(value["at"])
        return tuple(value) if isinstance(value, list) else value

    return Mail(kind, doc["to"], {name: fact(value) for name, value in doc["facts"].items()}, doc["n"])
