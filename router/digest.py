"""The weekly digest: what is open, what the week brought, who is free, and how the load lies.

Job: the facts of the digest as values made of plain text and numbers, in the language of their reader; and the mails
that carry them. The words stand in templates (`<lang>/digest.txt`, `digest.html`). Core: pure; leads come from whoever
answers `Books`, the time is an argument.

Invariants: nothing here ranks people, and nothing is about money (PROTOCOL rule 9): people stand in the order of the
roster. Everything from outside is one clean line. An empty week is one line.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from router import happiness
from router.compose import LANGUAGES, TemplateFault, Templates
from router.decision import Decision
from router.house import House
from router.lead import ENDED, Event, Lead, Status
from router.marks import clean_line, to_text
from router.people import RECENTLY
from router.shown import Shown, show_lead
from router.turn import Mail, World

WEEK = timedelta(days=7)
FRESH, COOLING, DRY = "fresh", "cooling", "dry"
BAR = 12  # characters of the longest bar
LISTED = 25  # ended buns named one by one, and open ones a group
_NOT_A_WORD = frozenset({"auto-reply", "delivery report", "mail came back", "the list could not be reached"})
_SUMMED = frozenset({"mail came back", "dry", "last call"})
_NO_PERSON = frozenset({"", "client", "router", "operator"})


class Books(Protocol):
    """What digest and report ask of the store."""

    def leads(self) -> Iterator[Lead]: ...
    def scan(self, table: str) -> Iterator[tuple[int, dict[str, Any]]]: ...


# -- what the templates see ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bun:
    """An open bun in one line."""

    lead: Shown
    freshness: str  # fresh, cooling, dry; "" for dough
    timer: str  # what happens next, by the name of its timer; "" when nothing is due
    due: str  # and when, for people
    silent: str = ""  # how long its owner has said nothing, in working time


@dataclass(frozen=True, slots=True)
class Times:
    """Working time until something happened, for people: the median and the 90th percentile of `count` buns."""

    count: int = 0
    median: str = ""
    p90: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A figure of this week and of the week before."""

    now: int
    before: int


@dataclass(frozen=True, slots=True)
class Load:
    """What one consultant carries: shown, never a ranking. `width`: of 100, for a bar; `bar`: the same in text."""

    name: str
    taken: int  # buns taken in 90 days
    has: int  # taken buns that are theirs now
    passed: int  # buns passed on in 90 days
    width: int
    bar: str


@dataclass(frozen=True, slots=True)
class Free:
    """Somebody who is here and has no bun, or who is away. `since` and `until` may both be unknown."""

    name: str
    away: bool
    since: date | None = None
    until: date | None = None
    days: int = 0  # since then
    later: bool = False  # free only from `since` on


@dataclass(frozen=True, slots=True)
class Back:
    """Mail to a colleague that came back: the first of several, with their number."""

    name: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Personal:
    """The part for one reader: the buns they own, and those they have claimed."""

    owns: tuple[Bun, ...] = ()
    claims: tuple[Bun, ...] = ()


@dataclass(frozen=True, slots=True)
class Digest:
    """All facts of one week, in one reader's language."""

    language: str
    first: date
    last: date
    quiet: bool = False  # nothing open, nothing happened: one line
    buns: tuple[Bun, ...] = ()  # on offer: dry first
    dough: tuple[Bun, ...] = ()
    contested: tuple[Bun, ...] = ()
    silent: tuple[Bun, ...] = ()  # taken, and no word from the owner
    taken: int = 0  # all that are taken
    offered: int = 0  # all that are on offer
    dry: int = 0  # of these
    more: int = 0  # open buns that are only counted
    came: Pair = Pair(0, 0)
    ended: Mapping[str, Pair] = field(default_factory=dict)  # eaten, thrown, lost, withdrawn, cookie
    named: Mapping[str, tuple[Shown, ...]] = field(default_factory=dict)
    first_word: tuple[Times, Times] = (Times(), Times())  # this week, the week before
    to_owner: tuple[Times, Times] = (Times(), Times())
    free: tuple[Free, ...] = ()
    load: tuple[Load, ...] = ()
    back: tuple[Back, ...] = ()
    happiness: tuple[happiness.Month, ...] = ()
    personal: Personal | None = None


# -- one lead --------------------------------------------------------------------------------------------------------


