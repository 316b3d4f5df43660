"""PROTOCOL.md's table as code: one row there is one small function here.

Job: `advance` takes a lead, a cue and the world, and answers the changed lead with the mails to send. `open_lead`
makes a new one. Decides everything, does nothing.

May import lead, turn, worktime; reads no clock, no file, no socket.
Invariants: every open lead has exactly one owner; a claim that is recorded never vanishes; every change is an event.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from router.lead import Lead, Status
from router.protocol import anytime, arriving, contested, ended, offered, table, taken  # rows register themselves
from router.protocol.arriving import Arrival
from router.protocol.ended import starts_anew
from router.protocol.steps import is_overtaken, word_from_owner
from router.protocol.table import ROWS, SECTIONS, Row, life_table
from router.turn import Cue, Mail, Turn, World

__all__ = [
    "ROWS",
    "SECTIONS",
    "Arrival",
    "Cue",
    "Outcome",
    "Row",
    "advance",
    "anytime",
    "arriving",
    "contested",
    "ended",
    "fall_due",
    "is_outgrown",
    "life_table",
    "offered",
    "open_lead",
    "starts_anew",
    "table",
    "taken",
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A lead after its turn, and the mails that the turn sends."""

    lead: Lead
    mails: tuple[Mail, ...]


def open_lead(arrival: Arrival, world: World) -> Outcome:
    """A new lead from a request (PROTOCOL "Arriving")."""
    turn = arriving.open_lead(arrival, world)
    return Outcome(turn.lead, tuple(turn.mails))


def advance(lead: Lead, cue: Cue, world: World) -> Outcome:
    """What `cue` does to `lead`. A word without a row in this status is refused, in words, to its sender alone."""
    turn = Turn(lead, cue, world)
    if is_overtaken(turn):
        return Outcome(turn.lead, tuple(turn.mails))
    if not table.take(turn):
        _without_row(turn)
    if lead.status == Status.TAKEN and turn.lead.status == Status.TAKEN and lead.taken_at == turn.lead.taken_at:
        word_from_owner(turn)
    return Outcome(turn.lead, tuple(turn.mails))


def _without_row(turn: Turn) -> None:
    name = turn.cue.name
    if name.startswith(("due:", "accepted:", "failed:")):
        turn.stop(name.removeprefix("due:"))
    elif turn.cue.who:
        turn.refuse("not-possible", status=str(turn.lead.status))


def fall_due(lead: Lead, world: World) -> Outcome:
    """The earliest timer that has passed, once. The cue happens now; the moment it was due stands in the timers."""
    name = min(lead.timers, key=lambda each: (lead.due_at(each), _ORDER.get(each, 9)))
    outcome = advance(lead, Cue(f"due:{name}", world.now), world)
    if outcome.lead.timers.get(name) != lead.timers[name]:
        return outcome
    timers = {each: at for each, at in outcome.lead.timers.items() if each != name}
    return replace(outcome, lead=replace(outcome.lead, timers=timers))  # the same moment is never decided twice


# At the same moment: words that waited take effect first, then windows are judged, then buns cool and dry.
_ORDER = {"undo": 0, "objection": 1, "window": 2, "fallback": 3, "cool": 4, "dry": 5, "decide": 6, "last-call": 7}


# A mail that its lead has outgrown is dropped before it leaves (PROTOCOL "Time").
_WHILE_OFFERED = frozenset({"offer", "back", "second-call", "last-call", "decide", "nobody-yet", "personal-offer"})
_WHILE_DOUGH = frozenset({"bun-or-cookie", "still-dough", "dough"})
_WHILE_TAKEN = frozenset({"nudge", "silent"})
_WHILE_CONTESTED = frozenset({"contest", "mediate", "unless"})
_WHILE_AWARDED = frozenset({"handover", "handover-owner", "outcome"})


def is_outgrown(kind: str, to: str, lead: Lead) -> bool:
    """Whether an unsent mail of `kind` has been overtaken by what happened to its lead since."""
    if kind in ("second-call", "nobody-yet") and lead.stage in ("last-call", "goodbye"):
        return True
    if kind in _WHILE_OFFERED:
        return lead.status != Status.OFFERED or (kind == "last-call" and lead.stage not in ("last-call", "dry"))
    if kind in _WHILE_DOUGH:
        return lead.status != Status.DOUGH
    if kind in _WHILE_TAKEN:
        return lead.status != Status.TAKEN or (lead.word_at is not None and "nudge" in lead.timers)
    if kind in _WHILE_CONTESTED:
        return lead.status != Status.CONTESTED
    if kind in _WHILE_AWARDED:
        theirs = kind != "handover-owner" or lead.status != Status.TAKEN or to.lstrip("@") in lead.team
        return lead.status in (Status.OFFERED, Status.CONTESTED) or not theirs
    if kind == "no":
        unwanted = lead.status in (Status.EATEN, Status.COOKIE) or lead.ended_as == "withdrawn"
        return unwanted or (lead.is_open and lead.awaits != "no")
    if kind == "ack":  # what comes after it says more
        return lead.handed_over or lead.awaits == "no" or not lead.is_open
    if kind == "reheat":
        return not lead.is_open or lead.status == Status.TAKEN
    return False
