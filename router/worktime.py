"""Working time: when a span of it ends, how much of it has passed, and how people say so.

Job: PROTOCOL.md "Time". A `Span` is a duration as somebody configured it ("1 working day", "30 seconds"); a `Calendar`
knows the collective's zone, working days, hours and public holidays, and counts in them.
Core: no I/O, no clock, no logging. Imports no other room; the only module that imports `holidays`.

Invariants
- Moments go in aware and come out aware UTC. The collective's zone appears only inside and in `say`.
- A working day is a day on the wall clock: Friday 15:00 and one working day is Monday 15:00, whatever the clocks did
  in between. Working hours, minutes and seconds are counted as they pass while people work.
- A count that begins outside working hours begins with the next one: Saturday's mail and one working day is Tuesday's
  first working hour. Four working hours from 13:00 end at the close of that day, not with the next morning.
- `between(a, add(a, span)) == length(span)` for every working span; both only ever grow.
- Plain spans and timedeltas are plain time: no calendar, no holidays.

Leaves out: half days and different hours on different days. A day counts or it does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

import holidays

UNITS: Mapping[str, timedelta] = MappingProxyType(
    {
        "second": timedelta(seconds=1),
        "minute": timedelta(minutes=1),
        "hour": timedelta(hours=1),
        "day": timedelta(days=1),
        "week": timedelta(weeks=1),
    }
)
WORKING_UNITS = ("second", "minute", "hour", "day")
ONE_DAY = timedelta(days=1)
NOTHING = timedelta(0)

# Beyond the public holidays of a country: days on which nearly nobody there works although no law says so. Countries
# with a `de_facto` category (SE: Midsummer's, Christmas and New Year's Eve) need no row. A row takes the library's
# `optional` days except those named, on which most people do work.
OPTIONAL_BUT_WORKED: Mapping[str, frozenset[tuple[int, int]]] = MappingProxyType(
    {
        "DK": frozenset({(5, 1)}),
        "PT": frozenset({(6, 13), (12, 26), (12, 31)}),
    }
)
# Where the days that all regions share leave out most bank holidays, the region in which most people live stands in.
USUAL_SUBDIVISION: Mapping[str, str] = MappingProxyType({"GB": "ENG"})


@dataclass(frozen=True, slots=True)
class Span:
    """A duration as configured: so many of a unit, in working time or plain time. False when it is no time at all."""

    amount: int
    unit: str
    working: bool = False

    def __post_init__(self) -> None:
        if self.amount < 0 or self.unit not in (WORKING_UNITS if self.working else UNITS):
            raise ValueError(f"there is no span of {self.amount} {'working ' * self.working}{self.unit}s")

    def __bool__(self) -> bool:
        return self.amount > 0

    def __str__(self) -> str:
        """What `parse_span` reads back as the same span."""
        return f"{self.amount} {'working ' * self.working}{self.unit}{'s' * (self.amount != 1)}"

    @property
    def plain(self) -> timedelta:
        """The time of a plain span; ValueError for a working span, whose time only a `Calendar` knows."""
        if self.working and self:
            raise ValueError(f'"{self}" is working time; Calendar.add and Calendar.length know how long that is')
        return self.amount * UNITS[self.unit]


SPAN = re.compile(r"\s*(\d{1,6})\s+(working\s+)?([a-z]+?)s?\s*", re.IGNORECASE | re.ASCII)


def parse_span(text: str) -> Span:
    """Read "1 working day", "4 working hours", "30 seconds", "90 days" or "0"; ValueError with one clear sentence."""
    if text.strip() == "0":
        return Span(0, "second")
    found = SPAN.fullmatch(text)
    if not found:
        raise ValueError(f'"{text}" is no duration; write it as "1 working day", "4 working hours" or "30 seconds"')
    amount, working, unit = int(found[1]), bool(found[2]), found[3].lower()
    if unit not in (WORKING_UNITS if working else UNITS):
        plain, worked = (", ".join(f"{name}s" for name in names) for names in (UNITS, WORKING_UNITS))
        raise ValueError(f'"{text}" is no duration: the unit must be one of {plain}, or of working {worked}')
    return Span(amount, unit, working)


@lru_cache(maxsize=256)
def public_holidays(country: str, subdivision: str, year: int) -> frozenset[date]:
    """The days of that year on which that country does not work; none without a country.

    Raises ValueError for a country or subdivision that `known_countries` does not name.
    """
    if not country:
        return frozenset()
    region = subdivision or USUAL_SUBDIVISION.get(country) or None
    try:
        offered = holidays.country_holidays(country, region).supported_categories
    except NotImplementedError:
        raise ValueError(f"the public holidays of {' '.join((country, subdivision)).strip()} are not known") from None
    categories = tuple(name for name in ("public", "de_facto") if name in offered)
    days = frozenset(holidays.country_holidays(country, region, year, expand=False, categories=categories))
    if country in OPTIONAL_BUT_WORKED:
        optional = holidays.country_holidays(country, region, year, expand=False, categories=("optional",))
        days |= {day for day in optional if (day.month, day.day) not in OPTIONAL_BUT_WORKED[country]}
    return days


@lru_cache(maxsize=1)
def known_countries() -> Mapping[str, tuple[str, ...]]:
    """Two-letter country codes whose holidays are known, each with the codes of its subdivisions."""
    listed = holidays.list_supported_countries(include_aliases=False)
    return MappingProxyType({code: tuple(regions) for code, regions in listed.items() if len(code) == 2})


@dataclass(frozen=True, slots=True)
class Calendar:
    """When the collective works. `days` are weekdays with Monday 0; an `end` of 00:00 is midnight at the day's end.

    Raises ValueError for hours that hold no working time, and for a zone or country that nobody knows.
    """

    timezone: str = "UTC"
    days: frozenset[int] = frozenset({0, 1, 2, 3, 4})
    start: time = time(9)
    end: time = time(17)
    country: str = ""
    subdivision: str = ""
    closed: frozenset[date] = frozenset()
    show_zone: bool = False  # times for people name the zone: the collective spans several
    zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "days", frozenset(self.days))
        object.__setattr__(self, "closed", frozenset(self.closed))
        if not self.days or not self.days <= set(range(7)):
            raise ValueError("no day of the week is a working day, so no working time would ever pass")
        if self.day_length <= NOTHING:
            raise ValueError(f"the working day ends ({self.end:%H:%M}) before it starts ({self.start:%H:%M})")
        public_holidays(self.country, self.subdivision, 2024)  # an unknown country fails here, not at the first mail
        try:
            object.__setattr__(self, "zone", ZoneInfo(self.timezone))
        except (OSError, ValueError, KeyError):
            raise ValueError(f'"{self.timezone}" is no time zone that this machine knows') from None

    @property
    def day_length(self) -> timedelta:
        """The working time of one working day."""
        minutes = (self.end.hour * 60 + self.end.minute or 24 * 60) - (self.start.hour * 60 + self.start.minute)
        return timedelta(minutes=minutes)

    def works_on(self, day: date) -> bool:
        """Whether that date, in the collective's zone, is a working day."""
        return (
            day.weekday() in self.days
            and day not in self.closed
            and day not in public_holidays(self.country, self.subdivision, day.year)
        )

    def is_working(self, moment: datetime) -> bool:
        """Whether people work at that moment. The working day's last instant no longer counts."""
        day = moment.astimezone(self.zone).date()
        return self.works_on(day) and self._opens(day) <= moment < self._closes(day)

    def next_working(self, moment: datetime) -> datetime:
        """The moment itself when people work then, else the next opening."""
        moment = moment.astimezone(UTC)
        day = moment.astimezone(self.zone).date()
        if self.works_on(day) and moment < self._closes(day):
            return max(moment, self._opens(day))
        return self._opens(self._following(day))

    def add(self, moment: datetime, span: Span | timedelta) -> datetime:
        """When `span` has passed since `moment` (PROTOCOL "Time"). A timedelta is plain time; see `advance`."""
        if isinstance(span, timedelta):
            return moment.astimezone(UTC) + span
        if not span.working or not span:
            return moment.astimezone(UTC) + span.plain
        if span.unit == "day":
            return self._add_days(moment, span.amount)
        return self.advance(moment, span.amount * UNITS[span.unit])

    def advance(self, moment: datetime, worked: timedelta) -> datetime:
        """When `worked` of working time has passed since `moment`: what is left on a clock that stood, say."""
        moment = moment.astimezone(UTC)
        if worked <= NOTHING:
            return moment
        for opens, closes in self._from(moment):
            begins = max(moment, opens)
            if closes - begins >= worked:
                return begins + worked
            worked -= closes - begins
        raise AssertionError("unreachable: working days never end")

    def between(self, a: datetime, b: datetime) -> timedelta:
        """The working time that passes from `a` to `b`; negative when `b` is the earlier."""
        a, b = a.astimezone(UTC), b.astimezone(UTC)
        if b < a:
            return -self.between(b, a)
        passed = NOTHING
        for opens, closes in self._from(a):
            if opens >= b:
                break
            passed += min(closes, b) - max(opens, a)
        return passed

    def back(self, moment: datetime, span: Span) -> datetime:
        """The latest moment since which `span` has passed at `moment`: since when "the last 2 working days" run."""
        moment = moment.astimezone(UTC)
        if not span.working or not span:
            return moment - span.plain
        worked, day = self.length(span), moment.astimezone(self.zone).date()
        while True:
            if self.works_on(day):
                ends = min(moment, self._closes(day))
                worked -= max(ends - self._opens(day), NOTHING)
                if worked <= NOTHING:
                    return self._opens(day) - worked
            day -= ONE_DAY

    def length(self, span: Span) -> timedelta:
        """The working time of a working span, the time of a plain one."""
        if span.working and span.unit == "day":
            return span.amount * self.day_length
        return span.amount * UNITS[span.unit]

    def say(self, moment: datetime, language: str, now: datetime, zone: bool | None = None) -> str:
        """The moment for people, seen from `now`: "today (Monday) 16:30", "Tuesday 14:00", "Tuesday 3 March 14:00".

        `language` is a tag such as "sv" or "pt-BR"; English where we have no words. With `zone`, or by the
        calendar's own choice, the zone follows.
        """
        local = moment.astimezone(self.zone)
        ahead = (local.date() - now.astimezone(self.zone).date()).days
        said = _say_time(_words(language), local, ahead)
        if not (self.show_zone if zone is None else zone):
            return said
        name = local.tzname() or ""
        return f"{said} ({name if name[:1].isalpha() else f'UTC{name}'})"

    def say_age(self, worked: timedelta, language: str = "en") -> str:
        """Working time for people: "40 working seconds", "3 working hours", "1 working day 4 hours"; rounded down."""
        worked = max(worked, NOTHING)
        days, rest = divmod(worked, self.day_length)
        hours = rest // UNITS["hour"]
        if not days and not hours:
            unit = "minute" if not rest or rest >= UNITS["minute"] else "second"
            return say_span(Span(rest // UNITS[unit], unit, working=True), language)
        said = [Span(days, "day", True)] if days else []
        if hours and days < 3:
            said.append(Span(hours, "hour", working=not days))
        return " ".join(say_span(span, language) for span in said)

    def _opens(self, day: date) -> datetime:
        return datetime.combine(day, self.start, self.zone).astimezone(UTC)

    def _closes(self, day: date) -> datetime:
        day = day if self.end.hour or self.end.minute else day + ONE_DAY
        return datetime.combine(day, self.end, self.zone).astimezone(UTC)

    def _following(self, day: date) -> date:
        """The first working day after `day`. It always comes: weekdays recur, closed dates and holidays are few."""
        day += ONE_DAY
        while not self.works_on(day):
            day += ONE_DAY
        return day

    def _from(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Working hours without end, the first being those that are under way at `moment` or open next."""
        day = moment.astimezone(self.zone).date()
        if not self.works_on(day) or self._closes(day) <= moment:
            day = self._following(day)
        while True:
            yield self._opens(day), self._closes(day)
            day = self._following(day)

    def _add_days(self, moment: datetime, days: int) -> datetime:
        """The same wall clock, so many working days on; a clock that jumps over it counts as just after the jump."""
        local = self.next_working(moment).astimezone(self.zone)
        day = local.date()
        for _ in range(days):
            day = self._following(day)
        return datetime.combine(day, local.time(), self.zone).replace(fold=local.fold).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class _Words:
    """How one language says moments and spans. `units` holds plural forms: "one|many" or, in Polish, "one|few|many"."""

    today: str
    days: tuple[str, ...]
    months: tuple[str, ...]
    at: str  # "{day}" is a weekday, "{time}" the time
    on: str  # the same with "{date}" after the weekday
    date: str
    year: str
    units: Mapping[str, str]
    working: Mapping[str, str]
    clock: str = "%H:%M"
    first: str = "1"  # the first of a month


def _say_time(words: _Words, local: datetime, ahead: int) -> str:
    """`ahead` is the number of calendar days from now; a weekday alone always means the coming one.

    Never "tomorrow", and "today" only with its weekday: a mail that is opened a day late still says the same day.
    """
    clock, weekday = local.strftime(words.clock), words.days[local.weekday()]
    if ahead == 0:
        return words.at.format(day=f"{words.today} ({weekday.removeprefix('el ')})", time=clock)
    if 0 < ahead <= 6:
        return words.at.format(day=weekday, time=clock)
    day = words.date.format(day=local.day if local.day > 1 else words.first, month=words.months[local.month - 1])
    if abs(ahead) > 180:  # "Tuesday 3 March" would be read as the nearest one
        day = words.year.format(date=day, year=local.year)
    return words.on.format(day=words.days[local.weekday()], date=day, time=clock)


def say_span(span: Span | timedelta, language: str) -> str:
    """A duration for people: "1 working day", "2 hours 30 minutes". A timedelta is plain time, cut to two units."""
    words = _words(language)
    if isinstance(span, Span):
        return _count(words, span.amount, span.unit, span.working)
    left, said = max(span, NOTHING), []
    for unit in ("day", "hour", "minute", "second"):
        amount, left = divmod(left, UNITS[unit])
        if amount:
            said.append(_count(words, amount, unit, False))
    return " ".join(said[:2]) or _count(words, 0, "second", False)


def _count(words: _Words, amount: int, unit: str, working: bool) -> str:
    forms = (words.working if working else words.units)[unit].split("|")
    if amount == 1:
        form = forms[0]
    elif len(forms) == 3 and amount % 10 in (2, 3, 4) and amount % 100 not in (12, 13, 14):
        form = forms[1]
    else:
        form = forms[-1]
    return f"{amount} {form}"


def _words(language: str) -> _Words:
    """The words of a language tag: "pt-BR" reads as "pt", "nb" and "nn" as "no", the unknown as "en"."""
    code = re.split("[-_]", language.lower())[0]
    return WORDS.get({"nb": "no", "nn": "no"}.get(code, code)) or WORDS["en"]


def _units(second: str, minute: str, hour: str, day: str, week: str) -> Mapping[str, str]:
    return MappingProxyType({"second": second, "minute": minute, "hour": hour, "day": day, "week": week})


def _working(hour: str, day: str, minute: str, second: str) -> Mapping[str, str]:
    return MappingProxyType({"hour": hour, "day": day, "minute": minute, "second": second})


# fmt: off
WORDS: Mapping[str, _Words] = MappingProxyType({
    "en": _Words(
        "today",
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        ("January", "February", "March", "April", "May", "June",
         "July", "August", "September", "October", "November", "December"),
        at="{day} {time}", on="{day} {date} {time}", date="{day} {month}", year="{date} {year}",
        units=_units("second|seconds", "minute|minutes", "hour|hours", "day|days", "week|weeks"),
        working=_working("working hour|working hours", "working day|working days",
                         "working minute|working minutes", "working second|working seconds"),
    ),
    "sv": _Words(
        "i dag",
        ("måndag", "tisdag", "onsdag", "torsdag", "fredag", "lördag", "söndag"),
        ("januari", "februari", "mars", "april", "maj", "juni",
         "juli", "augusti", "september", "oktober", "november", "december"),
        at="{day} kl. {time}", on="{day} {date} kl. {time}", date="{day} {month}", year="{date} {year}",
        units=_units("sekund|sekunder", "minut|minuter", "timme|timmar", "dag|dagar", "vecka|veckor"),
        working=_working("arbetstimme|arbetstimmar", "arbetsdag|arbetsdagar",
                         "arbetsminut|arbetsminuter", "arbetssekund|arbetssekunder"),
        clock="%H.%M",
    ),
    "de": _Words(
        "heute",
        ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
        ("Januar", "Februar", "März", "April", "Mai", "Juni",
         "Juli", "August", "September", "Oktober", "November", "Dezember"),
        at="{day}, {time} Uhr", on="{day}, {date}, {time} Uhr", date="{day}. {month}", year="{date} {year}",
        units=_units("Sekunde|Sekunden", "Minute|Minuten", "Stunde|Stunden", "Tag|Tage", "Woche|Wochen"),
        working=_working("Arbeitsstunde|Arbeitsstunden", "Arbeitstag|Arbeitstage",
                         "Arbeitsminute|Arbeitsminuten", "Arbeitssekunde|Arbeitssekunden"),
    ),
    "fr": _Words(
        "aujourd’hui",
        ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
        ("janvier", "février", "mars", "avril", "mai", "juin",
         "juillet", "août", "septembre", "octobre", "novembre", "décembre"),
        at="{day} à {time}", on="{day} {date} à {time}", date="{day} {month}", year="{date} {year}",
        units=_units("seconde|secondes", "minute|minutes", "heure|heures", "jour|jours", "semaine|semaines"),
        working=_working("heure ouvrée|heures ouvrées", "jour ouvré|jours ouvrés",
                         "minute ouvrée|minutes ouvrées", "seconde ouvrée|secondes ouvrées"),
        clock="%Hh%M", first="1er",
    ),
    "es": _Words(
        "hoy",
        ("el lunes", "el martes", "el miércoles", "el jueves", "el viernes", "el sábado", "el domingo"),
        ("enero", "febrero", "marzo", "abril", "mayo", "junio",
         "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"),
        at="{day} a las {time}", on="{day} {date} a las {time}", date="{day} de {month}", year="{date} de {year}",
        units=_units("segundo|segundos", "minuto|minutos", "hora|horas", "día|días", "semana|semanas"),
        working=_working("hora laborable|horas laborables", "día laborable|días laborables",
                         "minuto laborable|minutos laborables", "segundo laborable|segundos laborables"),
    ),
    "nl": _Words(
        "vandaag",
        ("maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"),
        ("januari", "februari", "maart", "april", "mei", "juni",
         "juli", "augustus", "september", "oktober", "november", "december"),
        at="{day} {time} uur", on="{day} {date} {time} uur", date="{day} {month}", year="{date} {year}",
        units=_units("seconde|seconden", "minuut|minuten", "uur|uur", "dag|dagen", "week|weken"),
        working=_working("werkuur|werkuren", "werkdag|werkdagen", "werkminuut|werkminuten", "werkseconde|werkseconden"),
    ),
    "da": _Words(
        "i dag",
        ("mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag"),
        ("januar", "februar", "marts", "april", "maj", "juni",
         "juli", "august", "september", "oktober", "november", "december"),
        at="{day} kl. {time}", on="{day} den {date} kl. {time}", date="{day}. {month}", year="{date} {year}",
        units=_units("sekund|sekunder", "minut|minutter", "time|timer", "dag|dage", "uge|uger"),
        working=_working("arbejdstime|arbejdstimer", "arbejdsdag|arbejdsdage",
                         "arbejdsminut|arbejdsminutter", "arbejdssekund|arbejdssekunder"),
        clock="%H.%M",
    ),
    "no": _Words(
        "i dag",
        ("mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag"),
        ("januar", "februar", "mars", "april", "mai", "juni",
         "juli", "august", "september", "oktober", "november", "desember"),
        at="{day} kl. {time}", on="{day} {date} kl. {time}", date="{day}. {month}", year="{date} {year}",
        units=_units("sekund|sekunder", "minutt|minutter", "time|timer", "dag|dager", "uke|uker"),
        working=_working("arbeidstime|arbeidstimer", "arbeidsdag|arbeidsdager",
                         "arbeidsminutt|arbeidsminutter", "arbeidssekund|arbeidssekunder"),
        clock="%H.%M",
    ),
    "fi": _Words(  # weekdays and months in the case of "on"; a number other than one takes the partitive
        "tänään",
        ("maanantaina", "tiistaina", "keskiviikkona", "torstaina", "perjantaina", "lauantaina", "sunnuntaina"),
        ("tammikuuta", "helmikuuta", "maaliskuuta", "huhtikuuta", "toukokuuta", "kesäkuuta",
         "heinäkuuta", "elokuuta", "syyskuuta", "lokakuuta", "marraskuuta", "joulukuuta"),
        at="{day} klo {time}", on="{day} {date} klo {time}", date="{day}. {month}", year="{date} {year}",
        units=_units("sekunti|sekuntia", "minuutti|minuuttia", "tunti|tuntia", "päivä|päivää", "viikko|viikkoa"),
        working=_working("työtunti|työtuntia", "työpäivä|työpäivää",
                         "työminuutti|työminuuttia", "työsekunti|työsekuntia"),
        clock="%H.%M",
    ),
    "it": _Words(
        "oggi",
        ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica"),
        ("gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno",
         "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre"),
        at="{day} alle {time}", on="{day} {date} alle {time}", date="{day} {month}", year="{date} {year}",
        units=_units("secondo|secondi", "minuto|minuti", "ora|ore", "giorno|giorni", "settimana|settimane"),
        working=_working("ora lavorativa|ore lavorative", "giorno lavorativo|giorni lavorativi",
                         "minuto lavorativo|minuti lavorativi", "secondo lavorativo|secondi lavorativi"),
    ),
    "pt": _Words(
        "hoje",
        ("segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo"),
        ("janeiro", "fevereiro", "março", "abril", "maio", "junho",
         "julho", "agosto", "setembro", "outubro", "novembro", "dezembro"),
        at="{day} às {time}", on="{day}, {date}, às {time}", date="{day} de {month}", year="{date} de {year}",
        units=_units("segundo|segundos", "minuto|minutos", "hora|horas", "dia|dias", "semana|semanas"),
        working=_working("hora útil|horas úteis", "dia útil|dias úteis", "minuto útil|minutos úteis",
                         "segundo útil|segundos úteis"),
    ),
    "pl": _Words(
        "dziś",
        ("w poniedziałek", "we wtorek", "w środę", "w czwartek", "w piątek", "w sobotę", "w niedzielę"),
        ("stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca",
         "lipca", "sierpnia", "września", "października", "listopada", "grudnia"),
        at="{day} o {time}", on="{day} {date} o {time}", date="{day} {month}", year="{date} {year}",
        units=_units("sekunda|sekundy|sekund", "minuta|minuty|minut", "godzina|godziny|godzin", "dzień|dni|dni",
                     "tydzień|tygodnie|tygodni"),
        working=_working("godzina robocza|godziny robocze|godzin roboczych", "dzień roboczy|dni robocze|dni roboczych",
                         "minuta robocza|minuty robocze|minut roboczych",
                         "sekunda robocza|sekundy robocze|sekund roboczych"),
    ),
})
# fmt: on
