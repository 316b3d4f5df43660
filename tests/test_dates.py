"""Dates as people write them, read on Wednesday 4 March 2026."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dates import match_date, read_date
from router.phrases import LANGUAGES, table

WEDNESDAY = date(2026, 3, 4)
SPOKEN = {
    "en": [
        ("3 Feb", "2027-02-03"),
        ("3rd of February", "2027-02-03"),
        ("Feb 3rd", "2027-02-03"),
        ("March 20, 2026", "2026-03-20"),
        ("the 15th", "2026-03-15"),
        ("the 3rd", "2026-04-03"),
        ("Friday", "2026-03-06"),
        ("Wednesday", "2026-03-11"),
        ("next Monday", "2026-03-09"),
        ("next Friday", "2026-03-13"),
        ("Friday next week", "2026-03-13"),
        ("Tuesday 5 May", "2026-05-05"),
        ("tomorrow", "2026-03-05"),
        ("in two weeks", "2026-03-18"),
        ("in 10 days", "2026-03-14"),
        ("in a month", "2026-04-04"),
        ("next week", "2026-03-09"),
        ("next month", "2026-04-01"),
        ("June", "2026-06-01"),
        ("week 32", "2026-08-03"),
        ("the end of March", "2026-03-31"),
        ("end of the month", "2026-03-31"),
        ("mid May", "2026-05-15"),
    ],
    "sv": [
        ("3 februari", "2027-02-03"),
        ("den 3:e februari", "2027-02-03"),
        ("fredag", "2026-03-06"),
        ("nästa måndag", "2026-03-09"),
        ("om två veckor", "2026-03-18"),
        ("imorgon", "2026-03-05"),
        ("vecka 32", "2026-08-03"),
        ("v. 32", "2026-08-03"),
        ("slutet av mars", "2026-03-31"),
        ("början på maj", "2026-05-01"),
    ],
    "de": [
        ("3. Februar", "2027-02-03"),
        ("zum 3. Februar 2028", "2028-02-03"),
        ("Freitag", "2026-03-06"),
        ("nächsten Montag", "2026-03-09"),
        ("in zwei Wochen", "2026-03-18"),
        ("morgen", "2026-03-05"),
        ("KW 32", "2026-08-03"),
        ("3. März", "2027-03-03"),
        ("3. Maerz", "2027-03-03"),
        ("Ende März", "2026-03-31"),
        ("Mitte Mai", "2026-05-15"),
    ],
    "fr": [
        ("3 février", "2027-02-03"),
        ("le 1er mai", "2026-05-01"),
        ("vendredi", "2026-03-06"),
        ("lundi prochain", "2026-03-09"),
        ("dans deux semaines", "2026-03-18"),
        ("demain", "2026-03-05"),
        ("la semaine prochaine", "2026-03-09"),
        ("fin mars", "2026-03-31"),
        ("fin du mois", "2026-03-31"),
    ],
    "es": [
        ("3 de febrero", "2027-02-03"),
        ("el 3 de febrero de 2028", "2028-02-03"),
        ("viernes", "2026-03-06"),
        ("el próximo lunes", "2026-03-09"),
        ("en dos semanas", "2026-03-18"),
        ("mañana", "2026-03-05"),
        ("finales de marzo", "2026-03-31"),
        ("la semana que viene", "2026-03-09"),
    ],
    "nl": [
        ("3 februari", "2027-02-03"),
        ("vrijdag", "2026-03-06"),
        ("volgende maandag", "2026-03-09"),
        ("over twee weken", "2026-03-18"),
        ("morgen", "2026-03-05"),
        ("eind maart", "2026-03-31"),
    ],
    "da": [
        ("3. februar", "2027-02-03"),
        ("den 3. februar", "2027-02-03"),
        ("fredag", "2026-03-06"),
        ("næste mandag", "2026-03-09"),
        ("om to uger", "2026-03-18"),
        ("uge 32", "2026-08-03"),
        ("slutningen af marts", "2026-03-31"),
    ],
    "no": [
        ("3. februar", "2027-02-03"),
        ("fredag", "2026-03-06"),
        ("neste mandag", "2026-03-09"),
        ("om to uker", "2026-03-18"),
        ("uke 32", "2026-08-03"),
        ("slutten av mars", "2026-03-31"),
    ],
    "fi": [
        ("3. helmikuuta", "2027-02-03"),
        ("3.2.", "2027-02-03"),
        ("perjantaihin", "2026-03-06"),
        ("ensi maanantaihin", "2026-03-09"),
        ("kahden viikon kuluttua", "2026-03-18"),
        ("huomenna", "2026-03-05"),
        ("maaliskuun loppuun", "2026-03-31"),
    ],
    "it": [
        ("3 febbraio", "2027-02-03"),
        ("il 1º maggio", "2026-05-01"),
        ("venerdì", "2026-03-06"),
        ("lunedì prossimo", "2026-03-09"),
        ("tra due settimane", "2026-03-18"),
        ("domani", "2026-03-05"),
        ("fine marzo", "2026-03-31"),
        ("1° maggio", "2026-05-01"),
    ],
    "pt": [
        ("3 de fevereiro", "2027-02-03"),
        ("sexta-feira", "2026-03-06"),
        ("próxima segunda", "2026-03-09"),
        ("em duas semanas", "2026-03-18"),
        ("amanhã", "2026-03-05"),
        ("fim de março", "2026-03-31"),
    ],
    "pl": [
        ("3 lutego", "2027-02-03"),
        ("3-go lutego", "2027-02-03"),
        ("piątku", "2026-03-06"),
        ("następnego poniedziałku", "2026-03-09"),
        ("za dwa tygodnie", "2026-03-18"),
        ("jutro", "2026-03-05"),
        ("końca marca", "2026-03-31"),
        ("do końca miesiąca", "2026-03-31"),
    ],
}
CASES = [(language, text, wanted) for language, pairs in SPOKEN.items() for text, wanted in pairs]


@pytest.mark.parametrize(("language", "text", "wanted"), CASES)
def test_a_date_is_read_in_its_language_alone_and_among_all(language: str, text: str, wanted: str) -> None:
    assert read_date(text, WEDNESDAY, (language,)) == date.fromisoformat(wanted)
    assert read_date(text, WEDNESDAY) == date.fromisoformat(wanted)


def test_a_weekday_of_two_letters_needs_its_capital() -> None:
    assert read_date("Do", WEDNESDAY) == date(2026, 3, 5)
    for text in ("do", "so", "mi", "di"):  # ordinary words of other languages
        assert read_date(text, WEDNESDAY) is None


def test_every_language_has_dates() -> None:
    assert set(SPOKEN) == set(LANGUAGES)
    for language in LANGUAGES:
        lines = dict(table(language).dates)
        assert len(lines["months"].strip().splitlines()) == 12, language
        assert len(lines["weekdays"].strip().splitlines()) == 7, language


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-12-01", "2026-12-01"),
        ("1.12.2026", "2026-12-01"),
        ("1. 12. 2026", "2026-12-01"),
        ("1/12/26", "2026-12-01"),
        ("3/5", "2026-05-03"),
        ("5/13", "2026-05-13"),
    ],
)
def test_figures_are_day_before_month_where_they_leave_it_open(text: str, wanted: str) -> None:
    assert read_date(text, WEDNESDAY) == date.fromisoformat(wanted)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "further notice",
        "31 February",
        "32 May",
        "3",
        "2026-13-01",
        "3 Feb maybe",
        "99/99",
        "week 99",
        "two weeks",
    ],
)
def test_what_is_no_whole_date_is_none(text: str) -> None:
    assert read_date(text, WEDNESDAY) is None


def test_a_date_without_a_year_is_the_next_one_today_included() -> None:
    assert read_date("4 March", WEDNESDAY) == WEDNESDAY
    assert read_date("3 March", WEDNESDAY) == date(2027, 3, 3)
    assert read_date("29 Feb", WEDNESDAY) == date(2028, 2, 29)


def test_without_today_only_a_whole_date_is_read() -> None:
    assert read_date("2026-12-01", None) == date(2026, 12, 1)
    assert read_date("3 May 2027", None) == date(2027, 5, 3)
    for text in ("3 May", "Friday", "tomorrow", "in two weeks"):
        assert read_date(text, None) is None


def test_a_month_is_added_to_the_last_day_that_there_is() -> None:
    assert read_date("in a month", date(2026, 1, 31)) == date(2026, 2, 28)


def test_a_date_inside_a_text_says_where_it_ends() -> None:
    text = "away until 3 Feb 2027, then back"
    assert match_date(text, text.index("3"), WEDNESDAY) == (date(2027, 2, 3), text.index(","))


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_an_iso_date_is_itself(day: date) -> None:
    assert read_date(day.isoformat(), WEDNESDAY) == day


@given(st.dates(date(2020, 1, 1), date(2090, 1, 1)), st.integers(0, 6))
def test_a_weekday_is_within_the_next_seven_days(today: date, weekday: int) -> None:
    name = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"][weekday]
    found = read_date(name, today)
    assert found is not None and found.weekday() == weekday
    assert timedelta(0) < found - today <= timedelta(days=7)


@given(st.text(max_size=200))
def test_any_text_is_looked_at_without_an_exception(text: str) -> None:
    read_date(text, WEDNESDAY)
