"""Working time: PROTOCOL.md "Time" by example, and its laws over every calendar that hypothesis can think of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.worktime import WORDS, Calendar, Span, known_countries, parse_span, public_holidays, say_span

STOCKHOLM = Calendar("Europe/Stockholm", country="SE")
ALWAYS = Calendar("Europe/Stockholm", days=frozenset(range(7)), start=time(0), end=time(0))
HOUR = timedelta(hours=1)


def at(calendar: Calendar, text: str) -> datetime:
    """A moment on that calendar's wall clock, "2027-03-05 15:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=calendar.zone)


def wall(calendar: Calendar, moment: datetime) -> str:
    assert moment.tzinfo is UTC
    return moment.astimezone(calendar.zone).strftime("%a %Y-%m-%d %H:%M")


# --- spans ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1 working day", Span(1, "day", working=True)),
        ("4 working hours", Span(4, "hour", working=True)),
        ("30 seconds", Span(30, "second")),
        ("  2  Working  Days ", Span(2, "day", working=True)),
        ("15 minutes", Span(15, "minute")),
        ("90 days", Span(90, "day")),
        ("1 week", Span(1, "week")),
        ("0", Span(0, "second")),
        ("0 working days", Span(0, "day", working=True)),
    ],
)
def test_a_span_is_read_as_people_write_it(text: str, span: Span) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize(
    "text",
    ["", "day", "1", "-1 day", "1.5 days", "one day", "1 working week", "2 fortnights", "1 day 2 hours"],
)
def test_what_is_no_span_is_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration") as caught:
        parse_span(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 150


def test_a_unit_that_is_none_is_answered_with_all_that_are() -> None:
    with pytest.raises(ValueError, match=r"seconds, minutes, hours, days, weeks, or of working seconds, .*, days"):
        parse_span("1 workday")


units = st.sampled_from(["second", "minute", "hour", "day"])
spans = st.builds(Span, st.integers(0, 999_999), units, st.booleans())


@given(spans)
def test_a_span_written_out_reads_back_as_itself(span: Span) -> None:
    assert parse_span(str(span)) == span
    assert bool(span) == (span.amount > 0)


def test_only_a_calendar_knows_how_long_working_time_is() -> None:
    assert Span(2, "hour").plain == 2 * HOUR
    with pytest.raises(ValueError, match="working time"):
        _ = Span(2, "hour", working=True).plain
    with pytest.raises(ValueError, match="no span"):
        Span(1, "week", working=True)


# --- adding -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begins", "span", "ends"),
    [
        ("2027-02-26 15:00", "1 working day", "Mon 2027-03-01 15:00"),  # PROTOCOL: Friday 15:00 is Monday 15:00
        ("2027-02-27 12:00", "1 working day", "Tue 2027-03-02 09:00"),  # PROTOCOL: Saturday closes with Tuesday's first
        ("2027-03-01 09:00", "1 working day", "Tue 2027-03-02 09:00"),
        ("2027-03-01 08:59", "1 working day", "Tue 2027-03-02 09:00"),
        ("2027-03-01 16:59", "1 working day", "Tue 2027-03-02 16:59"),
        ("2027-03-01 17:00", "1 working day", "Wed 2027-03-03 09:00"),  # after hours counts from tomorrow
        ("2027-03-01 10:00", "2 working days", "Wed 2027-03-03 10:00"),
        ("2027-03-01 13:00", "4 working hours", "Mon 2027-03-01 17:00"),  # not tomorrow's first hour
        ("2027-03-01 13:01", "4 working hours", "Tue 2027-03-02 09:01"),
        ("2027-02-26 16:00", "20 working hours", "Wed 2027-03-03 12:00"),
        ("2027-02-27 12:00", "2 working hours", "Mon 2027-03-01 11:00"),
        ("2027-02-27 12:00", "30 minutes", "Sat 2027-02-27 12:30"),
        ("2027-02-27 12:00", "0", "Sat 2027-02-27 12:00"),
        ("2027-02-27 12:00", "0 working days", "Sat 2027-02-27 12:00"),
        ("2027-03-25 15:00", "1 working day", "Tue 2027-03-30 15:00"),  # Good Friday to Easter Monday
        ("2026-12-23 15:00", "1 working day", "Mon 2026-12-28 15:00"),  # Christmas Eve is free de facto
        ("2026-12-30 15:00", "1 working day", "Mon 2027-01-04 15:00"),  # over the end of a year
        ("2027-06-24 15:00", "1 working day", "Mon 2027-06-28 15:00"),  # Midsummer's Eve
        ("2027-03-26 15:00", "2 working days", "Thu 2027-04-01 09:00"),  # the clock changes inside a long holiday
        ("2027-10-29 15:00", "1 working day", "Mon 2027-11-01 15:00"),  # and back
    ],
)
def test_time_is_counted_as_the_protocol_says(begins: str, span: str, ends: str) -> None:
    assert wall(STOCKHOLM, STOCKHOLM.add(at(STOCKHOLM, begins), parse_span(span))) == ends


