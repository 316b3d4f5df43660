"""The table of a lead's life: which cue, in which status, leads to which act.

Job: hold the rows, find the one that fits, print them for people. The rows themselves stand in the modules beside
this one, one small function each, under the words by which PROTOCOL.md knows them. First guard that holds wins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from router.lead import Status
from router.turn import Act, Guard, Turn

DOUGH, OFFERED, CONTESTED, TAKEN = Status.DOUGH, Status.OFFERED, Status.CONTESTED, Status.TAKEN
EATEN, THROWN, COOKIE = Status.EATEN, Status.THROWN, Status.COOKIE
ANY_OPEN = (DOUGH, OFFERED, CONTESTED, TAKEN)
ANY_ENDED = (EATEN, THROWN, COOKIE)
ALL = ANY_OPEN + ANY_ENDED


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the protocol: `says`, `then` and `mails` are the words that people read in the README."""

    section: str
    says: str
    then: str
    mails: str
    statuses: tuple[Status, ...]
    cues: tuple[str, ...]
    when: Guard | None
    act: Act


ROWS: list[Row] = []
_BY_CUE: dict[tuple[Status, str], list[Row]] = {}


def row(
    section: str,
    statuses: tuple[Status, ...],
    cues: tuple[str, ...],
    *,
    says: str,
    then: str,
    mails: str = "",
    when: Guard | None = None,
) -> Callable[[Act], Act]:
    """Register the decorated act as a row of the table."""

    def register(act: Act) -> Act:
        entry = Row(section, says, then, mails, statuses, cues, when, act)
        ROWS.append(entry)
        for status in statuses:
            for cue in cues:
                rows = _BY_CUE.setdefault((status, cue), [])
                at = next((i for i, each in enumerate(rows) if each.when is None), len(rows)) if when else len(rows)
                rows.insert(at, entry)  # guarded rows before the one that always fits
        return act

    return register


def registered(section: str, says: str, then: str, mails: str) -> None:
    """A row that makes a lead rather than change one: its act is `open_lead`."""
    ROWS.append(Row(section, says, then, mails, (), (), None, lambda turn: None))


def find_row(turn: Turn) -> Row | None:
    """The row for this turn's lead and cue, or None where the protocol has none."""
    for entry in _BY_CUE.get((turn.lead.status, turn.cue.name), ()):
        if entry.when is None or entry.when(turn):
            return entry
    return None


def take(turn: Turn) -> bool:
    """Do what the table says to this cue; answers whether it says anything."""
    entry = find_row(turn)
    if entry is not None:
        entry.act(turn)
    return entry is not None


SECTIONS = ("Arriving", "Offered", "Contested", "Taken", "Any open lead", "Ended")


def life_table() -> str:
    """The whole table as Markdown, as the README carries it."""
    out: list[str] = []
    for section in SECTIONS:
        out += [f"**{section}**", "", "| event | then | mails |", "| --- | --- | --- |"]
        shown = dict.fromkeys((r.says, r.then, r.mails) for r in ROWS if r.section == section and r.says)
        out += [f"| {says} | {then} | {mails} |" for says, then, mails in shown]
        out.append("")
    return "\n".join(out)
