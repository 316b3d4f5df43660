"""The tray: every bun at a glance, as one static page.

Job: turn the open leads and the latest ended ones into cards, render `templates/tray.html`, put the file in place at
once. Shell: reads the page sources and writes the page; whatever counts or says something is the core's.

Invariants: the page is self-contained (no remote asset, readable without its script, a policy that allows only the
style and script it was written with); everything from outside is escaped; it is replaced whole or not at all, 0640.
What a client's mail holds is withheld as in an offer (need-to-know), since the page lies where colleagues look.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from router.compose import Templates
from router.digest import freshness, text_facts
from router.history import Tongue, tongue_of
from router.house import House
from router.lead import Event, Lead, Status
from router.marks import clean_line
from router.report import ended_as
from router.shown import Shown, show_lead, withhold
from router.store import Store
from router.turn import World

ENDED_SHOWN = 60  # the latest ended buns on the page
LOOKED_AT = 400  # of the newest leads, for those: the page costs the same after ten years
HISTORY = 40  # the latest entries of a history
TEXT = 6000  # characters of a request that are looked at
COLUMNS = ("offered", "contested", "taken", "ended")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a history."""

    stamp: str
    at: str
    who: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Card:
    """A bun on the page."""

    lead: Shown
    freshness: str
    age: str
    team: str
    passes: str
    timer: str  # what happens next
    due: str  # and when
    ended: str
    history: tuple[Step, ...]
    hidden: int  # entries left out of it


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    cards: tuple[Card, ...]
    count: int


def write_tray(path: Path, house: House, store: Store, world: World, templates: Templates) -> None:
    """Put the page in place at once: temp, fsync, rename; readable by its group. Raises OSError, TemplateFault."""
    content = render_tray(house, store, world, templates).encode("utf-8", "replace")
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with os.fdopen(os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb") as file:
            os.fchmod(file.fileno(), 0o640)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temp.replace(path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise


def render_tray(house: House, store: Store, world: World, templates: Templates) -> str:
    """The whole page, in the collective's first language. Raises TemplateFault."""
    language = house.languages[0] if f"{house.languages[0]}/_pages" in templates.sources else "en"
    columns = _columns(house, store, world, tongue_of(templates, language), language)
    facts = text_facts(
        house,
        language=language,
        columns=columns,
        as_of=world.now.astimezone(house.calendar.zone),
        open=sum(column.count for column in columns[:3]),
    )
    _, body = templates.render("page", "tray", facts)
    return _with_policy(body)


_BLOCK = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)


def _with_policy(page: str) -> str:
    """The page with the hashes of its own style and script in its policy (CSP level 2, hash-source)."""
    for kind, content in _BLOCK.findall(page):
        digest = b64encode(sha256(content.encode()).digest()).decode()
        page = page.replace(f"sha256-{kind.upper()}", f"sha256-{digest}", 1)
    return page


# -- cards -----------------------------------------------------------------------------------------------------------


def _columns(house: House, store: Store, world: World, tongue: Tongue, language: str) -> tuple[Column, ...]:
    open_leads = sorted(store.open_leads(), key=lambda lead: _order(lead, world))
    groups: dict[str, list[Lead]] = {key: [] for key in COLUMNS}
    for lead in open_leads:
        groups["offered" if lead.status == Status.DOUGH else str(lead.status)].append(lead)
    groups["ended"] = _latest_ended(store)
    counts = {key: len(leads) for key, leads in groups.items()}
    counts["ended"] = store.count_leads() - len(open_leads)
    return tuple(
        Column(key, tuple(_card(lead, house, world, tongue, language) for lead in leads), counts[key])
        for key, leads in groups.items()
    )


def _order(lead: Lead, world: World) -> tuple[int, Any]:
    """The driest first, dough last; of the same, the oldest."""
    return ("dry", "cooling", "fresh", "").index(freshness(lead, world)), lead.opened


def _latest_ended(store: Store) -> list[Lead]:
    newest = sorted(store.lead_numbers(), reverse=True)[:LOOKED_AT]
    ended = [lead for lead in map(store.lead, newest) if lead is not None and not lead.is_open]
    ended.sort(key=lambda lead: lead.ended_at or lead.opened, reverse=True)
    return ended[:ENDED_SHOWN]


def _card(lead: Lead, house: House, world: World, tongue: Tongue, language: str) -> Card:
    brief = replace(lead, text=lead.text[:TEXT], letters=())
    shown = show_lead(brief, world, house, language, withheld=True)
    timer = lead.next_timer if lead.is_open else ""
    due = lead.due_at(timer) if timer else None
    return Card(
        lead=shown,
        freshness=freshness(lead, world),
        age=shown.age if lead.is_open or lead.ended_at is None else _lived(lead, lead.ended_at, world, language),
        team=_names(lead.team[1:], world),
        passes=_names((each.who for each in lead.passes), world),
        timer=timer,
        due=world.calendar.say(due, language, world.now) if due else "",
        ended="answered" if lead.ended_as == "answered" else ended_as(lead),
        history=_history(lead.events, house, world, tongue),
        hidden=max(0, len(lead.events) - HISTORY),
    )


def _lived(lead: Lead, ended: datetime, world: World, language: str) -> str:
    return world.calendar.say_age(world.calendar.between(lead.opened, ended), language)


def _names(keys: Iterable[str], world: World) -> str:
    return ", ".join(clean_line(name) for name in world.names(keys))


def _history(events: Sequence[Event], house: House, world: World, tongue: Tongue) -> tuple[Step, ...]:
    withheld = house.show_client != "all"

    def step(event: Event) -> Step:
        local = event.at.astimezone(house.calendar.zone)
        who, what, why = event.who, event.what, event.why
        if withheld:
            who, what, why = "…" if "@" in who else who, withhold(what), withhold(why)
        words = (tongue.who(who, world), *tongue.tell(what, why))
        return Step(f"{local:%Y-%m-%dT%H:%M:%S%z}", f"{local:%Y-%m-%d %H:%M}", *map(clean_line, words))

    return tuple(step(event) for event in events[-HISTORY:])