def freshness(lead: Lead, world: World) -> str:
    """How warm a bun is: fresh, cooling, dry; "" where nobody waits. Counted from the opening (PROTOCOL "Time")."""
    if lead.status == Status.OFFERED:
        if lead.stage in ("dry", "last-call", "goodbye"):
            return DRY
        opened = lead.offered_at or lead.opened
        if world.after(opened, world.terms.dry) <= world.now:
            return DRY
        return COOLING if lead.stage == "cooling" or world.after(opened, world.terms.freshness) <= world.now else FRESH
    if lead.status == Status.CONTESTED:
        return FRESH if "mediate" in lead.timers else COOLING
    if lead.status == Status.TAKEN:
        return DRY if lead.keeper_may_release else COOLING if silent_since(lead, world) else FRESH
    return ""


def silent_since(lead: Lead, world: World) -> datetime | None:
    """Since when the owner of a taken bun owes a word; None while all is well or they have named a later date."""
    if lead.status != Status.TAKEN or lead.taken_at is None or lead.timers.get("nudge", world.now) > world.now:
        return None
    last = lead.word_at or lead.taken_at
    quiet = world.terms.nudge_quiet if lead.word_at else world.terms.nudge
    return last if world.after(last, quiet) <= world.now or lead.keeper_may_release else None


def first_word_at(lead: Lead) -> datetime | None:
    """When the first colleague said anything about it; bringing it in does not count."""
    said = [claim.at for claim in lead.claims] + [each.at for each in lead.passes]
    said += [event.at for event in lead.events if _is_word(event)][:1]
    return min(said, default=None)


def _is_word(event: Event) -> bool:
    who = event.who.rpartition("as ")[2]  # "operator, as anna"
    is_person = who not in _NO_PERSON and "@" not in who
    return is_person and event.what not in _NOT_A_WORD and not event.what.startswith("came in")


def brief(lead: Lead) -> Lead:
    """The lead without what no summary asks for, so that very many can be held."""
    events = [event for event in lead.events if event.what in _SUMMED]
    events += [event for event in lead.events if _is_word(event)][:1]
    return replace(lead, text="", letters=(), carried=(), events=tuple(events))


def show_bun(lead: Lead, world: World, house: House, language: str) -> Bun:
    """An open bun as colleagues may see it before the award (need-to-know as configured)."""
    since = silent_since(lead, world)
    timer = lead.next_timer
    at = lead.due_at(timer) if timer else None
    due = world.calendar.say(at, language, world.now) if at and at > world.now else ""
    silent = world.calendar.say_age(world.calendar.between(since, world.now), language) if since else ""
    shown = show_lead(lead, world, house, language, withheld=True)
    return Bun(shown, freshness(lead, world), timer if due else "", due, silent)


# -- the week --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Week:
    """What a scan of all leads leaves: few enough to hold."""

    open: tuple[Lead, ...]
    recent: tuple[Lead, ...]  # open, or ended in the last 90 days
    start: datetime
    now: datetime
    answers: tuple[happiness.Month, ...]


def _scan(house: House, store: Books, now: datetime) -> _Week:
    oldest = now - RECENTLY
    recent = tuple(brief(x) for x in store.leads() if x.is_open or (x.ended_at or x.opened) >= oldest)
    names = {member.key: clean_line(member.name) for member in house.members.values()}
    answers = () if house.happiness == "off" else happiness.history((d for _, d in store.scan("happiness")), names)
    return _Week(tuple(lead for lead in recent if lead.is_open), recent, now - WEEK, now, answers)


def weekly(house: House, store: Books, world: World, now: datetime, language: str = "", reader: str = "") -> Digest:
    """The digest of the seven days before `now`, in that language; with a part for `reader`, a consultant's key."""
    return _digest(_scan(house, store, now), house, world, language or house.languages[0], reader)