def test_the_example_windows_hold_in_any_zone() -> None:
    for zone in ("Pacific/Auckland", "America/St_Johns", "Asia/Kathmandu", "UTC"):
        calendar = Calendar(zone)
        assert wall(calendar, calendar.add(at(calendar, "2027-02-26 15:00"), parse_span("1 working day"))).endswith(
            "2027-03-01 15:00"
        )


def test_a_working_day_keeps_the_wall_clock_where_the_change_falls_into_working_hours() -> None:
    day, hours = parse_span("1 working day"), parse_span("24 working hours")
    before = at(ALWAYS, "2027-03-27 15:00")  # the night has 23 hours
    assert wall(ALWAYS, ALWAYS.add(before, day)) == "Sun 2027-03-28 15:00"
    assert wall(ALWAYS, ALWAYS.add(before, hours)) == "Sun 2027-03-28 16:00"
    before = at(ALWAYS, "2027-10-30 15:00")  # the night has 25 hours
    assert wall(ALWAYS, ALWAYS.add(before, day)) == "Sun 2027-10-31 15:00"
    assert wall(ALWAYS, ALWAYS.add(before, hours)) == "Sun 2027-10-31 14:00"
    assert wall(ALWAYS, ALWAYS.add(at(ALWAYS, "2027-03-27 02:30"), day)) == "Sun 2027-03-28 03:30"  # there is no 02:30


def test_closed_dates_are_not_worked() -> None:
    calendar = Calendar("Europe/Stockholm", closed=frozenset({date(2027, 3, 1), date(2027, 3, 2)}))
    assert wall(calendar, calendar.add(at(calendar, "2027-02-26 15:00"), parse_span("1 working day"))) == (
        "Wed 2027-03-03 15:00"
    )


def test_a_timedelta_is_plain_time_and_advance_counts_it_as_work() -> None:
    friday = at(STOCKHOLM, "2027-02-26 16:30")
    assert wall(STOCKHOLM, STOCKHOLM.add(friday, HOUR)) == "Fri 2027-02-26 17:30"
    assert wall(STOCKHOLM, STOCKHOLM.advance(friday, HOUR)) == "Mon 2027-03-01 09:30"
    assert wall(STOCKHOLM, STOCKHOLM.advance(friday, timedelta(0))) == "Fri 2027-02-26 16:30"


@pytest.mark.parametrize(
    ("moment", "span", "since"),
    [
        ("2027-03-01 15:00", "1 working day", "Fri 2027-02-26 15:00"),
        ("2027-02-27 12:00", "1 working day", "Fri 2027-02-26 09:00"),
        ("2027-03-01 08:00", "2 working hours", "Fri 2027-02-26 15:00"),
        ("2027-03-30 10:00", "2 working days", "Wed 2027-03-24 10:00"),
        ("2027-03-01 15:00", "2 days", "Sat 2027-02-27 15:00"),
    ],
)
def test_back_says_since_when_a_span_has_passed(moment: str, span: str, since: str) -> None:
    assert wall(STOCKHOLM, STOCKHOLM.back(at(STOCKHOLM, moment), parse_span(span))) == since


