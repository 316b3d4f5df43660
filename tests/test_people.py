"""Who is away: what the configuration says, and what people say themselves."""

from __future__ import annotations

from datetime import date

import pytest

from router.house import Member
from router.people import away_until
from router.view import PersonState

ANNA = Member(
    "anna", "Anna Lind", ("anna@coll.example",), away=(("2026-03-02", "2026-03-13"), ("2026-07-01", "2026-07-31"))
)
BACK = PersonState("anna", back=True, available_since=date(2026, 3, 9))


@pytest.mark.parametrize(
    ("state", "today", "until"),
    [
        (None, date(2026, 3, 10), date(2026, 3, 14)),
        (BACK, date(2026, 3, 10), None),
        (BACK, date(2026, 7, 8), date(2026, 8, 1)),
        (BACK, date(2026, 8, 1), None),
        (PersonState("anna", away_until=date(2026, 5, 20)), date(2026, 4, 1), date(2026, 5, 20)),
        (PersonState("anna", away_until=date(2026, 5, 20)), date(2026, 5, 20), None),
    ],
)
def test_back_ends_the_absence_that_has_begun_and_none_to_come(
    state: PersonState | None, today: date, until: date | None
) -> None:
    assert away_until(ANNA, state, today) == until