def _digest(week: _Week, house: House, world: World, language: str, reader: str = "") -> Digest:
    def shown(leads: Iterable[Lead]) -> tuple[Bun, ...]:
        return tuple(show_bun(lead, world, house, language) for lead in leads)

    ended = {name: _pair(week, lambda lead, name=name: lead.ended_at if _ended_as(lead) == name else None)
             for name in ("eaten", "thrown", "lost", "withdrawn", "cookie")}  # fmt: skip
    came = _pair(week, lambda lead: lead.opened)
    offered = sorted((x for x in week.open if x.status == Status.OFFERED), key=lambda lead: _driest(lead, world))
    silent = sorted((x for x in week.open if silent_since(x, world)), key=lambda lead: lead.taken_at or lead.opened)
    zone = house.calendar.zone
    return Digest(
        language=language,
        first=week.start.astimezone(zone).date(),
        last=(week.now - timedelta(hours=12)).astimezone(zone).date(),
        quiet=not week.open and not came.now and not any(pair.now for pair in ended.values()),
        buns=shown(offered[:LISTED]),
        dough=shown(_of(week.open, Status.DOUGH)[:LISTED]),
        contested=shown(_of(week.open, Status.CONTESTED)[:LISTED]),
        silent=shown(silent[:LISTED]),
        taken=len(_of(week.open, Status.TAKEN)),
        offered=len(offered),
        dry=sum(freshness(lead, world) == DRY for lead in offered),
        more=max(0, len(offered) - LISTED),
        came=came,
        ended=ended,
        named={name: _named(week, name, world, house, language) for name in ended},
        first_word=_times(week, first_word_at, world, language),
        to_owner=_times(week, lambda lead: lead.taken_at, world, language),
        free=_free(week, world, house),
        load=_load(week, world),
        back=_came_back(week, house),
        happiness=week.answers,
        personal=_personal(week, world, house, language, reader) if reader else None,
    )


def _of(leads: Iterable[Lead], status: Status) -> list[Lead]:
    return sorted((lead for lead in leads if lead.status == status), key=lambda lead: lead.opened)


def _driest(lead: Lead, world: World) -> tuple[int, datetime]:
    return (DRY, COOLING, FRESH).index(freshness(lead, world)), lead.opened


def _ended_as(lead: Lead) -> str:
    if lead.status == Status.THROWN:
        return lead.ended_as if lead.ended_as in ("lost", "withdrawn") else "thrown"
    return str(lead.status) if lead.status in ENDED else ""


def _in_week(moment: datetime | None, start: datetime) -> bool:
    return moment is not None and start <= moment < start + WEEK


def _pair(week: _Week, when: Any) -> Pair:
    moments = [when(lead) for lead in week.recent]
    return Pair(
        sum(_in_week(moment, week.start) for moment in moments),
        sum(_in_week(moment, week.start - WEEK) for moment in moments),
    )


def _named(week: _Week, name: str, world: World, house: House, language: str) -> tuple[Shown, ...]:
    leads = [lead for lead in week.recent if _ended_as(lead) == name and _in_week(lead.ended_at, week.start)]
    leads.sort(key=lambda lead: lead.ended_at or lead.opened)
    return tuple(show_lead(lead, world, house, language, withheld=True) for lead in leads[:LISTED])


def _times(week: _Week, when: Any, world: World, language: str) -> tuple[Times, Times]:
    def of(start: datetime) -> Times:
        pairs = ((lead.opened, when(lead)) for lead in week.recent)
        spans = [world.calendar.between(opened, at) for opened, at in pairs if _in_week(at, start)]
        return sum_up(spans, world, language)

    return of(week.start), of(week.start - WEEK)


def sum_up(spans: Sequence[timedelta], world: World, language: str) -> Times:
    """Median and 90th percentile (nearest rank) of working times, said for people."""
    if not spans:
        return Times()
    say = world.calendar.say_age
    return Times(len(spans), say(percentile(spans, 50), language), say(percentile(spans, 90), language))


def percentile(spans: Sequence[timedelta], percent: int) -> timedelta:
    """Nearest rank: a time that somebody really waited."""
    return sorted(spans)[max(0, math.ceil(len(spans) * percent / 100) - 1)]


def _free(week: _Week, world: World, house: House) -> tuple[Free, ...]:
    busy = {key for lead in week.open if lead.status == Status.TAKEN for key in lead.team or (lead.owner,)}
    today = week.now.astimezone(house.calendar.zone).date()
    out = []
    for person in world.people.values():
        name, since = clean_line(person.name), person.available_since
        if person.away:
            out.append(Free(name, True, until=person.away_until))
        elif not person.never_claims and person.key not in busy:
            days = (today - since).days if since and since <= today else 0
            out.append(Free(name, False, since=since, days=days, later=since is not None and since > today))
    return tuple(out)