# --- measuring --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "hours"),
    [
        ("2027-02-26 15:00", "2027-03-01 15:00", 8),
        ("2027-02-27 12:00", "2027-03-01 10:00", 1),
        ("2027-02-27 12:00", "2027-02-28 23:00", 0),
        ("2027-03-01 07:00", "2027-03-01 23:00", 8),
        ("2027-03-01 10:00", "2027-03-01 10:30", 0.5),
        ("2027-03-25 15:00", "2027-03-30 15:00", 8),
        ("2027-03-01 15:00", "2027-02-26 15:00", -8),
    ],
)
def test_only_working_time_passes(a: str, b: str, hours: float) -> None:
    assert STOCKHOLM.between(at(STOCKHOLM, a), at(STOCKHOLM, b)) == hours * HOUR


def test_people_work_from_the_first_instant_to_before_the_last() -> None:
    working = [
        STOCKHOLM.is_working(at(STOCKHOLM, f"2027-03-01 {clock}")) for clock in ("08:59", "09:00", "16:59", "17:00")
    ]
    assert working == [False, True, True, False]
    assert not STOCKHOLM.is_working(at(STOCKHOLM, "2027-02-27 12:00"))
    assert wall(STOCKHOLM, STOCKHOLM.next_working(at(STOCKHOLM, "2027-03-26 12:00"))) == "Tue 2027-03-30 09:00"
    assert wall(STOCKHOLM, STOCKHOLM.next_working(at(STOCKHOLM, "2027-03-30 12:00"))) == "Tue 2027-03-30 12:00"


# --- laws -------------------------------------------------------------------------------------------------------------

