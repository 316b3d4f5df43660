"""The business developer's report: what was asked for, what nobody could serve, who has been here before.

Job: sum the leads of some months up into values, as rows for a spreadsheet, as plain JSON, and as the month's mail. The
words stand in templates (`<lang>/report.txt`, `report.html`). Core: pure; leads come from whoever answers `Books`.

Invariants: no fee and no money; consultants appear only as those who know a client, in the order of their names.
Companies are told by the domain of an address; people at providers of free mail stand for themselves. Erased clients
are counted and not named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from router.arrivals import FREE_MAIL
from router.compose import Templates
from router.decision import Decision
from router.digest import (
    Books,
    Digest,
    Times,
    brief,
    first_word_at,
    page_or_none,
    reading_language,
    render_page,
    sum_up,
    text_facts,
)
from router.house import House
from router.lead import ENDED, Lead, Status, stamp
from router.marks import clean_line, to_text
from router.shown import show_lead
from router.turn import Mail, World

MONTHS = 12
UNSERVED, CLIENTS, SKILLS = 40, 40, 40  # rows at most
DRY_WORDS = frozenset({"dry", "last call"})


@dataclass(frozen=True, slots=True)
class Month:
    """What came in in one month, and what became of it since."""

    month: str  # "2026-03"
    came: int
    offered: int
    dry: int  # of these, those that went dry at some time
    eaten: int
    lost: int
    withdrawn: int
    thrown: int
    cookie: int
    open: int
    first_word: Times
    to_owner: Times

    @property
    def ended(self) -> int:
        return self.eaten + self.lost + self.withdrawn + self.thrown + self.cookie


@dataclass(frozen=True, slots=True)
class Demand:
    """How often a skill was asked for. `skill` is "" for requests that name none of the roster's."""

    skill: str
    total: int
    served: int  # taken or eaten
    thrown: int  # thrown away because nobody could
    by_month: tuple[int, ...]
    trend: str = ""  # the same as a line of blocks, one a month


@dataclass(frozen=True, slots=True)
class Unserved:
    """A request that was thrown away, and why."""

    tag: str
    subject: str
    company: str
    skills: tuple[str, ...]
    why: str
    ended: date


@dataclass(frozen=True, slots=True)
class Client:
    """A company, or a person with free mail, that has asked more than once, and the colleagues who know it."""

    company: str
    requests: int
    people: int
    by: tuple[str, ...]
    first: date
    last: date
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    source: str
    total: int
    eaten: int


@dataclass(frozen=True, slots=True)
class Report:
    language: str
    since: date
    until: date  # the last day
    total: int
    months: tuple[Month, ...]
    demand: tuple[Demand, ...]
    unserved: tuple[Unserved, ...]
    clients: tuple[Client, ...]
    sources: tuple[Source, ...]


# -- summing up ------------------------------------------------------------------------------------------------------


def report(
    house: House, store: Books, world: World, until: datetime, language: str = "", months: int = MONTHS
) -> Report:
    """The requests of the `months` months that end with the one of `until` (or just before it, at its first moment)."""
    language = language or house.languages[0]
    zone = house.calendar.zone
    last = (until - timedelta(microseconds=1)).astimezone(zone).date()
    names = _month_names(last, months)
    since = date.fromisoformat(f"{names[0]}-01")
    leads, known = _scan(store, house, since, until)
    by_month: dict[str, list[Lead]] = {name: [] for name in names}
    for lead in leads:
        by_month[_month_of(lead, house)].append(lead)
    return Report(
        language=language,
        since=since,
        until=last,
        total=len(leads),
        months=tuple(_month(name, by_month[name], world, language) for name in names),
        demand=_demand(leads, names, house),
        unserved=_unserved(leads, world, house, language),
        clients=_clients(leads, known, world, house),
        sources=_sources(leads),
    )


def _month_names(last: date, months: int) -> tuple[str, ...]:
    first = last.year * 12 + last.month - months
    return tuple(f"{(first + step) // 12}-{(first + step) % 12 + 1:02d}" for step in range(months))


def _month_of(lead: Lead, house: House) -> str:
    return f"{lead.opened.astimezone(house.calendar.zone):%Y-%m}"


@dataclass(slots=True)
class _Known:
    """All that is ever known of one client, gathered lead by lead."""

    numbers: list[int]
    addresses: set[str]
    owners: set[str]
    first: datetime
    last: datetime