def _load(week: _Week, world: World) -> tuple[Load, ...]:
    has = Counter(key for lead in _of(week.open, Status.TAKEN) for key in lead.team or (lead.owner,))
    oldest = week.now - RECENTLY
    passed = Counter(each.who for lead in week.recent for each in lead.passes if each.at >= oldest)
    people = [person for person in world.people.values() if not person.never_claims]
    top = max((world.taken_recently.get(person.key, 0) for person in people), default=0) or 1
    out = []
    for person in people:
        taken = world.taken_recently.get(person.key, 0)
        load = Load(clean_line(person.name), taken, has[person.key], passed[person.key], taken * 100 // top, "")
        out.append(load)
    return tuple(_with_bar(load, top) for load in out)


def _with_bar(load: Load, top: int) -> Load:
    bar = "█" * math.ceil(load.taken * BAR / top)
    return Load(load.name, load.taken, load.has, load.passed, load.width, bar)


def _came_back(week: _Week, house: House) -> tuple[Back, ...]:
    """Bounced mail of colleagues who neither own nor claim (PROTOCOL "Reading a mail", bounce)."""
    found: dict[str, list[str]] = {}
    for lead in week.recent:
        for event in lead.events:
            if event.what == "mail came back" and _in_week(event.at, week.start):
                addresses, _, reason = event.why.partition(": ")
                for address in addresses.split(", "):
                    found.setdefault(house.people_by_address.get(address.lower(), ""), []).append(reason)
    found.pop("", None)
    return tuple(
        Back(clean_line(house.members[key].name), len(reasons), clean_line(reasons[0]))
        for key, reasons in sorted(found.items())
    )


def _personal(week: _Week, world: World, house: House, language: str, reader: str) -> Personal:
    owns = [lead for lead in week.open if reader in (lead.owner, *lead.team)]
    claims = [lead for lead in week.open if reader in lead.claimants and lead not in owns]
    return Personal(
        tuple(show_bun(lead, world, house, language) for lead in owns[:LISTED]),
        tuple(show_bun(lead, world, house, language) for lead in claims[:LISTED]),
    )


# -- the mails -------------------------------------------------------------------------------------------------------


def weekly_mail(
    house: House, store: Books, world: World, moment: datetime, templates: Templates | None = None, to: str = ""
) -> Decision:
    """The digest to the list, or to each consultant with a part of their own where the list is the people themselves.

    `templates` with the page "page/digest" give its HTML; without, it is made from the text. `to`: another address.
    """
    week = _scan(house, store, moment)
    mails = []
    readers = [""] if house.list_address or to else list(world.people)
    for reader in readers:
        language = reading_language(world.people[reader].language if reader else "", house)
        digest = _digest(week, house, world, language, reader)
        facts: dict[str, Any] = {"digest": digest, "slot": moment.isoformat()}
        if templates is not None:
            facts["html"] = page_or_none(templates, "digest", house, digest=digest)
        mails.append((Mail("digest", f"@{reader}" if reader else to or "list", facts), None))
    return Decision("digest", f"the week's digest, {len(week.open)} open", mails=tuple(mails))


def weekly_text(house: House, store: Books, world: World, now: datetime, templates: Templates) -> str:
    """The digest for a terminal, as the list would read it."""
    digest = weekly(house, store, world, now)
    _, marked = templates.render(digest.language, "digest", text_facts(house, digest=digest))
    return to_text(marked, digest.language)


def reading_language(wanted: str, house: House) -> str:
    """The language a reader gets, as `compose` chooses it."""
    return wanted if wanted in house.languages or wanted in LANGUAGES else house.languages[0]


def text_facts(house: House, **facts: Any) -> dict[str, Any]:
    """What a text template needs besides its own fact, where no mail is composed around it."""
    return {"collective": clean_line(house.name), "words": house.words, "marker": "", **facts}


def page_or_none(templates: Templates, page: str, house: House, **facts: Any) -> str:
    """The page; "" where the operator's own is at fault, so that the mail goes out with the HTML of its text.

    `bun-router check` tells of the fault.
    """
    try:
        return render_page(templates, page, house, **facts)
    except TemplateFault:
        return ""


def render_page(templates: Templates, page: str, house: House, **facts: Any) -> str:
    """A page source (`page/digest`) with its facts; its first line is the title. Raises TemplateFault."""
    _, body = templates.render("page", page, text_facts(house, **facts))
    return body