ZONES = ["UTC", "Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]
calendars = st.builds(
    Calendar,
    timezone=st.sampled_from(ZONES),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    start=st.builds(time, st.integers(4, 11), st.sampled_from([0, 15, 30])),  # clocks change at night
    end=st.one_of(st.just(time(0)), st.builds(time, st.integers(12, 23), st.sampled_from([0, 30, 59]))),
    country=st.sampled_from(["", "SE", "DE", "US", "PL"]),
    closed=st.frozensets(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=20),
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
working_spans = st.one_of(
    st.builds(Span, st.integers(0, 12), st.just("day"), st.just(True)),
    st.builds(Span, st.integers(0, 60), st.sampled_from(["hour", "minute", "second"]), st.just(True)),
)
some = settings(max_examples=100, deadline=None)


@some
@given(calendars, moments, working_spans)
def test_what_is_added_is_what_lies_between(calendar: Calendar, moment: datetime, span: Span) -> None:
    ends = calendar.add(moment, span)
    assert ends >= moment
    assert calendar.between(moment, ends) == calendar.length(span)
    assert calendar.between(ends, moment) == -calendar.length(span)


@some
@given(calendars, moments, moments, working_spans)
def test_later_begins_never_end_earlier(calendar: Calendar, a: datetime, b: datetime, span: Span) -> None:
    a, b = sorted((a, b))
    assert calendar.add(a, span) <= calendar.add(b, span)
    assert calendar.next_working(a) <= calendar.next_working(b)


@some
@given(calendars, moments, st.integers(0, 5), st.integers(0, 5), units)
def test_two_spans_in_turn_are_their_sum(calendar: Calendar, moment: datetime, one: int, two: int, unit: str) -> None:
    in_turn = calendar.add(calendar.add(moment, Span(one, unit, True)), Span(two, unit, True))
    assert in_turn == calendar.add(moment, Span(one + two, unit, True))


@some
@given(calendars, moments, moments, moments)
def test_working_time_adds_up(calendar: Calendar, a: datetime, b: datetime, c: datetime) -> None:
    assert calendar.between(a, b) + calendar.between(b, c) == calendar.between(a, c)
    assert abs(calendar.between(a, b)) <= abs(b - a)


@some
@given(calendars, moments)
def test_the_next_working_moment_is_one_and_nothing_was_missed(calendar: Calendar, moment: datetime) -> None:
    working = calendar.next_working(moment)
    assert calendar.is_working(working)
    assert calendar.next_working(working) == working
    assert calendar.between(moment, working) == timedelta(0)
    assert (working == moment) == calendar.is_working(moment)


@some
@given(calendars, moments, working_spans)
def test_back_is_the_latest_moment_since_which_the_span_has_passed(
    calendar: Calendar, moment: datetime, span: Span
) -> None:
    since = calendar.back(moment, span)
    assert calendar.between(since, moment) == calendar.length(span)
    if span:
        assert calendar.between(since + timedelta(microseconds=1), moment) < calendar.length(span)


@some
@given(moments, working_spans)
def test_night_work_over_a_clock_change_counts_every_hour_that_passed(moment: datetime, span: Span) -> None:
    assert ALWAYS.advance(moment, ALWAYS.length(span)) == moment + ALWAYS.length(span)
    assert ALWAYS.between(moment, moment + timedelta(days=3)) == timedelta(days=3)


# --- holidays ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "free", "worked"),
    [
        ("SE", ["06-19", "12-24", "12-31", "06-06"], ["04-30", "06-18"]),  # Midsummer's Eve; not the day before it
        ("DE", ["10-03", "12-25"], ["12-24", "01-06"]),
        ("FR", ["07-14", "05-08"], ["04-03"]),
        ("ES", ["10-12", "12-08"], ["12-24"]),
        ("NL", ["04-27", "04-06"], ["05-05"]),
        ("DK", ["12-24", "12-31", "06-05", "04-02"], ["05-01"]),
        ("NO", ["05-17", "04-02"], ["12-23"]),
        ("FI", ["06-19", "12-24", "12-06"], ["02-05", "02-28", "06-04"]),  # flag days are worked
        ("IT", ["06-02", "08-15"], ["12-24"]),
        ("PT", ["02-17", "06-10", "12-24"], ["06-13", "12-31"]),  # Carnival
        ("PL", ["12-24", "06-04"], ["12-31"]),
        ("GB", ["04-06", "08-31", "12-28"], ["03-17"]),  # England's bank holidays without a subdivision
        ("US", ["11-26", "07-03"], ["04-03", "10-31"]),
    ],
)
def test_a_country_is_free_when_it_really_is(country: str, free: list[str], worked: list[str]) -> None:
    days = public_holidays(country, "", 2026)
    assert [day for day in free if date.fromisoformat(f"2026-{day}") not in days] == []
    assert [day for day in worked if date.fromisoformat(f"2026-{day}") in days] == []


def test_regions_have_holidays_of_their_own() -> None:
    epiphany = date(2026, 1, 6)
    assert Calendar(country="DE").works_on(epiphany)
    assert not Calendar(country="DE", subdivision="BY").works_on(epiphany)
    assert Calendar(country="GB", subdivision="SCT").works_on(date(2026, 4, 6))
    assert "BY" in known_countries()["DE"] and known_countries()["SE"] == ()


@pytest.mark.parametrize(
    "build",
    [
        lambda: Calendar(days=frozenset()),
        lambda: Calendar(days=frozenset({7})),
        lambda: Calendar(start=time(17), end=time(9)),
        lambda: Calendar("Europe/Stockhom"),
        lambda: Calendar(country="XX"),
        lambda: Calendar(country="DE", subdivision="XX"),
    ],
)
def test_a_calendar_that_cannot_count_is_refused(build: Callable[[], Calendar]) -> None:
    with pytest.raises(ValueError, match=r"working|ends|zone|holidays"):
        build()


# --- saying -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "english", "swedish", "german"),
    [
        ("2026-03-02 16:30", "today (Monday) 16:30", "i dag (måndag) kl. 16.30", "heute (Montag), 16:30 Uhr"),
        ("2026-03-03 14:00", "Tuesday 14:00", "tisdag kl. 14.00", "Dienstag, 14:00 Uhr"),
        ("2026-03-08 14:00", "Sunday 14:00", "söndag kl. 14.00", "Sonntag, 14:00 Uhr"),
        ("2026-03-09 09:05", "Monday 9 March 09:05", "måndag 9 mars kl. 09.05", "Montag, 9. März, 09:05 Uhr"),
        ("2026-03-01 14:00", "Sunday 1 March 14:00", "söndag 1 mars kl. 14.00", "Sonntag, 1. März, 14:00 Uhr"),
        ("2026-02-27 14:00", "Friday 27 February 14:00", "fredag 27 februari kl. 14.00",
         "Freitag, 27. Februar, 14:00 Uhr"),
        ("2027-01-04 14:00", "Monday 4 January 2027 14:00", "måndag 4 januari 2027 kl. 14.00",
         "Montag, 4. Januar 2027, 14:00 Uhr"),
    ],
)  # fmt: skip
def test_times_are_said_for_people(moment: str, english: str, swedish: str, german: str) -> None:
    """A weekday alone is always the coming one; the past and what is a week away get their date."""
    now = at(STOCKHOLM, "2026-03-02 10:00")  # a Monday
    said = [STOCKHOLM.say(at(STOCKHOLM, moment), language, now) for language in ("en", "sv", "de")]
    assert said == [english, swedish, german]