def _scan(store: Books, house: House, since: date, until: datetime) -> tuple[list[Lead], dict[str, _Known]]:
    """One walk over all leads: those that came in in time, and who has ever asked."""
    leads, known = [], dict[str, _Known]()
    for lead in store.leads():
        if lead.opened >= until:
            continue
        if lead.opened.astimezone(house.calendar.zone).date() >= since:
            leads.append(brief(lead))
        company = company_of(lead.client)
        if not company:
            continue
        seen = known.setdefault(company, _Known([], set(), set(), lead.opened, lead.opened))
        seen.numbers.append(lead.id)
        seen.addresses.add(lead.client)
        seen.owners.update(lead.team if lead.taken_at else ())
        seen.first, seen.last = min(seen.first, lead.opened), max(seen.last, lead.opened)
    return leads, known


def company_of(address: str) -> str:
    """The domain of an address; the address itself at a provider of free mail; "" where there is none."""
    domain = address.rpartition("@")[2].lower()
    if "@" not in address:
        return ""
    return address.lower() if domain in FREE_MAIL else domain


def _month(name: str, leads: Sequence[Lead], world: World, language: str) -> Month:
    ends = Counter(ended_as(lead) for lead in leads)
    offered = [lead for lead in leads if lead.offered_at is not None]

    def times(when: Any) -> Times:
        moments = ((lead.opened, when(lead)) for lead in leads)
        return sum_up([world.calendar.between(opened, at) for opened, at in moments if at], world, language)

    return Month(
        month=name,
        came=len(leads),
        offered=len(offered),
        dry=sum(went_dry(lead) for lead in offered),
        eaten=ends["eaten"],
        lost=ends["lost"],
        withdrawn=ends["withdrawn"],
        thrown=ends["thrown"] + ends["dry"],
        cookie=ends["cookie"],
        open=sum(lead.is_open for lead in leads),
        first_word=times(first_word_at),
        to_owner=times(lambda lead: lead.taken_at),
    )


def ended_as(lead: Lead) -> str:
    """eaten, cookie, lost, withdrawn, dry (nobody asked for it), thrown (a person said no); "" while it is open."""
    if lead.status == Status.THROWN:
        return lead.ended_as if lead.ended_as in ("lost", "withdrawn", "dry") else "thrown"
    return str(lead.status) if lead.status in ENDED else ""


def went_dry(lead: Lead) -> bool:
    return lead.stage in ("dry", "last-call") or any(event.what in DRY_WORDS for event in lead.events)


def _is_unserved(lead: Lead) -> bool:
    """Demand that nobody could serve: thrown away by a person or by the last call, and never taken by anybody."""
    return ended_as(lead) in ("thrown", "dry") and lead.taken_at is None


def _demand(leads: Sequence[Lead], names: Sequence[str], house: House) -> tuple[Demand, ...]:
    found: dict[str, list[Lead]] = {}
    for lead in leads:
        for skill in lead.skills or ("",):
            found.setdefault(clean_line(skill), []).append(lead)
    rows = []
    for skill, asked in found.items():
        months = Counter(_month_of(lead, house) for lead in asked)
        served = sum(lead.taken_at is not None or lead.status == Status.EATEN for lead in asked)
        thrown = sum(map(_is_unserved, asked))
        by_month = tuple(months[name] for name in names)
        rows.append(Demand(skill, len(asked), served, thrown, by_month, blocks(by_month)))
    return tuple(sorted(rows, key=lambda row: (not row.skill, -row.total, row.skill))[:SKILLS])


BLOCKS = "▁▂▃▄▅▆▇█"


