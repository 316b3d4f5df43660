"""Restraint: what may leave is a matter of counting, and a stranger who always gets all gets less and less."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from router import office
from router.compose import Outgoing
from router.house import House
from router.restraint import ALL, REACHED_FOR, weigh
from tests.dialogue import DOMAIN, LIST, Play, Reader

STRANGER, COLLEAGUE = "jo@acme.example", f"bo@{DOMAIN}"


@pytest.fixture
def play(tmp_path: Path) -> Play:
    play = Play(tmp_path)
    play.open()
    return play


@pytest.fixture
def house(play: Play) -> House:
    return play.open().house


def mail(to: str, kind: str = "ack", lead: int = 1) -> Outgoing:
    return Outgoing(lead, kind, "client", (to,), "<1@x>", b"")


def test_a_stranger_gets_eight_a_day_and_a_colleague_sixty(house: House) -> None:
    for address, bound in ((STRANGER, 8), (COLLEAGUE, 60), (LIST, 60)):
        weighed = weigh([mail(address)] * 70, lambda name: 0, house)
        assert (len(weighed.go), len(weighed.stopped)) == (bound, 70 - bound)
        assert weighed.reached == ((STRANGER,) if address == STRANGER else ())


def test_what_was_counted_before_counts(house: House) -> None:
    assert not weigh([mail(STRANGER)], Counter({STRANGER: 8}).__getitem__, house).go
    assert not weigh([mail(STRANGER)], Counter({"lead 1": 300}).__getitem__, house).go
    assert not weigh([mail(STRANGER)], Counter({ALL: 2000}).__getitem__, house).go
    assert weigh([mail(STRANGER)], Counter({STRANGER: 7, "lead 1": 299, ALL: 1999}).__getitem__, house).go


def test_offers_are_gathered_and_alerts_are_not_counted(house: House) -> None:
    full = Counter({LIST: 60, f"operator@{DOMAIN}": 60}).__getitem__
    assert len(weigh([mail(LIST, "offer")], full, house).gathered) == 1
    assert len(weigh([mail(f"operator@{DOMAIN}", "alert", 0)], full, house).go) == 1


@pytest.mark.parametrize(("days", "bound"), [(0, 8), (1, 4), (2, 2), (3, 1), (4, 0), (20, 0)])
def test_each_day_on_which_a_strangers_bound_was_reached_halves_it(house: House, days: int, bound: int) -> None:
    reached = {STRANGER: days, COLLEAGUE: days}
    assert len(weigh([mail(STRANGER)] * 9, lambda name: 0, house, lambda name: reached.get(name, 0)).go) == bound
    assert len(weigh([mail(COLLEAGUE)] * 9, lambda name: 0, house, lambda name: reached.get(name, 0)).go) == 9


def test_after_a_month_a_stranger_is_as_any_other(play: Play) -> None:
    """The days are stored, survive a restart, and are forgotten one by one."""

    def got() -> int:
        play.sent.clear()
        for number in range(10):
            Reader(play).post("acme", f"hello@{DOMAIN}", f"Matter {play.now} {number}", f"Help with {play.uid} in May?")
        return sum("acme@acme.example" in sent.recipients for sent in play.sent)

    assert got() == 8
    play.now += timedelta(days=1)
    assert got() == 4
    play.open().store.close()
    play.office = None
    play.now += timedelta(days=1)
    assert got() == 2
    play.now += REACHED_FOR + timedelta(days=2)
    assert got() == 8


def test_a_day_has_at_most_so_many_alerts_and_an_all_clear_is_none_of_them(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    desk = play.open()
    told = [desk.alert("never-sent", f"mail {number}") for number in range(office.ALERTS_A_DAY + 5)]
    assert told == [True] * office.ALERTS_A_DAY + [False] * 5
    assert desk.alert("imap-back", "mail can be read again")
    assert len(caplog.messages) == office.ALERTS_A_DAY + 6, "all are in the log"
    play.now += timedelta(days=1)
    assert desk.alert("never-sent", "of the next day")