def test_each_language_has_words_of_its_own() -> None:
    now = at(STOCKHOLM, "2026-03-02 10:00")
    coming, later = at(STOCKHOLM, "2026-03-02 14:00"), at(STOCKHOLM, "2026-04-01 14:00")
    assert {code: (STOCKHOLM.say(coming, code, now), STOCKHOLM.say(later, code, now)) for code in WORDS} == {
        "en": ("today (Monday) 14:00", "Wednesday 1 April 14:00"),
        "sv": ("i dag (måndag) kl. 14.00", "onsdag 1 april kl. 14.00"),
        "de": ("heute (Montag), 14:00 Uhr", "Mittwoch, 1. April, 14:00 Uhr"),
        "fr": ("aujourd’hui (lundi) à 14h00", "mercredi 1er avril à 14h00"),
        "es": ("hoy (lunes) a las 14:00", "el miércoles 1 de abril a las 14:00"),
        "nl": ("vandaag (maandag) 14:00 uur", "woensdag 1 april 14:00 uur"),
        "da": ("i dag (mandag) kl. 14.00", "onsdag den 1. april kl. 14.00"),
        "no": ("i dag (mandag) kl. 14.00", "onsdag 1. april kl. 14.00"),
        "fi": ("tänään (maanantaina) klo 14.00", "keskiviikkona 1. huhtikuuta klo 14.00"),
        "it": ("oggi (lunedì) alle 14:00", "mercoledì 1 aprile alle 14:00"),
        "pt": ("hoje (segunda-feira) às 14:00", "quarta-feira, 1 de abril, às 14:00"),
        "pl": ("dziś (w poniedziałek) o 14:00", "w środę 1 kwietnia o 14:00"),
    }
    for code, words in WORDS.items():
        assert len(set(words.days)) == 7 and len(set(words.months)) == 12, code


def test_today_is_the_collective_s_today() -> None:
    late = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)  # already Tuesday in Stockholm
    assert STOCKHOLM.say(late + HOUR, "en", late) == "today (Tuesday) 01:30"