def blocks(counts: Sequence[int]) -> str:
    """Counts as a line of blocks, the largest the highest; the lowest where there was nothing."""
    most, steps = max(counts, default=0) or 1, len(BLOCKS) - 1
    return "".join(BLOCKS[-(-count * steps // most)] for count in counts)


def _unserved(leads: Iterable[Lead], world: World, house: House, language: str) -> tuple[Unserved, ...]:
    """The latest first."""
    thrown = [lead for lead in leads if _is_unserved(lead) and lead.ended_at]
    thrown.sort(key=lambda lead: (lead.ended_at, lead.id), reverse=True)
    out = []
    for lead in thrown[:UNSERVED]:
        shown = show_lead(lead, world, house, language, withheld=True)
        ended = (lead.ended_at or lead.opened).astimezone(house.calendar.zone).date()
        out.append(Unserved(shown.tag, shown.subject, shown.company, shown.skills, ended_as(lead), ended))
    return tuple(out)


def _clients(leads: Iterable[Lead], known: dict[str, _Known], world: World, house: House) -> tuple[Client, ...]:
    """Those of this time's clients who had asked before, the most recent first."""
    companies = dict.fromkeys(company_of(lead.client) for lead in leads)
    found = [(company, known[company]) for company in companies if company and len(known[company].numbers) > 1]
    found.sort(key=lambda pair: pair[1].last, reverse=True)

    def day(moment: datetime) -> date:
        return moment.astimezone(house.calendar.zone).date()

    return tuple(
        Client(
            clean_line(company, 100),
            len(seen.numbers),
            len(seen.addresses),
            tuple(sorted(clean_line(name) for name in world.names(seen.owners))),
            day(seen.first),
            day(seen.last),
            tuple(sorted(seen.numbers)),
        )
        for company, seen in found[:CLIENTS]
    )


def _sources(leads: Iterable[Lead]) -> tuple[Source, ...]:
    total: Counter[str] = Counter()
    eaten: Counter[str] = Counter()
    for lead in leads:
        source = {"request": "mail", "post": "forward"}.get(lead.source, lead.source)
        total[source] += 1
        eaten[source] += lead.status == Status.EATEN
    return tuple(Source(name, count, eaten[name]) for name, count in total.most_common())


# -- forms -----------------------------------------------------------------------------------------------------------


def guard_cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula (a leading quote stops it), on one line, without controls."""
    text = clean_line(value, 32_000)
    plain_number = text.lstrip("-").replace(".", "", 1).isdigit()
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") and not plain_number else text


CSV_COLUMNS = ("section", "name", "month", "figure", "value")


def csv_rows(of: Report) -> Iterator[tuple[str, ...]]:
    """The report as one long table with a header: section, name, month, figure, value (docs/export.md)."""
    yield CSV_COLUMNS
    for row in _plain_rows(of):
        yield tuple(guard_cell(value) for value in row)


def _plain_rows(of: Report) -> Iterator[tuple[object, ...]]:
    for month in of.months:
        for figure in ("came", "offered", "dry", "eaten", "lost", "withdrawn", "thrown", "cookie", "open"):
            yield "months", "", month.month, figure, getattr(month, figure)
        for figure, times in (("first_word", month.first_word), ("to_owner", month.to_owner)):
            yield "months", "", month.month, f"{figure}_count", times.count
            yield "months", "", month.month, f"{figure}_median", times.median
            yield "months", "", month.month, f"{figure}_p90", times.p90
    for each in of.demand:
        for month, count in zip(of.months, each.by_month, strict=True):
            yield "demand", each.skill or "(none named)", month.month, "asked", count
        yield "demand", each.skill or "(none named)", "", "served", each.served
        yield "demand", each.skill or "(none named)", "", "unserved", each.thrown
    for thrown in of.unserved:
        yield "unserved", thrown.tag, f"{thrown.ended:%Y-%m}", thrown.why, thrown.subject
    for client in of.clients:
        yield "clients", client.company, "", "requests", client.requests
        yield "clients", client.company, "", "people", client.people
        yield "clients", client.company, "", "known_by", ", ".join(client.by)
        yield "clients", client.company, f"{client.last:%Y-%m}", "last", client.last.isoformat()
    for source in of.sources:
        yield "sources", source.source, "", "requests", source.total
        yield "sources", source.source, "", "eaten", source.eaten


def plain_json(of: Report | Digest) -> dict[str, Any]:
    """A report or a digest as plain JSON, for printing only. Dates are ISO 8601."""
    plain: dict[str, Any] = _plain(asdict(of))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def report_text(of: Report, house: House, templates: Templates) -> str:
    """The report as its mail says it, for a terminal."""
    _, marked = templates.render(of.language, "report", text_facts(house, report=of))
    return to_text(marked, of.language)


def report_html(of: Report, house: House, templates: Templates) -> str:
    """The report as one HTML page; `templates` holds the page sources ("page/report")."""
    return render_page(templates, "report", house, report=of)


def monthly_mail(
    house: House, store: Books, world: World, moment: datetime, templates: Templates | None = None, to: str = ""
) -> Decision:
    """The report of the months before this one, to the business developer, else the keeper, else the list."""
    local = moment.astimezone(house.calendar.zone)
    until = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    key = next((key for key in (house.business_developer, world.keeper) if key in world.people), "")
    language = reading_language(world.people[key].language if key and not to else "", house)
    found = report(house, store, world, until, language)
    facts: dict[str, Any] = {"report": found, "slot": moment.isoformat()}
    if templates is not None:
        facts["html"] = page_or_none(templates, "report", house, report=found)
    mail = Mail("report", to or (f"@{key}" if key else "list"), facts)
    return Decision("report", f"the report on {found.total} requests", mails=((mail, None),))