def test_the_zone_is_said_where_several_matter() -> None:
    now = at(STOCKHOLM, "2026-03-02 10:00")
    assert STOCKHOLM.say(now, "en", now, zone=True) == "today (Monday) 10:00 (CET)"
    nameless = Calendar("America/Sao_Paulo")
    assert nameless.say(at(nameless, "2026-03-02 10:00"), "en", now, zone=True) == "today (Monday) 10:00 (UTC-03)"


def test_language_tags_find_their_words_and_unknown_ones_speak_english() -> None:
    now = at(STOCKHOLM, "2026-03-02 10:00")
    said = [STOCKHOLM.say(now, tag, now) for tag in ("pt-BR", "nb", "NN_no", "SV", "xx", "")]
    assert said == [
        "hoje (segunda-feira) às 10:00",
        "i dag (mandag) kl. 10.00",
        "i dag (mandag) kl. 10.00",
        "i dag (måndag) kl. 10.00",
        "today (Monday) 10:00",
        "today (Monday) 10:00",
    ]


@pytest.mark.parametrize(
    ("span", "language", "said"),
    [
        ("1 working day", "en", "1 working day"),
        ("2 working days", "sv", "2 arbetsdagar"),
        ("4 working hours", "de", "4 Arbeitsstunden"),
        ("1 working day", "fr", "1 jour ouvré"),
        ("1 working day", "pl", "1 dzień roboczy"),
        ("2 working days", "pl", "2 dni robocze"),
        ("5 working days", "pl", "5 dni roboczych"),
        ("12 minutes", "pl", "12 minut"),
        ("22 minutes", "pl", "22 minuty"),
        ("30 minutes", "fi", "30 minuuttia"),
        ("1 hour", "nl", "1 uur"),
    ],
)
def test_spans_are_said_for_people(span: str, language: str, said: str) -> None:
    assert say_span(parse_span(span), language) == said


@pytest.mark.parametrize("language", WORDS)
@given(span=spans)
@settings(max_examples=10, deadline=None)
def test_every_span_can_be_said_in_every_language(language: str, span: Span) -> None:
    assert say_span(span, language).startswith(f"{span.amount} ")


def test_plain_time_is_said_in_its_two_largest_units() -> None:
    assert say_span(timedelta(minutes=90), "en") == "1 hour 30 minutes"
    assert say_span(timedelta(days=2, hours=1, seconds=5), "en") == "2 days 1 hour"
    assert say_span(timedelta(0), "en") == "0 seconds"


@pytest.mark.parametrize(
    ("worked", "said"),
    [
        (timedelta(seconds=40.9), "40 working seconds"),
        (timedelta(minutes=59, seconds=30), "59 working minutes"),
        (timedelta(hours=3, minutes=59), "3 working hours"),
        (timedelta(hours=8), "1 working day"),
        (timedelta(hours=12), "1 working day 4 hours"),
        (timedelta(hours=8 * 5 + 4), "5 working days"),
        (timedelta(0), "0 working minutes"),
        (timedelta(hours=-1), "0 working minutes"),
    ],
)
def test_an_age_is_said_in_working_days_rounded_down(worked: timedelta, said: str) -> None:
    assert STOCKHOLM.say_age(worked) == said


# --- speed ------------------------------------------------------------------------------------------------------------


def test_counting_a_few_days_takes_no_time_that_matters() -> None:
    """20 µs is the aim and 6 the usual; four times the aim leaves room for a busy machine."""
    friday, span = at(STOCKHOLM, "2027-02-26 15:00"), parse_span("3 working days")
    rounds = []
    for _ in range(10):
        begun = perf_counter()
        for _ in range(200):
            STOCKHOLM.add(friday, span)
        rounds.append((perf_counter() - begun) / 200)
    assert min(rounds) < 80e-6
    assert ZoneInfo("Europe/Stockholm") is STOCKHOLM.zone  # the zone is read once
